//! Samples of our own benchmarks: `{"schemaVersion": 1, "kind": "Benchmark",
//! "failed": 0, "measures": [{"name": "api", "milliseconds": [0.4, …]}]}`.

use serde::Deserialize;

use super::super::own::Version;
use super::super::{Refusal, bounded, json};
use super::{Measure, Timing};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Report {
    #[serde(rename = "schemaVersion")]
    _version: Version,
    #[serde(rename = "kind")]
    _kind: String,
    failed: u64,
    measures: Vec<Samples>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Samples {
    name: String,
    milliseconds: Vec<f64>,
    /// Whether these are requests to a service.
    requests: bool,
}

pub fn read(text: &str) -> Result<Timing, Refusal> {
    let report: Report = json::typed(text)?;
    let mut timing = Timing::default();
    for samples in report.measures {
        let name = bounded(&samples.name);
        if timing.measures.insert(name.clone(), Measure::of(samples.milliseconds, samples.requests)?).is_some() {
            return Err(Refusal::new(format!("the measure {name} twice")));
        }
    }
    if timing.measures.is_empty() {
        return Err(Refusal::new("no measure in it"));
    }
    if report.failed > 0 {
        timing.failures.push(format!("{} requests failed", report.failed));
    }
    Ok(timing)
}
