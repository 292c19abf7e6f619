//! Exact results from short integers, for figures by the hundred thousand.
//!
//! A rate such as USD per TH and day is a fraction without end. Here it is kept
//! twice: exactly, and cut off to a 128-bit integer. A figure is computed from
//! the short form as an interval that surely holds the true value. When both
//! ends round to the same printed digit, that digit is right; when they do not,
//! which is rare, the figure is computed anew from the exact form. So results
//! are those of exact arithmetic, always, at the speed of integers.

use std::fmt;

use num_traits::ToPrimitive;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::exact::{DECIMALS, Exact};
use crate::input::Refusal;

/// Decimals of the short form: ten to the power of these less six still fits 64
/// bits, which divides fastest.
const SHORT: u32 = 25;

/// A result: a number at [`DECIMALS`] decimals, rounded once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pico(i128);

impl Pico {
    /// So many units of the last decimal.
    pub const fn of(units: i128) -> Self {
        Self(units)
    }

    /// The units of the last decimal.
    pub const fn units(self) -> i128 {
        self.0
    }

    /// The number itself.
    pub fn exact(self) -> Exact {
        Exact::scaled(self.0.into(), DECIMALS)
    }

    /// `value`, rounded; refused when it does not fit 128 bits.
    pub fn rounded(value: &Exact) -> Result<Self, Refusal> {
        value.units(DECIMALS).to_i128().map(Self).ok_or(Refusal::Overflow)
    }

    /// As a text with `decimals` decimals, at most twelve, for people.
    pub fn text(self, decimals: u32) -> String {
        self.exact().text(decimals)
    }
}

impl fmt::Display for Pico {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = 10_u128.pow(DECIMALS);
        let units = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:012}", units / one, units % one)
    }
}

impl Serialize for Pico {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pico {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let exact = Exact::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        Self::rounded(&exact).map_err(D::Error::custom)
    }
}

/// `value / unit`, rounded half away from zero; `unit` is above zero.
pub(crate) fn half_away(value: i128, unit: i128) -> i128 {
    let (whole, rest) = (value / unit, (value % unit).abs());
    if rest >= unit - rest { whole + value.signum() } else { whole }
}

/// A figure per unit, exact and short.
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    exact: Exact,
    /// The largest whole number of `10^-SHORT` that is not above the exact one;
    /// none when it does not fit.
    short: Option<i128>,
}

impl Rate {
    pub(crate) fn new(exact: Exact) -> Self {
        let short = exact.floor(SHORT).to_i128();
        Self { exact, short }
    }
}

/// The sum of each rate times its whole number, over `divisor` (above zero),
/// rounded once.
pub(crate) fn sum(terms: &[(&Rate, i128)], divisor: i128) -> Result<Pico, Refusal> {
    quick(terms, divisor).map_or_else(|| slow(terms, divisor), Ok)
}

fn quick(terms: &[(&Rate, i128)], divisor: i128) -> Option<Pico> {
    let unit = divisor.checked_mul(10_i128.pow(SHORT - DECIMALS))?;
    let (mut low, mut width) = (0_i128, 0_i128);
    for (rate, number) in terms {
        // The true rate is within one unit above its short form.
        let (short, number) = (rate.short?, *number);
        let least = if number < 0 { short.checked_add(1)? } else { short };
        low = low.checked_add(least.checked_mul(number)?)?;
        width = width.checked_add(number.abs())?;
    }
    let (low, high) = (half_away(low, unit), half_away(low.checked_add(width)?, unit));
    (low == high).then_some(Pico(low))
}

fn slow(terms: &[(&Rate, i128)], divisor: i128) -> Result<Pico, Refusal> {
    let products = terms.iter().map(|(rate, number)| &rate.exact * &Exact::whole(*number));
    let sum = products.fold(Exact::zero(), |sum, product| sum + product);
    Pico::rounded(&sum.over(&Exact::whole(divisor)).unwrap_or_else(Exact::zero))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(numerator: i128, denominator: i128) -> Rate {
        Rate::new(Exact::fraction(numerator, denominator).unwrap())
    }

    #[test]
    fn what_the_short_form_cannot_decide_is_computed_exactly() {
        // Exactly half a unit: 0.5e-12, from a rate that the short form cuts off.
        let third = rate(1, 3_000_000_000_000);
        let terms = [(&third, 3_i128)];
        assert_eq!(quick(&terms, 2), None);
        assert_eq!(sum(&terms, 2), Ok(Pico(1)));
        let huge = Rate::new(Exact::whole(i128::MAX));
        assert_eq!(quick(&[(&huge, 1)], 1), None, "no short form");
        assert_eq!(sum(&[(&huge, 1)], 1), Err(Refusal::Overflow));
        assert_eq!(Pico::of(-1_500_000_000_000).to_string(), "-1.500000000000");
        assert_eq!(Pico::of(-1_500_000_000_000).text(1), "-1.5");
        assert!(serde_json::from_str::<Pico>("\"x\"").is_err() && serde_json::from_str::<Pico>("1").is_err());
    }

    proptest! {
        #[test]
        fn sums_are_those_of_exact_arithmetic(
            a in -1_000_000_i128..1_000_000, b in 1_i128..1_000_000_007, c in -1_000_000_i128..1_000_000,
            n in -1_000_000_000_000_i128..1_000_000_000_000, m in 0_i128..1_000_000_000, divisor in 1_i128..10_000_000,
        ) {
            let (first, second) = (rate(a, b), rate(c, b + 2));
            let terms = [(&first, n), (&second, m)];
            prop_assert_eq!(sum(&terms, divisor), slow(&terms, divisor));
        }

        #[test]
        fn halves_go_away_from_zero_and_texts_read_back(value in any::<i64>(), unit in 1_i128..1000) {
            let exact = Exact::fraction(value.into(), unit).unwrap();
            prop_assert_eq!(num_bigint::BigInt::from(half_away(value.into(), unit)), exact.units(0));
            let pico = Pico(value.into());
            prop_assert_eq!(pico.to_string(), pico.exact().text(DECIMALS));
            let json = serde_json::to_string(&pico).unwrap();
            prop_assert_eq!(serde_json::from_str::<Pico>(&json).unwrap(), pico);
        }
    }
}
