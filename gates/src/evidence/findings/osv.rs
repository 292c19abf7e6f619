//! `osv-scanner --format json`. The severity is that of the group a weakness
//! belongs to, a score as text; else the database's word, else the vector.

use serde::Deserialize;

use super::super::{Refusal, bounded, cvss, json};
use super::{Findings, Scan, Severity, Weakness, package};

#[derive(Deserialize)]
struct Report {
    results: Vec<Source>,
}

#[derive(Deserialize)]
struct Source {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    #[serde(rename = "package")]
    named: Named,
    #[serde(default)]
    vulnerabilities: Vec<Vulnerability>,
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
struct Vulnerability {
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    severity: Vec<Score>,
    database_specific: Option<Database>,
}

#[derive(Deserialize)]
struct Score {
    score: String,
}

#[derive(Deserialize)]
struct Database {
    severity: Option<String>,
}

#[derive(Deserialize)]
struct Group {
    ids: Vec<String>,
    max_severity: Option<String>,
}

pub fn read(text: &str) -> Result<Findings, Refusal> {
    let report: Report = json::typed(text)?;
    let mut findings = Findings::new("osv-scanner", Scan::Vulnerabilities);
    for found in report.results.into_iter().flat_map(|source| source.packages) {
        for vulnerability in found.vulnerabilities {
            let group = found.groups.iter().find(|group| group.ids.contains(&vulnerability.id));
            findings.add(Weakness {
                severity: severity(&vulnerability, group)?,
                id: bounded(&vulnerability.id),
                aliases: vulnerability.aliases,
                subject: package(&found.named.name, &found.named.version),
                mended_in: None,
                title: bounded(&vulnerability.summary),
            })?;
        }
    }
    Ok(findings)
}

fn severity(vulnerability: &Vulnerability, group: Option<&Group>) -> Result<Option<Severity>, Refusal> {
    let score = group.and_then(|group| group.max_severity.as_deref()).filter(|score| !score.is_empty());
    if let Some(score) = score {
        let of_score = score.parse().ok().and_then(Severity::of_score);
        return of_score.map(Some).ok_or_else(|| Refusal::new(format!("max_severity {score:?} is no score")));
    }
    if let Some(word) = vulnerability.database_specific.as_ref().and_then(|database| database.severity.as_deref()) {
        return Severity::of_word(word);
    }
    Ok(vulnerability.severity.iter().filter_map(|score| cvss::severity(&score.score)).max())
}
