//! Files that spreadsheets open: rows that failed, with their reason, ready to
//! be mended and imported again; and no cell that a spreadsheet would compute.

use std::borrow::Cow;
use std::io::{Result, Write};

use super::encoding::BOM;
use super::header::OURS;
use super::problem::Refused;

/// The rows of a file that were refused: its own columns, then line, code and
/// message in both languages.
#[derive(Debug)]
pub struct FailedRows<W: Write> {
    output: W,
    begun: bool,
}

impl<W: Write> FailedRows<W> {
    /// Into `output`, which stays empty when no row fails.
    pub fn new(output: W) -> Self {
        Self { output, begun: false }
    }

    /// Adds a row under the header of its file.
    pub fn add(&mut self, header: &[String], row: &Refused) -> Result<()> {
        if !self.begun {
            // With the mark, spreadsheets show Chinese as Chinese.
            self.output.write_all(BOM)?;
            write_row(&mut self.output, header.iter().map(String::as_str).chain(OURS))?;
            self.begun = true;
        }
        let message = row.problem.sentence();
        let line = row.line.to_string();
        let ours = [line.as_str(), row.problem.code(), message.en.as_str(), message.zh.as_str()];
        write_row(&mut self.output, row.fields.iter().map(String::as_str).chain(ours))
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.output
    }
}

/// Writes one row of CSV, every cell [`neutral`].
pub fn write_row<'a>(output: &mut impl Write, cells: impl IntoIterator<Item = &'a str>) -> Result<()> {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            output.write_all(b",")?;
        }
        let cell = neutral(cell);
        if cell.contains(['"', ',', ';', '\t', '\n', '\r']) {
            write!(output, "\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            output.write_all(cell.as_bytes())?;
        }
    }
    output.write_all(b"\n")
}

/// The cell as a spreadsheet will show and not compute it: what begins like a
/// formula gets an apostrophe. Plain negative numbers stay.
pub fn neutral(cell: &str) -> Cow<'_, str> {
    let number = cell
        .strip_prefix('-')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && !number {
        return Cow::Owned(format!("'{cell}"));
    }
    Cow::Borrowed(cell)
}
