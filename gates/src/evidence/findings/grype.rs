//! `grype … -o json`.

use serde::Deserialize;
use serde_json::Value;

use super::super::{Refusal, bounded, json};
use super::{Findings, Scan, Severity, Weakness, package};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    matches: Vec<Match>,
    #[serde(default)]
    ignored_matches: Option<json::Length>,
    source: Option<Source>,
    descriptor: Descriptor,
}

#[derive(Deserialize)]
struct Descriptor {
    name: String,
}

#[derive(Deserialize)]
struct Source {
    target: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Match {
    vulnerability: Vulnerability,
    #[serde(default)]
    related_vulnerabilities: Vec<Related>,
    artifact: Artifact,
}

#[derive(Deserialize)]
struct Related {
    id: String,
}

#[derive(Deserialize)]
struct Vulnerability {
    id: String,
    severity: String,
    #[serde(default)]
    description: String,
    fix: Option<Fix>,
}

#[derive(Deserialize)]
struct Fix {
    #[serde(default)]
    versions: Vec<String>,
}

#[derive(Deserialize)]
struct Artifact {
    name: String,
    version: String,
}

pub fn read(text: &str) -> Result<Findings, Refusal> {
    let report: Report = json::typed(text)?;
    let mut findings = Findings::new(&report.descriptor.name, Scan::Vulnerabilities);
    findings.suppressed = report.ignored_matches.map_or(0, |ignored| ignored.0);
    let target = report.source.and_then(|source| source.target);
    let digests = target.as_ref().and_then(|target| target.get("repoDigests")).and_then(Value::as_array);
    findings.artifacts = digests
        .into_iter()
        .flatten()
        .filter_map(|name| Some(name.as_str()?.rsplit_once("@sha256:")?.1.to_owned()))
        .collect();
    for found in report.matches {
        let Vulnerability { id, severity, description, fix } = found.vulnerability;
        findings.add(Weakness {
            id: bounded(&id),
            aliases: found.related_vulnerabilities.into_iter().map(|related| related.id).filter(|a| *a != id).collect(),
            severity: Severity::of_word(&severity)?,
            subject: package(&found.artifact.name, &found.artifact.version),
            mended_in: fix.and_then(|fix| fix.versions.into_iter().next()).map(|version| bounded(&version)),
            title: bounded(&description),
        })?;
    }
    Ok(findings)
}
