//! Shares in millionths: a promised percentage has at most four decimals, so
//! nothing is lost.

/// Millionths in a whole.
pub const WHOLE: u64 = 1_000_000;

/// A share between nothing and everything, neither included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// What may be bad, in millionths.
    allowed: u32,
}

/// Why a percentage promises nothing that can be kept or broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no objective: write a percentage above 0 and below 100 with at most four decimals, such as 99.95; at 100 there is no budget to spend"
)]
pub struct NotATarget(pub String);

impl Target {
    /// Reads a percentage such as `99.95`.
    pub fn percent(text: &str) -> Result<Self, NotATarget> {
        let refused = || NotATarget(text.to_owned());
        let (units, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(units) || !digits(decimals) || units.len() > 3 || decimals.len() > 4 {
            return Err(refused());
        }
        let good: u32 = format!("{units}{decimals:0<4}").parse().map_err(|_| refused())?;
        let allowed = 1_000_000_u32.checked_sub(good).filter(|allowed| (1..1_000_000).contains(allowed));
        allowed.map(|allowed| Self { allowed }).ok_or_else(refused)
    }

    /// What may be bad, in millionths.
    pub const fn allowed(self) -> u64 {
        self.allowed as u64
    }

    /// What may be bad as a decimal fraction, such as `0.0005`.
    pub fn fraction(self) -> String {
        decimal(u128::from(self.allowed), u128::from(WHOLE), 6)
    }

    /// What must be good as a percentage, such as `99.95`.
    pub fn percentage(self) -> String {
        decimal(u128::from(WHOLE - self.allowed()), 10_000, 4)
    }
}

/// `numerator / denominator` with at most `places` decimals, rounded half up,
/// without trailing zeros.
pub fn decimal(numerator: u128, denominator: u128, places: u32) -> String {
    let scale = 10_u128.pow(places);
    let scaled = (numerator.saturating_mul(scale) + denominator / 2).checked_div(denominator).unwrap_or(0);
    let (units, rest) = (scaled / scale, scaled % scale);
    let text = format!("{units}.{rest:0width$}", width = places as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Hundredths as text with two decimals, such as `-3.25`.
pub fn hundredths(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let size = value.unsigned_abs();
    format!("{sign}{}.{:02}", size / 100, size % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_read_exactly() {
        for (text, allowed, fraction) in [
            ("99.95", 500, "0.0005"),
            ("95", 50_000, "0.05"),
            ("99.9999", 1, "0.000001"),
            ("0.0001", 999_999, "0.999999"),
            ("50.5", 495_000, "0.495"),
        ] {
            let target = Target::percent(text).unwrap();
            assert_eq!((target.allowed(), target.fraction().as_str()), (allowed, fraction), "{text}");
            assert_eq!(target.percentage(), text, "{text}");
        }
        for text in ["100", "100.0", "0", "0.0", "", ".", "99.99999", "-1", "1e2", "99.", ".5", "1000", "９９"] {
            assert!(Target::percent(text).is_err(), "{text}");
        }
    }

    #[test]
    fn decimals_are_rounded_and_bare() {
        assert_eq!(decimal(144, 10, 3), "14.4");
        assert_eq!(decimal(2, 3, 4), "0.6667");
        assert_eq!(decimal(6, 1, 2), "6");
        assert_eq!(
            (hundredths(-325), hundredths(5), hundredths(9_999)),
            ("-3.25".into(), "0.05".into(), "99.99".into())
        );
    }
}
