//! What can be typed of canaries.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hashinsight_crds::rollout_action::Verb;

#[derive(Debug, Subcommand)]
pub enum Canary {
    /// Compute a verdict again from what is on record of it, and say why
    #[command(after_help = "\
Examples:
  hashinsight canary explain verdict.json       exit code 1 when it comes out otherwise
The file holds what was asked, what was known and what was said: plan, known, judgement.")]
    Explain {
        /// The record; - is standard input
        file: PathBuf,
    },
    /// Follow a rollout until it is over: weights, counts, verdict, what is at risk
    #[command(after_help = "\
Examples:
  hashinsight canary watch core                 exit code 0 when it serves, 1 when it was taken back
  hashinsight canary watch core --once -o json
In a pipe, one line for each change; with -o json, one document a line.")]
    Watch {
        /// Name of the CalculationCore
        core: String,
        /// Only how it stands now; exit code 3 while it is under way
        #[arg(long)]
        once: bool,
    },
    #[command(flatten)]
    Act(Act),
}

/// What people ask of a rollout.
#[derive(Debug, Subcommand)]
pub enum Act {
    /// Hold a rollout where it is; what is bad is still taken back
    #[command(after_help = "\
Examples:
  hashinsight canary pause core --reason 'support case 4711'")]
    Pause(Asked),
    /// Let a rollout go on
    #[command(after_help = "\
Examples:
  hashinsight canary resume core --reason 'case 4711 is closed'")]
    Resume(Asked),
    /// Skip the steps that are left; while it is watched, end the watch
    #[command(after_help = "\
Examples:
  hashinsight canary promote core --reason 'the one before is broken'")]
    Promote(Asked),
    /// Take the new revision back
    #[command(after_help = "\
Examples:
  hashinsight canary abort core --reason 'customers see wrong units'")]
    Abort(Asked),
    /// Try anew what was taken back
    #[command(after_help = "\
Examples:
  hashinsight canary retry core --reason 'the registry is back'")]
    Retry(Asked),
    /// Do not hold it against a revision any more that it was taken back
    #[command(after_help = "\
Examples:
  hashinsight canary lift-quarantine core --revision 7f3c0a91d2 --reason 'the node was at fault'")]
    LiftQuarantine(Asked),
}

impl Act {
    /// The verb, and what goes with it.
    pub const fn parts(&self) -> (Verb, &Asked) {
        match self {
            Self::Pause(asked) => (Verb::Pause, asked),
            Self::Resume(asked) => (Verb::Resume, asked),
            Self::Promote(asked) => (Verb::Promote, asked),
            Self::Abort(asked) => (Verb::Abort, asked),
            Self::Retry(asked) => (Verb::Retry, asked),
            Self::LiftQuarantine(asked) => (Verb::LiftQuarantine, asked),
        }
    }
}

#[derive(Args, Debug)]
pub struct Asked {
    /// Name of the CalculationCore
    pub core: String,
    /// Why, for those who read it later
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The revision that is meant; else the one on its way, or taken back last
    #[arg(long, value_name = "REVISION")]
    pub revision: Option<String>,
    /// Minutes after which it is not done any more
    #[arg(long, value_name = "MINUTES", default_value = "10", value_parser = clap::value_parser!(u16).range(1..=1440))]
    pub expires: u16,
}

/// The words of these commands in Chinese, as in [`crate::translated`].
pub const WORDS: &[(&str, &str)] = &[
    ("canary", "金丝雀：跟踪发布、干预发布、重新计算结论"),
    ("canary explain", "根据记录重新计算结论，并说明原因"),
    ("canary explain --file", "记录文件；- 表示标准输入"),
    ("canary watch", "跟踪发布直至结束：流量比例、计数、结论、风险"),
    ("canary watch --once", "仅显示当前状态；进行中时退出码为 3"),
    ("canary pause", "将发布暂停在当前位置；有问题时仍会回滚"),
    ("canary resume", "恢复发布"),
    ("canary promote", "跳过剩余步骤；观察期内则结束观察"),
    ("canary abort", "回滚新版本"),
    ("canary retry", "重试已回滚的版本"),
    ("canary lift-quarantine", "不再因回滚而搁置某版本"),
    ("--core", "CalculationCore 的名称"),
    ("canary pause --reason", REASON),
    ("canary resume --reason", REASON),
    ("canary promote --reason", REASON),
    ("canary abort --reason", REASON),
    ("canary retry --reason", REASON),
    ("canary lift-quarantine --reason", REASON),
    ("--revision", "所指的版本；默认为正在发布或最近回滚的版本"),
    ("--expires", "超过这些分钟后不再执行"),
];

const REASON: &str = "理由，供日后查阅";
