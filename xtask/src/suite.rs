//! The test command: lint, then every test with coverage, then one line that
//! counts.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::shell::{Error, cargo, root, step};
use crate::{bench, contract, dist, fuzz, gate, generate, layers, recall, tools};

/// Lines of the product that tests must reach, in percent.
const COVERAGE_MINIMUM: &str = "85";
/// What computes figures is covered to the last line. Reading and drawing,
/// which compute none, count with the rest of the product.
const FORMULAS: &str = "(bench|calculation-core|cli|crds|demo|gates|localcluster|metrics-source|operator|runbooks|slo|telemetry|testkit|xtask|mining/src/(import|picture))/";
/// Planted bugs that are tried in every run; `make campaign` tries all.
const RECALL_SAMPLE: usize = 2;
/// Launchers and test ground are counted apart: what they do shows in whether
/// clusters start.
const LAUNCHERS: &str = "(bench|calculation-core/(stand-in|test-issuer)|demo|localcluster|testkit|xtask)/";
const PRODUCT: &str =
    "(calculation-core/(src|tests)|cli|crds|gates|metrics-source|mining|operator|runbooks|slo|telemetry)/";

/// Formatting, lints, layering, dependencies, generated files.
pub(crate) fn lint() -> Result<(), Error> {
    step("formatting", cargo(&["fmt", "--all", "--check"]))?;
    step("clippy", cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    layers::check()?;
    generate::check()?;
    let mut deny = tools::DENY.command()?;
    deny.args(["--log-level", "error", "check", "bans", "licenses", "sources"]);
    step("dependencies: bans, licenses, sources (advisories: not checked)", deny)
}

/// Lint and all tests, with coverage.
pub(crate) fn all() -> Result<(), Error> {
    let begun = Instant::now();
    tools::require()?;
    lint()?;
    localcluster::fetch()?;
    localcluster::fetch_node()?;
    localcluster::fetch_gitops()?;
    dist::build()?;
    let coverage = |arguments: &[&str]| -> Result<Command, Error> {
        let mut command = tools::COVERAGE.command()?;
        command.args(arguments);
        Ok(command)
    };
    gate::begin()?;
    step("forgetting old coverage", coverage(&["clean", "--workspace"])?)?;
    let tests = coverage(&["--workspace", "--locked", "--no-report", "--no-fail-fast"])?;
    let counts = counted("all tests", tests, Some(&gate::folder().join("tests.txt")))?;
    let report = |leave_out: &str, more: &[&str]| -> Result<Command, Error> {
        let mut command = coverage(&["report", "--summary-only", "--ignore-filename-regex"])?;
        command.arg(format!("^{}/{leave_out}", root().display())).args(more);
        Ok(command)
    };
    step("coverage of launchers and test ground", report(PRODUCT, &[])?)?;
    let enough = step("coverage of the product", report(LAUNCHERS, &["--fail-under-lines", COVERAGE_MINIMUM])?);
    let exact =
        step("coverage of the formulas", report(FORMULAS, &["--show-missing-lines", "--fail-uncovered-lines", "0"])?);
    let measured = bench::sample();
    let released = gate::run();
    let bad = step(
        "the core's bad versions are bad",
        cargo(&["test", "--quiet", "--locked", "--package", "calculation-core", "--all-features", "--test", "bad"]),
    );
    let replayed = replay();
    let kept = contract::run(contract::SAMPLE);
    let fuzzed = fuzz::run(fuzz::SAMPLE);
    println!("\n== planted bugs, a sample");
    let recalled = recall::run(RECALL_SAMPLE, "");
    println!("\nthe whole took {} s", begun.elapsed().as_secs());
    counts.tell()?;
    measured.and(bad).and(replayed).and(kept).and(fuzzed).and(recalled).and(enough).and(exact).and(released)
}

/// The optimized program, as it is shipped, replays the records that the tests
/// replay unoptimized, with one thread and with many.
fn replay() -> Result<(), Error> {
    ["1", "8"].into_iter().try_for_each(|threads| {
        let mut replay = Command::new(root().join("target/dist/cli/hashinsight"));
        replay.args(["replay", "mining/tests/records.jsonl", "--threads", threads]).current_dir(root());
        step(&format!("records replay as shipped, {threads} threads"), replay)
    })
}

/// Tests that need no cluster.
pub(crate) fn fast() -> Result<(), Error> {
    let units = cargo(&["test", "--workspace", "--locked", "--lib", "--bins", "--test", "planner", "--test", "schema"]);
    counted("tests without a cluster", units, None)?.tell()
}

#[derive(Default)]
struct Counts {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Counts {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some((_, rest)) = line.split_once("test result: ") else { return };
        let number = |word: &str| {
            let part = rest.split(['.', ';']).map(str::trim).find_map(|part| part.strip_suffix(word));
            part.and_then(|n| n.trim().parse::<u32>().ok()).unwrap_or(0)
        };
        self.passed += number("passed");
        self.failed += number("failed");
        self.skipped += number("ignored");
    }

    fn tell(&self) -> Result<(), Error> {
        println!("tests: {} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped);
        if self.failed == 0 && self.passed > 0 { Ok(()) } else { Err(Error::Check("tests failed".into())) }
    }
}

/// Runs tests with their output shown and kept, and counts.
fn counted(name: &str, mut command: Command, report: Option<&Path>) -> Result<Counts, Error> {
    println!("\n== {name}");
    let program = command.get_program().to_string_lossy().into_owned();
    let spawn = |source| Error::Spawn { program: program.clone(), source };
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(spawn)?;
    let mut counts = Counts::default();
    let mut report = report.map(std::fs::File::create).transpose().map_err(spawn)?;
    for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(Result::ok) {
        counts.add(&line);
        println!("{line}");
        if let Some(report) = &mut report {
            writeln!(report, "{line}").map_err(spawn)?;
        }
    }
    let status = child.wait().map_err(spawn)?;
    if !status.success() {
        counts.tell()?;
        return Err(Error::Check(format!("{name} failed")));
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_summed_over_test_binaries() {
        let mut counts = Counts::default();
        counts.add("test result: ok. 22 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 44.56s");
        counts.add("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out");
        counts.add("test index::tests::equal ... ok");
        assert_eq!((counts.passed, counts.failed, counts.skipped), (24, 3, 1));
    }
}
