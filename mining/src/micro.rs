//! Numbers with six decimals in 64 bits: what machines and prices of energy are
//! given in, where there are many of them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::exact::{Exact, NotANumber};

/// Decimals of a [`Micro`].
pub const MICRO_DECIMALS: u32 = 6;
/// Units in one.
pub const MILLION: i64 = 1_000_000;

/// A number of millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micro(i64);

impl Micro {
    /// So many millionths.
    pub const fn of(units: i64) -> Self {
        Self(units)
    }

    /// So many whole ones; what does not fit is the largest there is.
    pub const fn whole(value: i64) -> Self {
        Self(value.saturating_mul(MILLION))
    }

    /// The millionths.
    pub const fn units(self) -> i64 {
        self.0
    }

    /// The millionths, wide.
    pub fn wide(self) -> i128 {
        i128::from(self.0)
    }

    /// The number itself.
    pub fn exact(self) -> Exact {
        Exact::scaled(self.0.into(), MICRO_DECIMALS)
    }

    /// Reads what [`Exact::parse`] reads, with at most six decimals that are
    /// not zero.
    pub fn parse(text: &str) -> Result<Self, NotANumber> {
        let text = text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && part.is_empty() {
            return Err(if text.is_empty() { NotANumber::Empty } else { NotANumber::Spelling });
        }
        if !whole.bytes().chain(part.bytes()).all(|byte| byte.is_ascii_digit()) {
            return Err(NotANumber::Spelling);
        }
        let kept = part.trim_end_matches('0');
        if kept.len() > MICRO_DECIMALS as usize {
            return Err(NotANumber::Precise);
        }
        let zeros = std::iter::repeat_n(b'0', MICRO_DECIMALS as usize - kept.len());
        let units = whole.bytes().chain(kept.bytes()).chain(zeros).try_fold(0_i64, |units, digit| {
            units.checked_mul(10).and_then(|units| units.checked_add(i64::from(digit - b'0')))
        });
        let units = units.ok_or(NotANumber::Long)?;
        Ok(Self(if negative { -units } else { units }))
    }
}

/// As few decimals as say it all.
impl fmt::Display for Micro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (units, million) = (self.0.unsigned_abs(), MILLION.unsigned_abs());
        let sign = if self.0 < 0 { "-" } else { "" };
        let part = format!("{:06}", units % million);
        let part = part.trim_end_matches('0');
        let point = if part.is_empty() { "" } else { "." };
        write!(f, "{sign}{}{point}{part}", units / million)
    }
}

impl Serialize for Micro {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Micro {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_reads_what_exact_numbers_read_within_six_decimals() {
        for (text, why) in [
            ("", NotANumber::Empty),
            ("-", NotANumber::Spelling),
            (".", NotANumber::Spelling),
            ("1e5", NotANumber::Spelling),
            ("NaN", NotANumber::Spelling),
            ("１", NotANumber::Spelling),
            ("0.1234567", NotANumber::Precise),
            ("99999999999999", NotANumber::Long),
        ] {
            assert_eq!(Micro::parse(text), Err(why), "{text}");
        }
        assert_eq!(Micro::parse(" -0.5000000000 "), Ok(Micro::of(-500_000)));
        assert_eq!(Micro::parse("3."), Ok(Micro::whole(3)));
        assert_eq!(Micro::of(-1_500_000).to_string(), "-1.5");
        assert_eq!(Micro::whole(7).to_string(), "7");
        assert!(serde_json::from_str::<Micro>("\"x\"").is_err() && serde_json::from_str::<Micro>("1").is_err());
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(units in (i64::MIN + 1)..i64::MAX) {
            let number = Micro::of(units);
            prop_assert_eq!(Micro::parse(&number.to_string()), Ok(number));
            prop_assert_eq!(Exact::parse(&number.to_string()).unwrap(), number.exact());
            let json = serde_json::to_string(&number).unwrap();
            prop_assert_eq!(serde_json::from_str::<Micro>(&json).unwrap(), number);
        }
    }
}
