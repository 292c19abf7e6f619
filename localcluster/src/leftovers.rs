//! Folders whose owner and reaper both died, say with the machine: the next
//! start finds them by a lock nobody holds.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};

use crate::Error;

/// Start of the name of every cluster's folder.
pub(crate) const PREFIX: &str = "hashinsight-localcluster-";
const LOCK: &str = "lock";

/// Marks `folder` as in use for as long as the lock lives. It appears locked or
/// not at all.
pub(crate) fn claim(folder: &Path) -> Result<Flock<File>, Error> {
    let (fresh, lock) = (folder.join("lock.new"), folder.join(LOCK));
    let file = File::create(&fresh).map_err(Error::file("create", &fresh))?;
    let held = Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, errno)| Error::file("lock", &fresh)(errno.into()))?;
    fs::rename(&fresh, &lock).map_err(Error::file("rename", &fresh))?;
    Ok(held)
}

/// Removes folders that were claimed and whose owner is gone, and what still
/// works in them. What cannot be removed is somebody else's.
pub(crate) fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let folder = entry.path();
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(file) = File::open(folder.join(LOCK)) else { continue };
        if Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok() {
            let _ = Command::new("sh")
                .args(["-c", crate::processes::REAPER, "reaper"])
                .arg(&folder)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    }
}
