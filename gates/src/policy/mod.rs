//! What is asked of a release, written down: one file, read strictly.

mod freeze;
mod percent;
mod rules;
mod waiver;

use serde::Deserialize;

pub use freeze::{Freeze, Let, Weekly};
pub use percent::Percent;
pub use rules::{
    Analysis, Area, AtMost, ChangeClasses, Checks, CoverageRule, Exact, FreezeRule, Live, NotesRule, PerformanceRule,
    ProvenanceRule, SbomRule, TestsRule, UnknownAs, VulnerabilitiesRule,
};
pub use waiver::{Standing, Waiver, WaiverFile};

use crate::evidence::sha256;

/// The list of quality gates of the product itself, for those who name no
/// policy.
pub const BUILT_IN: &str = include_str!("../../policies/built-in.yaml");
/// Bytes of a policy.
const LARGEST: usize = 1 << 20;
/// Hours a verdict may be trusted at most.
const LONGEST_HOURS: u32 = 24 * 90;

/// Why a policy cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Unusable {
    /// The line, where one is known.
    pub line: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// What is asked of a release.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    schema_version: u64,
    /// What it is called.
    pub name: String,
    /// Hours after which its verdicts are not to be trusted any more.
    #[serde(default = "a_week")]
    pub expires_after_hours: u32,
    /// Share of the weights of checks that need not pass, which has to pass.
    #[serde(default = "all")]
    pub pass_at_percent: u32,
    /// Whether what was measured before has to be there to compare with.
    #[serde(default)]
    pub baseline: Need,
    /// Of the evidence itself.
    #[serde(default)]
    pub evidence: EvidenceRule,
    /// What is checked.
    pub checks: Checks,
    /// What is let through for a while, and who answers for it.
    #[serde(default)]
    pub waivers: Vec<Waiver>,
    /// SHA-256 of the text it was read from.
    #[serde(skip)]
    pub digest: String,
}

/// Whether something has to be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Need {
    /// It is used where it is.
    #[default]
    Optional,
    /// Without it there is no verdict but Error.
    Required,
}

/// What is asked of evidence before it is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvidenceRule {
    /// Whether an index has to list it.
    #[serde(default)]
    pub index: Need,
    /// Hours after which an index is too old.
    pub max_age_hours: Option<u32>,
}

fn a_week() -> u32 {
    168
}

fn all() -> u32 {
    100
}

impl Policy {
    /// Reads a policy.
    pub fn read(text: &str) -> Result<Self, Unusable> {
        let policy: Self = parse(text)?;
        let wrong = |what: &str| Err(Unusable { line: None, what: what.to_owned() });
        match &policy {
            Self { schema_version, .. } if *schema_version != 1 => wrong("schemaVersion must be 1"),
            Self { name, .. } if name.trim().is_empty() || name.len() > 100 => wrong("name must have 1 to 100 bytes"),
            Self { expires_after_hours: hours, .. } if !(1..=LONGEST_HOURS).contains(hours) => {
                wrong("expiresAfterHours must be 1 to 2160")
            }
            Self { pass_at_percent: percent, .. } if !(1..=100).contains(percent) => {
                wrong("passAtPercent must be 1 to 100")
            }
            _ => match policy.checks.fault() {
                Some(what) => wrong(&what),
                None => Ok(Self { digest: sha256(text.as_bytes()), ..policy }),
            },
        }
    }

    /// The built-in one.
    pub fn built_in() -> Result<Self, Unusable> {
        Self::read(BUILT_IN)
    }

    /// With waivers of a file of their own; they are part of what is asked, and
    /// so of its digest.
    pub fn with_waivers(mut self, text: &str) -> Result<Self, Unusable> {
        let file: WaiverFile = parse(text)?;
        self.waivers.extend(file.waivers);
        self.digest = sha256(format!("{}\n{}", self.digest, sha256(text.as_bytes())).as_bytes());
        Ok(self)
    }
}

fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, Unusable> {
    if text.len() > LARGEST {
        return Err(Unusable { line: None, what: format!("longer than {LARGEST} bytes") });
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map(|location| location.line());
        let what = error.without_snippet().to_string();
        Unusable { line, what: crate::evidence::bounded(&what) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "schemaVersion: 1\nname: small\nchecks:\n  tests: {minimum: 3}\n";

    #[test]
    fn the_built_in_one_can_be_followed() {
        let policy = Policy::built_in().unwrap();
        assert_eq!(policy.name, "hashinsight");
        assert!(policy.checks.coverage.is_some() && policy.checks.sbom.is_some());
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        assert_eq!(Policy::read(SMALL).unwrap().expires_after_hours, 168);
        for (from, to, line, why) in [
            ("minimum: 3", "minimun: 3", Some(4), "minimun"),
            ("tests: {minimum: 3}", "tets: {minimum: 3}", Some(4), "tets"),
            ("minimum: 3", "minimum: 0", None, "minimum"),
            ("schemaVersion: 1", "schemaVersion: 2", None, "schemaVersion"),
            ("  tests: {minimum: 3}", "  {}", None, "no check"),
            ("name: small", "name: small\nname: other", Some(3), "name"),
            ("{minimum: 3}", "{minimum: 3, weight: 0}", None, "weight"),
        ] {
            let refused = Policy::read(&SMALL.replace(from, to)).unwrap_err();
            assert!(refused.what.contains(why), "{to}: {refused}");
            assert_eq!(refused.line, line, "{to}: {refused}");
        }
    }

    #[test]
    fn waivers_are_part_of_what_is_asked() {
        let policy = Policy::read(SMALL).unwrap();
        let waivers = "waivers: [{check: tests, finding: a, owner: b, reason: because of a flaw, expires: 2026-12-01}]";
        let with = policy.clone().with_waivers(waivers).unwrap();
        assert_ne!(with.digest, policy.digest);
        assert_eq!(with.waivers.len(), 1);
    }
}
