//! How an answer is printed: the same data in every format, on standard output
//! and nothing else there.

pub mod paint;

use std::io::{ErrorKind, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, Table};
use hashinsight_crds::text::{Language, Text, text};
use hashinsight_mining::import::write_row;
use serde_json::Value;

use crate::arguments::{Format, Global};
use crate::trouble::{Exit, Trouble};

/// A column no wider than this is of names.
const NAME_WIDTH: usize = 40;

/// What a command found out.
#[derive(Debug)]
pub struct Answer {
    /// How the program ends after it is printed.
    pub exit: Exit,
    /// All of it, for programs.
    pub data: Value,
    /// One a line, for scripts.
    pub names: Vec<String>,
    /// Rows with a header, in full; what people see as columns when there are none.
    pub csv: Option<Vec<Vec<String>>>,
    /// For people, from top to bottom.
    pub blocks: Vec<Block>,
}

/// A piece of what people read.
#[derive(Debug)]
pub enum Block {
    /// A line.
    Line(String),
    /// Columns.
    Columns(Columns),
}

/// Rows under headings; the last `wide` columns only where there is room.
#[derive(Debug)]
pub struct Columns {
    pub headings: Vec<Text>,
    pub wide: usize,
    pub rows: Vec<Vec<String>>,
}

/// Prints `answer`. A reader who has seen enough and closes the pipe is no
/// error.
pub fn write(answer: &Answer, global: &Global) -> Result<(), Trouble> {
    let printed = match global.output {
        Format::Json => serde_json::to_string_pretty(&answer.data).unwrap_or_default() + "\n",
        Format::Yaml => serde_saphyr::to_string(&answer.data).unwrap_or_default(),
        Format::Name => answer.names.iter().map(|name| format!("{name}\n")).collect(),
        Format::Csv => csv(answer, global.language).map_err(Trouble::system)?,
        Format::Table => people(&answer.blocks, global.language, false),
        Format::Wide => people(&answer.blocks, global.language, true),
        _ => return Err(not_here(global)),
    };
    to_stdout(printed.as_bytes())
}

/// A format of `gate check` for something else.
pub fn not_here(global: &Global) -> Trouble {
    let what = text("only gate check prints in this format", "只有 gate check 支持此输出方式");
    Trouble::new(Exit::Error, what, format!("-o {:?}", global.output).to_lowercase(), "-o json")
}

/// Comma-separated, no cell of which a spreadsheet would compute.
fn csv(answer: &Answer, language: Language) -> std::io::Result<String> {
    let mut text = Vec::new();
    let columns = answer.blocks.iter().filter_map(|block| match block {
        Block::Columns(columns) => Some(columns),
        Block::Line(_) => None,
    });
    match &answer.csv {
        Some(rows) => rows.iter().try_for_each(|row| write_row(&mut text, row.iter().map(String::as_str)))?,
        None => columns.take(1).try_for_each(|columns| {
            write_row(&mut text, columns.headings.iter().map(|heading| heading.to(language)))?;
            columns.rows.iter().try_for_each(|row| write_row(&mut text, row.iter().map(String::as_str)))
        })?,
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Writes to standard output as it is, without colours where it is no terminal.
pub fn to_stdout(bytes: &[u8]) -> Result<(), Trouble> {
    let mut stdout = anstream::stdout();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Trouble::system(error)),
        _ => Ok(()),
    }
}

fn people(blocks: &[Block], language: Language, wide: bool) -> String {
    let width = terminal_size::terminal_size().map(|(width, _)| width.0);
    let mut text = String::new();
    for block in blocks {
        match block {
            Block::Line(line) => {
                text.push_str(line);
                text.push('\n');
            }
            Block::Columns(columns) => text.push_str(&table(columns, language, wide, width)),
        }
    }
    text
}

fn table(columns: &Columns, language: Language, wide: bool, width: Option<u16>) -> String {
    let shown = columns.headings.len() - if wide { 0 } else { columns.wide };
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(columns.headings.iter().take(shown).map(|heading| heading.to(language)));
    for row in &columns.rows {
        table.add_row(row.iter().take(shown));
    }
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        for (at, column) in table.column_iter_mut().enumerate() {
            // Names stay whole; sentences share what is left.
            let is_of_names = columns.rows.iter().all(|row| row[at].chars().count() <= NAME_WIDTH);
            if is_of_names {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
    }
    table.lines().map(|line| format!("{}\n", paint::by_mark(line.trim_end()))).collect()
}
