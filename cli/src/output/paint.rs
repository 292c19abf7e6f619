//! Colours. They repeat what marks and words say already, and go away where
//! output is no terminal or NO_COLOR is set.

use anstyle::{AnsiColor, Style};

/// Marks at the beginning of a line: bad, under way, well.
pub const MARKS: [&str; 3] = ["✗", "…", "✓"];

fn painted(text: &str, color: AnsiColor) -> String {
    let style: Style = color.on_default();
    format!("{style}{text}{style:#}")
}

/// What is wrong.
pub fn bad(text: &str) -> String {
    painted(text, AnsiColor::Red)
}

/// A line in the colour of the mark it begins with.
pub fn by_mark(line: &str) -> String {
    let colors = [AnsiColor::Red, AnsiColor::Yellow, AnsiColor::Green];
    let mark = MARKS
        .iter()
        .zip(colors)
        .find_map(|(mark, color)| line.trim_start().strip_prefix(mark).map(|rest| (mark, color, rest.to_owned())));
    mark.map_or_else(|| line.to_owned(), |(mark, color, rest)| format!(" {}{rest}", painted(mark, color)))
}
