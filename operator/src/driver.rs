//! The generic reconcile loop: span, timer, guard against unreadable objects
//! and stale copies, backoff, resync. It decides nothing about any kind.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use kube::core::{DeserializeGuard, Resource, error_boundary::InvalidObject};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use serde::de::DeserializeOwned;
use tracing::{Instrument, debug, error, info, info_span, warn};

use crate::ctx::{Ctx, version_number};
use crate::digest::short_hash;
use crate::error::{Class, Error};

/// Every object is looked at again at least this often.
pub const RESYNC: Duration = Duration::from_secs(600);
/// How long to wait for a cache to show what we wrote, if no event comes.
const CATCH_UP: Duration = Duration::from_secs(1);

/// When an object wants to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// When something changes.
    OnChange,
    /// After this long.
    Within(Duration),
    /// At this time.
    At(Timestamp),
}

/// How a reconcile ended that could be evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// When to look again.
    pub wake: Wake,
    /// The trouble to retry soonest, if parts failed.
    pub trouble: Option<Class>,
    /// Calls that changed something.
    pub writes: u32,
}

/// One controller: what it does with an object, given everything it may read.
pub trait Workflow: Send + Sync + 'static {
    /// The kind it is responsible for.
    type Object: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static;
    /// Bounded name for spans and metrics.
    const NAME: &'static str;

    /// Looks at one object and does what is needed.
    fn reconcile(&self, object: &Self::Object, ctx: &Ctx) -> impl Future<Output = Result<Outcome, Error>> + Send;

    /// Looks at an object that does not fit our schema.
    fn reconcile_unreadable(
        &self,
        object: &InvalidObject,
        ctx: &Ctx,
    ) -> impl Future<Output = Result<Outcome, Error>> + Send;
}

/// A workflow with what it is handed.
struct Driver<W> {
    workflow: W,
    ctx: Arc<Ctx>,
}

/// Runs `workflow` over the objects of `store` whenever `objects` or
/// `triggers` name one, until `shutdown` resolves and what runs has ended.
pub async fn run<W: Workflow>(
    workflow: W,
    ctx: Arc<Ctx>,
    concurrency: u16,
    objects: impl Stream<Item = watcher::Result<DeserializeGuard<W::Object>>> + Send + 'static,
    store: Store<DeserializeGuard<W::Object>>,
    triggers: impl Stream<Item = ObjectRef<DeserializeGuard<W::Object>>> + Send + 'static,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let driver = Arc::new(Driver { workflow, ctx });
    Controller::for_stream(objects, store)
        .with_config(Config::default().concurrency(concurrency))
        .reconcile_on(triggers)
        .graceful_shutdown_on(shutdown)
        .run(once, |_, error: &Infallible, _| match *error {}, driver)
        .for_each(|result| async {
            // Errors of watches are counted where the watch is made; what is
            // left is an object that went away before its turn came.
            if let Err(error) = result {
                debug!(%error, "nothing to reconcile");
            }
        })
        .await;
}

async fn once<W: Workflow>(
    object: Arc<DeserializeGuard<W::Object>>,
    driver: Arc<Driver<W>>,
) -> Result<Action, Infallible> {
    let meta = object.meta();
    let uid = meta.uid.clone().unwrap_or_default();
    let span = info_span!(
        "reconcile",
        controller = W::NAME,
        namespace = meta.namespace.as_deref().unwrap_or_default(),
        name = meta.name.as_deref().unwrap_or_default(),
        uid,
        generation = meta.generation.unwrap_or_default(),
    );
    let version = version_number(meta.resource_version.as_deref());
    Ok(driver.guarded(&object, &uid, version).instrument(span).await)
}

impl<W: Workflow> Driver<W> {
    async fn guarded(&self, object: &DeserializeGuard<W::Object>, uid: &str, version: u64) -> Action {
        let ctx = &self.ctx;
        if ctx.own_writes.is_stale(uid, version) {
            debug!("the cache has not caught up with our last write");
            return Action::requeue(CATCH_UP);
        }
        let began = ctx.clock.now();
        ctx.health.began(W::NAME, uid, began);
        let result = match &object.0 {
            Ok(object) => self.workflow.reconcile(object, ctx).await,
            Err(invalid) => self.workflow.reconcile_unreadable(invalid, ctx).await,
        };
        ctx.health.ended(W::NAME, uid);
        let now = ctx.clock.now();
        let seconds = now.duration_since(began).as_secs_f64().max(0.0);
        ctx.metrics.duration.with_label_values(&[W::NAME]).observe(seconds);
        self.next(uid, result, now)
    }

    fn next(&self, uid: &str, result: Result<Outcome, Error>, now: Timestamp) -> Action {
        let (trouble, wake, label) = match result {
            Ok(outcome) => {
                if outcome.writes > 0 {
                    info!(writes = outcome.writes, "reconciled");
                } else {
                    debug!("nothing to do");
                }
                let label = if outcome.trouble.is_some() { "degraded" } else { "ok" };
                (outcome.trouble, outcome.wake, label)
            }
            Err(error) => {
                let class = error.class();
                if class == Class::Conflict {
                    debug!(%error, "somebody else wrote first");
                } else {
                    error!(%error, class = class.name(), "reconcile failed");
                }
                (Some(class), Wake::OnChange, "error")
            }
        };
        self.ctx.metrics.reconciles.with_label_values(&[W::NAME, label]).inc();
        let Some(class) = trouble else {
            self.ctx.backoff.clear(uid);
            return Action::requeue(bounded(wake, uid, now));
        };
        self.ctx.metrics.requeues.with_label_values(&[W::NAME, class.name()]).inc();
        let wait = self.ctx.backoff.after(uid, class, now);
        if class != Class::Conflict {
            warn!(class = class.name(), seconds = wait.as_secs_f64(), "will try again");
        }
        Action::requeue(wait.min(bounded(wake, uid, now)))
    }
}

/// `wake` as a delay, never beyond the resync bound; resyncs of different
/// objects are spread over the last fifth of it.
fn bounded(wake: Wake, uid: &str, now: Timestamp) -> Duration {
    let spread = u64::from_str_radix(&short_hash(&[uid]), 16).unwrap_or(0) % (RESYNC.as_secs() / 5);
    let resync = RESYNC.saturating_sub(Duration::from_secs(spread));
    match wake {
        Wake::OnChange => resync,
        Wake::Within(delay) => delay.min(resync),
        Wake::At(time) => Duration::try_from(time.duration_since(now)).unwrap_or_default().min(resync),
    }
}

/// The error with all its sources, for the one place that logs it.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_object_sleeps_longer_than_the_resync_bound() {
        let now = Timestamp::from_second(1000).unwrap();
        let far = Timestamp::from_second(1_000_000).unwrap();
        for wake in [Wake::OnChange, Wake::Within(Duration::MAX), Wake::At(far)] {
            let delay = bounded(wake, "u", now);
            assert!(delay <= RESYNC && delay >= RESYNC * 4 / 5, "{delay:?}");
        }
        assert_eq!(bounded(Wake::At(Timestamp::from_second(1).unwrap()), "u", now), Duration::ZERO);
        assert_eq!(bounded(Wake::Within(Duration::from_secs(3)), "u", now), Duration::from_secs(3));
    }
}
