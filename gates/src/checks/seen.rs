//! The evidence of one release, together: whose it is, whether it belongs
//! together, and what is claimed twice.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::CheckId;
use crate::evidence::{
    Bill, ChangeClass, Coverage, Evidence, Exactness, Facts, Findings, Index, Lock, Notes, Provenance, Refusal, Status,
    Tests, Timing, Unread,
};
use crate::policy::{Need, Policy, Standing};
use crate::verdict::{Finding, Level, Measured};
use crate::words::{Said, said};

/// What a verdict is asked on.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// When.
    pub at: Timestamp,
    /// The commit of the release.
    pub commit: Option<&'a str>,
    /// SHA-256 of its artifact, in hexadecimal.
    pub artifact: Option<&'a str>,
    /// The class of the change, where it is said beside the notes.
    pub class: Option<ChangeClass>,
    /// Files that were understood.
    pub evidence: &'a [Evidence],
    /// Files that were not.
    pub unread: &'a [Unread],
    /// What was measured of the release before.
    pub baseline: Option<&'a Measured>,
}

/// The same, by what it says.
pub struct Seen<'a> {
    pub case: Case<'a>,
    pub problems: Vec<Finding>,
    pub commit: Option<String>,
    pub class: Option<ChangeClass>,
    /// What waivers that hold let through.
    pub waived: BTreeSet<(CheckId, String)>,
}

macro_rules! facts {
    ($name:ident, $variant:ident, $type:ty) => {
        pub fn $name(&self) -> Vec<(&'a Evidence, &'a $type)> {
            let evidence = self.case.evidence.iter();
            evidence
                .filter_map(|e| if let Facts::$variant(facts) = &e.facts { Some((e, facts)) } else { None })
                .collect()
        }
    };
}

impl<'a> Seen<'a> {
    facts!(tests, Tests, Tests);
    facts!(coverage, Coverage, Coverage);
    facts!(timing, Timing, Timing);
    facts!(findings, Findings, Findings);
    facts!(bills, Bill, Bill);
    facts!(locks, Lock, Lock);
    facts!(provenance, Provenance, Provenance);
    facts!(notes, Notes, Notes);
    facts!(golden, Golden, Exactness);
    facts!(replay, Replay, Exactness);
    facts!(statuses, Status, Status);
    facts!(indexes, Index, Index);

    pub fn of(policy: &Policy, case: &Case<'a>) -> Self {
        let mut seen =
            Self { case: *case, problems: Vec::new(), commit: None, class: None, waived: waived(policy, case.at) };
        let mut problems: Vec<Finding> = case.unread.iter().map(unread).collect();
        if case.evidence.is_empty() && case.unread.is_empty() {
            problems.push(error(
                "empty",
                said("there is no evidence at all", "没有任何证据"),
                said(
                    "let the build write its reports, and name their folder: --evidence FOLDER",
                    "让构建写出报告，并用 --evidence 指明其文件夹",
                ),
            ));
        }
        problems.extend(seen.claimed_twice());
        problems.extend(super::index::problems(policy, &seen));
        seen.commit = case.commit.map(str::to_owned).or_else(|| Some(seen.indexes().first()?.1.commit.clone()));
        problems.extend(seen.classed());
        if policy.baseline == Need::Required && case.baseline.is_none() {
            problems.push(error(
                "baseline",
                said("the policy asks for a baseline, and there is none", "策略要求基线，但没有提供"),
                said("name the verdict of the release before: --baseline FILE", "用 --baseline 指明上一版本的裁决文件"),
            ));
        }
        seen.problems = problems;
        seen
    }

    /// What two files claim.
    fn claimed_twice(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut digests: BTreeMap<&str, &str> = BTreeMap::new();
        for evidence in self.case.evidence {
            if let Some(other) = digests.insert(&evidence.digest, &evidence.file) {
                found.push(twice("the same bytes", "相同内容", other, &evidence.file));
            }
        }
        for (what, zh, list) in [
            ("the bill of materials", "物料清单", files(&self.bills())),
            ("the release notes", "发布说明", files(&self.notes())),
            ("the golden samples", "黄金样本", files(&self.golden())),
            ("the replay", "重放", files(&self.replay())),
            ("the provenance", "来源证明", files(&self.provenance())),
            ("the index", "索引", files(&self.indexes())),
        ] {
            found.extend(list.windows(2).map(|pair| twice(what, zh, pair[0], pair[1])));
        }
        let names = |list: Vec<(&'a Evidence, Vec<&'a str>)>, what: &str, zh: &str| {
            let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
            let mut pairs: BTreeMap<(&str, &str), &str> = BTreeMap::new();
            for (evidence, names) in &list {
                for name in names {
                    if let Some(other) = owners.insert(name, &evidence.file) {
                        pairs.entry((other, &evidence.file)).or_insert(name);
                    }
                }
            }
            let told = |((one, other), name): ((&str, &str), &str)| {
                twice(&format!("{what} {name}"), &format!("{zh} {name}"), one, other)
            };
            pairs.into_iter().map(told).collect::<Vec<_>>()
        };
        let sources = self.coverage().into_iter().map(|(e, c)| (e, c.files.keys().map(String::as_str).collect()));
        let measures = self.timing().into_iter().map(|(e, t)| (e, t.measures.keys().map(String::as_str).collect()));
        found.extend(names(sources.collect(), "the coverage of", "覆盖率"));
        found.extend(names(measures.collect(), "the measure", "测量"));
        let tests = self.tests();
        for (at, (one, left)) in tests.iter().enumerate() {
            for (other, right) in tests.iter().skip(at + 1) {
                if overlap(&left.ids, &right.ids) {
                    found.push(twice("the same tests", "相同的测试", &one.file, &other.file));
                }
            }
        }
        found
    }

    /// The class of the change: said once, or twice the same.
    fn classed(&mut self) -> Vec<Finding> {
        let noted = self.notes().first().and_then(|(_, notes)| notes.class);
        self.class = self.case.class.or(noted);
        match (self.case.class, noted) {
            (Some(one), Some(other)) if one != other => vec![error(
                "class",
                said(
                    format!("the notes say {}, --change-class says {}", other.as_str(), one.as_str()),
                    format!("发布说明为 {}，而 --change-class 为 {}", other.as_str(), one.as_str()),
                ),
                said("say the same in both, or leave one out", "两处保持一致，或只写一处"),
            )],
            _ => Vec::new(),
        }
    }
}

fn waived(policy: &Policy, at: Timestamp) -> BTreeSet<(CheckId, String)> {
    let holding = policy.waivers.iter().filter(|waiver| waiver.standing(at).0 == Standing::Holds);
    holding.map(|waiver| (waiver.check, waiver.finding.trim().to_owned())).collect()
}

/// The names of the files that say something.
fn files<'a, T>(list: &[(&'a Evidence, T)]) -> Vec<&'a str> {
    list.iter().map(|(evidence, _)| evidence.file.as_str()).collect()
}

pub(super) fn error(id: &str, reason: Said, next: Said) -> Finding {
    Finding::new(Level::Error, id, reason, next)
}

fn unread(unread: &Unread) -> Finding {
    let Refusal { line, what, next } = &unread.refusal;
    let place = line.map_or_else(|| unread.file.clone(), |line| format!("{}:{line}", unread.file));
    Finding {
        file: Some(unread.file.clone()),
        line: *line,
        digest: unread.digest.clone(),
        ..error(
            "unreadable",
            said(format!("{place}: {what}"), format!("{place}：无法读取：{what}")),
            said(next[0], next[1]),
        )
    }
}

fn twice(what: &str, zh: &str, one: &str, other: &str) -> Finding {
    Finding {
        file: Some(other.to_owned()),
        ..error(
            "claimed-twice",
            said(format!("{one} and {other} both claim {what}"), format!("{one} 与 {other} 都声称提供{zh}")),
            said("keep the one that is of this build", "只保留属于本次构建的那一个"),
        )
    }
}

/// Whether a short name of a commit and a long one are of the same.
pub fn same_commit(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    short.len() >= 7 && long.starts_with(short)
}

/// Whether two ordered lists have anything in common.
fn overlap(left: &[u64], right: &[u64]) -> bool {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
        match one.cmp(other) {
            std::cmp::Ordering::Less => left.next(),
            std::cmp::Ordering::Greater => right.next(),
            std::cmp::Ordering::Equal => return true,
        };
    }
    false
}
