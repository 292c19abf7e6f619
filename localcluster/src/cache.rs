//! The user's cache: one folder per component and content hash, made whole or
//! not at all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

use crate::{Error, Progress};

/// Folder of everything this product caches: `$XDG_CACHE_HOME/hashinsight` or
/// `~/.cache/hashinsight`.
pub fn cache_root() -> Result<PathBuf, Error> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|v| !v.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var_os("HOME").ok_or(Error::NoCacheHome)?).join(".cache"),
    };
    Ok(base.join("hashinsight"))
}

/// First twelve hexadecimal digits of the SHA-256 of `parts`, each delimited.
pub(crate) fn hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hex(&hasher.finalize()[..6])
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The folder of component `name` with content `hash`, made by `make` if it is
/// not there. One process makes it, others wait; a folder left by a crash is
/// thrown away.
pub(crate) fn component(
    name: &str,
    hash: &str,
    make: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    component_in(&cache_root()?.join("components"), name, hash, make)
}

fn component_in(
    root: &Path,
    name: &str,
    hash: &str,
    make: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let finished = root.join(format!("{name}-{hash}"));
    if finished.is_dir() {
        return Ok(finished);
    }
    fs::create_dir_all(root).map_err(Error::file("create folder", root))?;
    let _lock = lock(&root.join(format!("{name}.lock")), name)?;
    if finished.is_dir() {
        return Ok(finished);
    }
    let partial = root.join(format!("{name}-{hash}.partial"));
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(Error::file("remove folder", &partial))?;
    }
    fs::create_dir_all(&partial).map_err(Error::file("create folder", &partial))?;
    make(&partial)?;
    fs::rename(&partial, &finished).map_err(Error::file("rename folder", &partial))?;
    Ok(finished)
}

fn lock(path: &Path, name: &str) -> Result<Flock<File>, Error> {
    let open = || File::create(path).map_err(Error::file("create", path));
    match Flock::lock(open()?, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((file, _)) => {
            let waiting = Progress::begin(format!("waiting for another process that makes {name}"));
            let lock = Flock::lock(file, FlockArg::LockExclusive)
                .map_err(|(_, errno)| Error::file("lock", path)(errno.into()))?;
            waiting.done();
            Ok(lock)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn a_component_is_made_once_and_whole() {
        let root = tempfile::tempdir().unwrap();
        let partial = root.path().join("thing-abc.partial");
        fs::create_dir_all(partial.join("left-by-a-crash")).unwrap();
        let made = AtomicU32::new(0);
        let make = |folder: &Path| {
            made.fetch_add(1, Ordering::SeqCst);
            assert!(!folder.join("left-by-a-crash").exists());
            std::thread::sleep(std::time::Duration::from_millis(50));
            fs::write(folder.join("content"), "whole").map_err(Error::file("write", folder))
        };
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    let folder = component_in(root.path(), "thing", "abc", make).unwrap();
                    assert_eq!(fs::read_to_string(folder.join("content")).unwrap(), "whole");
                });
            }
        });
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_failed_component_is_tried_again() {
        let root = tempfile::tempdir().unwrap();
        let fails = component_in(root.path(), "thing", "abc", |_| Err(Error::NoCacheHome));
        assert!(fails.is_err());
        assert!(component_in(root.path(), "thing", "abc", |_| Ok(())).unwrap().ends_with("thing-abc"));
    }

    #[test]
    fn hashes_keep_parts_apart() {
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_eq!(hash(&["ab"]).len(), 12);
    }
}
