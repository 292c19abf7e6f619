//! Ways a model can run besides its nominal one, as its firmware offers them:
//! efficiency is a curve, and less power is often better than none.

use serde::{Deserialize, Serialize};

use crate::input::{Field, Refusal};
use crate::micro::Micro;

/// Profiles that are read at most.
const PROFILES_MAX: usize = 10_000;

/// One way a model can run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The model, as the fleet's machines bear it.
    pub model: String,
    /// Hashrate, TH/s.
    pub terahash: Micro,
    /// Power at the wall, W.
    pub watts: Micro,
}

/// Profiles of models.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Profiles(pub Vec<Profile>);

/// Why profiles cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("profiles, line {line}: {why}")]
pub struct BadProfiles {
    /// The line.
    pub line: u64,
    /// Why.
    pub why: String,
}

impl Profiles {
    /// Of one model.
    pub fn of<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a Profile> {
        self.0.iter().filter(move |profile| profile.model == model)
    }

    /// Refuses what is beyond the limits.
    pub fn check(&self) -> Result<(), Refusal> {
        self.0.iter().try_for_each(|profile| {
            Field::TerahashPerSecond.check_micro(profile.terahash)?;
            Field::Watts.check_micro(profile.watts)
        })
    }

    /// Reads the columns `model,terahash_per_second,watts`.
    pub fn read(bytes: &[u8]) -> Result<Self, BadProfiles> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
        let bad = |line: u64, why: String| BadProfiles { line, why };
        let header = reader.headers().map_err(|error| bad(1, error.to_string()))?.clone();
        if header.iter().ne(["model", "terahash_per_second", "watts"]) {
            return Err(bad(1, "the columns must be model,terahash_per_second,watts".to_owned()));
        }
        let mut profiles = Vec::new();
        for record in reader.records() {
            let record =
                record.map_err(|error| bad(error.position().map_or(0, csv::Position::line), error.to_string()))?;
            let line = record.position().map_or(0, csv::Position::line);
            if profiles.len() == PROFILES_MAX {
                return Err(bad(line, format!("more than {PROFILES_MAX} profiles")));
            }
            let read = |field: Field, at: usize| {
                field.read_micro(record.get(at).unwrap_or_default()).map_err(|refusal| bad(line, refusal.to_string()))
            };
            profiles.push(Profile {
                model: record.get(0).unwrap_or_default().to_owned(),
                terahash: read(Field::TerahashPerSecond, 1)?,
                watts: read(Field::Watts, 2)?,
            });
        }
        Ok(Self(profiles))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read_or_refused_with_their_line() {
        let profiles =
            Profiles::read(b"model,terahash_per_second,watts\nS19k Pro,54.7,1080\nS21, 200, 3500\n").unwrap();
        assert_eq!(profiles.of("S21").map(|profile| profile.watts).collect::<Vec<_>>(), [Micro::whole(3500)]);
        assert_eq!(profiles.check(), Ok(()));
        let long = format!("model,terahash_per_second,watts\n{}", "a,1,1\n".repeat(PROFILES_MAX + 1));
        for (text, line) in [
            ("", 1),
            ("a,b\n", 1),
            ("model,terahash_per_second,watts\na,1\n", 2),
            ("model,terahash_per_second,watts\na,1,2\nb,x,1\n", 3),
            ("model,terahash_per_second,watts\na,1,0\n", 2),
            (&long, 10_002),
        ] {
            assert_eq!(Profiles::read(text.as_bytes()).unwrap_err().line, line, "{}", &text[..text.len().min(60)]);
        }
        assert!(Profiles::read(b"\xff").is_err());
        let bad = Profiles(vec![Profile { model: String::new(), terahash: Micro::whole(1), watts: Micro::of(1) }]);
        assert!(bad.check().is_err());
    }
}
