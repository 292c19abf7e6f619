//! Leadership by a Lease. It keeps two replicas from working at once most of
//! the time; it is no mutual exclusion, which is why every irreversible effect
//! is fenced by a uid or a resource version.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde_json::json;
use tracing::{info, warn};

use crate::api::Target;
use crate::ctx::Ctx;
use crate::error::Error;
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

/// The lease as a replica last saw it, with when it first saw it so: clocks of
/// replicas are not compared.
#[derive(Clone, Debug, PartialEq)]
struct View {
    lease: Option<Lease>,
    unchanged_since: Timestamp,
}

/// What a replica should do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    /// Take or renew the lease.
    Write,
    /// Another replica holds it.
    Wait,
}

/// Judges the lease as `me` sees it at `now`.
fn evaluate(view: &View, me: &str, now: Timestamp) -> Move {
    let holder = view.lease.as_ref().and_then(|l| l.spec.as_ref()).and_then(|s| s.holder_identity.as_deref());
    match holder {
        None | Some("") => Move::Write,
        Some(holder) if holder == me => Move::Write,
        Some(_) if seconds(now.duration_since(view.unchanged_since)) >= HOLD.as_secs() => Move::Write,
        Some(_) => Move::Wait,
    }
}

fn seconds(duration: jiff::SignedDuration) -> u64 {
    u64::try_from(duration.as_secs()).unwrap_or(0)
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

    /// Returns once this replica leads.
    pub async fn acquire(&self) {
        let mut view = View { lease: None, unchanged_since: self.ctx.clock.now() };
        let mut told = false;
        loop {
            let now = self.ctx.clock.now();
            self.ctx.health.beat("lease", now);
            match self.attempt(&mut view, now).await {
                Ok(true) => {
                    info!(identity = self.me, "leading");
                    return;
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

    async fn attempt(&self, view: &mut View, now: Timestamp) -> Result<bool, Error> {
        let lease = self.read().await?;
        if lease != view.lease {
            *view = View { lease, unchanged_since: now };
        }
        if evaluate(view, &self.me, now) == Move::Wait {
            return Ok(false);
        }
        let mine = written(view.lease.as_ref(), &self.me, &self.namespace, now);
        self.write(view.lease.as_ref(), &mine).await.map(|()| true)
    }

    /// Renews for as long as it can. Returns when the lease is lost, or could
    /// not be renewed for [`GIVE_UP`]: the caller must stop working at once.
    pub async fn keep(&self) {
        let mut renewed = self.ctx.clock.now();
        loop {
            tokio::time::sleep(EVERY).await;
            let now = self.ctx.clock.now();
            self.ctx.health.beat("lease", now);
            match self.renew(now).await {
                Ok(true) => renewed = now,
                Ok(false) => {
                    warn!("another replica took the lease");
                    return;
                }
                Err(error) => warn!(%error, "the lease could not be renewed"),
            }
            if seconds(self.ctx.clock.now().duration_since(renewed)) >= GIVE_UP.as_secs() {
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
        let view = |lease| View { lease, unchanged_since: at(100) };
        assert_eq!(evaluate(&view(None), "a", at(100)), Move::Write);
        assert_eq!(evaluate(&view(Some(held_by("a"))), "a", at(100)), Move::Write);
        assert_eq!(evaluate(&view(Some(held_by(""))), "a", at(100)), Move::Write);
        assert_eq!(evaluate(&view(Some(held_by("b"))), "a", at(114)), Move::Wait);
        assert_eq!(evaluate(&view(Some(held_by("b"))), "a", at(115)), Move::Write);
    }

    #[test]
    fn a_holder_gives_up_before_another_may_begin() {
        assert!(GIVE_UP + EVERY < HOLD);
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
