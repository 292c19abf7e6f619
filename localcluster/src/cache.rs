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
    hasher.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// The folder of component `name` with content `hash`, made by `make` if it is
/// not there. One process makes it, others wait; a folder left by a crash is
/// thrown away.
pub(crate) fn component(
    name: &str,
    hash: &str,
    make: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let root = cache_root()?.join("components");
    let finished = root.join(format!("{name}-{hash}"));
    if finished.is_dir() {
        return Ok(finished);
    }
    fs::create_dir_all(&root).map_err(Error::file("create folder", &root))?;
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

    #[test]
    fn hashes_keep_parts_apart() {
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_eq!(hash(&["ab"]).len(), 12);
    }
}
