//! Pinned Go modules, built into the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;
use crate::cache::{component, hash};
use crate::step::{run, write};

/// A module whose programs are built.
pub(crate) struct Module {
    /// Name of the component.
    pub(crate) name: &'static str,
    /// What people read while it is built.
    pub(crate) title: &'static str,
    /// Its files, go.mod and go.sum among them: (path, text).
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Flags of the linker.
    pub(crate) link: String,
    /// Build tags, with commas.
    pub(crate) tags: &'static str,
    /// The packages of the programs.
    pub(crate) packages: Vec<String>,
    /// Folders of other modules that are taken along: (module, folder in it,
    /// name of the copy).
    pub(crate) taken: &'static [(&'static str, &'static str, &'static str)],
}

impl Module {
    /// The folder with the programs under `bin/`.
    pub(crate) fn built(&self) -> Result<PathBuf, Error> {
        let mut parts: Vec<&str> = self.files.iter().flat_map(|(path, text)| [*path, *text]).collect();
        parts.extend([self.link.as_str(), self.tags]);
        parts.extend(self.packages.iter().map(String::as_str));
        parts.extend(self.taken.iter().flat_map(|(module, from, to)| [*module, *from, *to]));
        component(self.name, &hash(&parts), |folder| {
            require_go()?;
            let module = folder.join("module");
            for (path, text) in self.files {
                let path = module.join(path);
                let parent = path.parent().unwrap_or(&module);
                fs::create_dir_all(parent).map_err(Error::file("create folder", parent))?;
                write(&path, text)?;
            }
            let mut build = Command::new("go");
            build
                .current_dir(&module)
                .env("CGO_ENABLED", "0")
                .env("GOWORK", "off")
                .env("GOFLAGS", "-buildvcs=false")
                .args(["build", "-v", "-mod=readonly", "-trimpath", "-tags", self.tags, "-ldflags", &self.link, "-o"])
                .arg(folder.join("bin/"))
                .args(&self.packages);
            if !self.packages.is_empty() {
                self.run(build, folder)?;
            }
            self.taken.iter().try_for_each(|taken| take(folder, *taken))
        })
    }

    fn run(&self, build: Command, folder: &Path) -> Result<(), Error> {
        let mut compiled = 0_u32;
        run(build, format!("building {}", self.title), &folder.join("build.log"), |line| {
            if let Some(module) = line.strip_prefix("go: ") {
                return module.to_owned();
            }
            compiled += 1;
            format!("{compiled} packages")
        })
    }
}

fn take(folder: &Path, (of, from, to): (&str, &str, &str)) -> Result<(), Error> {
    let spawn = |source| Error::Spawn { program: "go".to_owned(), source };
    let go = || {
        let mut go = Command::new("go");
        go.current_dir(folder.join("module")).env("GOWORK", "off");
        go
    };
    let mut download = go();
    download.args(["mod", "download", of]);
    run(download, format!("downloading {of}"), &folder.join("build.log"), str::to_owned)?;
    let output = go().args(["list", "-m", "-f", "{{.Dir}}", of]).output().map_err(spawn)?;
    let source = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()).join(from);
    let mut copy = Command::new("cp");
    // Modules are kept read-only; a copy must be removable.
    copy.args(["-r", "--no-preserve=mode"]).arg(&source).arg(folder.join(to));
    run(copy, format!("copying {of}/{from}"), &folder.join("build.log"), |_| String::new())
}

fn require_go() -> Result<(), Error> {
    let missing = Error::MissingProgram { program: "go", remedy: "install Go 1.26.7 or newer" };
    let output = Command::new("go").args(["env", "GOVERSION"]).output().map_err(|_| missing)?;
    let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut numbers = found.trim_start_matches("go").split('.').map_while(|n| n.parse::<u32>().ok());
    // 1.27 is newer than 1.26.7 and has no third number.
    let newer = std::array::from_fn(|_| numbers.next().unwrap_or(0)) >= [1, 26, 7];
    if newer { Ok(()) } else { Err(Error::OldGo { found }) }
}
