//! What can be typed of release gates.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

#[derive(Debug, Subcommand)]
pub enum Gate {
    /// Whether a release may go on, by its evidence; no cluster is asked
    #[command(after_help = "\
Examples:
  hashinsight gate check --evidence evidence --artifact sha256:…
  hashinsight gate check --policy release-policy.yaml --waivers waivers.yaml --artifact image.tar -o markdown
  hashinsight gate check --artifact sha256:… --report junit=gate.xml --report sarif=gate.sarif \\
    --sign-key gate.key --attestation verdict.dsse.json
Exit codes, the same for every format: 0 Allow, 1 Deny, 2 Error (evidence or policy missing, unreadable or
contradicting itself), 3 Defer (a freeze is on).")]
    Check(Box<Check>),
    /// Whether a signed verdict holds for what is about to be released; offline
    #[command(after_help = "\
Examples:
  hashinsight gate verify verdict.dsse.json --key gate.pub --artifact sha256:…
  hashinsight gate verify verdict.dsse.json --key gate.pub --artifact image.tar --policy release-policy.yaml \\
    --evidence evidence
Exit codes: 0 it holds, 1 it does not, with the reason; 2 something is missing or unreadable.")]
    Verify(Verify),
    /// What a check asks, reads, and what to do when it stops a release
    #[command(after_help = "\
Examples:
  hashinsight gate explain
  hashinsight gate explain vulnerabilities --language zh
  hashinsight gate explain --policy-text > release-policy.yaml")]
    Explain {
        /// The check; without one, all of them
        check: Option<String>,
        /// Print the policy that is built in
        #[arg(long, conflicts_with = "check")]
        policy_text: bool,
    },
    /// Every waiver and how it stands
    #[command(after_help = "\
Examples:
  hashinsight gate waivers --policy release-policy.yaml       exit code 1 when one is over or says too little")]
    Waivers {
        #[command(flatten)]
        asked: Asked,
    },
    /// A ready snippet for a pipeline
    #[command(after_help = "\
Examples:
  hashinsight gate init github                 a step for GitHub Actions
  hashinsight gate init gitlab > gate.yml
  hashinsight gate init --notes > RELEASE.md   release notes to fill in")]
    Init {
        /// The pipeline
        #[arg(required_unless_present = "notes")]
        pipeline: Option<Pipeline>,
        /// Release notes to fill in, instead
        #[arg(long, conflicts_with = "pipeline")]
        notes: bool,
    },
    /// List the evidence of a build with its digests, where it is made
    #[command(after_help = "\
Examples:
  hashinsight gate index evidence --commit \"$(git rev-parse HEAD)\" --artifact sha256:…
What is changed, added or taken away later, or is of another commit, is then refused.")]
    Index {
        /// The folder of evidence; evidence-index.json is written into it
        folder: PathBuf,
        /// The commit it is of
        #[arg(long, value_name = "SHA")]
        commit: String,
        /// The artifact it is of: sha256:…, NAME@sha256:…, or its file
        #[arg(long, value_name = "DIGEST|FILE")]
        artifact: Option<String>,
    },
}

/// Which policy, and when.
#[derive(Args, Debug)]
pub struct Asked {
    /// The policy; else the one that is built in
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Waivers in a file of their own
    #[arg(long, value_name = "FILE")]
    pub waivers: Option<PathBuf>,
    /// As if it were then; else now
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
}

#[derive(Args, Debug)]
pub struct Check {
    #[command(flatten)]
    pub asked: Asked,
    /// The folder of evidence
    #[arg(long, value_name = "FOLDER", default_value = "evidence")]
    pub evidence: PathBuf,
    /// The artifact: sha256:…, NAME@sha256:…, or its file
    #[arg(long, value_name = "DIGEST|FILE")]
    pub artifact: Option<String>,
    /// The commit it is built from
    #[arg(long, value_name = "SHA")]
    pub commit: Option<String>,
    /// The class of the change, where the notes do not say
    #[arg(long, value_name = "CLASS")]
    pub change_class: Option<Class>,
    /// The verdict (JSON, or signed) of the release before, to hold this one against
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Also write the report in this format; may be given several times
    #[arg(long, value_name = "FORMAT=FILE")]
    pub report: Vec<String>,
    /// Sign the verdict with this private key (PKCS#8 PEM; Ed25519 or P-256)
    #[arg(long, value_name = "FILE", requires = "attestation")]
    pub sign_key: Option<PathBuf>,
    /// Write the signed verdict here
    #[arg(long, value_name = "FILE", requires = "sign_key")]
    pub attestation: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct Verify {
    /// The signed verdict
    pub envelope: PathBuf,
    /// A public key (PEM) that is trusted; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    pub key: Vec<PathBuf>,
    /// The artifact that is about to be released: sha256:…, NAME@sha256:…, or its file
    #[arg(long, value_name = "DIGEST|FILE")]
    pub artifact: String,
    /// The policy that had to be followed
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Waivers that policy had in a file of their own
    #[arg(long, value_name = "FILE", requires = "policy")]
    pub waivers: Option<PathBuf>,
    /// The commit it had to be of
    #[arg(long, value_name = "SHA")]
    pub commit: Option<String>,
    /// The evidence it had to rest on
    #[arg(long, value_name = "FOLDER")]
    pub evidence: Option<PathBuf>,
    /// As if it were then; else now
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
}

/// A class of change as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Class {
    /// Something new
    Feature,
    /// Something mended
    Fix,
    /// Something mended that could be abused
    Security,
}

/// A pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pipeline {
    /// GitHub Actions
    Github,
    /// GitLab CI
    Gitlab,
    /// Tekton
    Tekton,
}

/// The words of these commands in Chinese, as in [`crate::translated`].
pub const WORDS: &[(&str, &str)] = &[
    ("gate", "发布门禁：裁决、验证、说明、豁免、接入流水线"),
    ("gate check", "根据证据判断能否发布；不询问集群"),
    ("gate verify", "离线验证已签名的裁决是否适用于即将发布的制品"),
    ("gate explain", "说明某项检查的要求、读取的证据及处理方法"),
    ("gate waivers", "列出每项豁免及其状态"),
    ("gate init", "输出可直接使用的流水线片段"),
    ("gate index", "在生成证据处列出证据及其摘要"),
    ("--policy", "策略文件；否则用内置策略"),
    ("--waivers", "单独的豁免文件"),
    ("--at", "以此时刻判断；否则为现在"),
    ("--evidence", "证据所在文件夹"),
    ("--artifact", "制品：sha256:…、名称@sha256:…，或其文件"),
    ("--commit", "构建所依据的提交"),
    ("--change_class", "变更类别（发布说明未注明时）"),
    ("--baseline", "上一版本的裁决（JSON 或已签名），用于比较"),
    ("--report", "另以此格式写出报告；可多次使用"),
    ("--sign_key", "用此私钥签署裁决（PKCS#8 PEM；Ed25519 或 P-256）"),
    ("--attestation", "将已签名的裁决写到此处"),
    ("--envelope", "已签名的裁决"),
    ("--key", "受信任的公钥（PEM）；可多次使用"),
    ("gate explain --check", "检查名称；不写则列出全部"),
    ("--policy_text", "输出内置策略"),
    ("--pipeline", "流水线"),
    ("--notes", "改为输出待填写的发布说明"),
    ("gate index --folder", "证据文件夹；将在其中写入 evidence-index.json"),
    ("golden", "计算黄金样本并逐位核对"),
    ("golden --document", "计算核心的 /golden 文档；- 表示标准输入；不写则由本程序计算"),
];
