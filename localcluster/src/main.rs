//! `localcluster`: a real Kubernetes on this one machine.

#![allow(clippy::disallowed_methods, reason = "a launcher works on files, processes and time")]

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};
use localcluster::{Cluster, Error, cache_root, fetch};

#[derive(Parser)]
#[command(version, about = "A real Kubernetes on this one machine, for tests and demos", after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  localcluster fetch                     build and unpack what a cluster is made of
  localcluster run                       a cluster until Ctrl-C; prints its kubeconfig
  localcluster run -- kubectl get ns     a cluster around one command
  localcluster run -- bash               a cluster around a shell

Exit codes: 0 ok, 2 error; `run -- COMMAND` exits as COMMAND does.
Programs are kept in $XDG_CACHE_HOME/hashinsight (or ~/.cache/hashinsight).";

#[derive(Subcommand)]
enum Verb {
    /// Build and unpack what a cluster is made of (minutes once, then nothing)
    Fetch,
    /// Run a cluster of size api: etcd, kube-apiserver, kube-controller-manager
    Run {
        /// Command to run with KUBECONFIG set and kubectl on PATH; without one,
        /// the cluster runs until Ctrl-C
        #[arg(last = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(code) => code,
        Err(error) => {
            tell(&format!("localcluster: {error}"));
            ExitCode::from(2)
        }
    }
}

fn run(verb: Verb) -> Result<ExitCode, Error> {
    match verb {
        Verb::Fetch => {
            fetch()?;
            tell(&format!("everything is in {}", cache_root()?.display()));
            Ok(ExitCode::SUCCESS)
        }
        Verb::Run { command } => {
            let cluster = Cluster::start()?;
            match command.split_first() {
                Some((program, arguments)) => around(&cluster, program, arguments),
                None => until_interrupted(&cluster),
            }
        }
    }
}

fn around(cluster: &Cluster, program: &str, arguments: &[String]) -> Result<ExitCode, Error> {
    let mut path = vec![cluster.programs().kubernetes("kubectl").parent().map(PathBuf::from).unwrap_or_default()];
    path.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    let status = Command::new(program)
        .args(arguments)
        .env("KUBECONFIG", cluster.admin_kubeconfig())
        .env("PATH", std::env::join_paths(path).unwrap_or_default())
        .status()
        .map_err(|source| Error::Spawn { program: program.to_owned(), source })?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::from(2), ExitCode::from))
}

/// Ctrl-C ends this process at once; the cluster's reaper sees that and
/// removes the rest.
fn until_interrupted(cluster: &Cluster) -> Result<ExitCode, Error> {
    tell(&format!(
        "a cluster is ready; in another shell:\n\n  export KUBECONFIG={}\n  {} get namespaces\n\nCtrl-C ends it and removes everything it made.",
        cluster.admin_kubeconfig().display(),
        cluster.programs().kubernetes("kubectl").display(),
    ));
    loop {
        std::thread::park();
    }
}

#[expect(clippy::print_stderr, reason = "a command talks to the person on standard error")]
fn tell(text: &str) {
    eprintln!("{text}");
}
