//! The commands in CONTRIBUTING.md, run as they stand there.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use testkit::Ground;

use crate::stage::{BINARY, Stage};

pub async fn the_commands_in_contributing_do_what_they_say(_: Arc<Stage>) {
    let ground = Ground::bare().await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    let section = page.split("## Try it by hand").nth(1).unwrap();
    let commands = section.split("```sh\n").nth(2).unwrap().split("```").next().unwrap();
    // Where this test may not be as it is by hand: the binary's folder, the
    // port, the log.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let log = ground.cluster.folder().join("walkthrough.log");
    let commands = format!("trap 'kill %1 2>/dev/null || true' EXIT\n{commands}")
        .replace("target/debug/hashinsight-operator", BINARY)
        .replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"))
        .replace("127.0.0.1/8080", &format!("127.0.0.1/{port}"))
        .replace("/tmp/hashinsight-operator.log", log.to_str().unwrap());
    let mut shell = ground.cluster.point(Command::new("bash"));
    shell.args(["-euo", "pipefail", "-c", &commands]).current_dir(root);
    let output = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    let log = std::fs::read_to_string(log).unwrap_or_default();
    assert!(output.status.success(), "{told}\n{complaints}\n{log}");
    for line in ["tenant.hashinsight.net/cumulus condition met", "resourcequota/hashinsight condition met", "silent"] {
        assert!(told.contains(line), "{line:?} is not in\n{told}\n{complaints}");
    }
    let released = told.lines().find(|line| line.starts_with("tenant-borealis")).unwrap();
    assert!(released.trim_end().ends_with("true"), "{released}");
    assert!(told.lines().any(|line| line.starts_with("acme") && line.contains("Provisioned")), "{told}");
}
