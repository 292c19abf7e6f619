//! SARIF 2.1.0. Results that the tool was told to suppress are counted apart;
//! a run that says it did not succeed is refused.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::{Refusal, bounded, json};
use super::{Findings, Scan, Severity, Weakness};

#[derive(Deserialize)]
struct Log {
    version: String,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    tool: Tool,
    /// Null means that the tool could not look.
    results: Option<Vec<Found>>,
    #[serde(default)]
    invocations: Vec<Invocation>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Driver,
}

#[derive(Deserialize)]
struct Driver {
    name: String,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    default_configuration: Option<Configuration>,
    properties: Option<Properties>,
}

#[derive(Deserialize)]
struct Configuration {
    level: Option<String>,
}

#[derive(Deserialize)]
struct Properties {
    #[serde(rename = "security-severity")]
    severity: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    rule_id: Option<String>,
    rule: Option<RuleReference>,
    rule_index: Option<i64>,
    kind: Option<String>,
    level: Option<String>,
    message: Option<Message>,
    #[serde(default)]
    locations: Vec<Location>,
    #[serde(default)]
    suppressions: Vec<Suppression>,
    baseline_state: Option<String>,
}

#[derive(Deserialize)]
struct RuleReference {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Suppression {
    status: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Option<Physical>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Option<Artifact>,
    region: Option<Region>,
}

#[derive(Deserialize)]
struct Artifact {
    uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: Option<u64>,
}

/// Scanners of known weaknesses and of nothing else; all others analyse. What
/// Trivy and its like were told to look for does not stand in their SARIF.
const SCANNERS: [&str; 4] = ["grype", "osv-scanner", "cargo-audit", "dependency-check"];

pub fn read(text: &str) -> Result<Findings, Refusal> {
    let log: Log = json::typed(text)?;
    if log.version != "2.1.0" {
        return Err(Refusal::new(format!("SARIF {}; 2.1.0 is read", log.version)));
    }
    let first = log.runs.first().ok_or_else(|| Refusal::new("no run in it").next(["run the analysis", "运行分析"]))?;
    let name = first.tool.driver.name.to_lowercase();
    let scan =
        if SCANNERS.iter().any(|scanner| name.starts_with(scanner)) { Scan::Vulnerabilities } else { Scan::Analysis };
    let mut findings = Findings::new(&first.tool.driver.name, scan);
    for run in log.runs {
        if run.invocations.iter().any(|invocation| invocation.execution_successful == Some(false)) {
            return Err(Refusal::new(format!("{} says that its run did not succeed", run.tool.driver.name)));
        }
        let results = run.results.ok_or_else(|| Refusal::new("a run without results: the tool could not look"))?;
        let rules: BTreeMap<&str, &Rule> = run.tool.driver.rules.iter().map(|rule| (rule.id.as_str(), rule)).collect();
        for found in results {
            take(&mut findings, &run.tool.driver.rules, &rules, found)?;
        }
    }
    Ok(findings)
}

fn take(findings: &mut Findings, list: &[Rule], rules: &BTreeMap<&str, &Rule>, found: Found) -> Result<(), Refusal> {
    match found.kind.as_deref() {
        None | Some("fail" | "open" | "review") => {}
        Some("pass" | "notApplicable" | "informational") => return Ok(()),
        Some(other) => return Err(Refusal::new(format!("a result of the kind {other:?}"))),
    }
    let accepted = |suppression: &Suppression| matches!(suppression.status.as_deref(), None | Some("accepted"));
    if found.suppressions.iter().any(accepted) || found.baseline_state.as_deref() == Some("absent") {
        findings.suppressed += 1;
        return Ok(());
    }
    let indexed = found.rule_index.and_then(|at| usize::try_from(at).ok()).and_then(|at| list.get(at));
    let id = found.rule_id.or_else(|| found.rule?.id).or_else(|| indexed.map(|rule| rule.id.clone()));
    let id = id.ok_or_else(|| Refusal::new("a result without a rule"))?;
    let rule = rules.get(id.as_str()).copied().or(indexed);
    let place = found.locations.into_iter().find_map(|location| location.physical_location);
    let subject = place.map_or_else(String::new, |place| {
        let file = place.artifact_location.and_then(|artifact| artifact.uri).unwrap_or_default();
        let line = place.region.and_then(|region| region.start_line);
        line.map_or_else(|| file.clone(), |line| format!("{file}:{line}"))
    });
    findings.add(Weakness {
        severity: severity(found.level.as_deref(), rule)?,
        id: bounded(&id),
        aliases: Vec::new(),
        subject: bounded(&subject),
        mended_in: None,
        title: bounded(&found.message.and_then(|message| message.text).unwrap_or_default()),
    })
}

/// The rule's score of CVSS where there is one, else the level.
fn severity(level: Option<&str>, rule: Option<&Rule>) -> Result<Option<Severity>, Refusal> {
    if let Some(score) = rule.and_then(|rule| rule.properties.as_ref()?.severity.as_deref()) {
        let of_score = score.trim().parse().ok().and_then(Severity::of_score);
        return of_score.map(Some).ok_or_else(|| Refusal::new(format!("the security-severity {score:?} is no score")));
    }
    let usual = rule.and_then(|rule| rule.default_configuration.as_ref()?.level.as_deref());
    Ok(Some(match level.or(usual).unwrap_or("warning") {
        "error" => Severity::High,
        "warning" => Severity::Medium,
        "note" => Severity::Low,
        "none" => Severity::None,
        other => return Err(Refusal::new(format!("the level {other:?} is not known"))),
    }))
}
