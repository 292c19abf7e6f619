//! Coverage, area by area. An area without a file is an error: what was not
//! measured is not covered.

use super::{Answer, Seen};
use crate::evidence::Lines;
use crate::policy::{Area, CoverageRule, Percent};
use crate::verdict::{Finding, Level, Measured};
use crate::words::{Said, said};

pub fn ask(rule: &CoverageRule, seen: &Seen<'_>, measured: &mut Measured) -> Answer {
    let files = seen.coverage();
    if files.is_empty() {
        return Answer::missing(
            said("no report of coverage", "没有覆盖率报告"),
            said("keep the report: LCOV, Cobertura XML, llvm-cov JSON", "保留报告：LCOV、Cobertura XML、llvm-cov JSON"),
        );
    }
    let (mut told, mut findings) = (Vec::new(), Vec::new());
    for area in &rule.areas {
        let (words, finding) = of_area(area, seen, measured);
        told.push(words);
        findings.extend(finding);
    }
    let join = |tongue: fn(&Said) -> &str, by: &str| told.iter().map(tongue).collect::<Vec<_>>().join(by);
    Answer::new(said(join(|s| &s.en, ", "), join(|s| &s.zh, "，")), findings)
}

fn of_area(area: &Area, seen: &Seen<'_>, measured: &mut Measured) -> (Said, Vec<Finding>) {
    let is_of = |path: &str| {
        area.paths.as_ref().is_none_or(|paths| paths.has(path))
            && !area.except.as_ref().is_some_and(|paths| paths.has(path))
    };
    let (mut sum, mut files, mut source, mut worst) = (Lines::default(), 0_u64, None, None::<(u64, &str)>);
    for (evidence, coverage) in seen.coverage() {
        for (path, lines) in coverage.files.iter().filter(|(path, _)| is_of(path)) {
            sum = Lines { total: sum.total + lines.total, covered: sum.covered + lines.covered };
            files += 1;
            source.get_or_insert(evidence);
            let missed = lines.total - lines.covered;
            if worst.is_none_or(|(most, _)| missed > most) {
                worst = Some((missed, path));
            }
        }
    }
    let name = &area.name;
    if sum.total == 0 {
        let level = if area.if_present { Level::Note } else { Level::Error };
        let reason =
            said(format!("area {name}: no file of it was measured"), format!("区域 {name}：没有测量到任何文件"));
        let next = said(
            "see that its paths are those of the report, and that its tests run",
            "确认路径与报告一致，且其测试已运行",
        );
        let words = said(format!("{name}: none"), format!("{name}：无"));
        let finding = Finding::new(level, format!("area:{name}:missing"), reason, next);
        return (words, vec![finding.measured("0 files", "at least 1 file")]);
    }
    measured.covered_files.insert(name.clone(), files);
    let share = Percent::of(sum.covered, sum.total);
    let words = said(format!("{name} {share}"), format!("{name} {share}"));
    let mut findings = Vec::new();
    let of_source = |finding: Finding| Finding {
        file: source.map(|evidence| evidence.file.clone()),
        digest: source.map(|evidence| evidence.digest.clone()),
        ..finding
    };
    if !area.lines_percent.reached(sum.covered, sum.total) {
        let missed = sum.total - sum.covered;
        let most = worst.map_or("", |(_, path)| path);
        findings.push(of_source(
            Finding::new(
                Level::Failure,
                format!("area:{name}"),
                said(
                    format!("area {name}: {missed} of {} lines are not reached", sum.total),
                    format!("区域 {name}：{} 行中有 {missed} 行未覆盖", sum.total),
                ),
                said(format!("write tests; most is missing in {most}"), format!("补充测试；缺得最多的是 {most}")),
            )
            .measured(share, format!("at least {}", area.lines_percent)),
        ));
    }
    findings.extend(shrunk(name, files, seen).map(of_source));
    (words, findings)
}

/// Half of a report has a coverage, too.
fn shrunk(name: &str, files: u64, seen: &Seen<'_>) -> Option<Finding> {
    let before = *seen.case.baseline?.covered_files.get(name)?;
    let noted = seen.notes().first().is_some_and(|(_, notes)| !notes.tests_removed.trim().is_empty());
    (files * 2 < before && !noted).then(|| {
        let reason = said(
            format!("area {name}: {files} files were measured, {before} before"),
            format!("区域 {name}：测量了 {files} 个文件，此前为 {before} 个"),
        );
        let next = said(
            "see that the report is whole, or say why in the notes: a section \"Tests removed\"",
            "确认报告完整，或在发布说明的“删除的测试”一节说明原因",
        );
        let finding = Finding::new(Level::Failure, format!("area:{name}:shrunk"), reason, next);
        finding.measured(files, format!("at least half of {before}"))
    })
}
