//! Is this machine, and who we are on it, fit for a cluster with a node?

use std::fs;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::Error;

/// What a node does that needs a capability, by its number in capability.h.
const CAPABILITIES: [(u32, &str, &str); 3] = [
    (12, "CAP_NET_ADMIN", "its own network"),
    (21, "CAP_SYS_ADMIN", "namespaces and mounts"),
    (27, "CAP_MKNOD", "the devices of containers"),
];
/// Images, unpacked and packed, and some hours of logs and data.
const SPACE_GIB: f64 = 3.0;

pub(super) fn require_root() -> Result<(), Error> {
    if nix::unistd::geteuid().is_root() { Ok(()) } else { Err(Error::NotRoot) }
}

/// root in a container may lack what root has elsewhere.
pub(super) fn require_capabilities() -> Result<(), Error> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    match missing(&status) {
        Some((name, purpose)) => Err(Error::NoCapability { name, purpose }),
        None => Ok(()),
    }
}

fn missing(status: &str) -> Option<(&'static str, &'static str)> {
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    let lacking = CAPABILITIES.iter().find(|(bit, ..)| mask & (1 << bit) == 0);
    lacking.map(|(_, name, purpose)| (*name, *purpose))
}

pub(super) fn require_space(folder: &Path) -> Result<(), Error> {
    let stat = statvfs(folder).map_err(|errno| Error::file("look at", folder)(errno.into()))?;
    #[allow(clippy::cast_precision_loss, reason = "a tenth of a GiB is fine enough")]
    let free = (stat.blocks_available() * stat.fragment_size()) as f64 / f64::from(1 << 30);
    if free >= SPACE_GIB {
        return Ok(());
    }
    Err(Error::NoSpace { folder: folder.to_owned(), free: format!("{free:.1}"), needed: SPACE_GIB })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_capability_is_named() {
        assert_eq!(missing("Name:\tx\nCapEff:\t000001ffffffffff\n"), None);
        let (name, _) = missing("CapEff:\t000001ffffdfffff\n").unwrap();
        assert_eq!(name, "CAP_SYS_ADMIN");
        assert_eq!(missing("CapEff:\t0\n").unwrap().0, "CAP_NET_ADMIN");
    }
}
