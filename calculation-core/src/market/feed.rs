//! A value that is asked for when it is needed, by one question at a time, and
//! kept for a short while.
//!
//! Whoever reads within the time a value may be kept waits for nobody; a value
//! past two thirds of it is asked anew behind the reader's back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use moka::Expiry;
use moka::future::Cache;
use tokio_util::task::TaskTracker;

use super::ask::Ask;
use super::judge::{Heard, Judged, Last};
use super::{Standing, State, Unusable};
use crate::clock::Clock;
use crate::metrics::Metrics;

/// What could not be had anew is tried again after this time at most.
const AGAIN: Duration = Duration::from_secs(10);
/// Providers that make a value verified.
const WITNESSES: usize = 2;

/// A value and what it rests on.
#[derive(Debug)]
pub struct Reading<V> {
    /// The value; none when there never was one.
    pub value: Option<V>,
    /// Where it stands in time.
    pub state: State,
    /// How much it may be relied on.
    pub standing: Standing,
    /// Who stands for it.
    pub from: Vec<&'static str>,
    /// When it was heard; none for what nobody said.
    pub heard: Option<Timestamp>,
    /// Who is not believed, and why.
    pub rejected: Vec<(&'static str, Unusable)>,
    /// When somebody looked last.
    looked: Timestamp,
}

impl<V> Reading<V> {
    /// Seconds since it was heard.
    pub fn age(&self, now: Timestamp) -> Option<u64> {
        self.heard.map(|heard| u64::try_from(now.duration_since(heard).as_secs()).unwrap_or(0))
    }
}

/// What a feed works with.
pub struct Parts {
    /// Time.
    pub clock: Clock,
    /// Metrics.
    pub metrics: Metrics,
    /// Where work behind a reader's back is kept track of.
    pub tasks: TaskTracker,
}

/// Decides what was heard comes to.
pub type Judge<V> = fn(Vec<Heard<V>>, Last<'_, V>, Timestamp) -> Judged<V>;

/// A value by that name.
pub struct Feed<V> {
    name: &'static str,
    keep: Duration,
    judge: Judge<V>,
    asks: Vec<Ask<V>>,
    cache: Cache<(), Arc<Reading<V>>>,
    last: Mutex<Option<Good<V>>>,
    manual: ArcSwapOption<Reading<V>>,
    asking: AtomicBool,
    newest: tokio::sync::Mutex<Option<Arc<Reading<V>>>>,
    parts: Parts,
}

#[derive(Clone)]
struct Good<V> {
    value: V,
    from: Vec<&'static str>,
    heard: Timestamp,
}

impl<V: Clone + PartialEq + Send + Sync + 'static> Feed<V> {
    /// Of these providers; a value is kept for `keep`.
    pub(super) fn new(
        name: &'static str,
        keep: Duration,
        judge: Judge<V>,
        asks: Vec<Ask<V>>,
        parts: &Parts,
    ) -> Arc<Self> {
        let parts = Parts { clock: parts.clock.clone(), metrics: parts.metrics.clone(), tasks: parts.tasks.clone() };
        let cache = Cache::builder().max_capacity(1).expire_after(Kept { keep }).build();
        let (last, manual, asking) = (Mutex::new(None), ArcSwapOption::empty(), AtomicBool::new(false));
        Arc::new(Self {
            name,
            keep,
            judge,
            asks,
            cache,
            last,
            manual,
            asking,
            newest: tokio::sync::Mutex::new(None),
            parts,
        })
    }

    /// Sets or lifts a manual value, which stands above all others. Returns
    /// whether that changed anything.
    pub fn set_manual(&self, value: Option<V>) -> bool {
        let is_same = match (self.manual.load().as_deref(), &value) {
            (Some(reading), Some(value)) => reading.value.as_ref() == Some(value),
            (reading, value) => reading.is_none() && value.is_none(),
        };
        let looked = self.parts.clock.now();
        self.manual.store(value.map(|value| {
            Arc::new(Reading {
                value: Some(value),
                state: State::Manual,
                standing: Standing::Estimated,
                from: Vec::new(),
                heard: None,
                rejected: Vec::new(),
                looked,
            })
        }));
        !is_same
    }

    /// The value as it stands.
    pub async fn read(self: &Arc<Self>) -> Arc<Reading<V>> {
        let reading = match self.manual.load_full() {
            Some(manual) => manual,
            None => self.kept().await,
        };
        self.parts.metrics.read(self.name, reading.state);
        reading
    }

    async fn kept(self: &Arc<Self>) -> Arc<Reading<V>> {
        if let Some(reading) = self.cache.get(&()).await {
            self.parts.metrics.cache(self.name, "hit");
            self.ahead(&reading);
            return reading;
        }
        self.parts.metrics.cache(self.name, "miss");
        // All who miss wait for one question.
        self.cache.get_with((), self.look()).await
    }

    /// Asks anew, behind the reader's back, for a value soon past its time.
    fn ahead(self: &Arc<Self>, reading: &Reading<V>) {
        if !self.is_soon_old(reading) || self.asking.swap(true, Ordering::AcqRel) {
            return;
        }
        let feed = Arc::clone(self);
        self.parts.tasks.spawn(async move {
            // Given back however this ends.
            let asked = Asking(&feed.asking);
            let reading = feed.look().await;
            feed.cache.insert((), reading).await;
            drop(asked);
        });
    }

    /// Seconds since the last good value was heard; none where there is none, or
    /// where a manual one stands above it.
    pub fn age(&self, now: Timestamp) -> Option<u64> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = last.as_ref().filter(|_| self.manual.load().is_none()).map(|good| good.heard)?;
        Some(u64::try_from(now.duration_since(heard).as_secs()).unwrap_or(0))
    }

    /// Asks every provider once and judges what they say; one such look at a
    /// time, and none for who waited while another looked.
    async fn look(&self) -> Arc<Reading<V>> {
        let mut newest = self.newest.lock().await;
        if let Some(reading) = newest.as_ref().filter(|reading| !self.is_soon_old(reading)) {
            return Arc::clone(reading);
        }
        let reading = self.look_now().await;
        *newest = Some(Arc::clone(&reading));
        reading
    }

    /// Whether it is past two thirds of the time it is kept.
    fn is_soon_old(&self, reading: &Reading<V>) -> bool {
        let old = self.parts.clock.now().duration_since(reading.looked).unsigned_abs();
        old * 3 >= Kept { keep: self.keep }.of(reading.state) * 2
    }

    async fn look_now(&self) -> Arc<Reading<V>> {
        let heard = futures::future::join_all(self.asks.iter().map(Ask::ask)).await;
        let now = self.parts.clock.now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let Judged { value, rejected } = (self.judge)(heard, last.as_ref().map(|good| (&good.value, good.heard)), now);
        let is_new = value.is_some();
        if let Some((value, from)) = value {
            *last = Some(Good { value, from, heard: now });
        } else {
            let why: Vec<String> = rejected.iter().map(|(name, why)| format!("{name}: {why}")).collect();
            tracing::warn!(feed = self.name, why = why.join("; "), "no provider can be believed");
        }
        let (state, good) = match last.clone() {
            Some(good) if is_new => (State::Fresh, Some(good)),
            Some(good) => (State::Stale, Some(good)),
            None => (State::None, None),
        };
        let witnesses = good.as_ref().map_or(0, |good| good.from.len());
        let is_verified = state == State::Fresh && witnesses >= WITNESSES;
        let standing = if is_verified { Standing::Verified } else { Standing::Estimated };
        let (value, from, heard) =
            good.map_or((None, Vec::new(), None), |Good { value, from, heard }| (Some(value), from, Some(heard)));
        Arc::new(Reading { value, state, standing, from, heard, rejected, looked: now })
    }
}

/// That somebody asks behind the readers' backs, until dropped.
struct Asking<'a>(&'a AtomicBool);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// How long a reading is kept.
struct Kept {
    keep: Duration,
}

impl Kept {
    fn of(&self, state: State) -> Duration {
        if state == State::Fresh { self.keep } else { self.keep.min(AGAIN) }
    }
}

impl<V> Expiry<(), Arc<Reading<V>>> for Kept {
    fn expire_after_create(&self, (): &(), reading: &Arc<Reading<V>>, _: std::time::Instant) -> Option<Duration> {
        Some(self.of(reading.state))
    }

    fn expire_after_update(
        &self,
        (): &(),
        reading: &Arc<Reading<V>>,
        _: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(self.of(reading.state))
    }
}
