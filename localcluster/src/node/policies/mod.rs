//! Enforces network policies on the node: watches namespaces, pods and
//! policies, and writes the rules they mean. A pod is open until its rules are
//! written, some 100 ms after it has its address; good for tests and demos,
//! not for production.

mod rules;
mod select;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::daemons::Installed;
use crate::{Error, say};

/// What it is called when the program is started anew.
pub(super) const ROLE: &str = "policies";
const WATCHED: [&str; 3] = ["namespaces", "pods", "networkpolicies.networking.k8s.io"];
/// Changes that come together are taken together.
const TOGETHER: Duration = Duration::from_millis(30);
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// News of one kind: its watch began anew, or an object came, changed or went.
enum News {
    Anew,
    Event(Value),
}

/// The enforcer's whole life.
pub(super) fn enforce(folder: &Path) -> Result<(), Error> {
    let (news, incoming) = channel();
    for kind in WATCHED {
        let (news, folder, installed) = (news.clone(), folder.to_owned(), Installed::read(folder)?);
        thread::spawn(move || {
            loop {
                let _ = news.send((kind, News::Anew));
                if let Err(error) = follow(kind, &installed, &folder, &news) {
                    say(&format!("watching {kind}: {error}\n"));
                }
                thread::sleep(AGAIN_AFTER);
            }
        });
    }
    let mut objects: BTreeMap<&str, BTreeMap<String, Value>> = BTreeMap::new();
    let mut written = String::new();
    while let Ok(first) = incoming.recv() {
        thread::sleep(TOGETHER);
        for (kind, news) in std::iter::once(first).chain(incoming.try_iter()) {
            let known = objects.entry(kind).or_default();
            match news {
                News::Anew => known.clear(),
                News::Event(mut event) => {
                    let object = event["object"].take();
                    let uid = select::text(&object["metadata"]["uid"]);
                    if event["type"] == "DELETED" {
                        known.remove(&uid)
                    } else {
                        known.insert(uid, object)
                    };
                }
            }
        }
        // While a watch begins anew we know nothing of its kind: keep what stands.
        if WATCHED.iter().any(|kind| objects.get(kind).is_none_or(BTreeMap::is_empty) && *kind != WATCHED[2]) {
            continue;
        }
        let rules = rules::ruleset(&select::World::of(objects.values().flat_map(BTreeMap::values)));
        if rules != written {
            match write(&rules) {
                Ok(()) => written = rules,
                Err(told) => say(&format!("nft: {told}\n{rules}\n")),
            }
        }
    }
    Ok(())
}

/// Sends what happens to objects of `kind` until the watch ends.
fn follow(
    kind: &'static str,
    installed: &Installed,
    folder: &Path,
    news: &Sender<(&'static str, News)>,
) -> Result<(), Error> {
    let spawn = |source| Error::Spawn { program: "kubectl".to_owned(), source };
    let mut watch = installed
        .kubectl(folder)
        .args(["get", kind, "--all-namespaces", "--watch", "--output-watch-events", "--output=json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(spawn)?;
    if let Some(output) = watch.stdout.take() {
        let events = serde_json::Deserializer::from_reader(output).into_iter();
        for event in events.map_while(Result::ok) {
            let _ = news.send((kind, News::Event(event)));
        }
    }
    let _ = watch.kill();
    watch.wait().map(drop).map_err(spawn)
}

/// All of it or none.
fn write(rules: &str) -> Result<(), String> {
    let mut nft = Command::new("nft");
    let failed = |error: std::io::Error| error.to_string();
    let mut child = nft.args(["-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(rules.as_bytes()).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
