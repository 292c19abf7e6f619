//! Every verb on the API server once: bounded in time, counted, classified.
//! All writes of the operator go through here.

use std::future::Future;
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams, Preconditions,
};
use serde_json::Value;

use crate::digest::short_hash;
use crate::error::{Cause, Error, Verb};
use crate::kinds::{EVENTS, Kind};
use crate::metrics::Metrics;

/// Longest a single call may take. kube's own retries are switched off: the
/// driver's backoff is the only one.
pub const CALL_LIMIT: Duration = Duration::from_secs(20);

/// One object to act on.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its kind.
    pub kind: &'static Kind,
    /// Its namespace; `None` for cluster-scoped kinds.
    pub namespace: Option<&'a str>,
    /// Its name.
    pub name: &'a str,
}

/// What an event tells.
pub struct Story {
    /// The object it is about.
    pub about: ObjectReference,
    /// Whether a person should look.
    pub warning: bool,
    /// Stable reason.
    pub reason: &'static str,
    /// One sentence.
    pub note: String,
}

/// Objects in one page of a list.
const PAGE: u32 = 500;

const MANAGER_EVENTS: &str = "hashinsight-operator-events";

/// The way to the API server.
#[derive(Clone)]
pub struct Server {
    client: Client,
    metrics: Metrics,
}

impl Server {
    /// Wraps `client`; every call is counted in `metrics`.
    pub fn new(client: Client, metrics: Metrics) -> Self {
        Self { client, metrics }
    }

    /// The client, for watches.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The object as it is now; `None` when it is not there.
    pub async fn get(&self, target: Target<'_>) -> Result<Option<DynamicObject>, Error> {
        self.call(Verb::Get, target, self.of(target).get_opt(target.name)).await
    }

    /// Name, uid and version of every object of a kind in a namespace that
    /// carries `label`.
    pub async fn list(
        &self,
        kind: &'static Kind,
        namespace: &str,
        (label, value): (&str, &str),
    ) -> Result<Vec<ObjectMeta>, Error> {
        let target = Target { kind, namespace: Some(namespace), name: "" };
        let (api, mut found, mut next) = (self.of(target), Vec::new(), None);
        loop {
            let mut page = ListParams::default().labels(&format!("{label}={value}")).limit(PAGE);
            page.continue_token = next.take();
            let list = self.call(Verb::List, target, api.list_metadata(&page)).await?;
            found.extend(list.items.into_iter().map(|object| object.metadata));
            next = list.metadata.continue_.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(found);
            }
        }
    }

    /// Creates the object; fails if one of that name exists.
    pub async fn create(&self, target: Target<'_>, manager: &str, object: &Value) -> Result<DynamicObject, Error> {
        let params = PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
        let object = parse(Verb::Create, target, object)?;
        let api = self.of(target);
        self.call(Verb::Create, target, api.create(&params, &object)).await
    }

    /// Server-side apply of the fields in `object` as `manager`.
    pub async fn apply(&self, target: Target<'_>, manager: &str, object: &Value) -> Result<DynamicObject, Error> {
        let params = PatchParams::apply(manager).force();
        self.call(Verb::Apply, target, self.of(target).patch(target.name, &params, &Patch::Apply(object))).await
    }

    /// Server-side apply of the status in `object` as `manager`. With a
    /// resource version in its metadata it is a compare-and-swap.
    pub async fn apply_status(
        &self,
        target: Target<'_>,
        manager: &str,
        object: &Value,
    ) -> Result<DynamicObject, Error> {
        let params = PatchParams::apply(manager).force();
        self.call(Verb::Apply, target, self.of(target).patch_status(target.name, &params, &Patch::Apply(object))).await
    }

    /// JSON merge patch. With a resource version in its metadata it is a
    /// compare-and-swap.
    pub async fn patch(&self, target: Target<'_>, manager: &str, change: &Value) -> Result<DynamicObject, Error> {
        let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        self.call(Verb::Patch, target, self.of(target).patch(target.name, &params, &Patch::Merge(change))).await
    }

    /// Replaces the object at the resource version it carries.
    pub async fn update(&self, target: Target<'_>, manager: &str, object: &Value) -> Result<DynamicObject, Error> {
        let params = PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
        let object = parse(Verb::Update, target, object)?;
        let api = self.of(target);
        self.call(Verb::Update, target, api.replace(target.name, &params, &object)).await
    }

    /// Deletes the object, if it is still the one with `uid` where one is
    /// given. An object that is not there is a success.
    pub async fn delete(&self, target: Target<'_>, uid: Option<&str>) -> Result<(), Error> {
        let mut params = DeleteParams::background();
        params.preconditions = uid.map(|uid| Preconditions { uid: Some(uid.to_owned()), resource_version: None });
        let api = self.of(target);
        match self.call(Verb::Delete, target, api.delete(target.name, &params)).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Deletes all objects of a kind in a namespace.
    pub async fn delete_all(&self, kind: &'static Kind, namespace: &str) -> Result<(), Error> {
        let target = Target { kind, namespace: Some(namespace), name: "" };
        let api = self.of(target);
        let (params, all) = (DeleteParams::background(), ListParams::default());
        self.call(Verb::DeleteCollection, target, api.delete_collection(&params, &all)).await.map(drop)
    }

    /// Records an event. Its name derives from what it says, so telling the
    /// same transition twice leaves one event.
    pub async fn record(&self, story: Story, now: Timestamp) -> Result<(), Error> {
        let Story { about, warning, reason, note } = story;
        let subject = about.name.clone().unwrap_or_default();
        let uid = about.uid.clone().unwrap_or_default();
        let name = format!("{subject}.{}", short_hash(&[&uid, reason, &note, &now.as_second().to_string()]));
        let event = Event {
            metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
            action: Some("Reconcile".to_owned()),
            event_time: Some(MicroTime(now)),
            note: Some(note),
            reason: Some(reason.to_owned()),
            regarding: Some(about),
            reporting_controller: Some("hashinsight.net/operator".to_owned()),
            reporting_instance: Some(MANAGER_EVENTS.to_owned()),
            type_: Some(if warning { "Warning" } else { "Normal" }.to_owned()),
            ..Event::default()
        };
        // Events about cluster-scoped objects live in `default`.
        let namespace = event.regarding.as_ref().and_then(|about| about.namespace.clone());
        let namespace = namespace.unwrap_or_else(|| "default".to_owned());
        let target = Target { kind: &EVENTS, namespace: Some(&namespace), name: &name };
        let event = serde_json::to_value(&event).map_err(|e| Error {
            verb: Verb::Create,
            kind: &EVENTS,
            name: name.clone(),
            cause: Cause::Json(e),
        })?;
        match self.create(target, MANAGER_EVENTS, &event).await {
            Err(error) if !error.is_already_exists() => Err(error),
            _ => Ok(()),
        }
    }

    fn of(&self, target: Target<'_>) -> Api<DynamicObject> {
        let resource = target.kind.api_resource();
        match target.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    async fn call<T>(
        &self,
        verb: Verb,
        target: Target<'_>,
        answer: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Error> {
        let result = match tokio::time::timeout(CALL_LIMIT, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Cause::Client(Box::new(error))),
            Err(_) => Err(Cause::Timeout(CALL_LIMIT)),
        }
        .map_err(|cause| Error { verb, kind: target.kind, name: target.name.to_owned(), cause });
        let outcome = result.as_ref().err().map_or("ok", |e| e.class().name());
        self.metrics.api_calls.with_label_values(&[target.kind.plural, verb.name(), outcome]).inc();
        result
    }
}

fn parse(verb: Verb, target: Target<'_>, object: &Value) -> Result<DynamicObject, Error> {
    serde_json::from_value(object.clone()).map_err(|e| Error {
        verb,
        kind: target.kind,
        name: target.name.to_owned(),
        cause: Cause::Json(e),
    })
}
