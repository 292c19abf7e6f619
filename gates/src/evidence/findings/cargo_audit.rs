//! `cargo audit --json`. Warnings (unmaintained, yanked) are told as low.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::{Refusal, bounded, cvss, json};
use super::{Findings, Scan, Severity, Weakness, package};

#[derive(Deserialize)]
struct Report {
    database: Database,
    lockfile: Lockfile,
    vulnerabilities: Vulnerabilities,
    #[serde(default)]
    warnings: BTreeMap<String, Vec<Warned>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Database {
    advisory_count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Lockfile {
    dependency_count: u64,
}

#[derive(Deserialize)]
struct Vulnerabilities {
    count: u64,
    list: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    advisory: Advisory,
    #[serde(default)]
    versions: Option<Versions>,
    package: Package,
}

#[derive(Deserialize)]
struct Versions {
    #[serde(default)]
    patched: Vec<String>,
}

#[derive(Deserialize)]
struct Advisory {
    id: String,
    title: String,
    #[serde(default)]
    aliases: Vec<String>,
    cvss: Option<String>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct Warned {
    kind: String,
    package: Package,
    advisory: Option<Advisory>,
}

pub fn read(text: &str) -> Result<Findings, Refusal> {
    let report: Report = json::typed(text)?;
    if report.database.advisory_count == 0 {
        let next = [
            "fetch the advisories first: cargo audit without --no-fetch, or with --db",
            "先获取漏洞公告：cargo audit 不加 --no-fetch，或加 --db",
        ];
        return Err(Refusal::new("its database has no advisory: nothing could be found").next(next));
    }
    if report.lockfile.dependency_count == 0 {
        return Err(Refusal::new("no dependency was looked at")
            .next(["run it where Cargo.lock is", "在 Cargo.lock 所在处运行"]));
    }
    if report.vulnerabilities.count != report.vulnerabilities.list.len() as u64 {
        return Err(Refusal::new("the count of vulnerabilities is not that of its list"));
    }
    let mut findings = Findings::new("cargo-audit", Scan::Vulnerabilities);
    for found in report.vulnerabilities.list {
        let advisory = found.advisory;
        findings.add(Weakness {
            severity: advisory.cvss.as_deref().and_then(cvss::severity),
            id: bounded(&advisory.id),
            aliases: advisory.aliases,
            subject: package(&found.package.name, &found.package.version),
            mended_in: found.versions.and_then(|versions| versions.patched.into_iter().next()).map(|v| bounded(&v)),
            title: bounded(&advisory.title),
        })?;
    }
    for warned in report.warnings.into_values().flatten() {
        let (id, title) = warned.advisory.map_or_else(
            || (format!("{}:{}", warned.kind, warned.package.name), warned.kind.clone()),
            |advisory| (advisory.id, advisory.title),
        );
        findings.add(Weakness {
            id: bounded(&id),
            aliases: Vec::new(),
            severity: Some(Severity::Low),
            subject: package(&warned.package.name, &warned.package.version),
            mended_in: None,
            title: bounded(&title),
        })?;
    }
    Ok(findings)
}
