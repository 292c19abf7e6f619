//! libtest's JSON lines, and those of cargo-nextest (`libtest-json-plus`).
//! libtest's suites have no names. nextest's have, may be told of in several
//! parts, and number a test's later attempts: `name#2`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::super::{Refusal, json};
use super::{Outcome, Tally, Tests};

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    event: Option<String>,
    name: Option<String>,
    test_count: Option<u64>,
    passed: Option<u64>,
    failed: Option<u64>,
    ignored: Option<u64>,
    measured: Option<u64>,
    nextest: Option<Binary>,
}

#[derive(Clone, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Binary {
    #[serde(rename = "crate")]
    package: String,
    test_binary: String,
}

/// A suite that began and has not ended.
struct Suite {
    line: u64,
    tests: u64,
    ended: u64,
    binary: Option<Binary>,
}

#[derive(Default)]
struct Reader {
    tally: Tally,
    open: Option<Suite>,
    number: u64,
    /// nextest's binaries: how many tests each has, and which were told of.
    binaries: BTreeMap<Binary, (u64, BTreeSet<String>)>,
}

pub fn read(file: &str, text: &str) -> Result<Tests, Refusal> {
    let mut reader = Reader::default();
    json::each_line(text, |line, said| reader.line(file, line, said))?;
    if let Some(suite) = reader.open {
        return Err(Refusal::at(suite.line, "the suite that begins here never ended"));
    }
    for (binary, (tests, told)) in &reader.binaries {
        if told.len() as u64 != *tests {
            let told = format!("{}: {tests} tests began and {} ended", binary.test_binary, told.len());
            return Err(Refusal::new(told));
        }
    }
    reader.tally.done()
}

impl Reader {
    fn line(&mut self, file: &str, line: u64, said: Line) -> Result<(), Refusal> {
        let event = said.event.as_deref().unwrap_or_default();
        match (said.kind.as_str(), event) {
            ("suite", "started") => {
                if self.open.is_some() {
                    return Err(Refusal::at(line, "a suite begins before the one before it ended"));
                }
                self.number += 1;
                let tests = said.test_count.unwrap_or(0);
                if let Some(binary) = &said.nextest {
                    self.binaries.entry(binary.clone()).or_default().0 = tests;
                }
                self.open = Some(Suite { line, tests, ended: 0, binary: said.nextest });
                Ok(())
            }
            ("suite", "ok" | "failed") => self.ended(line, &said),
            ("test", "started") | ("report" | "bench", _) => Ok(()),
            ("test", outcome) => {
                let outcome = match outcome {
                    "ok" => Outcome::Passed,
                    "failed" | "timeout" => Outcome::Failed,
                    "ignored" => Outcome::Skipped,
                    other => return Err(Refusal::at(line, format!("a test that is {other:?}"))),
                };
                let name = said.name.ok_or_else(|| Refusal::at(line, "a test without a name"))?;
                self.case(file, line, &name, outcome)
            }
            (kind, _) => Err(Refusal::at(line, format!("a line of the type {kind:?}"))),
        }
    }

    fn case(&mut self, file: &str, line: u64, name: &str, outcome: Outcome) -> Result<(), Refusal> {
        let Some(suite) = &mut self.open else { return Err(Refusal::at(line, "a test outside of a suite")) };
        suite.ended += u64::from(outcome != Outcome::Skipped || suite.binary.is_none());
        let Some(binary) = &suite.binary else {
            self.tally.case(&[file, &self.number.to_string(), name], outcome);
            return Ok(());
        };
        let attempt = name.rsplit_once('#').filter(|(_, attempt)| attempt.parse::<u32>().is_ok_and(|n| n > 1));
        let outcome = if attempt.is_some() && outcome == Outcome::Passed { Outcome::Flaky } else { outcome };
        let name = attempt.map_or(name, |(name, _)| name);
        if let Some((_, told)) = self.binaries.get_mut(binary) {
            told.insert(name.to_owned());
        }
        self.tally.case(&[name], outcome);
        Ok(())
    }

    fn ended(&mut self, line: u64, said: &Line) -> Result<(), Refusal> {
        let Some(suite) = self.open.take() else {
            return Err(Refusal::at(line, "a suite ends that never began"));
        };
        let [passed, failed, ignored, measured] =
            [said.passed, said.failed, said.ignored, said.measured].map(|count| count.unwrap_or(0));
        let ran = passed.saturating_add(failed);
        // Of nextest's parts each tells of some of the tests.
        let (wanted, sum) = match suite.binary {
            None => (suite.tests, ran.saturating_add(ignored).saturating_add(measured)),
            Some(_) => (suite.ended, ran),
        };
        let lines = if suite.binary.is_none() { suite.ended.saturating_add(measured) } else { suite.ended };
        if sum != wanted || lines != wanted || (said.event.as_deref() == Some("ok")) != (failed == 0) {
            return Err(Refusal::at(line, format!("{wanted} tests began and {sum} ended")));
        }
        Ok(())
    }
}
