//! Prices of energy over time, in intervals of one length. Times are instants,
//! so a day of 23 or 25 hours is what it is; prices may be negative; what is
//! missing is counted as missing and as nothing else.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde::{Deserialize, Serialize};

use crate::input::{Field, Refusal};
use crate::micro::Micro;

/// Intervals that are read at most: ten years of five minutes.
const INTERVALS_MAX: usize = 1_060_000;
/// Bytes of one field.
const FIELD_MAX: usize = 64;

/// Intervals that follow each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Start of the first.
    pub start: Timestamp,
    /// Prices, USD/MWh.
    pub prices: Vec<Micro>,
}

/// Prices over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// Length of an interval, minutes.
    pub minutes: u32,
    /// Runs, the earliest first, with gaps between them.
    pub runs: Vec<Run>,
}

/// Why prices cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, {field}: {problem}")]
pub struct BadPrices {
    /// The line.
    pub line: u64,
    /// The column.
    pub field: &'static str,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with prices.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No column for the time or the price.
    #[error("no such column; the first line must name time and usd_per_mwh (or usd_per_kwh)")]
    NoColumn,
    /// It is no CSV.
    #[error("not readable as CSV: {0}")]
    Csv(String),
    /// A time that is none.
    #[error("\"{0}\" is no time; write 2026-03-29T01:00:00+01:00")]
    NotATime(String),
    /// A local time without a zone.
    #[error("\"{0}\" has no offset from UTC; add one, or name the zone: --zone Europe/Berlin")]
    NoOffset(String),
    /// A local time that a change of clocks leaves out.
    #[error("\"{0}\" does not exist: the clocks were put forward over it")]
    InGap(String),
    /// A price that is none.
    #[error(transparent)]
    Price(#[from] Refusal),
    /// A time that does not come after the one before.
    #[error("not after the line before")]
    Backwards,
    /// An interval of another length.
    #[error("{0} s after the line before, which is not a multiple of {1} minutes")]
    Irregular(i64, u32),
    /// Too few or too many.
    #[error("{0} intervals; between 2 and {INTERVALS_MAX} are needed")]
    Count(usize),
    /// A length that is none.
    #[error("intervals of {0} s; they must be whole minutes that divide an hour")]
    Length(i64),
}

impl Curve {
    /// Reads columns of time and price, in any order, among others. Times carry
    /// their offset, or are local to `zone`; where clocks are put back, the
    /// first of two equal times is the earlier.
    pub fn read(bytes: &[u8], zone: Option<&TimeZone>) -> Result<Self, BadPrices> {
        let bad = |line, field, problem| BadPrices { line, field, problem };
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let delimiter = [b';', b'\t'].into_iter().find(|delimiter| first.contains(delimiter)).unwrap_or(b',');
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(bytes);
        let header = reader.byte_headers().map_err(|error| bad(1, "header", Problem::Csv(error.to_string())))?;
        let column = |names: &[&str]| {
            header.iter().position(|name| names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())))
        };
        let time = column(&["time", "timestamp", "start", "interval_start", "时间"]);
        let time = time.ok_or_else(|| bad(1, "time", Problem::NoColumn))?;
        // A price whose unit nobody says could be a thousand times another.
        let per_mwh = column(&["usd_per_mwh", "lmp", "电价(USD/MWh)"]).map(|at| (at, Field::UsdPerMwh));
        let price = per_mwh.or_else(|| column(&["usd_per_kwh", "电价(USD/kWh)"]).map(|at| (at, Field::UsdPerKwh)));
        let (price, unit) = price.ok_or_else(|| bad(1, "usd_per_mwh", Problem::NoColumn))?;
        let (mut points, mut lines): (Vec<(Timestamp, Micro)>, Vec<u64>) = (Vec::new(), Vec::new());
        let mut record = csv::ByteRecord::new();
        let mut place = Place { bytes, at: 0, line: 1 };
        loop {
            let more = reader
                .read_byte_record(&mut record)
                .map_err(|error| bad(place.line(error.position()), "line", Problem::Csv(error.to_string())))?;
            if !more {
                break;
            }
            let line = place.line(record.position());
            let field = |at: usize| {
                let text = record.get(at).unwrap_or_default();
                String::from_utf8_lossy(text.get(..FIELD_MAX).unwrap_or(text)).into_owned()
            };
            let last = points.last().map(|(time, _)| *time);
            let at = instant(&field(time), zone, last).map_err(|problem| bad(line, "time", problem))?;
            if last.is_some_and(|last| at <= last) {
                return Err(bad(line, "time", Problem::Backwards));
            }
            let value = unit.read_micro(&field(price)).map_err(|refusal| bad(line, unit.name(), refusal.into()))?;
            let value = if unit == Field::UsdPerKwh { Micro::of(value.units() * 1000) } else { value };
            if points.len() == INTERVALS_MAX {
                return Err(bad(line, "time", Problem::Count(points.len() + 1)));
            }
            points.push((at, value));
            lines.push(line);
        }
        Self::of(&points).map_err(|(at, problem)| bad(lines.get(at).copied().unwrap_or(2), "time", problem))
    }

    /// From starts and prices, in order; fails with the point that does not fit.
    fn of(points: &[(Timestamp, Micro)]) -> Result<Self, (usize, Problem)> {
        let apart = |pair: &[(Timestamp, Micro)]| pair[1].0.as_second() - pair[0].0.as_second();
        let shortest = points.windows(2).map(apart).enumerate().min_by_key(|(_, length)| *length);
        let (at, length) = shortest.ok_or((0, Problem::Count(points.len())))?;
        let minutes = u32::try_from(length / 60).unwrap_or_default();
        if length % 60 != 0 || !(1..=60).contains(&minutes) || 60 % minutes != 0 {
            return Err((at + 1, Problem::Length(length)));
        }
        let mut runs: Vec<Run> = Vec::new();
        let mut last: Option<Timestamp> = None;
        for (at, (start, price)) in points.iter().enumerate() {
            let since = last.map(|last| start.as_second() - last.as_second());
            match (since, runs.last_mut()) {
                (Some(since), Some(run)) if since == length => run.prices.push(*price),
                (Some(since), _) if since % length != 0 => return Err((at, Problem::Irregular(since, minutes))),
                _ => runs.push(Run { start: *start, prices: vec![*price] }),
            }
            last = Some(*start);
        }
        Ok(Self { minutes, runs })
    }

    /// Refuses a curve that [`Curve::read`] would not have given.
    pub fn check(&self) -> Result<(), Refusal> {
        let points: Vec<(Timestamp, Micro)> = self.points().collect();
        points.iter().try_for_each(|(_, price)| Field::UsdPerMwh.check_micro(*price))?;
        let same = points.windows(2).all(|pair| pair[0].0 < pair[1].0) && Self::of(&points).as_ref() == Ok(self);
        if same && points.len() <= INTERVALS_MAX { Ok(()) } else { Err(Refusal::Dates) }
    }

    /// Starts and prices.
    pub fn points(&self) -> impl Iterator<Item = (Timestamp, Micro)> {
        self.runs.iter().flat_map(|run| {
            let at = |step: usize| i64::try_from(step).unwrap_or_default() * i64::from(self.minutes) * 60;
            let start = move |step: usize| {
                Timestamp::from_second(run.start.as_second().saturating_add(at(step))).unwrap_or(Timestamp::MAX)
            };
            run.prices.iter().enumerate().map(move |(step, price)| (start(step), *price))
        })
    }

    /// Intervals between the first and the last that have no price.
    pub fn missing(&self) -> u64 {
        let length = i64::from(self.minutes) * 60;
        let after = |run: &Run| run.start.as_second() + i64::try_from(run.prices.len()).unwrap_or_default() * length;
        let gaps = self.runs.windows(2).map(|pair| (pair[1].start.as_second() - after(&pair[0])) / length.max(1));
        gaps.sum::<i64>().unsigned_abs()
    }
}

/// Lines, counted on from record to record: the reader's own number is that of
/// the empty lines before.
struct Place<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Place<'_> {
    fn line(&mut self, position: Option<&csv::Position>) -> u64 {
        let begins = position.map_or(self.at, |position| usize::try_from(position.byte()).unwrap_or(self.at));
        let blank = self.bytes.iter().skip(begins).take_while(|byte| b"\r\n".contains(byte)).count();
        let read = self.bytes.get(self.at..begins + blank).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', read).count() as u64;
        self.at = self.at.max(begins + blank);
        self.line
    }
}

/// The instant that `text` names.
fn instant(text: &str, zone: Option<&TimeZone>, last: Option<Timestamp>) -> Result<Timestamp, Problem> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let local: DateTime = text.parse().map_err(|_| Problem::NotATime(text.to_owned()))?;
    let zone = zone.ok_or_else(|| Problem::NoOffset(text.to_owned()))?;
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let none = |_| Problem::NotATime(text.to_owned());
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => ambiguous.compatible().map_err(none),
        AmbiguousOffset::Gap { .. } => Err(Problem::InGap(text.to_owned())),
        AmbiguousOffset::Fold { .. } => {
            let earlier = ambiguous.earlier().map_err(none)?;
            if last.is_none_or(|last| earlier > last) { Ok(earlier) } else { ambiguous.later().map_err(none) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    #[test]
    fn days_of_23_and_25_hours_are_what_they_are() {
        let day = |date: &str, hours: &[u32]| {
            let rows: String = hours.iter().map(|hour| format!("{date} {hour:02}:00,-1.5\n")).collect();
            Curve::read(format!("time,usd_per_mwh\n{rows}").as_bytes(), Some(&berlin()))
        };
        let spring: Vec<u32> = (0..24).filter(|hour| *hour != 2).collect();
        let spring = day("2026-03-29", &spring).unwrap();
        assert_eq!((spring.minutes, spring.runs.len(), spring.points().count()), (60, 1, 23));
        let mut autumn: Vec<u32> = (0..24).collect();
        autumn.insert(2, 2);
        let autumn = day("2026-10-25", &autumn).unwrap();
        assert_eq!((autumn.runs.len(), autumn.points().count(), autumn.missing()), (1, 25, 0));
        let gap = day("2026-03-29", &[1, 2, 3]).unwrap_err();
        assert_eq!((gap.line, gap.problem), (3, Problem::InGap("2026-03-29 02:00".into())));
    }

    #[test]
    fn offsets_units_delimiters_and_other_columns_are_understood() {
        let curve = Curve::read(
            "\u{feff}zone;usd_per_kwh;Timestamp\nNP15;0.05;2026-11-01T01:55:00-07:00\nNP15;-0.1;2026-11-01T01:00:00-08:00\n\
             NP15;0.05;2026-11-01T01:20:00-08:00\n"
                .as_bytes(),
            None,
        )
        .unwrap();
        assert_eq!((curve.minutes, curve.runs.len(), curve.missing()), (5, 2, 3));
        let prices: Vec<String> = curve.points().map(|(_, price)| price.to_string()).collect();
        assert_eq!(prices, ["50", "-100", "50"]);
        assert_eq!(curve.check(), Ok(()));
        let json = serde_json::to_string(&curve).unwrap();
        assert_eq!(serde_json::from_str::<Curve>(&json).unwrap(), curve);
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_line_and_column() {
        let time = "time,usd_per_mwh\n2026-01-01T00:00Z,1\n";
        for (text, line, field, part) in [
            (String::new(), 1, "time", "no such column"),
            ("time\n".into(), 1, "usd_per_mwh", "no such column"),
            (format!("{time}2026-01-01T00:00Z,1\n"), 3, "time", "not after"),
            (format!("{time}2026-01-01T01:00Z,x\n"), 3, "usd_per_mwh", "no number"),
            (format!("{time}2026-01-01T01:00Z,NaN\n"), 3, "usd_per_mwh", "no number"),
            (format!("{time}2026-01-01T01:00Z,100001\n"), 3, "usd_per_mwh", "not between"),
            (format!("{time}2026-01-01 01:00,1\n"), 3, "time", "--zone"),
            (format!("{time}yesterday,1\n"), 3, "time", "no time"),
            (format!("{time}2026-01-01T01:00Z\n"), 3, "line", "CSV"),
            (time.into(), 2, "time", "1 intervals"),
            (format!("{time}\n2026-01-01T00:07Z,1\n"), 4, "time", "divide an hour"),
            (format!("{time}2026-01-01T01:00Z,1\n2026-01-01T02:30Z,1\n"), 4, "time", "multiple of 60"),
            (format!("{time}{},1\n", "9".repeat(10_000_000)), 3, "time", "no time"),
        ] {
            let error = Curve::read(text.as_bytes(), None).unwrap_err();
            assert_eq!((error.line, error.field), (line, field), "{error}");
            assert!(error.to_string().contains(part) && error.to_string().len() < 300, "{error}");
        }
        assert!(Curve::read(b"time,usd_per_mwh\n9999-12-31 23:59,1\n", Some(&berlin())).is_err());
    }

    #[test]
    fn more_than_ten_years_of_five_minutes_are_refused_where_they_begin() {
        let row = |at: usize| format!("{},1\n", Timestamp::from_second(i64::try_from(at).unwrap() * 60).unwrap());
        let text: String =
            std::iter::once("time,usd_per_mwh\n".to_owned()).chain((0..=INTERVALS_MAX).map(row)).collect();
        let error = Curve::read(text.as_bytes(), None).unwrap_err();
        assert_eq!((error.line, error.problem), (INTERVALS_MAX as u64 + 2, Problem::Count(INTERVALS_MAX + 1)));
    }

    #[test]
    fn a_curve_in_a_record_is_checked() {
        let run = |start: i64| Run { start: Timestamp::from_second(start).unwrap(), prices: vec![Micro::whole(1); 3] };
        let curve = |minutes, runs| Curve { minutes, runs };
        assert_eq!(curve(5, vec![run(0), run(1800)]).check(), Ok(()));
        for bad in [
            curve(5, vec![run(0), run(300)]),
            curve(10, vec![run(1800), run(0)]),
            curve(0, vec![run(0)]),
            curve(5, vec![]),
        ] {
            assert_eq!(bad.check(), Err(Refusal::Dates), "{bad:?}");
        }
        let dear = Run { prices: vec![Micro::whole(100_001); 2], ..run(0) };
        assert_eq!(curve(5, vec![dear]).check().unwrap_err().code(), "OutOfRange");
        let late = Run { start: Timestamp::MAX, ..run(0) };
        assert!(curve(5, vec![late]).check().is_err());
    }
}
