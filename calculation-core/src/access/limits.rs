//! What each tenant may do: so many requests a minute, so many computations at
//! once, so many machines in one.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use std::num::NonZeroU32;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::settings::{LimitFile, LimitSettings, Limits};

/// Tenants whose counts are kept.
const ACCOUNTS_MAX: u64 = 100_000;
/// Counts of tenants that do not ask are forgotten after this time.
const IDLE: Duration = Duration::from_secs(600);
/// Part of all requests under way that may be one tenant's.
const SHARE: usize = 4;
/// Part of a minute's requests that may come at once.
const BURST: u32 = 10;

/// A tenant's counts.
#[derive(Debug)]
pub struct Account {
    /// What it may do.
    pub limits: Limits,
    bucket: DefaultDirectRateLimiter,
    clock: DefaultClock,
    computing: Arc<Semaphore>,
    under_way: Arc<Semaphore>,
    turn: Arc<Semaphore>,
}

impl Account {
    fn new(limits: Limits, under_way: usize) -> Self {
        let at_least_one = |value: u32| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(at_least_one(limits.requests_per_minute))
            .allow_burst(at_least_one(limits.requests_per_minute / BURST));
        let clock = DefaultClock::default();
        Self {
            limits,
            bucket: RateLimiter::direct_with_clock(quota, clock.clone()),
            clock,
            computing: Arc::new(Semaphore::new(limits.concurrent as usize)),
            under_way: Arc::new(Semaphore::new(under_way)),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Counts a request, or says in how many seconds one may come.
    pub fn request(&self) -> Result<(), u64> {
        self.bucket.check().map_err(|not| not.wait_time_from(self.clock.now()).as_secs() + 1)
    }

    /// A place for a request under way, given back when dropped; none when all
    /// are taken: one tenant's open requests leave room for others'.
    pub fn under_way(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.under_way).try_acquire_owned().ok()
    }

    /// The tenant's turn to compute: one at a time, so that another's request
    /// never stands behind several of it.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        Arc::clone(&self.turn).acquire_owned().await
    }

    /// A place for one computation, given back when dropped; none when all are
    /// taken.
    pub fn compute(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.computing).try_acquire_owned().ok()
    }
}

/// All tenants' counts.
pub struct Accounts {
    counts: Cache<String, Arc<Account>>,
    file: ArcSwap<LimitFile>,
    default: Limits,
    under_way: usize,
}

impl Accounts {
    /// Under these limits, of `concurrent` requests of all tenants; the file is the
    /// caller's to read.
    pub fn new(settings: &LimitSettings, concurrent: usize, file: LimitFile) -> Self {
        let counts = Cache::builder()
            .eviction_policy(EvictionPolicy::lru())
            .max_capacity(ACCOUNTS_MAX)
            .time_to_idle(IDLE)
            .build();
        Self {
            counts,
            file: ArcSwap::from_pointee(file),
            default: settings.default,
            under_way: (concurrent / SHARE).max(1),
        }
    }

    /// The counts of a tenant.
    pub fn of(&self, tenant: &str) -> Arc<Account> {
        let limits = self.file.load().tenants.get(tenant).copied().unwrap_or(self.default);
        let begin = || Arc::new(Account::new(limits, self.under_way));
        let account = self.counts.get_with_by_ref(tenant, begin);
        if account.limits == limits {
            return account;
        }
        // What was changed counts from now on.
        let account = begin();
        self.counts.insert(tenant.to_owned(), Arc::clone(&account));
        account
    }

    /// Puts other limits in force. Returns whether they differ.
    pub fn replace(&self, file: LimitFile) -> bool {
        let differs = **self.file.load() != file;
        if differs {
            self.file.store(Arc::new(file));
        }
        differs
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn limits_are_per_tenant_and_change_while_running() {
        let limits = |requests_per_minute| Limits { requests_per_minute, miners: 1, concurrent: 1 };
        let accounts = Accounts::new(&LimitSettings { file: None, default: limits(20) }, 8, LimitFile::default());
        let count = |tenant: &str| (0..100).take_while(|_| accounts.of(tenant).request().is_ok()).count();
        assert_eq!(count("a"), 2, "a tenth at once");
        assert!((1..=4).contains(&accounts.of("a").request().unwrap_err()));
        assert_eq!(count("b"), 2, "another tenant does not notice");
        let file = LimitFile { tenants: BTreeMap::from([("a".to_owned(), limits(600))]) };
        assert!(accounts.replace(file.clone()) && !accounts.replace(file));
        assert!(count("a") >= 60);
        let place = accounts.of("a").compute();
        assert!(place.is_some() && accounts.of("a").compute().is_none());
        drop(place);
        let open: Vec<_> = (0..3).map(|_| accounts.of("a").under_way()).collect();
        assert!(open[1].is_some() && open[2].is_none() && accounts.of("b").under_way().is_some());
        assert!(accounts.of("a").compute().is_some());
    }
}
