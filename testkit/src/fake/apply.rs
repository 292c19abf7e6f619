//! Server-side apply, and what every write does to the ownership of fields.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::fields::{Fields, Manager, changes, fields_of, managers, merge, remove};
use super::refusal::Refusal;
use super::request::Request;
use super::schema::Schema;
use super::store::{Key, Store};
use super::write::{Answer, Writer, is_empty};

impl Store {
    pub(super) fn apply(&mut self, key: &Key, request: &Request, writer: &Writer) -> Result<Answer, Refusal> {
        let body = &request.body;
        if request.parameter("fieldManager").is_empty() {
            return Err(Refusal::invalid(
                "PatchOptions.meta.k8s.io",
                "",
                "fieldManager: Required value: is required for apply patch",
            ));
        }
        if !is_empty(&body["metadata"]["managedFields"]) {
            return Err(Refusal::bad_request("metadata.managedFields must be nil"));
        }
        if body["kind"] != json!(self.kinds[key.0].singular)
            || body["apiVersion"] != json!(self.kinds[key.0].api_version())
        {
            return Err(Refusal::bad_request("apiVersion and kind must be those of the request"));
        }
        let Some(before) = self.objects.get(key).cloned() else {
            if writer.subresource == "status" {
                return Err(Refusal::not_found(&self.kinds[key.0].named(), &key.2));
            }
            let mut body = body.clone();
            // Of an object that is not there, the version does not count.
            body["metadata"].as_object_mut().map(|metadata| metadata.remove("resourceVersion"));
            body["metadata"]["name"] = json!(key.2);
            return self.create(key, &body, writer, "Apply");
        };
        self.preconditions(key, &before, &body["metadata"])?;
        let kind = &self.kinds[key.0];
        let only_status = kind.status.then_some(writer.subresource == "status");
        let mut applied = kind.schema.pruned(body);
        if kind.schema.is_mistyped(&applied) {
            // What cannot be merged is no bad request to the real one, either.
            return Err(Refusal::new(500, "", "failed to create typed patch object"));
        }
        drop_metadata_of_status(&mut applied, only_status == Some(true));
        let fields = fields_of(&applied, &kind.schema, only_status);
        let all = tracked(&before, &kind.schema);
        let me: Manager = (writer.manager.clone(), "Apply".to_owned(), writer.subresource.clone());
        let mut after = before.clone();
        merge(&mut after, &applied, &kind.schema);
        let others: BTreeSet<_> =
            all.iter().filter(|(who, _)| **who != me).flat_map(|(_, fields)| fields.iter()).collect();
        if request.parameter("force") != "true" {
            let changed = changes(&before, &after, &kind.schema, only_status);
            if let Some(path) = changed.iter().find(|path| others.contains(path)) {
                return Err(Refusal::conflict(
                    &kind.named(),
                    &key.2,
                    &format!("conflict with another manager: {path:?}"),
                ));
            }
        }
        let mut dropped: Vec<&Vec<String>> =
            all.get(&me).into_iter().flatten().filter(|path| !fields.contains(*path)).collect();
        // An item before its fields: without its key it could not be found.
        dropped.sort_by_key(|path| path.len());
        for path in dropped {
            let inside =
                others.iter().any(|other| other.starts_with(path)) || fields.iter().any(|f| f.starts_with(path));
            if !inside {
                remove(&mut after, path, &kind.schema);
            }
        }
        self.finish(key, &before, after, writer, Ownership::Applied(me, fields))
    }
}

/// What a write does to ownership.
pub(super) enum Ownership {
    /// The writer owns what it changed.
    Changed,
    /// The manager owns what it applied.
    Applied(Manager, Fields),
}

impl Ownership {
    pub(super) fn settle(
        self,
        mut all: BTreeMap<Manager, Fields>,
        changed: &Fields,
        gone: &Fields,
        writer: &Writer,
    ) -> BTreeMap<Manager, Fields> {
        let me = match &self {
            Self::Applied(me, _) => me.clone(),
            Self::Changed => (writer.manager.clone(), "Update".to_owned(), writer.subresource.clone()),
        };
        // What nobody tracks is not tracked from an update on.
        if all.is_empty() && matches!(self, Self::Changed) {
            return all;
        }
        for (who, fields) in &mut all {
            // Whoever changes a value takes it; what is gone is nobody's.
            fields.retain(|path| (*who == me || !changed.contains(path)) && !gone.contains(path));
        }
        match self {
            Self::Applied(me, fields) => {
                all.insert(me, fields);
            }
            Self::Changed => all.entry(me).or_default().extend(changed.iter().cloned()),
        }
        all
    }
}

/// The managers of an object; what nobody tracked before the first apply is
/// kept apart.
pub(super) fn tracked(object: &Value, schema: &Schema) -> BTreeMap<Manager, Fields> {
    let mut all = managers(object);
    if all.is_empty() {
        let untracked = ("before-first-apply".to_owned(), "Update".to_owned(), String::new());
        all.insert(untracked, changes(&schema.blank(), object, schema, None));
    }
    all
}

fn drop_metadata_of_status(applied: &mut Value, status_alone: bool) {
    if status_alone && let Some(fields) = applied.as_object_mut() {
        fields.retain(|key, _| key == "status");
    }
}
