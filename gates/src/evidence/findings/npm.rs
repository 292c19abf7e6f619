//! `npm audit --json`, report version 2. A package is vulnerable by an advisory
//! of its own or through another one, which is told where it stands itself.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::{Refusal, bounded, json};
use super::{Findings, Scan, Severity, Weakness, package};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    audit_report_version: u64,
    vulnerabilities: BTreeMap<String, Vulnerable>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    vulnerabilities: Counts,
}

#[derive(Deserialize)]
struct Counts {
    total: u64,
}

#[derive(Deserialize)]
struct Vulnerable {
    name: String,
    severity: String,
    via: Vec<Via>,
    #[serde(default)]
    range: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Via {
    Package(String),
    Advisory(Advisory),
}

#[derive(Deserialize)]
struct Advisory {
    source: u64,
    title: String,
    #[serde(default)]
    url: String,
    severity: String,
    #[serde(default)]
    range: String,
}

pub fn read(text: &str) -> Result<Findings, Refusal> {
    let report: Report = json::typed(text)?;
    if report.audit_report_version != 2 {
        return Err(Refusal::new(format!("npm's report version {}; 2 is read", report.audit_report_version)));
    }
    if report.metadata.vulnerabilities.total != report.vulnerabilities.len() as u64 {
        return Err(Refusal::new("the total of vulnerabilities is not that of its list"));
    }
    let mut findings = Findings::new("npm audit", Scan::Vulnerabilities);
    for (key, vulnerable) in report.vulnerabilities {
        let mut own = 0;
        let mut through = Vec::new();
        for via in vulnerable.via {
            match via {
                Via::Package(name) => through.push(name),
                Via::Advisory(advisory) => {
                    own += 1;
                    let id = advisory.url.rsplit('/').next().filter(|id| id.starts_with("GHSA-"));
                    findings.add(Weakness {
                        id: id.map_or_else(|| format!("npm:{}", advisory.source), bounded),
                        aliases: vec![format!("npm:{}", advisory.source)],
                        severity: Severity::of_word(&advisory.severity)?,
                        subject: package(&vulnerable.name, &advisory.range),
                        mended_in: None,
                        title: bounded(&advisory.title),
                    })?;
                }
            }
        }
        if own == 0 {
            findings.add(Weakness {
                id: bounded(&format!("npm:{key}")),
                aliases: Vec::new(),
                severity: Severity::of_word(&vulnerable.severity)?,
                subject: package(&vulnerable.name, &vulnerable.range),
                mended_in: None,
                title: bounded(&format!("through {}", through.join(", "))),
            })?;
        }
    }
    Ok(findings)
}
