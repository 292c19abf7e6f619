//! The budget of a window, and what is left of it.
//!
//! `total = (1 − objective) × window`; `consumed = bad ÷ events × measured
//! time`. Time that was not measured is neither good nor bad: it shows as
//! coverage, and spends and restores nothing. A share of a million times a
//! second is a microsecond, so all of it is whole numbers.

use jiff::{SignedDuration, Timestamp};

use crate::counts::Counts;
use crate::share::{Target, WHOLE, hundredths};
use crate::window::Bounds;

/// What is known of a window.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// The promise.
    pub target: Target,
    /// The window.
    pub bounds: Bounds,
    /// When the counting ended.
    pub now: Timestamp,
    /// Since when the indicator is counted at all.
    pub since: Timestamp,
    /// Everything counted in the window.
    pub counts: Counts,
    /// What of it lies in excluded time.
    pub excluded: Counts,
}

/// What is left of a window's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// What may go wrong in the whole window, in microseconds.
    pub total: u64,
    /// What did, in microseconds.
    pub consumed: u64,
    /// Share of the time since measuring began that was measured, in
    /// hundredths of a percent.
    pub coverage: u64,
    /// What it was computed from.
    pub counts: Counts,
}

impl Account {
    /// The budget. Excluded time is left away where that makes less of what
    /// was consumed, and only there.
    pub fn budget(&self) -> Budget {
        let total = self.target.allowed().saturating_mul(self.bounds.seconds());
        let with = consumed(self.counts);
        let without = consumed(self.counts.without(self.excluded));
        Budget { total, consumed: with.min(without), coverage: self.coverage(), counts: self.counts }
    }

    fn coverage(&self) -> u64 {
        let from = self.bounds.from.max(self.since);
        let elapsed = u64::try_from(self.now.duration_since(from).as_secs()).unwrap_or(0);
        if elapsed == 0 {
            return 10_000;
        }
        (self.counts.measured.saturating_mul(10_000) / elapsed).min(10_000)
    }
}

/// `bad ÷ total × measured` in microseconds, rounded half up.
fn consumed(counts: Counts) -> u64 {
    let (bad, total) = (u128::from(counts.bad.min(counts.total)), u128::from(counts.total));
    // Ninety days are below 2^23 seconds; with that bound no product overflows.
    let micros = u128::from(counts.measured.min(1 << 40)) * u128::from(WHOLE);
    let rounded = bad.saturating_mul(micros).saturating_add(total / 2).checked_div(total).unwrap_or(0);
    u64::try_from(rounded).unwrap_or(u64::MAX)
}

impl Budget {
    /// Share that is spent, in hundredths of a percent.
    pub fn consumed_share(&self) -> i64 {
        let (consumed, total) = (u128::from(self.consumed), u128::from(self.total));
        let share = (consumed * 10_000 + total / 2).checked_div(total).unwrap_or(0);
        i64::try_from(share).unwrap_or(i64::MAX)
    }

    /// Share that is left, in hundredths of a percent; below zero when
    /// overspent. With [`Self::consumed_share`] it makes a whole.
    pub fn remaining_share(&self) -> i64 {
        10_000_i64.saturating_sub(self.consumed_share())
    }

    /// What is left, in microseconds.
    pub fn remaining(&self) -> i64 {
        i64::try_from(self.total).unwrap_or(i64::MAX).saturating_sub(i64::try_from(self.consumed).unwrap_or(i64::MAX))
    }

    /// Whether nothing is left.
    pub fn exhausted(&self) -> bool {
        self.consumed >= self.total
    }

    /// When nothing will be left if bad events keep the share of events they
    /// had in `recent`; `None` when that is not before the window is over. For
    /// rolling days the assumption leaves out that old failures fall out of the
    /// window: it tells the earliest time.
    pub fn exhausts_at(&self, recent: Counts, now: Timestamp, bounds: &Bounds) -> Option<Timestamp> {
        let left = u128::try_from(self.remaining()).ok().filter(|left| *left > 0)?;
        let bad = u128::from(recent.bad.min(recent.total));
        let seconds = (left * u128::from(recent.total)).checked_div(bad * u128::from(WHOLE))?;
        let at = now.checked_add(SignedDuration::from_secs(i64::try_from(seconds).ok()?)).ok()?;
        // A month ends; rolling days go on for as long as they are.
        let horizon =
            if bounds.to > now { bounds.to } else { now.checked_add(bounds.to.duration_since(bounds.from)).ok()? };
        (at < horizon).then_some(at)
    }
}

/// Microseconds as minutes with two decimals.
pub fn minutes(micros: i64) -> String {
    // A hundredth of a minute is 600,000 microseconds.
    hundredths((micros.saturating_add(300_000 * micros.signum())) / 600_000)
}

/// What a budget is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was counted yet.
    NotMeasured,
    /// Too little was measured to say anything.
    CoverageTooLow,
    /// Too few events to say anything.
    TooFewEvents,
    /// Nothing is left.
    Exhausted,
    /// Something is left.
    Available,
}

/// Below what a budget says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minimum {
    /// Events in the window.
    pub events: u64,
    /// Coverage in percent.
    pub coverage_percent: u64,
}

impl Standing {
    /// Judges `budget`. Where it says nothing, nobody may act on it.
    pub fn of(budget: &Budget, minimum: Minimum) -> Self {
        if budget.counts.measured == 0 {
            Self::NotMeasured
        } else if budget.coverage < minimum.coverage_percent * 100 {
            Self::CoverageTooLow
        } else if budget.counts.total < minimum.events {
            Self::TooFewEvents
        } else if budget.exhausted() {
            Self::Exhausted
        } else {
            Self::Available
        }
    }

    /// Whether a policy may act on it.
    pub const fn decides(self) -> bool {
        matches!(self, Self::Exhausted | Self::Available)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Window;
    use proptest::prelude::*;

    fn account(percent: &str, days: i64, counts: Counts) -> Account {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let bounds = Window::Rolling { days }.at(now);
        Account {
            target: Target::percent(percent).unwrap(),
            bounds,
            now,
            since: bounds.from,
            counts,
            excluded: Counts::default(),
        }
    }

    fn full(days: u64, total: u64, bad: u64) -> Counts {
        Counts { total, bad, measured: days * 86_400 }
    }

    #[test]
    fn a_month_of_99_95_has_21_6_minutes() {
        let budget = account("99.95", 30, full(30, 1_000_000, 250)).budget();
        assert_eq!(minutes(i64::try_from(budget.total).unwrap()), "21.60");
        assert_eq!((budget.consumed_share(), minutes(budget.remaining()).as_str()), (5_000, "10.80"));
        for (zone, now, expected) in [
            ("UTC", "2026-02-10T00:00:00Z", "20.16"),
            ("UTC", "2028-02-10T00:00:00Z", "20.88"),
            ("UTC", "2026-01-10T00:00:00Z", "22.32"),
            ("Europe/Berlin", "2026-03-10T00:00:00Z", "22.29"),
            ("Europe/Berlin", "2026-10-10T00:00:00Z", "22.35"),
        ] {
            let now: Timestamp = now.parse().unwrap();
            let bounds = Window::Month { zone: jiff::tz::TimeZone::get(zone).unwrap() }.at(now);
            let budget = Account { bounds, now, ..account("99.95", 30, Counts::default()) }.budget();
            assert_eq!(minutes(i64::try_from(budget.total).unwrap()), expected, "{zone} {now}");
        }
    }

    #[test]
    fn a_young_objective_has_a_small_measured_time_and_full_coverage() {
        let mut account = account("99", 1, Counts { total: 1000, bad: 100, measured: 600 });
        account.since = account.now - SignedDuration::from_secs(600);
        let budget = account.budget();
        // A tenth of ten minutes, of 14.4.
        assert_eq!((budget.coverage, minutes(i64::try_from(budget.consumed).unwrap()).as_str()), (10_000, "1.00"));
        assert_eq!(budget.consumed_share(), 694);
        account.counts.measured = 300;
        assert_eq!(account.budget().coverage, 5_000);
    }

    #[test]
    fn what_says_nothing_decides_nothing() {
        let minimum = Minimum { events: 100, coverage_percent: 90 };
        for (counts, standing) in [
            (Counts::default(), Standing::NotMeasured),
            (Counts { total: 1_000, bad: 1_000, measured: 60 }, Standing::CoverageTooLow),
            (full(30, 99, 99), Standing::TooFewEvents),
            (full(30, 1_000_000, 500), Standing::Exhausted),
            (full(30, 1_000_000, 499), Standing::Available),
        ] {
            assert_eq!(Standing::of(&account("99.95", 30, counts).budget(), minimum), standing, "{counts:?}");
        }
    }

    #[test]
    fn exhaustion_is_forecast_from_the_last_hour() {
        let account = account("99.95", 30, full(30, 1_000_000, 250));
        let budget = account.budget();
        // 10.8 minutes are left; at 10 % bad they last 108.
        let recent = Counts { total: 1000, bad: 100, measured: 3600 };
        let at = budget.exhausts_at(recent, account.now, &account.bounds).unwrap();
        assert_eq!(at.duration_since(account.now).as_secs(), 6_480);
        let slow = Counts { total: 100_000_000, bad: 1, measured: 3600 };
        assert_eq!(budget.exhausts_at(slow, account.now, &account.bounds), None);
        assert_eq!(budget.exhausts_at(Counts::default(), account.now, &account.bounds), None);
    }

    #[test]
    fn edges_do_not_overflow() {
        let counts = Counts { total: u64::MAX, bad: u64::MAX, measured: u64::MAX };
        let budget = account("0.0001", 90, counts).budget();
        assert!(budget.exhausted() && budget.consumed_share() > 0 && budget.remaining_share() < 0);
        let none = account("99.9999", 1, full(1, 1, 0)).budget();
        assert_eq!((none.consumed, none.remaining_share()), (0, 10_000));
        assert_eq!((minutes(-300_001), minutes(0), minutes(i64::MIN).len() > 3), ("-0.01".into(), "0.00".into(), true));
    }

    proptest! {
        #[test]
        fn exclusions_never_increase_what_was_consumed(
            good in 0u64..1 << 40, bad in 0u64..1 << 40, measured in 0u64..2_592_000,
            excluded_good in 0u64..1 << 40, excluded_bad in 0u64..1 << 40, excluded_measured in 0u64..2_592_000,
        ) {
            let counts = Counts { total: good + bad, bad, measured };
            let excluded = Counts {
                total: excluded_good.min(good) + excluded_bad.min(bad),
                bad: excluded_bad.min(bad),
                measured: excluded_measured.min(measured),
            };
            let plain = account("99.95", 30, counts);
            let with = Account { excluded, ..plain };
            prop_assert!(with.budget().consumed <= plain.budget().consumed);
        }

        #[test]
        fn ten_times_the_traffic_is_the_same_percentage(total in 1u64..1 << 40, bad in 0u64..1 << 40) {
            let bad = bad.min(total);
            let one = account("99.9", 30, full(30, total, bad)).budget();
            let ten = account("99.9", 30, full(30, total * 10, bad * 10)).budget();
            prop_assert!(one.consumed.abs_diff(ten.consumed) <= 1);
            prop_assert!(one.consumed_share().abs_diff(ten.consumed_share()) <= 1);
        }

        #[test]
        fn more_bad_never_leaves_more(total in 1u64..1 << 40, bad in 0u64..1 << 40) {
            let bad = bad.min(total - 1);
            let less = account("99.9", 30, full(30, total, bad)).budget();
            let more = account("99.9", 30, full(30, total, bad + 1)).budget();
            prop_assert!(more.remaining() <= less.remaining());
        }
    }
}
