//! When nothing may be released: once, or every week, in a time zone.

use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use serde::{Deserialize, Deserializer};

use crate::evidence::ChangeClass;

/// What a freeze lets through all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Let {
    /// Nothing.
    Nothing,
    /// Fixes, those of security too.
    #[default]
    Fixes,
    /// Fixes of security alone.
    Security,
}

impl Let {
    /// Whether it lets a change through.
    pub fn passes(self, class: Option<ChangeClass>) -> bool {
        match self {
            Self::Nothing => false,
            Self::Fixes => matches!(class, Some(ChangeClass::Fix | ChangeClass::Security)),
            Self::Security => class == Some(ChangeClass::Security),
        }
    }
}

/// A freeze. Times are those of clocks on the wall of its time zone.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Freeze {
    /// Why.
    pub title: String,
    /// Name of the time zone, such as `Asia/Shanghai`.
    pub time_zone: String,
    /// Beginning of a single one, such as `2026-12-24T18:00`.
    pub from: Option<DateTime>,
    /// Its end.
    pub to: Option<DateTime>,
    /// Of every week.
    pub weekly: Option<Weekly>,
    /// What is let through.
    #[serde(default)]
    pub allow: Let,
}

/// From a day and time of every week to another.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weekly {
    /// Such as `Fri 18:00`.
    pub from: Moment,
    /// Such as `Mon 06:00`.
    pub to: Moment,
}

/// A day of the week and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(Weekday, Time);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let wrong = || serde::de::Error::custom(format_args!("{text:?} is no day and time such as Fri 18:00"));
        let (day, time) = text.split_once(' ').ok_or_else(wrong)?;
        let day = match day {
            "Mon" => Weekday::Monday,
            "Tue" => Weekday::Tuesday,
            "Wed" => Weekday::Wednesday,
            "Thu" => Weekday::Thursday,
            "Fri" => Weekday::Friday,
            "Sat" => Weekday::Saturday,
            "Sun" => Weekday::Sunday,
            _ => return Err(wrong()),
        };
        time.parse().map(|time| Self(day, time)).map_err(|_| wrong())
    }
}

impl Freeze {
    /// What makes it impossible to follow.
    pub(super) fn fault(&self) -> Option<String> {
        let what = match (self.from, self.to, &self.weekly) {
            _ if self.zone().is_none() => format!("the time zone {:?} is not known", self.time_zone),
            (Some(from), Some(to), None) if from < to => return None,
            (Some(_), Some(_), None) => "to is not after from".to_owned(),
            (None, None, Some(weekly)) if weekly.from != weekly.to => return None,
            (None, None, Some(_)) => "a week from and to the same moment".to_owned(),
            _ => "state either from and to, or weekly".to_owned(),
        };
        Some(format!("the freeze {:?}: {what}", self.title))
    }

    fn zone(&self) -> Option<TimeZone> {
        TimeZone::get(&self.time_zone).ok()
    }

    /// The end of the freeze that is on at a time. A time zone that cannot be
    /// had freezes, with no end known.
    pub fn until(&self, at: Timestamp) -> Option<Option<Timestamp>> {
        let Some(zone) = self.zone() else { return Some(None) };
        let is_on = |from: Option<Timestamp>, to: Option<Timestamp>| match (from, to) {
            (Some(from), Some(to)) => (from <= at && at < to).then_some(Some(to)),
            _ => Some(None),
        };
        let instant = |when: DateTime| zone.to_timestamp(when).ok();
        match (self.from, self.to, &self.weekly) {
            (Some(from), Some(to), _) => is_on(instant(from), instant(to)),
            (_, _, Some(weekly)) => {
                let (from, to) = weekly.around(&at.to_zoned(zone.clone()))?;
                is_on(instant(from), instant(to))
            }
            _ => Some(None),
        }
    }
}

impl Weekly {
    /// The latest window that began by then.
    fn around(&self, at: &Zoned) -> Option<(DateTime, DateTime)> {
        let now = at.datetime();
        let back = i64::from(now.weekday().since(self.from.0));
        let mut from = now.date().checked_sub(Span::new().days(back)).ok()?.to_datetime(self.from.1);
        if from > now {
            from = from.checked_sub(Span::new().days(7)).ok()?;
        }
        let ahead = i64::from(self.to.0.since(self.from.0));
        let mut to = from.date().checked_add(Span::new().days(ahead)).ok()?.to_datetime(self.to.1);
        if to <= from {
            to = to.checked_add(Span::new().days(7)).ok()?;
        }
        Some((from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freeze(fields: &str) -> Freeze {
        let freeze: Freeze = serde_saphyr::from_str(&format!("{{title: t, {fields}}}")).unwrap();
        assert_eq!(freeze.fault(), None);
        freeze
    }

    fn until(freeze: &Freeze, at: &str) -> Option<String> {
        freeze.until(at.parse().unwrap()).map(|until| until.unwrap().to_string())
    }

    #[test]
    fn a_single_one_is_read_on_the_clocks_of_its_zone() {
        let year = freeze("timeZone: Asia/Shanghai, from: '2026-12-24T18:00', to: '2027-01-02T08:00'");
        assert_eq!(until(&year, "2026-12-24T09:59:59Z"), None);
        assert_eq!(until(&year, "2026-12-24T10:00:00Z").unwrap(), "2027-01-02T00:00:00Z");
        assert_eq!(until(&year, "2027-01-02T00:00:00Z"), None);
    }

    #[test]
    fn a_weekend_ends_on_monday_also_when_clocks_change() {
        let weekend = freeze("timeZone: Europe/Berlin, weekly: {from: Fri 18:00, to: Mon 06:00}");
        // Clocks go forward on Sunday, 2026-03-29.
        assert_eq!(until(&weekend, "2026-03-27T16:59:59Z"), None);
        assert_eq!(until(&weekend, "2026-03-27T17:00:00Z").unwrap(), "2026-03-30T04:00:00Z");
        assert_eq!(until(&weekend, "2026-03-30T03:59:59Z").unwrap(), "2026-03-30T04:00:00Z");
        assert_eq!(until(&weekend, "2026-03-30T04:00:00Z"), None);
        let night = freeze("timeZone: UTC, weekly: {from: Wed 22:00, to: Wed 04:00}");
        assert!(until(&night, "2026-03-31T12:00:00Z").is_some(), "six days long");
    }

    #[test]
    fn what_cannot_be_followed_is_told() {
        for fields in [
            "timeZone: Mars/Olympus, from: '2026-12-24T18:00', to: '2027-01-02T08:00'",
            "timeZone: UTC, from: '2026-12-24T18:00', to: '2026-12-24T18:00'",
            "timeZone: UTC, from: '2026-12-24T18:00'",
            "timeZone: UTC, weekly: {from: Fri 18:00, to: Fri 18:00}",
        ] {
            let freeze: Freeze = serde_saphyr::from_str(&format!("{{title: t, {fields}}}")).unwrap();
            assert!(freeze.fault().is_some(), "{fields}");
        }
        assert!(
            serde_saphyr::from_str::<Freeze>("{title: t, timeZone: UTC, weekly: {from: Freitag, to: Mon 06:00}}")
                .is_err()
        );
    }
}
