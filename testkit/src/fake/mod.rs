//! An API server in this process, under a real kube client: for tests that
//! want every fault, simulated time and the same run twice. It models what the
//! product uses; the suite in `tests/conformance` runs on it and on the real
//! one, and where they differ this one is wrong.
//!
//! It never judges the product: it stores, refuses and tells, as the API does.

mod controllers;
mod faults;
mod fields;
mod kinds;
mod read;
mod refusal;
mod request;
mod schema;
mod select;
mod store;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use http::{Request as HttpRequest, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tower::Service;

pub use faults::{Call, Fault, WatchFault};
pub use refusal::Refusal;
pub use request::{Request, Verb};
pub use store::{Commit, Event};

use faults::Faults;
use kinds::Kind;
use read::Watch;
use store::Store;

/// One call as it was answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Who called.
    pub client: String,
    /// The request in one line.
    pub request: String,
    /// What was asked.
    pub verb: Verb,
    /// HTTP status code; 0 for a client that died first.
    pub code: u16,
    /// The store's revision before and after it.
    pub revisions: (u64, u64),
}

pub(crate) struct Shared {
    store: Mutex<Store>,
    faults: Mutex<Faults>,
    revision: watch::Sender<u64>,
    audit: Mutex<Vec<Answered>>,
    dead: Mutex<BTreeSet<String>>,
    died: Notify,
    calls: Mutex<BTreeMap<String, usize>>,
    now: Box<dyn Fn() -> String + Send + Sync>,
    bookmarks: std::sync::atomic::AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    fn is_alive(&self, client: &str) -> bool {
        !lock(&self.dead).contains(client)
    }

    /// Whether watches that have nothing to tell say how far they are, once.
    fn bookmarks(&self) -> bool {
        self.bookmarks.swap(false, std::sync::atomic::Ordering::SeqCst)
    }

    fn kill(&self, client: &str) {
        lock(&self.dead).insert(client.to_owned());
        self.died.notify_waiters();
        self.died.notify_one();
        // Watches of the dead end.
        self.revision.send_modify(|_| {});
    }
}

/// The server. Clones are the same server.
#[derive(Clone)]
pub struct FakeServer(Arc<Shared>);

impl FakeServer {
    /// An empty server that serves the built-in kinds and those of `crds`;
    /// `now` tells the time as it is written into objects.
    pub fn new(crds: &[Value], now: impl Fn() -> String + Send + Sync + 'static) -> Self {
        let mut kinds = kinds::built_in();
        kinds.extend(crds.iter().map(Kind::custom));
        let server = Self(Arc::new(Shared {
            store: Mutex::new(Store::new(kinds)),
            faults: Mutex::default(),
            revision: watch::Sender::new(0),
            audit: Mutex::default(),
            dead: Mutex::default(),
            died: Notify::new(),
            calls: Mutex::default(),
            now: Box::new(now),
            bookmarks: false.into(),
        }));
        for namespace in ["default", "kube-system"] {
            server.must(Verb::Create, "v1/namespaces", &json!({"metadata": {"name": namespace}}));
        }
        for crd in crds {
            server.must(Verb::Create, "apiextensions.k8s.io/v1/customresourcedefinitions", crd);
        }
        server
    }

    /// A client of that name. A dead one may be made anew under the same name.
    pub fn client(&self, name: &str) -> Client {
        lock(&self.0.dead).remove(name);
        lock(&self.0.calls).remove(name);
        Client::new(Way { shared: Arc::clone(&self.0), client: name.to_owned() }, "default")
    }

    /// Decides the fate of every call that may change something.
    pub fn on_call(&self, decide: impl FnMut(&Call<'_>) -> Fault + Send + 'static) {
        self.0.faults().on_call = Some(Box::new(decide));
    }

    /// Decides the fate of every event of a watch.
    pub fn on_event(&self, decide: impl FnMut(&str, &Commit) -> WatchFault + Send + 'static) {
        self.0.faults().on_event = Some(Box::new(decide));
    }

    /// No more faults.
    pub fn heal(&self) {
        *self.0.faults() = Faults::default();
        self.0.revision.send_modify(|_| {});
    }

    /// Lists and watches of `plural` show nothing that comes after now.
    pub fn freeze(&self, plural: &str) {
        let revision = self.0.store().revision;
        self.0.faults().frozen.insert(plural.to_owned(), revision);
    }

    /// They show everything again.
    pub fn thaw(&self, plural: &str) {
        self.0.faults().frozen.remove(plural);
        self.0.revision.send_modify(|_| {});
    }

    /// A verb on a plural (`tenants/status` for a subresource) is refused.
    pub fn forbid(&self, verb: &str, plural: &str) {
        self.0.faults().forbidden.insert((verb.to_owned(), plural.to_owned()));
    }

    /// It is allowed again.
    pub fn permit(&self, verb: &str, plural: &str) {
        self.0.faults().forbidden.remove(&(verb.to_owned(), plural.to_owned()));
    }

    /// History before now is compacted: watches from before are told 410.
    pub fn compact(&self) {
        let mut store = self.0.store();
        store.compacted = store.revision;
        drop(store);
        self.0.revision.send_modify(|_| {});
    }

    /// The next watch that has nothing to tell says how far it is.
    pub fn bookmark(&self) {
        self.0.bookmarks.store(true, std::sync::atomic::Ordering::SeqCst);
        self.0.revision.send_modify(|_| {});
    }

    /// Ends a client as SIGKILL would.
    pub fn kill(&self, client: &str) {
        self.0.kill(client);
    }

    /// Waits until a fault has ended a client.
    pub async fn death(&self) {
        self.0.died.notified().await;
    }

    /// Everything that was asked.
    pub fn audit(&self) -> Vec<Answered> {
        lock(&self.0.audit).clone()
    }

    /// Everything that happened.
    pub fn history(&self) -> Vec<Commit> {
        self.0.store().log.clone()
    }

    /// What happened after the first `known` things.
    pub fn news(&self, known: usize) -> Vec<Commit> {
        self.0.store().log.get(known..).unwrap_or_default().to_vec()
    }

    /// Every object there is, by `plural namespace/name`.
    pub fn objects(&self) -> BTreeMap<String, Value> {
        let store = self.0.store();
        let named = store.objects.iter();
        named
            .map(|(key, object)| (format!("{} {}/{}", store.kinds[key.0].plural, key.1, key.2), object.clone()))
            .collect()
    }

    /// Lets kube-controller-manager do all that is due.
    pub fn control(&self) {
        while self.0.store().control() {
            self.told();
        }
    }

    /// A request by an administrator, beside all faults. `path` is
    /// `VERSION/plural[/name]` or `GROUP/VERSION/plural[/name]`, with
    /// `NAMESPACE:` before a namespaced plural.
    pub fn ask(&self, verb: Verb, path: &str, body: &Value) -> Result<Value, Refusal> {
        let request = asked(verb, path, body);
        let result = match verb {
            Verb::Get => self.0.store().get(&request),
            Verb::List | Verb::Watch => {
                let store = self.0.store();
                store.list(&request, store.revision)
            }
            _ => {
                let now = (self.0.now)();
                self.0.store().write(&request, &now)
            }
        };
        self.told();
        result.map(|(_, body)| body)
    }

    /// The same, where a refusal is a mistake of the test.
    pub fn must(&self, verb: Verb, path: &str, body: &Value) -> Value {
        self.ask(verb, path, body).unwrap_or_else(|refusal| panic!("{verb:?} {path}: {}", refusal.message))
    }

    fn told(&self) {
        let revision = self.0.store().revision;
        self.0.revision.send_replace(revision);
    }
}

fn asked(verb: Verb, path: &str, body: &Value) -> Request {
    let mut words: Vec<&str> = path.split('/').collect();
    let group = if words[0] == "v1" { "" } else { words.remove(0) };
    let (namespace, plural) = match words[1].split_once(':') {
        Some((namespace, plural)) => (Some(namespace.to_owned()), plural),
        None => (None, words[1]),
    };
    let query = BTreeMap::from([("fieldManager", "kubectl"), ("force", "true")]);
    Request {
        verb,
        group: group.to_owned(),
        plural: plural.to_owned(),
        namespace,
        name: words.get(2).map(|name| (*name).to_owned()).unwrap_or_default(),
        subresource: words.get(3).map(|name| (*name).to_owned()).unwrap_or_default(),
        query: query.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        metadata_only: false,
        body: body.clone(),
    }
}

/// One client's way to the server.
struct Way {
    shared: Arc<Shared>,
    client: String,
}

type Reply = Response<BoxBody<Bytes, Infallible>>;

impl Service<HttpRequest<Body>> for Way {
    type Response = Reply;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Reply, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let (shared, client) = (Arc::clone(&self.shared), self.client.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            Ok(match Request::read(&HttpRequest::from_parts(parts, ()), &body) {
                Ok(request) => answer(&shared, &client, request).await,
                Err(refusal) => refused(&refusal),
            })
        }
        .boxed()
    }
}

async fn answer(shared: &Arc<Shared>, client: &str, request: Request) -> Reply {
    if !shared.is_alive(client) {
        return never().await;
    }
    let permitted = shared.faults().permit(client, &request);
    if let Err(refusal) = permitted {
        note(shared, client, &request, refusal.code, 0);
        return refused(&refusal);
    }
    if request.verb == Verb::Watch {
        let begun = Watch::begin(Arc::clone(shared), client, request.clone());
        note(shared, client, &request, begun.as_ref().map_or_else(|refusal| refusal.code, |_| 200), 0);
        return match begun {
            Ok(watch) => events(watch),
            Err(refusal) => refused(&refusal),
        };
    }
    let fault = if request.verb.is_mutating() { decide(shared, client, &request) } else { Fault::None };
    match &fault {
        Fault::CrashBeforeSend => {
            note(shared, client, &request, 0, 0);
            shared.kill(client);
            return never().await;
        }
        Fault::Refused(refusal) => {
            note(shared, client, &request, refusal.code, 0);
            return refused(refusal);
        }
        _ => {}
    }
    let before = shared.store().revision;
    let result = match request.verb {
        Verb::Get => shared.store().get(&request),
        Verb::List => {
            let frozen = shared.faults().frozen.get(&request.plural).copied();
            let store = shared.store();
            let newest = frozen.unwrap_or(store.revision);
            store.list(&request, newest)
        }
        _ => {
            let now = (shared.now)();
            shared.store().write(&request, &now)
        }
    };
    let revision = shared.store().revision;
    note(
        shared,
        client,
        &request,
        result.as_ref().map_or_else(|refusal| refusal.code, |(code, _)| *code),
        revision - before,
    );
    shared.revision.send_replace(revision);
    match fault {
        Fault::CrashAfterCommit => {
            shared.kill(client);
            never().await
        }
        Fault::LostReply(refusal) => refused(&refusal),
        Fault::CrashAfterReply => {
            shared.kill(client);
            reply(&result)
        }
        _ => reply(&result),
    }
}

fn decide(shared: &Shared, client: &str, request: &Request) -> Fault {
    let number = {
        let mut calls = lock(&shared.calls);
        let number = calls.entry(client.to_owned()).or_default();
        *number += 1;
        *number - 1
    };
    // The decision may look at the server, so nothing is held meanwhile.
    let decide = shared.faults().on_call.take();
    let Some(mut decide) = decide else { return Fault::None };
    let fault = decide(&Call { client, number, request });
    shared.faults().on_call.get_or_insert(decide);
    fault
}

fn note(shared: &Shared, client: &str, request: &Request, code: u16, spent: u64) {
    let revision = shared.store().revision;
    lock(&shared.audit).push(Answered {
        client: client.to_owned(),
        request: request.to_string(),
        verb: request.verb,
        code,
        revisions: (revision - spent, revision),
    });
}

/// The dead get no answer.
async fn never() -> Reply {
    std::future::pending().await
}

fn reply(result: &Result<(u16, Value), Refusal>) -> Reply {
    match result {
        Ok((code, body)) => json_reply(*code, body),
        Err(refusal) => refused(refusal),
    }
}

fn refused(refusal: &Refusal) -> Reply {
    if refusal.reason == refusal::UNSERVED {
        let mut reply = Response::new(Full::new(Bytes::from(refusal.message.clone())).boxed());
        *reply.status_mut() = http::StatusCode::NOT_FOUND;
        return reply;
    }
    let mut reply = json_reply(refusal.code, &refusal.body());
    if let Some(seconds) = refusal.retry_after {
        reply.headers_mut().insert("retry-after", seconds.into());
    }
    reply
}

fn json_reply(code: u16, body: &Value) -> Reply {
    let body = Full::new(Bytes::from(body.to_string())).boxed();
    let mut reply = Response::new(body);
    *reply.status_mut() = http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    reply.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    reply
}

fn events(watch: Watch) -> Reply {
    let lines = stream::unfold(watch, |mut watch| async { Some((watch.next().await?, watch)) });
    let frames = lines.map(|event| Ok(http_body::Frame::data(Bytes::from(format!("{event}\n")))));
    Response::new(BodyExt::boxed(StreamBody::new(frames)))
}
