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

/// Coverage needs the LLVM tools of the very compiler in use.
pub(crate) fn llvm_tools() -> Result<(), Error> {
    let mut list = Command::new("rustup");
    list.args(["component", "list", "--installed"]);
    if output(list)?.lines().any(|line| line.starts_with("llvm-tools")) {
        return Ok(());
    }
    let mut add = Command::new("rustup");
    add.args(["component", "add", "llvm-tools"]);
    step("adding the compiler's llvm-tools", add)
}
