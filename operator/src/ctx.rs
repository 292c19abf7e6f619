//! What every reconcile is handed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use crate::api::Server;
use crate::backoff::Backoff;
use crate::calculation_core::pods::AskPods;
use crate::health::Health;
use crate::metrics::Metrics;
use hashinsight_metrics_source::Source;

/// The only source of time. Below the driver, time is a parameter.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// A clock of a simulation.
    pub fn simulated(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// Versions of root objects we wrote: a cache that has not caught up with them
/// must not be planned from.
#[derive(Default)]
pub struct OwnWrites(Mutex<BTreeMap<String, u64>>);

impl OwnWrites {
    /// We wrote the object, and the server answered with this version.
    pub fn wrote(&self, uid: &str, version: u64) {
        self.with(|all| {
            let newest = all.entry(uid.to_owned()).or_default();
            *newest = version.max(*newest);
        });
    }

    /// Whether a copy at `version` is older than our last write.
    pub fn is_stale(&self, uid: &str, version: u64) -> bool {
        self.with(|all| all.get(uid).is_some_and(|newest| version < *newest))
    }

    /// Whether a copy at `version` is just what we wrote last.
    pub fn is_ours(&self, uid: &str, version: u64) -> bool {
        self.with(|all| all.get(uid) == Some(&version))
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        self.with(|all| all.remove(uid));
    }

    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<String, u64>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// What every reconcile is handed.
pub struct Ctx {
    /// The way to the API server.
    pub server: Server,
    /// The way to the metrics system, if the operator was given one.
    pub source: Option<Source>,
    /// The way to the pods of cores.
    pub pods: Arc<dyn AskPods>,
    /// Time.
    pub clock: Clock,
    /// Metrics.
    pub metrics: Metrics,
    /// Probes.
    pub health: Health,
    /// Failures in a row.
    pub backoff: Backoff,
    /// Our own last writes to root objects.
    pub own_writes: OwnWrites,
    /// Regions the operator was configured to serve.
    pub regions: BTreeSet<String>,
}

impl Ctx {
    /// Forgets what is kept of a root object that is gone.
    pub fn forget(&self, uid: &str) {
        self.metrics.stand(uid, None);
        self.metrics.rollouts.forget(uid);
        self.backoff.clear(uid);
        self.own_writes.forget(uid);
    }
}

/// A resource version as a number. Kubernetes promises since 1.35 that
/// versions of one resource compare as numbers; anything else counts as oldest.
pub fn version_number(resource_version: Option<&str>) -> u64 {
    resource_version.and_then(|v| v.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_copies_older_than_our_write_are_stale() {
        let writes = OwnWrites::default();
        assert!(!writes.is_stale("u", 0));
        writes.wrote("u", 7);
        writes.wrote("u", 5);
        assert!(writes.is_stale("u", 6));
        assert!(!writes.is_stale("u", 7));
        assert!(writes.is_ours("u", 7) && !writes.is_ours("u", 8));
        writes.forget("u");
        assert!(!writes.is_stale("u", 1));
        assert_eq!((version_number(Some("12")), version_number(Some("x")), version_number(None)), (12, 0, 0));
    }
}
