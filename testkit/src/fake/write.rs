//! Verbs that change something: create, update, merge patch, server-side
//! apply, delete; each as the API server's registry does it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::apply::{Ownership, tracked};
use super::fields::{Fields, changes, fields_of, managers, set_managers};
use super::refusal::Refusal;
use super::request::{Request, Verb};
use super::schema::Schema;
use super::select::selected;
use super::store::{Key, Store};

/// Code and body of an answer.
pub(super) type Answer = (u16, Value);

/// Who writes, when, and whether it counts.
pub(super) struct Writer {
    pub(super) manager: String,
    pub(super) subresource: String,
    pub(super) now: String,
    pub(super) dry: bool,
}

impl Store {
    /// Carries out a request that may change something.
    pub(super) fn write(&mut self, request: &Request, now: &str) -> Result<Answer, Refusal> {
        let answer = self.carry_out(request, now);
        while self.count_quota() {}
        answer
    }

    fn carry_out(&mut self, request: &Request, now: &str) -> Result<Answer, Refusal> {
        let kind = self.kind_of(request)?;
        if !matches!(request.subresource.as_str(), "" | "status")
            || (request.subresource == "status" && !self.kinds[kind].status)
        {
            return Err(Refusal::unserved());
        }
        let writer = Writer {
            manager: match request.parameter("fieldManager") {
                "" => "unknown".to_owned(),
                manager => manager.to_owned(),
            },
            subresource: request.subresource.clone(),
            now: now.to_owned(),
            dry: request.parameter("dryRun") == "All",
        };
        let key: Key = (kind, request.namespace.clone().unwrap_or_default(), request.name.clone());
        match request.verb {
            Verb::Create => self.create(&key, &request.body, &writer, "Update"),
            Verb::Update => self.update(&key, &request.body, &writer),
            Verb::Merge => self.merge_patch(&key, &request.body, &writer),
            Verb::Apply => self.apply(&key, request, &writer),
            Verb::Delete => self.delete(&key, &request.body, &writer),
            Verb::DeleteCollection => {
                let here = |key: &Key| key.0 == kind && request.namespace.as_ref().is_none_or(|ns| *ns == key.1);
                let chosen = self.objects.iter().filter(|(key, object)| here(key) && selected(request, object));
                let (keys, gone): (Vec<Key>, Vec<Value>) =
                    chosen.map(|(key, object)| (key.clone(), self.in_list(kind, object.clone()))).unzip();
                for key in keys {
                    self.delete(&key, &Value::Null, &writer)?;
                }
                let (of, metadata) = (&self.kinds[kind], json!({"resourceVersion": self.revision.to_string()}));
                let list = format!("{}List", of.singular);
                Ok((200, json!({"apiVersion": of.api_version(), "kind": list, "metadata": metadata, "items": gone})))
            }
            Verb::Get | Verb::List | Verb::Watch => Err(Refusal::bad_request("not a write")),
        }
    }

    fn live(&self, key: &Key) -> Result<Value, Refusal> {
        let found = self.objects.get(key).cloned();
        found.ok_or_else(|| Refusal::not_found(&self.kinds[key.0].named(), &key.2))
    }

    pub(super) fn create(
        &mut self,
        key: &Key,
        body: &Value,
        writer: &Writer,
        operation: &str,
    ) -> Result<Answer, Refusal> {
        let name = self.creatable(key, body)?;
        let kind = &self.kinds[key.0];
        let key: Key = (key.0, key.1.clone(), name);
        let mut object = body.clone();
        object["apiVersion"] = json!(kind.api_version());
        object["kind"] = json!(kind.singular);
        if kind.status
            && let Some(fields) = object.as_object_mut()
        {
            fields.remove("status");
        }
        let metadata = object["metadata"].as_object().cloned().unwrap_or_default();
        let kept = ["name", "namespace", "labels", "annotations", "finalizers", "ownerReferences"];
        object["metadata"] =
            metadata.into_iter().filter(|(key, value)| kept.contains(&key.as_str()) && !is_empty(value)).collect();
        let fields = if operation == "Apply" {
            fields_of(&object, &kind.schema, None)
        } else {
            // Defaults count, what the server decides at creation does not.
            changes(&kind.schema.blank(), &kind.schema.defaulted(&object), &kind.schema, None)
        };
        object = kind.schema.normal(&object);
        kind.schema.check(&kind.singular, &object, None)?;
        if kind.generation {
            object["metadata"]["generation"] = json!(1);
        }
        if kind.namespaced {
            object["metadata"]["namespace"] = json!(key.1);
        }
        let manager = (writer.manager.clone(), operation.to_owned(), String::new());
        let api_version = kind.api_version();
        set_managers(&mut object, &BTreeMap::from([(manager, fields)]), &api_version, &writer.now, None);
        object["metadata"]["creationTimestamp"] = json!(writer.now);
        let raw = kind.status && matches!(kind.schema, Schema::Custom { .. }) && object.get("status").is_some();
        object["metadata"]["uid"] = json!(self.uid());
        if writer.dry {
            return Ok((201, object));
        }
        let made = self.commit(key.clone(), Some(object));
        if raw {
            self.raw.insert(key);
        }
        Ok((201, made))
    }

    /// The name of an object that may be created.
    fn creatable(&self, key: &Key, body: &Value) -> Result<String, Refusal> {
        let kind = &self.kinds[key.0];
        let text = |path: &str| body.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = text("/metadata/name");
        if kind.namespaced && key.1.is_empty() {
            return Err(Refusal::bad_request("an empty namespace may not be set during creation"));
        }
        let said = text("/metadata/namespace");
        if !said.is_empty() && said != key.1 {
            return Err(Refusal::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        if !text("/metadata/resourceVersion").is_empty() {
            // The real one has no better answer either.
            return Err(Refusal::new(500, "", "resourceVersion should not be set on objects to be created"));
        }
        if !is_name(&name, kind.is_namespace()) {
            return Err(Refusal::invalid(&kind.singular, &name, "metadata.name: Invalid value"));
        }
        if !key.1.is_empty() {
            let namespace = self.namespace(&key.1).ok_or_else(|| Refusal::not_found("namespaces", &key.1))?;
            if !namespace["metadata"]["deletionTimestamp"].is_null() {
                let why = format!(
                    "{} {name:?} is forbidden: unable to create new content in namespace {} because it is being terminated",
                    kind.named(),
                    key.1
                );
                return Err(Refusal::new(403, "Forbidden", why));
            }
        }
        if self.objects.contains_key(&(key.0, key.1.clone(), name.clone())) {
            return Err(Refusal::already_exists(&kind.named(), &name));
        }
        Ok(name)
    }

    fn update(&mut self, key: &Key, body: &Value, writer: &Writer) -> Result<Answer, Refusal> {
        let before = self.live(key)?;
        if body["metadata"]["name"].as_str() != Some(&key.2) {
            return Err(Refusal::bad_request("the name of the object does not match the name on the URL"));
        }
        let custom = matches!(self.kinds[key.0].schema, Schema::Custom { .. });
        if custom && is_empty(&body["metadata"]["resourceVersion"]) {
            let why = "metadata.resourceVersion: Invalid value: 0: must be specified for an update";
            return Err(Refusal::invalid(&self.kinds[key.0].singular, &key.2, why));
        }
        self.preconditions(key, &before, &body["metadata"])?;
        self.finish(key, &before, body.clone(), writer, Ownership::Changed)
    }

    fn merge_patch(&mut self, key: &Key, patch: &Value, writer: &Writer) -> Result<Answer, Refusal> {
        let before = self.live(key)?;
        self.preconditions(key, &before, &patch["metadata"])?;
        let mut after = before.clone();
        json_merge(&mut after, patch);
        self.finish(key, &before, after, writer, Ownership::Changed)
    }

    fn delete(&mut self, key: &Key, body: &Value, writer: &Writer) -> Result<Answer, Refusal> {
        let before = self.live(key)?;
        let kind = &self.kinds[key.0];
        for (wanted, field) in [("uid", "uid"), ("resourceVersion", "resourceVersion")] {
            let wanted = &body["preconditions"][wanted];
            if !wanted.is_null() && *wanted != before["metadata"][field] {
                return Err(Refusal::conflict(
                    &kind.named(),
                    &key.2,
                    &format!("the {field} in the precondition does not match"),
                ));
            }
        }
        let held = !is_empty(&before["metadata"]["finalizers"]) || !is_empty(&before["spec"]["finalizers"]);
        if writer.dry || (held && !before["metadata"]["deletionTimestamp"].is_null()) {
            return Ok((200, before));
        }
        if held {
            let mut after = before;
            after["metadata"]["deletionTimestamp"] = json!(writer.now);
            after["metadata"]["deletionGracePeriodSeconds"] = json!(0);
            if let Some(generation) = after["metadata"]["generation"].as_i64() {
                after["metadata"]["generation"] = json!(generation + 1);
            }
            if kind.is_namespace() {
                after["status"]["phase"] = json!("Terminating");
                after["metadata"].as_object_mut().map(|metadata| metadata.remove("deletionGracePeriodSeconds"));
            }
            return Ok((200, self.commit(key.clone(), Some(after))));
        }
        let details =
            json!({"name": key.2, "group": kind.group, "kind": kind.plural, "uid": before["metadata"]["uid"]});
        self.commit(key.clone(), None);
        Ok((
            200,
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}),
        ))
    }

    /// A compare-and-swap that does not fit.
    pub(super) fn preconditions(&self, key: &Key, before: &Value, said: &Value) -> Result<(), Refusal> {
        for (field, why) in [
            (
                "resourceVersion",
                "the object has been modified; please apply your changes to the latest version and try again",
            ),
            ("uid", "Precondition failed: UID in precondition does not match"),
        ] {
            if !is_empty(&said[field]) && said[field] != before["metadata"][field] {
                return Err(Refusal::conflict(&self.kinds[key.0].named(), &key.2, why));
            }
        }
        Ok(())
    }

    /// The end of every change of an object that is there.
    pub(super) fn finish(
        &mut self,
        key: &Key,
        before: &Value,
        wanted: Value,
        writer: &Writer,
        owned: Ownership,
    ) -> Result<Answer, Refusal> {
        let kind = &self.kinds[key.0];
        let status_alone = writer.subresource == "status";
        // A replacement need not state that the object is being deleted; who owned
        // that statement owns it no longer.
        let unstated = ["deletionTimestamp", "deletionGracePeriodSeconds"]
            .into_iter()
            .filter(|field| is_empty(&wanted["metadata"][*field]) && !status_alone)
            .map(|field| vec!["f:metadata".to_owned(), format!("f:{field}")]);
        let unstated: Fields = unstated.collect();
        let mut after = if status_alone {
            let mut after = before.clone();
            after["status"] = wanted["status"].clone();
            after
        } else {
            let mut after = wanted;
            if kind.status {
                after["status"] = before["status"].clone();
            }
            after
        };
        drop_null(&mut after, "status");
        keep_identity(&mut after, before);
        after = kind.schema.normal(&after);
        let deleting = !before["metadata"]["deletionTimestamp"].is_null();
        let finalizers = |object: &Value| object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        if deleting && finalizers(&after).iter().any(|one| !finalizers(before).contains(one)) {
            let why = "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted";
            return Err(Refusal::invalid(&kind.singular, &key.2, why));
        }
        kind.schema.check(&kind.singular, &after, Some(before))?;
        if kind.generation && !status_alone && body(&after) != body(before) {
            after["metadata"]["generation"] = json!(before["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
        }
        let only_status = kind.status.then_some(status_alone);
        let changed = changes(before, &after, &kind.schema, only_status);
        let gone: Fields = {
            let back = changes(&after, before, &kind.schema, only_status);
            let still = changes(&Value::Null, &after, &kind.schema, only_status);
            back.difference(&still).cloned().chain(unstated).collect()
        };
        let tracked = match owned {
            Ownership::Changed => managers(before),
            Ownership::Applied(..) => tracked(before, &kind.schema),
        };
        let all = owned.settle(tracked, &changed, &gone, writer);
        set_managers(&mut after, &all, &kind.api_version(), &writer.now, Some(before));
        if writer.dry || (after == *before && !self.raw.contains(key)) {
            return Ok((200, after));
        }
        if deleting && is_empty(&after["metadata"]["finalizers"]) && is_empty(&after["spec"]["finalizers"]) {
            // The last finalizer went, and with it the object.
            self.objects.insert(key.clone(), after.clone());
            self.commit(key.clone(), None);
            return Ok((200, after));
        }
        Ok((200, self.commit(key.clone(), Some(after))))
    }
}

/// What a change of which counts as a new generation.
fn body(object: &Value) -> Value {
    let mut body = object.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("metadata");
        fields.remove("status");
    }
    body
}

/// What no writer changes.
fn keep_identity(after: &mut Value, before: &Value) {
    for field in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
    ] {
        after["metadata"][field] = before["metadata"][field].clone();
        if let Some(metadata) = after["metadata"].as_object_mut() {
            metadata.retain(|_, value| !is_empty(value));
        }
    }
    after["apiVersion"] = before["apiVersion"].clone();
    after["kind"] = before["kind"].clone();
}

fn drop_null(object: &mut Value, key: &str) {
    if object[key].is_null()
        && let Some(fields) = object.as_object_mut()
    {
        fields.remove(key);
    }
}

pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// RFC 7386.
fn json_merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in fields {
        if value.is_null() {
            target.as_object_mut().map(|target| target.remove(key));
        } else {
            json_merge(&mut target[key], value);
        }
    }
}

fn is_name(name: &str, label: bool) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || (c == '.' && !label);
    let limit = if label { 63 } else { 253 };
    edge(name.chars().next()) && edge(name.chars().next_back()) && name.chars().all(inner) && name.len() <= limit
}
