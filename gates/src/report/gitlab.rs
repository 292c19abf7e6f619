//! GitLab's code quality: a list of issues, each with a fingerprint of its own.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{fingerprint, level, line, more, name};
use crate::verdict::{Level, Verdict};
use crate::words::Tongue;

/// Issues of one report.
const MOST: usize = 5_000;

pub fn render(verdict: &Verdict, tongue: Tongue) -> String {
    let mut seen = BTreeSet::new();
    let findings = verdict.findings();
    let told: Vec<_> = findings.iter().filter_map(|(check, f)| Some((*check, *f, level(f)?))).collect();
    let told: Vec<_> = told.into_iter().filter(|(.., level)| *level > Level::Note).collect();
    let issue = |(check, finding, level): &(Option<crate::checks::CheckId>, &crate::verdict::Finding, Level)| {
        let print = fingerprint(*check, finding);
        let severity = match level {
            Level::Error => "blocker",
            Level::Failure => "critical",
            Level::Deferral => "major",
            Level::Warning => "minor",
            Level::Note => "info",
        };
        let begin = finding.line.unwrap_or(1).max(1);
        seen.insert(print.clone()).then(|| {
            json!({
                "description": format!("{}: {} {}", finding.id, line(finding, tongue), finding.next.to(tongue)),
                "check_name": name(*check), "fingerprint": print, "severity": severity,
                "location": {"path": finding.file.as_deref().unwrap_or("release"), "lines": {"begin": begin}},
            })
        })
    };
    let left = told.len().saturating_sub(MOST);
    let mut issues: Vec<Value> = told.iter().take(MOST).filter_map(issue).collect();
    if left > 0 {
        issues.push(json!({
            "description": more(left, tongue), "check_name": name(None), "fingerprint": "more", "severity": "blocker",
            "location": {"path": "release", "lines": {"begin": 1}},
        }));
    }
    serde_json::to_string_pretty(&issues).unwrap_or_default() + "\n"
}
