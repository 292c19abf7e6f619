//! `make bench`: tenants converge on a real API server, and what that costs,
//! beside a raw writer of the same calls and Capsule, each on a server of its
//! own. Everything that is timed is read from the servers' audit logs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads clocks, files and the environment")]

mod audit;
mod program;
mod raw;
mod report;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use localcluster::say;

use report::Row;
use stage::System;

/// Measure the tenant controller at scale.
#[derive(Debug, Parser)]
struct Arguments {
    /// Numbers of tenants
    #[arg(long, value_delimiter = ',', default_value = "100,1000,2000")]
    sizes: Vec<usize>,
    /// Rounds; every system runs once in each
    #[arg(long, default_value = "3")]
    rounds: usize,
    /// The operator's program, as it is shipped
    #[arg(long)]
    operator: PathBuf,
    /// Writers of the raw writer
    #[arg(long, default_value = "16")]
    writers: usize,
    /// Leave the peer out
    #[arg(long)]
    alone: bool,
    /// Wait for this many seconds after convergence, to see a resync pass
    #[arg(long, default_value = "10")]
    watch: u64,
    /// Only check that nothing is done in vain; exit code 1 when something is
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let rows = runtime.block_on(all(&arguments));
    say(&format!("{}\n", report::table(&rows)));
    let faults = report::faults(&rows);
    if arguments.check && !faults.is_empty() {
        say(&format!("{}\n", faults.join("\n")));
        return ExitCode::from(1);
    }
    ExitCode::SUCCESS
}

async fn all(arguments: &Arguments) -> Vec<Row> {
    let mut rows = Vec::new();
    for round in 1..=arguments.rounds {
        for &size in &arguments.sizes {
            let mut systems = vec![System::Raw, System::Operator];
            if !arguments.alone {
                systems.push(System::Capsule);
            }
            for system in systems {
                say(&format!("round {round} of {}, {size} tenants: {}\n", arguments.rounds, system.name()));
                rows.push(stage::run(system, size, arguments).await);
            }
        }
    }
    rows
}
