//! The example's release, `examples/release-gate`, as files in memory.

use std::collections::BTreeMap;
use std::path::Path;

use hashinsight_gates::checks::{Case, decide};
use hashinsight_gates::evidence::{self, Facts, Index, sha256};
use hashinsight_gates::policy::Policy;
use hashinsight_gates::verdict::{Measured, Verdict};
use jiff::Timestamp;

pub const COMMIT: &str = "3f9c2d7a5e1b48860c9d4f27ab6e80315d2c7f94";
/// A day without a freeze.
pub const DAY: &str = "2026-11-28T12:00:00Z";

/// A release that can be spoilt.
#[derive(Clone)]
pub struct Release {
    pub files: BTreeMap<String, Vec<u8>>,
    pub policy: String,
    pub artifact: Option<String>,
    pub commit: Option<String>,
    pub at: Timestamp,
    pub baseline: Option<Measured>,
}

fn example() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/release-gate")
}

impl Release {
    pub fn good() -> Self {
        let folder = example().join("evidence");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap())
        });
        Self {
            files: files.collect(),
            policy: std::fs::read_to_string(example().join("release-policy.yaml")).unwrap(),
            artifact: Some(sha256(&std::fs::read(example().join("artifact")).unwrap())),
            commit: Some(COMMIT.to_owned()),
            at: DAY.parse().unwrap(),
            baseline: None,
        }
    }

    /// With an index of its files as they are now.
    pub fn indexed(mut self) -> Self {
        self.files.remove("evidence-index.json");
        let listed = self.files.iter().filter(|(name, _)| !name.ends_with(".dsse.json"));
        let digests = listed.map(|(name, bytes)| (name.clone(), sha256(bytes))).collect();
        let made = "2026-11-28T11:00:00Z".parse().unwrap();
        let index = Index::new(COMMIT, self.artifact.as_deref(), made, digests);
        self.files.insert("evidence-index.json".to_owned(), serde_json::to_vec_pretty(&index).unwrap());
        self
    }

    /// With a file in which `from` became `to`.
    pub fn replaced(mut self, file: &str, from: &str, to: &str) -> Self {
        let text = String::from_utf8(self.files[file].clone()).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        self.files.insert(file.to_owned(), text.replace(from, to).into_bytes());
        self
    }

    pub fn with(mut self, file: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(file.to_owned(), bytes.into());
        self
    }

    pub fn without(mut self, file: &str) -> Self {
        assert!(self.files.remove(file).is_some(), "{file}");
        self
    }

    /// With a policy in which `from` became `to`.
    pub fn policy(mut self, from: &str, to: &str) -> Self {
        assert!(self.policy.contains(from), "no {from:?}");
        self.policy = self.policy.replace(from, to);
        self
    }

    pub fn at(mut self, at: &str) -> Self {
        self.at = at.parse().unwrap();
        self
    }

    pub fn verdict(&self) -> Verdict {
        let (mut evidence, mut unread) = (Vec::new(), Vec::new());
        for (name, bytes) in &self.files {
            match evidence::read(name, bytes) {
                Ok(read) => evidence.push(read),
                Err(not) => unread.push(not),
            }
        }
        assert!(evidence.iter().all(|e| !matches!(e.facts, Facts::Companion) || e.file.contains('/')));
        let case = Case {
            at: self.at,
            commit: self.commit.as_deref(),
            artifact: self.artifact.as_deref(),
            class: None,
            evidence: &evidence,
            unread: &unread,
            baseline: self.baseline.as_ref(),
        };
        decide(&Policy::read(&self.policy).unwrap(), &case)
    }
}
