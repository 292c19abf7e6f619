//! SARIF 2.1.0: a rule a check, a result a finding; what is waived is a
//! suppressed result. GitHub shows the first 5,000 results of a run.

use serde_json::{Value, json};

use super::{fingerprint, line, more, name};
use crate::checks::{CheckId, about};
use crate::verdict::{Finding, Level, Verdict};
use crate::words::Tongue;

/// Results of one run.
const MOST: usize = 4_999;

pub fn render(verdict: &Verdict, tongue: Tongue) -> String {
    let findings = verdict.findings();
    let told: Vec<_> = findings.iter().filter(|(_, finding)| finding.level > Level::Note).collect();
    let mut results: Vec<Value> =
        told.iter().take(MOST).map(|(check, finding)| result(*check, finding, tongue)).collect();
    if told.len() > MOST {
        let text = more(told.len() - MOST, tongue);
        results.push(json!({
            "ruleId": name(None), "level": "error", "message": {"text": text},
            "partialFingerprints": {"release-gate/v1": "more"}, "locations": [location("release", 1)],
        }));
    }
    let rules: Vec<Value> = verdict.checks.iter().map(|checked| rule(checked.check, tongue)).collect();
    let rules =
        [vec![json!({"id": name(None), "shortDescription": {"text": "the evidence as a whole"}})], rules].concat();
    let run = json!({
        "tool": {"driver": {
            "name": "hashinsight gate", "informationUri": "https://calc.hashinsight.net", "rules": rules,
        }},
        "invocations": [{"executionSuccessful": true, "exitCode": verdict.decision.exit_code()}],
        "properties": {"decision": verdict.decision, "told": verdict.told().to(tongue)},
        "results": results,
    });
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run],
    });
    serde_json::to_string_pretty(&log).unwrap_or_default() + "\n"
}

fn rule(check: CheckId, tongue: Tongue) -> Value {
    let about = about(check);
    json!({
        "id": check.as_str(), "shortDescription": {"text": about.asks.to(tongue)},
        "help": {"text": about.then.to(tongue)},
    })
}

fn result(check: Option<CheckId>, finding: &Finding, tongue: Tongue) -> Value {
    let level = match finding.level {
        Level::Error | Level::Failure | Level::Deferral => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    let mut result = json!({
        "ruleId": name(check), "level": level,
        "message": {"text": format!("{}: {} {}", finding.id, line(finding, tongue), finding.next.to(tongue))},
        "partialFingerprints": {"release-gate/v1": fingerprint(check, finding)},
        "locations": [location(finding.file.as_deref().unwrap_or("release"), finding.line.unwrap_or(1).max(1))],
    });
    if let (Some(waiver), Some(fields)) = (&finding.waived, result.as_object_mut()) {
        let justification = format!("{} ({}, until {})", waiver.reason, waiver.owner, waiver.expires);
        let suppression = json!([{"kind": "external", "status": "accepted", "justification": justification}]);
        fields.insert("suppressions".to_owned(), suppression);
    }
    result
}

fn location(file: &str, line: u64) -> Value {
    json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(file)}, "region": {"startLine": line},
    }})
}

/// A path as a relative reference.
fn uri(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
