//! Get, list and watch.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::Shared;
use super::faults::WatchFault;
use super::refusal::Refusal;
use super::request::Request;
use super::schema::Schema;
use super::select::selected;
use super::store::{Event, Key, Store};
use super::write::Answer;

impl Store {
    pub(super) fn get(&self, request: &Request) -> Result<Answer, Refusal> {
        let kind = self.kind_of(request)?;
        let key: Key = (kind, request.namespace.clone().unwrap_or_default(), request.name.clone());
        match self.objects.get(&key) {
            Some(object) => Ok((200, shown(object.clone(), request))),
            None => Err(Refusal::not_found(&self.kinds[kind].named(), &request.name)),
        }
    }

    /// A page of a list, as of `newest` at most. A continued list goes on with
    /// the revision it began at.
    pub(super) fn list(&self, request: &Request, newest: u64) -> Result<Answer, Refusal> {
        let kind = self.kind_of(request)?;
        let (revision, after) = match request.parameter("continue").split_once(' ') {
            Some((revision, after)) => (revision.parse().unwrap_or(0), after.to_owned()),
            None => (newest, String::new()),
        };
        if revision < self.compacted {
            return Err(Refusal::expired());
        }
        let place = |key: &Key| format!("{}/{}", key.1, key.2);
        let limit = request.parameter("limit").parse::<usize>().ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let objects = self.at(kind, revision);
        let mut chosen = objects
            .iter()
            .filter(|(key, _)| request.namespace.as_ref().is_none_or(|namespace| *namespace == key.1))
            .filter(|(key, object)| place(key) > after && selected(request, object));
        let page: Vec<(&Key, &Value)> = chosen.by_ref().take(limit).collect();
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if chosen.next().is_some()
            && let Some((last, _)) = page.last()
        {
            metadata["continue"] = json!(format!("{revision} {}", place(last)));
        }
        let items: Vec<Value> =
            page.into_iter().map(|(_, object)| shown(self.in_list(kind, object.clone()), request)).collect();
        let kind = &self.kinds[kind];
        let (api_version, list) = if request.metadata_only {
            ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadataList".to_owned())
        } else {
            (kind.api_version(), format!("{}List", kind.singular))
        };
        Ok((200, json!({"apiVersion": api_version, "kind": list, "metadata": metadata, "items": items})))
    }
}

impl Store {
    /// Items of lists of built-in kinds do not repeat what the list says.
    pub(super) fn in_list(&self, kind: usize, mut object: Value) -> Value {
        if let (Schema::BuiltIn(_), Some(fields)) = (&self.kinds[kind].schema, object.as_object_mut()) {
            fields.remove("apiVersion");
            fields.remove("kind");
        }
        object
    }
}

/// The object as the request wants to see it.
fn shown(object: Value, request: &Request) -> Value {
    if !request.metadata_only {
        return object;
    }
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"]})
}

/// A running watch.
pub(super) struct Watch {
    shared: Arc<Shared>,
    client: String,
    request: Request,
    kind: usize,
    seen: u64,
    news: watch::Receiver<u64>,
    ready: VecDeque<Value>,
    over: bool,
}

impl Watch {
    pub(super) fn begin(shared: Arc<Shared>, client: &str, request: Request) -> Result<Self, Refusal> {
        let (kind, now) = {
            let store = shared.store();
            (store.kind_of(&request)?, store.revision)
        };
        let seen = match request.parameter("resourceVersion") {
            "" | "0" => now,
            version => version.parse().map_err(|_| Refusal::bad_request("invalid resource version"))?,
        };
        let news = shared.revision.subscribe();
        Ok(Self { shared, client: client.to_owned(), request, kind, seen, news, ready: VecDeque::new(), over: false })
    }

    /// The next line; `None` when the watch is over.
    pub(super) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.over || !self.shared.is_alive(&self.client) {
                return None;
            }
            self.news.borrow_and_update();
            self.gather();
            if self.ready.is_empty() && !self.over && self.news.changed().await.is_err() {
                return None;
            }
        }
    }

    /// Takes what happened since, and what faults make of it.
    fn gather(&mut self) {
        let store = self.shared.store();
        let mut faults = self.shared.faults();
        if self.seen < store.compacted {
            self.ready.push_back(json!({"type": "ERROR", "object": Refusal::expired().body()}));
            self.over = true;
            return;
        }
        let newest = faults.frozen.get(&self.request.plural).copied().unwrap_or(u64::MAX);
        let (from, to) = (store.first_after(self.seen), store.first_after(newest));
        for commit in store.log.get(from..to).unwrap_or_default() {
            self.seen = commit.revision;
            let here = commit.key.0 == self.kind
                && self.request.namespace.as_ref().is_none_or(|namespace| *namespace == commit.key.1)
                && selected(&self.request, &commit.object);
            if !here {
                continue;
            }
            let fault = faults.on_event.as_mut().map_or(WatchFault::None, |decide| decide(&self.client, commit));
            let event = json!({"type": commit.event.wire(), "object": shown(commit.object.clone(), &self.request)});
            match fault {
                WatchFault::None => self.ready.push_back(event),
                WatchFault::Dropped => {}
                WatchFault::Twice => {
                    self.ready.push_back(event.clone());
                    // The second time it is no news that it came.
                    let again = if commit.event == Event::Added { "MODIFIED" } else { commit.event.wire() };
                    self.ready.push_back(json!({"type": again, "object": event["object"]}));
                }
                WatchFault::Closed => {
                    self.over = true;
                    return;
                }
                WatchFault::Expired => {
                    self.ready.push_back(json!({"type": "ERROR", "object": Refusal::expired().body()}));
                    self.over = true;
                    return;
                }
            }
        }
        if self.shared.bookmarks() && self.request.parameter("allowWatchBookmarks") == "true" && self.ready.is_empty() {
            let kind = &store.kinds[self.kind];
            let version = self.seen.to_string();
            let mark = json!({"apiVersion": kind.api_version(), "kind": kind.singular, "metadata": {"resourceVersion": version}});
            self.ready.push_back(json!({"type": "BOOKMARK", "object": shown(mark, &self.request)}));
        }
    }
}
