//! How long things took, in milliseconds.

pub(super) mod criterion;
pub(super) mod k6;
pub(super) mod oha;
pub(super) mod own;

use serde::{Deserialize, Serialize};

use super::{ByName, Refusal, bounded};

/// Samples of one measure.
const MOST_SAMPLES: usize = 1_000_000;
/// A million days: longer is no duration.
const LONGEST: f64 = 8.64e13;

/// One thing that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Measure {
    /// How often.
    pub samples: u64,
    /// Mean, in milliseconds.
    pub mean: f64,
    /// Standard deviation of one sample, in milliseconds, where samples are known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deviation: Option<f64>,
    /// 95 of 100 took no longer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p95: Option<f64>,
    /// Whether what was measured are requests to a service.
    #[serde(default)]
    pub requests: bool,
}

/// What one file measured.
#[derive(Clone, Debug, Default)]
pub struct Timing {
    /// By name.
    pub measures: ByName<Measure>,
    /// What failed while it was measured: requests, or thresholds of the tool's.
    pub failures: Vec<String>,
}

impl Measure {
    /// From samples in milliseconds.
    #[allow(clippy::cast_precision_loss, reason = "a count of samples")]
    pub(super) fn of(mut samples: Vec<f64>, requests: bool) -> Result<Self, Refusal> {
        if samples.is_empty() || samples.len() > MOST_SAMPLES {
            return Err(Refusal::new(format!("{} samples; 1 to {MOST_SAMPLES} are read", samples.len())));
        }
        if !samples.iter().all(|sample| (0.0..=LONGEST).contains(sample)) {
            return Err(Refusal::new("a sample that is no duration"));
        }
        samples.sort_by(f64::total_cmp);
        let n = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / n;
        let squares: f64 = samples.iter().map(|sample| (sample - mean).powi(2)).sum();
        // Nearest rank.
        let rank = (samples.len() * 95).div_ceil(100).max(1) - 1;
        let deviation = (samples.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
        Ok(Self { samples: samples.len() as u64, mean, deviation, p95: samples.get(rank).copied(), requests })
    }

    /// Refuses what is no duration.
    fn checked(self) -> Result<Self, Refusal> {
        let all = [Some(self.mean), self.p95].into_iter().flatten();
        if self.samples == 0 || !all.into_iter().all(|value| (0.0..=LONGEST).contains(&value)) {
            return Err(Refusal::new("a measure without samples, or one that is no duration"));
        }
        Ok(self)
    }
}

/// A name without folders before it and the ending.
fn stem(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    bounded(name.rsplit_once('.').map_or(name, |(stem, _)| stem))
}
