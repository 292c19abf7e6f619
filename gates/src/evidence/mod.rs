//! Evidence: what tools wrote about a build, read strictly.
//!
//! A file becomes [`Facts`] or a [`Refusal`]; what is not understood is never
//! counted as fine. Reading is bounded: so many bytes, so deep, so many names
//! kept. Nothing here judges: that is `crate::checks`.

pub mod coverage;
mod cvss;
pub mod findings;
mod format;
pub mod json;
pub mod notes;
pub mod own;
pub mod provenance;
pub mod sbom;
pub mod tests;
pub mod timing;
mod xml;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

pub use coverage::{Coverage, Lines};
pub use findings::{Findings, Severity, Weakness};
pub use format::Format;
pub use notes::{ChangeClass, Notes};
pub use own::{Exactness, Index, Status};
pub use provenance::{Envelope, Provenance};
pub use sbom::{Bill, Lock};
pub use tests::Tests;
pub use timing::{Measure, Timing};

/// Bytes of one file.
pub const LARGEST: usize = 64 << 20;
/// Files of one release.
pub const MOST_FILES: usize = 512;
/// Names that are kept of a list of any length.
pub const KEPT: usize = 200;
/// Characters of a name that is kept.
const LONGEST_NAME: usize = 300;

/// Why a file is not evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Refusal {
    /// Line in the file, where one is known.
    pub line: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// What to do about it, in English and Chinese.
    pub next: [&'static str; 2],
}

/// What to do about a file that is cut off, changed or made by something else.
const MAKE_AGAIN: [&str; 2] = [
    "make the file again with its tool, and upload it whole and unchanged",
    "用原工具重新生成该文件，完整且不加改动地上传",
];

impl Refusal {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { line: None, what: bounded(&what.into()), next: MAKE_AGAIN }
    }

    pub(crate) fn at(line: u64, what: impl Into<String>) -> Self {
        Self { line: Some(line), ..Self::new(what) }
    }

    pub(crate) fn next(self, next: [&'static str; 2]) -> Self {
        Self { next, ..self }
    }
}

/// What a file says.
#[derive(Clone, Debug)]
pub enum Facts {
    /// Tests that ran.
    Tests(Tests),
    /// Lines that tests reached.
    Coverage(Coverage),
    /// How long things took.
    Timing(Timing),
    /// Weaknesses a scanner knows of, and what an analysis complains about.
    Findings(Findings),
    /// What the artifact is made of.
    Bill(Bill),
    /// What the build was told to use.
    Lock(Lock),
    /// Who built the artifact, and from what.
    Provenance(Provenance),
    /// What the release says of itself.
    Notes(Notes),
    /// Golden samples.
    Golden(Exactness),
    /// Recorded requests, computed again.
    Replay(Exactness),
    /// How a cluster's objects stood.
    Status(Status),
    /// Which files belong to the release.
    Index(Index),
    /// Said by another file of the same tool, too.
    Companion,
}

/// A file that was understood.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Path below the folder of evidence.
    pub file: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub digest: String,
    /// How it is written.
    pub format: Format,
    /// What it says.
    pub facts: Facts,
}

/// A file that was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Path below the folder of evidence.
    pub file: String,
    /// SHA-256 of its bytes, where they could be read.
    pub digest: Option<String>,
    /// Why.
    pub refusal: Refusal,
}

/// Reads one file.
pub fn read(file: &str, bytes: &[u8]) -> Result<Evidence, Unread> {
    let digest = sha256(bytes);
    let refused = |refusal| Unread { file: file.to_owned(), digest: Some(digest.clone()), refusal };
    if bytes.len() > LARGEST {
        let told = format!("{} bytes; at most {LARGEST} are read", bytes.len());
        return Err(refused(
            Refusal::new(told)
                .next(["split the report, or leave out what is not asked for", "拆分报告，或去掉不需要的部分"]),
        ));
    }
    let text = utf8(bytes).map_err(refused)?;
    let (format, outline) = Format::of(file, text).map_err(refused)?;
    let facts = format.read(file, text, &outline).map_err(refused)?;
    Ok(Evidence { file: file.to_owned(), digest, format, facts })
}

/// Text in UTF-8, without the mark some editors put before it.
fn utf8(bytes: &[u8]) -> Result<&str, Refusal> {
    let next = ["write the file in UTF-8", "以 UTF-8 写文件"];
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(Refusal::new("UTF-16; evidence is read in UTF-8 only").next(next));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        Refusal::at(lines(before), "not UTF-8").next(next)
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.find('\0') {
        Some(place) => Err(Refusal::at(lines(&text.as_bytes()[..place]), "a zero byte").next(next)),
        None if text.trim().is_empty() => Err(Refusal::new("the file is empty")),
        None => Ok(text),
    }
}

/// The line on which what comes after `before` stands.
fn lines(before: &[u8]) -> u64 {
    1 + memchr::memchr_iter(b'\n', before).count() as u64
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A name as it is kept: on one line, and not endless.
pub(crate) fn bounded(name: &str) -> String {
    let clean = name.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut kept: String = clean.take(LONGEST_NAME).collect();
    if name.chars().nth(LONGEST_NAME).is_some() {
        kept.push('…');
    }
    kept
}

/// What stands for a name in sets of any size. Two names with the same number
/// seem the same, which refuses and never passes.
pub(crate) fn number(parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.bytes().chain([0xFF]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash
}

/// Sums that files of one kind are made of, by name; a name in two files is one
/// too many.
pub(crate) type ByName<T> = BTreeMap<String, T>;
