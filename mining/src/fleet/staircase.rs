//! Machines that pay one price of energy, the most efficient first, with sums
//! over the first so many. When hashrate earns `a` USD a day for each TH/s and
//! energy costs `b` for each watt, those with `watts / terahash < a / b` run:
//! the first so many, found by one search.

use num_traits::ToPrimitive;

use super::Kind;
use crate::exact::Exact;

/// One flight of steps; step `k` holds the sums of the first `k` kinds.
#[derive(Clone, Debug)]
pub(super) struct Staircase {
    /// USD a day for each watt.
    pub(super) usd_per_watt: Exact,
    /// Micro-TH/s and micro-watts of one machine of each kind.
    kinds: Vec<(i128, i128)>,
    /// Sums over machines.
    pub(super) steps: Vec<Step>,
}

/// Sums over the first so many kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// Machines.
    pub(super) machines: u64,
    /// Micro-TH/s.
    pub(super) terahash: i128,
    /// Micro-watts.
    pub(super) watts: i128,
}

impl Staircase {
    /// Of kinds that are sorted by efficiency.
    pub(super) fn of(usd_per_watt: Exact, kinds: &[&Kind]) -> Self {
        let mut steps = vec![Step::default()];
        let mut sum = Step::default();
        for kind in kinds {
            sum.machines += u64::from(kind.count);
            sum.terahash += kind.terahash.wide() * i128::from(kind.count);
            sum.watts += kind.watts.wide() * i128::from(kind.count);
            steps.push(sum);
        }
        let kinds = kinds.iter().map(|kind| (kind.terahash.wide(), kind.watts.wide())).collect();
        Self { usd_per_watt, kinds, steps }
    }

    /// All of them.
    pub(super) fn all(&self) -> Step {
        self.steps.last().copied().unwrap_or_default()
    }

    /// Those that run when each TH/s earns `rate · x` USD a day, exact.
    pub(super) fn running(&self, rate: &Exact, x: &Exact) -> Step {
        let count = if self.usd_per_watt.is_positive() {
            let (above, below) = rate.ratio(x, &self.usd_per_watt);
            self.kinds.partition_point(|(terahash, watts)| &above * terahash > &below * watts)
        } else if self.usd_per_watt.is_negative() || !(rate.is_zero() || x.is_zero()) {
            self.kinds.len()
        } else {
            0
        };
        self.steps.get(count).copied().unwrap_or_default()
    }

    /// What a TH/s must earn a day for each kind to run, USD, cut off at
    /// `decimals`; none when it does not fit. A whole number of that unit is
    /// above the true value exactly when it is above this.
    pub(super) fn thresholds(&self, decimals: u32) -> Option<Vec<i128>> {
        let threshold =
            |(terahash, watts): &(i128, i128)| self.usd_per_watt.floor_of(*watts, *terahash, decimals).to_i128();
        self.kinds.iter().map(threshold).collect()
    }
}
