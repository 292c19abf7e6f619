//! Base scores of CVSS 3.0 and 3.1, after the specification of FIRST, section
//! 7.1: some scanners give the vector alone.

use super::Severity;

/// The severity of a vector; nothing for other versions and for vectors that
/// are not whole.
pub fn severity(vector: &str) -> Option<Severity> {
    score(vector).and_then(Severity::of_score)
}

fn score(vector: &str) -> Option<f64> {
    let metrics = vector.strip_prefix("CVSS:3.1/").or_else(|| vector.strip_prefix("CVSS:3.0/"))?;
    let value = |key: &str| metrics.split('/').find_map(|metric| metric.strip_prefix(key)?.strip_prefix(':'));
    let changed = match value("S")? {
        "C" => true,
        "U" => false,
        _ => return None,
    };
    let impact = |key: &str| match value(key)? {
        "H" => Some(0.56),
        "L" => Some(0.22),
        "N" => Some(0.0),
        _ => None,
    };
    let reach = match value("AV")? {
        "N" => 0.85,
        "A" => 0.62,
        "L" => 0.55,
        "P" => 0.2,
        _ => return None,
    };
    let complexity = match value("AC")? {
        "L" => 0.77,
        "H" => 0.44,
        _ => return None,
    };
    let privileges = match (value("PR")?, changed) {
        ("N", _) => 0.85,
        ("L", false) => 0.62,
        ("L", true) => 0.68,
        ("H", false) => 0.27,
        ("H", true) => 0.5,
        _ => return None,
    };
    let interaction = match value("UI")? {
        "N" => 0.85,
        "R" => 0.62,
        _ => return None,
    };
    let base: f64 = 1.0 - (1.0 - impact("C")?) * (1.0 - impact("I")?) * (1.0 - impact("A")?);
    let impact = if changed { 7.52 * (base - 0.029) - 3.25 * (base - 0.02).powi(15) } else { 6.42 * base };
    if impact <= 0.0 {
        return Some(0.0);
    }
    let exploitability = 8.22 * reach * complexity * privileges * interaction;
    let sum = if changed { 1.08 * (impact + exploitability) } else { impact + exploitability };
    Some(round_up(sum.min(10.0)))
}

/// To one decimal, upwards, by whole numbers as the specification asks.
#[expect(clippy::cast_possible_truncation, reason = "at most 1,000,000")]
fn round_up(value: f64) -> f64 {
    let whole = (value * 100_000.0).round() as i64;
    let tenths = whole.div_euclid(10_000) + i64::from(whole.rem_euclid(10_000) != 0);
    f64::from(i32::try_from(tenths).unwrap_or(100)) / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_vectors_have_their_published_scores() {
        for (vector, score_) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
            ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 7.8),
            ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:N/A:H", 5.9),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
        ] {
            assert_eq!(score(vector), Some(score_), "{vector}");
        }
        assert_eq!(score("CVSS:4.0/AV:N/AC:L"), None);
        assert_eq!(score("CVSS:3.1/AV:N"), None);
    }
}
