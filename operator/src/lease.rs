//! Leadership by a Lease. It keeps two replicas from working at once most of
//! the time; it is no mutual exclusion, which is why every irreversible effect
//! is fenced by a uid or a resource version.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde_json::json;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::api::Target;
use crate::ctx::Ctx;
use crate::error::{Class, Error};
use crate::kinds::LEASES;

/// How long a lease holds without being renewed.
pub const HOLD: Duration = Duration::from_secs(15);
/// How often the holder renews, and others look.
pub const EVERY: Duration = Duration::from_secs(4);
/// A holder that could not renew for this long stops before others may begin.
pub const GIVE_UP: Duration = Duration::from_secs(10);
/// Name of the lease.
pub const NAME: &str = "hashinsight-operator";
const MANAGER: &str = "hashinsight-operator-lease";

/// What a replica should do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    /// Take or renew the lease.
    Write,
    /// Another replica holds it.
    Wait,
}

/// Judges a lease that `me` has seen unchanged for this long by its own
/// steady clock: clocks of replicas are not compared.
fn evaluate(lease: Option<&Lease>, unchanged_for: Duration, me: &str) -> Move {
    let holder = lease.and_then(|l| l.spec.as_ref()).and_then(|s| s.holder_identity.as_deref());
    match holder {
        None | Some("") => Move::Write,
        Some(holder) if holder == me || unchanged_for >= HOLD => Move::Write,
        Some(_) => Move::Wait,
    }
}

/// The lease that `me` writes over `seen`.
fn written(seen: Option<&Lease>, me: &str, namespace: &str, now: Timestamp) -> Lease {
    let before = seen.and_then(|l| l.spec.clone()).unwrap_or_default();
    let mine = before.holder_identity.as_deref() == Some(me);
    let mut lease = seen.cloned().unwrap_or_default();
    lease.metadata.name = Some(NAME.to_owned());
    lease.metadata.namespace = Some(namespace.to_owned());
    lease.metadata.managed_fields = None;
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: i32::try_from(HOLD.as_secs()).ok(),
        acquire_time: if mine { before.acquire_time } else { Some(MicroTime(now)) },
        renew_time: Some(MicroTime(now)),
        lease_transitions: Some(before.lease_transitions.unwrap_or(0) + i32::from(!mine)),
        ..LeaseSpec::default()
    });
    lease
}

/// One replica's part in the election.
pub struct Candidate<'a> {
    /// What every reconcile is handed, too.
    pub ctx: &'a Ctx,
    /// Namespace of the lease.
    pub namespace: String,
    /// Name of this replica.
    pub me: String,
}

impl Candidate<'_> {
    fn target(&self) -> Target<'_> {
        Target { kind: &LEASES, namespace: Some(&self.namespace), name: NAME }
    }

    async fn read(&self) -> Result<Option<Lease>, Error> {
        let object = self.ctx.server.get(self.target()).await?;
        Ok(object
            .and_then(|object| serde_json::to_value(object).ok())
            .and_then(|value| serde_json::from_value(value).ok()))
    }

    /// Writes the lease over `seen`; a conflict means another was faster.
    async fn write(&self, seen: Option<&Lease>, lease: &Lease) -> Result<(), Error> {
        let mut object = json!(lease);
        object["apiVersion"] = json!(LEASES.api_version());
        object["kind"] = json!(LEASES.kind);
        match seen {
            Some(_) => self.ctx.server.update(self.target(), MANAGER, &object).await.map(drop),
            None => self.ctx.server.create(self.target(), MANAGER, &object).await.map(drop),
        }
    }

    /// Returns once this replica leads, with the moment from which its hold
    /// counts: before the write that took it.
    pub async fn acquire(&self) -> Instant {
        let (mut seen, mut since, mut told) = (None, Instant::now(), false);
        loop {
            let began = Instant::now();
            self.ctx.health.beat("lease", self.ctx.clock.now());
            match self.attempt(&mut seen, &mut since).await {
                Ok(true) => {
                    info!(identity = self.me, "leading");
                    return began;
                }
                Ok(false) if !told => {
                    told = true;
                    info!("another replica leads; standing by");
                }
                Ok(false) => {}
                Err(error) => warn!(%error, "the lease cannot be read or written; trying again"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn attempt(&self, seen: &mut Option<Lease>, since: &mut Instant) -> Result<bool, Error> {
        let lease = self.read().await?;
        if lease != *seen {
            (*seen, *since) = (lease, Instant::now());
        }
        if evaluate(seen.as_ref(), since.elapsed(), &self.me) == Move::Wait {
            return Ok(false);
        }
        let mine = written(seen.as_ref(), &self.me, &self.namespace, self.ctx.clock.now());
        self.write(seen.as_ref(), &mine).await.map(|()| true)
    }

    /// Renews for as long as it can, the hold counting from `renewed`. Returns
    /// when the lease is lost or could not be renewed for [`GIVE_UP`]: the
    /// caller must stop working at once. The moment is moved on with each
    /// renewal, so that the caller may go on from it.
    pub async fn keep(&self, renewed: &mut Instant) {
        loop {
            tokio::time::sleep(EVERY).await;
            let began = Instant::now();
            self.ctx.health.beat("lease", self.ctx.clock.now());
            match tokio::time::timeout_at(*renewed + GIVE_UP, self.renew(self.ctx.clock.now())).await {
                Ok(Ok(true)) => *renewed = began,
                Ok(Ok(false)) => {
                    warn!("another replica took the lease");
                    return;
                }
                Ok(Err(error)) if error.class() == Class::Conflict => {
                    warn!(%error, "another replica wrote the lease");
                    return;
                }
                Ok(Err(error)) => warn!(%error, "the lease could not be renewed"),
                Err(_) => {}
            }
            if renewed.elapsed() >= GIVE_UP {
                warn!("the lease was not renewed in time");
                return;
            }
        }
    }

    async fn renew(&self, now: Timestamp) -> Result<bool, Error> {
        let lease = self.read().await?;
        let holder = lease.as_ref().and_then(|l| l.spec.as_ref()).and_then(|s| s.holder_identity.as_deref());
        if holder.is_some_and(|holder| holder != self.me) {
            return Ok(false);
        }
        let mine = written(lease.as_ref(), &self.me, &self.namespace, now);
        self.write(lease.as_ref(), &mine).await.map(|()| true)
    }

    /// Gives the lease up, so that another replica need not wait for it to run
    /// out.
    pub async fn release(&self) {
        let result = async {
            let Some(mut lease) = self.read().await? else { return Ok(()) };
            if let Some(spec) = lease.spec.as_mut().filter(|s| s.holder_identity.as_deref() == Some(&self.me)) {
                spec.holder_identity = Some(String::new());
                self.write(Some(&lease.clone()), &lease).await?;
            }
            Ok::<(), Error>(())
        };
        if let Err(error) = result.await {
            warn!(%error, "the lease was not given up; it runs out by itself");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn held_by(holder: &str) -> Lease {
        written(None, holder, "ns", at(0))
    }

    #[test]
    fn a_lease_is_taken_when_free_ours_or_run_out() {
        let (fresh, old) = (Duration::from_secs(14), Duration::from_secs(15));
        assert_eq!(evaluate(None, fresh, "a"), Move::Write);
        for (holder, unchanged, expected) in
            [("a", fresh, Move::Write), ("", fresh, Move::Write), ("b", fresh, Move::Wait), ("b", old, Move::Write)]
        {
            assert_eq!(evaluate(Some(&held_by(holder)), unchanged, "a"), expected, "{holder}");
        }
    }

    #[test]
    fn a_holder_gives_up_before_another_may_begin() {
        // Its clock starts before its write, the other's after reading it.
        assert!(GIVE_UP < HOLD);
    }

    #[test]
    fn renewing_keeps_the_time_of_acquisition_and_taking_counts_a_transition() {
        let first = written(None, "a", "ns", at(10));
        let renewed = written(Some(&first), "a", "ns", at(20));
        let (f, r) = (first.spec.clone().unwrap(), renewed.spec.unwrap());
        assert_eq!((r.acquire_time, r.lease_transitions), (f.acquire_time, f.lease_transitions));
        let taken = written(Some(&first), "b", "ns", at(30)).spec.unwrap();
        assert_eq!(taken.lease_transitions, Some(2));
        assert_eq!(taken.acquire_time, Some(MicroTime(at(30))));
    }
}
