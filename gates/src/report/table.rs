//! For a terminal: checks, then what was found and what to do, then the verdict.

use std::fmt::Write as _;

use super::{facts, level, line, more, name, rows, waivers};
use crate::verdict::{Level, Verdict};
use crate::words::Tongue;

/// Findings that are told of.
const MOST: usize = 40;

pub fn render(verdict: &Verdict, tongue: Tongue) -> String {
    let mut text = String::new();
    let rows = rows(verdict, tongue);
    let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (wide(0), wide(1));
    for [check, outcome, summary] in &rows {
        let _ = writeln!(text, "{check:first$}  {outcome:second$}  {summary}");
    }
    let all = verdict.findings();
    let told = || all.iter().filter(|(_, finding)| finding.level > Level::Note || finding.stands() && all.len() < MOST);
    if told().next().is_some() {
        text.push('\n');
    }
    for (check, finding) in told().take(MOST) {
        let mark = match level(finding) {
            Some(Level::Error) => "!",
            Some(Level::Failure) => "✗",
            Some(Level::Deferral) => "…",
            Some(Level::Warning | Level::Note) | None => "·",
        };
        let _ = writeln!(text, "{mark} {}/{}: {}", name(*check), finding.id, line(finding, tongue));
        let next = finding.next.to(tongue);
        if finding.stands() && finding.level > Level::Note && !next.is_empty() {
            let _ = writeln!(text, "    → {next}");
        }
    }
    let left = told().count().saturating_sub(MOST);
    if left > 0 {
        let _ = writeln!(text, "{}", more(left, tongue));
    }
    let waivers = waivers(verdict, tongue);
    if !waivers.is_empty() {
        let _ = writeln!(text, "\n{}", if tongue == Tongue::En { "Waivers" } else { "豁免" });
        for line in waivers {
            let _ = writeln!(text, "  {line}");
        }
    }
    text.push('\n');
    for (key, value) in facts(verdict, tongue) {
        let _ = writeln!(text, "{key:10} {value}");
    }
    let _ = writeln!(text, "\n{}", verdict.told().to(tongue));
    text
}
