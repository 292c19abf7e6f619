//! What scanners found: weaknesses of what the artifact is made of, and
//! complaints of analyses.

pub(super) mod cargo_audit;
pub(super) mod grype;
pub(super) mod npm;
pub(super) mod osv;
pub(super) mod sarif;
pub(super) mod trivy;

use serde::{Deserialize, Serialize};

use super::{Refusal, bounded};

/// Weaknesses of one file.
const MOST: usize = 200_000;

/// How bad a weakness is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing to act on.
    None,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Of a score of CVSS, by its qualitative scale.
    pub(super) fn of_score(score: f64) -> Option<Self> {
        Some(match score {
            0.0 => Self::None,
            s if (0.0..4.0).contains(&s) => Self::Low,
            s if (4.0..7.0).contains(&s) => Self::Medium,
            s if (7.0..9.0).contains(&s) => Self::High,
            s if (9.0..=10.0).contains(&s) => Self::Critical,
            _ => return None,
        })
    }

    /// Of the words scanners use; nothing where the scanner does not know, and a
    /// refusal of a word nobody uses.
    pub(super) fn of_word(word: &str) -> Result<Option<Self>, Refusal> {
        Ok(Some(match word.to_ascii_lowercase().as_str() {
            "critical" => Self::Critical,
            "high" | "important" => Self::High,
            "medium" | "moderate" => Self::Medium,
            "low" => Self::Low,
            "negligible" | "none" | "info" | "informational" => Self::None,
            "unknown" | "" => return Ok(None),
            other => return Err(Refusal::new(format!("the severity {other:?} is not known"))),
        }))
    }
}

/// One weakness or complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weakness {
    /// Its identifier, such as `CVE-2026-1234`.
    pub id: String,
    /// Others that mean the same.
    pub aliases: Vec<String>,
    /// How bad; nothing where the scanner does not say.
    pub severity: Option<Severity>,
    /// What has it: a package with its version, or a place in the source.
    pub subject: String,
    /// The version that mends it.
    pub mended_in: Option<String>,
    /// What it is.
    pub title: String,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// What the artifact is made of, against known weaknesses.
    Vulnerabilities,
    /// The source or what it depends on, by rules.
    Analysis,
}

/// What one file found.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Who looked.
    pub tool: String,
    /// At what.
    pub scan: Scan,
    /// What was found, without what the tool was told to leave out.
    pub found: Vec<Weakness>,
    /// How much the tool was told to leave out.
    pub suppressed: u64,
    /// Digests of the artifact that was looked at, where the tool tells.
    pub artifacts: Vec<String>,
}

impl Findings {
    fn new(tool: &str, scan: Scan) -> Self {
        Self { tool: bounded(tool), scan, found: Vec::new(), suppressed: 0, artifacts: Vec::new() }
    }

    fn add(&mut self, weakness: Weakness) -> Result<(), Refusal> {
        if weakness.id.is_empty() {
            return Err(Refusal::new("a weakness without an identifier"));
        }
        if self.found.len() >= MOST {
            return Err(Refusal::new(format!("more than {MOST} weaknesses")));
        }
        self.found.push(weakness);
        Ok(())
    }
}

/// `name version`.
fn package(name: &str, version: &str) -> String {
    bounded(format!("{name} {version}").trim_end())
}
