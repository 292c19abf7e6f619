//! The caches of the tenant controller and the watches that feed them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use hashinsight_crds::names::{NODE_REGION, tenant_of_namespace};
use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::api::{Api, DynamicObject, ObjectMeta, PartialObjectMeta};
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::{mpsc, watch};

use super::part::Part;
use super::seen::{ChildSeen, NamespaceSeen};
use crate::ctx::{Ctx, version_number};
use crate::index::{Change, Index, Trust};
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
        if let Some((name, version, seen)) = namespace_entry(&object.metadata) {
            self.with(|inner| inner.namespaces.wrote(name, version, seen));
        }
    }

    /// Takes the server's answer to our own write of a part.
    pub fn wrote_child(&self, part: Part, object: &DynamicObject) {
        if let Some((key, version, seen)) = child_entry(part, object) {
            self.with(|inner| inner.children.entry(part.kind()).or_default().wrote(key, version, seen));
        }
    }

    /// We deleted a part.
    pub fn deleted_child(&self, namespace: &str, part: Part) {
        self.with(|inner| {
            if let Some(index) = inner.children.get_mut(part.kind()) {
                index.deleted(&(namespace.to_owned(), part));
            }
        });
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

/// Whom the feeds wake.
#[derive(Clone)]
pub struct Wakes {
    /// One tenant, by name.
    pub named: mpsc::Sender<String>,
    /// All tenants. Holds one message: all is all.
    pub everyone: mpsc::Sender<()>,
}

impl Wakes {
    /// Wakes the tenants of the namespaces that changed. A closed channel means
    /// the controller has ended, and so will we.
    async fn wake(&self, change: Change<String>) {
        let Change::Keys(namespaces) = change else {
            let _ = self.everyone.try_send(());
            return;
        };
        for namespace in namespaces {
            if let Some(tenant) = tenant_of_namespace(&namespace) {
                let _ = self.named.send(tenant.to_owned()).await;
            }
        }
    }
}

/// Pages, so that no list is unbounded in memory.
fn config() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}

/// Follows all namespaces named like a tenant's, foreign ones too, by metadata.
pub async fn follow_namespaces(cache: Arc<Cache>, ctx: Arc<Ctx>, wakes: Wakes) {
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(ctx.server.client());
    let mut news =
        Box::pin(follow(|| watcher(api.clone(), config()).boxed(), &NAMESPACES, (&ctx.health, &ctx.metrics)));
    while let Some(news) = news.next().await {
        let change = cache.with(|inner| inner.namespaces.take(news, |object| namespace_entry(&object.metadata)));
        cache.told();
        wakes.wake(change).await;
    }
}

fn namespace_entry(meta: &ObjectMeta) -> Option<(String, u64, NamespaceSeen)> {
    let name = meta.name.clone().filter(|name| tenant_of_namespace(name).is_some())?;
    Some((name, version_number(meta.resource_version.as_deref()), NamespaceSeen::of(meta)))
}

/// Follows the owned objects of one kind.
pub async fn follow_children(kind: &'static Kind, cache: Arc<Cache>, ctx: Arc<Ctx>, wakes: Wakes) {
    let api: Api<DynamicObject> = Api::all_with(ctx.server.client(), &kind.api_resource());
    // All of the kind, not only those with our label: one that lost it while
    // nobody looked must be seen, or access would outlive its member.
    let mut news = Box::pin(follow(|| watcher(api.clone(), config()).boxed(), kind, (&ctx.health, &ctx.metrics)));
    while let Some(news) = news.next().await {
        let change = cache.with(|inner| {
            inner.children.entry(kind).or_default().take(news, |object| {
                let name = object.metadata.name.as_deref().unwrap_or_default();
                child_entry(Part::of(kind, name)?, object)
            })
        });
        cache.told();
        wakes
            .wake(match change {
                Change::Keys(keys) => Change::Keys(keys.into_iter().map(|(namespace, _)| namespace).collect()),
                Change::Everything => Change::Everything,
            })
            .await;
    }
}

fn child_entry(part: Part, object: &DynamicObject) -> Option<((String, Part), u64, ChildSeen)> {
    let namespace = object.metadata.namespace.clone().filter(|name| tenant_of_namespace(name).is_some())?;
    let version = version_number(object.metadata.resource_version.as_deref());
    Some(((namespace, part), version, ChildSeen::of(object, part)))
}

/// Follows the region labels of nodes; everyone is woken when the regions
/// changed, never on a heartbeat.
pub async fn follow_nodes(cache: Arc<Cache>, ctx: Arc<Ctx>, wakes: Wakes) {
    let api: Api<PartialObjectMeta<Node>> = Api::all(ctx.server.client());
    let mut news = Box::pin(follow(|| watcher(api.clone(), config()).boxed(), &NODES, (&ctx.health, &ctx.metrics)));
    let mut before = None;
    while let Some(news) = news.next().await {
        let complete = !matches!(news, News::Event(Event::Init | Event::InitApply(_)));
        cache.with(|inner| inner.nodes.take(news, |node| node_entry(&node.metadata)));
        cache.told();
        let now = Some(cache.node_regions());
        if complete && before != now {
            if before.is_some() {
                wakes.wake(Change::Everything).await;
            }
            before = now;
        }
    }
}

fn node_entry(meta: &ObjectMeta) -> Option<(String, u64, Option<String>)> {
    let region = meta.labels.as_ref().and_then(|labels| labels.get(NODE_REGION)).cloned();
    Some((meta.name.clone()?, version_number(meta.resource_version.as_deref()), region))
}
