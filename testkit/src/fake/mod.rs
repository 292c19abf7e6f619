//! An API server in this process, under a real kube client: for tests that
//! want every fault, simulated time and the same run twice. It models what the
//! product uses; the suite in `tests/conformance` runs on it and on the real
//! one, and where they differ this one is wrong.
//!
//! It never judges the product: it stores, refuses and tells, as the API does.

mod apply;
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
mod way;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::Client;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

pub use faults::{Call, Fault, WatchFault};
pub use refusal::Refusal;
pub use request::{Request, Verb};
pub use store::{Commit, Event};

use faults::Faults;
use kinds::Kind;
use store::Store;
use way::Way;

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
