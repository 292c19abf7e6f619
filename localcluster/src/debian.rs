//! Debian packages, downloaded and unpacked into the cache, never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;
use crate::cache::{component, hash};
use crate::step::{run, write};

/// The folder of component `name` with `packages` unpacked under `root/`;
/// `proof` is a file that must be there then.
pub(crate) fn unpacked(name: &str, packages: &[&str], proof: &str) -> Result<PathBuf, Error> {
    component(name, &key(packages), |folder| unpack_into(folder, packages, proof))
}

/// What the content of unpacked packages depends on.
pub(crate) fn key(packages: &[&str]) -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    hash(&[&[release.as_str(), APT_SETTINGS], packages].concat())
}

/// The same, into a folder of the caller's.
pub(crate) fn unpack_into(folder: &Path, packages: &[&str], proof: &str) -> Result<(), Error> {
    for program in ["apt-get", "dpkg-deb"] {
        let there = Command::new(program).arg("--version").stdout(Stdio::null()).status();
        there.map_err(|_| Error::MissingProgram {
            program,
            remedy: "localcluster unpacks Debian packages; use Debian or Ubuntu",
        })?;
    }
    for sub in ["state/lists/partial", "cache/archives/partial", "packages", "root/usr"] {
        let path = folder.join(sub);
        fs::create_dir_all(&path).map_err(Error::file("create folder", &path))?;
    }
    download(folder, packages)?;
    unpack(folder)?;
    for sub in ["state", "cache", "packages"] {
        let path = folder.join(sub);
        fs::remove_dir_all(&path).map_err(Error::file("remove folder", &path))?;
    }
    let proof = folder.join(proof);
    fs::metadata(&proof).map(drop).map_err(Error::file("find, in the unpacked packages,", &proof))
}

fn download(folder: &Path, packages: &[&str]) -> Result<(), Error> {
    let log = folder.join("download.log");
    write(&folder.join("apt.conf"), APT_SETTINGS)?;
    let mut update = private_apt(folder);
    update.arg("update");
    let lists = run(update, "reading the package lists".into(), &log, str::to_owned);
    let mut download = private_apt(folder);
    download.current_dir(folder.join("packages")).arg("download").args(packages);
    let what = match packages {
        [one] => format!("downloading {one}"),
        [first, rest @ ..] => format!("downloading {first} and {} more packages", rest.len()),
        [] => return Ok(()),
    };
    // A source of the user's that fails is no matter if ours was read.
    run(download, what, &log, str::to_owned).map_err(|failed| lists.err().unwrap_or(failed))
}

/// Unpacks every package, and brings together what older packages put beside
/// /usr.
fn unpack(folder: &Path) -> Result<(), Error> {
    let (root, log) = (folder.join("root"), folder.join("download.log"));
    let mut unpack = Command::new("sh");
    let each =
        "for package in packages/*.deb; do echo \"${package#packages/}\"; dpkg-deb -x \"$package\" root || exit; done";
    unpack.current_dir(folder).args(["-c", each]);
    run(unpack, "unpacking the packages".into(), &log, str::to_owned)?;
    for sub in ["bin", "sbin", "lib"] {
        let from = root.join(sub);
        if from.is_dir() {
            let mut merge = Command::new("cp");
            merge.arg("-a").arg(&from).arg(root.join("usr/"));
            run(merge, format!("merging /{sub} into /usr"), &log, |_| String::new())?;
            fs::remove_dir_all(&from).map_err(Error::file("remove folder", &from))?;
        }
    }
    Ok(())
}

/// The system's hooks after an update start services and touch its state.
const APT_SETTINGS: &str =
    "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n";

/// apt with lists and archives of our own: the system's are not touched, and
/// no privilege is needed.
fn private_apt(folder: &Path) -> Command {
    let mut apt = Command::new("apt-get");
    apt.arg("-c")
        .arg(folder.join("apt.conf"))
        .arg("-o")
        .arg(format!("Dir::State={}", folder.join("state").display()))
        .arg("-o")
        .arg("Dir::State::status=/var/lib/dpkg/status")
        .arg("-o")
        .arg(format!("Dir::Cache={}", folder.join("cache").display()))
        .args(["-o", "APT::Sandbox::User=", "-q"]);
    apt
}
