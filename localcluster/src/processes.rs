//! The daemons of one cluster and the promise that they go with it: a reaper
//! shell in a process group of its own holds a pipe to us. When we end, in
//! whatever way, the pipe closes and the reaper ends every daemon and removes
//! the folder.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Error;
use crate::error::tail;

/// Waits until the pipe closes, then ends whatever works in the folder.
pub(crate) const REAPER: &str = r#"
read -r _
for process in /proc/[0-9]*; do
  [ "$(readlink "$process/cwd")" = "$1" ] && kill -KILL "${process#/proc/}"
done
rm -rf "$1"
"#;

struct Daemon {
    name: &'static str,
    child: Child,
}

/// Daemons that work in one folder, each with its log there.
pub(crate) struct Daemons {
    folder: PathBuf,
    running: Vec<Daemon>,
}

impl Daemons {
    /// None yet.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), running: Vec::new() }
    }

    /// The daemon with this process id.
    pub(crate) fn name_of(&self, pid: i32) -> Option<&'static str> {
        self.running.iter().find(|d| d.child.id().cast_signed() == pid).map(|d| d.name)
    }

    /// Starts `command` as daemon `name`, its output in `<name>.log`.
    pub(crate) fn start(&mut self, name: &'static str, mut command: Command) -> Result<(), Error> {
        let log = self.log(name);
        let output = File::create(&log).map_err(Error::file("create", &log))?;
        let errors = output.try_clone().map_err(Error::file("create", &log))?;
        let child = command
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Spawn { program: name.into(), source })?;
        self.running.push(Daemon { name, child });
        Ok(())
    }

    /// Polls `ready` until it is, no daemon having died, or fails at `limit`.
    pub(crate) fn wait(
        &mut self,
        daemon: &'static str,
        limit: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> Result<(), Error> {
        let begun = Instant::now();
        while !ready() {
            let ended =
                self.running.iter_mut().find_map(|d| d.child.try_wait().ok().flatten().map(|status| (d.name, status)));
            if let Some((name, status)) = ended {
                return Err(self.failure(name, format!("ended early ({status})")));
            }
            if begun.elapsed() > limit {
                return Err(self.failure(daemon, format!("was not ready within {} s", limit.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// What became of a daemon, with its last words.
    pub(crate) fn failure(&self, daemon: &'static str, what: String) -> Error {
        Error::Daemon { daemon, what, tail: tail(&self.log(daemon), 8) }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }
}

/// The running daemons of one cluster, which end with this value or with this
/// process, whichever ends first.
pub(crate) struct Processes {
    pub(crate) daemons: Daemons,
    reaper: Child,
    pipe: Option<ChildStdin>,
}

impl Processes {
    /// Takes `folder` into care: it is removed with the daemons.
    pub(crate) fn new(folder: &Path) -> Result<Self, Error> {
        let mut reaper = Command::new("sh")
            .args(["-c", REAPER, "reaper"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Spawn { program: "sh".into(), source })?;
        let pipe = reaper.stdin.take();
        Ok(Self { daemons: Daemons::in_folder(folder), reaper, pipe })
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for daemon in self.daemons.running.iter_mut().rev() {
            let _ = daemon.child.kill();
            let _ = daemon.child.wait();
        }
        drop(self.pipe.take());
        let _ = self.reaper.wait();
    }
}
