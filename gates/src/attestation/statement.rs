//! The statement: what a verdict says that somebody else must be able to trust.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::SecretKey;
use crate::checks::CheckId;
use crate::evidence::{ChangeClass, Envelope, provenance::IN_TOTO};
use crate::policy::Waiver;
use crate::verdict::{Decision, Followed, Measured, Outcome, Verdict};

/// What the statement is called.
pub const PREDICATE: &str = "https://hashinsight.net/attestations/release-verdict/v1";

/// A verdict of which nobody could tell what it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a verdict is signed for one artifact; name it: --artifact sha256:…")]
pub struct Unbound;

/// What is attested of the artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Predicate {
    /// The verdict.
    pub decision: Decision,
    /// When it was made.
    pub at: Timestamp,
    /// From when on it is not to be trusted any more.
    pub expires: Timestamp,
    /// By which policy.
    pub policy: Followed,
    /// The commit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<String>,
    /// What kind of change it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub change_class: Option<ChangeClass>,
    /// SHA-256 of each file it rests on.
    pub evidence: BTreeMap<String, String>,
    /// Checks that passed here.
    pub passed: Vec<CheckId>,
    /// Checks that only a cluster can make, and has to.
    pub left_to_cluster: Vec<CheckId>,
    /// Waivers that let something through.
    pub waived: Vec<Waiver>,
    /// What was measured, for the release after this one.
    pub measured: Measured,
}

/// Signs a verdict. Returns the envelope's JSON.
pub fn attest(verdict: &Verdict, key: &SecretKey) -> Result<String, Unbound> {
    let artifact = verdict.artifact.as_deref().ok_or(Unbound)?;
    let which = |outcome: Outcome| -> Vec<CheckId> {
        verdict.checks.iter().filter(|checked| checked.outcome == outcome).map(|checked| checked.check).collect()
    };
    let predicate = Predicate {
        decision: verdict.decision,
        at: verdict.at,
        expires: verdict.expires,
        policy: verdict.policy.clone(),
        commit: verdict.commit.clone(),
        change_class: verdict.change_class,
        evidence: verdict.evidence.iter().map(|source| (source.file.clone(), source.sha256.clone())).collect(),
        passed: which(Outcome::Passed),
        left_to_cluster: which(Outcome::NotEvaluatedHere),
        waived: verdict.waivers.iter().filter(|waived| waived.used).map(|waived| waived.waiver.clone()).collect(),
        measured: verdict.measured.clone(),
    };
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "artifact", "digest": {"sha256": artifact}}],
        "predicateType": PREDICATE,
        "predicate": predicate,
    });
    Ok(Envelope::sign(IN_TOTO, statement.to_string().as_bytes(), key))
}
