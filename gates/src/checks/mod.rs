//! What is asked of a release, one question each. Evidence goes in, findings
//! come out; a question that cannot be answered is an error, never a pass.

mod about;
mod bill;
mod coverage;
mod exact;
mod freeze;
mod index;
mod live;
mod notes;
mod performance;
mod provenance;
mod seen;
mod tests;
mod weaknesses;

use jiff::Timestamp;
use jiff::ToSpan;
use serde::{Deserialize, Serialize};

pub use about::{About, about};
use seen::Seen;
pub use seen::{Case, same_commit};

use crate::policy::{Policy, Standing};
use crate::verdict::{
    Checked, Decision, Finding, Followed, Level, Measured, Outcome, SCHEMA, Scope, Source, Verdict, Waived,
};
use crate::words::{Said, said};

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum CheckId {
    /// Tests passed, and not fewer than before.
    Tests,
    /// Tests reach enough lines.
    Coverage,
    /// Nothing is too slow, or slower than before.
    Performance,
    /// No known weakness that is too bad.
    Vulnerabilities,
    /// No complaint of an analysis that is too bad.
    Analysis,
    /// The bill of materials is there and fits.
    Sbom,
    /// The golden samples come out to the last digit.
    GoldenSamples,
    /// Recorded requests come out byte for byte.
    Replay,
    /// The notes say what changes, what may go wrong, how to go back.
    ReleaseNotes,
    /// Somebody trusted built it.
    Provenance,
    /// The class of the change is known and may be released.
    ChangeClass,
    /// No freeze is on.
    Freeze,
    /// Objectives are met and budgets are left.
    Objectives,
    /// Recovery points are young enough.
    Recovery,
    /// Drills passed lately.
    Drills,
}

impl CheckId {
    /// All, in order.
    pub const ALL: [Self; 15] = [
        Self::Tests,
        Self::Coverage,
        Self::Performance,
        Self::Vulnerabilities,
        Self::Analysis,
        Self::Sbom,
        Self::GoldenSamples,
        Self::Replay,
        Self::ReleaseNotes,
        Self::Provenance,
        Self::ChangeClass,
        Self::Freeze,
        Self::Objectives,
        Self::Recovery,
        Self::Drills,
    ];

    /// As it is written, also in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tests => "tests",
            Self::Coverage => "coverage",
            Self::Performance => "performance",
            Self::Vulnerabilities => "vulnerabilities",
            Self::Analysis => "analysis",
            Self::Sbom => "sbom",
            Self::GoldenSamples => "goldenSamples",
            Self::Replay => "replay",
            Self::ReleaseNotes => "releaseNotes",
            Self::Provenance => "provenance",
            Self::ChangeClass => "changeClass",
            Self::Freeze => "freeze",
            Self::Objectives => "objectives",
            Self::Recovery => "recovery",
            Self::Drills => "drills",
        }
    }

    /// Whether only a cluster can answer.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Objectives | Self::Recovery | Self::Drills)
    }

    /// Whether its findings may be waived: not what is exact or is somebody's
    /// signature, and not a freeze.
    pub const fn is_waivable(self) -> bool {
        matches!(
            self,
            Self::Tests | Self::Coverage | Self::Performance | Self::Vulnerabilities | Self::Analysis | Self::Sbom
        )
    }
}

/// What a check says before waivers.
struct Answer {
    summary: Said,
    findings: Vec<Finding>,
}

impl Answer {
    fn new(summary: Said, findings: Vec<Finding>) -> Self {
        Self { summary, findings }
    }

    /// There is nothing to answer with.
    fn missing(what: Said, next: Said) -> Self {
        let finding = Finding::new(Level::Error, MISSING, what.clone(), next).measured("none", "at least one");
        Self { summary: what, findings: vec![finding] }
    }
}

/// The finding of a check for which there is no evidence.
pub const MISSING: &str = "missing";

/// The verdict on a release.
pub fn decide(policy: &Policy, case: &Case<'_>) -> Verdict {
    let seen = Seen::of(policy, case);
    let mut measured = Measured::default();
    let mut waivers: Vec<Waived> = policy
        .waivers
        .iter()
        .map(|waiver| {
            let (standing, why) = waiver.standing(case.at);
            Waived { waiver: waiver.clone(), standing, why, used: false }
        })
        .collect();
    let made = policy.checks.made();
    let checks: Vec<Checked> = made
        .into_iter()
        .map(|(id, weight)| checked(id, weight, ask(id, policy, &seen, &mut measured), &mut waivers))
        .collect();
    let problems = seen.problems;
    let score = score(&checks);
    let decision = decision(policy, &problems, &checks, score);
    let untils = checks.iter().flat_map(|checked| &checked.findings).filter_map(|finding| finding.until);
    let hours = i64::from(policy.expires_after_hours);
    Verdict {
        schema_version: SCHEMA,
        decision,
        until: if decision == Decision::Defer { untils.max() } else { None },
        at: case.at,
        expires: case.at.checked_add(hours.hours()).unwrap_or(Timestamp::MAX),
        policy: Followed { name: policy.name.clone(), sha256: policy.digest.clone() },
        artifact: case.artifact.map(str::to_owned),
        commit: seen.commit,
        change_class: seen.class,
        score_percent: score,
        problems,
        checks,
        waivers,
        evidence: case
            .evidence
            .iter()
            .map(|evidence| Source {
                file: evidence.file.clone(),
                sha256: evidence.digest.clone(),
                format: evidence.format.as_str().to_owned(),
            })
            .collect(),
        measured,
    }
}

fn ask(id: CheckId, policy: &Policy, seen: &Seen<'_>, measured: &mut Measured) -> Answer {
    let checks = &policy.checks;
    let answer = match id {
        CheckId::Tests => checks.tests.as_ref().map(|rule| tests::ask(rule, seen, measured)),
        CheckId::Coverage => checks.coverage.as_ref().map(|rule| coverage::ask(rule, seen, measured)),
        CheckId::Performance => checks.performance.as_ref().map(|rule| performance::ask(rule, policy, seen, measured)),
        CheckId::Vulnerabilities => checks.vulnerabilities.as_ref().map(|rule| weaknesses::known(rule, seen)),
        CheckId::Analysis => checks.analysis.as_ref().map(|rule| weaknesses::analysis(rule, seen)),
        CheckId::Sbom => checks.sbom.as_ref().map(|rule| bill::ask(rule, seen, measured)),
        CheckId::GoldenSamples => checks.golden_samples.as_ref().map(|rule| exact::golden(rule, seen)),
        CheckId::Replay => checks.replay.as_ref().map(|rule| exact::replay(rule, seen)),
        CheckId::ReleaseNotes => checks.release_notes.as_ref().map(|rule| notes::ask(rule, seen)),
        CheckId::Provenance => checks.provenance.as_ref().map(|rule| provenance::ask(rule, seen)),
        CheckId::ChangeClass => checks.change_class.as_ref().map(|rule| notes::class(rule, seen)),
        CheckId::Freeze => checks.freeze.as_ref().map(|rule| freeze::ask(rule, seen)),
        CheckId::Objectives | CheckId::Recovery | CheckId::Drills => Some(live::ask(id, seen)),
    };
    // A check is only made where its rule is.
    answer.unwrap_or_else(|| Answer::missing(said("no rule", "没有规则"), said("", "")))
}

fn checked(id: CheckId, weight: Option<u32>, answer: Answer, waivers: &mut [Waived]) -> Checked {
    let Answer { summary, mut findings } = answer;
    for finding in findings.iter_mut().filter(|finding| finding.level >= Level::Failure) {
        let fits = |waived: &&mut Waived| {
            let waiver = &waived.waiver;
            waived.standing == Standing::Holds && waiver.check == id && waiver.finding.trim() == finding.id
        };
        if let Some(waived) = waivers.iter_mut().find(fits) {
            waived.used = true;
            finding.waived = Some(waived.waiver.clone());
        }
    }
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.stands()), std::cmp::Reverse(finding.level)));
    let worst = findings.iter().filter(|finding| finding.stands()).map(|finding| finding.level).max();
    let scope = if id.is_live() { Scope::Live } else { Scope::Build };
    let outcome = match (scope, worst) {
        (_, Some(Level::Error)) => Outcome::Error,
        (_, Some(Level::Failure)) => Outcome::Failed,
        (_, Some(Level::Deferral)) => Outcome::Deferred,
        (Scope::Live, _) => Outcome::NotEvaluatedHere,
        (Scope::Build, _) => Outcome::Passed,
    };
    Checked { check: id, scope, outcome, weight, summary, findings }
}

/// Share of the weights that passed.
fn score(checks: &[Checked]) -> Option<u32> {
    let weighed = || checks.iter().filter_map(|checked| Some((checked.outcome, u64::from(checked.weight?))));
    let all: u64 = weighed().map(|(_, weight)| weight).sum();
    let passed: u64 = weighed().filter(|(outcome, _)| *outcome == Outcome::Passed).map(|(_, weight)| weight).sum();
    (all > 0).then(|| u32::try_from(passed * 100 / all).unwrap_or(0))
}

/// What could not be told is worse than what was refused: nobody knows what it
/// hides. A weight excuses a failure, never a question without an answer.
fn decision(policy: &Policy, problems: &[Finding], checks: &[Checked], score: Option<u32>) -> Decision {
    let error = problems.iter().any(|finding| finding.level == Level::Error)
        || checks.iter().any(|checked| checked.outcome == Outcome::Error)
        || !checks.iter().any(|checked| checked.scope == Scope::Build);
    let failed = checks.iter().any(|checked| checked.outcome == Outcome::Failed && checked.weight.is_none())
        || score.is_some_and(|score| score < policy.pass_at_percent);
    let deferred = checks.iter().any(|checked| checked.outcome == Outcome::Deferred);
    match (error, failed, deferred) {
        (true, ..) => Decision::Error,
        (_, true, _) => Decision::Deny,
        (_, _, true) => Decision::Defer,
        _ => Decision::Allow,
    }
}
