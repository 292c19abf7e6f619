//! One long step: a command with its output kept and shown as progress.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::tail;
use crate::{Error, Progress};

/// Runs one step with its output in `log`; `detail` turns each of its lines
/// into progress.
pub(crate) fn run(
    mut step: Command,
    what: String,
    log: &Path,
    mut detail: impl FnMut(&str) -> String,
) -> Result<(), Error> {
    let progress = Progress::begin(what.clone());
    let mut file = File::options().create(true).append(true).open(log).map_err(Error::file("write", log))?;
    let program = step.get_program().to_string_lossy().into_owned();
    let spawn = |source| Error::Spawn { program: program.clone(), source };
    let (reader, writer) = std::io::pipe().map_err(spawn)?;
    let errors = writer.try_clone().map_err(spawn)?;
    let mut child = step.stdin(Stdio::null()).stdout(writer).stderr(errors).spawn().map_err(spawn)?;
    // The command holds the writing ends; with them gone the reader ends.
    drop(step);
    for line in BufReader::new(reader).lines().map_while(Result::ok) {
        let text: String = detail(&line).chars().take(60).collect();
        if !text.is_empty() {
            progress.step(text);
        }
        writeln!(file, "{line}").map_err(Error::file("write", log))?;
    }
    let status = child.wait().map_err(spawn)?;
    if !status.success() {
        return Err(Error::Step { step: what, status: status.to_string(), tail: tail(log, 12), log: log.to_owned() });
    }
    progress.done();
    Ok(())
}

/// Writes a file.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::file("write", path))
}
