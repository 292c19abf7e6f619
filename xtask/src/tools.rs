//! Tools the suite needs, built once into the user's cache at pinned versions.

use std::path::PathBuf;
use std::process::Command;

use crate::shell::{Error, cargo, output, step};

/// A cargo subcommand at a pinned version.
pub(crate) struct Tool {
    crate_name: &'static str,
    version: &'static str,
    /// How it is built: what only waits for other programs needs no optimizer,
    /// and is there in half the time.
    profile: &'static str,
}

pub(crate) const COVERAGE: Tool = Tool { crate_name: "cargo-llvm-cov", version: "0.9.1", profile: "dev" };
pub(crate) const LOAD: Tool = Tool { crate_name: "oha", version: "1.16.0", profile: "release" };
pub(crate) const CYCLONEDX: Tool = Tool { crate_name: "cargo-cyclonedx", version: "0.5.9", profile: "dev" };
pub(crate) const DENY: Tool = Tool { crate_name: "cargo-deny", version: "0.20.2", profile: "dev" };

impl Tool {
    /// The program, built if it is not in the cache.
    pub(crate) fn program(&self) -> Result<PathBuf, Error> {
        let folder = localcluster::cache_root()?.join("tools").join(format!("{}-{}", self.crate_name, self.version));
        let program = folder.join("bin").join(self.crate_name);
        if !program.exists() {
            let mut install = cargo(&["install", "--locked", "--quiet", "--profile", self.profile]);
            install.args(["--version", self.version, "--root"]);
            install.arg(&folder).arg(self.crate_name);
            step(&format!("building {} {} (once; a few minutes)", self.crate_name, self.version), install)?;
        }
        Ok(program)
    }

    /// The tool as `cargo` would run it.
    pub(crate) fn command(&self) -> Result<Command, Error> {
        let mut command = Command::new(self.program()?);
        command.arg(self.crate_name.trim_start_matches("cargo-")).current_dir(crate::shell::root());
        Ok(command)
    }
}

/// Packages of Python at pinned versions.
pub(crate) type Packages = &'static [&'static str];

/// The benchmarks' peers.
pub(crate) const PEERS: Packages = &[
    "numpy==2.4.6",
    "pandas==3.1.1",
    "fastapi==0.165.0",
    "uvicorn[standard]==0.54.0",
    "orjson==3.13.0",
    "pyjwt[crypto]==2.15.1",
];
/// What holds the service against its document.
pub(crate) const CONTRACT: Packages = &["schemathesis==4.32.5", "pyjwt[crypto]==2.15.1"];

/// A Python with these packages.
pub(crate) fn python(packages: Packages) -> Result<PathBuf, Error> {
    let name = packages.join("-").replace("==", "-").replace(['[', ']'], "-");
    let folder = localcluster::cache_root()?.join("tools").join(name);
    let python = folder.join("bin/python");
    let done = folder.join("done");
    if !done.exists() {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&folder);
        step("a Python of its own (python3 with venv is needed)", venv)?;
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
        step(&format!("installing {}", packages.join(", ")), install)?;
        std::fs::write(&done, "").map_err(|source| Error::File { path: done, source })?;
    }
    Ok(python)
}

/// Parts of the compiler in use that the suite needs.
const COMPONENTS: [&str; 3] = ["clippy", "llvm-tools", "rustfmt"];
/// Programs the suite needs, and what to do without one.
const PROGRAMS: [(&str, &str); 8] = [
    ("cc", "install a C compiler and libc's headers: apt-get install gcc libc6-dev"),
    ("c++", "install a C++ compiler: apt-get install g++"),
    ("go", "install Go 1.26 or newer"),
    ("apt-get", "use Debian or Ubuntu"),
    ("dpkg-deb", "use Debian or Ubuntu"),
    ("bash", "install bash"),
    ("python3", "install Python with venv: apt-get install python3-venv"),
    ("rustup", "install Rust by rustup"),
];

/// Says what is missing before anything is built, and adds what rustup has.
pub(crate) fn require() -> Result<(), Error> {
    let path: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    for (program, remedy) in PROGRAMS {
        if !path.iter().any(|folder| folder.join(program).is_file()) {
            return Err(Error::Missing { program, remedy });
        }
    }
    let mut list = Command::new("rustup");
    list.args(["component", "list", "--installed"]);
    let installed = output(list)?;
    let there = |name: &str| installed.lines().any(|line| line.starts_with(name));
    let missing: Vec<&str> = COMPONENTS.into_iter().filter(|name| !there(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut add = Command::new("rustup");
    add.args(["component", "add"]).args(&missing);
    step(&format!("adding {} to the compiler", missing.join(", ")), add)
}
