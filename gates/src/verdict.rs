//! What is said of a release, with all it rests on. The same policy, evidence
//! and time give the same verdict.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::checks::CheckId;
use crate::evidence::{ChangeClass, Evidence, Measure};
use crate::policy::{Standing, Waiver};
use crate::words::{Said, said};

/// Version of the published schema.
pub const SCHEMA: u32 = 1;

/// Whether a release may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Decision {
    /// It may, as far as is decided here.
    Allow,
    /// Not before a freeze is over.
    Defer,
    /// It may not.
    Deny,
    /// Nobody can tell: evidence is missing, unreadable or contradicts itself.
    Error,
}

impl Decision {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Defer => "Defer",
            Self::Deny => "Deny",
            Self::Error => "Error",
        }
    }

    /// The code a program ends with.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Allow => 0,
            Self::Deny => 1,
            Self::Error => 2,
            Self::Defer => 3,
        }
    }

    /// As people read it.
    pub fn told(self) -> Said {
        match self {
            Self::Allow => said("Allow", "放行"),
            Self::Defer => said("Defer", "暂缓"),
            Self::Deny => said("Deny", "拒绝"),
            Self::Error => said("Error", "错误"),
        }
    }
}

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Outcome {
    /// It passed.
    Passed,
    /// Only a cluster can tell. Never counted as passed.
    NotEvaluatedHere,
    /// A freeze is on.
    Deferred,
    /// It did not pass.
    Failed,
    /// It could not be made.
    Error,
}

impl Outcome {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "Passed",
            Self::NotEvaluatedHere => "NotEvaluatedHere",
            Self::Deferred => "Deferred",
            Self::Failed => "Failed",
            Self::Error => "Error",
        }
    }

    /// As people read it.
    pub fn told(self) -> Said {
        let zh = match self {
            Self::Passed => "通过",
            Self::NotEvaluatedHere => "此处不判断",
            Self::Deferred => "暂缓",
            Self::Failed => "未通过",
            Self::Error => "错误",
        };
        said(self.as_str(), zh)
    }

    /// A mark beside the word, so that colour alone says nothing.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Passed => "✓",
            Self::NotEvaluatedHere => "–",
            Self::Deferred => "…",
            Self::Failed => "✗",
            Self::Error => "!",
        }
    }
}

/// What a finding does to its check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Level {
    /// Nothing: it is told.
    Note,
    /// Nothing, but somebody should look.
    Warning,
    /// It defers.
    Deferral,
    /// It fails.
    Failure,
    /// It cannot be made.
    Error,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Its name, stable from run to run; what a waiver names.
    pub id: String,
    /// What it does.
    pub level: Level,
    /// Why.
    pub reason: Said,
    /// What to do.
    pub next: Said,
    /// What was measured.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
    /// What is asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub threshold: Option<String>,
    /// The file it rests on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
    /// The line in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u64>,
    /// SHA-256 of that file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<String>,
    /// Until when it defers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub until: Option<Timestamp>,
    /// The waiver that lets it through.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub waived: Option<Waiver>,
}

impl Finding {
    /// A finding without figures.
    pub fn new(level: Level, id: impl Into<String>, reason: Said, next: Said) -> Self {
        Self {
            id: crate::evidence::bounded(&id.into()),
            level,
            reason,
            next,
            value: None,
            threshold: None,
            file: None,
            line: None,
            digest: None,
            until: None,
            waived: None,
        }
    }

    /// With what was measured and what is asked.
    #[must_use]
    pub fn measured(self, value: impl ToString, threshold: impl ToString) -> Self {
        Self { value: Some(value.to_string()), threshold: Some(threshold.to_string()), ..self }
    }

    /// With the file it rests on.
    #[must_use]
    pub(crate) fn of(self, evidence: &Evidence) -> Self {
        Self { file: Some(evidence.file.clone()), digest: Some(evidence.digest.clone()), ..self }
    }

    /// Whether it still does something.
    pub fn stands(&self) -> bool {
        self.waived.is_none()
    }
}

/// Whether a check is decided here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Scope {
    /// By what a build leaves.
    Build,
    /// By what only a cluster knows.
    Live,
}

/// A check and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// Which.
    pub check: CheckId,
    /// Whether it is decided here.
    pub scope: Scope,
    /// What became of it.
    pub outcome: Outcome,
    /// Its weight, where it need not pass.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub weight: Option<u32>,
    /// In one sentence.
    pub summary: Said,
    /// What was found, worst first.
    pub findings: Vec<Finding>,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Source {
    /// Its path in the folder of evidence.
    pub file: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// How it is written.
    pub format: String,
}

/// A waiver and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Waived {
    /// It.
    pub waiver: Waiver,
    /// How it stands.
    pub standing: Standing,
    /// Why.
    pub why: Said,
    /// Whether it let something through.
    pub used: bool,
}

/// What was measured, for later releases to be held against.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Measured {
    /// Tests that ran.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tests: Option<u64>,
    /// Source files of each area of coverage.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub covered_files: BTreeMap<String, u64>,
    /// Components of the bill of materials.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub components: Option<u64>,
    /// How long things took.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub durations: BTreeMap<String, Measure>,
}

/// The policy that was followed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Followed {
    /// What it is called.
    pub name: String,
    /// SHA-256 of its text.
    pub sha256: String,
}

/// A verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Always 1.
    pub schema_version: u32,
    /// Whether the release may go on.
    pub decision: Decision,
    /// When a freeze is over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub until: Option<Timestamp>,
    /// When it was decided.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub at: Timestamp,
    /// From when on it is not to be trusted any more.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub expires: Timestamp,
    /// By which policy.
    pub policy: Followed,
    /// SHA-256 of the artifact.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub artifact: Option<String>,
    /// The commit it was built from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<String>,
    /// What kind of change it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub change_class: Option<ChangeClass>,
    /// Share of the weights that passed, in percent, where there are weights.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub score_percent: Option<u32>,
    /// What is wrong with the evidence or the policy as a whole.
    pub problems: Vec<Finding>,
    /// Each check.
    pub checks: Vec<Checked>,
    /// Each waiver.
    pub waivers: Vec<Waived>,
    /// Each file.
    pub evidence: Vec<Source>,
    /// What was measured.
    pub measured: Measured,
}

impl Verdict {
    /// Of a release that cannot even be looked at, such as by a policy that is
    /// none.
    pub fn refused(at: Timestamp, problem: Finding) -> Self {
        Self {
            schema_version: SCHEMA,
            decision: Decision::Error,
            until: None,
            at,
            expires: at,
            policy: Followed::default(),
            artifact: None,
            commit: None,
            change_class: None,
            score_percent: None,
            problems: vec![problem],
            checks: Vec::new(),
            waivers: Vec::new(),
            evidence: Vec::new(),
            measured: Measured::default(),
        }
    }

    /// Every finding with its check, worst first; those of no check before.
    pub fn findings(&self) -> Vec<(Option<CheckId>, &Finding)> {
        let of_none = self.problems.iter().map(|finding| (None, finding));
        let of_checks =
            self.checks.iter().flat_map(|checked| checked.findings.iter().map(|f| (Some(checked.check), f)));
        let mut all: Vec<_> = of_none.chain(of_checks).collect();
        all.sort_by_key(|(_, finding)| (std::cmp::Reverse(finding.stands()), std::cmp::Reverse(finding.level)));
        all
    }

    /// In one sentence.
    pub fn told(&self) -> Said {
        let count = |outcome| self.checks.iter().filter(|checked| checked.outcome == outcome).count();
        let (passed, failed, errors) = (count(Outcome::Passed), count(Outcome::Failed), count(Outcome::Error));
        let errors = errors + self.problems.iter().filter(|finding| finding.level == Level::Error).count();
        let left = count(Outcome::NotEvaluatedHere);
        let until =
            self.until.map_or_else(|| said("", ""), |until| said(format!(" until {until}"), format!("，至 {until}")));
        let decision = self.decision.told();
        let left = if left == 0 {
            said("", "")
        } else {
            said(format!("; {left} are left to the cluster"), format!("；{left} 项由集群判断"))
        };
        said(
            format!("{}{}: {passed} checks passed, {failed} failed, {errors} errors{}", decision.en, until.en, left.en),
            format!("{}{}：{passed} 项通过，{failed} 项未通过，{errors} 项错误{}", decision.zh, until.zh, left.zh),
        )
    }
}
