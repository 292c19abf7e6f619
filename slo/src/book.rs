//! What was counted when, kept so that a window is summed without reading it
//! anew: closed hours once, open ends each time.
//!
//! The book asks nobody. [`Book::missing`] says which stretches are not in it,
//! somebody reads them from the metrics system, [`Book::take`] writes them
//! down. What is closed never changes, so a book that was begun anew, at any
//! time, sums to the same.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::counts::Counts;

const HOUR: i64 = 3600;
/// Seconds after which what was recorded for a time is complete.
const SETTLED: i64 = 60;
/// Hours read with one question.
const HOURS_AT_ONCE: i64 = 24;

/// A stretch of time in seconds, its first left out and its last taken in, as
/// the metrics system sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// Beginning.
    pub from: i64,
    /// End.
    pub to: i64,
}

impl Stretch {
    /// From one time to another, in whole seconds.
    pub fn between(from: Timestamp, to: Timestamp) -> Self {
        Self { from: from.as_second(), to: to.as_second() }
    }

    /// Its length in seconds; 0 when it ends before it begins.
    pub fn seconds(self) -> u64 {
        u64::try_from(self.to - self.from).unwrap_or(0)
    }

    /// Its part before the first full hour, its full hours, and the rest. What
    /// holds no full hour is one part.
    fn parts(self) -> (Option<Self>, Option<Self>, Option<Self>) {
        if self.from >= self.to {
            return (None, None, None);
        }
        let first = self.from.div_euclid(HOUR) * HOUR + if self.from.rem_euclid(HOUR) == 0 { 0 } else { HOUR };
        let last = self.to.div_euclid(HOUR) * HOUR;
        if first >= last {
            return (Some(self), None, None);
        }
        let some = |from, to| (from < to).then_some(Self { from, to });
        (some(self.from, first), some(first, last), some(last, self.to))
    }
}

/// What to read from the metrics system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    /// Every full hour of a stretch.
    Hours(Stretch),
    /// The sum of a stretch.
    Sum(Stretch),
}

/// What was counted of every key.
#[derive(Clone, Debug)]
pub struct Book<K> {
    hours: BTreeMap<K, BTreeMap<i64, Counts>>,
    known: BTreeSet<i64>,
    sums: BTreeMap<Stretch, BTreeMap<K, Counts>>,
}

impl<K: Ord> Default for Book<K> {
    fn default() -> Self {
        Self { hours: BTreeMap::new(), known: BTreeSet::new(), sums: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Book<K> {
    /// What is to be read so that `stretches` can be summed at `now`. Sums of
    /// stretches nobody names any more are dropped, and hours before all of
    /// them.
    pub fn missing(&mut self, stretches: &[Stretch], now: i64) -> Vec<Missing> {
        let settled = (now - SETTLED).div_euclid(HOUR) * HOUR;
        let mut hours = BTreeSet::new();
        let mut sums = BTreeSet::new();
        for stretch in stretches {
            let (head, full, tail) = stretch.parts();
            sums.extend(head);
            let Some(full) = full else { continue };
            // The last hour may not be complete yet: it is read as a sum.
            let closed = Stretch { to: full.to.min(settled), ..full };
            hours.extend((closed.from..closed.to).step_by(3600));
            let open = Stretch { from: closed.to.max(full.from), to: tail.map_or(full.to, |tail| tail.to) };
            if open.from < open.to {
                sums.insert(open);
            }
        }
        self.sums.retain(|stretch, _| sums.contains(stretch) && stretch.to <= now - SETTLED);
        if let Some(first) = hours.first() {
            self.known = self.known.split_off(first);
            for of_key in self.hours.values_mut() {
                *of_key = of_key.split_off(first);
            }
            self.hours.retain(|_, hours| !hours.is_empty());
        }
        let mut missing: Vec<Missing> = Vec::new();
        let mut begun: Option<Stretch> = None;
        for hour in hours.difference(&self.known).copied() {
            match &mut begun {
                Some(run) if run.to == hour && run.to - run.from < HOURS_AT_ONCE * HOUR => run.to += HOUR,
                _ => missing.extend(begun.replace(Stretch { from: hour, to: hour + HOUR }).map(Missing::Hours)),
            }
        }
        missing.extend(begun.map(Missing::Hours));
        missing.extend(sums.into_iter().filter(|stretch| !self.sums.contains_key(stretch)).map(Missing::Sum));
        missing
    }

    /// Writes down what was read: of each key, what was counted in the stretch
    /// that ends at a second. What is not told was not counted.
    pub fn take(&mut self, read: Missing, rows: impl IntoIterator<Item = (K, i64, Counts)>) {
        match read {
            Missing::Hours(stretch) => {
                self.known.extend((stretch.from..stretch.to).step_by(3600));
                for (key, end, counts) in rows {
                    if counts != Counts::default() {
                        self.hours.entry(key).or_default().insert(end - HOUR, counts);
                    }
                }
            }
            Missing::Sum(stretch) => {
                let rows = rows.into_iter().map(|(key, _, counts)| (key, counts)).collect();
                self.sums.insert(stretch, rows);
            }
        }
    }

    /// What was counted of `key` in `stretch`; `None` while part of it was not
    /// read.
    pub fn sum(&self, key: &K, stretch: Stretch) -> Option<Counts> {
        let (head, full, tail) = stretch.parts();
        let of = |stretch: Stretch| self.sums.get(&stretch).map(|rows| rows.get(key).copied().unwrap_or_default());
        let mut counts = Counts::default();
        if let Some(head) = head {
            counts += of(head)?;
        }
        let Some(full) = full else { return Some(counts) };
        let end = tail.map_or(full.to, |tail| tail.to);
        let unread = (full.from..full.to).step_by(3600).find(|hour| !self.known.contains(hour));
        let closed = unread.unwrap_or(full.to);
        if closed < end {
            counts += of(Stretch { from: closed, to: end })?;
        }
        if let Some(hours) = self.hours.get(key) {
            counts += hours.range(full.from..closed).map(|(_, counts)| *counts).sum();
        }
        Some(counts)
    }

    /// When the first thing was counted of `key` that the book knows of.
    pub fn first(&self, key: &K) -> Option<i64> {
        let second = |end: i64, counts: &Counts| end - i64::try_from(counts.measured).unwrap_or(0);
        let hour = self.hours.get(key).and_then(|hours| hours.iter().find(|(_, counts)| counts.measured > 0));
        if let Some((hour, counts)) = hour {
            return Some(second(hour + HOUR, counts));
        }
        let sums = self.sums.iter().filter_map(|(stretch, rows)| Some((stretch, rows.get(key)?)));
        sums.filter(|(_, counts)| counts.measured > 0).map(|(stretch, counts)| second(stretch.to, counts)).min()
    }

    /// Every key that something was counted of.
    pub fn keys(&self) -> BTreeSet<&K> {
        self.hours.keys().chain(self.sums.values().flat_map(BTreeMap::keys)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a metrics system would sum.
    fn brute(events: &[(i64, Counts)], stretch: Stretch) -> Counts {
        events.iter().filter(|(at, _)| stretch.from < *at && *at <= stretch.to).map(|(_, counts)| *counts).sum()
    }

    fn read(book: &mut Book<u8>, events: &[(i64, Counts)], stretches: &[Stretch], now: i64) -> Vec<Missing> {
        let missing = book.missing(stretches, now);
        for question in &missing {
            let rows: Vec<(u8, i64, Counts)> = match question {
                Missing::Sum(stretch) => vec![(1, stretch.to, brute(events, *stretch))],
                Missing::Hours(hours) => (hours.from..hours.to)
                    .step_by(3600)
                    .map(|from| (1, from + HOUR, brute(events, Stretch { from, to: from + HOUR })))
                    .collect(),
            };
            book.take(*question, rows);
        }
        missing
    }

    #[test]
    fn closed_hours_are_read_once_and_open_ends_each_time() {
        let mut book = Book::default();
        let window = |now| Stretch { from: now - 30 * 86_400, to: now };
        let now = 100 * 86_400 + 1_234;
        let first = read(&mut book, &[], &[window(now)], now);
        assert_eq!(first.len(), 30 + 2, "{first:?}");
        let second = read(&mut book, &[], &[window(now + 30)], now + 30);
        assert_eq!(second.len(), 2, "{second:?}");
        // Just after the hour the one before may be incomplete: it is summed, not kept.
        let early = 100 * 86_400 + 3_600 + 10;
        let asked = read(&mut book, &[], &[window(early)], early);
        assert!(asked.iter().all(|question| matches!(question, Missing::Sum(_))), "{asked:?}");
        let later = early + 60;
        let asked = read(&mut book, &[], &[window(later)], later);
        assert!(asked.iter().any(|question| matches!(question, Missing::Hours(_))), "{asked:?}");
    }

    #[test]
    fn what_was_not_read_is_not_summed() {
        let book: Book<u8> = Book::default();
        assert_eq!(book.sum(&1, Stretch { from: 0, to: 86_400 }), None);
        assert_eq!(book.sum(&1, Stretch { from: 5, to: 5 }), Some(Counts::default()));
    }

    #[test]
    fn the_first_count_is_known_to_the_second() {
        let events: Vec<(i64, Counts)> =
            (0..100).map(|n| (86_400 + 15 * n, Counts { total: 1, bad: 0, measured: 15 })).collect();
        let mut book = Book::default();
        let now = 2 * 86_400;
        read(&mut book, &events, &[Stretch { from: 0, to: now }], now);
        // Fifteen seconds before the first record, or later by what is missing of its hour.
        assert_eq!(book.first(&1), Some(86_400 - 15));
    }

    proptest! {
        /// Any window over any events, at any times, from a book that lives
        /// through it or is begun anew at each: the sum is that of the events.
        #[test]
        fn sums_are_those_of_the_events(
            raw in prop::collection::vec((0i64..200_000, 0u64..50, 0u64..50), 0..200),
            times in prop::collection::vec((0i64..40_000, 1i64..120_000, prop::bool::ANY), 1..12),
        ) {
            let events: Vec<(i64, Counts)> = raw
                .into_iter()
                .map(|(at, good, bad)| (at, Counts { total: good + bad, bad, measured: 15 }))
                .collect();
            let (mut book, mut now) = (Book::default(), 0);
            for (wait, length, restart) in times {
                now += wait;
                if restart {
                    book = Book::default();
                }
                // Only what was recorded by then is there, all of it by a minute later.
                let seen: Vec<(i64, Counts)> = events.iter().filter(|(at, _)| *at <= now).copied().collect();
                let (window, recent) = (Stretch { from: now - length, to: now }, Stretch { from: now - 3600, to: now });
                read(&mut book, &seen, &[window, recent], now);
                prop_assert_eq!(book.sum(&1, window), Some(brute(&events, window)));
                prop_assert_eq!(book.sum(&1, recent), Some(brute(&events, recent)));
            }
        }
    }
}
