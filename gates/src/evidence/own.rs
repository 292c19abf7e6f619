//! What our own programs write: golden samples, replays, the status of a
//! cluster, and the index of evidence.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use super::json::{self, Outline};
use super::{Format, KEPT, MOST_FILES, Refusal, bounded};

/// The one version of each schema there is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Version;

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match u64::deserialize(from)? {
            1 => Ok(Self),
            other => Err(serde::de::Error::custom(format_args!("schemaVersion {other}; 1 is read"))),
        }
    }
}

/// Which of ours a document is.
pub(super) fn kind(outline: &Outline) -> Option<Format> {
    if !outline.has("schemaVersion") {
        return None;
    }
    match outline.text("kind") {
        Some("Benchmark") => Some(Format::Benchmark),
        Some("GoldenSamples") => Some(Format::Golden),
        Some("EvidenceIndex") => Some(Format::Index),
        None if outline.has("records") && outline.has("good") => Some(Format::Replay),
        None if outline.has("cluster") && outline.has("items") => Some(Format::Status),
        Some(_) | None => None,
    }
}

/// Results that must be the same as before, to the last digit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exactness {
    /// Who computed.
    pub library: String,
    /// How many were computed.
    pub total: u64,
    /// How many are the same.
    pub exact: u64,
    /// What differs, at most [`KEPT`].
    pub different: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Golden {
    #[serde(rename = "schemaVersion")]
    _version: Version,
    #[serde(rename = "kind")]
    _kind: String,
    library: String,
    samples: u64,
    exact: u64,
    different: Vec<String>,
}

pub(super) fn golden(text: &str) -> Result<Exactness, Refusal> {
    let Golden { library, samples, exact, different, .. } = json::typed(text)?;
    exactness(library, samples, exact, different)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replay {
    #[serde(rename = "schemaVersion")]
    _version: Version,
    library: String,
    records: u64,
    good: u64,
    bad: Vec<String>,
    #[serde(rename = "largest_difference")]
    _difference: Option<String>,
}

pub(super) fn replay(text: &str) -> Result<Exactness, Refusal> {
    let Replay { library, records, good, bad, .. } = json::typed(text)?;
    exactness(library, records, good, bad)
}

fn exactness(library: String, total: u64, exact: u64, different: Vec<String>) -> Result<Exactness, Refusal> {
    if exact > total || (exact == total) != different.is_empty() {
        return Err(Refusal::new(format!("{exact} of {total} are the same, and {} differ", different.len())));
    }
    let different = different.iter().take(KEPT).map(|told| bounded(told)).collect();
    Ok(Exactness { library: bounded(&library), total, exact, different })
}

/// How a cluster's objects stood when somebody asked.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Each object.
    pub items: Vec<Standing>,
}

/// How one object stood.
#[derive(Clone, Debug, Deserialize)]
pub struct Standing {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// `Ready`, `Working` or `Stalled`.
    pub health: String,
    /// The reason of its condition Ready.
    pub reason: String,
}

#[derive(Deserialize)]
struct StatusFile {
    #[serde(rename = "schemaVersion")]
    _version: Version,
    items: Vec<Standing>,
}

pub(super) fn status(text: &str) -> Result<Status, Refusal> {
    let file: StatusFile = json::typed(text)?;
    if let Some(odd) = file.items.iter().find(|item| !["Ready", "Working", "Stalled"].contains(&item.health.as_str())) {
        return Err(Refusal::new(format!("{}/{} is {:?}", odd.kind, odd.name, bounded(&odd.health))));
    }
    Ok(Status { items: file.items })
}

/// Which files belong to a release, as they were when they were made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Index {
    /// Always 1.
    pub schema_version: u64,
    /// Always `EvidenceIndex`.
    pub kind: String,
    /// The commit the evidence is of.
    pub commit: String,
    /// `sha256:` and the digest of the artifact it is of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub artifact: Option<String>,
    /// When the index was made.
    pub made: Timestamp,
    /// SHA-256 of each file, by its path in the folder.
    pub files: BTreeMap<String, String>,
}

impl Index {
    /// An index of these files.
    pub fn new(commit: &str, artifact: Option<&str>, made: Timestamp, files: BTreeMap<String, String>) -> Self {
        let artifact = artifact.map(|digest| format!("sha256:{digest}"));
        Self { schema_version: 1, kind: "EvidenceIndex".to_owned(), commit: commit.to_owned(), artifact, made, files }
    }
}

pub(super) fn index(text: &str) -> Result<Index, Refusal> {
    let index: Index = json::typed(text)?;
    if index.schema_version != 1 || index.files.len() > MOST_FILES {
        return Err(Refusal::new("an index of another schema, or of too many files"));
    }
    Ok(index)
}
