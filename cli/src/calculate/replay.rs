//! Records computed anew, and versions held against each other.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hashinsight_crds::text::text;
use hashinsight_mining::record::{self, Mismatch};
use serde_json::json;

use super::arguments::Replay;
use super::{files, threads};
use crate::arguments::Global;
use crate::output::{self, Answer, Block};
use crate::said::words;
use crate::trouble::{Exit, Trouble};

/// Bad records that are told of one by one.
const TOLD: usize = 20;

#[derive(Default)]
struct Tally {
    records: u64,
    bad: Vec<String>,
    bad_count: u64,
    unreadable: bool,
    worst: Option<record::Difference>,
}

impl Tally {
    fn bad(&mut self, place: &str, why: &dyn std::fmt::Display) {
        self.bad_count += 1;
        if self.bad.len() < TOLD {
            self.bad.push(format!("✗ {place}: {why}"));
        }
    }
}

pub fn answer(of: &Replay, global: &Global) -> Result<Option<Answer>, Trouble> {
    let (threads, mut tally) = (threads(of.threads), Tally::default());
    if of.baseline.is_some() && of.records.iter().any(|path| path == Path::new("-")) {
        let what = text("two programs cannot read one standard input", "两个程序不能读同一标准输入");
        return Err(Trouble::new(Exit::Error, what, "- with --baseline", "hashinsight replay FILE --baseline PROGRAM"));
    }
    for path in paths(&of.records)? {
        let mut other = of.baseline.as_deref().map(|program| Baseline::start(program, &path)).transpose()?;
        each_line(&path, &mut |number, line| {
            let place = format!("{}:{number}", path.display());
            tally.records += 1;
            match (&mut other, of.print) {
                (None, false) => {
                    if let Err(why) = record::replay(line, threads) {
                        tally.unreadable |= matches!(why, Mismatch::Unreadable(_) | Mismatch::Format(_));
                        tally.bad(&place, &why);
                    }
                }
                (None, true) => match record::recompute(line, threads) {
                    Ok(line) => output::to_stdout(format!("{line}\n").as_bytes())?,
                    // A line for each record, so that whoever compares keeps step.
                    Err(why) => {
                        tally.bad(&place, &why);
                        tally.unreadable |= matches!(why, Mismatch::Unreadable(_) | Mismatch::Format(_));
                        output::to_stdout(b"null\n")?;
                    }
                },
                (Some(other), _) => compare(&mut tally, &place, line, &other.next()?, threads),
            }
            Ok(())
        })?;
        other.map_or(Ok(()), Baseline::finish)?;
    }
    if of.print {
        if tally.bad_count == 0 {
            return Ok(None);
        }
        let exit = if tally.unreadable { Exit::Error } else { Exit::Refused };
        let what = text("some records cannot be computed; they are null", "部分记录无法计算，以 null 代之");
        return Err(Trouble::new(exit, what, tally.bad.join("\n       "), ""));
    }
    Ok(Some(told(tally, of.baseline.is_some(), global)))
}

fn compare(tally: &mut Tally, place: &str, line: &str, theirs: &str, threads: usize) {
    let compared = record::recompute(line, threads).and_then(|ours| record::compare(&ours, theirs));
    match compared {
        Err(why) => tally.bad(place, &why),
        Ok(difference) => {
            if difference.above_limit() {
                tally.bad(place, &difference);
            }
            let worst = tally.worst.take().filter(|worst| worst.part >= difference.part);
            tally.worst = Some(worst.unwrap_or(difference));
        }
    }
}

fn told(tally: Tally, compared: bool, global: &Global) -> Answer {
    let exit = match (tally.bad_count, tally.unreadable, tally.records) {
        // Nothing was proven.
        (.., 0) | (_, true, _) => Exit::Error,
        (0, ..) => Exit::Ok,
        _ => Exit::Refused,
    };
    let (records, good) = (tally.records, tally.records - tally.bad_count);
    let head = if compared {
        words(
            format!("{good} of {records} records agree within 0.1 %"),
            format!("{records} 条记录中 {good} 条相差不超过 0.1 %"),
        )
    } else {
        words(
            format!("{good} of {records} records replay byte for byte"),
            format!("{records} 条记录中 {good} 条逐字节一致"),
        )
    };
    let mut lines = tally.bad;
    if tally.bad_count > lines.len() as u64 {
        lines.push(format!("… {}", tally.bad_count - lines.len() as u64));
    }
    let worst = tally.worst.as_ref().map(ToString::to_string);
    let shown = lines.iter().cloned().chain(worst.clone().filter(|_| exit == Exit::Ok));
    let blocks = shown.chain([head.to(global.language).to_owned()]).map(Block::Line).collect();
    Answer {
        exit,
        data: json!({"schemaVersion": 1, "library": record::LIBRARY, "records": records, "good": good, "bad": lines, "largest_difference": worst}),
        names: lines.clone(),
        csv: None,
        blocks,
    }
}

/// Files, and those of folders in the order of their names.
fn paths(typed: &[PathBuf]) -> Result<Vec<PathBuf>, Trouble> {
    let mut all = Vec::new();
    for path in typed {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|error| files::trouble(path, &error))?;
        let mut inside: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
            .collect();
        if inside.is_empty() {
            return Err(files::wrong(path, "no *.jsonl in it", ""));
        }
        inside.sort();
        all.extend(inside);
    }
    Ok(all)
}

/// Calls with each line and its number; a line that is too long ends it.
fn each_line(path: &Path, with: &mut dyn FnMut(u64, &str) -> Result<(), Trouble>) -> Result<(), Trouble> {
    let (input, _) = files::open(path)?;
    let mut input = BufReader::new(input);
    for number in 1_u64.. {
        let Some(line) = line(&mut input).map_err(|error| files::trouble(path, &error))? else { break };
        if !line.is_empty() {
            with(number, &line)?;
        }
    }
    Ok(())
}

/// The next line without its end; none at the end.
fn line(input: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let most = record::RECORD_MAX as u64 + 1;
    if input.take(most).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.len() as u64 == most {
        return Err(std::io::Error::other(format!("a line is longer than {} bytes", record::RECORD_MAX)));
    }
    if bytes.ends_with(b"\n") {
        bytes.pop();
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Another version of this program, printing records as it computes them.
struct Baseline {
    program: PathBuf,
    child: std::process::Child,
    lines: BufReader<std::process::ChildStdout>,
    /// Whether it said of a record that it cannot compute it.
    refused: bool,
}

impl Baseline {
    fn start(program: &Path, records: &Path) -> Result<Self, Trouble> {
        let mut child = Command::new(program)
            .args(["replay", "--print"])
            .arg(records)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| files::trouble(program, &error))?;
        let lines = child.stdout.take().ok_or_else(|| files::wrong(program, "no output", ""))?;
        Ok(Self { program: program.to_owned(), child, lines: BufReader::new(lines), refused: false })
    }

    fn next(&mut self) -> Result<String, Trouble> {
        let line = line(&mut self.lines).map_err(|error| files::trouble(&self.program, &error))?;
        self.refused |= line.as_deref() == Some("null");
        line.ok_or_else(|| {
            files::wrong(&self.program, "it stopped before the last record", "PROGRAM replay --print RECORDS")
        })
    }

    fn finish(mut self) -> Result<(), Trouble> {
        let ended = self.child.wait().map_err(|error| files::trouble(&self.program, &error))?;
        if ended.success() || self.refused {
            Ok(())
        } else {
            Err(files::wrong(&self.program, ended, "PROGRAM replay --print RECORDS"))
        }
    }
}
