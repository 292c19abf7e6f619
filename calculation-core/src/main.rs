//! `calculation-core`: read settings, set up telemetry, run, say why it ended.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use calculation_core::clock::Clock;
use calculation_core::run::{Error, Origin, run};
use calculation_core::settings::{PREFIX, Settings};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// What is still computed when all is over has so long.
const LAST: Duration = Duration::from_secs(1);

#[derive(Parser)]
#[command(
    name = "calculation-core",
    version,
    about = "Mining economics as a service",
    after_help = "Examples:\n  \
        calculation-core --config core.yaml            settings out of a file\n  \
        calculation-core --config core.yaml --check    only say whether they are good\n  \
        calculation-core --openapi                     the document of the API\n  \
        CALCULATION_CORE__LISTEN=0.0.0.0:8080 calculation-core\n\n\
        Every setting of the file can be set by the environment: CALCULATION_CORE__REQUESTS__BODY_BYTES is\n\
        requests.bodyBytes. All of them: docs/calculation-core.md.\n\n\
        Exit codes: 0 asked to stop, 2 error (settings, ports, certificates)."
)]
struct Arguments {
    /// File of settings, YAML
    #[arg(long, env = "CALCULATION_CORE_CONFIG")]
    config: Option<PathBuf>,
    /// Say whether the settings are good, and end
    #[arg(long)]
    check: bool,
    /// Print the document of the API, and end
    #[arg(long)]
    openapi: bool,
}

fn main() -> ExitCode {
    match start(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(2)
        }
    }
}

fn start(arguments: Arguments) -> Result<(), Error> {
    if arguments.openapi {
        print(&calculation_core::api::document());
        return Ok(());
    }
    let origin = Origin { file: arguments.config, environment: environment() };
    let settings = Settings::read(origin.file.as_deref(), origin.environment.clone())
        .map_err(calculation_core::core::Error::from)?;
    if arguments.check {
        calculation_core::run::check(&settings)?;
        print("the settings are good\n");
        return Ok(());
    }
    let _telemetry = settings.telemetry().init()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        Box::pin(run(settings, origin, Clock::system(), |_| (), stop)).await
    });
    // A computation cannot be stopped; nobody waits for it any more.
    runtime.shutdown_timeout(LAST);
    ended
}

/// Variables that set something; a name or value that is no text sets nothing.
fn environment() -> Vec<(String, String)> {
    let all =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    all.filter(|(name, _)| name.starts_with(PREFIX)).collect()
}

#[expect(clippy::print_stderr, reason = "the last word of a program that ends is for the person")]
fn complain(error: &Error) {
    eprintln!("calculation-core: {error}");
}

#[expect(clippy::print_stdout, reason = "asked for")]
fn print(text: &str) {
    print!("{text}");
}
