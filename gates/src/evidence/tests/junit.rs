//! `JUnit` XML. There is no standard, there are dialects: suites in suites or
//! alone; skipped tests as an element or as `status="notrun"`; tests run again
//! as `flakyFailure`, `flakyError` (passed in the end) or `rerunFailure`,
//! `rerunError` beside `failure` (Surefire, nextest, Bazel).

use super::super::Refusal;
use super::super::xml::{Element, Part, walk};
use super::{Outcome, Tally, Tests};

/// A suite that is open: what it declares, what was seen in it.
struct Suite {
    name: String,
    declared: u64,
    declared_bad: u64,
    cases: u64,
    bad: u64,
    line: u64,
}

/// A test that is open.
struct Case {
    class: String,
    name: String,
    outcome: Outcome,
}

#[derive(Default)]
struct Reader {
    suites: Vec<Suite>,
    case: Option<Case>,
    tally: Tally,
}

pub fn read(text: &str) -> Result<Tests, Refusal> {
    let mut reader = Reader::default();
    walk(text, &mut |part| match part {
        Part::Open(element) => reader.open(&element),
        Part::Close(name) => reader.close(&name),
    })?;
    reader.tally.done()
}

impl Reader {
    fn open(&mut self, element: &Element<'_>) -> Result<(), Refusal> {
        let name = element.name();
        match name.as_str() {
            "testsuites" => Ok(()),
            "testsuite" => {
                let bad = element.count("failures")?.unwrap_or(0).saturating_add(element.count("errors")?.unwrap_or(0));
                self.suites.push(Suite {
                    name: element.attribute("name")?.unwrap_or_default(),
                    declared: element.count("tests")?.unwrap_or(0),
                    declared_bad: bad,
                    cases: 0,
                    bad: 0,
                    line: element.line,
                });
                Ok(())
            }
            "testcase" => {
                if self.case.is_some() || self.suites.is_empty() {
                    return Err(Refusal::at(element.line, "a <testcase> outside of a <testsuite>"));
                }
                let status = element.attribute("status")?.unwrap_or_default();
                let outcome = match status.as_str() {
                    "notrun" | "disabled" | "skipped" => Outcome::Skipped,
                    "fail" | "failed" | "error" => Outcome::Failed,
                    _ => Outcome::Passed,
                };
                let class = element.attribute("classname")?.unwrap_or_default();
                self.case = Some(Case { class, name: element.required("name")?, outcome });
                Ok(())
            }
            _ => {
                self.mark(&name);
                Ok(())
            }
        }
    }

    /// What an element inside of a test says of it.
    fn mark(&mut self, element: &str) {
        let Some(case) = &mut self.case else {
            // An error of the suite itself, such as one that did not start.
            if let ("error" | "failure", Some(suite)) = (element, self.suites.last_mut()) {
                suite.bad += 1;
                self.tally.case(&[&suite.name, "(the suite itself)"], Outcome::Failed);
            }
            return;
        };
        let said = match element {
            "failure" | "error" => Outcome::Failed,
            "flakyFailure" | "flakyError" => Outcome::Flaky,
            "skipped" => {
                // Skipped says more than passed, which nothing has said yet.
                if case.outcome == Outcome::Passed {
                    case.outcome = Outcome::Skipped;
                }
                return;
            }
            _ => return,
        };
        case.outcome = case.outcome.max(said);
    }

    fn close(&mut self, element: &str) -> Result<(), Refusal> {
        match element {
            "testcase" => {
                let (Some(case), Some(suite)) = (self.case.take(), self.suites.last_mut()) else { return Ok(()) };
                suite.cases += 1;
                suite.bad += u64::from(matches!(case.outcome, Outcome::Failed | Outcome::Flaky));
                self.tally.case(&[&suite.name, &case.class, &case.name], case.outcome);
            }
            "testsuite" => {
                let Some(suite) = self.suites.pop() else { return Ok(()) };
                suite.agree()?;
                // A suite's numbers hold those of the suites in it.
                if let Some(outer) = self.suites.last_mut() {
                    (outer.cases, outer.bad) = (outer.cases + suite.cases, outer.bad + suite.bad);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Suite {
    /// What the suite declares must be there: a test that was cut out of a
    /// report leaves its number behind.
    fn agree(&self) -> Result<(), Refusal> {
        // Some dialects count an error of taking down as a test of its own.
        if self.declared > self.cases + self.declared_bad {
            let told = format!("the suite {:?} declares {} tests and holds {}", self.name, self.declared, self.cases);
            return Err(Refusal::at(self.line, told));
        }
        if self.declared_bad > 0 && self.bad == 0 {
            let told = format!("the suite {:?} declares {} failures and holds none", self.name, self.declared_bad);
            return Err(Refusal::at(self.line, told));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(text: &str) -> (u64, u64, u64, u64) {
        let tests = read(text).unwrap();
        (tests.passed, tests.failed, tests.skipped, tests.flaky)
    }

    #[test]
    fn dialects_are_told_apart() {
        let surefire = r#"<testsuite name="s" tests="4" failures="1" errors="0" skipped="1">
            <testcase name="a" classname="c"/><testcase name="b" classname="c"><skipped/></testcase>
            <testcase name="c" classname="c"><flakyFailure message="m"/></testcase>
            <testcase name="d" classname="c"><failure/><rerunFailure/></testcase></testsuite>"#;
        assert_eq!(counts(surefire), (1, 1, 1, 1));
        let nested = r#"<testsuites><testsuite name="o" tests="2"><testsuite name="i" tests="2">
            <testcase name="a"/><testcase name="b" status="notrun"/></testsuite></testsuite></testsuites>"#;
        assert_eq!(counts(nested), (1, 0, 1, 0));
    }

    #[test]
    fn what_was_cut_out_leaves_its_number_behind() {
        let cut = r#"<testsuite name="s" tests="2" failures="0"><testcase name="a"/></testsuite>"#;
        assert!(read(cut).unwrap_err().what.contains("declares 2 tests and holds 1"));
        let healed = r#"<testsuite name="s" tests="1" failures="1"><testcase name="a"/></testsuite>"#;
        assert!(read(healed).unwrap_err().what.contains("declares 1 failures"));
        assert!(read("<testsuites/>").unwrap_err().what.contains("no test"));
        assert!(read(r#"<testsuite tests="18446744073709551616"/>"#).unwrap_err().what.contains("whole number"));
    }

    #[test]
    fn of_two_tests_with_one_name_the_worse_counts() {
        let twice = r#"<testsuite name="s"><testcase name="a"><failure/></testcase><testcase name="a"/></testsuite>"#;
        assert_eq!(counts(twice), (0, 1, 0, 0));
    }
}
