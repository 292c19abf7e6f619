//! Clusters start, run beside each other, and leave nothing, however they end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests read files and clocks")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, PipeReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use localcluster::{Cluster, cache_root};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const BINARY: &str = env!("CARGO_BIN_EXE_localcluster");

/// Processes that work in `folder`.
fn working_in(folder: &Path) -> Vec<PathBuf> {
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    processes.filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder))).collect()
}

/// The last line of each daemon's log.
fn last_words(folder: &Path) -> String {
    ["etcd", "kube-apiserver", "kube-controller-manager"]
        .map(|name| {
            let log = fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default();
            format!("{name}: {}", log.lines().last().unwrap_or_default())
        })
        .join("\n")
}

fn wait_until_nothing_is_left(folder: &Path) {
    let begun = Instant::now();
    while folder.exists() || !working_in(folder).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10), "left: {} {:?}", folder.display(), working_in(folder));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn clusters_run_beside_each_other_and_end_with_their_value() {
    let clusters: Vec<Cluster> = std::thread::scope(|threads| {
        let starting: Vec<_> = (0..3).map(|_| threads.spawn(|| Cluster::start().unwrap())).collect();
        starting.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let folders: BTreeSet<PathBuf> = clusters.iter().map(|c| c.folder().to_owned()).collect();
    assert_eq!(folders.len(), 3);
    for (n, cluster) in clusters.iter().enumerate() {
        assert!(cluster.kubectl().args(["create", "namespace", &format!("mine-{n}")]).status().unwrap().success());
        let listed = cluster.kubectl().args(["get", "namespaces", "-o", "name"]).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert_eq!(listed.matches("mine-").count(), 1, "each sees its own: {listed}");
        assert_eq!(working_in(cluster.folder()).len(), 3, "{}", last_words(cluster.folder()));
        let mode = fs::metadata(cluster.admin_kubeconfig()).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "credentials are nobody else's to read");
    }
    drop(clusters);
    for folder in &folders {
        wait_until_nothing_is_left(folder);
    }
}

#[test]
fn users_get_what_rbac_gives_them_and_writes_are_audited() {
    let cluster = Cluster::start().unwrap();
    let kubeconfig = cluster.kubeconfig_for("ada@acme.example", &["acme-ops"]).unwrap();
    let who = cluster.kubectl().arg("--kubeconfig").arg(kubeconfig).args(["auth", "whoami"]).output().unwrap();
    let who = String::from_utf8(who.stdout).unwrap();
    assert!(who.contains("ada@acme.example") && who.contains("acme-ops"), "{who}");
    let audited = fs::read_to_string(cluster.audit_log()).unwrap();
    assert!(audited.lines().any(|line| line.contains("ada@acme.example")));
}

#[test]
fn a_command_is_run_around_and_its_exit_code_kept() {
    let home = tempfile::tempdir().unwrap();
    let script = "kubectl get namespace default >/dev/null && dirname $KUBECONFIG && exit 7";
    let output = Command::new(BINARY)
        .args(["run", "--", "sh", "-c", script])
        .env("XDG_CACHE_HOME", cache_root().unwrap().parent().unwrap())
        .env("HOME", home.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    let folder = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    assert!(!folder.exists() && working_in(&folder).is_empty(), "gone before the command returns");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "nothing stays in the home");
}

/// A running `localcluster run ARGUMENTS`, the line of its output that names
/// the kubeconfig, and the cluster's folder.
fn running(arguments: &[&str]) -> (Child, BufReader<PipeReader>, PathBuf) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = Command::new(BINARY);
    let stderr = writer.try_clone().unwrap();
    let child = command.arg("run").args(arguments).stdout(writer).stderr(stderr).spawn().unwrap();
    drop(command);
    let mut reader = BufReader::new(reader);
    let kubeconfig = loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "it ended early");
        if let Some((_, path)) = line.trim().split_once("KUBECONFIG=") {
            break PathBuf::from(path);
        }
    };
    let folder = fs::read_dir(std::env::temp_dir()).unwrap().flatten().map(|e| e.path());
    let folder = folder.filter(|f| kubeconfig.starts_with(f)).find(|f| f.is_dir()).unwrap();
    (child, reader, folder)
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
}

#[test]
fn interrupted_or_killed_it_leaves_nothing() {
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let (mut child, _output, folder) = running(&[]);
        assert_eq!(working_in(&folder).len(), 3, "{}", last_words(&folder));
        assert!(child.try_wait().unwrap().is_none());
        send(&child, signal);
        assert_eq!(child.wait().unwrap().signal(), Some(signal as i32));
        wait_until_nothing_is_left(&folder);
    }
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_cluster() {
    let (mut child, output, folder) = running(&[]);
    drop(output);
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none());
    assert_eq!(working_in(&folder).len(), 3, "{}", last_words(&folder));
    send(&child, Signal::SIGINT);
    child.wait().unwrap();
    wait_until_nothing_is_left(&folder);
}

#[test]
fn a_command_that_cleans_up_keeps_its_cluster_until_it_has() {
    let script = "trap 'kubectl get --raw /readyz >/dev/null && exit 9' TERM; echo KUBECONFIG=$KUBECONFIG; while :; do sleep 0.1; done";
    let (mut child, _output, folder) = running(&["--", "bash", "-c", script]);
    // As from a terminal, the interrupt alone must not take the cluster away.
    send(&child, Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none());
    send(&child, Signal::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(9), "the cluster answered while the command cleaned up");
    assert!(!folder.exists());
}

#[test]
fn what_a_crashed_machine_left_is_removed_by_the_next_start() {
    let left = tempfile::Builder::new().prefix("hashinsight-localcluster-").tempdir().unwrap().keep();
    fs::write(left.join("lock"), "").unwrap();
    let mut daemon = Command::new("sleep").arg("600").current_dir(&left).spawn().unwrap();
    let unclaimed = tempfile::Builder::new().prefix("hashinsight-localcluster-").tempdir().unwrap();
    drop(Cluster::start().unwrap());
    assert!(!left.exists());
    assert_eq!(daemon.wait().unwrap().signal(), Some(Signal::SIGKILL as i32));
    assert!(unclaimed.path().exists(), "a folder that another is just making");
}

/// `localcluster fetch` with an empty cache and only `programs` on PATH.
fn fetch_with(programs: &[(&str, &str)], prepare: impl Fn(&Path)) -> Output {
    let home = tempfile::tempdir().unwrap();
    let (path, cache) = (home.path().join("bin"), home.path().join("cache"));
    fs::create_dir_all(&path).unwrap();
    for (name, script) in programs {
        fs::write(path.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    prepare(&cache.join("hashinsight/components"));
    Command::new(BINARY).arg("fetch").env("PATH", &path).env("XDG_CACHE_HOME", &cache).output().unwrap()
}

#[test]
fn what_is_missing_is_one_clear_sentence() {
    let told = |output: Output| {
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let text = told(fetch_with(&[], |_| ()));
    assert_eq!(text.trim(), "localcluster: `go` was not found on PATH; install Go 1.26.7 or newer");
    let text = told(fetch_with(&[("go", "echo go1.25.9")], |_| ()));
    assert!(text.contains("Go 1.26.7 or newer is needed") && text.contains("go1.25.9"), "{text}");
    let broken = "[ $1 = env ] && echo go1.26.8 && exit; echo 'no space left on device' >&2; exit 1";
    let text = told(fetch_with(&[("go", broken)], |_| ()));
    assert!(text.contains("no space left on device") && text.contains("build.log"), "{text}");
    let text = told(fetch_with(&[], |components| {
        // Kubernetes is there already; Debian's tools are not.
        localcluster::fetch().unwrap();
        fs::create_dir_all(components).unwrap();
        for entry in fs::read_dir(cache_root().unwrap().join("components")).unwrap().flatten() {
            if entry.file_name().to_str().unwrap().starts_with("kubernetes-") {
                symlink(entry.path(), components.join(entry.file_name())).unwrap();
            }
        }
    }));
    assert!(text.contains("`apt-get` was not found") && text.contains("use Debian or Ubuntu"), "{text}");
}
