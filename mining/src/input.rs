//! What may be put in: every field with its limits, and the refusal that names
//! both.

use crate::Sentence;
use crate::exact::{Exact, NotANumber};
use crate::micro::Micro;

/// A field people fill in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Hashrate of a machine, TH/s.
    TerahashPerSecond,
    /// Power of a machine at the wall, W.
    Watts,
    /// Network difficulty.
    Difficulty,
    /// Subsidy of a block, BTC.
    SubsidyBtc,
    /// Fees of a block, BTC.
    FeesBtc,
    /// Price of a bitcoin, USD.
    PriceUsd,
    /// The pool's share, as a fraction.
    PoolFee,
    /// Price of energy, USD/kWh; may be negative.
    UsdPerKwh,
    /// Share of the time the machine runs.
    Uptime,
    /// Energy metered for each unit the machine takes: cooling, conversion.
    MeterFactor,
    /// What a machine costs, USD.
    CapexUsd,
    /// Hosting and other costs a day, USD.
    OtherUsdPerDay,
    /// Growth a month, as a fraction: 0.02 is two percent.
    GrowthPerMonth,
    /// Discount a year, as a fraction.
    DiscountPerYear,
    /// Share of the network's hashrate, as a fraction.
    Share,
    /// Days.
    Days,
    /// Calendar months.
    Months,
    /// Years of depreciation.
    Years,
    /// How many machines.
    Count,
    /// Values along an axis of a heatmap.
    Steps,
    /// Network hashrate, EH/s.
    Exahash,
    /// Power of a machine that is stopped, W.
    StandbyWatts,
    /// Minutes.
    Minutes,
    /// Wear of a machine with each stop and start, USD.
    WearUsd,
    /// Price of energy, USD/MWh; may be negative.
    UsdPerMwh,
    /// Revenue of hashrate after the pool's share, USD/PH/day.
    UsdPerPetahashDay,
    /// Height of a block.
    Height,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::TerahashPerSecond,
        Self::Watts,
        Self::Difficulty,
        Self::SubsidyBtc,
        Self::FeesBtc,
        Self::PriceUsd,
        Self::PoolFee,
        Self::UsdPerKwh,
        Self::Uptime,
        Self::MeterFactor,
        Self::CapexUsd,
        Self::OtherUsdPerDay,
        Self::GrowthPerMonth,
        Self::DiscountPerYear,
        Self::Share,
        Self::Days,
        Self::Months,
        Self::Years,
        Self::Count,
        Self::Steps,
        Self::Exahash,
        Self::StandbyWatts,
        Self::Minutes,
        Self::WearUsd,
        Self::UsdPerMwh,
        Self::UsdPerPetahashDay,
        Self::Height,
    ];

    /// Its name in files and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TerahashPerSecond => "terahash_per_second",
            Self::Watts => "watts",
            Self::Difficulty => "difficulty",
            Self::SubsidyBtc => "subsidy_btc",
            Self::FeesBtc => "fees_btc",
            Self::PriceUsd => "price_usd",
            Self::PoolFee => "pool_fee",
            Self::UsdPerKwh => "usd_per_kwh",
            Self::Uptime => "uptime",
            Self::MeterFactor => "meter_factor",
            Self::CapexUsd => "capex_usd",
            Self::OtherUsdPerDay => "other_usd_per_day",
            Self::GrowthPerMonth => "growth_per_month",
            Self::DiscountPerYear => "discount_per_year",
            Self::Share => "share",
            Self::Days => "days",
            Self::Months => "months",
            Self::Years => "years",
            Self::Count => "count",
            Self::Steps => "steps",
            Self::Exahash => "network_exahash",
            Self::StandbyWatts => "standby_watts",
            Self::Minutes => "minutes",
            Self::WearUsd => "wear_usd",
            Self::UsdPerMwh => "usd_per_mwh",
            Self::UsdPerPetahashDay => "usd_per_petahash_day",
            Self::Height => "height",
        }
    }

    /// The least and the most it may be.
    pub const fn limits(self) -> (&'static str, &'static str) {
        match self {
            Self::TerahashPerSecond => ("0.1", "5000"),
            Self::Watts => ("1", "100000"),
            Self::Difficulty => ("1", "100000000000000000000"),
            Self::SubsidyBtc => ("0", "50"),
            Self::FeesBtc => ("0", "1000"),
            Self::PoolFee | Self::Uptime => ("0", "1"),
            Self::UsdPerKwh => ("-100", "100"),
            Self::MeterFactor => ("1", "5"),
            Self::PriceUsd | Self::CapexUsd | Self::OtherUsdPerDay => ("0", "1000000000"),
            Self::GrowthPerMonth => ("-0.5", "1"),
            Self::DiscountPerYear => ("0", "10"),
            Self::Share => ("0.000000000001", "1"),
            Self::Days => ("1", "7305"),
            Self::Months => ("1", "240"),
            Self::Years => ("1", "40"),
            Self::Count => ("1", "10000000"),
            Self::Steps => ("1", "101"),
            Self::Exahash => ("0.000001", "1000000000"),
            Self::Minutes => ("0", "10080"),
            Self::StandbyWatts | Self::WearUsd => ("0", "10000"),
            Self::UsdPerMwh => ("-100000", "100000"),
            Self::UsdPerPetahashDay => ("0", "1000000"),
            Self::Height => ("0", "100000000"),
        }
    }

    /// Reads the field from text.
    pub fn read(self, text: &str) -> Result<Exact, Refusal> {
        let value = Exact::parse(text).map_err(|why| Refusal::NotANumber {
            field: self,
            text: text.chars().take(40).collect(),
            why,
        })?;
        self.check(&value).map(|()| value)
    }

    /// Reads the field from text, with at most six decimals.
    pub fn read_micro(self, text: &str) -> Result<Micro, Refusal> {
        let value = Micro::parse(text).map_err(|why| Refusal::NotANumber {
            field: self,
            text: text.chars().take(40).collect(),
            why,
        })?;
        self.check_micro(value).map(|()| value)
    }

    /// Refuses what is beyond the limits.
    pub fn check_micro(self, value: Micro) -> Result<(), Refusal> {
        let (least, most) = self.limits();
        // A limit that does not fit is never reached.
        let beyond =
            Micro::parse(least).is_ok_and(|least| value < least) || Micro::parse(most).is_ok_and(|most| value > most);
        if beyond { Err(Refusal::OutOfRange { field: self, value: value.to_string(), least, most }) } else { Ok(()) }
    }

    /// Refuses what is beyond the limits.
    pub fn check(self, value: &Exact) -> Result<(), Refusal> {
        let (least, most) = self.limits();
        let limit = |text| Exact::parse(text).unwrap_or_else(|_| Exact::zero());
        if *value < limit(least) || *value > limit(most) {
            return Err(Refusal::OutOfRange { field: self, value: value.text(6), least, most });
        }
        Ok(())
    }
}

/// Why an input is refused: which field, what it was, what it may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no number.
    #[error("{}: \"{text}\" is no number: {why}", field.name())]
    NotANumber {
        /// The field.
        field: Field,
        /// What stood there, at most 40 characters.
        text: String,
        /// What is wrong with it.
        why: NotANumber,
    },
    /// It is beyond its limits.
    #[error("{}: {value} is not between {least} and {most}", field.name())]
    OutOfRange {
        /// The field.
        field: Field,
        /// What it was.
        value: String,
        /// The least it may be.
        least: &'static str,
        /// The most it may be.
        most: &'static str,
    },
    /// A figure does not fit what results are kept in.
    #[error("difficulty: too small for so many machines: a result would not fit 128 bits")]
    Overflow,
    /// A date that does not exist or is too far away.
    #[error("start: the projection would leave the years 2009 to 2200")]
    Dates,
}

impl Refusal {
    /// The field it is about; none when it is about all of them together.
    pub const fn field(&self) -> Option<Field> {
        match self {
            Self::NotANumber { field, .. } | Self::OutOfRange { field, .. } => Some(*field),
            Self::Overflow | Self::Dates => None,
        }
    }

    /// What it means and what to do.
    pub fn sentence(&self) -> Sentence {
        let zh = match self {
            Self::NotANumber { text, .. } => format!("“{text}”不是可识别的数字（至多六位小数）"),
            Self::OutOfRange { value, least, most, .. } => format!("{value} 不在 {least} 至 {most} 之间"),
            Self::Overflow => "相对于矿机数量，难度过低：结果超出 128 位".to_owned(),
            Self::Dates => "预测将超出 2009 至 2200 年".to_owned(),
        };
        Sentence { en: self.to_string(), zh }
    }

    /// A stable code for files and programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotANumber { why: NotANumber::Precise, .. } => "TooPrecise",
            Self::NotANumber { .. } => "NotANumber",
            Self::Overflow => "Overflow",
            Self::OutOfRange { .. } => "OutOfRange",
            Self::Dates => "Dates",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_name_of_its_own_and_limits_that_read() {
        let mut names: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Field::ALL.len());
        for field in Field::ALL {
            let (least, most) = field.limits();
            assert!(field.read(least).unwrap() < field.read(most).unwrap(), "{field:?}");
            let beyond = &Exact::parse(most).unwrap() + &Exact::one();
            let below = &Exact::parse(least).unwrap() - &Exact::one();
            for value in [beyond, below] {
                let refusal = field.check(&value).unwrap_err();
                assert_eq!(refusal.code(), "OutOfRange");
                assert!(refusal.to_string().starts_with(field.name()) && refusal.to_string().contains(least));
            }
        }
    }

    #[test]
    fn six_decimals_are_read_within_the_same_limits() {
        assert_eq!(Field::Watts.read_micro("3500.5"), Ok(Micro::of(3_500_500_000)));
        for (text, code) in
            [("0.5", "OutOfRange"), ("100001", "OutOfRange"), ("x", "NotANumber"), ("1.1234567", "TooPrecise")]
        {
            assert_eq!(Field::Watts.read_micro(text).unwrap_err().code(), code, "{text}");
        }
        assert_eq!(Field::Difficulty.read_micro("9000000000000"), Ok(Micro::whole(9_000_000_000_000)));
        assert_eq!((Refusal::Overflow.code(), Refusal::Overflow.field()), ("Overflow", None));
        let refusal = Field::Watts.read("0").unwrap_err();
        assert_eq!(refusal.field(), Some(Field::Watts));
        assert!(refusal.sentence().zh.contains("不在 1 至 100000 之间") && refusal.sentence().en.contains("watts"));
        for refusal in [Refusal::Overflow, Refusal::Dates] {
            assert!(refusal.sentence().zh.contains('：') || refusal.sentence().zh.contains("超出"));
        }
    }

    #[test]
    fn a_refusal_quotes_little_of_what_it_refuses() {
        let refusal = Field::Watts.read(&"x".repeat(10_000_000)).unwrap_err();
        assert_eq!(refusal.code(), "NotANumber");
        assert!(refusal.to_string().len() < 200, "{}", refusal.to_string().len());
        assert_eq!(Refusal::Dates.code(), "Dates");
    }
}
