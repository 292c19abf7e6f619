//! What a cluster of size *node* finds in its folder when it starts:
//! credentials, settings of its daemons, and where their programs are.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};

use super::cgroups;
use crate::certificates::Authority;
use crate::credentials::{write_kubeconfig, write_private};
use crate::{Error, NodeParts, Programs, control_plane};

/// The node's address, the same in every cluster.
pub(super) const NODE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// Where the API server listens, inside.
pub(super) const API_ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(NODE_ADDRESS, 6443));
/// Name of the node.
pub(super) const NODE_NAME: &str = "node";
/// Address of the cluster's DNS.
pub(super) const DNS: &str = "10.96.0.10";
/// Pod addresses.
pub(super) const PODS: &str = "10.88.0.0/16";

/// Who has a kubeconfig inside, and in which groups.
const IDENTITIES: [(&str, &str, &[&str]); 5] = [
    ("admin", "admin", &["system:masters"]),
    ("controller-manager", "system:kube-controller-manager", &[]),
    ("scheduler", "system:kube-scheduler", &[]),
    ("kubelet", "system:node:node", &["system:nodes"]),
    ("proxy", "system:kube-proxy", &[]),
];

/// Writes everything into `folder`.
pub(super) fn lay_out(folder: &Path, programs: &Programs, parts: &NodeParts, port: u16) -> Result<(), Error> {
    for sub in ["etcd", "kubelet", "cni", "containerd"] {
        let path = folder.join(sub);
        fs::create_dir_all(&path).map_err(Error::file("create folder", &path))?;
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let authority = Authority::new()?;
    control_plane::write_credentials(folder, &authority)?;
    let kubelet = authority.client("kube-apiserver-kubelet-client", &[])?;
    let proxy = authority.client("front-proxy-client", &[])?;
    for (file, text) in [
        ("front-proxy.crt", proxy.certificate),
        ("front-proxy.key", proxy.key),
        ("kubelet-client.crt", kubelet.certificate),
        ("kubelet-client.key", kubelet.key),
        ("kubelet.yaml", kubelet_settings(folder, &name)),
        ("proxy.yaml", proxy_settings(folder)),
        ("containerd.toml", containerd_settings(folder)),
        ("cni/10-pods.conflist", NETWORK.replace("PODS", PODS)),
        ("programs", format!("{}\n{}\n", programs.kubernetes("").display(), programs.etcd().display())),
        ("parts", parts.folders().map(|folder| format!("{}\n", folder.display())).concat()),
    ] {
        write_private(&folder.join(file), &text)?;
    }
    for (file, user, groups) in IDENTITIES {
        let path = write_kubeconfig(folder, &authority, "inside", &format!("https://{API_ADDRESS}"), user, groups)?;
        let named = folder.join(format!("{file}.kubeconfig"));
        fs::rename(&path, &named).map_err(Error::file("rename", &path))?;
    }
    write_private(&folder.join("port"), &port.to_string())?;
    let (context, server) = (format!("localcluster-{name}"), format!("https://127.0.0.1:{port}"));
    let outside = write_kubeconfig(folder, &authority, &context, &server, "admin", &["system:masters"])?;
    let named = folder.join("kubeconfig");
    fs::rename(&outside, &named).map_err(Error::file("rename", &outside))
}

/// The lines of a file of paths written above.
pub(super) fn paths<const N: usize>(file: &Path) -> Result<[PathBuf; N], Error> {
    let text = fs::read_to_string(file).map_err(Error::file("read", file))?;
    let mut lines = text.lines().map(PathBuf::from);
    Ok(std::array::from_fn(|_| lines.next().unwrap_or_default()))
}

/// `port` if it is free, or any that is for 0.
pub(super) fn usable_port(port: u16) -> Result<u16, Error> {
    let failed = |source| Error::Port { port, source };
    TcpListener::bind(("127.0.0.1", port)).and_then(|l| l.local_addr()).map(|a| a.port()).map_err(failed)
}

fn kubelet_settings(folder: &Path, name: &str) -> String {
    format!(
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n\
         failCgroupV1: false\ncgroupDriver: cgroupfs\ncgroupsPerQOS: false\nenforceNodeAllocatable: []\n\
         cgroupRoot: /{cgroup}\nfailSwapOn: false\ncontainerRuntimeEndpoint: unix:///run/containerd/containerd.sock\n\
         clusterDNS: [{DNS}]\nclusterDomain: cluster.local\nresolvConf: {folder}/resolv.conf\n\
         authentication: {{x509: {{clientCAFile: {folder}/ca.crt}}, webhook: {{enabled: true}}, anonymous: {{enabled: false}}}}\n\
         authorization: {{mode: Webhook}}\nserverTLSBootstrap: false\nevictionHard: {{}}\nimageGCHighThresholdPercent: 100\n\
         imageGCLowThresholdPercent: 99\npodLogsDir: {folder}/pods\n",
        cgroup = cgroups::parent(name),
        folder = folder.display(),
    )
}

/// All conntrack limits zero: setting them is not allowed here.
fn proxy_settings(folder: &Path) -> String {
    format!(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: nftables\n\
         clientConnection: {{kubeconfig: {folder}/proxy.kubeconfig}}\nclusterCIDR: {PODS}\nhostnameOverride: {NODE_NAME}\n\
         conntrack: {{maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}}\n",
        folder = folder.display(),
    )
}

fn containerd_settings(folder: &Path) -> String {
    format!(
        "version = 2\nroot = \"{folder}/containerd\"\nstate = \"/run/containerd\"\n\
         [grpc]\naddress = \"/run/containerd/containerd.sock\"\n\
         [plugins.\"io.containerd.internal.v1.opt\"]\npath = \"{folder}/containerd/opt\"\n\
         [plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = \"localcluster.internal/pause:1\"\nrestrict_oom_score_adj = true\n\
         [plugins.\"io.containerd.grpc.v1.cri\".cni]\nbin_dir = \"/usr/lib/cni\"\nconf_dir = \"{folder}/cni\"\n\
         [plugins.\"io.containerd.grpc.v1.cri\".containerd]\nsnapshotter = \"overlayfs\"\n\
         [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\nruntime_type = \"io.containerd.runc.v2\"\n",
        folder = folder.display(),
    )
}

/// Every pod has a link of its own to the host, so that all its traffic is
/// routed: services on the same node work without a bridge filter.
const NETWORK: &str = r#"{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [
    {"type": "ptp", "ipMasq": false, "ipam": {"type": "host-local", "subnet": "PODS", "routes": [{"dst": "0.0.0.0/0"}]}},
    {"type": "loopback"}
  ]
}
"#;
