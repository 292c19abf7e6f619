//! `hashinsight-operator`: parse, set up telemetry, run, say why it ended.

use std::process::ExitCode;

use clap::Parser;
use hashinsight_operator::driver::chain;
use hashinsight_operator::run::{Error, run};
use hashinsight_operator::settings::Settings;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    match start(Settings::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&chain(&error));
            ExitCode::from(if matches!(error, Error::LeaseLost) { 3 } else { 2 })
        }
    }
}

fn start(settings: Settings) -> Result<(), Error> {
    let _telemetry = settings.telemetry().init()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(Box::pin(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        Box::pin(run(settings, stop)).await
    }))
}

#[expect(clippy::print_stderr, reason = "the last word of a program that ends is for the person")]
fn complain(text: &str) {
    eprintln!("hashinsight-operator: {text}");
}
