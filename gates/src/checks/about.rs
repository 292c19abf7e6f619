//! What each check asks, reads and accepts, for those who are stopped by it.

use super::CheckId;
use crate::words::{Said, said};

/// A check, explained.
pub struct About {
    /// What it asks.
    pub asks: Said,
    /// What it reads.
    pub reads: &'static str,
    /// Where what it reads comes from: a command.
    pub made_by: &'static str,
    /// What to do when it stops a release.
    pub then: Said,
}

/// A row of the table: sentences in English and Chinese.
struct Row {
    check: CheckId,
    asks: [&'static str; 2],
    reads: &'static str,
    made_by: &'static str,
    then: [&'static str; 2],
}

/// Explains a check.
pub fn about(check: CheckId) -> About {
    let row = ROWS.iter().find(|row| row.check == check).unwrap_or(&ROWS[0]);
    let both = |[en, zh]: [&str; 2]| said(en, zh);
    About { asks: both(row.asks), reads: row.reads, made_by: row.made_by, then: both(row.then) }
}

const ROWS: [Row; CheckId::ALL.len()] = [
    Row {
        check: CheckId::Tests,
        asks: [
            "all tests pass, at least so many ran, none only when it was run again, and not fewer than before",
            "所有测试通过，数量足够，没有重跑才通过的，也不比以前少",
        ],
        reads: "JUnit XML, cargo test, libtest JSON, go test JSON",
        made_by: "cargo test 2>&1 | tee tests.txt; go test -json ./... > tests.json; pytest --junitxml tests.xml",
        then: [
            "mend what failed; where tests were removed on purpose, say why in the notes under \"Tests removed\"",
            "修复失败的测试；若有意删除测试，请在发布说明的“删除的测试”一节说明原因",
        ],
    },
    Row {
        check: CheckId::Coverage,
        asks: [
            "tests reach enough lines of each area; an area that was not measured is an error",
            "每个区域的测试行覆盖率足够；未测量的区域视为错误",
        ],
        reads: "LCOV, Cobertura XML, llvm-cov JSON",
        made_by: "cargo llvm-cov --lcov --output-path coverage.lcov; coverage xml",
        then: ["write tests for the file it names", "为其指出的文件补充测试"],
    },
    Row {
        check: CheckId::Performance,
        asks: [
            "95 of 100 requests are quick enough; nothing became slower than the baseline by more than is allowed and chance explains (Welch's test, one in a thousand)",
            "95 % 的请求足够快；与基线相比没有超出允许且非偶然的变慢（Welch 检验，千分之一）",
        ],
        reads: "k6 summary, oha JSON, Criterion samples, benchmark samples",
        made_by: "oha --output-format json -n 2000 URL > latency.json; k6 run --summary-export k6.json load.js",
        then: ["find what is slow; measure again on a quiet machine", "查找慢的原因；在空闲机器上重新测量"],
    },
    Row {
        check: CheckId::Vulnerabilities,
        asks: [
            "no more known weaknesses of each severity than allowed; one of unknown severity counts as high",
            "各严重级别的已知漏洞不超过上限；级别未知的按高危计",
        ],
        reads: "osv-scanner JSON, cargo-audit JSON, Trivy JSON, Grype JSON, npm audit JSON, SARIF of grype, osv-scanner and the like",
        made_by: "cargo audit --json > audit.json; osv-scanner --format json . > osv.json; trivy image --format json IMAGE > trivy.json",
        then: [
            "use the version that mends it; else waive it by its id, with an owner, a reason and an end",
            "升级到修复版本；否则按编号豁免，注明负责人、理由和期限",
        ],
    },
    Row {
        check: CheckId::Analysis,
        asks: [
            "no more complaints of each severity than allowed, by every tool that is named",
            "每个指定工具的告警不超过各级别上限",
        ],
        reads: "SARIF 2.1.0",
        made_by: "cargo deny --format sarif check bans licenses sources > deny.sarif; ruff check --output-format sarif > ruff.sarif",
        then: ["mend it, or waive it by its rule's id", "修复，或按规则编号豁免"],
    },
    Row {
        check: CheckId::Sbom,
        asks: [
            "there is a bill of materials, of this very artifact, with as many parts as the lock file lets expect",
            "存在属于本制品的物料清单，组件数与锁文件相符",
        ],
        reads: "CycloneDX JSON, SPDX JSON, Cargo.lock, package-lock.json",
        made_by: "cargo cyclonedx --format json; npm sbom --sbom-format cyclonedx > sbom.json",
        then: [
            "make it from the lock file of this build, with the artifact's SHA-256 in metadata.component.hashes",
            "依据本次构建的锁文件生成，并在 metadata.component.hashes 写入制品的 SHA-256",
        ],
    },
    Row {
        check: CheckId::GoldenSamples,
        asks: [
            "the golden samples come out to the last digit; nothing excuses a difference",
            "黄金样本逐位一致；不可豁免",
        ],
        reads: "golden samples",
        made_by: "hashinsight golden -o json > golden.json",
        then: ["find what changed the figures", "查明数值变化的原因"],
    },
    Row {
        check: CheckId::Replay,
        asks: [
            "recorded requests come out byte for byte; nothing excuses a difference",
            "录制的请求逐字节一致；不可豁免",
        ],
        reads: "replay report",
        made_by: "hashinsight replay records/ -o json > replay.json",
        then: ["find what changed the figures", "查明数值变化的原因"],
    },
    Row {
        check: CheckId::ReleaseNotes,
        asks: ["the notes say what changes, what may go wrong and how to go back", "发布说明写明变更、风险和回退方法"],
        reads: "Markdown with the sections Change, Risk and Rollback (变更, 风险, 回退), or the same as front matter",
        made_by: "hashinsight gate init --notes > RELEASE.md",
        then: ["write the section that is missing", "补写缺少的一节"],
    },
    Row {
        check: CheckId::Provenance,
        asks: [
            "a trusted builder built this artifact from this commit, and signed that where keys are known",
            "可信构建器从本提交构建了本制品，并在已知密钥时签名",
        ],
        reads: "in-toto statement with SLSA provenance, DSSE envelope",
        made_by: "the builder's own attestation, such as that of your CI service",
        then: ["release what the trusted builder built", "发布由可信构建器构建的制品"],
    },
    Row {
        check: CheckId::ChangeClass,
        asks: [
            "the class of the change is known, Feature, Fix or Security, and may be released",
            "变更类别（Feature、Fix、Security）已知且允许发布",
        ],
        reads: "release notes (class: Fix), or --change-class",
        made_by: "hashinsight gate init --notes > RELEASE.md",
        then: ["say what kind of change it is", "注明变更类别"],
    },
    Row {
        check: CheckId::Freeze,
        asks: ["no freeze is on that does not let this class of change through", "没有生效且不放行此类变更的冻结窗口"],
        reads: "the policy's freezes, the time, the class of the change",
        made_by: "hashinsight gate check --policy release-policy.yaml",
        then: [
            "wait until the time it names; a security fix goes through where the freeze says so",
            "等到所示时间；若冻结允许，安全修复可以通过",
        ],
    },
    Row {
        check: CheckId::Objectives,
        asks: [
            "objectives are met and budgets are left: only the cluster knows, so it is never passed here",
            "目标达成且预算有余：只有集群知道，此处从不算通过",
        ],
        reads: "status export (shown, decides nothing)",
        made_by: "hashinsight status -o json > status.json",
        then: ["let the operator decide when the release arrives", "由控制器在发布到达时判断"],
    },
    Row {
        check: CheckId::Recovery,
        asks: [
            "recovery points are young enough: only the cluster knows, so it is never passed here",
            "恢复点足够新：只有集群知道，此处从不算通过",
        ],
        reads: "status export (shown, decides nothing)",
        made_by: "hashinsight status -o json > status.json",
        then: ["let the operator decide when the release arrives", "由控制器在发布到达时判断"],
    },
    Row {
        check: CheckId::Drills,
        asks: [
            "drills passed lately: only the cluster knows, so it is never passed here",
            "近期演练通过：只有集群知道，此处从不算通过",
        ],
        reads: "status export (shown, decides nothing)",
        made_by: "hashinsight status -o json > status.json",
        then: ["let the operator decide when the release arrives", "由控制器在发布到达时判断"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_its_row() {
        assert!(CheckId::ALL.iter().eq(ROWS.iter().map(|row| &row.check)));
    }
}
