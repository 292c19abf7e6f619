//! Tools the suite needs, built once into the user's cache at pinned versions.

use std::path::PathBuf;
use std::process::Command;

use crate::shell::{Error, cargo, output, step};

/// A cargo subcommand at a pinned version.
pub(crate) struct Tool {
    crate_name: &'static str,
    version: &'static str,
}

pub(crate) const COVERAGE: Tool = Tool { crate_name: "cargo-llvm-cov", version: "0.9.1" };
pub(crate) const DENY: Tool = Tool { crate_name: "cargo-deny", version: "0.20.2" };

impl Tool {
    /// The program, built if it is not in the cache.
    pub(crate) fn program(&self) -> Result<PathBuf, Error> {
        let folder = localcluster::cache_root()?.join("tools").join(format!("{}-{}", self.crate_name, self.version));
        let program = folder.join("bin").join(self.crate_name);
        if !program.exists() {
            let mut install = cargo(&["install", "--locked", "--quiet", "--version", self.version, "--root"]);
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

/// Parts of the compiler in use that the suite needs.
const COMPONENTS: [&str; 3] = ["clippy", "llvm-tools", "rustfmt"];
/// Programs the suite needs, and what to do without one.
const PROGRAMS: [(&str, &str); 6] = [
    ("cc", "install a C compiler and libc's headers: apt-get install gcc libc6-dev"),
    ("go", "install Go 1.26 or newer"),
    ("apt-get", "use Debian or Ubuntu"),
    ("dpkg-deb", "use Debian or Ubuntu"),
    ("bash", "install bash"),
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
