//! Wires everything: waits for what is needed, leads, watches, reconciles, and
//! stops in order.

mod budgets;
mod cores;
mod incidents;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{self, FusedFuture, FutureExt};
use futures::stream::{self, StreamExt};
use hashinsight_crds::Tenant;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, Config, ResourceExt};
use tokio::sync::{mpsc, watch};
use tracing::info;

use crate::api::{Server, Target};
use crate::backoff::Backoff;
use crate::calculation_core::pods::Http;
use crate::ctx::{Clock, Ctx, OwnWrites};
use crate::driver;
use crate::health::Health;
use crate::http;
use crate::kinds::{CRDS, Kind, PLANS, TENANTS};
use crate::lease::Candidate;
use crate::metrics::Metrics;
use crate::rbac::REQUIRED_CRDS;
use crate::settings::Settings;
use crate::tenant::cache::{Cache, Wakes, follow_children, follow_namespaces, follow_nodes};
use crate::tenant::part::Part;
use crate::tenant::{TenantWorkflow, tenants_on};
use crate::tenant_plan::PlanWorkflow;
use crate::watch::{News, follow};
use hashinsight_metrics_source::{Prometheus, Source};

/// Names of tenants that wait to be looked at; a full queue slows the watches
/// that fill it.
const TRIGGERS: usize = 1024;
/// How often to look for a missing CRD.
const CRD_POLL: Duration = Duration::from_secs(3);
/// How long reconciles in flight may take to end on a stop.
const DRAIN: Duration = Duration::from_secs(25);

/// Why the operator ended, other than by request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No usable cluster configuration.
    #[error("no cluster to talk to: {0}. Run inside a cluster, or set KUBECONFIG")]
    Config(#[from] Box<kube::config::InferConfigError>),
    /// The client cannot be built.
    #[error("the client for the API server cannot be built: {0}")]
    Client(#[from] Box<kube::Error>),
    /// The port cannot be had.
    #[error("cannot listen on {address}: {source}; choose another with --listen")]
    Listen {
        /// As given.
        address: std::net::SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The metrics source cannot be set up.
    #[error("the metrics source cannot be used: {0}; look at --prometheus-url, --prometheus-ca-file")]
    Source(String),
    /// Metrics cannot be registered.
    #[error("metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// Telemetry cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] hashinsight_telemetry::Error),
    /// Signals cannot be received, or the runtime cannot start.
    #[error("the runtime cannot start: {0}")]
    Runtime(#[from] std::io::Error),
    /// Another replica leads now; this one must not go on.
    #[error("the lease was lost; another replica works on")]
    LeaseLost,
}

/// Runs the operator until `stop` resolves.
pub async fn run(settings: Settings, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
    let mut config = Config::infer().await.map_err(Box::new)?;
    // One backoff only, ours; and it must see every refusal.
    config.default_retry = false;
    let client = Client::try_from(config).map_err(Box::new)?;
    let ctx = context(&settings, client, Clock::system())?;
    let listener = tokio::net::TcpListener::bind(settings.listen)
        .await
        .map_err(|source| Error::Listen { address: settings.listen, source })?;
    let server = axum::serve(listener, http::router(Arc::clone(&ctx)));
    info!(address = %settings.listen, version = env!("CARGO_PKG_VERSION"), "serving probes and metrics");
    let work = lead(settings, Arc::clone(&ctx), stop.shared());
    tokio::select! {
        result = work => result,
        served = async { server.await } => served.map_err(Error::Runtime),
    }
}

/// What every reconcile is handed, with nothing in it yet.
pub fn context(settings: &Settings, client: Client, clock: Clock) -> Result<Arc<Ctx>, Error> {
    let metrics = Metrics::new()?;
    let source = match settings.metrics_source() {
        Some(access) => {
            let (time, counted) = (clock.clone(), metrics.clone());
            let told = move |outcome: &'static str, seconds: f64| {
                counted.source_queries.with_label_values(&[outcome]).inc();
                counted.source_duration.observe(seconds);
            };
            let prometheus = Prometheus::new(&access, Arc::new(move || time.now()), Arc::new(told));
            Some(Arc::new(prometheus.map_err(Error::Source)?) as Source)
        }
        None => None,
    };
    Ok(Arc::new(Ctx {
        server: Server::new(client, metrics.clone()),
        source,
        pods: Arc::new(Http::new().map_err(|error| Error::Source(error.to_string()))?),
        clock,
        metrics,
        health: Health::default(),
        backoff: Backoff::default(),
        own_writes: OwnWrites::default(),
        regions: settings.region_set(),
    }))
}

/// Waits for the kinds and the lease, then runs the controllers until `stop`
/// resolves.
pub async fn lead(
    settings: Settings,
    ctx: Arc<Ctx>,
    stop: future::Shared<impl Future<Output = ()> + Send + 'static>,
) -> Result<(), Error> {
    let candidate = Candidate { ctx: &ctx, namespace: settings.namespace.clone(), me: settings.identity.clone() };
    let begin = async {
        crds_present(&ctx).await;
        ctx.health.started();
        candidate.acquire().await
    };
    let mut renewed = tokio::select! {
        renewed = begin => renewed,
        () = stop.clone() => {
            // It may have been taken just now.
            candidate.release().await;
            return Ok(());
        }
    };
    ctx.metrics.leader.set(1);
    let (ending, ended) = watch::channel(false);
    let work = std::pin::pin!(control(settings, Arc::clone(&ctx), ended));
    // Fused: it may end by itself while we wait for something else.
    let mut work = work.fuse();
    let lost = tokio::select! {
        // In order, so that a simulation goes the same way each time.
        biased;
        () = &mut work => false,
        () = candidate.keep(&mut renewed) => true,
        () = stop => false,
    };
    let mut idle = work.is_terminated();
    if !lost && !idle {
        info!("stopping: no new work, waiting for what runs");
        ending.send_replace(true);
        // The lease is kept while work runs: another must not begin before.
        idle = tokio::select! {
            () = &mut work => true,
            () = candidate.keep(&mut renewed) => false,
            () = tokio::time::sleep(DRAIN) => false,
        };
    }
    ctx.metrics.leader.set(0);
    if lost {
        // Nothing in flight may end after another has begun.
        return Err(Error::LeaseLost);
    }
    if idle {
        candidate.release().await;
    } else {
        tracing::warn!("some work did not end in time; the lease runs out and the next leader takes it up");
    }
    Ok(())
}

/// Waits until every CRD is there; readiness names those that are not.
async fn crds_present(ctx: &Ctx) {
    for name in REQUIRED_CRDS {
        let what = format!("CustomResourceDefinition {name} is missing: kubectl apply -f crds/yaml/");
        let mut told = false;
        loop {
            let found = ctx.server.get(Target { kind: &CRDS, namespace: None, name }).await;
            let problem = match found {
                Ok(Some(_)) => break,
                Ok(None) => what.clone(),
                Err(error) => error.to_string(),
            };
            if !told {
                told = true;
                tracing::warn!(problem, "waiting");
            }
            ctx.health.missing(&what, true);
            tokio::time::sleep(CRD_POLL).await;
        }
        ctx.health.missing(&what, false);
    }
}

/// A stream of root objects that fills `writer`; what is kept per object is
/// forgotten when it goes, and `on_event` is told of everything.
fn objects<K>(
    api: Api<DeserializeGuard<K>>,
    writer: reflector::store::Writer<DeserializeGuard<K>>,
    kind: &'static Kind,
    ctx: Arc<Ctx>,
    mut on_event: impl FnMut(&Event<DeserializeGuard<K>>) + Send + 'static,
) -> impl futures::Stream<Item = watcher::Result<DeserializeGuard<K>>> + Send + 'static
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    let (events, incoming) = mpsc::channel(64);
    let forgetting = Arc::clone(&ctx);
    let feed = async move {
        let make = || watcher(api.clone(), watcher::Config::default()).boxed();
        let mut news = Box::pin(follow(make, kind, (&ctx.health, &ctx.metrics)));
        while let Some(news) = news.next().await {
            if let News::Event(event) = news
                && events.send(Ok(event)).await.is_err()
            {
                return;
            }
        }
    };
    let fed = stream::once(feed).filter_map(|()| future::ready(None));
    let incoming = stream::unfold(incoming, |mut incoming| async { Some((incoming.recv().await?, incoming)) });
    let mut census = Census::default();
    stream::select(fed, incoming)
        .modify(|object| object.managed_fields_mut().clear())
        .reflect(writer)
        .inspect(move |event| {
            if let Ok(event) = event {
                for uid in census.take(event) {
                    forgetting.forget(&uid);
                }
                on_event(event);
            }
        })
        .applied_objects()
}

/// Which objects there are, by uid, to know which are gone after a fresh list.
#[derive(Default)]
struct Census {
    known: BTreeSet<String>,
    listed: BTreeSet<String>,
}

impl Census {
    /// Takes an event; the uids that are gone.
    fn take<K: kube::Resource>(&mut self, event: &Event<K>) -> Vec<String> {
        let uid = |object: &K| object.meta().uid.clone().unwrap_or_default();
        match event {
            Event::Apply(object) => {
                self.known.insert(uid(object));
            }
            Event::Delete(object) => {
                self.known.remove(&uid(object));
                return vec![uid(object)];
            }
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => {
                self.listed.insert(uid(object));
            }
            Event::InitDone => {
                let before = std::mem::replace(&mut self.known, std::mem::take(&mut self.listed));
                return before.difference(&self.known).cloned().collect();
            }
        }
        Vec::new()
    }
}

/// Resolves when `ended` turns true.
async fn over(mut ended: watch::Receiver<bool>) {
    drop(ended.wait_for(|over| *over).await);
}

/// Runs the controllers and the watches they need until `ended` turns true.
async fn control(settings: Settings, ctx: Arc<Ctx>, ended: watch::Receiver<bool>) {
    let client = ctx.server.client();
    let (tenants, tenant_writer) = reflector::store();
    let (plans, plan_writer) = reflector::store();
    let (name, named) = mpsc::channel::<String>(TRIGGERS);
    let (all, everyone) = mpsc::channel::<()>(1);
    let wakes = Wakes { named: name, everyone: all.clone() };
    let (plan_changed, changed_plans) = mpsc::channel::<String>(TRIGGERS);

    // After a fresh list anything may have changed while nobody looked; single
    // objects of it come before the store shows them.
    let listed = all.clone();
    let tenant_objects = objects(Api::all(client.clone()), tenant_writer, &TENANTS, Arc::clone(&ctx), move |event| {
        if matches!(event, Event::InitDone) {
            let _ = listed.try_send(());
        }
    });
    let plan_objects = objects(Api::all(client), plan_writer, &PLANS, Arc::clone(&ctx), move |event| {
        // A full queue is no loss: then every tenant is looked at.
        let told = match event {
            Event::Apply(plan) | Event::Delete(plan) => plan_changed.try_send(plan.name_any()).is_ok(),
            Event::InitDone => false,
            Event::Init | Event::InitApply(_) => true,
        };
        if !told {
            let _ = all.try_send(());
        }
    });

    let cache = Arc::new(Cache::default());
    let mut feeds: Vec<future::BoxFuture<'static, ()>> = vec![
        follow_namespaces(Arc::clone(&cache), Arc::clone(&ctx), wakes.clone()).boxed(),
        follow_nodes(Arc::clone(&cache), Arc::clone(&ctx), wakes.clone()).boxed(),
    ];
    for kind in Part::KINDS {
        feeds.push(follow_children(kind, Arc::clone(&cache), Arc::clone(&ctx), wakes.clone()).boxed());
    }

    let plan_run = driver::run(
        PlanWorkflow,
        Arc::clone(&ctx),
        settings.concurrency,
        plan_objects,
        plans.clone(),
        stream::pending(),
        over(ended.clone()),
    );
    let budget_run = budgets::run(settings.clone(), Arc::clone(&ctx), plans.clone(), ended.clone());
    let workflow =
        TenantWorkflow { cache: Arc::clone(&cache), plans: plans.clone(), system_namespace: settings.namespace };
    let woken = woken(named, everyone, changed_plans, tenants.clone());
    let tenant_run = async {
        // Before everything was listed, what is there might look missing.
        cache.settled().await;
        let _ = plans.wait_until_ready().await;
        driver::run(workflow, Arc::clone(&ctx), settings.concurrency, tenant_objects, tenants, woken, over(ended))
            .await;
    };
    tokio::select! {
        // In order, so that a simulation goes the same way each time.
        biased;
        _ = future::join3(plan_run, tenant_run, budget_run) => {}
        _ = future::join_all(feeds) => {}
    }
}

/// References of the tenants that something else gives reason to look at.
fn woken(
    named: mpsc::Receiver<String>,
    everyone: mpsc::Receiver<()>,
    changed_plans: mpsc::Receiver<String>,
    tenants: reflector::Store<DeserializeGuard<Tenant>>,
) -> impl futures::Stream<Item = ObjectRef<DeserializeGuard<Tenant>>> + Send + 'static {
    let named = stream::unfold(named, |mut rx| async { Some((rx.recv().await?, rx)) });
    let on_plan = tenants.clone();
    let by_plan = stream::unfold(changed_plans, |mut rx| async { Some((rx.recv().await?, rx)) })
        .flat_map(move |plan| stream::iter(tenants_on(&plan, &on_plan)));
    let by_region = stream::unfold(everyone, |mut rx| async { Some((rx.recv().await?, rx)) }).flat_map(move |()| {
        stream::iter(tenants.state().into_iter().map(|tenant| tenant.name_any()).collect::<Vec<_>>())
    });
    stream::select(named, stream::select(by_plan, by_region)).map(|name| ObjectRef::new(&name))
}

/// References of the objects that are named.
fn named<K>(
    names: mpsc::Receiver<(String, String)>,
) -> impl futures::Stream<Item = ObjectRef<DeserializeGuard<K>>> + Send + 'static
where
    K: kube::Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    stream::unfold(names, |mut names| async {
        let (namespace, name) = names.recv().await?;
        Some((ObjectRef::new(&name).within(&namespace), names))
    })
}
