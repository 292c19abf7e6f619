//! What can be typed about objectives and incidents.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Slo {
    /// Turn OpenSLO documents into our objectives, or say what has no home
    #[command(after_help = "\
Examples:
  hashinsight slo import openslo.yaml > objectives.yaml
  cat *.yaml | hashinsight slo import -")]
    Import {
        /// Files of documents; - is standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Turn our objectives into OpenSLO documents
    #[command(after_help = "\
Examples:
  hashinsight slo export objectives.yaml > openslo.yaml
  kubectl get slo core-availability -n hashinsight-system -o yaml | hashinsight slo export -")]
    Export {
        /// Files of documents; - is standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Check objectives and policies before they are applied
    #[command(after_help = "\
Examples:
  hashinsight slo lint -f objectives.yaml        exit code 1 when one cannot be measured
  hashinsight slo lint -f slo/*.yaml -o json")]
    Lint {
        /// A file of objectives and policies; - is standard input; may be repeated
        #[arg(long = "file", short = 'f', required = true, num_args = 1..)]
        files: Vec<PathBuf>,
    },
    /// Say in words what an objective counts and how its number came about
    #[command(after_help = "\
Examples:
  hashinsight slo explain core-availability -n hashinsight-system
  hashinsight slo explain -f objective.yaml")]
    Explain(Which),
    /// Play history through an objective: when it would have paged and frozen
    #[command(after_help = "\
Examples:
  hashinsight slo backtest -f objective.yaml --history counters.csv
  hashinsight slo backtest -f objective.yaml -f policy.yaml --prometheus-url http://127.0.0.1:9090 --days 7
The file has columns time, total and bad, and process where there are several: counters as they
were read, time in RFC 3339 or seconds.")]
    Backtest {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        past: Past,
    },
    /// Draw what is left of the error budget over time
    #[command(after_help = "\
Examples:
  hashinsight slo budget core-availability -n hashinsight-system
  hashinsight slo budget core-availability -n hashinsight-system --prometheus-url http://127.0.0.1:9090 --svg budget.svg
  hashinsight slo budget -f objective.yaml --history counters.csv")]
    Budget {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        past: Past,
        /// Also write the picture here
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
}

/// Which objective.
#[derive(Args, Debug)]
pub struct Which {
    /// Its name on the cluster
    #[arg(required_unless_present = "files", conflicts_with = "files")]
    pub name: Option<String>,
    /// A file with it, and its policy; - is standard input; may be repeated
    #[arg(long = "file", short = 'f')]
    pub files: Vec<PathBuf>,
}

/// Where its past is read.
#[derive(Args, Debug)]
pub struct Past {
    /// A CSV of counters as they were read
    #[arg(long, value_name = "FILE", conflicts_with = "prometheus_url")]
    pub history: Option<PathBuf>,
    /// A Prometheus that has the counters
    #[arg(long, value_name = "URL")]
    pub prometheus_url: Option<String>,
    /// Days to look back
    #[arg(long, value_name = "DAYS", default_value = "30", value_parser = clap::value_parser!(u16).range(1..=120))]
    pub days: u16,
}

#[derive(Debug, Subcommand)]
pub enum Incident {
    /// Incidents, worst first, with every clock
    #[command(after_help = "\
Examples:
  hashinsight incident list
  hashinsight incident list --all -o json")]
    List {
        /// Also what is over
        #[arg(long)]
        all: bool,
    },
    /// Say that you have it
    #[command(after_help = "\
Examples:
  hashinsight incident acknowledge error-budget-burns-fast-0a1b2c3d4e-20261124t040000 --note 'rolling back'")]
    Acknowledge {
        /// Its name
        name: String,
        /// A word for the record
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// End it by hand; an alert that ends does so by itself
    #[command(after_help = "\
Examples:
  hashinsight incident resolve error-budget-burns-fast-0a1b2c3d4e-20261124t040000 --note 'false alarm'")]
    Resolve {
        /// Its name
        name: String,
        /// A word for the record
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
}

/// The words of these commands in Chinese, as in [`crate::translated`].
pub const WORDS: &[(&str, &str)] = &[
    ("slo", "服务目标：导入、导出、检查、解释、回测、预算"),
    ("slo import", "将 OpenSLO 文档转为我们的目标，或说明哪些内容无处安放"),
    ("slo export", "将我们的目标转为 OpenSLO 文档"),
    ("slo lint", "在应用之前检查目标和策略"),
    ("slo explain", "用文字说明目标计的是什么、数字如何得来"),
    ("slo backtest", "用历史数据检验目标：何时会告警、何时会冻结"),
    ("slo budget", "绘制错误预算的剩余变化"),
    ("incident", "事件：列出、接手、结束"),
    ("incident list", "列出事件及每个时限，最差的在前"),
    ("incident acknowledge", "表示由您处理"),
    ("incident resolve", "手动结束；告警结束时会自动结束"),
    ("runbook", "显示某个告警或原因的处理方法；不给名称则列出全部"),
    ("--files", "文件；- 表示标准输入；可重复"),
    ("--name", "名称"),
    ("runbook --name", "告警或原因的名称"),
    ("--history", "CSV 文件：读取到的计数器"),
    ("--prometheus_url", "保存有计数器的 Prometheus"),
    ("--days", "回看的天数"),
    ("--svg", "同时将图写入此文件"),
    ("incident list --all", "也列出已结束的"),
    ("--note", "写入记录的一句话"),
];
