//! Who built the artifact: a builder that is trusted, of this artifact, from
//! this commit, and signed where keys are known.

use super::seen::same_commit;
use super::{Answer, Seen};
use crate::policy::ProvenanceRule;
use crate::verdict::{Finding, Level};
use crate::words::{Said, said};

pub fn ask(rule: &ProvenanceRule, seen: &Seen<'_>) -> Answer {
    let found = seen.provenance();
    let Some((evidence, provenance)) = found.first() else {
        return Answer::missing(
            said("no provenance", "没有来源证明"),
            said(
                "keep the SLSA provenance of the build, in its DSSE envelope",
                "保留构建的 SLSA 来源证明（DSSE 信封）",
            ),
        );
    };
    let mut findings = Vec::new();
    let mut tell = |level, id: &str, reason: Said, value: String, threshold: String| {
        let next = said("release what the trusted builder built", "发布由可信构建器构建的制品");
        let finding = Finding::new(level, id, reason, next).measured(value, threshold);
        findings.push(finding.of(evidence));
    };
    if !rule.builders.contains(&provenance.builder) {
        let reason = said("another builder than those that are trusted", "构建器不在可信列表中");
        tell(Level::Failure, "builder", reason, provenance.builder.clone(), rule.builders.join(", "));
    }
    match seen.case.artifact {
        None => {
            let reason = said("no artifact is named: --artifact sha256:…", "没有指明制品：--artifact sha256:…");
            tell(Level::Error, "artifact", reason, String::new(), String::new());
        }
        Some(asked) if !provenance.artifacts.contains(asked) => {
            let of = provenance.artifacts.iter().cloned().collect::<Vec<_>>().join(", ");
            tell(
                Level::Error,
                "another-artifact",
                said("it is of another artifact", "属于另一个制品"),
                of,
                asked.to_owned(),
            );
        }
        Some(_) => {}
    }
    if let Some(commit) = &seen.commit
        && !provenance.commits.iter().any(|built| same_commit(built, commit))
    {
        let from = provenance.commits.iter().cloned().collect::<Vec<_>>().join(", ");
        tell(Level::Error, "another-commit", said("it is of another commit", "属于另一个提交"), from, commit.clone());
    }
    let signed = provenance.envelope.as_ref().is_some_and(|envelope| rule.keys.iter().any(|key| envelope.is_by(key)));
    if !rule.keys.is_empty() && !signed {
        let reason = match provenance.envelope {
            None => said("it is not signed", "没有签名"),
            Some(_) => said("no trusted key signed it as it is", "没有可信密钥对其现有内容签名"),
        };
        tell(Level::Failure, "signature", reason, String::new(), format!("one of {} keys", rule.keys.len()));
    }
    let how = if signed { said("signed", "已签名") } else { said("not verified", "未验证签名") };
    let told = said(
        format!("built by {} ({})", provenance.builder, how.en),
        format!("由 {} 构建（{}）", provenance.builder, how.zh),
    );
    Answer::new(told, findings)
}
