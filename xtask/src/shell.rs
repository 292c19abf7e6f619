//! Running programs and saying so.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// Why a chore did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A check said no.
    #[error("{0}")]
    Check(String),
    /// A program could not be started.
    #[error("cannot run `{program}`: {source}")]
    Spawn { program: String, source: std::io::Error },
    /// A program the suite needs is missing.
    #[error("`{program}` was not found on PATH; {remedy}")]
    Missing { program: &'static str, remedy: &'static str },
    /// A file could not be read or written.
    #[error("cannot use {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// A cluster's parts could not be had.
    #[error(transparent)]
    Cluster(#[from] localcluster::Error),
    /// A generated file cannot be rendered.
    #[error("cannot render {what}: {why}")]
    Render { what: &'static str, why: String },
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from).unwrap_or_default()
}

pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(arguments).current_dir(root());
    cargo
}

/// cargo without what a caller's coverage run or flags would make of the build.
pub(crate) fn plain_cargo(arguments: &[&str]) -> Command {
    let mut cargo = cargo(arguments);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let of_cargo = text.starts_with("CARGO_") && text != "CARGO_HOME" && !text.starts_with("CARGO_HTTP");
        if of_cargo || text.starts_with("LLVM_") || text.starts_with("RUSTC") || text == "RUSTFLAGS" {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// Runs a step with its output shown; a failure is a check that said no.
pub(crate) fn step(name: &str, mut command: Command) -> Result<(), Error> {
    println!("\n== {name}");
    let begun = Instant::now();
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|source| Error::Spawn { program, source })?;
    println!("== {name}: {} in {} s", if status.success() { "ok" } else { "FAILED" }, begun.elapsed().as_secs());
    if status.success() { Ok(()) } else { Err(Error::Check(format!("{name} failed"))) }
}

/// What a command prints; a failure is a check that said no.
pub(crate) fn output(mut command: Command) -> Result<String, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|source| Error::Spawn { program: program.clone(), source })?;
    if !output.status.success() {
        return Err(Error::Check(format!("`{program}` failed: {}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
