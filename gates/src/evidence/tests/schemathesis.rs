//! Schemathesis's JSON report: how many generated cases kept the document, and
//! what did not.

use serde::Deserialize;

use super::super::{Refusal, json};
use super::{Outcome, Tally, Tests};

/// Generated cases of one report.
const MOST: u64 = 1_000_000;

#[derive(Deserialize)]
struct Report {
    complete: bool,
    exit_code: i64,
    test_cases: Cases,
    failures: Vec<Failure>,
    #[serde(default)]
    errors: json::Length,
}

#[derive(Deserialize)]
struct Cases {
    generated: u64,
    with_failures: u64,
    errored: u64,
}

#[derive(Deserialize)]
struct Failure {
    title: String,
    #[serde(default)]
    operations: Vec<String>,
}

pub fn read(file: &str, text: &str) -> Result<Tests, Refusal> {
    let report: Report = json::typed(text)?;
    let Cases { generated, with_failures, errored } = report.test_cases;
    if !report.complete {
        return Err(Refusal::new("the run was not completed").next(["let it run to its end", "让它运行到结束"]));
    }
    let bad = with_failures.saturating_add(errored);
    if bad > generated || generated > MOST {
        return Err(Refusal::new(format!("{bad} of {generated} cases failed")));
    }
    if (report.exit_code == 0) != (report.failures.is_empty() && report.errors.0 == 0 && bad == 0) {
        return Err(Refusal::new(format!("exit code {} contradicts what was found", report.exit_code)));
    }
    let mut tally = Tally::default();
    for case in 0..generated - bad {
        tally.case(&[file, &case.to_string()], Outcome::Passed);
    }
    for failure in &report.failures {
        tally.case(&[file, &failure.title, &failure.operations.join(", ")], Outcome::Failed);
    }
    if report.errors.0 > 0 {
        tally.case(&[file, &format!("{} errors", report.errors.0)], Outcome::Failed);
    }
    tally.done()
}
