//! k6: `--summary-export` (numbers beside the metric's name) or the data of
//! `handleSummary` (numbers in `values`). Milliseconds.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::{Refusal, bounded, json};
use super::{Measure, Timing};

#[derive(Deserialize)]
struct Summary {
    metrics: BTreeMap<String, BTreeMap<String, Value>>,
}

const DURATION: &str = "http_req_duration";

pub fn read(text: &str) -> Result<Timing, Refusal> {
    let summary: Summary = json::typed(text)?;
    let values = |metric: &str| -> Option<BTreeMap<String, Value>> {
        let found = summary.metrics.get(metric)?;
        let inner = found.get("values").and_then(Value::as_object);
        Some(inner.map_or_else(|| found.clone(), |inner| inner.clone().into_iter().collect()))
    };
    let missing = |what: &str| {
        Refusal::new(format!("k6: {what} is missing")).next([
            "keep http_req_duration, http_req_failed and http_reqs in the summary",
            "在汇总中保留 http_req_duration、http_req_failed 和 http_reqs",
        ])
    };
    let duration = values(DURATION).ok_or_else(|| missing(DURATION))?;
    let count = values("http_reqs").and_then(|reqs| reqs.get("count")?.as_u64()).ok_or_else(|| missing("http_reqs"))?;
    let number = |key: &str| duration.get(key).and_then(Value::as_f64).ok_or_else(|| missing(key));
    let measure =
        Measure { samples: count, mean: number("avg")?, deviation: None, p95: Some(number("p(95)")?), requests: true };
    let mut failures = Vec::new();
    let failed = values("http_req_failed").ok_or_else(|| missing("http_req_failed"))?;
    let share = failed.get("rate").or_else(|| failed.get("value")).and_then(Value::as_f64);
    let share = share.ok_or_else(|| missing("the rate of http_req_failed"))?;
    if share > 0.0 {
        failures.push(format!("{:.3} % of the requests failed", share * 100.0));
    }
    for (name, metric) in &summary.metrics {
        for (threshold, outcome) in metric.get("thresholds").and_then(Value::as_object).into_iter().flatten() {
            if crossed(outcome)? {
                failures.push(bounded(&format!("k6: {name}: {threshold} was crossed")));
            }
        }
    }
    Ok(Timing { measures: [("k6".to_owned(), measure.checked()?)].into(), failures })
}

/// `{"ok": false}` in one form; `true`, which means crossed, in the other.
fn crossed(outcome: &Value) -> Result<bool, Refusal> {
    match outcome {
        Value::Bool(crossed) => Ok(*crossed),
        Value::Object(fields) => match fields.get("ok") {
            Some(Value::Bool(ok)) => Ok(!ok),
            _ => Err(Refusal::new("k6: a threshold that is neither ok nor not")),
        },
        _ => Err(Refusal::new("k6: a threshold that is neither ok nor not")),
    }
}
