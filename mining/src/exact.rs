//! Exact numbers: fractions of integers without bound, and the one way they
//! are rounded.

use std::fmt;
use std::ops::{Add, Mul, Neg, Sub};

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Decimals of results as they are served.
pub const DECIMALS: u32 = 12;
/// Decimals that factors of growth and discount are kept at: from day to day
/// they are multiplied and rounded here, so that they stay finite.
pub const FACTOR_DECIMALS: u32 = 36;
/// Digits a decimal number may be written with.
const DIGITS_MAX: usize = 40;
/// Characters of an exact number in a record.
const CANONICAL_MAX: usize = 400;

/// An exact number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exact(BigRational);

/// Why a text is no number here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotANumber {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// It holds something other than digits, one point and a leading sign.
    #[error("only digits, one decimal point and a leading minus are understood")]
    Spelling,
    /// It has too many digits.
    #[error("it has more than {DIGITS_MAX} digits, or is too large")]
    Long,
    /// It has more decimals than are kept here.
    #[error("at most six decimals are kept here")]
    Precise,
}

impl Exact {
    /// A whole number.
    pub fn whole(value: i128) -> Self {
        Self(BigRational::from_integer(BigInt::from(value)))
    }

    /// `numerator / denominator`; `None` when the latter is zero.
    pub fn fraction(numerator: i128, denominator: i128) -> Option<Self> {
        (denominator != 0).then(|| Self(BigRational::new(BigInt::from(numerator), BigInt::from(denominator))))
    }

    /// `10^-decimals · value`.
    pub fn scaled(value: BigInt, decimals: u32) -> Self {
        Self(BigRational::new(value, power_of_ten(decimals)))
    }

    /// Reads a decimal number as people and files write it: `-12.5`. No
    /// exponent, no infinity.
    pub fn parse(text: &str) -> Result<Self, NotANumber> {
        let text = text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all = [whole, part].concat();
        if all.is_empty() {
            return Err(if text.is_empty() { NotANumber::Empty } else { NotANumber::Spelling });
        }
        if !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotANumber::Spelling);
        }
        if all.len() > DIGITS_MAX {
            return Err(NotANumber::Long);
        }
        let value = BigInt::parse_bytes(all.as_bytes(), 10).ok_or(NotANumber::Spelling)?;
        let decimals = u32::try_from(part.len()).map_err(|_| NotANumber::Long)?;
        let exact = Self::scaled(value, decimals);
        Ok(if negative { -exact } else { exact })
    }

    /// Zero.
    pub fn zero() -> Self {
        Self(BigRational::zero())
    }

    /// One.
    pub fn one() -> Self {
        Self(BigRational::one())
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.0.is_negative()
    }

    /// Whether it is above zero.
    pub fn is_positive(&self) -> bool {
        self.0.is_positive()
    }

    /// The quotient; `None` when `divisor` is zero.
    pub fn over(&self, divisor: &Self) -> Option<Self> {
        (!divisor.is_zero()).then(|| Self(&self.0 / &divisor.0))
    }

    /// The power with a whole exponent.
    #[must_use]
    pub fn power(&self, exponent: u32) -> Self {
        Self(num_traits::pow(self.0.clone(), exponent as usize))
    }

    /// The whole number nearest to `self · 10^decimals`, halves away from zero.
    pub fn units(&self, decimals: u32) -> BigInt {
        let scaled: BigInt = self.0.numer() * power_of_ten(decimals) * 2;
        let denominator = self.0.denom();
        let rounded = (scaled.abs() + denominator).div_floor(&(denominator * 2));
        if scaled.is_negative() { -rounded } else { rounded }
    }

    /// The largest whole number that is not above `self · 10^decimals`.
    pub fn floor(&self, decimals: u32) -> BigInt {
        self.floor_of(1, 1, decimals)
    }

    /// The largest whole number that is not above
    /// `self · times / over · 10^decimals`, for `over` above zero.
    pub fn floor_of(&self, times: i128, over: i128, decimals: u32) -> BigInt {
        (self.0.numer() * BigInt::from(times) * power_of_ten(decimals))
            .div_floor(&(self.0.denom() * BigInt::from(over)))
    }

    /// Two whole numbers whose quotient is `self · times / over`, for `over`
    /// above zero; the second is above zero. Not in lowest terms, which takes
    /// longer than all that is done with them.
    pub(crate) fn ratio(&self, times: &Self, over: &Self) -> (BigInt, BigInt) {
        let above = self.0.numer() * times.0.numer() * over.0.denom();
        (above, self.0.denom() * times.0.denom() * over.0.numer())
    }

    /// The largest whole number that is not above `self / over · 10^decimals`, for
    /// `over` above zero.
    pub(crate) fn floor_over(&self, over: &Self, decimals: u32) -> BigInt {
        let (above, below) = self.ratio(&Self::one(), over);
        (above * power_of_ten(decimals)).div_floor(&below)
    }

    /// As `a/b`, or as a decimal number where that ends within twenty decimals: a form
    /// that reads back as the same number.
    pub fn canonical(&self) -> String {
        let ends = (0..=20).find(|decimals| self.rounded(*decimals) == *self);
        ends.map_or_else(|| format!("{}/{}", self.0.numer(), self.0.denom()), |decimals| self.text(decimals))
    }

    /// Reads what [`Exact::canonical`] writes.
    pub fn read_canonical(text: &str) -> Result<Self, NotANumber> {
        let Some((numerator, denominator)) = text.split_once('/') else { return Self::parse(text) };
        let whole = |text: &str| text.parse::<BigInt>().map_err(|_| NotANumber::Spelling);
        let (numerator, denominator) = (whole(numerator)?, whole(denominator)?);
        if denominator.is_zero() {
            Err(NotANumber::Spelling)
        } else {
            Ok(Self(BigRational::new(numerator, denominator)))
        }
    }

    /// Rounded to `decimals`, halves away from zero.
    #[must_use]
    pub fn rounded(&self, decimals: u32) -> Self {
        Self::scaled(self.units(decimals), decimals)
    }

    /// Printed with exactly `decimals` decimals, rounded half away from zero.
    pub fn text(&self, decimals: u32) -> String {
        let units = self.units(decimals);
        let (whole, part) = units.abs().div_rem(&power_of_ten(decimals));
        let sign = if units.is_negative() { "-" } else { "" };
        if decimals == 0 {
            return format!("{sign}{whole}");
        }
        format!("{sign}{whole}.{:0>width$}", part.to_string(), width = decimals as usize)
    }

    /// The square root, rounded down at `decimals`; `None` below zero.
    pub fn root(&self, decimals: u32) -> Option<Self> {
        if self.is_negative() {
            return None;
        }
        let scaled = (self.0.numer() * power_of_ten(2 * decimals)).div_floor(self.0.denom());
        Some(Self::scaled(scaled.sqrt(), decimals))
    }
}

/// `10^decimals`.
pub(crate) fn power_of_ten(decimals: u32) -> BigInt {
    num_traits::pow(BigInt::from(10), decimals as usize)
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(DECIMALS))
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.canonical())
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() > CANONICAL_MAX {
            return Err(serde::de::Error::custom(NotANumber::Long));
        }
        Self::read_canonical(&text).map_err(serde::de::Error::custom)
    }
}

macro_rules! operator {
    ($($trait:ident $method:ident),*) => {$(
        impl $trait<&Exact> for &Exact {
            type Output = Exact;
            fn $method(self, other: &Exact) -> Exact {
                Exact($trait::$method(&self.0, &other.0))
            }
        }
        impl $trait for Exact {
            type Output = Exact;
            fn $method(self, other: Exact) -> Exact {
                Exact($trait::$method(self.0, other.0))
            }
        }
    )*};
}
operator!(Add add, Sub sub, Mul mul);

impl Neg for Exact {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).unwrap()
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        for (text, rounded) in
            [("0.5", "1"), ("-0.5", "-1"), ("1.5", "2"), ("-1.5", "-2"), ("0.49", "0"), ("-0.49", "0"), ("2.5", "3")]
        {
            assert_eq!(exact(text).text(0), rounded, "{text}");
        }
        assert_eq!(Exact::fraction(1, 3).unwrap().text(12), "0.333333333333");
        assert_eq!(Exact::fraction(-2, 3).unwrap().text(12), "-0.666666666667");
        assert_eq!(Exact::fraction(1, 3).unwrap().to_string(), "0.333333333333", "as it is served");
        assert_eq!(exact("-0.0000000000001").text(12), "0.000000000000", "no minus before nothing");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for (text, why) in [
            ("", NotANumber::Empty),
            (" ", NotANumber::Empty),
            ("-", NotANumber::Spelling),
            (".", NotANumber::Spelling),
            ("NaN", NotANumber::Spelling),
            ("inf", NotANumber::Spelling),
            ("1e5", NotANumber::Spelling),
            ("1,5", NotANumber::Spelling),
            ("--1", NotANumber::Spelling),
            ("1.2.3", NotANumber::Spelling),
            ("１", NotANumber::Spelling),
            (&"9".repeat(41), NotANumber::Long),
        ] {
            assert_eq!(Exact::parse(text), Err(why), "{text}");
        }
        assert_eq!(exact(" 1. "), exact("1"));
        assert_eq!(exact(".5"), Exact::fraction(1, 2).unwrap());
    }

    #[test]
    fn records_hold_whole_fractions_of_bounded_length() {
        assert_eq!(exact("0.500").canonical(), "0.5");
        assert_eq!(Exact::fraction(1, 3).unwrap().canonical(), "1/3");
        for text in ["1/0", "x/2", "1/x"] {
            assert_eq!(Exact::read_canonical(text), Err(NotANumber::Spelling), "{text}");
        }
        let long = format!("\"1/{}\"", "9".repeat(400));
        assert!(serde_json::from_str::<Exact>(&long).is_err() && serde_json::from_str::<Exact>("1").is_err());
    }

    #[test]
    fn quotients_by_zero_are_none_and_roots_are_rounded_down() {
        assert_eq!(Exact::one().over(&Exact::zero()), None);
        assert_eq!(Exact::fraction(1, 0), None);
        assert_eq!(exact("2").root(12).unwrap().text(12), "1.414213562373");
        assert_eq!(exact("-1").root(2), None);
        assert_eq!(exact("0.25").root(3).unwrap(), exact("0.5"));
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(units in any::<i64>(), decimals in 0_u32..18) {
            let number = Exact::scaled(BigInt::from(units), decimals);
            prop_assert_eq!(Exact::parse(&number.text(decimals)).unwrap(), number.clone());
            prop_assert_eq!(number.rounded(decimals), number.clone());
            let third = number.over(&Exact::whole(3)).unwrap();
            for number in [number, third] {
                prop_assert_eq!(Exact::read_canonical(&number.canonical()).unwrap(), number.clone());
                let json = serde_json::to_string(&number).unwrap();
                prop_assert_eq!(serde_json::from_str::<Exact>(&json).unwrap(), number);
            }
        }

        #[test]
        fn sums_and_products_are_exact(a in any::<i64>(), b in any::<i64>(), c in 1_i64..) {
            let of = |value: i64| Exact::whole(i128::from(value));
            prop_assert_eq!(&of(a) + &of(b), of(b) + of(a));
            prop_assert_eq!((&of(a) * &of(c)).over(&of(c)).unwrap(), of(a));
            prop_assert_eq!(&(&of(a) - &of(b)) + &of(b), of(a));
        }
    }
}
