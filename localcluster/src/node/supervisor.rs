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
use super::files::{DNS, NODE_ADDRESS, NODE_NAME};
use super::images;
use crate::processes::Daemons;
use crate::{Error, say};

/// How long a daemon may take to be ready.
const WITHIN: Duration = Duration::from_secs(90);

/// The supervisor's whole life.
pub fn supervise(folder: &Path) -> Result<(), Error> {
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
    for (name, program) in [("localcluster/pause:1", "pause"), ("localcluster/coredns:1", "coredns")] {
        let archive = folder.join(format!("{program}.tar"));
        images::write(&archive, &format!("docker.io/{name}"), &installed.dns.join(program))?;
        run(Command::new("ctr").args(["-n", "k8s.io", "images", "import"]).arg(&archive))?;
    }
    phase(folder, "node")?;
    daemons.start("kubelet", installed.kubelet(folder))?;
    daemons.start("kube-proxy", installed.proxy())?;
    apply(&installed, folder, &COREDNS.replace("DNS_ADDRESS", DNS))?;
    let ready = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
    daemons.wait("kubelet", WITHIN, || answers(&["get", "node", NODE_NAME, "-o", ready], "True"))?;
    phase(folder, "DNS")?;
    let replicas = ["-n", "kube-system", "get", "deployment", "coredns", "-o", "jsonpath={.status.readyReplicas}"];
    daemons.wait("kubelet", WITHIN, || answers(&replicas, "1"))?;
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

fn run(command: &mut Command) -> Result<(), Error> {
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

fn apply(installed: &Installed, folder: &Path, manifests: &str) -> Result<(), Error> {
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

/// Logs, exec, port-forward and stats go from the API server to the kubelet.
const KUBELET_ACCESS: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: localcluster-kubelet-access}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:kubelet-api-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: kube-apiserver-kubelet-client}]
";

/// One block for the cluster's own names and one that denies all others: in
/// one block the denial would swallow the cluster's.
const COREDNS: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: coredns, namespace: kube-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: coredns}
rules:
- {apiGroups: [""], resources: [endpoints, services, pods, namespaces], verbs: [list, watch]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: coredns}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: coredns}
subjects: [{kind: ServiceAccount, name: coredns, namespace: kube-system}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: coredns, namespace: kube-system}
data:
  Corefile: |
    cluster.local:53 10.in-addr.arpa:53 {
      errors
      health
      ready
      kubernetes cluster.local 10.in-addr.arpa
    }
    .:53 {
      template ANY ANY . {
        rcode NXDOMAIN
      }
    }
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  clusterIP: DNS_ADDRESS
  selector: {k8s-app: kube-dns}
  ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: coredns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  replicas: 1
  selector: {matchLabels: {k8s-app: kube-dns}}
  template:
    metadata: {labels: {k8s-app: kube-dns}}
    spec:
      serviceAccountName: coredns
      dnsPolicy: Default
      containers:
      - name: coredns
        image: localcluster/coredns:1
        imagePullPolicy: Never
        args: [-conf, /etc/coredns/Corefile]
        volumeMounts: [{name: config, mountPath: /etc/coredns}]
        readinessProbe: {httpGet: {path: /ready, port: 8181}, periodSeconds: 1}
        securityContext: {allowPrivilegeEscalation: false, capabilities: {add: [NET_BIND_SERVICE], drop: [ALL]}, runAsUser: 0, readOnlyRootFilesystem: true}
      volumes: [{name: config, configMap: {name: coredns}}]
"#;
