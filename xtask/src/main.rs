//! Project chores: generate files, check layering, run the whole test command.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "chores talk to the person")]
#![allow(clippy::disallowed_methods, reason = "chores read and write the repository")]

mod bench;
mod contract;
mod dist;
mod fresh;
mod fuzz;
mod gate;
mod generate;
mod layers;
mod recall;
mod shell;
mod suite;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Project chores", after_help = "Exit codes: 0 ok, 1 a check failed, 2 a chore could not run.")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Write every generated file
    Gen,
    /// Check formatting, lints, layering, dependencies and generated files
    Lint,
    /// The operator's image, the charts and plain YAML, in target/dist
    Dist,
    /// `make demo` and `make test` on a machine with Debian's base, Go and Rust alone
    Fresh,
    /// Plant bugs in a copy of the operator and see that the tests catch them
    Recall {
        /// Only the first so many
        #[arg(long, default_value_t = usize::MAX)]
        limit: usize,
        /// Only those with these words in their name
        #[arg(long, default_value = "")]
        only: String,
    },
    /// Hold the service against its OpenAPI document
    Contract {
        /// Examples for each operation
        #[arg(long, default_value_t = 1000)]
        examples: u32,
    },
    /// Throw mutated input at everything that reads what people give
    Fuzz {
        /// Seconds for each target
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Ask the release gate about the evidence the last test run left
    Gate,
    /// Measure, each beside a peer or a limit in the same run
    Bench {
        /// `mining`, `core`, `canary`, `gate`, `objectives` or `tenants` (all when none is named), and what they are told, such as --rounds 3
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Everything: lint, then all tests with coverage
    Test,
    /// Tests that need no cluster
    TestFast,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().chore {
        Chore::Gen => generate::write(),
        Chore::Lint => suite::lint(),
        Chore::Dist => dist::build(),
        Chore::Fresh => fresh::run(),
        Chore::Recall { limit, only } => recall::run(limit, &only),
        Chore::Contract { examples } => dist::build().and_then(|()| contract::run(examples)),
        Chore::Fuzz { seconds } => fuzz::run(seconds),
        Chore::Gate => gate::run(),
        Chore::Bench { arguments } => bench::run(&arguments),
        Chore::Test => suite::all(),
        Chore::TestFast => suite::fast(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::from(if matches!(error, shell::Error::Check(_)) { 1 } else { 2 })
        }
    }
}
