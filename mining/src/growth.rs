//! How price and difficulty grow from their values on the first day: the
//! convention is an input, because over years it moves the result by percents.
//!
//! Rates are per month. Where a convention needs a part of a month, the month
//! has 30.4375 days (365.25 / 12), and the factor is
//! `exp(ln(1 + rate) · part)`, computed in integers and rounded to 36 decimals.

use jiff::civil::Date;
use num_bigint::BigInt;
use num_traits::{One, Zero};
use serde::{Deserialize, Serialize};

use crate::exact::{Exact, FACTOR_DECIMALS, power_of_ten};
use crate::protocol::EPOCH_BLOCKS;

/// Decimals kept inside logarithm and exponential, beyond those of factors.
const INNER: u32 = FACTOR_DECIMALS + 12;

/// When growth takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convention {
    /// A little every day.
    DailyContinuous,
    /// Once a calendar month, on the day of the month the projection began.
    MonthStart,
    /// As at the middle of each calendar month, for all of it.
    MonthMiddle,
    /// Difficulty with each retarget, 2016 blocks; price a little every day.
    PerEpoch,
}

impl Convention {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::DailyContinuous, Self::MonthStart, Self::MonthMiddle, Self::PerEpoch];

    /// Its name in records and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DailyContinuous => "daily-continuous",
            Self::MonthStart => "month-start",
            Self::MonthMiddle => "month-middle",
            Self::PerEpoch => "per-epoch",
        }
    }
}

/// A day of a projection, as growth sees it.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Days since the first.
    pub day: u32,
    /// Whole calendar months since the first day.
    pub month: u32,
    /// Retargets since the first day.
    pub epoch: u32,
}

impl Moment {
    /// Of the day `day` days after `start`, when `height` is the height on the
    /// first day and `now` on this one.
    pub fn of(start: Date, date: Date, day: u32, height: u64, now: u64) -> Self {
        let months = (i32::from(date.year()) - i32::from(start.year())) * 12 + i32::from(date.month())
            - i32::from(start.month());
        // A start on the 31st steps on the last day of shorter months.
        let reached = date.day() >= start.day().min(date.days_in_month());
        let month = u32::try_from(months - i32::from(!reached)).unwrap_or(0);
        let epoch = u32::try_from(now / EPOCH_BLOCKS - height / EPOCH_BLOCKS).unwrap_or(u32::MAX);
        Self { day, month, epoch }
    }
}

/// Factors of one quantity under one convention, from day to day.
#[derive(Clone, Debug)]
pub struct Growth {
    step: Exact,
    at: fn(Moment) -> u32,
    reached: u32,
    factor: Exact,
}

impl Growth {
    /// Of the price.
    pub fn of_price(rate: &Exact, convention: Convention) -> Self {
        match convention {
            Convention::DailyContinuous | Convention::PerEpoch => Self::daily(rate),
            Convention::MonthStart => Self::monthly(rate, Exact::one()),
            Convention::MonthMiddle => Self::monthly(rate, part_of(rate, 1, 2)),
        }
    }

    /// Of the difficulty.
    pub fn of_difficulty(rate: &Exact, convention: Convention) -> Self {
        match convention {
            // 14 days of 30.4375.
            Convention::PerEpoch => {
                Self { step: part_of(rate, 224, 487), at: |moment| moment.epoch, reached: 0, factor: Exact::one() }
            }
            _ => Self::of_price(rate, convention),
        }
    }

    fn daily(rate: &Exact) -> Self {
        // One day of 30.4375 = 487/16.
        Self { step: part_of(rate, 16, 487), at: |moment| moment.day, reached: 0, factor: Exact::one() }
    }

    fn monthly(rate: &Exact, factor: Exact) -> Self {
        Self { step: Exact::one() + rate.clone(), at: |moment| moment.month, reached: 0, factor }
    }

    /// The factor at `moment`, which is not before any asked for already.
    pub fn factor(&mut self, moment: Moment) -> &Exact {
        while self.reached < (self.at)(moment) {
            self.factor = (&self.factor * &self.step).rounded(FACTOR_DECIMALS);
            self.reached += 1;
        }
        &self.factor
    }
}

/// `(1 + rate)^(part / whole)` to 36 decimals, for a rate above −1.
pub fn part_of(rate: &Exact, part: u32, whole: u32) -> Exact {
    let base = Exact::one() + rate.clone();
    let exponent = logarithm(&base) * BigInt::from(part) / BigInt::from(whole.max(1));
    Exact::scaled(exponential(&exponent), INNER).rounded(FACTOR_DECIMALS)
}

/// ln(base) in units of 10^-INNER, by the series of the inverse hyperbolic
/// tangent; `base` is above zero.
fn logarithm(base: &Exact) -> BigInt {
    let quotient = (base - &Exact::one()).over(&(base + &Exact::one())).unwrap_or_else(Exact::zero);
    let ratio = quotient.units(INNER);
    let square = &ratio * &ratio / power_of_ten(INNER);
    let (mut power, mut sum, mut odd) = (ratio, BigInt::zero(), BigInt::one());
    while !power.is_zero() {
        sum += &power / &odd;
        power = power * &square / power_of_ten(INNER);
        odd += 2;
    }
    sum * 2
}

/// exp(exponent), both in units of 10^-INNER, by its series.
fn exponential(exponent: &BigInt) -> BigInt {
    let (mut term, mut sum, mut step) = (power_of_ten(INNER), BigInt::zero(), BigInt::zero());
    while !term.is_zero() {
        sum += &term;
        step += 1;
        term = term * exponent / (power_of_ten(INNER) * &step);
    }
    sum
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).unwrap()
    }

    #[test]
    fn parts_of_a_month_multiply_to_the_whole() {
        assert_eq!(part_of(&exact("0.21"), 1, 2).text(30), "1.100000000000000000000000000000");
        assert_eq!(part_of(&Exact::zero(), 16, 487), Exact::one());
        assert_eq!(part_of(&exact("1"), 1, 2).text(30), "1.414213562373095048801688724210");
        assert_eq!(part_of(&exact("-0.5"), 1, 2).text(30), "0.707106781186547524400844362105");
    }

    #[test]
    fn conventions_have_names_of_their_own() {
        let names = Convention::ALL.map(Convention::name);
        assert_eq!(names, ["daily-continuous", "month-start", "month-middle", "per-epoch"]);
    }

    #[test]
    fn months_are_counted_by_the_calendar() {
        let month = |start: Date, on: Date| Moment::of(start, on, 0, 0, 0).month;
        assert_eq!(month(date(2026, 1, 31), date(2026, 2, 27)), 0);
        assert_eq!(month(date(2026, 1, 31), date(2026, 2, 28)), 1);
        assert_eq!(month(date(2026, 1, 31), date(2026, 3, 30)), 1);
        assert_eq!(month(date(2026, 11, 23), date(2027, 11, 22)), 11);
        assert_eq!(month(date(2026, 11, 23), date(2027, 11, 23)), 12);
        assert_eq!(Moment::of(date(2026, 1, 1), date(2026, 1, 15), 14, 2015, 2016).epoch, 1);
    }

    #[test]
    fn conventions_step_where_they_say() {
        let rate = exact("0.1");
        let at = |convention, day, month, epoch| {
            let moment = Moment { day, month, epoch };
            [Growth::of_price(&rate, convention), Growth::of_difficulty(&rate, convention)]
                .map(|mut growth| growth.factor(moment).text(6))
        };
        assert_eq!(at(Convention::MonthStart, 30, 0, 2), ["1.000000", "1.000000"]);
        assert_eq!(at(Convention::MonthStart, 31, 1, 2), ["1.100000", "1.100000"]);
        assert_eq!(at(Convention::MonthMiddle, 0, 0, 0), ["1.048809", "1.048809"]);
        assert_eq!(at(Convention::DailyContinuous, 487, 0, 0), ["4.594973", "4.594973"], "16 months");
        assert_eq!(at(Convention::PerEpoch, 487, 0, 0), ["4.594973", "1.000000"]);
    }

    proptest! {
        #[test]
        fn the_powers_of_a_part_are_the_whole(hundredths in -49_i128..100, parts in 2_u32..60) {
            let rate = Exact::fraction(hundredths, 100).unwrap();
            let whole = part_of(&rate, 1, parts).power(parts);
            let difference = &whole - &(Exact::one() + rate);
            prop_assert!(difference.text(30).trim_start_matches('-').bytes().all(|b| b == b'0' || b == b'.'), "{difference:?}");
        }
    }
}
