//! Counting: what a process's counters grew by, and sums of it. Whole numbers
//! throughout; a float enters at one place and must be whole.

use std::collections::BTreeMap;
use std::ops::{Add, AddAssign};

/// What was counted in some stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events.
    pub total: u64,
    /// Bad ones among them.
    pub bad: u64,
    /// Seconds of it that were measured.
    pub measured: u64,
}

impl Counts {
    /// Less `other`, where less than nothing is nothing.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self {
            total: self.total.saturating_sub(other.total),
            bad: self.bad.saturating_sub(other.bad),
            measured: self.measured.saturating_sub(other.measured),
        }
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            total: self.total.saturating_add(other.total),
            bad: self.bad.saturating_add(other.bad),
            measured: self.measured.saturating_add(other.measured),
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// Why a number is no count.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum NotACount {
    /// Not a number, or without end.
    #[error("{0} is no number to count with")]
    NotFinite(f64),
    /// Below zero.
    #[error("{0} is below zero: a counter never is")]
    Negative(f64),
    /// Between two whole numbers.
    #[error("{0} is not a whole number: events are counted, not estimated")]
    Fraction(f64),
    /// Beyond what a counter holds exactly.
    #[error("{0} is beyond 2^53, where counters lose single events")]
    TooLarge(f64),
}

/// The largest number up to which every whole number is a float.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A float that metrics systems speak in, as the count it stands for.
pub fn whole(value: f64) -> Result<u64, NotACount> {
    if !value.is_finite() {
        return Err(NotACount::NotFinite(value));
    }
    if value < 0.0 {
        return Err(NotACount::Negative(value));
    }
    if value > EXACT {
        return Err(NotACount::TooLarge(value));
    }
    if value.fract() != 0.0 {
        return Err(NotACount::Fraction(value));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, not negative, at most 2^53")]
    Ok(value as u64)
}

/// What one process's counters show at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Events since the process began.
    pub total: u64,
    /// Bad ones among them.
    pub bad: u64,
}

/// Counts from readings at a steady pace: the same arithmetic as the recording
/// rules (`rules.rs`), for history that no rule recorded.
///
/// A process is told by its labels; one that is seen for the first time tells
/// where it begins and counts nothing, because when it began is not known. A
/// value below the one before is a counter that began anew, and all of it is
/// counted. A reading that is missing costs its time, not its events: they are
/// in the next reading, as long as that comes within [`Tally::BRIDGE`].
#[derive(Clone, Debug, Default)]
pub struct Tally {
    last: BTreeMap<String, (Reading, i64)>,
}

impl Tally {
    /// Seconds a process may be out of sight until it counts as ended. No
    /// scrape may be rarer than half of it.
    pub const SIGHT: i64 = 120;
    /// Seconds it may be out of sight and still be known when it comes back.
    pub const BRIDGE: i64 = 300;

    /// Takes the readings at `second`, `step` seconds after the ones before;
    /// `None` when there was nothing to read or nothing to compare it with.
    pub fn take(&mut self, second: i64, step: u64, readings: &BTreeMap<String, Reading>) -> Option<Counts> {
        self.last.retain(|_, (_, at)| second - *at < Self::BRIDGE);
        let mut counts = Counts::default();
        let compared =
            self.last.iter().any(|(process, (_, at))| readings.contains_key(process) || second - *at < Self::SIGHT);
        for (process, now) in readings {
            let Some((before, _)) = self.last.insert(process.clone(), (*now, second)) else { continue };
            let grown = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
            counts.total += grown(now.total, before.total);
            counts.bad += grown(now.bad, before.bad);
        }
        counts.bad = counts.bad.min(counts.total);
        (compared && !readings.is_empty()).then_some(Counts { measured: step, ..counts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(process: &str, total: u64, bad: u64) -> BTreeMap<String, Reading> {
        BTreeMap::from([(process.to_owned(), Reading { total, bad })])
    }

    #[test]
    fn a_restart_counts_from_zero_and_a_first_sight_counts_nothing() {
        let mut tally = Tally::default();
        assert_eq!(tally.take(0, 15, &at("a", 100, 10)), None);
        assert_eq!(tally.take(15, 15, &at("a", 130, 11)), Some(Counts { total: 30, bad: 1, measured: 15 }));
        assert_eq!(tally.take(30, 15, &at("a", 7, 2)), Some(Counts { total: 7, bad: 2, measured: 15 }));
        // Out of sight, then back: the events are there, the time is not.
        assert_eq!(tally.take(45, 15, &BTreeMap::new()), None);
        assert_eq!(tally.take(60, 15, &at("a", 17, 2)), Some(Counts { total: 10, bad: 0, measured: 15 }));
        // Out of sight for too long: begun anew.
        assert_eq!(tally.take(1000, 15, &at("a", 5000, 400)), None);
    }

    #[test]
    fn floats_are_counts_only_when_whole() {
        assert_eq!(whole(3.0), Ok(3));
        assert_eq!(whole(EXACT), Ok(1 << 53));
        for bad in [f64::NAN, f64::INFINITY, -1.0, 0.5, 1e300] {
            assert!(whole(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        /// Any stream of events, read at any of its points and restarted
        /// anywhere, counts every event between the first and last reading of
        /// an unbroken life.
        #[test]
        fn counts_are_those_of_the_events(
            events in prop::collection::vec((0u64..50, 0u64..50, prop::bool::weighted(0.05)), 2..200),
        ) {
            let (mut tally, mut counter) = (Tally::default(), Reading { total: 1000, bad: 100 });
            let (mut sum, mut expected) = (Counts::default(), Counts::default());
            for (n, (good, bad, restart)) in events.iter().enumerate() {
                let grown = good + bad;
                // A restart that more events follow than came before cannot be seen.
                if *restart && grown < counter.total && *bad < counter.bad {
                    counter = Reading { total: 0, bad: 0 };
                }
                counter = Reading { total: counter.total + grown, bad: counter.bad + bad };
                let second = i64::try_from(n).unwrap() * 15;
                let took = tally.take(second, 15, &at("p", counter.total, counter.bad));
                sum += took.unwrap_or_default();
                if n > 0 {
                    expected += Counts { total: grown, bad: *bad, measured: 15 };
                }
            }
            prop_assert_eq!(sum, expected);
        }

        #[test]
        fn sums_do_not_depend_on_where_they_are_split(
            all in prop::collection::vec((0u64..1 << 40, 0u64..1 << 40, 0u64..100), 0..60), cut in 0usize..60,
        ) {
            let all: Vec<Counts> = all.into_iter().map(|(total, bad, measured)| Counts { total, bad, measured }).collect();
            let (left, right) = all.split_at(cut.min(all.len()));
            let parts = left.iter().copied().sum::<Counts>() + right.iter().copied().sum::<Counts>();
            prop_assert_eq!(parts, all.iter().copied().sum::<Counts>());
        }
    }
}
