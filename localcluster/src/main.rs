//! `localcluster`: a real Kubernetes on this one machine.

#![allow(clippy::disallowed_methods, reason = "a launcher works on files, processes and time")]

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Args, Parser, Subcommand};
use localcluster::node::{Node, State, continue_as_part};
use localcluster::{Cluster, Error, cache_root, fetch, say};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

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
  localcluster up                        as root: a cluster with a node, until `down`
  eval \"$(localcluster env)\"             point this shell at it: KUBECONFIG, and kubectl and helm on PATH
  localcluster images app.tar            as root: make an image known, without a registry
  localcluster logs kubelet              what one of its daemons tells
  localcluster down                      as root: ends it and removes all it made

Exit codes: 0 ok, 1 `status` of a cluster that is not ready, 2 error; `run -- COMMAND` exits as COMMAND does,
128 and the signal where one ended it.
Programs are kept in $XDG_CACHE_HOME/hashinsight (or ~/.cache/hashinsight).";

/// Which cluster with a node.
#[derive(Args)]
struct Which {
    /// Name of the cluster, for several side by side
    #[arg(long, default_value = "main")]
    name: String,
}

#[derive(Subcommand)]
enum Verb {
    /// Build and unpack what a cluster is made of (minutes once, then nothing)
    Fetch,
    /// Bring up a cluster with a node and wait until it is ready; harmless when it is
    Up {
        #[command(flatten)]
        which: Which,
        /// Loopback port of its API server; 0 for any
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// End a cluster with a node and remove everything it made
    Down(Which),
    /// Say where a cluster with a node stands
    Status(Which),
    /// Print the path of its kubeconfig
    Kubeconfig(Which),
    /// Print shell commands that point a shell at it
    Env(Which),
    /// Print what one of its daemons logged
    Logs {
        #[command(flatten)]
        which: Which,
        /// etcd, kube-apiserver, kube-controller-manager, kube-scheduler, containerd, kubelet, kube-proxy, policies or supervisor
        daemon: String,
    },
    /// List the images pods may use, after loading those of the archives given
    Images {
        #[command(flatten)]
        which: Which,
        /// Archives to load, as `docker save` writes them
        archives: Vec<PathBuf>,
    },
    /// Run a cluster of size api: etcd, kube-apiserver, kube-controller-manager
    Run {
        /// Command to run with KUBECONFIG set and kubectl on PATH; without one,
        /// the cluster runs until Ctrl-C
        #[arg(last = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    if let Some(code) = continue_as_part() {
        return code;
    }
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
        Verb::Up { which, port } => {
            let node = Node::named(&which.name)?;
            node.up(port)?;
            tell(&format!(
                "cluster {name} is ready\n\n  eval \"$({program} env --name {name})\"\n  kubectl get pods -A\n\n\
                 `{program} down --name {name}` ends it and removes everything it made.",
                name = node.name(),
                program = std::env::args().next().unwrap_or_default(),
            ));
            Ok(ExitCode::SUCCESS)
        }
        Verb::Down(which) => Node::named(&which.name)?.down().map(|()| ExitCode::SUCCESS),
        Verb::Status(which) => {
            let state = Node::named(&which.name)?.state();
            print(&format!("{state:?}").to_lowercase());
            Ok(ExitCode::from(u8::from(state != State::Ready)))
        }
        Verb::Kubeconfig(which) => {
            print(&Node::named(&which.name)?.kubeconfig().display().to_string());
            Ok(ExitCode::SUCCESS)
        }
        Verb::Env(which) => {
            for (name, value) in Node::named(&which.name)?.environment()? {
                print(&format!("export {name}='{}'", value.to_string_lossy().replace('\'', r"'\''")));
            }
            Ok(ExitCode::SUCCESS)
        }
        Verb::Logs { which, daemon } => {
            let path = Node::named(&which.name)?.log(&daemon);
            let text = std::fs::read_to_string(&path).map_err(|source| Error::File { action: "read", path, source })?;
            print(text.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Verb::Images { which, archives } => {
            let node = Node::named(&which.name)?;
            for archive in archives {
                for name in node.load(&archive)? {
                    tell(&format!("loaded {name}"));
                }
            }
            print(&node.images()?.join("\n"));
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

/// Runs the command and outlives it, whatever signal comes: Ctrl-C reaches the
/// command by itself, the rest is passed on, and the cluster stays until the
/// command has ended.
fn around(cluster: &Cluster, program: &str, arguments: &[String]) -> Result<ExitCode, Error> {
    let failed = |source| Error::Spawn { program: program.to_owned(), source };
    let mut signals = Signals::new([SIGINT, SIGQUIT, SIGTERM, SIGHUP]).map_err(failed)?;
    let mut command = Command::new(program);
    command.args(arguments);
    let mut child = cluster.point(command).spawn().map_err(failed)?;
    let pid = Pid::from_raw(child.id().cast_signed());
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if let (SIGTERM | SIGHUP, Ok(signal)) = (signal, Signal::try_from(signal)) {
                let _ = kill(pid, signal);
            }
        }
    });
    let status = child.wait().map_err(failed)?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(2);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(2)))
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

/// What was asked for, on standard output; a reader that went away is no error.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(format!("{text}\n").as_bytes());
}

fn tell(text: &str) {
    say(&format!("{text}\n"));
}
