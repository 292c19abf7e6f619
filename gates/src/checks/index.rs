//! Whether the files are those of the index, and the index that of the release.

use std::collections::BTreeSet;

use jiff::ToSpan;

use super::seen::{Seen, error, same_commit};
use crate::evidence::{Evidence, Facts, Index};
use crate::policy::{Need, Policy};
use crate::verdict::Finding;
use crate::words::{Said, said};

/// Seconds by which clocks may differ.
const SKEW: i64 = 300;

/// What is wrong with the evidence as the index lists it.
pub fn problems(policy: &Policy, seen: &Seen<'_>) -> Vec<Finding> {
    let indexes = seen.indexes();
    let Some((evidence, index)) = indexes.first() else {
        return if policy.evidence.index == Need::Required { vec![none()] } else { Vec::new() };
    };
    let told = [release(index, seen), age(policy, index, seen), files(index, seen), builder(evidence, seen)].concat();
    let again = said("gather the evidence of this very build, and index it again", "收集本次构建的证据并重新生成索引");
    let of = |(id, reason): (&str, Said)| error(id, reason, again.clone()).of(evidence);
    told.into_iter().map(of).collect()
}

type Told = Vec<(&'static str, Said)>;

fn none() -> Finding {
    error(
        "index",
        said("the policy asks for an index of the evidence, and there is none", "策略要求证据索引，但没有"),
        said(
            "where the evidence is made: hashinsight gate index --commit SHA FOLDER",
            "在生成证据处运行：hashinsight gate index --commit SHA 文件夹",
        ),
    )
}

/// Of which release.
fn release(index: &Index, seen: &Seen<'_>) -> Told {
    let mut told = Vec::new();
    if let Some(commit) = seen.case.commit.filter(|commit| !same_commit(commit, &index.commit)) {
        let of = &index.commit;
        told.push((
            "another-commit",
            said(
                format!("the evidence is of the commit {of}, the release of {commit}"),
                format!("证据属于提交 {of}，而发布为 {commit}"),
            ),
        ));
    }
    let artifact = index.artifact.as_deref().map(|name| name.trim_start_matches("sha256:"));
    if let (Some(of), Some(asked)) = (artifact, seen.case.artifact)
        && of != asked
    {
        told.push((
            "another-artifact",
            said(
                format!("the evidence is of the artifact {of}, the release is {asked}"),
                format!("证据属于制品 {of}，而发布为 {asked}"),
            ),
        ));
    }
    told
}

/// From when.
fn age(policy: &Policy, index: &Index, seen: &Seen<'_>) -> Told {
    let made = index.made;
    let ahead = made.as_second().saturating_sub(seen.case.at.as_second());
    if ahead > SKEW {
        return vec![(
            "clock",
            said(
                format!("the index was made {ahead} s in the future ({made}): the machines' clocks differ"),
                format!("索引的时间在未来 {ahead} 秒（{made}）：两台机器的时钟不一致"),
            ),
        )];
    }
    let Some(hours) = policy.evidence.max_age_hours else { return Vec::new() };
    let is_old = made.checked_add(i64::from(hours).hours()).is_ok_and(|end| end < seen.case.at);
    let reason = said(
        format!("the evidence is of {made}; at most {hours} h are allowed"),
        format!("证据生成于 {made}，最多允许 {hours} 小时"),
    );
    if is_old { vec![("too-old", reason)] } else { Vec::new() }
}

/// Which files. Provenance may name the index, so the index cannot name it.
fn files(index: &Index, seen: &Seen<'_>) -> Told {
    let mut told = Vec::new();
    let mut left: BTreeSet<&str> = index.files.keys().map(String::as_str).collect();
    let listed = seen.case.evidence.iter().filter(|e| !matches!(e.facts, Facts::Index(_) | Facts::Provenance(_)));
    for Evidence { file, digest, .. } in listed {
        left.remove(file.as_str());
        match index.files.get(file) {
            None => told.push(("changed", said(format!("{file} is not in the index"), format!("{file} 不在索引中")))),
            Some(of) if of != digest => told.push((
                "changed",
                said(
                    format!("{file} is not what the index says: it was changed"),
                    format!("{file} 与索引不符：已被改动"),
                ),
            )),
            Some(_) => {}
        }
    }
    let unread = |file: &&str| seen.case.unread.iter().any(|unread| unread.file == **file);
    for file in left.into_iter().filter(|file| !unread(file)) {
        let reason =
            said(format!("{file} is in the index and not in the folder"), format!("索引中的 {file} 不在文件夹中"));
        told.push(("gone", reason));
    }
    told
}

/// What the builder said the index was.
fn builder(evidence: &Evidence, seen: &Seen<'_>) -> Told {
    let last = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let name = last(&evidence.file);
    let mut told = Vec::new();
    for (by, provenance) in seen.provenance() {
        let of_index = provenance.byproducts.iter().filter(|(byproduct, _)| last(byproduct) == name);
        for (_, digest) in of_index.filter(|(_, digest)| **digest != evidence.digest) {
            let file = &by.file;
            let reason = said(
                format!("{file} says that the builder left another index: {digest}"),
                format!("{file} 记录的索引为 {digest}，与此不同"),
            );
            told.push(("another-index", reason));
        }
    }
    told
}
