//! Durations by bucket, of objectives about latency: what the second opinion on
//! a canary rests on. Histograms are cumulative; here each bucket stands alone.

use std::collections::{BTreeMap, BTreeSet};

use hashinsight_crds::names::REVISION_LABEL;
use hashinsight_metrics_source::Sample;
use hashinsight_slo::counts::{Reading, Tally, whole};
use hashinsight_slo::objective::{Indicator, Objective};

use super::analysis::At;

/// What each process showed, by upper bound of the bucket in millionths.
pub type ByBound = BTreeMap<u64, BTreeMap<String, Reading>>;
/// The same of each revision at a second.
pub type Buckets = BTreeMap<(i64, String), ByBound>;

/// The question, of an objective about latency.
pub fn question(objective: &Objective, revisions: &str) -> Option<String> {
    let Indicator::Latency { histogram, selector, .. } = &objective.indicator else { return None };
    let selector = selector.clone().matching(REVISION_LABEL, revisions);
    Some(format!("sum by ({REVISION_LABEL}, instance, le) ({histogram}_bucket{selector})"))
}

fn bound(le: &str) -> Option<u64> {
    let seconds: f64 = le.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates at the ends")]
    (seconds >= 0.0).then_some((seconds * 1e6).round() as u64)
}

/// The answer, of processes that were scraped lately.
pub fn by_bound(samples: Vec<Sample>, fresh: &BTreeSet<At>) -> Buckets {
    let mut all = Buckets::new();
    for sample in samples {
        let label = |name: &str| sample.labels.get(name).cloned().unwrap_or_default();
        let at = (label(REVISION_LABEL), label("instance"), sample.at);
        let (Some(bound), Ok(total)) = (bound(&label("le")), whole(sample.value.floor())) else { continue };
        if fresh.contains(&at) {
            let (revision, instance, second) = at;
            let of_bound = all.entry((second, revision)).or_default().entry(bound).or_default();
            of_bound.insert(instance, Reading { total, bad: 0 });
        }
    }
    all
}

/// What grew in each bucket of one revision.
#[derive(Default)]
pub struct Durations(BTreeMap<u64, Tally>);

impl Durations {
    /// Takes the readings at `second`, `step` seconds after the ones before; what
    /// grew, fastest first.
    pub fn take(&mut self, second: i64, step: u64, readings: &ByBound) -> Vec<u64> {
        for bound in readings.keys() {
            self.0.entry(*bound).or_default();
        }
        let nothing = BTreeMap::new();
        let mut below = 0;
        let grown = self.0.iter_mut().map(|(bound, tally)| {
            let counts = tally.take(second, step, readings.get(bound).unwrap_or(&nothing));
            let upto = counts.map_or(below, |counts| counts.total);
            let within = upto.saturating_sub(below);
            below = below.max(upto);
            within
        });
        grown.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn sample(le: &str, at: i64, value: f64) -> Sample {
        let labels = [("revision", "aa"), ("instance", "i"), ("le", le)];
        let labels = labels.map(|(name, text)| (name.to_owned(), text.to_owned()));
        Sample { labels: Arc::new(labels.into_iter().collect()), at, value }
    }

    #[test]
    fn what_grew_stands_in_its_own_bucket_alone() {
        let at = |second| ("aa".to_owned(), "i".to_owned(), second);
        let samples = vec![
            sample("0.25", 0, 10.0),
            sample("1", 0, 12.0),
            sample("+Inf", 0, 12.0),
            sample("0.25", 5, 13.0),
            sample("1", 5, 17.0),
            sample("+Inf", 5, 18.0),
            sample("0.25", 10, 99.0),
        ];
        let read = by_bound(samples, &BTreeSet::from([at(0), at(5)]));
        let mut durations = Durations::default();
        assert_eq!(durations.take(0, 5, &read[&(0, "aa".to_owned())]), [0, 0, 0]);
        // Three up to a quarter, two up to a second, one beyond.
        assert_eq!(durations.take(5, 5, &read[&(5, "aa".to_owned())]), [3, 2, 1]);
        // What was not scraped lately tells nothing.
        assert!(!read.contains_key(&(10, "aa".to_owned())));
        assert_eq!(durations.take(10, 5, &ByBound::new()), [0, 0, 0]);
        assert_eq!((bound("0.25"), bound("+Inf"), bound("x")), (Some(250_000), Some(u64::MAX), None));
    }
}
