//! What every request is handed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio_util::task::TaskTracker;

use crate::access::{Accounts, Verifier};
use crate::api::batch::Batches;
use crate::clock::Clock;
use crate::compute::Compute;
use crate::market::Markets;
use crate::metrics::Metrics;
use crate::records::Records;
use crate::settings::{LimitFile, Settings};

/// What every request is handed.
pub struct Core {
    /// Settings as they were at the start.
    pub settings: Settings,
    /// Time.
    pub clock: Clock,
    /// Metrics.
    pub metrics: Metrics,
    /// Market data.
    pub markets: Markets,
    /// Tokens.
    pub verifier: Verifier,
    /// Limits and counts of tenants.
    pub accounts: Accounts,
    /// Places to compute.
    pub compute: Compute,
    /// Where records go.
    pub records: Records,
    /// Batches that are kept.
    pub batches: Batches,
    /// Work that outlives its request.
    pub tasks: TaskTracker,
    /// The document of the API, rendered.
    pub document: Arc<str>,
    ready: AtomicBool,
    draining: AtomicBool,
    numbers: AtomicU64,
}

/// Why the service cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is wrong.
    #[error(transparent)]
    Settings(#[from] crate::settings::Error),
    /// Metrics cannot be registered.
    #[error("metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The client for providers cannot be made.
    #[error("marketData.authorities: {0}")]
    Client(String),
    /// The folder of records cannot be used.
    #[error("records.directory: {0}")]
    Records(std::io::Error),
}

impl Core {
    /// Everything, with nothing asked of anybody yet.
    pub fn new(settings: Settings, clock: Clock, document: Arc<str>) -> Result<Self, Error> {
        let metrics = Metrics::new()?;
        let client = crate::client::client(settings.market_data.authorities.as_deref()).map_err(Error::Client)?;
        let tasks = TaskTracker::new();
        let limits = settings.limits.file.as_deref().map(LimitFile::read).transpose()?.unwrap_or_default();
        let records = Records::new(settings.records.as_ref(), &settings.instance, &metrics).map_err(Error::Records)?;
        Ok(Self {
            markets: Markets::new(&settings.market_data, &client, &clock, &metrics, &tasks),
            verifier: Verifier::new(&settings.auth, &client, &metrics),
            accounts: Accounts::new(&settings.limits, settings.requests.concurrent, limits),
            compute: Compute::new(settings.threads, &metrics),
            batches: Batches::new(&settings.requests, &metrics),
            records,
            clock,
            metrics,
            tasks,
            document,
            ready: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            numbers: AtomicU64::new(0),
            settings,
        })
    }

    /// From now on requests may come.
    pub fn started(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// From now on new ones had better go elsewhere.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether new requests may come; else why not, by part.
    pub fn readiness(&self) -> Result<(), BTreeMap<&'static str, String>> {
        let mut missing = BTreeMap::new();
        if !self.ready.load(Ordering::Acquire) {
            missing.insert("start", "not done".to_owned());
        }
        if self.draining.load(Ordering::Acquire) {
            missing.insert("drain", "the service is ending".to_owned());
        }
        let without = self.verifier.without_keys();
        if !without.is_empty() && without.len() == self.settings.auth.issuers.len() {
            missing.insert("keys", format!("none known of {}", without.join(", ")));
        }
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }

    /// A number for each request, from 1.
    pub fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }
}
