//! What was counted step by step, kept so that any stretch is summed at once.

use crate::book::Stretch;
use crate::counts::Counts;
use crate::objective::Objective;
use crate::share::WHOLE;

/// Counts of steps in order of time, each with the second it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Ends of steps, and everything counted up to and with each.
    steps: Vec<(i64, Counts)>,
}

impl History {
    /// From steps in any order; what ends in the same second is added up.
    pub fn new(steps: impl IntoIterator<Item = (i64, Counts)>) -> Self {
        let mut all: Vec<(i64, Counts)> = steps.into_iter().collect();
        all.sort_by_key(|(end, _)| *end);
        let mut steps: Vec<(i64, Counts)> = Vec::with_capacity(all.len());
        for (end, counts) in all {
            match steps.last_mut() {
                Some((last, sum)) if *last == end => *sum += counts,
                last => {
                    let sum = last.map_or(counts, |(_, sum)| *sum + counts);
                    steps.push((end, sum));
                }
            }
        }
        Self { steps }
    }

    /// What was counted in the steps that end in `stretch`.
    pub fn sum(&self, stretch: Stretch) -> Counts {
        let upto = |second: i64| {
            let after = self.steps.partition_point(|(end, _)| *end <= second);
            after.checked_sub(1).and_then(|at| self.steps.get(at)).map_or(Counts::default(), |(_, sum)| *sum)
        };
        if stretch.from >= stretch.to { Counts::default() } else { upto(stretch.to).without(upto(stretch.from)) }
    }

    /// Ends of its first and last step.
    pub fn ends(&self) -> Option<(i64, i64)> {
        Some((self.steps.first()?.0, self.steps.last()?.0))
    }

    /// When its first measured second began.
    pub fn since(&self) -> Option<i64> {
        let (end, counts) = self.steps.iter().find(|(_, sum)| sum.measured > 0)?;
        Some(end - i64::try_from(counts.measured).unwrap_or(0))
    }
}

/// What a step counts for an objective: its events, or itself when stretches
/// of time are counted.
pub fn judged(objective: &Objective, step: Counts) -> Counts {
    let Some(slice) = objective.slice else { return step };
    let bad = u128::from(step.bad) * u128::from(WHOLE) > u128::from(slice.allowed()) * u128::from(step.total);
    Counts { total: 1, bad: u64::from(bad), measured: step.measured }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_stretch_is_the_sum_of_its_steps(
            raw in prop::collection::vec((-500i64..500, 0u64..9, 0u64..9), 0..60), from in -600i64..600, long in 0i64..900,
        ) {
            let steps: Vec<(i64, Counts)> =
                raw.iter().map(|(at, total, bad)| (*at, Counts { total: *total, bad: *bad, measured: 15 })).collect();
            let stretch = Stretch { from, to: from + long };
            let brute = steps.iter().filter(|(at, _)| from < *at && *at <= stretch.to).map(|(_, counts)| *counts).sum();
            prop_assert_eq!(History::new(steps).sum(stretch), brute);
        }
    }
}
