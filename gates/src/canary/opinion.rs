//! A second opinion on durations: whether the canary's are longer than the
//! stable revision's, by the Mann–Whitney statistic on histograms. It convicts
//! nobody; it asks for more.

use serde::{Deserialize, Serialize};

/// Requests of each side below which there is no opinion.
const LEAST: u64 = 50;
/// Standard deviations above which a difference is no chance.
const SURE: i64 = 5_000;
/// Chance that a request of the canary is slower than one of the stable
/// revision from which on it matters, in thousandths; equals are 500.
const MATTERS: i64 = 600;

/// How the durations of two revisions compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opinion {
    /// Chance that a request of the canary is slower than one of the stable
    /// revision, ties halved, in thousandths.
    pub slower: i64,
    /// How far from a half that is, in thousandths of its standard deviation.
    pub deviations: i64,
}

impl Opinion {
    /// Whether the canary is slower, surely and so that it matters.
    pub const fn is_slower(&self) -> bool {
        self.slower >= MATTERS && self.deviations >= SURE
    }
}

/// Compares durations by bucket, fastest first. `None` when too few are known.
pub fn slower(canary: &[u64], stable: &[u64]) -> Option<Opinion> {
    let sum = |buckets: &[u64]| buckets.iter().fold(0_u64, |sum, more| sum.saturating_add(*more));
    let (ours, theirs) = (sum(canary), sum(stable));
    if ours < LEAST || theirs < LEAST {
        return None;
    }
    // Pairs in which the canary's is slower count two, ties one.
    let (mut faster, mut pairs, mut ties) = (0_u128, 0_u128, 0_f64);
    for at in 0..canary.len().max(stable.len()) {
        let (mine, other) = (canary.get(at).copied().unwrap_or(0), stable.get(at).copied().unwrap_or(0));
        pairs = pairs.saturating_add(u128::from(mine).saturating_mul(2 * faster + u128::from(other)));
        faster += u128::from(other);
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let tied = (mine as f64 + other as f64) / (ours as f64 + theirs as f64);
        ties += tied.powi(3);
    }
    let all = u128::from(ours).saturating_mul(u128::from(theirs)).max(1);
    let share = i64::try_from(pairs.saturating_mul(500) / all).unwrap_or(i64::MAX);
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "thousandths of deviations")]
    let deviations = {
        let (n, m) = (ours as f64, theirs as f64);
        // Variance of the share of pairs, corrected for ties.
        let variance = ((n + m + 1.0) * (1.0 - ties)).max(f64::MIN_POSITIVE) / (12.0 * n * m);
        let above = pairs as f64 / (2.0 * all as f64) - 0.5;
        (1000.0 * above / variance.sqrt()) as i64
    };
    Some(Opinion { slower: share, deviations })
}
