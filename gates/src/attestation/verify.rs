//! Whether a signed verdict holds for what somebody is about to release.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::{PREDICATE, Predicate, PublicKey};
use crate::evidence::{Envelope, Refusal, json};
use crate::verdict::Decision;
use crate::words::{Said, said};

/// Seconds by which clocks may differ.
const SKEW: i64 = 300;

/// What a signed verdict is held against.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// Keys that are trusted.
    pub keys: &'a [PublicKey],
    /// SHA-256 of the artifact that is to be released.
    pub artifact: &'a str,
    /// SHA-256 of the policy that had to be followed, where it is known.
    pub policy: Option<&'a str>,
    /// The commit, where it is known.
    pub commit: Option<&'a str>,
    /// SHA-256 of each file of evidence, where they are at hand.
    pub evidence: Option<&'a BTreeMap<String, String>>,
    /// Now.
    pub at: Timestamp,
}

/// Why it does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is no envelope with a verdict.
    Unreadable(Refusal),
    /// No trusted key signed it as it is.
    Forged,
    /// It is of another artifact.
    AnotherArtifact(String),
    /// Another policy was followed.
    AnotherPolicy(String),
    /// It is of another commit.
    AnotherCommit(String),
    /// It rests on other evidence: the first file that differs.
    AnotherEvidence(String),
    /// It is over.
    Expired(Timestamp),
    /// It was made in the future.
    FromTheFuture(Timestamp),
    /// It says no.
    NotAllowed(Decision),
}

impl Refused {
    /// A stable word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "Unreadable",
            Self::Forged => "Forged",
            Self::AnotherArtifact(_) => "AnotherArtifact",
            Self::AnotherPolicy(_) => "AnotherPolicy",
            Self::AnotherCommit(_) => "AnotherCommit",
            Self::AnotherEvidence(_) => "AnotherEvidence",
            Self::Expired(_) => "Expired",
            Self::FromTheFuture(_) => "FromTheFuture",
            Self::NotAllowed(_) => "NotAllowed",
        }
    }

    /// In a sentence.
    pub fn told(&self) -> Said {
        match self {
            Self::Unreadable(refusal) => {
                let place = refusal.line.map(|line| format!("line {line}: ")).unwrap_or_default();
                said(format!("no signed verdict: {place}{refusal}"), format!("不是已签名的裁决：{place}{refusal}"))
            }
            Self::Forged => said(
                "no trusted key signed it as it is: it was changed, or somebody else signed it",
                "没有可信密钥对其现有内容签名：内容被改动，或由他人签名",
            ),
            Self::AnotherArtifact(of) => said(format!("it is of the artifact {of}"), format!("它属于制品 {of}")),
            Self::AnotherPolicy(of) => said(format!("it follows the policy {of}"), format!("它遵循的策略是 {of}")),
            Self::AnotherCommit(of) => said(format!("it is of the commit {of}"), format!("它属于提交 {of}")),
            Self::AnotherEvidence(file) => {
                said(format!("{file} is not what the verdict rests on"), format!("{file} 与裁决所依据的不同"))
            }
            Self::Expired(at) => said(format!("it ended at {at}"), format!("已于 {at} 失效")),
            Self::FromTheFuture(at) => said(
                format!("it was made at {at}, which is not yet: clocks differ"),
                format!("签发时间 {at} 尚未到来：时钟不一致"),
            ),
            Self::NotAllowed(decision) => {
                said(format!("it says {}", decision.as_str()), format!("裁决为{}", decision.told().zh))
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    #[serde(rename = "name")]
    _name: String,
    digest: BTreeMap<String, String>,
}

/// Checks a signed verdict. The signature is looked at before anything in it is
/// believed.
pub fn verify(envelope: &str, expected: &Expected<'_>) -> Result<Predicate, Refused> {
    let envelope = Envelope::read(envelope).map_err(Refused::Unreadable)?;
    if !expected.keys.iter().any(|key| envelope.is_by(key)) {
        return Err(Refused::Forged);
    }
    let text = envelope.text().map_err(Refused::Unreadable)?;
    let statement: Statement = json::read(text).map_err(Refused::Unreadable)?;
    if statement.kind != "https://in-toto.io/Statement/v1" || statement.predicate_type != PREDICATE {
        return Err(Refused::Unreadable(Refusal::new("a statement of something else")));
    }
    let of = match statement.subject.as_slice() {
        [subject] => subject.digest.get("sha256").cloned().unwrap_or_default(),
        _ => return Err(Refused::Unreadable(Refusal::new("a statement of several artifacts, or of none"))),
    };
    let predicate = statement.predicate;
    holds(&predicate, &of, expected)?;
    Ok(predicate)
}

fn holds(predicate: &Predicate, of: &str, expected: &Expected<'_>) -> Result<(), Refused> {
    if of != expected.artifact {
        return Err(Refused::AnotherArtifact(of.to_owned()));
    }
    let policy = &predicate.policy;
    if expected.policy.is_some_and(|asked| asked != policy.sha256) {
        return Err(Refused::AnotherPolicy(format!("{} ({})", policy.name, policy.sha256)));
    }
    if let Some(asked) = expected.commit {
        let commit = predicate.commit.as_deref().unwrap_or("—");
        if !crate::checks::same_commit(commit, asked) {
            return Err(Refused::AnotherCommit(commit.to_owned()));
        }
    }
    if let Some(evidence) = expected.evidence {
        let here = evidence.iter().filter(|(file, digest)| predicate.evidence.get(*file) != Some(*digest));
        let there = predicate.evidence.iter().filter(|(file, digest)| evidence.get(*file) != Some(*digest));
        if let Some((file, _)) = here.chain(there).next() {
            return Err(Refused::AnotherEvidence(file.clone()));
        }
    }
    if predicate.at.as_second() > expected.at.as_second().saturating_add(SKEW) {
        return Err(Refused::FromTheFuture(predicate.at));
    }
    if predicate.expires <= expected.at {
        return Err(Refused::Expired(predicate.expires));
    }
    match predicate.decision {
        Decision::Allow => Ok(()),
        other => Err(Refused::NotAllowed(other)),
    }
}
