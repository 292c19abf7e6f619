//! Load at a steady rate, by oha.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::side::Side;

/// What oha saw.
#[derive(Clone, Debug, Default)]
pub struct Load {
    pub p50: Duration,
    pub p95: Duration,
    pub p99: Duration,
    pub rate: f64,
    pub good: f64,
}

/// So many requests a second, each at its time, however late the answers.
pub fn run(oha: &Path, side: &Side, body: &str, rate: u32, seconds: u32) -> Load {
    let headers = ["content-type: application/json".to_owned(), format!("authorization: Bearer {}", side.token)];
    let mut command = Command::new(oha);
    command.args(["--no-tui", "--output-format", "json", "--latency-correction", "-c", "32", "-m", "POST"]);
    command.args(["-q", &rate.to_string(), "-z", &format!("{seconds}s")]);
    for header in &headers {
        command.args(["-H", header]);
    }
    command.args(["-d", body]).arg(format!("http://{}/v1/estimate", side.address));
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "oha: {}", output.status);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let percentile = |name: &str| Duration::from_secs_f64(told["latencyPercentiles"][name].as_f64().unwrap());
    let good = told["statusCodeDistribution"]["200"].as_f64().unwrap_or(0.0);
    let all: f64 = told["statusCodeDistribution"].as_object().unwrap().values().filter_map(Value::as_f64).sum();
    let failed: f64 = told["errorDistribution"]
        .as_object()
        .into_iter()
        .flatten()
        // Those cut off when the time is over are no failures.
        .filter(|(name, _)| !name.contains("deadline"))
        .filter_map(|(_, count)| count.as_f64())
        .sum();
    Load {
        p50: percentile("p50"),
        p95: percentile("p95"),
        p99: percentile("p99"),
        rate: told["summary"]["requestsPerSec"].as_f64().unwrap(),
        good: good / (all + failed),
    }
}
