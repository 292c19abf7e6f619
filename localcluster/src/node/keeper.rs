//! The keeper: holds the lock, the port and the pipe to the supervisor.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{cgroups, files, forward, part, supervisor};
use crate::{Error, say};

/// What it is called when the program is started anew.
pub(super) const ROLE: &str = "keep";
const LOCK: &str = "keeper.lock";
const PID: &str = "keeper.pid";
const SUPERVISOR: &str = "supervisor.pid";

/// Whether somebody keeps the cluster in `folder`.
pub(super) fn is_kept(folder: &Path) -> bool {
    let Ok(file) = File::open(folder.join(LOCK)) else { return false };
    Flock::lock(file, FlockArg::LockExclusiveNonblock).is_err()
}

/// Whether the keeper or anything in the namespaces still runs.
pub(super) fn is_alive(folder: &Path) -> bool {
    let supervised = || {
        let pid = fs::read_to_string(folder.join(SUPERVISOR)).ok()?;
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        // Ids are reused; ours names its folder.
        Some(String::from_utf8_lossy(&line).split('\0').any(|word| Path::new(word) == folder))
    };
    is_kept(folder) || supervised() == Some(true)
}

/// Leaves a keeper behind for the cluster in `folder`.
pub(super) fn start(folder: &Path) -> Result<(), Error> {
    let command = part(ROLE, folder)?;
    let log = folder.join("keeper.log");
    let output = File::create(&log).map_err(Error::file("create", &log))?;
    let errors = output.try_clone().map_err(Error::file("create", &log))?;
    Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(|source| Error::Spawn { program: "localcluster keep".into(), source })?;
    for _ in 0..500 {
        if is_kept(folder) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(Error::Daemon { daemon: "the keeper", what: "did not start".into(), tail: crate::error::tail(&log, 5) })
}

/// Asks the keeper to end. Its pipe closes with it, however it ends.
pub(super) fn stop(folder: &Path) -> Result<(), Error> {
    if !is_kept(folder) {
        return Ok(());
    }
    let path = folder.join(PID);
    let pid = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
    if let Ok(pid) = pid.trim().parse() {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    Ok(())
}

/// The keeper's whole life: lock, port, supervisor; then wait for its end.
pub(super) fn keep(folder: &Path) -> Result<(), Error> {
    let path = folder.join(LOCK);
    let file = File::create(&path).map_err(Error::file("create", &path))?;
    // The supervisor inherits nothing of it: files are closed on exec.
    let _lock = Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, errno)| Error::file("lock", &path)(errno.into()))?;
    let pid = folder.join(PID);
    fs::write(&pid, std::process::id().to_string()).map_err(Error::file("write", &pid))?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    cgroups::make(&name)?;

    let port = fs::read_to_string(folder.join("port")).ok().and_then(|text| text.trim().parse::<u16>().ok());
    let address = ("127.0.0.1", port.unwrap_or(0));
    let listener = TcpListener::bind(address).map_err(|source| Error::Port { port: address.1, source })?;
    let log = folder.join("supervisor.log");
    let output = File::create(&log).map_err(Error::file("create", &log))?;
    let errors = output.try_clone().map_err(Error::file("create", &log))?;
    let spawn = |source| Error::Spawn { program: "unshare".into(), source };
    let mut supervisor = Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--propagation", "private"])
        .args(part(supervisor::ROLE, folder)?)
        .stdin(Stdio::piped())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(spawn)?;
    let path = folder.join(SUPERVISOR);
    fs::write(&path, supervisor.id().to_string()).map_err(Error::file("write", &path))?;
    // Held, not written: its end tells the supervisor of ours.
    let _pipe = supervisor.stdin.take();
    let inside = supervisor.id();
    std::thread::spawn(move || forward::forward(listener, inside, files::API_ADDRESS));
    let status = supervisor.wait().map_err(spawn)?;
    say(&format!("the supervisor ended: {status}\n"));
    Ok(())
}
