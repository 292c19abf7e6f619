//! What can be typed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use hashinsight_crds::text::Language;

use crate::calculate::arguments as calculate;
use crate::canary::arguments::Canary;
use crate::gate::arguments::Gate;
use crate::slo::arguments::{Incident, Slo};
use crate::translated::translate;

/// Mining economics, and HashInsight on a Kubernetes cluster
#[derive(Debug, Parser)]
#[command(name = "hashinsight", version, disable_help_subcommand = true, after_help = CODES)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

/// Exit codes, the same for every command and format.
pub const CODES: &str = "\
Exit codes:
  0 ok   1 refused, or a check failed   2 wrong usage, or something missing or unreadable
  3 deferred: not decided yet   4 the cluster cannot be asked   130 interrupted";

/// What every command understands.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// The kubeconfig file; else KUBECONFIG, ~/.kube/config, or the pod's own account
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Only this namespace; for doctor and version, the operator's
    #[arg(long, short, global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// How to print
    #[arg(long, short, global = true, value_enum, default_value = "table")]
    pub output: Format,
    /// Seconds to wait for the cluster
    #[arg(long, global = true, value_name = "SECONDS", default_value = "20", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,
    /// Language: en or zh; else by LC_ALL, LC_MESSAGES, LANG
    #[arg(long = "language", global = true, value_enum, value_name = "LANGUAGE")]
    pub said: Option<Said>,
    /// The language in force, found before anything else is read.
    #[arg(skip)]
    pub language: Language,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns for people
    Table,
    /// More columns
    Wide,
    /// All of it, for programs
    Json,
    /// The same as YAML
    Yaml,
    /// One name a line
    Name,
    /// Comma-separated values
    Csv,
    /// Of `gate check`: a test a check
    Junit,
    /// Of `gate check`: SARIF 2.1.0
    Sarif,
    /// Of `gate check`: annotations of GitHub Actions
    Github,
    /// Of `gate check`: GitLab's code quality
    Gitlab,
    /// Of `gate check`: for a comment or a summary
    Markdown,
    /// Of `gate check`: a page
    Html,
}

impl Format {
    /// Whether only `gate check` prints in it.
    pub const fn is_report(self) -> bool {
        matches!(self, Self::Junit | Self::Sarif | Self::Github | Self::Gitlab | Self::Markdown | Self::Html)
    }
}

/// A language as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Said {
    /// English
    En,
    /// Chinese
    Zh,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// One screen: every kind, worst first
    #[command(after_help = "\
Examples:
  hashinsight status                      the whole cluster
  hashinsight status -n tenant-acme       what a tenant's people may see
  hashinsight status --all -o name        every object, one a line
  hashinsight status -o json | jq '.items[] | select(.health == \"Stalled\")'")]
    Status {
        /// Also everything that is well
        #[arg(long)]
        all: bool,
    },
    /// Check cluster, kinds, admission, permissions and versions, and say the fix
    #[command(after_help = "\
Examples:
  hashinsight doctor                      exit code 1 when a check failed, 3 when one could not be made
  hashinsight doctor --context staging -o json")]
    Doctor,
    /// What a reason means and what to do
    #[command(after_help = "\
Examples:
  hashinsight explain NamespaceTaken
  hashinsight explain NamespaceTaken --language zh
  hashinsight explain --all")]
    Explain {
        /// The reason, as in the column REASON
        #[arg(required_unless_present = "all")]
        reason: Option<String>,
        /// All reasons
        #[arg(long, conflicts_with = "reason")]
        all: bool,
    },
    /// Versions of this program, the operator, its kinds and the cluster
    #[command(after_help = "\
Examples:
  hashinsight version
  hashinsight version --client -o json")]
    Version {
        /// This program only; no cluster is asked
        #[arg(long)]
        client: bool,
    },
    /// What a machine earns and costs in a day
    #[command(after_help = "\
Examples:
  hashinsight estimate --model 'S21 200T' --price 92817 --difficulty 109e12 --usd-per-kwh 0.06
  hashinsight estimate --terahash 200 --watts 3500 --price 92817 --difficulty 109e12 --usd-per-kwh -0.01 -o json
  hashinsight estimate --cases golden-samples.csv -o csv")]
    Estimate(Box<calculate::Estimate>),
    /// What a machine earns and costs over months or years
    #[command(after_help = "\
Examples:
  hashinsight project --model 'S21 200T' --price 92817 --difficulty 109e12 --usd-per-kwh 0.06 \\
    --height 925000 --capex 3000 --difficulty-growth 0.02 --html cash.html
  hashinsight project --terahash 200 --watts 3500 --price 92817 --difficulty 109e12 --usd-per-kwh 0.06 \\
    --height 925000 --months 60 --convention month-start --depreciation macrs -o csv")]
    Project(Box<calculate::Project>),
    /// Fleets: import, a day, heatmap, curtailment
    #[command(subcommand)]
    Fleet(calculate::Fleet),
    /// Compute records anew; they must come out byte for byte
    #[command(after_help = "\
Examples:
  hashinsight replay records/2026-11-23.jsonl
  hashinsight replay records/                              every *.jsonl in it
  hashinsight replay records/ --baseline ./hashinsight-old within 0.1 %, figure by figure")]
    Replay(calculate::Replay),
    /// Objectives: import, export, lint, explain, backtest, budget
    #[command(subcommand)]
    Slo(Slo),
    /// Incidents: list, acknowledge, resolve
    #[command(subcommand)]
    Incident(Incident),
    /// Canaries: follow a rollout, steer it, compute its verdict again
    #[command(subcommand)]
    Canary(Canary),
    /// Release gates: check, verify, explain, waivers, init, index
    #[command(subcommand)]
    Gate(Gate),
    /// Compute the golden samples and hold every digit against them
    #[command(after_help = "\
Examples:
  hashinsight golden -o json > evidence/golden.json
  curl -s http://127.0.0.1:9090/golden | hashinsight golden -      what a calculation core computes
Exit code 1 when a sample differs.")]
    Golden {
        /// The /golden document of a calculation core; - is standard input; without one, this program computes
        document: Option<PathBuf>,
    },
    /// What to do about an alert or a reason; without a name, all of them
    #[command(after_help = "\
Examples:
  hashinsight runbook
  hashinsight runbook ErrorBudgetBurnsFast
  hashinsight runbook SourceUnreachable --language zh")]
    Runbook {
        /// The alert or the reason
        name: Option<String>,
    },
    /// Print completions for a shell
    #[command(after_help = "\
Examples:
  hashinsight completions bash > /etc/bash_completion.d/hashinsight
  hashinsight completions zsh > \"${fpath[1]}/_hashinsight\"")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write all of them
    #[command(after_help = "\
Examples:
  hashinsight man | man -l -
  hashinsight man --directory /usr/local/share/man/man1")]
    Man {
        /// Write every page into this folder
        #[arg(long, value_name = "FOLDER")]
        directory: Option<PathBuf>,
    },
}

/// The command line in `language`; as kubectl's plugin when it is one.
pub fn command(language: Language, plugin: bool) -> Command {
    let command = translate(Arguments::command(), language);
    if plugin { command.bin_name("kubectl hashinsight") } else { command }
}

/// The language, from `words` or the environment. It is needed before the words
/// can be understood, because misunderstandings are told in it.
pub fn language(words: &[OsString]) -> Language {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let option = words.iter().enumerate().find_map(|(at, word)| match word.strip_prefix("--language") {
        Some("") => words.get(at + 1).map(ToString::to_string),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    });
    let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = option.or_else(|| ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set));
    locale.map_or(Language::English, |locale| Language::of_locale(&locale))
}
