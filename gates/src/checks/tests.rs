//! Tests: all pass, there are enough, and not fewer than before without a word.

use super::{Answer, Seen};
use crate::policy::TestsRule;
use crate::verdict::{Finding, Level, Measured};
use crate::words::said;

/// Failing tests that are told of by name.
const TOLD: usize = 50;

pub fn ask(rule: &TestsRule, seen: &Seen<'_>, measured: &mut Measured) -> Answer {
    let files = seen.tests();
    if files.is_empty() {
        return Answer::missing(
            said("no report of tests", "没有测试报告"),
            said(
                "keep the report of the tests: JUnit XML, cargo test, go test -json",
                "保留测试报告：JUnit XML、cargo test、go test -json",
            ),
        );
    }
    let sum = |count: fn(&crate::evidence::Tests) -> u64| files.iter().map(|(_, tests)| count(tests)).sum::<u64>();
    let (passed, failed) = (sum(|t| t.passed), sum(|t| t.failed));
    let (skipped, flaky, ran) = (sum(|t| t.skipped), sum(|t| t.flaky), sum(crate::evidence::Tests::ran));
    measured.tests = Some(ran);
    let mut findings = Vec::new();
    let names = |pick: fn(&crate::evidence::Tests) -> &Vec<String>| {
        files.iter().flat_map(move |(file, tests)| pick(tests).iter().map(move |name| (*file, name))).take(TOLD)
    };
    for (file, name) in names(|t| &t.failing) {
        findings.push(
            Finding::new(
                Level::Failure,
                format!("failed:{name}"),
                said(format!("{name} failed"), format!("{name} 未通过")),
                said("mend it, or the test", "修复代码或测试"),
            )
            .measured("failed", "passed")
            .of(file),
        );
    }
    let told = findings.len() as u64;
    if failed > told {
        let more = failed - told;
        findings.push(
            Finding::new(
                Level::Failure,
                "failed",
                said(format!("{more} more tests failed"), format!("另有 {more} 个测试未通过")),
                said("see the report", "查看报告"),
            )
            .measured(failed, 0),
        );
    }
    let (limit, level) = (rule.flaky_at_most, if flaky > rule.flaky_at_most { Level::Failure } else { Level::Warning });
    for (file, name) in names(|t| &t.flaking) {
        findings.push(
            Finding::new(
                level,
                format!("flaky:{name}"),
                said(format!("{name} passed only when it was run again"), format!("{name} 重跑后才通过")),
                said("find what it depends on", "找出其依赖的不稳定因素"),
            )
            .measured(flaky, format!("at most {limit}"))
            .of(file),
        );
    }
    findings.extend(numbers(rule, seen, ran, skipped));
    Answer::new(
        said(
            format!("{passed} passed, {failed} failed, {skipped} skipped, {flaky} flaky"),
            format!("{passed} 个通过，{failed} 个未通过，{skipped} 个跳过，{flaky} 个不稳定"),
        ),
        findings,
    )
}

fn numbers(rule: &TestsRule, seen: &Seen<'_>, ran: u64, skipped: u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    if ran < rule.minimum {
        findings.push(
            Finding::new(
                Level::Failure,
                "too-few",
                said(format!("{ran} tests ran"), format!("只运行了 {ran} 个测试")),
                said("see that the reports of all suites are there", "确认所有测试套件的报告都在"),
            )
            .measured(ran, format!("at least {}", rule.minimum)),
        );
    }
    if let Some(limit) = rule.skipped_at_most.filter(|limit| skipped > *limit) {
        findings.push(
            Finding::new(
                Level::Failure,
                "skipped",
                said(format!("{skipped} tests were skipped"), format!("跳过了 {skipped} 个测试")),
                said("run them, or remove them", "运行或删除它们"),
            )
            .measured(skipped, format!("at most {limit}")),
        );
    }
    let before = seen.case.baseline.and_then(|baseline| baseline.tests);
    if let Some(before) = before.filter(|before| ran < *before) {
        let noted = seen.notes().first().map(|(_, notes)| notes.tests_removed.trim()).filter(|note| !note.is_empty());
        let told =
            said(format!("{ran} tests ran, {before} did before"), format!("运行了 {ran} 个测试，此前为 {before} 个"));
        findings.push(
            match noted {
                Some(note) => Finding::new(Level::Note, "fewer", told, said(note, note)),
                None => Finding::new(
                    Level::Failure,
                    "fewer",
                    told,
                    said(
                        "bring them back, or say why in the notes: a section \"Tests removed\"",
                        "恢复测试，或在发布说明的“删除的测试”一节说明原因",
                    ),
                ),
            }
            .measured(ran, format!("at least {before}")),
        );
    }
    findings
}
