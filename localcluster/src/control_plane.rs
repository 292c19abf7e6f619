//! What every size of cluster starts alike: the store, the API server and its
//! controllers, and the credentials they find in their folder by name. Each
//! size adds where they listen.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use crate::Error;
use crate::certificates::{Authority, service_account_keys};
use crate::credentials::write_private;

/// Service addresses.
const SERVICES: &str = "10.96.0.0/16";

/// Writes the credentials that the commands below name.
pub(crate) fn write_credentials(folder: &Path, authority: &Authority) -> Result<(), Error> {
    let server = authority.server()?;
    let (private, public) = service_account_keys()?;
    for (name, text) in [
        ("ca.crt", authority.certificate()),
        ("ca.key", authority.key()),
        ("server.crt", server.certificate),
        ("server.key", server.key),
        ("accounts.key", private),
        ("accounts.pub", public),
    ] {
        write_private(&folder.join(name), &text)?;
    }
    Ok(())
}

/// The store. Its data dies with the cluster, so it need not reach the disk.
pub(crate) fn etcd(program: &Path) -> Command {
    let mut etcd = Command::new(program);
    etcd.args(["--name=default", "--data-dir=etcd", "--unsafe-no-fsync", "--logger=zap", "--log-level=warn"]);
    etcd
}

/// The API server at `address`, with its store on a loopback port.
pub(crate) fn apiserver(program: &Path, address: Ipv4Addr, port: u16, store: u16) -> Command {
    let mut server = Command::new(program);
    server
        .arg(format!("--etcd-servers=http://127.0.0.1:{store}"))
        .arg(format!("--bind-address={address}"))
        .arg(format!("--advertise-address={address}"))
        .arg(format!("--secure-port={port}"))
        .arg(format!("--service-cluster-ip-range={SERVICES}"))
        .args([
            "--authorization-mode=Node,RBAC",
            "--allow-privileged",
            "--client-ca-file=ca.crt",
            "--tls-cert-file=server.crt",
            "--tls-private-key-file=server.key",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            "--service-account-key-file=accounts.pub",
            "--service-account-signing-key-file=accounts.key",
        ]);
    server
}

/// The controllers, as the identity of `kubeconfig`.
pub(crate) fn controller_manager(program: &Path, kubeconfig: &Path) -> Command {
    let mut manager = Command::new(program);
    manager.arg("--kubeconfig").arg(kubeconfig).args([
        "--leader-elect=false",
        "--secure-port=0",
        "--use-service-account-credentials",
        // Each controller asks for its own token first; at the default rate
        // that alone takes five seconds.
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--root-ca-file=ca.crt",
        "--cluster-signing-cert-file=ca.crt",
        "--cluster-signing-key-file=ca.key",
        "--service-account-private-key-file=accounts.key",
    ]);
    manager
}
