//! Tests that ran.

pub(super) mod cargo;
pub(super) mod go;
pub(super) mod junit;
pub(super) mod libtest;
pub(super) mod schemathesis;

use std::collections::BTreeMap;

use super::{KEPT, Refusal, bounded, number};

/// What became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Skipped,
    Passed,
    /// It failed, was run again, and passed.
    Flaky,
    Failed,
}

/// Tests of one file. A test that ran several times counts once.
#[derive(Clone, Debug, Default)]
pub struct Tests {
    /// Passed at once.
    pub passed: u64,
    /// Failed, or did not end.
    pub failed: u64,
    /// Not run.
    pub skipped: u64,
    /// Passed only when they were run again.
    pub flaky: u64,
    /// Names of those that failed, at most [`KEPT`].
    pub failing: Vec<String>,
    /// Names of those that are flaky, at most [`KEPT`].
    pub flaking: Vec<String>,
    /// What stands for each test, in order; to see that two files do not claim
    /// the same ones.
    pub ids: Vec<u64>,
}

impl Tests {
    /// Those that ran: passed, flaky or failed.
    pub fn ran(&self) -> u64 {
        self.passed + self.flaky + self.failed
    }
}

/// Gathers the tests of one file.
#[derive(Default)]
pub(super) struct Tally {
    cases: BTreeMap<u64, Outcome>,
    tests: Tests,
}

impl Tally {
    /// Notes a test; of several with one name, the worst counts.
    pub fn case(&mut self, path: &[&str], outcome: Outcome) {
        let kept = self.cases.entry(number(path)).or_insert(outcome);
        *kept = outcome.max(*kept);
        let names = match outcome {
            Outcome::Failed => &mut self.tests.failing,
            Outcome::Flaky => &mut self.tests.flaking,
            Outcome::Passed | Outcome::Skipped => return,
        };
        if names.len() < KEPT {
            let parts: Vec<&str> = path.iter().filter(|part| !part.is_empty()).copied().collect();
            let name = bounded(&parts.join(" "));
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }

    pub fn done(self) -> Result<Tests, Refusal> {
        let count = |outcome| self.cases.values().filter(|found| **found == outcome).count() as u64;
        if self.cases.is_empty() {
            return Err(
                Refusal::new("no test in it").next(["run the tests, and keep their report", "运行测试并保留报告"])
            );
        }
        Ok(Tests {
            passed: count(Outcome::Passed),
            failed: count(Outcome::Failed),
            skipped: count(Outcome::Skipped),
            flaky: count(Outcome::Flaky),
            ids: self.cases.keys().copied().collect(),
            ..self.tests
        })
    }
}
