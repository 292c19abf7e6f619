//! Weaknesses and complaints, by severity.

use std::collections::BTreeMap;

use super::{Answer, CheckId, Seen};
use crate::evidence::findings::Scan;
use crate::evidence::{Evidence, Findings, Severity, Weakness};
use crate::policy::{Analysis, AtMost, VulnerabilitiesRule};
use crate::verdict::{Finding, Level};
use crate::words::{Said, said};

pub fn known(rule: &VulnerabilitiesRule, seen: &Seen<'_>) -> Answer {
    let reports = of_scan(seen, Scan::Vulnerabilities);
    if reports.is_empty() {
        return Answer::missing(
            said("nobody looked for known vulnerabilities", "没有漏洞扫描报告"),
            said(
                "keep the report of a scanner: osv-scanner, cargo-audit, Trivy, Grype, npm audit",
                "保留扫描报告：osv-scanner、cargo-audit、Trivy、Grype、npm audit",
            ),
        );
    }
    let mut answer = judged(CheckId::Vulnerabilities, seen, &reports, &rule.at_most, rule.unknown_as.0);
    for (evidence, report) in &reports {
        let other = report.artifacts.iter().find(|digest| seen.case.artifact.is_some_and(|asked| asked != **digest));
        if let (Some(other), false) = (other, report.artifacts.iter().any(|d| Some(d.as_str()) == seen.case.artifact)) {
            answer.findings.push(
                Finding::new(
                    Level::Error,
                    format!("another-artifact:{}", report.tool),
                    said(
                        format!("{} looked at the artifact {other}, not at this one", report.tool),
                        format!("{} 扫描的是制品 {other}，不是本制品", report.tool),
                    ),
                    said("scan the artifact of this build", "扫描本次构建的制品"),
                )
                .of(evidence),
            );
        }
    }
    answer
}

pub fn analysis(rule: &Analysis, seen: &Seen<'_>) -> Answer {
    let reports = of_scan(seen, Scan::Analysis);
    let next = said("keep the report of the analysis as SARIF", "以 SARIF 保留分析报告");
    if reports.is_empty() {
        return Answer::missing(said("no report of an analysis", "没有分析报告"), next);
    }
    let mut answer = judged(CheckId::Analysis, seen, &reports, &rule.at_most, Severity::High);
    for tool in &rule.tools {
        let named = |report: &Findings| report.tool.to_lowercase().starts_with(&tool.to_lowercase());
        if !reports.iter().any(|(_, report)| named(report)) {
            let reason = said(format!("{tool} did not look"), format!("{tool} 没有分析报告"));
            answer.findings.push(Finding::new(Level::Error, format!("missing:{tool}"), reason, next.clone()));
        }
    }
    answer
}

type Report<'a> = (&'a Evidence, &'a Findings);

fn of_scan<'a>(seen: &Seen<'a>, scan: Scan) -> Vec<Report<'a>> {
    seen.findings().into_iter().filter(|(_, report)| report.scan == scan).collect()
}

fn judged(check: CheckId, seen: &Seen<'_>, reports: &[Report<'_>], at_most: &AtMost, unknown: Severity) -> Answer {
    // Two scanners that see the same weakness of the same thing see it once.
    let mut found: BTreeMap<(&str, &str), (Severity, &Evidence, &Weakness)> = BTreeMap::new();
    for (evidence, report) in reports {
        for weakness in &report.found {
            let severity = weakness.severity.unwrap_or(unknown);
            let entry = found.entry((&weakness.id, &weakness.subject)).or_insert((severity, evidence, weakness));
            if severity > entry.0 {
                *entry = (severity, evidence, weakness);
            }
        }
    }
    let count = |severity| found.values().filter(|(found, ..)| *found == severity).count() as u64;
    // What is waived does not count towards what there may be.
    let is_waived = |weakness: &Weakness| seen.waived.contains(&(check, weakness.id.clone()));
    let standing = |severity| {
        found.values().filter(|(found, _, weakness)| *found == severity && !is_waived(weakness)).count() as u64
    };
    let mut findings = Vec::new();
    for (severity, evidence, weakness) in found.values() {
        let Some(limit) = at_most.of(*severity) else { continue };
        let too_many = standing(*severity) > limit || is_waived(weakness);
        let level = if too_many { Level::Failure } else { Level::Warning };
        let value = format!("{} {}", standing(*severity), severity.as_str());
        findings.push(told(*severity, level, evidence, weakness).measured(value, format!("at most {limit}")));
    }
    let counts = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low].map(|s| (s, count(s)));
    let suppressed: u64 = reports.iter().map(|(_, report)| report.suppressed).sum();
    let tools: Vec<&str> = reports.iter().map(|(_, report)| report.tool.as_str()).collect();
    let list = counts.map(|(severity, count)| format!("{count} {}", severity.as_str())).join(", ");
    let hidden = if suppressed == 0 {
        said("", "")
    } else {
        said(format!("; {suppressed} suppressed by the tool"), format!("；工具自身忽略了 {suppressed} 项"))
    };
    Answer::new(
        said(
            format!("{list} ({}){}", tools.join(", "), hidden.en),
            format!("{list}（{}）{}", tools.join("、"), hidden.zh),
        ),
        findings,
    )
}

fn told(severity: Severity, level: Level, evidence: &Evidence, weakness: &Weakness) -> Finding {
    let Weakness { id, subject, title, .. } = weakness;
    let guess = if weakness.severity.is_none() { ", severity not told" } else { "" };
    let next: Said = match &weakness.mended_in {
        Some(version) => said(format!("use {version}"), format!("升级到 {version}")),
        None => said(
            "replace what has it, or waive this finding by its id with owner, reason and end",
            "替换相关组件，或按编号豁免（须有负责人、理由和期限）",
        ),
    };
    let reason = said(
        format!("{id} ({}{guess}) in {subject}: {title}", severity.as_str()),
        format!("{subject} 存在 {id}（{}）：{title}", severity.as_str()),
    );
    Finding::new(level, id, reason, next).of(evidence)
}
