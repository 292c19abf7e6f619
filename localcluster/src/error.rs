//! What can go wrong, each as one sentence that says what to do.

use std::path::PathBuf;

/// Why a cluster, or what it is made of, could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine is of a kind the recipe was not proven on.
    #[error("localcluster needs Linux on x86-64 (this is {os} on {arch}); use a cluster you have instead")]
    Platform {
        /// Operating system found.
        os: &'static str,
        /// Processor architecture found.
        arch: &'static str,
    },
    /// A program of the system is missing.
    #[error("`{program}` was not found on PATH; {remedy}")]
    MissingProgram {
        /// Program looked for.
        program: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// Go is older than the pinned Kubernetes needs.
    #[error(
        "Go 1.26.7 or newer is needed to build Kubernetes, but `go env GOVERSION` says {found:?}; install a newer Go"
    )]
    OldGo {
        /// Version found.
        found: String,
    },
    /// There is no home for the cache.
    #[error("neither XDG_CACHE_HOME nor HOME is set; set one, so that built programs have a place")]
    NoCacheHome,
    /// A file or folder could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A program could not be started.
    #[error("cannot start `{program}`: {source}")]
    Spawn {
        /// Program.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A build or download step failed.
    #[error("{step} failed ({status}); its last lines:\n{tail}\nThe whole output is in {}", log.display())]
    Step {
        /// Step in words.
        step: String,
        /// Exit status in words.
        status: String,
        /// Last lines of output.
        tail: String,
        /// Whole output.
        log: PathBuf,
    },
    /// A daemon ended or did not become ready in time.
    #[error("{daemon} {what}; its last lines:\n{tail}")]
    Daemon {
        /// Daemon.
        daemon: &'static str,
        /// What it did.
        what: String,
        /// Last lines of its log.
        tail: String,
    },
    /// A name that cannot be a cluster's.
    #[error("{name:?} cannot name a cluster; use one to twenty lower-case letters and digits")]
    Name {
        /// As given.
        name: String,
    },
    /// The cluster does not serve.
    #[error("cluster {name} is not ready; bring it up: localcluster up --name {name}")]
    NotReady {
        /// Its name.
        name: String,
    },
    /// Namespaces, mounts and cgroups need root.
    #[error(
        "a cluster with a node needs root, for its namespaces, mounts and cgroups; become root, as with sudo -s, and try again"
    )]
    NotRoot,
    /// root without what root usually may.
    #[error(
        "a cluster with a node needs {name}, for {purpose}, and this process lacks it; run it outside the container, or give the container that capability"
    )]
    NoCapability {
        /// The capability.
        name: &'static str,
        /// What for.
        purpose: &'static str,
    },
    /// The disk is too full.
    #[error(
        "a cluster with a node needs {needed} GiB of free space, and {} has {free}; free some, or set XDG_STATE_HOME to a folder elsewhere", folder.display()
    )]
    NoSpace {
        /// Where.
        folder: PathBuf,
        /// What there is, in GiB.
        free: String,
        /// What is needed, in GiB.
        needed: f64,
    },
    /// The loopback port cannot be had.
    #[error("loopback port {port} cannot be had: {source}; choose another with --port")]
    Port {
        /// The port.
        port: u16,
        /// Why not.
        source: std::io::Error,
    },
    /// A command inside the cluster's namespaces failed.
    #[error("`{command}` failed inside the cluster: {told}")]
    Inside {
        /// The command.
        command: String,
        /// What it told.
        told: String,
    },
    /// Certificates could not be made.
    #[error("cannot make certificates: {0}")]
    Certificates(#[from] rcgen::Error),
}

impl Error {
    /// Closure that wraps an I/O error of `action` on `path`.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}

/// The last `lines` lines of a log file, for an error message; empty when
/// there is none to read.
pub(crate) fn tail(log: &std::path::Path, lines: usize) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
