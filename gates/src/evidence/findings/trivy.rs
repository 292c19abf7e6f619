//! `trivy … --format json`, schema version 2.

use serde::Deserialize;

use super::super::{Refusal, bounded, json};
use super::{Findings, Scan, Severity, Weakness, package};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    schema_version: u64,
    artifact_type: Option<String>,
    metadata: Option<Metadata>,
    #[serde(default)]
    results: Vec<Scanned>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    #[serde(default)]
    repo_digests: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Scanned {
    #[serde(default)]
    class: String,
    #[serde(default)]
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Vulnerability {
    #[serde(rename = "VulnerabilityID")]
    id: String,
    pkg_name: String,
    #[serde(default)]
    installed_version: String,
    fixed_version: Option<String>,
    severity: String,
    #[serde(default)]
    title: String,
}

pub fn read(text: &str) -> Result<Findings, Refusal> {
    let report: Report = json::typed(text)?;
    if report.schema_version != 2 {
        return Err(Refusal::new(format!("Trivy's schema version {}; 2 is read", report.schema_version)));
    }
    // Results of other scanners of its, such as for secrets, say nothing of
    // packages.
    if !report.results.iter().any(|scanned| ["os-pkgs", "lang-pkgs"].contains(&scanned.class.as_str())) {
        let what = report.artifact_type.as_deref().unwrap_or("nothing");
        let next = [
            "see that Trivy finds what to scan (lock files, an image), and run it with --scanners vuln",
            "确认 Trivy 找到扫描对象（锁文件、镜像），并加上 --scanners vuln",
        ];
        return Err(Refusal::new(format!(
            "no package: {what} was looked at, and nothing found to scan for weaknesses"
        ))
        .next(next));
    }
    let mut findings = Findings::new("Trivy", Scan::Vulnerabilities);
    let digests = report.metadata.into_iter().flat_map(|metadata| metadata.repo_digests);
    findings.artifacts = digests.filter_map(|name| Some(name.rsplit_once("@sha256:")?.1.to_owned())).collect();
    for found in report.results.into_iter().flat_map(|scanned| scanned.vulnerabilities) {
        findings.add(Weakness {
            id: bounded(&found.id),
            aliases: Vec::new(),
            severity: Severity::of_word(&found.severity)?,
            subject: package(&found.pkg_name, &found.installed_version),
            mended_in: found.fixed_version.filter(|version| !version.is_empty()).map(|version| bounded(&version)),
            title: bounded(&found.title),
        })?;
    }
    Ok(findings)
}
