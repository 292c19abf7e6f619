//! What a server's audit log says of one user.

use std::io::Read;
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

/// One answered request.
#[derive(Clone, Debug)]
pub struct Call {
    pub at: Timestamp,
    pub verb: String,
    /// Plural, with the subresource behind a slash.
    pub resource: String,
    pub namespace: String,
    pub name: String,
}

impl Call {
    pub fn is_write(&self) -> bool {
        !["get", "list", "watch"].contains(&self.verb.as_str())
    }

    /// Leases renew themselves, whatever the load.
    pub fn is_lease(&self) -> bool {
        self.resource == "leases"
    }
}

/// Requests of `user` that were answered well, in order of their answers.
pub fn calls(log: &Path, user: &str) -> Vec<Call> {
    let text = std::fs::read_to_string(log).unwrap();
    let mut calls: Vec<Call> = text
        .lines()
        .filter(|line| line.contains(user))
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|entry| entry["user"]["username"] == user && !entry["objectRef"].is_null())
        .filter(|entry| entry["responseStatus"]["code"].as_i64().is_none_or(|code| code < 300))
        .map(|entry| of(&entry))
        .collect();
    calls.sort_by_key(|call| call.at);
    calls
}

fn of(entry: &Value) -> Call {
    let object = |key: &str| entry["objectRef"][key].as_str().unwrap_or_default().to_owned();
    let subresource = object("subresource");
    let slash = if subresource.is_empty() { "" } else { "/" };
    Call {
        at: entry["stageTimestamp"].as_str().unwrap().parse().unwrap(),
        verb: entry["verb"].as_str().unwrap().to_owned(),
        resource: format!("{}{slash}{subresource}", object("resource")),
        namespace: object("namespace"),
        name: object("name"),
    }
}

/// Watches a log grow, at next to no cost: what is measured runs on the same
/// processors.
pub struct Tail {
    log: std::fs::File,
    user: String,
}

impl Tail {
    pub fn of(log: &Path, user: &str) -> Self {
        Self { log: std::fs::File::open(log).unwrap(), user: format!("\"username\":\"{user}\"") }
    }

    /// Whether the user made a request since the last look, leases aside.
    pub fn moved(&mut self) -> bool {
        let mut text = String::new();
        // A line that is half written is seen with the next look.
        self.log.read_to_string(&mut text).unwrap();
        text.lines().any(|line| line.contains(&self.user) && !line.contains("\"resource\":\"leases\""))
    }
}

/// Milliseconds from `earlier` to `later`.
pub fn millis(earlier: Timestamp, later: Timestamp) -> f64 {
    later.duration_since(earlier).as_secs_f64() * 1000.0
}
