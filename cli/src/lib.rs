//! `hashinsight`: what people and pipelines type. It asks and shows; whatever
//! is to be decided or computed is decided and computed by a library.

#![allow(clippy::disallowed_methods, reason = "a program for people reads their environment, files and clock")]

mod arguments;
mod calculate;
mod canary;
mod cluster;
mod doctor;
mod explain;
mod gate;
mod incident;
mod installed;
mod manual;
mod output;
mod runbook;
mod said;
mod slo;
mod status;
mod translated;
mod trouble;
mod version;

use std::process::ExitCode;
use std::time::Duration;

use clap::FromArgMatches;

use arguments::{Arguments, Global, Verb};
use trouble::{Exit, Trouble};

/// The whole of both programs.
pub fn main() -> ExitCode {
    let words: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let language = arguments::language(&words);
    let plugin = words.first().is_some_and(|name| name.to_string_lossy().ends_with("kubectl-hashinsight"));
    let command = arguments::command(language, plugin);
    let arguments = match command.try_get_matches_from(&words).and_then(|m| Arguments::from_arg_matches(&m)) {
        Ok(arguments) => arguments,
        Err(told) => {
            // Help and version are answers, on standard output.
            let exit = if told.use_stderr() { Exit::Error } else { Exit::Ok };
            let _ = told.print();
            return exit.into();
        }
    };
    let global = Global { language, ..arguments.global };
    match perform(&arguments.verb, &global) {
        Ok(exit) => exit.into(),
        Err(trouble) => {
            trouble.tell(language);
            trouble.exit.into()
        }
    }
}

fn perform(verb: &Verb, global: &Global) -> Result<Exit, Trouble> {
    let is_check = matches!(verb, Verb::Gate(gate::arguments::Gate::Check(_)));
    if global.output.is_report() && !is_check {
        return Err(output::not_here(global));
    }
    let answer = match verb {
        Verb::Estimate(of) => calculate::estimate(of, global)?,
        Verb::Project(of) => calculate::project(of, global)?,
        Verb::Fleet(of) => match calculate::fleet(of, global)? {
            Some(answer) => answer,
            None => return Ok(Exit::Ok),
        },
        Verb::Replay(of) => match calculate::replay(of, global)? {
            Some(answer) => answer,
            None => return Ok(Exit::Ok),
        },
        Verb::Slo(of) => match slo::answer(of, global)? {
            Some(answer) => answer,
            None => return Ok(Exit::Ok),
        },
        Verb::Incident(of) => wait(incident::answer(of, global), global)?,
        Verb::Canary(of) => match canary::answer(of, global)? {
            (Some(answer), _) => answer,
            (None, exit) => return Ok(exit),
        },
        Verb::Gate(of) => match gate::answer(of, global)? {
            (Some(answer), _) => answer,
            (None, exit) => return Ok(exit),
        },
        Verb::Golden { document } => gate::golden(document.as_deref())?,
        Verb::Runbook { name } => runbook::answer(name.as_deref(), global.language)?,
        Verb::Explain { reason, all } => explain::answer(reason.as_deref(), *all, global.language)?,
        Verb::Completions { shell } => return manual::completions(*shell, global.language),
        Verb::Man { directory } => return manual::pages(directory.as_deref(), global.language),
        Verb::Version { client: true } => version::client(),
        Verb::Version { client: false } => wait(version::answer(global), global)?,
        Verb::Status { all } => wait(status::answer(global, *all), global)?,
        Verb::Doctor => wait(doctor::answer(global), global)?,
    };
    output::write(&answer, global)?;
    Ok(answer.exit)
}

/// Runs what asks the cluster, within its time and until somebody interrupts.
fn wait<T>(asking: impl Future<Output = Result<T, Trouble>>, global: &Global) -> Result<T, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Trouble::system)?;
    runtime.block_on(async {
        tokio::select! {
            answer = asking => answer,
            _ = tokio::signal::ctrl_c() => Err(Trouble::interrupted()),
            () = tokio::time::sleep(Duration::from_secs(global.timeout)) => Err(Trouble::no_answer_within(global.timeout)),
        }
    })
}

#[cfg(test)]
mod tests {
    use hashinsight_crds::text::Language;

    use super::*;

    #[test]
    fn every_command_and_option_is_translated() {
        for language in Language::ALL {
            arguments::command(language, false).debug_assert();
        }
        let missing = translated::missing(&arguments::command(Language::English, false));
        assert!(missing.is_empty(), "{missing:#?}");
    }
}
