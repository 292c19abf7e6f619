//! What each check asks. A check without a weight must pass; those with one are
//! summed up.

use globset::{Glob, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Deserializer};

use super::{Freeze, Percent};
use crate::attestation::PublicKey;
use crate::checks::CheckId;
use crate::evidence::{ChangeClass, Severity};

/// The checks a policy has. Each that is left out is not made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Checks {
    /// Tests that ran.
    pub tests: Option<TestsRule>,
    /// Lines that tests reach.
    pub coverage: Option<CoverageRule>,
    /// How long things take.
    pub performance: Option<PerformanceRule>,
    /// Known weaknesses of what the artifact is made of.
    pub vulnerabilities: Option<VulnerabilitiesRule>,
    /// Complaints of analyses.
    pub analysis: Option<Analysis>,
    /// The bill of materials.
    pub sbom: Option<SbomRule>,
    /// Golden samples.
    pub golden_samples: Option<Exact>,
    /// Recorded requests, computed again.
    pub replay: Option<Exact>,
    /// Release notes.
    pub release_notes: Option<NotesRule>,
    /// Who built the artifact.
    pub provenance: Option<ProvenanceRule>,
    /// Classes of change that may be released.
    pub change_class: Option<ChangeClasses>,
    /// When nothing may be released.
    pub freeze: Option<FreezeRule>,
    /// Objectives and what is left of their budgets: a cluster knows.
    pub objectives: Option<Live>,
    /// Recovery points: a cluster knows.
    pub recovery: Option<Live>,
    /// Drills: a cluster knows.
    pub drills: Option<Live>,
}

/// Tests that ran.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestsRule {
    /// So many at least.
    pub minimum: u64,
    /// So many may pass only when they are run again.
    #[serde(default)]
    pub flaky_at_most: u64,
    /// So many may be skipped; any number where this is left out.
    pub skipped_at_most: Option<u64>,
    /// Of those that need not pass.
    pub weight: Option<u32>,
}

/// Lines that tests reach.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CoverageRule {
    /// Each by itself.
    pub areas: Vec<Area>,
    /// Of those that need not pass.
    pub weight: Option<u32>,
}

/// A part of the sources.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Area {
    /// What it is called.
    pub name: String,
    /// Its files; all where this is left out.
    #[serde(default)]
    pub paths: Option<Paths>,
    /// Files that are not of it all the same.
    #[serde(default)]
    pub except: Option<Paths>,
    /// Share of lines at least.
    pub lines_percent: Percent,
    /// Whether it is left out where it has no file; else that is an error.
    #[serde(default)]
    pub if_present: bool,
}

/// Patterns of paths, which also match below folders nobody named.
#[derive(Clone, Debug)]
pub struct Paths(GlobSet);

impl Paths {
    /// Whether a path is one of them.
    pub fn has(&self, path: &str) -> bool {
        self.0.is_match(path)
    }
}

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut set = GlobSetBuilder::new();
        for pattern in Vec::<String>::deserialize(from)? {
            for pattern in [pattern.clone(), format!("**/{pattern}")] {
                set.add(Glob::new(&pattern).map_err(serde::de::Error::custom)?);
            }
        }
        set.build().map(Self).map_err(serde::de::Error::custom)
    }
}

/// How long things take.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PerformanceRule {
    /// 95 of 100 requests take no longer.
    pub requests_p95_milliseconds: Option<u64>,
    /// How much slower than the baseline anything may have become, beyond
    /// chance; nothing is compared where this is left out.
    pub slower_percent: Option<Percent>,
    /// Of those that need not pass.
    pub weight: Option<u32>,
}

/// How many of each severity there may be; any number where one is left out.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AtMost {
    /// Critical ones.
    pub critical: Option<u64>,
    /// High ones.
    pub high: Option<u64>,
    /// Medium ones.
    pub medium: Option<u64>,
    /// Low ones.
    pub low: Option<u64>,
}

impl AtMost {
    /// For one severity.
    pub fn of(&self, severity: Severity) -> Option<u64> {
        match severity {
            Severity::Critical => self.critical,
            Severity::High => self.high,
            Severity::Medium => self.medium,
            Severity::Low => self.low,
            Severity::None => None,
        }
    }
}

/// What a weakness of unknown severity counts as.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub struct UnknownAs(pub Severity);

impl Default for UnknownAs {
    fn default() -> Self {
        Self(Severity::High)
    }
}

/// Known weaknesses.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VulnerabilitiesRule {
    /// Of each severity.
    pub at_most: AtMost,
    /// What those count as whose severity nobody knows.
    #[serde(default)]
    pub unknown_as: UnknownAs,
    /// Of those that need not pass.
    pub weight: Option<u32>,
}

/// Complaints of analyses.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Analysis {
    /// Tools that must have looked, by the beginning of their names; any one
    /// where none is named.
    #[serde(default)]
    pub tools: Vec<String>,
    /// Of each severity.
    pub at_most: AtMost,
    /// Of those that need not pass.
    pub weight: Option<u32>,
}

/// The bill of materials.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SbomRule {
    /// So many components at least.
    #[serde(default = "one")]
    pub minimum_components: u64,
    /// Where there is a lock file: share of its packages that the bill must
    /// name. A lock file also has what other targets and the tests need.
    #[serde(default = "a_quarter")]
    pub lock_percent: Percent,
    /// Of those that need not pass.
    pub weight: Option<u32>,
}

fn one() -> u64 {
    1
}

fn a_quarter() -> Percent {
    Percent(2500)
}

/// What must come out as before.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exact {
    /// So many at least.
    #[serde(default = "one")]
    pub minimum: u64,
    /// Of those that need not pass.
    pub weight: Option<u32>,
}

/// Release notes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotesRule {
    /// Characters of each section at least.
    #[serde(default = "a_sentence")]
    pub minimum_characters: u64,
    /// Of those that need not pass.
    pub weight: Option<u32>,
}

fn a_sentence() -> u64 {
    15
}

/// Who built the artifact.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProvenanceRule {
    /// Builders that are trusted, by their whole identifier.
    pub builders: Vec<String>,
    /// Public keys (PEM) of which one must have signed; where none is named,
    /// nobody checks who wrote it.
    #[serde(default)]
    pub keys: Vec<PublicKey>,
    /// Of those that need not pass.
    pub weight: Option<u32>,
}

/// Classes of change that may be released.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeClasses {
    /// These.
    pub allowed: Vec<ChangeClass>,
    /// Of those that need not pass.
    pub weight: Option<u32>,
}

/// When nothing may be released.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreezeRule {
    /// Each by itself.
    pub windows: Vec<Freeze>,
}

/// What only a cluster knows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Live {}

impl Checks {
    /// Those that are made, with their weights, in order.
    pub fn made(&self) -> Vec<(CheckId, Option<u32>)> {
        let made = |id, there: bool, weight| there.then_some((id, weight));
        macro_rules! rule {
            ($id:expr, $field:ident) => {
                made($id, self.$field.is_some(), self.$field.as_ref().and_then(|rule| rule.weight))
            };
        }
        [
            rule!(CheckId::Tests, tests),
            rule!(CheckId::Coverage, coverage),
            rule!(CheckId::Performance, performance),
            rule!(CheckId::Vulnerabilities, vulnerabilities),
            rule!(CheckId::Analysis, analysis),
            rule!(CheckId::Sbom, sbom),
            rule!(CheckId::GoldenSamples, golden_samples),
            rule!(CheckId::Replay, replay),
            rule!(CheckId::ReleaseNotes, release_notes),
            rule!(CheckId::Provenance, provenance),
            rule!(CheckId::ChangeClass, change_class),
            made(CheckId::Freeze, self.freeze.is_some(), None),
            made(CheckId::Objectives, self.objectives.is_some(), None),
            made(CheckId::Recovery, self.recovery.is_some(), None),
            made(CheckId::Drills, self.drills.is_some(), None),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// What makes them impossible to follow, or lets everything through.
    pub(super) fn fault(&self) -> Option<String> {
        let made = self.made();
        let fault = |is: bool, what: &str| is.then(|| what.to_owned());
        let areas = self.coverage.iter().flat_map(|coverage| &coverage.areas);
        let mut names: Vec<&str> = areas.clone().map(|area| area.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        fault(!made.iter().any(|(id, _)| !id.is_live()), "no check that is decided here: a policy must ask something")
            .or(fault(made.iter().any(|(_, weight)| *weight == Some(0)), "weight must be 1 or more"))
            .or(fault(self.tests.as_ref().is_some_and(|rule| rule.minimum == 0), "tests.minimum must be 1 or more"))
            .or(fault(self.coverage.as_ref().is_some_and(|rule| rule.areas.is_empty()), "coverage.areas is empty"))
            .or(fault(areas.clone().count() != names.len(), "two coverage.areas of one name"))
            .or(fault(
                self.performance
                    .as_ref()
                    .is_some_and(|rule| rule.requests_p95_milliseconds.is_none() && rule.slower_percent.is_none()),
                "performance asks nothing: state requestsP95Milliseconds, slowerPercent or both",
            ))
            .or(fault(
                self.provenance.as_ref().is_some_and(|rule| rule.builders.is_empty()),
                "provenance.builders is empty: name the builders that are trusted",
            ))
            .or(fault(
                [&self.golden_samples, &self.replay].into_iter().flatten().any(|rule| rule.minimum == 0),
                "minimum must be 1 or more",
            ))
            .or(self.freeze.iter().flat_map(|rule| &rule.windows).find_map(Freeze::fault))
    }
}
