//! The supervisor: first process in the cluster's namespaces. It lays the
//! unpacked programs over /usr, makes the node's network, starts the daemons,
//! and takes in orphans. When it ends, the kernel ends everything inside.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sys::wait::wait;

use super::daemons::Installed;
use super::files::{NODE_ADDRESS, NODE_NAME};
use super::{gateway, part, policies};
use crate::processes::Daemons;
use crate::{Error, say};

/// What it is called when the program is started anew.
pub(super) const ROLE: &str = "supervise";
/// How long a daemon may take to be ready.
const WITHIN: Duration = Duration::from_secs(90);

/// The supervisor's whole life.
pub(super) fn supervise(folder: &Path) -> Result<(), Error> {
    end_with_the_keeper();
    std::env::set_current_dir(folder).map_err(Error::file("enter", folder))?;
    let installed = Installed::read(folder)?;
    phase(folder, "mounts and network")?;
    mounts(folder, &installed)?;
    network()?;
    // With the files laid over /usr a program of the system finds them, too.
    let mut daemons = Daemons::in_folder(folder);
    phase(folder, "API server")?;
    daemons.start("etcd", installed.etcd())?;
    daemons.start("containerd", Installed::containerd())?;
    daemons.start("kube-apiserver", installed.apiserver())?;
    let answers = |arguments: &[&str], expected: &str| {
        let output =
            installed.kubectl(folder).args(arguments).arg("--request-timeout=5s").stderr(Stdio::null()).output();
        output.is_ok_and(|o| o.status.success() && String::from_utf8_lossy(&o.stdout).trim() == expected)
    };
    daemons.wait("kube-apiserver", WITHIN, || answers(&["get", "--raw", "/readyz"], "ok"))?;
    daemons.start("kube-controller-manager", installed.controller_manager())?;
    daemons.start("kube-scheduler", installed.scheduler())?;
    apply(&installed, folder, KUBELET_ACCESS)?;

    phase(folder, "images")?;
    for entry in fs::read_dir(&installed.images).map_err(Error::file("read folder", &installed.images))?.flatten() {
        run(Command::new("ctr").args(["-n", "k8s.io", "images", "import"]).arg(entry.path()))?;
    }
    phase(folder, "node")?;
    daemons.start("kubelet", installed.kubelet(folder))?;
    daemons.start("kube-proxy", installed.proxy())?;
    let enforcer = part(policies::ROLE, folder)?;
    let mut command = Command::new(&enforcer[0]);
    command.args(&enforcer[1..]);
    daemons.start("policies", command)?;
    apply(&installed, folder, COREDNS)?;
    apply(&installed, folder, PROMETHEUS)?;
    apply(&installed, folder, METRICS_SERVER)?;
    let ready = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
    daemons.wait("kubelet", WITHIN, || answers(&["get", "node", NODE_NAME, "-o", ready], "True"))?;
    for (namespace, deployment) in
        [("kube-system", "coredns"), ("monitoring", "prometheus"), ("kube-system", "metrics-server")]
    {
        phase(folder, deployment)?;
        let replicas = ["-n", namespace, "get", "deployment", deployment, "-o", "jsonpath={.status.readyReplicas}"];
        daemons.wait("kubelet", WITHIN, || answers(&replicas, "1"))?;
    }
    phase(folder, "gateway")?;
    gateway::install(&installed, folder)?;
    phase(folder, "ready")?;
    let mark = folder.join("ready");
    fs::write(&mark, "").map_err(Error::file("write", &mark))?;
    take_in_orphans(&daemons)
}

/// A thread that ends this process when the keeper's pipe closes.
fn end_with_the_keeper() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}

fn phase(folder: &Path, text: &str) -> Result<(), Error> {
    say(&format!("{text}\n"));
    let path = folder.join("phase");
    fs::write(&path, text).map_err(Error::file("write", &path))
}

/// Seen inside alone: these namespaces are private.
fn mounts(folder: &Path, installed: &Installed) -> Result<(), Error> {
    let none = None::<&str>;
    let layers = format!("lowerdir={}:/usr", installed.usr.display());
    mount(Some("overlay"), "/usr", Some("overlay"), MsFlags::empty(), Some(layers.as_str()))
        .map_err(|errno| Error::file("mount over", "/usr")(errno.into()))?;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none)
        .map_err(|errno| Error::file("mount on", "/run")(errno.into()))?;
    for path in ["/run/netns", "/run/lock"] {
        fs::create_dir_all(path).map_err(Error::file("create folder", path))?;
    }
    let resolv = folder.join("resolv.conf");
    fs::write(&resolv, "").map_err(Error::file("write", &resolv))
}

fn network() -> Result<(), Error> {
    let address = format!("{NODE_ADDRESS}/24");
    let gateway = NODE_ADDRESS.to_string();
    for arguments in [
        &["link", "set", "lo", "up"][..],
        &["link", "add", "node0", "type", "bridge"],
        &["addr", "add", &address, "dev", "node0"],
        &["link", "set", "node0", "up"],
        &["route", "add", "default", "via", &gateway],
    ] {
        run(Command::new("ip").args(arguments))?;
    }
    let forward = "/proc/sys/net/ipv4/ip_forward";
    fs::write(forward, "1").map_err(Error::file("write", forward))
}

pub(super) fn run(command: &mut Command) -> Result<(), Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().map_err(|source| Error::Spawn { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
    Err(Error::Inside {
        command: format!("{program} {}", arguments.join(" ")),
        told: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

pub(super) fn apply(installed: &Installed, folder: &Path, manifests: &str) -> Result<(), Error> {
    let file = folder.join("manifests.yaml");
    fs::write(&file, manifests).map_err(Error::file("write", &file))?;
    run(installed.kubectl(folder).args(["apply", "--server-side", "-f"]).arg(&file))
}

/// Reaps what is reparented to us; a daemon that ends takes the cluster along.
fn take_in_orphans(daemons: &Daemons) -> Result<(), Error> {
    loop {
        match wait() {
            Ok(status) => {
                if let Some(name) = status.pid().and_then(|pid| daemons.name_of(pid.as_raw())) {
                    return Err(daemons.failure(name, "ended".to_owned()));
                }
            }
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

/// What runs in every cluster, in order of application.
const KUBELET_ACCESS: &str = include_str!("../../manifests/kubelet-access.yaml");
const COREDNS: &str = include_str!("../../manifests/coredns.yaml");
const METRICS_SERVER: &str = include_str!("../../manifests/metrics-server.yaml");
const PROMETHEUS: &str = include_str!("../../manifests/prometheus.yaml");
