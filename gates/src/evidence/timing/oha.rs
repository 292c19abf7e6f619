//! `oha --output-format json`: seconds.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::{Refusal, json};
use super::{Measure, Timing, stem};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    summary: Summary,
    latency_percentiles: Percentiles,
    status_code_distribution: BTreeMap<String, u64>,
    error_distribution: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Summary {
    average: Option<f64>,
}

#[derive(Deserialize)]
struct Percentiles {
    p95: Option<f64>,
}

pub fn read(file: &str, text: &str) -> Result<Timing, Refusal> {
    let report: Report = json::typed(text)?;
    let (Some(average), Some(p95)) = (report.summary.average, report.latency_percentiles.p95) else {
        return Err(Refusal::new("no request was answered")
            .next(["see that the service runs, and measure again", "确认服务正在运行，然后重新测量"]));
    };
    let answered = report.status_code_distribution.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
    let measure =
        Measure { samples: answered, mean: average * 1e3, deviation: None, p95: Some(p95 * 1e3), requests: true };
    let bad = report
        .status_code_distribution
        .iter()
        .filter(|(code, _)| !matches!(code.as_bytes().first(), Some(b'2' | b'3')));
    let failures = bad.map(|(code, count)| format!("{count} requests were answered {code}"));
    let errors = report.error_distribution.iter().map(|(error, count)| format!("{count} requests failed: {error}"));
    Ok(Timing {
        measures: [(stem(file), measure.checked()?)].into(),
        failures: failures.chain(errors).map(|told| super::bounded(&told)).take(super::super::KEPT).collect(),
    })
}
