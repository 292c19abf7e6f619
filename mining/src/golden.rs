//! The golden samples: twenty cases with their results, shipped with the
//! library, and the check that this build still gives them to the last digit.

use crate::daily::{COLUMNS, Case};
use crate::exact::Exact;
use crate::input::{Field, Refusal};

/// The samples as they are shipped.
pub const SAMPLES: &str = include_str!("../data/golden-samples.csv");
/// Columns a case is read from, in the order of the samples.
pub const INPUTS: [Field; 9] = [
    Field::TerahashPerSecond,
    Field::Watts,
    Field::Difficulty,
    Field::SubsidyBtc,
    Field::FeesBtc,
    Field::PriceUsd,
    Field::PoolFee,
    Field::UsdPerKwh,
    Field::Uptime,
];

/// A figure that is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A figure differs.
    #[error("{case}: {column} is {found}, must be {wanted}")]
    Figure {
        /// Name of the case.
        case: String,
        /// Name of the column.
        column: &'static str,
        /// What this build gives.
        found: String,
        /// What the sample says.
        wanted: String,
    },
    /// A sample cannot be read.
    #[error("sample on line {line} cannot be read: {why}")]
    Unreadable {
        /// Line in the file.
        line: usize,
        /// Why.
        why: String,
    },
}

/// Reads a case from the texts of [`INPUTS`].
pub fn case(texts: [&str; 9]) -> Result<Case, Refusal> {
    let mut values = Vec::with_capacity(INPUTS.len());
    for (field, text) in INPUTS.into_iter().zip(texts) {
        values.push(field.read(text)?);
    }
    let mut values = values.into_iter();
    let mut next = || values.next().unwrap_or_else(Exact::zero);
    Ok(Case {
        terahash_per_second: next(),
        watts: next(),
        difficulty: next(),
        subsidy_btc: next(),
        fees_btc: next(),
        price_usd: next(),
        pool_fee: next(),
        usd_per_kwh: next(),
        uptime: next(),
        meter_factor: Exact::one(),
    })
}

/// The samples as cases, by name, with the figures they must have in the order
/// of [`COLUMNS`].
fn rows(samples: &str) -> impl Iterator<Item = Result<(&str, Case, [&str; 6]), Mismatch>> {
    samples.lines().enumerate().skip(1).map(|(at, text)| {
        let unreadable = |why: String| Mismatch::Unreadable { line: at + 1, why };
        let cells: Vec<&str> = text.split(',').collect();
        let cells: [&str; 16] = cells
            .try_into()
            .map_err(|cells: Vec<&str>| unreadable(format!("{} columns, 16 are needed", cells.len())))?;
        let [name, rest @ ..] = cells;
        let case = case(std::array::from_fn(|at| rest[at])).map_err(|refusal| unreadable(refusal.to_string()))?;
        Ok((name, case, std::array::from_fn(|at| rest[9 + at])))
    })
}

/// The cases of the shipped samples, by name.
pub fn cases() -> Result<Vec<(&'static str, Case)>, Mismatch> {
    rows(SAMPLES).map(|row| row.map(|(name, case, _)| (name, case))).collect()
}

/// Compares every figure of `samples` with what `found` has for its case and
/// column, to the last digit: of each sample the first figure that differs, if
/// one does.
pub fn each(
    samples: &str,
    found: impl Fn(&str, &'static str) -> Option<String>,
) -> Result<Vec<Option<Mismatch>>, Mismatch> {
    let mut each = Vec::new();
    for row in rows(samples) {
        let (name, _, wanted) = row?;
        let differs = |(column, wanted): (&'static str, &str)| {
            let found = found(name, column).unwrap_or_else(|| "missing".to_owned());
            let mismatch =
                || Mismatch::Figure { case: name.to_owned(), column, found: found.clone(), wanted: wanted.to_owned() };
            (found != wanted).then(mismatch)
        };
        each.push(COLUMNS.into_iter().zip(wanted).find_map(differs));
    }
    Ok(each)
}

/// The same; the first difference is an error. Returns how many cases there
/// are.
pub fn compare(samples: &str, found: impl Fn(&str, &'static str) -> Option<String>) -> Result<usize, Mismatch> {
    let each = each(samples, found)?;
    let count = each.len();
    each.into_iter().flatten().next().map_or(Ok(count), Err)
}

/// [`each`] of what this build computes.
pub fn computed(samples: &str) -> Result<Vec<Option<Mismatch>>, Mismatch> {
    let mut days = std::collections::BTreeMap::new();
    for row in rows(samples) {
        let (name, case, _) = row?;
        days.insert(name, case.day().columns());
    }
    each(samples, |name, column| {
        let at = COLUMNS.iter().position(|known| *known == column)?;
        days.get(name)?.get(at).cloned()
    })
}

/// Computes every sample anew. Returns how many there are.
pub fn verify(samples: &str) -> Result<usize, Mismatch> {
    let each = computed(samples)?;
    let count = each.len();
    each.into_iter().flatten().next().map_or(Ok(count), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_twenty_match_to_the_last_digit() {
        assert_eq!(verify(SAMPLES), Ok(20));
    }

    #[test]
    fn the_header_names_the_columns_in_order() {
        let header: Vec<&str> = SAMPLES.lines().next().unwrap().split(',').collect();
        let wanted: Vec<&str> = INPUTS.iter().map(|field| field.name()).chain(COLUMNS).collect();
        assert_eq!(header[1..], wanted);
    }

    #[test]
    fn a_single_changed_digit_is_seen() {
        let (at, _) = SAMPLES.match_indices("778.208033890899").next().unwrap();
        let mut wrong = SAMPLES.to_owned();
        wrong.replace_range(at..at + 16, "778.208033890898");
        let told = verify(&wrong).unwrap_err().to_string();
        assert!(told.contains("sat_per_day is 778.208033890899, must be 778.208033890898"), "{told}");
        let short = "case\nA,1,2\n";
        assert!(verify(short).unwrap_err().to_string().contains("line 2"));
        let bad = SAMPLES.replacen("1323", "NaN", 1);
        assert!(verify(&bad).unwrap_err().to_string().contains("watts"));
        let few = "case\nA,1,2,3,4,5,6,7,8\n";
        assert!(verify(few).unwrap_err().to_string().contains("columns"));
    }
}
