//! How far two versions of the library are apart.

use super::Mismatch;
use crate::Exact;

/// The largest difference between two answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// As a part of the larger of the two figures.
    pub part: Exact,
    /// Where: names and numbers of fields.
    pub place: String,
    /// The two figures, as they are written.
    pub figures: (String, String),
}

impl Difference {
    /// Whether it is above a thousandth.
    pub fn above_limit(&self) -> bool {
        Exact::scaled(1.into(), 3) < self.part
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = (&self.part * &Exact::whole(100)).text(6);
        let (ours, theirs) = &self.figures;
        write!(f, "largest difference {percent} % at {}: {ours} and {theirs}", self.place)
    }
}

/// Compares two records of one request, figure by figure.
pub fn compare(ours: &str, theirs: &str) -> Result<Difference, Mismatch> {
    let read = |text: &str| -> Result<serde_json::Value, Mismatch> {
        let mut value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| Mismatch::Unreadable(error.to_string()))?;
        value.get_mut("answer").map(serde_json::Value::take).ok_or(Mismatch::Unreadable("no answer".to_owned()))
    };
    let nothing = (Exact::zero().canonical(), Exact::zero().canonical());
    let mut worst = Difference { part: Exact::zero(), place: "answer".to_owned(), figures: nothing };
    apart(&read(ours)?, &read(theirs)?, "answer", &mut worst);
    Ok(worst)
}

fn apart(ours: &serde_json::Value, theirs: &serde_json::Value, place: &str, worst: &mut Difference) {
    use serde_json::Value::{Array, Object};
    match (ours, theirs) {
        (Object(a), Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().zip(b.values()).for_each(|((name, a), b)| apart(a, b, &format!("{place}.{name}"), worst));
        }
        (Array(a), Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().for_each(|(at, (a, b))| apart(a, b, &format!("{place}[{at}]"), worst));
        }
        (ours, theirs) if ours != theirs => {
            let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let (a, b) = (text(ours), text(theirs));
            // What is no number differs wholly.
            let part = match (Exact::read_canonical(&a), Exact::read_canonical(&b)) {
                (Ok(a), Ok(b)) => part(&a, &b),
                _ => Exact::one(),
            };
            if part > worst.part {
                *worst = Difference { part, place: place.to_owned(), figures: (a, b) };
            }
        }
        _ => {}
    }
}

fn part(a: &Exact, b: &Exact) -> Exact {
    let size = |value: &Exact| if value.is_negative() { -value.clone() } else { value.clone() };
    size(&(a - b)).over(&size(a).max(size(b))).unwrap_or_else(Exact::zero)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::record;
    use crate::record::tests::requests;

    #[test]
    fn versions_are_compared_figure_by_figure() {
        let requests = requests();
        let line = |at: usize| record(&requests[at], &requests[at].answer(1).unwrap(), "given");
        let same = compare(&line(2), &line(2)).unwrap();
        assert!(same.part.is_zero() && !same.above_limit());
        let other = line(0).replace("\"profit_usd_per_day\":\"", "\"profit_usd_per_day\":\"1");
        let apart = compare(&line(0), &other).unwrap();
        assert!(apart.above_limit() && apart.to_string().contains("answer.estimate.profit_usd_per_day"), "{apart}");
        let null = line(0).replace("\"profit_usd_per_day\":\"", "\"profit_usd_per_day\":\"x");
        assert_eq!(compare(&line(0), &null).unwrap().part, Exact::one());
        assert_eq!(compare(&line(0), &line(1)).unwrap().part, Exact::one(), "another question");
        for none in ["x", "-20", "{}"] {
            assert!(compare(&line(0), none).is_err());
        }
    }
}
