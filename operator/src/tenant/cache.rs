//! The caches of the tenant controller and the watches that feed them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use hashinsight_crds::names::{MANAGED_BY, NODE_REGION, tenant_of_namespace};
use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::api::{Api, DynamicObject, ObjectMeta, PartialObjectMeta};
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::{mpsc, watch};

use super::part::Part;
use super::seen::{ChildSeen, NamespaceSeen};
use crate::ctx::{Ctx, version_number};
use crate::index::{Index, Trust};
use crate::kinds::{Kind, NAMESPACES, NODES};
use crate::watch::{News, follow};

/// Objects read per page of a list.
const PAGE: u32 = 500;

type ChildIndex = Index<(String, Part), ChildSeen>;

#[derive(Default)]
struct Inner {
    namespaces: Index<String, NamespaceSeen>,
    nodes: Index<String, Option<String>>,
    children: BTreeMap<&'static Kind, ChildIndex>,
}

/// What has been seen of the cluster.
pub struct Cache {
    inner: Mutex<Inner>,
    progress: watch::Sender<()>,
}

/// A look into an index that may be refused; the text says what is missing.
pub type Look<T> = Result<T, String>;

impl Default for Cache {
    fn default() -> Self {
        let children = Part::KINDS.into_iter().map(|kind| (kind, ChildIndex::default())).collect();
        Self { inner: Mutex::new(Inner { children, ..Inner::default() }), progress: watch::Sender::new(()) }
    }
}

impl Cache {
    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Waits until every index was listed or refused: before that, what is not
    /// in it may merely not have been read.
    pub async fn settled(&self) {
        let mut progress = self.progress.subscribe();
        loop {
            let pending = self.with(|inner| {
                let children = inner.children.values().any(|index| *index.trust() == Trust::Pending);
                children || *inner.namespaces.trust() == Trust::Pending || *inner.nodes.trust() == Trust::Pending
            });
            if !pending || progress.changed().await.is_err() {
                return;
            }
        }
    }

    /// The namespace of that name.
    pub fn namespace(&self, name: &str) -> Look<Option<NamespaceSeen>> {
        self.with(|inner| trusted(&inner.namespaces, |index| index.get(&name.to_owned()).cloned()))
    }

    /// A part of the tenant in `namespace`.
    pub fn child(&self, namespace: &str, part: Part) -> Look<Option<ChildSeen>> {
        self.with(|inner| match inner.children.get(part.kind()) {
            Some(index) => trusted(index, |index| index.get(&(namespace.to_owned(), part)).cloned()),
            None => Ok(None),
        })
    }

    /// How many nodes lie in each region; `None` for nodes that do not say.
    pub fn node_regions(&self) -> Look<BTreeMap<Option<String>, usize>> {
        self.with(|inner| {
            trusted(&inner.nodes, |index| {
                let mut regions = BTreeMap::new();
                for region in index.values() {
                    *regions.entry(region.clone()).or_default() += 1;
                }
                regions
            })
        })
    }

    /// Takes the server's answer to our own write of a namespace.
    pub fn wrote_namespace(&self, object: &DynamicObject) {
        self.put_namespace(&object.metadata);
    }

    /// Takes the server's answer to our own write of a part.
    pub fn wrote_child(&self, part: Part, object: &DynamicObject) {
        self.put_child(part, object);
    }

    /// We deleted a part.
    pub fn deleted_child(&self, namespace: &str, part: Part) {
        self.with(|inner| {
            inner.children.get_mut(part.kind()).is_some_and(|index| index.remove(&(namespace.to_owned(), part), u64::MAX))
        });
    }

    fn put_namespace(&self, meta: &ObjectMeta) -> bool {
        let (Some(name), version) = (&meta.name, version_number(meta.resource_version.as_deref())) else { return false };
        self.with(|inner| inner.namespaces.put(name.clone(), version, NamespaceSeen::of(meta)))
    }

    fn put_child(&self, part: Part, object: &DynamicObject) -> bool {
        let version = version_number(object.metadata.resource_version.as_deref());
        let namespace = object.metadata.namespace.clone().unwrap_or_default();
        self.with(|inner| {
            let index = inner.children.entry(part.kind()).or_default();
            index.put((namespace, part), version, ChildSeen::of(object, part))
        })
    }

    fn told(&self) {
        self.progress.send_replace(());
    }
}

fn trusted<K: Ord + Clone, V: PartialEq, T>(index: &Index<K, V>, look: impl FnOnce(&Index<K, V>) -> T) -> Look<T> {
    match index.trust() {
        Trust::Refused(missing) => Err(missing.clone()),
        Trust::Pending | Trust::Synced => Ok(look(index)),
    }
}

/// Names of tenants to look at.
pub type Triggers = mpsc::Sender<String>;

/// Follows all namespaces named like a tenant's, foreign ones too, by metadata.
pub async fn follow_namespaces(cache: Arc<Cache>, ctx: Arc<Ctx>, triggers: Triggers) {
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(ctx.server.client());
    let mut news = Box::pin(follow(watcher(api, watcher::Config::default().page_size(PAGE)), &NAMESPACES, &ctx));
    while let Some(news) = news.next().await {
        let changed = match news {
            News::Refused(missing) => {
                cache.with(|inner| inner.namespaces.refuse(missing));
                Vec::new()
            }
            News::Event(Event::Init) => {
                cache.with(|inner| inner.namespaces.begin());
                Vec::new()
            }
            News::Event(Event::InitDone) => cache.with(|inner| inner.namespaces.finish()),
            News::Event(Event::InitApply(object) | Event::Apply(object)) => {
                one(&object.metadata, |meta| cache.put_namespace(meta))
            }
            News::Event(Event::Delete(object)) => one(&object.metadata, |meta| {
                let version = version_number(meta.resource_version.as_deref());
                let name = meta.name.clone().unwrap_or_default();
                cache.with(|inner| inner.namespaces.remove(&name, version))
            }),
        };
        cache.told();
        wake(&triggers, changed).await;
    }
}

/// The name of the namespace, if it is named like a tenant's and `f` changed
/// something.
fn one(meta: &ObjectMeta, f: impl FnOnce(&ObjectMeta) -> bool) -> Vec<String> {
    let name = meta.name.clone().unwrap_or_default();
    if tenant_of_namespace(&name).is_some() && f(meta) { vec![name] } else { Vec::new() }
}

/// Follows the owned objects of one kind.
pub async fn follow_children(kind: &'static Kind, cache: Arc<Cache>, ctx: Arc<Ctx>, triggers: Triggers) {
    let api: Api<DynamicObject> = Api::all_with(ctx.server.client(), &kind.api_resource());
    let selector = format!("{}={}", MANAGED_BY.0, MANAGED_BY.1);
    let config = watcher::Config::default().labels(&selector).page_size(PAGE);
    let mut news = Box::pin(follow(watcher(api, config), kind, &ctx));
    let index = |f: &mut dyn FnMut(&mut ChildIndex) -> Vec<String>| {
        cache.with(|inner| f(inner.children.entry(kind).or_default()))
    };
    while let Some(news) = news.next().await {
        let changed = match news {
            News::Refused(missing) => index(&mut |index| {
                index.refuse(missing.clone());
                Vec::new()
            }),
            News::Event(Event::Init) => index(&mut |index| {
                index.begin();
                Vec::new()
            }),
            News::Event(Event::InitDone) => {
                index(&mut |index| index.finish().into_iter().map(|(namespace, _)| namespace).collect())
            }
            News::Event(Event::InitApply(object) | Event::Apply(object)) => {
                part_of(kind, &object.metadata, |part, _| cache.put_child(part, &object))
            }
            News::Event(Event::Delete(object)) => part_of(kind, &object.metadata, |part, namespace| {
                let version = version_number(object.metadata.resource_version.as_deref());
                cache.with(|inner| {
                    inner.children.get_mut(kind).is_some_and(|index| index.remove(&(namespace.to_owned(), part), version))
                })
            }),
        };
        cache.told();
        wake(&triggers, changed).await;
    }
}

fn part_of(kind: &Kind, meta: &ObjectMeta, f: impl FnOnce(Part, &str) -> bool) -> Vec<String> {
    let namespace = meta.namespace.clone().unwrap_or_default();
    let part = Part::of(kind, meta.name.as_deref().unwrap_or_default());
    let changed = tenant_of_namespace(&namespace).is_some() && part.is_some_and(|part| f(part, &namespace));
    if changed { vec![namespace] } else { Vec::new() }
}

/// Follows the region labels of nodes; `all` is told when the set of regions
/// changed, never on a heartbeat.
pub async fn follow_nodes(cache: Arc<Cache>, ctx: Arc<Ctx>, all: mpsc::Sender<()>) {
    let api: Api<PartialObjectMeta<Node>> = Api::all(ctx.server.client());
    let mut news = Box::pin(follow(watcher(api, watcher::Config::default().page_size(PAGE)), &NODES, &ctx));
    let region = |object: &PartialObjectMeta<Node>| {
        let labels = object.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(NODE_REGION)).cloned()
    };
    while let Some(news) = news.next().await {
        let before = cache.node_regions();
        cache.with(|inner| match &news {
            News::Refused(missing) => inner.nodes.refuse(missing.clone()),
            News::Event(Event::Init) => inner.nodes.begin(),
            News::Event(Event::InitDone) => drop(inner.nodes.finish()),
            News::Event(Event::InitApply(node) | Event::Apply(node)) => {
                let version = version_number(node.metadata.resource_version.as_deref());
                inner.nodes.put(node.metadata.name.clone().unwrap_or_default(), version, region(node));
            }
            News::Event(Event::Delete(node)) => {
                inner.nodes.remove(&node.metadata.name.clone().unwrap_or_default(), u64::MAX);
            }
        });
        cache.told();
        let initial = matches!(news, News::Event(Event::Init | Event::InitApply(_)));
        if !initial && before != cache.node_regions() && all.send(()).await.is_err() {
            return;
        }
    }
}

/// Names the tenants of the namespaces that changed. A closed channel means
/// the controller has ended, and so will we.
async fn wake(triggers: &Triggers, namespaces: Vec<String>) {
    for namespace in namespaces {
        if let Some(tenant) = tenant_of_namespace(&namespace) {
            let _ = triggers.send(tenant.to_owned()).await;
        }
    }
}
