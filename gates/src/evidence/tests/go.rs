//! `go test -json`: events of packages and of tests in them. A test that failed
//! and passed later counts as flaky only where its package passed in the end.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::{Refusal, json};
use super::{Outcome, Tally, Tests};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    package: Option<String>,
    test: Option<String>,
}

#[derive(Default)]
struct Package {
    line: u64,
    /// What was said of it last; none while it runs.
    ended: Option<Outcome>,
    /// Each test: worst and last outcome; none while it runs.
    tests: BTreeMap<String, (Option<Outcome>, bool)>,
}

pub fn read(text: &str) -> Result<Tests, Refusal> {
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    json::each_line(text, |line, event: Event| take(&mut packages, line, event))?;
    let mut tally = Tally::default();
    for (name, package) in &packages {
        let Some(ended) = package.ended else {
            return Err(Refusal::at(package.line, format!("the package {name} never ended")));
        };
        let mut failed = false;
        for (test, (last, has_failed)) in &package.tests {
            let outcome = match (last, has_failed) {
                (Some(Outcome::Passed), true) if ended == Outcome::Passed => Outcome::Flaky,
                (Some(outcome), false) => *outcome,
                (None, _) | (Some(_), true) => Outcome::Failed,
            };
            failed |= outcome == Outcome::Failed;
            tally.case(&[name, test], outcome);
        }
        if ended == Outcome::Failed && !failed {
            tally.case(&[name, "(the package itself)"], Outcome::Failed);
        }
    }
    tally.done()
}

fn take(packages: &mut BTreeMap<String, Package>, line: u64, event: Event) -> Result<(), Refusal> {
    let outcome = match event.action.as_str() {
        "pass" => Some(Outcome::Passed),
        "fail" => Some(Outcome::Failed),
        "skip" => Some(Outcome::Skipped),
        "start" | "run" => None,
        "pause" | "cont" | "bench" | "output" | "attr" | "artifacts" | "build-output" | "build-fail" => return Ok(()),
        other => return Err(Refusal::at(line, format!("the action {other:?} is not known"))),
    };
    let name = event.package.ok_or_else(|| Refusal::at(line, "an event without a package"))?;
    let package = packages.entry(name).or_insert_with(|| Package { line, ..Package::default() });
    match event.test {
        None => package.ended = outcome,
        // Benchmarks run, and nothing tells that they ended.
        Some(test) if test.starts_with("Benchmark") && matches!(outcome, None | Some(Outcome::Passed)) => {}
        Some(test) => {
            let kept = package.tests.entry(test).or_insert((None, false));
            kept.0 = outcome;
            kept.1 |= outcome == Some(Outcome::Failed);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(action: &str, test: &str) -> String {
        let test = if test.is_empty() { String::new() } else { format!(r#","Test":"{test}""#) };
        format!("{{\"Action\":\"{action}\",\"Package\":\"p\"{test}}}\n")
    }

    #[test]
    fn a_package_says_whether_a_second_run_heals() {
        let run = |last: &str| -> String {
            let told =
                [("start", ""), ("run", "A"), ("fail", "A"), ("fail", ""), ("run", "A"), ("pass", "A"), (last, "")];
            told.iter().map(|(action, test)| event(action, test)).collect()
        };
        assert_eq!(read(&run("pass")).unwrap().flaky, 1);
        let failed = read(&run("fail")).unwrap();
        assert_eq!((failed.failed, failed.flaky), (1, 0));
    }

    #[test]
    fn what_never_ended_failed() {
        let open = [event("run", "A"), event("fail", "")].concat();
        assert_eq!(read(&open).unwrap().failing, ["p A"]);
        assert!(read(&event("run", "A")).unwrap_err().what.contains("never ended"));
        assert!(read(&event("explode", "A")).unwrap_err().what.contains("not known"));
        assert_eq!(read(&event("fail", "")).unwrap().failed, 1);
    }
}
