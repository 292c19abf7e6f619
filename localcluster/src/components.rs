//! What a cluster is made of: pinned Go modules that are built and Debian
//! packages that are unpacked.

use std::path::PathBuf;

use crate::Error;
use crate::debian::unpacked;
use crate::golang::Module;

/// The pinned Kubernetes. The same version stands in components/kubernetes/go.mod.
const KUBERNETES: &str = "v1.37.2";
const KUBERNETES_FILES: [(&str, &str); 2] = [
    ("go.mod", include_str!("../components/kubernetes/go.mod")),
    ("go.sum", include_str!("../components/kubernetes/go.sum")),
];
/// What an API server needs.
const API_PROGRAMS: [&str; 3] = ["kube-apiserver", "kube-controller-manager", "kubectl"];
/// What a node needs beyond.
const NODE_PROGRAMS: [&str; 3] = ["kube-proxy", "kube-scheduler", "kubelet"];
/// CoreDNS with a few plugins, and the first process of pods.
const DNS_FILES: [(&str, &str); 4] = [
    ("go.mod", include_str!("../components/dns/go.mod")),
    ("go.sum", include_str!("../components/dns/go.sum")),
    ("coredns/main.go", include_str!("../components/dns/coredns/main.go")),
    ("pause/main.go", include_str!("../components/dns/pause/main.go")),
];
const PROMETHEUS_FILES: [(&str, &str); 2] = [
    ("go.mod", include_str!("../components/prometheus/go.mod")),
    ("go.sum", include_str!("../components/prometheus/go.sum")),
];
/// Debian packages an API server needs.
const API_PACKAGES: [&str; 1] = ["etcd-server"];
/// Debian packages a node needs, with the libraries a small system lacks.
const NODE_PACKAGES: [&str; 25] = [
    "containerd",
    "runc",
    "containernetworking-plugins",
    "conntrack",
    "iproute2",
    "iptables",
    "nftables",
    "libbpf1",
    "libbsd0",
    "libcap2",
    "libedit2",
    "libelf1",
    "libgmp10",
    "libip4tc2",
    "libip6tc2",
    "libjansson4",
    "libmd0",
    "libmnl0",
    "libnetfilter-conntrack3",
    "libnfnetlink0",
    "libnftables1",
    "libnftnl11",
    "libreadline8",
    "libseccomp2",
    "libxtables12",
];
/// Where the unpacked package has the store.
const ETCD: &str = "root/usr/bin/etcd";

/// Where the programs of an API server are.
#[derive(Clone, Debug)]
pub struct Programs {
    kubernetes: PathBuf,
    debian: PathBuf,
}

impl Programs {
    /// One of the Kubernetes programs, kubectl among them.
    pub fn kubernetes(&self, program: &str) -> PathBuf {
        self.kubernetes.join("bin").join(program)
    }

    /// The store.
    pub fn etcd(&self) -> PathBuf {
        self.debian.join(ETCD)
    }
}

/// Where the programs of a node are.
#[derive(Clone, Debug)]
pub struct NodeParts {
    kubernetes: PathBuf,
    dns: PathBuf,
    prometheus: PathBuf,
    debian: PathBuf,
}

impl NodeParts {
    /// What is laid over /usr inside the cluster, then the folders of the
    /// node's programs, of CoreDNS and pause, and of Prometheus.
    pub(crate) fn folders(&self) -> [PathBuf; 4] {
        let bin = |component: &PathBuf| component.join("bin");
        [self.debian.join("root/usr"), bin(&self.kubernetes), bin(&self.dns), bin(&self.prometheus)]
    }
}

/// Makes every program of an API server available: from the cache in no time,
/// else built and unpacked with progress on standard error (about six minutes
/// on two cores).
pub fn fetch() -> Result<Programs, Error> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(Error::Platform { os: std::env::consts::OS, arch: std::env::consts::ARCH });
    }
    let title = "Kubernetes v1.37.2 (once; about six minutes on two cores)";
    Ok(Programs {
        kubernetes: kubernetes("kubernetes", title, &API_PROGRAMS).built()?,
        debian: unpacked("debian", &API_PACKAGES, ETCD)?,
    })
}

/// Makes what a node needs beyond available, in the same way (about seven
/// minutes more).
pub fn fetch_node() -> Result<NodeParts, Error> {
    let dns = Module {
        name: "dns",
        title: "CoreDNS 1.15.0 (once; about two minutes on two cores)",
        files: &DNS_FILES,
        link: "-s -w".to_owned(),
        tags: "",
        packages: vec!["./coredns".to_owned(), "./pause".to_owned()],
    };
    let prometheus = Module {
        name: "prometheus",
        title: "Prometheus v0.316.0 (once; about four minutes on two cores)",
        files: &PROMETHEUS_FILES,
        link: "-s -w".to_owned(),
        tags: "remove_all_sd,enable_kubernetes_sd,enable_dns_sd",
        packages: vec!["github.com/prometheus/prometheus/cmd/prometheus".to_owned()],
    };
    let title = "the node's programs (once; about a minute on two cores)";
    Ok(NodeParts {
        kubernetes: kubernetes("kubernetes-node", title, &NODE_PROGRAMS).built()?,
        dns: dns.built()?,
        prometheus: prometheus.built()?,
        debian: unpacked("debian-node", &NODE_PACKAGES, "root/usr/bin/containerd")?,
    })
}

fn kubernetes(name: &'static str, title: &'static str, programs: &[&str]) -> Module {
    let minor = KUBERNETES.split('.').nth(1).unwrap_or_default();
    let version = "k8s.io/component-base/version";
    Module {
        name,
        title,
        files: &KUBERNETES_FILES,
        link: format!(
            "-s -w -X {version}.gitVersion={KUBERNETES} -X {version}.gitMajor=1 -X {version}.gitMinor={minor} -X {version}.gitTreeState=clean"
        ),
        tags: "",
        packages: programs.iter().map(|program| format!("k8s.io/kubernetes/cmd/{program}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_we_name_is_the_version_we_build() {
        let go_mod = KUBERNETES_FILES[0].1;
        assert!(go_mod.contains(&format!("require k8s.io/kubernetes {KUBERNETES} ")));
        for program in API_PROGRAMS.iter().chain(&NODE_PROGRAMS) {
            assert!(go_mod.contains(&format!("k8s.io/kubernetes/cmd/{program}\n")), "{program}");
        }
    }
}
