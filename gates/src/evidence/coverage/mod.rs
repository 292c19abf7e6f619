//! Lines that tests reached, by source file.

pub(super) mod cobertura;
pub(super) mod lcov;
pub(super) mod llvm;

use std::collections::BTreeMap;

use super::{ByName, Refusal, bounded};

/// Lines of one source file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Lines that could be reached.
    pub total: u64,
    /// Lines that were.
    pub covered: u64,
}

/// Coverage of one file of evidence.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// By path of the source file, as the tool writes it.
    pub files: ByName<Lines>,
}

/// Gathers lines, of which several sections may tell.
#[derive(Default)]
pub(super) struct Gathered(BTreeMap<String, BTreeMap<u64, bool>>);

impl Gathered {
    pub fn file(&mut self, path: &str) -> &mut BTreeMap<u64, bool> {
        self.0.entry(bounded(path)).or_default()
    }

    pub fn done(self) -> Result<Coverage, Refusal> {
        let lines = |lines: &BTreeMap<u64, bool>| Lines {
            total: lines.len() as u64,
            covered: lines.values().filter(|hit| **hit).count() as u64,
        };
        Coverage { files: self.0.iter().map(|(path, hits)| (path.clone(), lines(hits))).collect() }.checked()
    }
}

impl Coverage {
    /// Refuses what covers nothing at all.
    fn checked(self) -> Result<Self, Refusal> {
        if self.files.values().all(|lines| lines.total == 0) {
            return Err(Refusal::new("no line of any source file")
                .next(["run the tests with coverage", "以覆盖率方式运行测试"]));
        }
        Ok(self)
    }
}
