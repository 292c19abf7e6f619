//! Reading and writing: fleets with their failed rows and progress, pictures,
//! records.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use hashinsight_crds::text::{Language, text};
use hashinsight_mining::catalogue::Catalogue;
use hashinsight_mining::fleet::Kind;
use hashinsight_mining::import::{ACCEPTED_COLUMNS, Accepted, FailedRows, Refused, Sink, Summary, import, write_row};
use hashinsight_mining::picture::Page;
use hashinsight_mining::record::{self, Answer, Request};
use hashinsight_mining::{Fleet, Sentence};

use super::arguments::{Drawn, FleetFile, Kept};
use super::shown::{sentence, tongue};
use super::{refused, threads};
use crate::trouble::{Exit, Trouble};

/// Refused rows that are told of on the screen.
const TOLD: usize = 5;

/// A file that cannot be read or written.
pub fn trouble(path: &Path, error: &std::io::Error) -> Trouble {
    Trouble::new(Exit::Error, text("a file cannot be used", "无法使用文件"), format!("{}: {error}", path.display()), "")
}

/// A file that says something wrong.
pub fn wrong(path: &Path, why: impl std::fmt::Display, next: &str) -> Trouble {
    let what = text("a file cannot be understood", "无法理解文件");
    Trouble::new(Exit::Error, what, format!("{}: {why}", path.display()), next)
}

/// A file as a stream, and how long it is where that is known.
pub fn open(path: &Path) -> Result<(Box<dyn Read + Send>, Option<u64>), Trouble> {
    if path == Path::new("-") {
        return Ok((Box::new(std::io::stdin()), None));
    }
    let file = File::open(path).map_err(|error| trouble(path, &error))?;
    let length = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
    Ok((Box::new(file), length))
}

/// A whole file of bounded size.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, Trouble> {
    let (input, _) = open(path)?;
    let mut bytes = Vec::new();
    input.take(most + 1).read_to_end(&mut bytes).map_err(|error| trouble(path, &error))?;
    if bytes.len() as u64 > most {
        return Err(wrong(path, format_args!("longer than {most} bytes"), ""));
    }
    Ok(bytes)
}

/// A file that is written at the end or not at all: what was there before stays
/// until everything is done.
pub struct Output {
    path: PathBuf,
    /// Where it is written first; none for pipes and devices, which are written
    /// as they are.
    under_way: Option<PathBuf>,
    file: BufWriter<File>,
}

impl Output {
    fn new(path: &Path) -> Result<Self, Trouble> {
        let trouble = |error: &std::io::Error| trouble(path, error);
        let there = std::fs::metadata(path).ok();
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            let file = File::options().write(true).open(path).map_err(|error| trouble(&error))?;
            return Ok(Self { path: path.to_owned(), under_way: None, file: BufWriter::new(file) });
        }
        // What a link leads to is replaced, not the link.
        let path =
            if there.is_some() { path.canonicalize().map_err(|error| trouble(&error))? } else { path.to_owned() };
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{}", std::process::id()));
        let under_way = path.with_file_name(name);
        let file = File::create(&under_way).map_err(|error| trouble(&error))?;
        if let Some(there) = there {
            file.set_permissions(there.permissions()).map_err(|error| trouble(&error))?;
        }
        Ok(Self { path, under_way: Some(under_way), file: BufWriter::new(file) })
    }

    fn finish(mut self) -> Result<(), Trouble> {
        self.file.flush().map_err(|error| trouble(&self.path, &error))?;
        match self.under_way.take() {
            Some(under_way) => std::fs::rename(under_way, &self.path).map_err(|error| trouble(&self.path, &error)),
            None => Ok(()),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(under_way) = &self.under_way {
            let _ = std::fs::remove_file(under_way);
        }
    }
}

/// Takes rows up: kinds for computing, files for people.
struct Taker {
    kinds: BTreeMap<Kind, u64>,
    keep_kinds: bool,
    accepted: Option<Output>,
    failed: Option<FailedRows<Output>>,
    told: Vec<String>,
    language: Language,
    length: Option<u64>,
    shown: u64,
}

impl Sink for Taker {
    fn accepted(&mut self, row: Accepted) -> std::io::Result<()> {
        if let Some(output) = &mut self.accepted {
            write_row(output, row.cells().iter().map(String::as_str))?;
        }
        if self.keep_kinds {
            let count = u64::from(row.kind.count);
            *self.kinds.entry(Kind { count: 0, ..row.kind }).or_default() += count;
        }
        Ok(())
    }

    fn refused(&mut self, header: &[String], row: Refused) -> std::io::Result<()> {
        if self.told.len() < TOLD {
            let why = row.problem.sentence().to(tongue(self.language));
            self.told.push(format!(
                "  {} {}: {}: {why}",
                text("line", "第行").to(self.language),
                row.line,
                row.problem.code()
            ));
        }
        self.failed.as_mut().map_or(Ok(()), |failed| failed.add(header, &row))
    }

    fn progress(&mut self, summary: &Summary) -> std::io::Result<()> {
        let rows = summary.accepted + summary.refused_rows();
        // Only where somebody looks, and not for what is done at once.
        if rows >= self.shown + 50_000 && std::io::stderr().is_terminal() {
            self.shown = rows;
            let part =
                self.length.map_or_else(String::new, |length| format!("{} % ", summary.bytes * 100 / length.max(1)));
            eprint_same_line(&format!("{part}{rows} {}", text("rows", "行").to(self.language)));
        }
        Ok(())
    }
}

fn eprint_same_line(words: &str) {
    let _ = write!(std::io::stderr(), "\r\x1b[K{words}");
}

/// A fleet that was read, and what became of its file.
pub struct Imported {
    pub fleet: Fleet,
    pub summary: Summary,
}

/// Imports a fleet's file; rows that cannot be used are told of and left out.
pub fn fleet(
    file: &FleetFile,
    accepted: Option<&Path>,
    compute: bool,
    language: Language,
) -> Result<Imported, Trouble> {
    apart(&[Some(&file.file), accepted, file.failed.as_deref()])?;
    let (input, length) = open(&file.file)?;
    let mut output = accepted.map(Output::new).transpose()?;
    if let Some(output) = &mut output {
        write_row(output, ACCEPTED_COLUMNS).map_err(|error| trouble(&output.path, &error))?;
    }
    let failed = file.failed.as_deref().map(Output::new).transpose()?.map(FailedRows::new);
    let mut taker = Taker {
        kinds: BTreeMap::new(),
        keep_kinds: compute,
        accepted: output,
        failed,
        told: Vec::new(),
        language,
        length,
        shown: 0,
    };
    let summary = import(input, threads(file.threads), &mut taker);
    if taker.shown > 0 {
        eprint_same_line("");
    }
    let summary = summary.map_err(|error| wrong(&file.file, error, "hashinsight fleet template"))?;
    taker.accepted.map_or(Ok(()), Output::finish)?;
    taker.failed.map_or(Ok(()), |failed| failed.into_inner().finish())?;
    if summary.refused_rows() > 0 && compute {
        tell(&summary, &taker.told, file, language);
    }
    let kinds = taker.kinds.into_iter().map(|(kind, count)| {
        // More than fit are refused by the fleet below.
        Kind { count: u32::try_from(count).unwrap_or(u32::MAX), ..kind }
    });
    Ok(Imported { fleet: Fleet::of(kinds).map_err(|refusal| refused(&refusal))?, summary })
}

/// Writes a whole file, or nothing.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    let mut output = Output::new(path)?;
    output.write_all(bytes).map_err(|error| trouble(path, &error))?;
    output.finish()
}

/// Refuses one file for two purposes: what is read must not be overwritten.
fn apart(paths: &[Option<&Path>]) -> Result<(), Trouble> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let files: Vec<PathBuf> =
        paths.iter().flatten().map(|path| real(path)).filter(|path| !path.exists() || path.is_file()).collect();
    match files.iter().enumerate().find(|(at, path)| files[..*at].contains(path)) {
        Some((_, twice)) => Err(wrong(twice, "named for two purposes", "")),
        None => Ok(()),
    }
}

/// Tells of rows that were left out.
fn tell(summary: &Summary, told: &[String], file: &FleetFile, language: Language) {
    let (refused, accepted) = (summary.refused_rows(), summary.accepted);
    let head = match language {
        Language::English => format!("{refused} rows are left out, {accepted} are computed with:"),
        Language::Chinese => format!("{refused} 行未计入，{accepted} 行已计入："),
    };
    let more = if refused > told.len() as u64 { "  …\n" } else { "" };
    let next = match &file.failed {
        Some(failed) => failed.display().to_string(),
        None => "--failed FILE".to_owned(),
    };
    let _ = writeln!(std::io::stderr(), "{head}\n{}\n{more}  → {next}", told.join("\n"));
}

/// How a command ends whose file had rows that cannot be used.
pub fn exit(summary: &Summary) -> Exit {
    if summary.refused_rows() > 0 { Exit::Refused } else { Exit::Ok }
}

/// Adds the record of a run to its file.
pub fn keep(kept: &Kept, request: &Request, answer: &Answer) -> Result<(), Trouble> {
    let Some(path) = &kept.record else { return Ok(()) };
    let line = record::record(request, answer, "given") + "\n";
    let file = File::options().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(|error| trouble(path, &error))
}

/// Writes the picture and the page around it.
pub fn draw(drawn: &Drawn, page: Page, language: Language) -> Result<(), Trouble> {
    if let Some(path) = &drawn.svg {
        write(path, page.picture.as_bytes())?;
    }
    if let Some(path) = &drawn.html {
        write(path, page.html(tongue(language)).as_bytes())?;
    }
    Ok(())
}

/// What every page says it rests on.
pub fn versions() -> Vec<(Sentence, String)> {
    let catalogue = Catalogue::shipped().version();
    vec![
        (sentence("library", "计算库版本"), record::LIBRARY.to_owned()),
        (sentence("catalogue", "目录版本"), catalogue.chars().take(12).collect()),
    ]
}
