//! A test a check: what could not be made is an error, what only a cluster can
//! tell is skipped, and a freeze fails.

use std::fmt::Write as _;

use super::{escaped, is_bad, line, more, name};
use crate::verdict::{Checked, Finding, Level, Outcome, Verdict};
use crate::words::Tongue;

/// Findings told of in one test.
const MOST: usize = 200;

pub fn render(verdict: &Verdict, tongue: Tongue) -> String {
    let errors = verdict.checks.iter().filter(|checked| checked.outcome == Outcome::Error).count();
    let problems: Vec<&Finding> = verdict.problems.iter().collect();
    let errors = errors + usize::from(!problems.is_empty());
    let bad = |checked: &&Checked| is_bad(checked.outcome) && checked.outcome != Outcome::Error;
    let failures = verdict.checks.iter().filter(bad).count();
    let skipped = verdict.checks.iter().filter(|checked| checked.outcome == Outcome::NotEvaluatedHere).count();
    let tests = verdict.checks.len() + 1;
    let numbers = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"release gate\" {numbers}>\n  <testsuite \
         name=\"release gate {}\" {numbers} skipped=\"{skipped}\" timestamp=\"{}\">\n",
        escaped(&verdict.policy.name),
        verdict.at,
    );
    let of_problems = (!problems.is_empty()).then_some(("error", "Error"));
    case(&mut text, name(None), verdict.told().to(tongue), of_problems, &problems, tongue);
    for checked in &verdict.checks {
        let element = match checked.outcome {
            Outcome::Error => Some(("error", "Error")),
            Outcome::Failed => Some(("failure", "Failed")),
            Outcome::Deferred => Some(("failure", "Deferred")),
            Outcome::NotEvaluatedHere => Some(("skipped", "NotEvaluatedHere")),
            Outcome::Passed => None,
        };
        let findings: Vec<&Finding> = checked.findings.iter().filter(|finding| finding.level > Level::Note).collect();
        case(&mut text, checked.check.as_str(), checked.summary.to(tongue), element, &findings, tongue);
    }
    text + "  </testsuite>\n</testsuites>\n"
}

fn case(
    text: &mut String,
    name: &str,
    summary: &str,
    element: Option<(&str, &str)>,
    findings: &[&Finding],
    tongue: Tongue,
) {
    let _ = writeln!(text, "    <testcase classname=\"release gate\" name=\"{name}\">");
    let mut lines: Vec<String> = findings
        .iter()
        .take(MOST)
        .map(|finding| format!("{}: {}\n    {}", finding.id, line(finding, tongue), finding.next.to(tongue)))
        .collect();
    if findings.len() > MOST {
        lines.push(more(findings.len() - MOST, tongue));
    }
    let lines = escaped(&lines.join("\n"));
    match element {
        Some(("skipped", kind)) => drop(writeln!(text, "      <skipped message=\"{kind}: {}\"/>", escaped(summary))),
        Some((element, kind)) => {
            let message = escaped(summary);
            let _ = writeln!(text, "      <{element} type=\"{kind}\" message=\"{message}\">{lines}</{element}>");
        }
        None => drop(writeln!(text, "      <system-out>{}\n{lines}</system-out>", escaped(summary))),
    }
    text.push_str("    </testcase>\n");
}
