//! The objects and pods of cores as watches show them. The Gateway API may be
//! missing: then it is looked for every minute.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use hashinsight_crds::names::LABEL_CORE;
use kube::api::{Api, DynamicObject};
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::objects::KINDS;
use super::seen::Objects;
use crate::api::Target;
use crate::ctx::{Ctx, version_number};
use crate::index::{Change, Index, Trust};
use crate::kinds::{CRDS, HTTP_ROUTES, Kind, PODS};
use crate::watch::{News, follow};

/// The definition whose presence decides how traffic is split.
pub const GATEWAY_CRD: &str = "httproutes.gateway.networking.k8s.io";
/// How often it is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Name of the core and the object's name.
type Key = (String, String);

struct Inner {
    indexes: BTreeMap<&'static str, Index<Key, Value>>,
    /// Whether the Gateway API is served; `None` before the first look.
    gateway: Option<bool>,
}

/// What has been seen.
pub struct Cache {
    inner: Mutex<Inner>,
    progress: watch::Sender<()>,
}

impl Default for Cache {
    fn default() -> Self {
        let plurals = KINDS.into_iter().chain([&PODS]).map(|kind| kind.plural);
        let indexes = plurals.map(|plural| (plural, Index::default())).collect();
        Self { inner: Mutex::new(Inner { indexes, gateway: None }), progress: watch::Sender::new(()) }
    }
}

impl Cache {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until everything was listed or refused.
    pub async fn settled(&self) {
        let mut progress = self.progress.subscribe();
        while !self.is_settled() && progress.changed().await.is_ok() {}
    }

    fn is_settled(&self) -> bool {
        let inner = self.inner();
        let listed = |(plural, index): (&&str, &Index<Key, Value>)| {
            *plural == HTTP_ROUTES.plural && inner.gateway != Some(true) || *index.trust() != Trust::Pending
        };
        inner.gateway.is_some() && inner.indexes.iter().all(listed)
    }

    /// The objects and pods of the core; `Err` says what may not be watched.
    pub fn of(&self, core: &str) -> Result<Objects, String> {
        let inner = self.inner();
        let mut all = Objects::new();
        for (plural, index) in &inner.indexes {
            if let Trust::Refused(missing) = index.trust() {
                return Err(missing.clone());
            }
            let ours = index.entries().filter(|((of, _), _)| of == core);
            all.extend(ours.map(|((_, name), object)| ((*plural, name.clone()), object.clone())));
        }
        Ok(all)
    }

    /// One object of the core, as last seen.
    pub fn one(&self, kind: &Kind, core: &str, name: &str) -> Option<Value> {
        self.inner().indexes.get(kind.plural)?.get(&(core.to_owned(), name.to_owned())).cloned()
    }

    /// Whether routes can be made.
    pub fn gateway_served(&self) -> bool {
        self.inner().gateway == Some(true)
    }

    /// Takes the server's answer to our own write.
    pub fn wrote(&self, kind: &Kind, object: &DynamicObject) {
        if let Some((key, version, value)) = entry(object)
            && let Some(index) = self.inner().indexes.get_mut(kind.plural)
        {
            index.wrote(key, version, value);
        }
    }

    /// We deleted it.
    pub fn deleted(&self, kind: &Kind, core: &str, name: &str) {
        if let Some(index) = self.inner().indexes.get_mut(kind.plural) {
            index.deleted(&(core.to_owned(), name.to_owned()));
        }
    }

    fn take(&self, kind: &Kind, news: News<DynamicObject>) -> Change<Key> {
        let refused = matches!(news, News::Refused(_));
        let listed = matches!(news, News::Event(Event::InitDone));
        let mut inner = self.inner();
        if kind.plural == HTTP_ROUTES.plural && (refused || listed) {
            inner.gateway = Some(listed);
        }
        let change = match inner.indexes.get_mut(kind.plural) {
            // Without the Gateway API cores go on.
            Some(_) if refused && kind.plural == HTTP_ROUTES.plural => Change::Everything,
            Some(index) => index.take(news, entry),
            None => Change::Keys(Vec::new()),
        };
        drop(inner);
        self.progress.send_replace(());
        change
    }
}

fn entry(object: &DynamicObject) -> Option<(Key, u64, Value)> {
    let core = object.metadata.labels.as_ref()?.get(LABEL_CORE)?.clone();
    let name = object.metadata.name.clone()?;
    let mut bare = object.clone();
    bare.metadata.managed_fields = None;
    Some(((core, name), version_number(object.metadata.resource_version.as_deref()), json!(bare)))
}

/// Whom the feeds wake: cores by name; one that has no name means all.
pub type Wake = mpsc::Sender<(String, String)>;

/// Follows the objects of one kind that carry a core's label.
pub async fn follow_kind(kind: &'static Kind, namespace: String, cache: Arc<Cache>, ctx: Arc<Ctx>, wake: Wake) {
    if kind.plural == HTTP_ROUTES.plural {
        gateway_served(&cache, &ctx).await;
    }
    let api: Api<DynamicObject> = Api::namespaced_with(ctx.server.client(), &namespace, &kind.api_resource());
    let config = || watcher::Config::default().labels(LABEL_CORE);
    let mut news = Box::pin(follow(|| watcher(api.clone(), config()).boxed(), kind, (&ctx.health, &ctx.metrics)));
    while let Some(news) = news.next().await {
        let names: Vec<String> = match cache.take(kind, news) {
            Change::Keys(keys) => keys.into_iter().map(|(core, _)| core).collect(),
            Change::Everything => vec![String::new()],
        };
        for name in names {
            // A closed channel means the controller has ended, and so will we.
            let _ = wake.send((namespace.clone(), name)).await;
        }
    }
}

/// Returns once the Gateway API is served.
async fn gateway_served(cache: &Cache, ctx: &Ctx) {
    loop {
        let target = Target { kind: &CRDS, namespace: None, name: GATEWAY_CRD };
        match ctx.server.get(target).await {
            Ok(Some(_)) => return,
            Ok(None) => {
                cache.inner().gateway = Some(false);
                cache.progress.send_replace(());
            }
            Err(error) => tracing::warn!(%error, "whether the Gateway API is served is not known"),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
