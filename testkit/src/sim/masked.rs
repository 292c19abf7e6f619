//! What of a world counts when two runs are compared: everything but versions,
//! times, uids (by whose they are) and the machinery's own objects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::is_noise;
use crate::fake::{Commit, Event, FakeServer};

/// What there is.
pub(super) fn end(server: &FakeServer) -> Value {
    let mut owners = BTreeMap::new();
    for commit in server.history() {
        if let Some(uid) = commit.object["metadata"]["uid"].as_str() {
            owners.insert(uid.to_owned(), commit.of());
        }
    }
    let objects = server.objects().into_iter().filter(|(name, _)| !name.split(' ').next().is_some_and(is_noise));
    let masked = objects.map(|(name, mut object)| {
        mask(&mut object, &owners);
        (name, object)
    });
    json!(masked.collect::<BTreeMap<_, _>>())
}

fn mask(value: &mut Value, owners: &BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| key != "resourceVersion");
            fields.values_mut().for_each(|value| mask(value, owners));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, owners)),
        Value::String(text) => {
            if let Some(owner) = owners.get(text) {
                *text = format!("uid of {owner}");
            } else if text.parse::<jiff::Timestamp>().is_ok() {
                "some time".clone_into(text);
            }
        }
        _ => {}
    }
}

/// What happened to each object.
pub(super) fn commits(history: &[Commit]) -> BTreeMap<String, Vec<Event>> {
    let mut all: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for commit in history.iter().filter(|commit| !is_noise(&commit.plural)) {
        all.entry(commit.of()).or_default().push(commit.event);
    }
    all
}
