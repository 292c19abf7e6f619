//! The cluster's own parent in every cgroup hierarchy.

use std::fs;
use std::path::PathBuf;

use crate::Error;

/// Name of the parent of cluster `name`.
pub(super) fn parent(name: &str) -> String {
    format!("localcluster-{name}")
}

/// The hierarchies mounted on this machine: one per controller, or the one of
/// cgroup v2.
fn hierarchies() -> Vec<PathBuf> {
    let root = PathBuf::from("/sys/fs/cgroup");
    if root.join("cgroup.controllers").exists() {
        return vec![root];
    }
    fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && path.join("cgroup.procs").exists())
        .collect()
}

/// Makes the parent in every hierarchy. A cpuset is empty until told otherwise,
/// and nothing runs in an empty one.
pub(super) fn make(name: &str) -> Result<(), Error> {
    for hierarchy in hierarchies() {
        let own = hierarchy.join(parent(name));
        fs::create_dir_all(&own).map_err(Error::file("create cgroup", &own))?;
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let value = fs::read_to_string(hierarchy.join(file)).unwrap_or_default();
            if !value.trim().is_empty() {
                fs::write(own.join(file), value.trim()).map_err(Error::file("write", own.join(file)))?;
            }
        }
    }
    Ok(())
}

/// Removes the parent and all below it, deepest first. What still has a
/// process stays; the namespaces ended before, so nothing has.
pub(super) fn remove(name: &str) {
    fn below(folder: &PathBuf) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                below(&entry.path());
            }
        }
        let _ = fs::remove_dir(folder);
    }
    for hierarchy in hierarchies() {
        below(&hierarchy.join(parent(name)));
    }
}
