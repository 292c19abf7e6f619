//! Burn rates and the alerts on them. A burn rate of 1 spends the budget of
//! the window in exactly the window; time that was not measured burns nothing.
//!
//! Threshold of an alert: `budget % / 100 × window / long window`, and never
//! so high that a service which fails every request could not reach it: the
//! highest burn there is is `1 / (1 − objective)`.

use hashinsight_crds::objective::{BurnAlert, Severity};

use crate::share::{Target, WHOLE, decimal};
use crate::window::Window;

/// Stretches of time over which burn rates are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stretch {
    /// Five minutes.
    Minutes5,
    /// Half an hour.
    Minutes30,
    /// An hour.
    Hour1,
    /// Two hours.
    Hours2,
    /// Six hours.
    Hours6,
    /// A day.
    Day1,
    /// Three days.
    Days3,
}

impl Stretch {
    /// All, shortest first.
    pub const ALL: [Self; 7] =
        [Self::Minutes5, Self::Minutes30, Self::Hour1, Self::Hours2, Self::Hours6, Self::Day1, Self::Days3];

    /// As PromQL and the kind's schema write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minutes5 => "5m",
            Self::Minutes30 => "30m",
            Self::Hour1 => "1h",
            Self::Hours2 => "2h",
            Self::Hours6 => "6h",
            Self::Day1 => "1d",
            Self::Days3 => "3d",
        }
    }

    /// Its length.
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Minutes5 => 300,
            Self::Minutes30 => 1800,
            Self::Hour1 => 3600,
            Self::Hours2 => 7200,
            Self::Hours6 => 21_600,
            Self::Day1 => 86_400,
            Self::Days3 => 259_200,
        }
    }

    /// How often its burn rate is computed: sums over days need not be made
    /// anew every few seconds.
    pub const fn interval(self) -> u64 {
        match self {
            Self::Minutes5 | Self::Minutes30 | Self::Hour1 => 15,
            Self::Hours2 | Self::Hours6 => 60,
            Self::Day1 | Self::Days3 => 300,
        }
    }

    /// From its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stretch| stretch.name() == name)
    }
}

/// One row of the table of alerts, ready to be rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// How loud.
    pub severity: Severity,
    /// Share of the budget that would burn in the long stretch, in percent.
    pub budget_percent: u64,
    /// How long it has burnt.
    pub long: Stretch,
    /// And that it still does.
    pub short: Stretch,
    /// Burn rate above which it fires, in thousandths.
    pub factor: u64,
    /// Whether the factor was lowered because no outage could have reached it.
    pub capped: bool,
}

impl Row {
    /// The factor as text, such as `14.4`.
    pub fn factor_text(&self) -> String {
        decimal(u128::from(self.factor), 1000, 3)
    }

    /// Share of bad events above which it fires, in millionths.
    pub fn bad_share(&self, target: Target) -> u64 {
        self.factor.saturating_mul(target.allowed()) / 1000
    }

    /// Seconds of failing everything, on top of a clean stretch, until it
    /// fires; that is how soon an outage is told at best.
    pub fn detects_outage_within(&self, target: Target) -> u64 {
        self.bad_share(target).saturating_mul(self.long.seconds()).div_ceil(WHOLE)
    }
}

/// Share of the highest possible burn that a threshold may be: above it, an
/// outage that lets one request in ten through would never be told.
const CAP_PERCENT: u64 = 90;

/// The rows an objective has when its spec states none, by the window's
/// length: severity, budget percent, long, short.
type Default = (Severity, u64, Stretch, Stretch);
/// Four weeks and more.
const LONG: [Default; 4] = [
    (Severity::Page, 2, Stretch::Hour1, Stretch::Minutes5),
    (Severity::Page, 5, Stretch::Hours6, Stretch::Minutes30),
    (Severity::Ticket, 10, Stretch::Day1, Stretch::Hours2),
    (Severity::Ticket, 10, Stretch::Days3, Stretch::Hours6),
];
/// A week up to four.
const MEDIUM: [Default; 4] = [
    (Severity::Page, 8, Stretch::Hour1, Stretch::Minutes5),
    (Severity::Page, 12, Stretch::Hours6, Stretch::Minutes30),
    (Severity::Ticket, 20, Stretch::Day1, Stretch::Hours2),
    (Severity::Ticket, 42, Stretch::Days3, Stretch::Hours6),
];
/// Less than a week: what takes days would come too late.
const SHORT: [Default; 2] = [
    (Severity::Page, 20, Stretch::Hour1, Stretch::Minutes5),
    (Severity::Ticket, 50, Stretch::Hours6, Stretch::Minutes30),
];

/// The alerts of an objective: as stated, or the table for its window.
pub fn rows(stated: &[BurnAlert], target: Target, window: &Window) -> Vec<Row> {
    let hours = window.usual_hours();
    let of_stated = |alert: &BurnAlert| {
        let (long, short) = (Stretch::named(&alert.long_window)?, Stretch::named(&alert.short_window)?);
        Some((alert.severity, u64::from(alert.budget_percent.unsigned_abs()), long, short))
    };
    let table: Vec<Default> = match (stated, hours) {
        ([], 672..) => LONG.to_vec(),
        ([], 168..) => MEDIUM.to_vec(),
        ([], _) => SHORT.to_vec(),
        (stated, _) => stated.iter().filter_map(of_stated).collect(),
    };
    table
        .into_iter()
        .map(|(severity, budget_percent, long, short)| {
            let wanted = budget_percent * hours * 3600 * 1000 / (100 * long.seconds());
            let cap = WHOLE * 1000 * CAP_PERCENT / (100 * target.allowed());
            let factor = wanted.min(cap);
            Row { severity, budget_percent, long, short, factor, capped: factor < wanted }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn factors(percent: &str, days: i64) -> Vec<String> {
        rows(&[], Target::percent(percent).unwrap(), &Window::Rolling { days }).iter().map(Row::factor_text).collect()
    }

    #[test]
    fn thresholds_are_derived_for_the_window() {
        assert_eq!(factors("99.95", 30), ["14.4", "6", "3", "1"]);
        assert_eq!(factors("99.95", 28), ["13.44", "5.6", "2.8", "0.933"]);
        assert_eq!(factors("99.95", 31), ["14.88", "6.2", "3.1", "1.033"]);
        assert_eq!(factors("99.95", 7), ["13.44", "3.36", "1.4", "0.98"]);
        assert_eq!(factors("99", 1), ["4.8", "2"]);
        let month = Window::Month { zone: TimeZone::UTC };
        let rows = rows(&[], Target::percent("99.95").unwrap(), &month);
        assert_eq!(rows.iter().map(Row::factor_text).collect::<Vec<_>>(), ["14.4", "6", "3", "1"]);
    }

    #[test]
    fn no_threshold_is_out_of_reach() {
        // 95 %: the highest burn is 20, so 14.4 is 72 % of it and stays.
        assert_eq!(factors("95", 30), ["14.4", "6", "3", "1"]);
        // 90 %: the highest is 10; 14.4 would never fire.
        assert_eq!(factors("90", 30), ["9", "6", "3", "1"]);
        assert_eq!(factors("50", 30), ["1.8", "1.8", "1.8", "1"]);
        for percent in ["1", "50", "93.05", "95", "99.9999"] {
            let target = Target::percent(percent).unwrap();
            for row in rows(&[], target, &Window::Rolling { days: 30 }) {
                assert!(row.bad_share(target) < WHOLE, "{percent} {row:?}");
            }
        }
    }

    #[test]
    fn an_outage_is_told_as_soon_as_the_arithmetic_allows() {
        let target = Target::percent("99.95").unwrap();
        let within: Vec<u64> = rows(&[], target, &Window::Rolling { days: 30 })
            .iter()
            .map(|row| row.detects_outage_within(target))
            .collect();
        assert_eq!(within, [26, 65, 130, 130]);
    }

    #[test]
    fn stated_alerts_replace_the_table() {
        let stated = [BurnAlert {
            severity: Severity::Page,
            budget_percent: 1,
            long_window: "30m".into(),
            short_window: "5m".into(),
        }];
        let rows = rows(&stated, Target::percent("99.9").unwrap(), &Window::Rolling { days: 30 });
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].factor_text().as_str(), rows[0].long, rows[0].capped), ("14.4", Stretch::Minutes30, false));
    }
}
