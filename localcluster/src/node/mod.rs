//! Size *node*: a whole Kubernetes with one node, in network, mount and
//! process namespaces of its own. Ending the first process in them ends
//! everything; several clusters with the same inner addresses run side by side.
//!
//! Three processes: the command a person types; the *keeper*, which it leaves
//! behind, holds the lock, forwards a loopback port into the namespaces and
//! cleans up; and the *supervisor*, first process inside, which starts the
//! daemons. The supervisor ends with the pipe to its keeper, and everything
//! inside ends with the supervisor.

mod cgroups;
mod daemons;
mod files;
mod fit;
mod forward;
mod gateway;
mod keeper;
mod policies;
mod supervisor;

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};

use crate::{Error, NodeParts, Programs, Progress, fetch, fetch_helm, fetch_node, say};

/// How long a node may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// How long a cluster may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(30);

/// First argument of a part.
const PART: &str = "--part-of-a-local-cluster";

/// Keeper, supervisor and enforcer of policies are the program that brought the
/// cluster up, started anew: whatever program calls [`Node::up`] calls this first in `main`, and
/// ends with what it returns.
pub fn continue_as_part() -> Option<ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [first, role, folder] = arguments.as_slice() else { return None };
    if first != PART {
        return None;
    }
    let live = match role.to_str() {
        Some(keeper::ROLE) => keeper::keep,
        Some(supervisor::ROLE) => supervisor::supervise,
        Some(policies::ROLE) => policies::enforce,
        _ => return None,
    };
    Some(match live(Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("localcluster: {error}\n"));
            ExitCode::from(2)
        }
    })
}

/// This program, started anew as that part of the cluster in `folder`.
fn part(role: &str, folder: &Path) -> Result<Vec<OsString>, Error> {
    let program = std::env::current_exe().map_err(|source| Error::Spawn { program: role.to_owned(), source })?;
    Ok(vec![program.into(), PART.into(), role.into(), folder.into()])
}

/// A cluster of size *node*, by name.
pub struct Node {
    name: String,
    folder: PathBuf,
}

/// Where a cluster stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is none of that name.
    Absent,
    /// Somebody keeps it, and it is not ready yet.
    Starting,
    /// It serves.
    Ready,
    /// Its keeper is gone; what it left is removed by the next `up` or `down`.
    Abandoned,
}

impl Node {
    /// The cluster `name`, whether there is one or not.
    pub fn named(name: &str) -> Result<Self, Error> {
        let valid =
            (1..=20).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !valid {
            return Err(Error::Name { name: name.to_owned() });
        }
        let base = match std::env::var_os("XDG_STATE_HOME").filter(|v| !v.is_empty()) {
            Some(state) => PathBuf::from(state),
            None => PathBuf::from(std::env::var_os("HOME").ok_or(Error::NoCacheHome)?).join(".local/state"),
        };
        Ok(Self { name: name.to_owned(), folder: base.join("hashinsight/clusters").join(name) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Kubeconfig of an administrator, by the forwarded port.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The log of one of its daemons.
    pub fn log(&self, daemon: &str) -> PathBuf {
        self.folder.join(format!("{daemon}.log"))
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        if !self.folder.exists() {
            State::Absent
        } else if !keeper::is_kept(&self.folder) {
            State::Abandoned
        } else if self.folder.join("ready").exists() {
            State::Ready
        } else {
            State::Starting
        }
    }

    /// Brings it up and waits until its node is ready; harmless when it is.
    /// `port` is the loopback port of its API server, 0 for any.
    pub fn up(&self, port: u16) -> Result<(), Error> {
        if self.state() == State::Ready {
            return Ok(());
        }
        fit::require_root()?;
        fit::require_capabilities()?;
        let (programs, parts) = (fetch()?, fetch_node()?);
        let begun = self.begin(port, &programs, &parts).and_then(|()| self.until_ready());
        if begun.is_err() {
            // What it told is in the error; nothing else of it stays.
            self.down()?;
        }
        begun
    }

    fn begin(&self, port: u16, programs: &Programs, parts: &NodeParts) -> Result<(), Error> {
        let base = self.folder.parent().unwrap_or(&self.folder);
        fs::create_dir_all(base).map_err(Error::file("create folder", base))?;
        let folder = File::open(base).map_err(Error::file("open", base))?;
        // Two that bring up the same cluster: the second waits with the first.
        let _one_at_a_time = Flock::lock(folder, FlockArg::LockExclusive)
            .map_err(|(_, errno)| Error::file("lock", base)(errno.into()))?;
        if matches!(self.state(), State::Starting | State::Ready) {
            return Ok(());
        }
        self.down()?;
        // Before anything is made, so that nothing has to be taken back.
        let port = files::usable_port(port)?;
        fs::create_dir_all(&self.folder).map_err(Error::file("create folder", &self.folder))?;
        fit::require_space(&self.folder)?;
        files::lay_out(&self.folder, programs, parts, port)?;
        keeper::start(&self.folder)
    }

    fn until_ready(&self) -> Result<(), Error> {
        let progress = Progress::begin(format!("starting cluster {}", self.name));
        let begun = Instant::now();
        let what = loop {
            match self.state() {
                State::Ready => {
                    progress.done();
                    return Ok(());
                }
                State::Starting if begun.elapsed() < READY_WITHIN => {}
                State::Starting => break format!("was not ready within {} s", READY_WITHIN.as_secs()),
                State::Absent | State::Abandoned => break "ended early".to_owned(),
            }
            progress.step(fs::read_to_string(self.folder.join("phase")).unwrap_or_default());
            std::thread::sleep(Duration::from_millis(100));
        };
        let tail = ["supervisor", "keeper"].map(|log| crate::error::tail(&self.log(log), 8)).join("\n");
        Err(Error::Daemon { daemon: "the cluster", what, tail })
    }

    /// Ends it and removes everything it made; harmless when there is none.
    pub fn down(&self) -> Result<(), Error> {
        if self.state() == State::Absent {
            return Ok(());
        }
        fit::require_root()?;
        keeper::stop(&self.folder)?;
        let begun = Instant::now();
        while keeper::is_alive(&self.folder) {
            if begun.elapsed() > GONE_WITHIN {
                return Err(Error::Daemon {
                    daemon: "the cluster",
                    what: format!("did not end within {} s", GONE_WITHIN.as_secs()),
                    tail: crate::error::tail(&self.log("keeper"), 5),
                });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        cgroups::remove(&self.name);
        fs::remove_dir_all(&self.folder).map_err(Error::file("remove folder", &self.folder))
    }

    /// The images its containers may use, by name; none has to be pulled.
    pub fn images(&self) -> Result<Vec<String>, Error> {
        let listed = self.ctr(&["images", "list", "--quiet"], Stdio::null())?;
        Ok(listed.lines().filter(|name| !name.starts_with("sha256:")).map(str::to_owned).collect())
    }

    /// Loads the images of an archive (as `docker save` or an OCI layout in a
    /// tar writes it), and names each by its digest, too, so that a pod may ask
    /// for `NAME@sha256:…`. Returns the names.
    pub fn load(&self, archive: &Path) -> Result<Vec<String>, Error> {
        let file = fs::File::open(archive).map_err(Error::file("read", archive))?;
        let told = self.ctr(&["images", "import", "-"], file.into())?;
        let mut named = Vec::new();
        // One line an image: `unpacking NAME:TAG (DIGEST)...done`.
        for line in told.lines().filter_map(|line| line.strip_prefix("unpacking ")) {
            let Some((name, rest)) = line.split_once(" (") else { continue };
            let digest = rest.split(')').next().unwrap_or_default();
            let by_digest = format!("{}@{digest}", name.rsplit_once(':').map_or(name, |(name, _)| name));
            self.ctr(&["images", "tag", "--force", name, &by_digest], Stdio::null())?;
            named.push(by_digest);
        }
        Ok(named)
    }

    /// A loopback port that leads to an address inside, such as a service's, for
    /// as long as this program runs.
    pub fn forward(&self, to: SocketAddr) -> Result<SocketAddr, Error> {
        fit::require_root()?;
        if self.state() != State::Ready {
            return Err(Error::NotReady { name: self.name.clone() });
        }
        let path = self.folder.join("supervisor.pid");
        let read = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        let inside: u32 = read.trim().parse().map_err(|_| Error::NotReady { name: self.name.clone() })?;
        let failed = |source| Error::Spawn { program: "a listener on loopback".to_owned(), source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        std::thread::spawn(move || forward::forward(listener, inside, to));
        Ok(address)
    }

    /// containerd's own client, run inside the cluster's namespaces.
    fn ctr(&self, arguments: &[&str], input: Stdio) -> Result<String, Error> {
        fit::require_root()?;
        if self.state() != State::Ready {
            return Err(Error::NotReady { name: self.name.clone() });
        }
        let path = self.folder.join("supervisor.pid");
        let pid = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        // unshare itself stays outside; its child is the supervisor.
        let children = format!("/proc/{pid}/task/{pid}/children");
        let child = fs::read_to_string(&children).map_err(Error::file("read", &children))?;
        let mut ctr = Command::new("nsenter");
        ctr.args(["--target", child.trim(), "--mount", "--net", "--pid", "--", "ctr", "-n", "k8s.io"]).args(arguments);
        let output =
            ctr.stdin(input).output().map_err(|source| Error::Spawn { program: "nsenter".to_owned(), source })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Error::Inside {
            command: format!("ctr {}", arguments.join(" ")),
            told: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// What points a shell at this cluster: its kubeconfig, and kubectl and helm
    /// first on PATH.
    pub fn environment(&self) -> Result<[(&'static str, OsString); 2], Error> {
        let folders = [fetch()?.kubernetes("kubectl"), fetch_helm()?];
        let folders = folders.iter().filter_map(|program| program.parent().map(Path::to_owned));
        let path: Vec<PathBuf> =
            folders.chain(std::env::var_os("PATH").iter().flat_map(std::env::split_paths)).collect();
        let path = std::env::join_paths(path).unwrap_or_default();
        Ok([("KUBECONFIG", self.kubeconfig().into()), ("PATH", path)])
    }

    /// `kubectl` as administrator.
    pub fn kubectl(&self) -> Result<Command, Error> {
        let mut kubectl = Command::new(fetch()?.kubernetes("kubectl"));
        kubectl.env("KUBECONFIG", self.kubeconfig()).env("KUBECACHEDIR", self.folder.join("kubectl-cache"));
        Ok(kubectl)
    }

    /// `helm` as administrator.
    pub fn helm(&self) -> Result<Command, Error> {
        let mut helm = Command::new(fetch_helm()?);
        helm.env("KUBECONFIG", self.kubeconfig());
        helm_at_home(&mut helm, &self.folder);
        Ok(helm)
    }
}

/// What helm keeps stays beside the cluster in `folder`.
fn helm_at_home(helm: &mut Command, folder: &Path) {
    for home in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        helm.env(home, folder.join("helm"));
    }
}
