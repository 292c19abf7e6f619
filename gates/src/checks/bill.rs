//! The bill of materials: there, of this artifact, and of as many parts as the
//! lock file lets expect.

use super::{Answer, Seen};
use crate::evidence::Bill;
use crate::policy::{Percent, SbomRule};
use crate::verdict::{Finding, Level, Measured};
use crate::words::said;

/// Components of which at most so many in a hundred may be unknown to the lock
/// file: what is built in, such as a C library, stands in none.
const STRANGERS: u64 = 50;

pub fn ask(rule: &SbomRule, seen: &Seen<'_>, measured: &mut Measured) -> Answer {
    let bills = seen.bills();
    let Some((evidence, bill)) = bills.first() else {
        return Answer::missing(
            said("no bill of materials", "没有物料清单（SBOM）"),
            said("keep it as CycloneDX or SPDX JSON", "以 CycloneDX 或 SPDX JSON 保留"),
        );
    };
    measured.components = Some(bill.components);
    let mut findings = Vec::new();
    let mut tell = |finding: Finding| {
        findings.push(finding.of(evidence));
    };
    of_artifact(seen, bill).into_iter().for_each(&mut tell);
    if bill.components < rule.minimum_components {
        tell(
            Finding::new(
                Level::Failure,
                "too-few",
                said(format!("{} components", bill.components), format!("只有 {} 个组件", bill.components)),
                said("make the bill where all dependencies are known", "在依赖齐全处生成清单"),
            )
            .measured(bill.components, format!("at least {}", rule.minimum_components)),
        );
    }
    let before = seen.case.baseline.and_then(|baseline| baseline.components);
    if let Some(before) = before.filter(|before| bill.components * 2 < *before) {
        tell(
            Finding::new(
                Level::Failure,
                "shrunk",
                said(
                    format!("{} components, {before} before", bill.components),
                    format!("{} 个组件，此前为 {before} 个", bill.components),
                ),
                said("see that the bill is whole", "确认清单完整"),
            )
            .measured(bill.components, format!("at least half of {before}")),
        );
    }
    against_locks(rule, seen, &bill.names).into_iter().for_each(&mut tell);
    Answer::new(said(format!("{} components", bill.components), format!("{} 个组件", bill.components)), findings)
}

/// Whether the bill is of the artifact that is asked about.
fn of_artifact(seen: &Seen<'_>, bill: &Bill) -> Option<Finding> {
    let again = said(
        "make the bill for the artifact of this build, and write its SHA-256 into it",
        "为本次构建的制品生成清单，并写入其 SHA-256",
    );
    let wrong = |id, reason, next| Some(Finding::new(Level::Error, id, reason, next));
    match seen.case.artifact {
        None => wrong(
            "artifact",
            said(
                "no artifact is named, so nobody can tell whether the bill is of it",
                "没有指明制品，无法判断清单是否属于它",
            ),
            said("name it: --artifact sha256:…", "用 --artifact sha256:… 指明"),
        ),
        Some(_) if bill.artifacts.is_empty() => {
            let reason = said("the bill does not say of which artifact it is", "清单没有说明属于哪个制品");
            wrong("artifact", reason, again)
        }
        Some(asked) if !bill.artifacts.contains(asked) => {
            let of = bill.artifacts.first().map_or("", String::as_str);
            let reason = said("the bill is of another artifact", "清单属于另一个制品");
            wrong("another-artifact", reason, again).map(|finding| finding.measured(of, asked))
        }
        Some(_) => None,
    }
}

fn against_locks(rule: &SbomRule, seen: &Seen<'_>, names: &std::collections::BTreeSet<String>) -> Vec<Finding> {
    let locked: std::collections::BTreeSet<&String> = seen.locks().iter().flat_map(|(_, lock)| &lock.names).collect();
    if locked.is_empty() {
        let reason = said("no lock file to hold the bill against", "没有可供对照的锁文件");
        let next = said("put Cargo.lock or package-lock.json beside it", "将 Cargo.lock 或 package-lock.json 放在一起");
        return vec![Finding::new(Level::Note, "no-lock", reason, next)];
    }
    let known = names.iter().filter(|name| locked.contains(name)).count() as u64;
    let mut findings = Vec::new();
    if !rule.lock_percent.reached(known, locked.len() as u64) {
        findings.push(
            Finding::new(
                Level::Failure,
                "not-plausible",
                said(
                    format!("the bill names {known} of the {} packages of the lock file", locked.len()),
                    format!("锁文件有 {} 个软件包，清单只列出 {known} 个", locked.len()),
                ),
                said("make the bill from this very lock file", "依据此锁文件生成清单"),
            )
            .measured(Percent::of(known, locked.len() as u64), format!("at least {}", rule.lock_percent)),
        );
    }
    let strangers = names.len() as u64 - known;
    if strangers * 100 > names.len() as u64 * STRANGERS {
        let name = names.iter().find(|name| !locked.contains(name)).map_or("", String::as_str);
        findings.push(
            Finding::new(
                Level::Failure,
                "strangers",
                said(
                    format!("{strangers} of {} components are not in the lock file, such as {name}", names.len()),
                    format!("{} 个组件中有 {strangers} 个不在锁文件中，如 {name}", names.len()),
                ),
                said("make the bill from this very lock file", "依据此锁文件生成清单"),
            )
            .measured(strangers, format!("at most {STRANGERS} % of the components")),
        );
    }
    findings
}
