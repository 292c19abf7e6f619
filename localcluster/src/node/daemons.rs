//! The daemons of a node and how each is started.

use std::path::Path;
use std::process::Command;

use super::files::{API_ADDRESS, NODE_ADDRESS, NODE_NAME, PODS, paths};
use crate::{Error, control_plane};

/// etcd's own default port; nobody else is inside.
const STORE: u16 = 2379;

/// Where the programs are, as the supervisor reads it from the folder.
pub(super) struct Installed {
    kubernetes: std::path::PathBuf,
    etcd: std::path::PathBuf,
    /// What is laid over /usr.
    pub(super) usr: std::path::PathBuf,
    node: std::path::PathBuf,
    /// Helm, and charts and kinds of the gateway.
    pub(super) gateway: std::path::PathBuf,
    /// Archives of images.
    pub(super) images: std::path::PathBuf,
}

impl Installed {
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let [kubernetes, etcd] = paths(&folder.join("programs"))?;
        let [usr, node, gateway, images] = paths(&folder.join("parts"))?;
        Ok(Self { kubernetes, etcd, usr, node, gateway, images })
    }

    pub(super) fn kubectl(&self, folder: &Path) -> Command {
        let mut kubectl = Command::new(self.kubernetes.join("kubectl"));
        kubectl.env("KUBECONFIG", folder.join("admin.kubeconfig")).env("KUBECACHEDIR", folder.join("kubectl-cache"));
        kubectl
    }

    pub(super) fn helm(&self, folder: &Path) -> Command {
        let mut helm = Command::new(self.gateway.join("bin/helm"));
        helm.env("KUBECONFIG", folder.join("admin.kubeconfig"));
        super::helm_at_home(&mut helm, folder);
        helm
    }

    pub(super) fn etcd(&self) -> Command {
        control_plane::etcd(&self.etcd)
    }

    pub(super) fn apiserver(&self) -> Command {
        let program = self.kubernetes.join("kube-apiserver");
        let mut server = control_plane::apiserver(&program, NODE_ADDRESS, API_ADDRESS.port(), STORE);
        server.args([
            "--kubelet-client-certificate=kubelet-client.crt",
            "--kubelet-client-key=kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            // Requests for metrics go on to metrics-server. One authority signs
            // all; who may speak for others is told by name.
            "--requestheader-client-ca-file=ca.crt",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--proxy-client-cert-file=front-proxy.crt",
            "--proxy-client-key-file=front-proxy.key",
        ]);
        server
    }

    pub(super) fn controller_manager(&self) -> Command {
        let program = self.kubernetes.join("kube-controller-manager");
        let mut manager = control_plane::controller_manager(&program, Path::new("controller-manager.kubeconfig"));
        manager.arg(format!("--cluster-cidr={PODS}"));
        manager
    }

    pub(super) fn scheduler(&self) -> Command {
        let mut scheduler = Command::new(self.node.join("kube-scheduler"));
        scheduler.args(["--kubeconfig=scheduler.kubeconfig", "--leader-elect=false", "--secure-port=0"]);
        scheduler
    }

    pub(super) fn containerd() -> Command {
        let mut containerd = Command::new("/usr/bin/containerd");
        containerd.arg("--config=containerd.toml");
        containerd
    }

    pub(super) fn kubelet(&self, folder: &Path) -> Command {
        let root = folder.join("kubelet");
        let mut kubelet = Command::new(self.node.join("kubelet"));
        kubelet
            .arg(format!("--hostname-override={NODE_NAME}"))
            .arg(format!("--node-ip={NODE_ADDRESS}"))
            .arg(format!("--root-dir={}", root.display()))
            .arg(format!("--cert-dir={}", root.join("pki").display()))
            .args(["--config=kubelet.yaml", "--kubeconfig=kubelet.kubeconfig"]);
        kubelet
    }

    pub(super) fn proxy(&self) -> Command {
        let mut proxy = Command::new(self.node.join("kube-proxy"));
        proxy.arg("--config=proxy.yaml");
        proxy
    }
}
