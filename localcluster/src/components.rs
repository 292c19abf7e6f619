//! What a cluster is made of and how each part is had: pinned Go modules are
//! built, Debian packages are unpacked.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache::{component, hash};
use crate::error::tail;
use crate::{Error, Progress};

/// The pinned Kubernetes. The same version stands in components/kubernetes/go.mod.
const KUBERNETES: &str = "v1.37.2";
const KUBERNETES_GO_MOD: &str = include_str!("../components/kubernetes/go.mod");
const KUBERNETES_GO_SUM: &str = include_str!("../components/kubernetes/go.sum");
const KUBERNETES_PROGRAMS: [&str; 3] = ["kube-apiserver", "kube-controller-manager", "kubectl"];
/// Debian packages that are unpacked, never installed.
const DEBIAN_PACKAGES: [&str; 1] = ["etcd-server"];

/// Where the unpacked package has the store.
const ETCD: &str = "root/usr/bin/etcd";

/// Where the programs of a cluster are.
#[derive(Clone, Debug)]
pub struct Programs {
    kubernetes: PathBuf,
    debian: PathBuf,
}

impl Programs {
    /// One of the Kubernetes programs, kubectl among them.
    pub fn kubernetes(&self, program: &str) -> PathBuf {
        self.kubernetes.join("bin").join(program)
    }

    /// The store.
    pub fn etcd(&self) -> PathBuf {
        self.debian.join(ETCD)
    }
}

/// Makes every program available: from the cache in no time, else built and
/// unpacked with progress on standard error (about six minutes on two cores).
pub fn fetch() -> Result<Programs, Error> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(Error::Platform { os: std::env::consts::OS, arch: std::env::consts::ARCH });
    }
    Ok(Programs { kubernetes: kubernetes()?, debian: debian()? })
}

fn kubernetes() -> Result<PathBuf, Error> {
    let (major, minor) = ("1", KUBERNETES.split('.').nth(1).unwrap_or_default());
    let version = "k8s.io/component-base/version";
    let link = format!(
        "-s -w -X {version}.gitVersion={KUBERNETES} -X {version}.gitMajor={major} -X {version}.gitMinor={minor} -X {version}.gitTreeState=clean"
    );
    let programs = KUBERNETES_PROGRAMS.join(" ");
    let key = hash(&[KUBERNETES_GO_MOD, KUBERNETES_GO_SUM, &link, &programs]);
    component("kubernetes", &key, |folder| {
        require_go()?;
        let module = folder.join("module");
        fs::create_dir_all(&module).map_err(Error::file("create folder", &module))?;
        write(&module.join("go.mod"), KUBERNETES_GO_MOD)?;
        write(&module.join("go.sum"), KUBERNETES_GO_SUM)?;
        let packages = KUBERNETES_PROGRAMS.map(|p| format!("k8s.io/kubernetes/cmd/{p}"));
        let mut build = go(&module);
        build
            .args(["build", "-v", "-mod=readonly", "-trimpath", "-ldflags", &link, "-o"])
            .arg(folder.join("bin/"))
            .args(&packages);
        let what = format!("building Kubernetes {KUBERNETES} (once; about six minutes on two cores)");
        let mut compiled = 0_u32;
        run(build, what, &folder.join("build.log"), |line| {
            if let Some(module) = line.strip_prefix("go: ") {
                return module.to_owned();
            }
            compiled += 1;
            format!("{compiled} packages")
        })
    })
}

fn go(module: &Path) -> Command {
    let mut go = Command::new("go");
    go.current_dir(module).env("CGO_ENABLED", "0").env("GOWORK", "off").env("GOFLAGS", "-buildvcs=false");
    go
}

fn require_go() -> Result<(), Error> {
    let missing = Error::MissingProgram { program: "go", remedy: "install Go 1.26 or newer" };
    let output = Command::new("go").args(["env", "GOVERSION"]).output().map_err(|_| missing)?;
    let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut numbers = found.trim_start_matches("go").split('.').map_while(|n| n.parse::<u32>().ok());
    if (numbers.next(), numbers.next()) >= (Some(1), Some(26)) { Ok(()) } else { Err(Error::OldGo { found }) }
}

fn debian() -> Result<PathBuf, Error> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let key = hash(&[&[release.as_str(), APT_SETTINGS], DEBIAN_PACKAGES.as_slice()].concat());
    component("debian", &key, |folder| {
        for program in ["apt-get", "dpkg-deb"] {
            let there = Command::new(program).arg("--version").stdout(Stdio::null()).status();
            there.map_err(|_| Error::MissingProgram {
                program,
                remedy: "localcluster unpacks etcd from Debian packages; use Debian or Ubuntu",
            })?;
        }
        let log = folder.join("download.log");
        let packages = folder.join("packages");
        for sub in ["state/lists/partial", "cache/archives/partial", "packages", "root"] {
            let path = folder.join(sub);
            fs::create_dir_all(&path).map_err(Error::file("create folder", &path))?;
        }
        write(&folder.join("apt.conf"), APT_SETTINGS)?;
        let mut update = private_apt(folder);
        update.arg("update");
        let lists = run(update, "reading the package lists".into(), &log, str::to_owned);
        let mut download = private_apt(folder);
        download.current_dir(&packages).arg("download").args(DEBIAN_PACKAGES);
        let what = format!("downloading {}", DEBIAN_PACKAGES.join(", "));
        // A source of the user's that fails is no matter if ours was read.
        run(download, what, &log, str::to_owned).map_err(|failed| lists.err().unwrap_or(failed))?;
        for entry in fs::read_dir(&packages).map_err(Error::file("read folder", &packages))?.flatten() {
            let mut unpack = Command::new("dpkg-deb");
            unpack.arg("-x").arg(entry.path()).arg(folder.join("root"));
            run(unpack, format!("unpacking {}", entry.file_name().display()), &log, |_| String::new())?;
        }
        for sub in ["state", "cache", "packages"] {
            let path = folder.join(sub);
            fs::remove_dir_all(&path).map_err(Error::file("remove folder", &path))?;
        }
        let etcd = folder.join(ETCD);
        fs::metadata(&etcd).map(drop).map_err(Error::file("find, in the unpacked package,", &etcd))
    })
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

/// Runs one step with its output in `log`; `detail` turns each of its lines
/// into progress.
fn run(mut step: Command, what: String, log: &Path, mut detail: impl FnMut(&str) -> String) -> Result<(), Error> {
    let progress = Progress::begin(what.clone());
    let mut file = File::options().create(true).append(true).open(log).map_err(Error::file("write", log))?;
    let program = step.get_program().to_string_lossy().into_owned();
    let spawn = |source| Error::Spawn { program: program.clone(), source };
    let (reader, writer) = std::io::pipe().map_err(spawn)?;
    let errors = writer.try_clone().map_err(spawn)?;
    let mut child = step.stdin(Stdio::null()).stdout(writer).stderr(errors).spawn().map_err(spawn)?;
    // The command holds the writing ends; with them gone the reader ends.
    drop(step);
    for line in BufReader::new(reader).lines().map_while(Result::ok) {
        let text: String = detail(&line).chars().take(60).collect();
        if !text.is_empty() {
            progress.step(text);
        }
        writeln!(file, "{line}").map_err(Error::file("write", log))?;
    }
    let status = child.wait().map_err(spawn)?;
    if !status.success() {
        return Err(Error::Step { step: what, status: status.to_string(), tail: tail(log, 12), log: log.to_owned() });
    }
    progress.done();
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::file("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_we_name_is_the_version_we_build() {
        assert!(KUBERNETES_GO_MOD.contains(&format!("require k8s.io/kubernetes {KUBERNETES} ")));
        for program in KUBERNETES_PROGRAMS {
            assert!(KUBERNETES_GO_MOD.contains(&format!("k8s.io/kubernetes/cmd/{program}\n")), "{program}");
        }
    }
}
