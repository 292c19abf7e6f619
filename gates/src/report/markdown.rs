//! For a comment (64 KiB at most) or a step's summary: headings from the third
//! level on, details folded.

use std::fmt::Write as _;

use super::{facts, is_good, line, more, name, rows, waivers};
use crate::verdict::{Level, Verdict};
use crate::words::Tongue;

/// Bytes of a comment, with room for the end.
const MOST: usize = 60 << 10;
/// Checks and waivers that are told of.
const ROWS: usize = 100;

pub fn render(verdict: &Verdict, tongue: Tongue) -> String {
    let word = |en: &'static str, zh: &'static str| if tongue == Tongue::En { en } else { zh };
    let mark = if is_good(verdict.decision) { "✓" } else { "✗" };
    let mut text = format!("### {mark} {}\n\n", plain(verdict.told().to(tongue)));
    let _ = writeln!(text, "| {} | {} | |\n|---|---|---|", word("check", "检查"), word("outcome", "结果"));
    for row in rows(verdict, tongue).iter().take(ROWS) {
        let _ = writeln!(text, "| {} |", row.clone().map(|cell| plain(&cell)).join(" | "));
    }
    let findings = verdict.findings();
    let told: Vec<_> = findings.iter().filter(|(_, finding)| finding.level > Level::Note).collect();
    if !told.is_empty() {
        let _ = writeln!(text, "\n#### {}\n", word("What was found", "发现"));
    }
    let tail = tail(verdict, tongue, &word);
    let mut shown = 0;
    for (check, finding) in &told {
        let next = finding.next.to(tongue);
        let todo = if finding.stands() && !next.is_empty() { format!(" → {}", plain(next)) } else { String::new() };
        let bold = if finding.stands() { "**" } else { "" };
        let item =
            format!("- {bold}{}/{}{bold}: {}{todo}\n", name(*check), plain(&finding.id), plain(&line(finding, tongue)));
        if text.len() + item.len() + tail.len() > MOST {
            break;
        }
        text.push_str(&item);
        shown += 1;
    }
    if shown < told.len() {
        let _ = writeln!(text, "\n{}", more(told.len() - shown, tongue));
    }
    text + &tail
}

fn tail(verdict: &Verdict, tongue: Tongue, word: &dyn Fn(&'static str, &'static str) -> &'static str) -> String {
    let mut text = String::new();
    let waivers = waivers(verdict, tongue);
    if !waivers.is_empty() {
        let _ = writeln!(text, "\n#### {}\n", word("Waivers", "豁免"));
        for line in waivers.iter().take(ROWS) {
            let _ = writeln!(text, "- {}", plain(&bounded(line)));
        }
        if waivers.len() > ROWS {
            let _ = writeln!(text, "\n{}", more(waivers.len() - ROWS, tongue));
        }
    }
    let _ = writeln!(text, "\n<details><summary>{}</summary>\n", word("Of what, and by which policy", "对象与策略"));
    for (key, value) in facts(verdict, tongue) {
        let _ = writeln!(text, "- {key}: `{}`", value.replace('`', "'"));
    }
    text + "\n</details>\n"
}

fn bounded(text: &str) -> String {
    text.chars().take(400).collect()
}

/// Text in which Markdown means nothing.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '@' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
