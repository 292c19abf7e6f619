//! Windows of time: the last days, or the month on somebody's calendar.

use hashinsight_crds::objective;
use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

/// The time an objective speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last days, of 24 hours each.
    Rolling {
        /// How many.
        days: i64,
    },
    /// The month, from its first midnight to the next month's.
    Month {
        /// On whose calendar.
        zone: TimeZone,
    },
}

/// A window as it lies at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Its first second.
    pub from: Timestamp,
    /// The second it ends, in the future for a month under way.
    pub to: Timestamp,
}

impl Bounds {
    /// How long it is, in seconds.
    pub fn seconds(&self) -> u64 {
        u64::try_from(self.to.duration_since(self.from).as_secs()).unwrap_or(0)
    }
}

/// Why a window cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWindow {
    /// No such zone.
    #[error(
        "spec.window.calendarMonth.timeZone: no IANA time zone is named {0:?}; use one such as Asia/Shanghai or UTC"
    )]
    UnknownZone(String),
    /// Neither or both.
    #[error("spec.window: state exactly one of rollingDays and calendarMonth")]
    NotOne,
}

impl Window {
    /// From the objective's spec.
    pub fn parse(spec: &objective::Window) -> Result<Self, BadWindow> {
        match (spec.rolling_days, &spec.calendar_month) {
            (Some(days), None) => Ok(Self::Rolling { days: i64::from(days) }),
            (None, Some(month)) => TimeZone::get(&month.time_zone)
                .map(|zone| Self::Month { zone })
                .map_err(|_| BadWindow::UnknownZone(month.time_zone.clone())),
            _ => Err(BadWindow::NotOne),
        }
    }

    /// The window that holds `now`.
    pub fn at(&self, now: Timestamp) -> Bounds {
        match self {
            Self::Rolling { days } => {
                let from = now.checked_sub(SignedDuration::from_hours(days * 24)).unwrap_or(Timestamp::MIN);
                Bounds { from, to: now }
            }
            Self::Month { zone } => {
                let today = now.to_zoned(zone.clone()).date();
                let first = date(today.year(), today.month(), 1);
                let next = first.checked_add(Span::new().months(1)).unwrap_or(first);
                // A midnight that a change of clocks skips is the first moment after it.
                let midnight =
                    |day: jiff::civil::Date| day.to_zoned(zone.clone()).map_or(now, |midnight| midnight.timestamp());
                Bounds { from: midnight(first), to: midnight(next) }
            }
        }
    }

    /// Its usual length in hours: thirty days for a month. Alerts are derived
    /// from it, which must not change with the calendar.
    pub fn usual_hours(&self) -> u64 {
        match self {
            Self::Rolling { days } => days.unsigned_abs() * 24,
            Self::Month { .. } => 30 * 24,
        }
    }

    /// In words, such as `the last 30 days`.
    pub fn told(&self) -> String {
        match self {
            Self::Rolling { days: 1 } => "the last day".to_owned(),
            Self::Rolling { days } => format!("the last {days} days"),
            Self::Month { zone } => format!("this month in {}", zone.iana_name().unwrap_or("UTC")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(zone: &str) -> Window {
        Window::Month { zone: TimeZone::get(zone).unwrap() }
    }

    fn hours(window: &Window, now: &str) -> u64 {
        let bounds = window.at(now.parse().unwrap());
        assert_eq!(bounds.seconds() % 60, 0);
        bounds.seconds() / 3600
    }

    #[test]
    fn months_have_28_to_31_days_and_an_hour_more_or_less_when_clocks_change() {
        for (zone, now, expected) in [
            ("UTC", "2026-02-10T00:00:00Z", 28 * 24),
            ("UTC", "2028-02-29T23:59:59Z", 29 * 24),
            ("UTC", "2026-04-01T00:00:00Z", 30 * 24),
            ("Asia/Shanghai", "2026-01-31T15:59:59Z", 31 * 24),
            ("Europe/Berlin", "2026-03-15T00:00:00Z", 31 * 24 - 1),
            ("Europe/Berlin", "2026-10-15T00:00:00Z", 31 * 24 + 1),
            ("America/New_York", "2026-11-20T00:00:00Z", 30 * 24 + 1),
            ("Asia/Kathmandu", "2026-06-15T00:00:00Z", 30 * 24),
        ] {
            assert_eq!(hours(&month(zone), now), expected, "{zone} {now}");
        }
        // Half an hour, in Australia.
        assert_eq!(
            month("Australia/Lord_Howe").at("2026-04-15T00:00:00Z".parse().unwrap()).seconds(),
            30 * 86_400 + 1800
        );
    }

    #[test]
    fn a_month_begins_at_the_zones_midnight_even_where_that_was_skipped() {
        let shanghai = month("Asia/Shanghai").at("2026-10-31T16:00:00Z".parse().unwrap());
        assert_eq!(shanghai.from.to_string(), "2026-10-31T16:00:00Z");
        assert_eq!(shanghai.to.to_string(), "2026-11-30T16:00:00Z");
        // Clocks in Beirut skipped midnight of 1 April 1973… and of Asuncion on 1 October 1989.
        let asuncion = month("America/Asuncion").at("1989-10-10T00:00:00Z".parse().unwrap());
        assert_eq!(asuncion.from.to_string(), "1989-10-01T04:00:00Z");
    }

    #[test]
    fn rolling_days_are_of_24_hours() {
        let bounds = Window::Rolling { days: 30 }.at("2026-03-30T12:00:00Z".parse().unwrap());
        assert_eq!((bounds.seconds(), bounds.from.to_string().as_str()), (30 * 86_400, "2026-02-28T12:00:00Z"));
    }

    #[test]
    fn an_unknown_zone_is_named() {
        let spec = objective::Window {
            rolling_days: None,
            calendar_month: Some(objective::CalendarMonth { time_zone: "Mars/Olympus".into() }),
        };
        assert!(Window::parse(&spec).unwrap_err().to_string().contains("\"Mars/Olympus\""));
        assert_eq!(Window::parse(&objective::Window::default()), Err(BadWindow::NotOne));
    }
}
