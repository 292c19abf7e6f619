//! Size *api*: etcd, kube-apiserver and kube-controller-manager on loopback.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::fcntl::Flock;
use tempfile::TempDir;

use crate::certificates::Authority;
use crate::credentials::{write_kubeconfig, write_private};
use crate::processes::Processes;
use crate::{Error, Programs, control_plane, fetch, leftovers};

/// A port found free may be taken before it is used; then we try again.
const ATTEMPTS: u32 = 4;
/// kubectl keeps what it discovers here, else in the user's home.
const KUBECTL_CACHE: &str = "KUBECACHEDIR";
const READY_WITHIN: Duration = Duration::from_secs(90);
/// Name of the context in its kubeconfigs.
const CONTEXT: &str = "localcluster";

/// Every request with who made it; tests of silence and permissions read it.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";

/// A running API server with its store and controllers. Dropping it ends the
/// daemons and removes its folder.
pub struct Cluster {
    folder: PathBuf,
    programs: Programs,
    authority: Authority,
    server: String,
    admin: PathBuf,
    _processes: Processes,
    _claim: Flock<File>,
}

impl Cluster {
    /// Starts a cluster of size *api* and waits until it serves and its
    /// controllers work.
    pub fn start() -> Result<Self, Error> {
        let programs = fetch()?;
        leftovers::sweep();
        let mut attempt = 1;
        loop {
            match Self::try_start(&programs) {
                Err(Error::Daemon { tail, .. }) if attempt < ATTEMPTS && tail.contains("address already in use") => {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    fn try_start(programs: &Programs) -> Result<Self, Error> {
        let authority = Authority::new()?;
        let temporary = new_folder()?;
        // The reaper compares working folders as the kernel spells them.
        let folder = temporary.path().canonicalize().map_err(Error::file("resolve", temporary.path()))?;
        let mut processes = Processes::new(&folder)?;
        let claim = leftovers::claim(&folder)?;
        // From here on the reaper removes it.
        let _ = temporary.keep();
        let [client, peer, secure] = free_ports()?;
        write_files(&folder, &authority)?;
        let server = format!("https://127.0.0.1:{secure}");
        let admin = write_kubeconfig(&folder, &authority, CONTEXT, &server, "admin", &["system:masters"])?;
        let manager = write_kubeconfig(&folder, &authority, CONTEXT, &server, "system:kube-controller-manager", &[])?;

        processes.daemons.start("etcd", etcd(programs, client, peer))?;
        processes.daemons.start("kube-apiserver", apiserver(programs, client, secure))?;
        let get = |path: &str| {
            Command::new(programs.kubernetes("kubectl"))
                .arg("--kubeconfig")
                .arg(&admin)
                .args(["get", "--raw", path, "--request-timeout=5s"])
                .env(KUBECTL_CACHE, &folder)
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .output()
                .is_ok_and(|o| o.status.success() && (path != "/readyz" || o.stdout == b"ok"))
        };
        // Only a bare "ok" is ready: a body that lists failing checks holds the word too.
        processes.daemons.wait("kube-apiserver", READY_WITHIN, || get("/readyz"))?;
        processes.daemons.start("kube-controller-manager", controller_manager(programs, &manager))?;
        // The controllers work once the first one that everything needs has acted.
        let account = "/api/v1/namespaces/default/serviceaccounts/default";
        processes.daemons.wait("kube-controller-manager", READY_WITHIN, || get(account))?;
        Ok(Self { folder, programs: programs.clone(), authority, server, admin, _processes: processes, _claim: claim })
    }

    /// Kubeconfig of a cluster administrator.
    pub fn admin_kubeconfig(&self) -> &Path {
        &self.admin
    }

    /// Writes and returns a kubeconfig for `user` in `groups`, with a client
    /// certificate of this cluster.
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> Result<PathBuf, Error> {
        write_kubeconfig(&self.folder, &self.authority, CONTEXT, &self.server, user, groups)
    }

    /// The API server's audit log, one JSON object a line.
    pub fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    /// The folder that lives as long as the cluster.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `kubectl` as administrator of this cluster.
    pub fn kubectl(&self) -> Command {
        self.point(Command::new(self.programs.kubernetes("kubectl")))
    }

    /// Points `command` at this cluster: KUBECONFIG, kubectl first on PATH, and
    /// kubectl's cache beside the cluster, so that nothing stays in a home.
    pub fn point(&self, mut command: Command) -> Command {
        let kubectl = self.programs.kubernetes("kubectl");
        let folders = kubectl.parent().map(PathBuf::from).into_iter();
        let path: Vec<PathBuf> =
            folders.chain(std::env::var_os("PATH").iter().flat_map(std::env::split_paths)).collect();
        command
            .env("KUBECONFIG", &self.admin)
            .env("PATH", std::env::join_paths(path).unwrap_or_default())
            .env(KUBECTL_CACHE, self.folder.join("kubectl-cache"));
        command
    }

    /// Where the programs are, kubectl among them.
    pub fn programs(&self) -> &Programs {
        &self.programs
    }
}

fn new_folder() -> Result<TempDir, Error> {
    let folder = tempfile::Builder::new()
        .prefix(leftovers::PREFIX)
        .tempdir()
        .map_err(Error::file("create folder in", std::env::temp_dir()))?;
    let data = folder.path().join("etcd");
    fs::DirBuilder::new().mode(0o700).create(&data).map_err(Error::file("create folder", &data))?;
    Ok(folder)
}

fn free_ports<const N: usize>() -> Result<[u16; N], Error> {
    let none = |source| Error::Spawn { program: "a server on a free loopback port".into(), source };
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(none)?;
        *port = listener.local_addr().map_err(none)?.port();
        held.push(listener);
    }
    Ok(ports)
}

fn write_files(folder: &Path, authority: &Authority) -> Result<(), Error> {
    control_plane::write_credentials(folder, authority)?;
    write_private(&folder.join("audit-policy.yaml"), AUDIT_POLICY)
}

fn etcd(programs: &Programs, client: u16, peer: u16) -> Command {
    let mut etcd = control_plane::etcd(&programs.etcd());
    let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    etcd.arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster=default={peer}"));
    etcd
}

fn apiserver(programs: &Programs, store: u16, secure: u16) -> Command {
    let program = programs.kubernetes("kube-apiserver");
    let mut server = control_plane::apiserver(&program, Ipv4Addr::LOCALHOST, secure, store);
    server.args([
        "--endpoint-reconciler-type=none",
        "--audit-policy-file=audit-policy.yaml",
        "--audit-log-path=audit.log",
        "--audit-log-mode=blocking",
    ]);
    server
}

fn controller_manager(programs: &Programs, kubeconfig: &Path) -> Command {
    control_plane::controller_manager(&programs.kubernetes("kube-controller-manager"), kubeconfig)
}
