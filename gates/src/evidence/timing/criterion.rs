//! Criterion's `<bench>/new/sample.json`: how often each sample ran, and how
//! many nanoseconds that took together. The path names the benchmark.

use serde::Deserialize;

use super::super::{Refusal, bounded, json};
use super::{Measure, Timing};

#[derive(Deserialize)]
struct Sample {
    iters: Vec<f64>,
    times: Vec<f64>,
}

pub fn read(file: &str, text: &str) -> Result<Timing, Refusal> {
    let sample: Sample = json::typed(text)?;
    if sample.iters.len() != sample.times.len() {
        return Err(Refusal::new("as many iters as times are needed"));
    }
    let each = sample.iters.iter().zip(&sample.times).map(|(iterations, nanoseconds)| nanoseconds / iterations / 1e6);
    let measure = Measure::of(each.collect(), false)?;
    // …/group/bench/new/sample.json
    let folders: Vec<&str> =
        file.split('/').filter(|part| !["new", "sample.json", "criterion"].contains(part)).collect();
    let name = if folders.is_empty() { super::stem(file) } else { folders.join("/") };
    Ok(Timing { measures: [(bounded(&name), measure)].into(), failures: Vec::new() })
}
