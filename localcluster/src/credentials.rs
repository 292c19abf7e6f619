//! Credentials as files nobody else may read.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::certificates::Authority;

/// Writes a kubeconfig with `context` for `user` in `groups` into a folder of its own below
/// `folder`, with a client certificate of `authority`.
pub(crate) fn write_kubeconfig(
    folder: &Path,
    authority: &Authority,
    context: &str,
    server: &str,
    user: &str,
    groups: &[&str],
) -> Result<PathBuf, Error> {
    let identity = authority.client(user, groups)?;
    // A folder of its own each time: names of users may clash with anything.
    let own =
        tempfile::Builder::new().prefix("user-").tempdir_in(folder).map_err(Error::file("create folder in", folder))?;
    let own = own.keep();
    let at = |name: &str| own.join(name);
    write_private(&at("client.crt"), &identity.certificate)?;
    write_private(&at("client.key"), &identity.key)?;
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {context}\n\
         clusters:\n- name: localcluster\n  cluster: {{server: \"{server}\", certificate-authority: \"{ca}\"}}\n\
         users:\n- name: user\n  user: {{client-certificate: \"{certificate}\", client-key: \"{key}\"}}\n\
         contexts:\n- name: {context}\n  context: {{cluster: localcluster, user: user}}\n",
        ca = folder.join("ca.crt").display(),
        certificate = at("client.crt").display(),
        key = at("client.key").display(),
    );
    let path = at("kubeconfig");
    write_private(&path, &text)?;
    Ok(path)
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Error::file("write", path))
}
