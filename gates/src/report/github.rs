//! Annotations of GitHub Actions. A step shows ten of a level and drops the
//! rest in silence, so nine are told and the tenth counts the others.

use std::fmt::Write as _;

use super::{level, line, more, name};
use crate::checks::CheckId;
use crate::verdict::{Finding, Level, Verdict};
use crate::words::Tongue;

/// Annotations of one level.
const MOST: usize = 9;

pub fn render(verdict: &Verdict, tongue: Tongue) -> String {
    let mut text = String::new();
    let findings = verdict.findings();
    let of = |wanted: fn(Level) -> bool| -> Vec<&(Option<CheckId>, &Finding)> {
        findings.iter().filter(|(_, finding)| level(finding).is_some_and(wanted)).collect()
    };
    for (kind, list) in
        [("error", of(|level| level >= Level::Deferral)), ("warning", of(|level| level == Level::Warning))]
    {
        for (check, finding) in list.iter().take(MOST) {
            let place = finding.file.as_ref().map(|file| format!(",file={}", property(file))).unwrap_or_default();
            let at = finding.line.map(|line| format!(",line={line}")).unwrap_or_default();
            let title = property(&format!("{}/{}", name(*check), finding.id));
            let words = message(&format!("{}\n{}", line(finding, tongue), finding.next.to(tongue)));
            let _ = writeln!(text, "::{kind} title={title}{place}{at}::{words}");
        }
        if list.len() > MOST {
            let _ = writeln!(text, "::{kind}::{}", message(&more(list.len() - MOST, tongue)));
        }
    }
    let _ = writeln!(text, "::notice title=release gate::{}", message(verdict.told().to(tongue)));
    text
}

fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}
