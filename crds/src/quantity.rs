//! Canonical form of Kubernetes quantities, so that `0.5` and `500m`, or `32Gi`
//! and `34359738368`, compare equal whichever way the API server spells them.

/// A quantity in nano-units, exact. Shape: sign, digits with an optional
/// point, and a suffix (`n u m k M G T P E`, `Ki … Ei`, or `e`-exponent);
/// source: the serialization format of `resource.Quantity` in Kubernetes'
/// apimachinery. Like Kubernetes, digits below one nano-unit round up.
///
/// Returns `None` for text that is not a quantity or exceeds 128 bits.
pub fn nanos(text: &str) -> Option<i128> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let digits_end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(digits_end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        return None;
    }
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = i32::try_from(fraction.len()).ok()?;
    let (binary, exponent) = suffix_of(suffix)?;
    let scaled = mantissa.checked_mul(1_i128.checked_shl(binary)?)?;
    let power = exponent + 9 - scale;
    let value = if power >= 0 {
        scaled.checked_mul(10_i128.checked_pow(u32::try_from(power).ok()?)?)?
    } else {
        let divisor = 10_i128.checked_pow(u32::try_from(-power).ok()?)?;
        scaled / divisor + i128::from(scaled % divisor != 0)
    };
    Some(if negative { -value } else { value })
}

/// Whether two quantities are the same amount, however spelt.
pub fn same_amount(a: &str, b: &str) -> bool {
    a == b || (nanos(a).is_some() && nanos(a) == nanos(b))
}

/// Powers of (two, ten) that a suffix stands for.
fn suffix_of(suffix: &str) -> Option<(u32, i32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        other => {
            let exponent: i32 = other.strip_prefix(['e', 'E'])?.parse().ok()?;
            (-18..=18).contains(&exponent).then_some((0, exponent))?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_amount_agree() {
        for (a, b) in [
            ("0.5", "500m"),
            ("8", "8000m"),
            ("32Gi", "34359738368"),
            ("1.5Gi", "1536Mi"),
            ("1e3", "1k"),
            ("+2", "2"),
            (".5", "0.5"),
            ("5.", "5"),
        ] {
            assert_eq!(nanos(a), nanos(b), "{a} {b}");
            assert!(nanos(a).is_some(), "{a}");
        }
        assert_eq!(nanos("-1"), Some(-1_000_000_000));
        assert_eq!(nanos("0.0000000001"), Some(1), "rounds up like Kubernetes");
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        for text in ["", "-", ".", "1.2.3", "8 ", "Gi", "1Qi", "1e99", "eight", "1e"] {
            assert_eq!(nanos(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = nanos(&text);
        }

        #[test]
        fn milli_and_unit_agree(n in 0_u32..1_000_000) {
            prop_assert_eq!(nanos(&n.to_string()), nanos(&format!("{}m", u64::from(n) * 1000)));
        }
    }
}
