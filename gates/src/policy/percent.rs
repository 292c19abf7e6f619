//! Shares with two decimals, exactly.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// Hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(pub u32);

impl Percent {
    /// Of a part of something; of nothing, none.
    pub fn of(part: u64, whole: u64) -> Self {
        let share = u128::from(part) * 10_000 / u128::from(whole.max(1));
        Self(u32::try_from(share).unwrap_or(u32::MAX))
    }

    /// Whether a part of something is as much, without rounding.
    pub fn reached(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 10_000 >= u128::from(whole) * u128::from(self.0)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 100 {
            0 => write!(f, "{} %", self.0 / 100),
            cents => write!(f, "{}.{cents:02} %", self.0 / 100),
        }
    }
}

impl std::str::FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no share between 0 and 100 with at most two decimals");
        let (whole, cents) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 3 || cents.len() > 2 || !digits(whole) || !digits(cents) {
            return Err(wrong());
        }
        let hundredths = format!("{whole}{cents:0<2}").parse::<u32>().map_err(|_| wrong())?;
        if hundredths > 10_000 { Err(wrong()) } else { Ok(Self(hundredths)) }
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact() {
        assert_eq!("85".parse(), Ok(Percent(8500)));
        assert_eq!("99.95".parse(), Ok(Percent(9995)));
        assert_eq!(Percent(9950).to_string(), "99.50 %");
        for wrong in ["101", "-1", "", "1.234", "85 %", "1e2"] {
            assert!(wrong.parse::<Percent>().is_err(), "{wrong}");
        }
        assert!(Percent(10_000).reached(7, 7) && !Percent(10_000).reached(999_999, 1_000_000));
        assert!(Percent(8500).reached(17, 20));
    }
}
