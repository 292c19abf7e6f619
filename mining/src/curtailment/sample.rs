//! A year of prices that never were: seeded, the same for everyone, with a
//! spring day of 23 hours, an autumn day of 25, sunny hours below zero and a few
//! hours of scarcity. Everywhere it is shown it is labelled synthetic.

use std::fmt::Write;

use jiff::civil::{Date, Weekday, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::{Curve, Run};
use crate::input::Refusal;
use crate::micro::Micro;

/// The zone of the sample, by its own rule: central Europe's clocks.
pub const SAMPLE_ZONE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

/// What tells one sample from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The seed.
    pub seed: u64,
    /// The year.
    pub year: i16,
    /// Length of an interval: 5, 10, 15, 20, 30 or 60 minutes.
    pub minutes: u32,
}

impl Default for Sample {
    fn default() -> Self {
        Self { seed: 1, year: 2025, minutes: 60 }
    }
}

/// Mean price of each local hour, USD/MWh.
const HOURS: [i64; 24] =
    [62, 57, 54, 52, 53, 60, 74, 92, 98, 84, 68, 55, 46, 42, 44, 55, 72, 98, 118, 122, 108, 92, 80, 70];
/// What the month adds, USD/MWh.
const MONTHS: [i64; 12] = [30, 24, 8, -10, -22, -26, -20, -14, -4, 6, 18, 26];
/// What the sun takes away at noon in each month, USD/MWh.
const SUN: [i64; 12] = [0, 5, 25, 45, 60, 65, 60, 50, 30, 10, 0, 0];
/// Chance of a scarce evening hour in each month, of 1000.
const SCARCE: [u64; 12] = [35, 25, 5, 1, 1, 2, 8, 10, 3, 5, 15, 30];

/// Whole numbers that look drawn: SplitMix64.
struct Stream(u64);

impl Stream {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `bound`, the latter excluded.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// From `-half` to `half`, both included.
    fn around(&mut self, half: i64) -> i64 {
        i64::try_from(self.below(half.unsigned_abs() * 2 + 1)).unwrap_or_default() - half
    }
}

impl Sample {
    fn zone() -> TimeZone {
        TimeZone::posix(SAMPLE_ZONE).unwrap_or(TimeZone::UTC)
    }

    /// The year's prices.
    pub fn curve(&self) -> Result<Curve, Refusal> {
        if !(2009..=2200).contains(&self.year) || ![5, 10, 15, 20, 30, 60].contains(&self.minutes) {
            return Err(Refusal::Dates);
        }
        let zone = Self::zone();
        let begin = |date: Date| zone.to_timestamp(date.at(0, 0, 0, 0)).map_err(|_| Refusal::Dates);
        let (start, end) = (begin(date(self.year, 1, 1))?, begin(date(self.year + 1, 1, 1))?);
        let mut stream = Stream(self.seed);
        let (mut weather, mut scarce, mut prices, mut at) = (0, 0, Vec::new(), start);
        let per_hour = 60 / self.minutes;
        while at < end {
            let local = at.to_zoned(zone.clone());
            let (hour, month) = (local.hour().unsigned_abs() as usize, local.month().unsigned_abs() as usize - 1);
            // Weather of one hour is mostly that of the hour before.
            weather = weather * 95 / 100 + stream.around(1200);
            let evening = (17..=20).contains(&hour);
            scarce =
                if evening && stream.below(1000) < SCARCE[month] { 150 + stream.around(100) * 3 } else { scarce / 3 };
            let noon = (6 - (13 - i64::try_from(hour).unwrap_or_default()).abs()).max(0);
            let free = matches!(local.weekday(), Weekday::Saturday | Weekday::Sunday);
            let hourly = HOURS[hour] + MONTHS[month] - SUN[month] * noon / 6 - if free { 14 + noon * 5 } else { 0 };
            for _ in 0..per_hour {
                let cents =
                    (hourly + scarce.max(0)) * 100 + weather + stream.around(if per_hour > 1 { 900 } else { 200 });
                prices.push(Micro::of(cents * 10_000));
            }
            at = at.checked_add(1.hour()).map_err(|_| Refusal::Dates)?;
        }
        Ok(Curve { minutes: self.minutes, runs: vec![Run { start, prices }] })
    }

    /// The same as a file, every line labelled.
    pub fn csv(&self) -> Result<String, Refusal> {
        let (zone, mut text) = (Self::zone(), String::from("time,usd_per_mwh,source\n"));
        for (start, price) in self.curve()?.points() {
            let _ = writeln!(text, "{},{price},synthetic (seed {})", local(start, &zone), self.seed);
        }
        Ok(text)
    }
}

fn local(start: Timestamp, zone: &TimeZone) -> String {
    let offset = zone.to_offset(start);
    start.display_with_offset(offset).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_year_has_what_it_promises() {
        let curve = Sample::default().curve().unwrap();
        assert_eq!(curve.points().count(), 8760);
        let text = Sample::default().csv().unwrap();
        assert_eq!(Curve::read(text.as_bytes(), None).unwrap(), curve, "it reads back");
        let of_day = |day: &str| text.lines().filter(|line| line.starts_with(day)).count();
        assert_eq!([of_day("2025-03-30"), of_day("2025-10-26"), of_day("2025-07-01")], [23, 25, 24]);
        let prices: Vec<i64> = curve.points().map(|(_, price)| price.units()).collect();
        let negative = prices.iter().filter(|price| **price < 0).count();
        assert!((100..900).contains(&negative), "{negative}");
        assert!(prices.iter().max().unwrap() > &300_000_000);
        assert!(text.lines().skip(1).all(|line| line.ends_with("synthetic (seed 1)")));
    }

    #[test]
    fn one_seed_is_one_year_and_another_is_another() {
        let sample = Sample { minutes: 5, ..Sample::default() };
        let curve = sample.curve().unwrap();
        assert_eq!((curve.points().count(), curve.minutes), (105_120, 5));
        assert_eq!(sample.curve().unwrap(), curve);
        assert_ne!(Sample { seed: 2, ..sample }.curve().unwrap(), curve);
        assert_eq!(Sample { minutes: 7, ..sample }.curve(), Err(Refusal::Dates));
        assert_eq!(Sample { year: 1999, ..sample }.csv(), Err(Refusal::Dates));
    }
}
