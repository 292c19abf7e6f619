//! The tenant controller: a Tenant becomes a namespace with pod security,
//! quota, limits, a closed network, bindings for its people and a summary
//! they may read.
//!
//! `observe → plan → apply → status`. It never adopts a namespace that is not
//! the tenant's, never touches what a tenant put into its namespace, and
//! reads no Secret.

pub mod apply;
pub mod cache;
pub mod conclude;
pub mod hold;
pub mod objects;
pub mod part;
pub mod plan;
pub mod region;
pub mod removal;
mod report;
pub mod seen;
pub mod valid;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hashinsight_crds::conditions::settle;
use hashinsight_crds::names::TENANT_FINALIZER;
use hashinsight_crds::tenant::{DeletionPolicy, Tenant, TenantStatus};
use hashinsight_crds::{ConditionStatus, Reason, TenantPlan};
use jiff::Timestamp;
use kube::core::{DeserializeGuard, error_boundary::InvalidObject};
use kube::runtime::reflector::{ObjectRef, Store};
use serde_json::json;
use tracing::warn;

use self::apply::{Applied, apply, hold, remove};
use self::cache::Cache;
use self::conclude::{Failure, conclude, failed};
use self::part::Part;
use self::plan::{Observed, Plan, Verdict, plan};
use self::region::Regions;
use self::removal::{FreshNamespace, plan_removal};
use self::report::{announce, conditions, mirror, publish, ready, report, tell};
use self::valid::{Identity, ValidTenant};
use crate::api::Target;
use crate::ctx::{Ctx, version_number};
use crate::driver::{Outcome, Wake, Workflow};
use crate::error::{Class, Error};
use crate::kinds::NAMESPACES;

/// How soon to look again at a namespace that is going, if no event comes.
const POLL: Duration = Duration::from_secs(10);

/// The tenant controller.
pub struct TenantWorkflow {
    /// What has been seen of owned objects, namespaces and nodes.
    pub cache: Arc<Cache>,
    /// Plans.
    pub plans: Store<DeserializeGuard<TenantPlan>>,
    /// Namespace the operator's own services run in.
    pub system_namespace: String,
}

impl Workflow for TenantWorkflow {
    type Object = Tenant;
    const NAME: &'static str = "tenant";

    async fn reconcile(&self, tenant: &Tenant, ctx: &Ctx) -> Result<Outcome, Error> {
        let now = ctx.clock.now();
        let tenant = ValidTenant::of(tenant);
        let result = if tenant.who.deleting {
            self.end(&tenant.who, tenant.spec.deletion_policy, &tenant.before, ctx, now).await
        } else {
            self.maintain(&tenant, ctx, now).await
        };
        match result {
            // What stopped the whole run for want of a permission is told, too.
            Err(error) if error.class() == Class::Forbidden => {
                let failure = Failure::of("tenant", &error);
                warn!(%error, "a permission is missing");
                tell(&tenant.who, &tenant.before, failed(std::slice::from_ref(&failure)), ctx, now).await?;
                Ok(Outcome { wake: Wake::OnChange, trouble: Some(failure.class), writes: 0 })
            }
            other => other,
        }
    }

    async fn reconcile_unreadable(&self, invalid: &InvalidObject, ctx: &Ctx) -> Result<Outcome, Error> {
        let (who, now) = (Identity::of(&invalid.metadata), ctx.clock.now());
        if who.deleting {
            return self.let_go(&who, ctx, now).await;
        }
        if ctx.own_writes.is_ours(&who.uid, version_number(Some(&who.resource_version))) {
            // We have said so. What was said cannot be read back, so saying it
            // again would move its transition time for ever.
            return Ok(done(Wake::OnChange, 0));
        }
        warn!(error = invalid.error, "the stored object does not fit our schema");
        let verdict = Verdict {
            ready: ConditionStatus::False,
            reason: Reason::Unreadable,
            message: format!(
                "this operator cannot read the object ({}); apply it again with the fields it knows",
                invalid.error
            ),
            stalled: true,
        };
        let conditions = settle(ready(&verdict), &[], who.generation, now);
        let status = json!({"observedGeneration": who.generation, "conditions": conditions});
        publish(&who, &status, None, ctx).await?;
        Ok(done(Wake::OnChange, 1))
    }
}

impl TenantWorkflow {
    /// A tenant that stays: observe, plan, apply, status.
    async fn maintain(&self, tenant: &ValidTenant, ctx: &Ctx, now: Timestamp) -> Result<Outcome, Error> {
        if !tenant.who.is_held() {
            let mut finalizers = tenant.who.finalizers.clone();
            finalizers.push(TENANT_FINALIZER.to_owned());
            hold(&tenant.who, &finalizers, ctx).await?;
            return Ok(done(Wake::OnChange, 1));
        }
        let mut plan = plan(tenant, &self.observe(tenant, ctx));
        let steps = std::mem::take(&mut plan.steps);
        let known = tenant.before.observed_generation == tenant.who.generation;
        let repair = known && plan.verdict.ready == ConditionStatus::True;
        let mut applied = apply(&tenant.who, steps, repair, &self.cache, ctx).await;
        applied.failures.extend(plan.gaps.iter().map(Failure::from));
        self.conclude(tenant, &plan, applied, ctx, now).await
    }

    /// Reads, and judges nothing. It makes no call: everything is cached.
    fn observe(&self, tenant: &ValidTenant, ctx: &Ctx) -> Observed {
        let namespace = &tenant.who.namespace;
        Observed {
            namespace: self.cache.namespace(namespace),
            plan: self.plan_of(tenant).map(|plan| plan.spec),
            children: Part::ALL.into_iter().map(|part| (part, self.cache.child(namespace, part))).collect(),
            regions: Regions { configured: ctx.regions.clone(), nodes: self.cache.node_regions() },
            system_namespace: self.system_namespace.clone(),
        }
    }

    fn plan_of(&self, tenant: &ValidTenant) -> Option<TenantPlan> {
        let guard = self.plans.get(&ObjectRef::new(&tenant.spec.plan_ref.name))?;
        guard.0.as_ref().ok().cloned()
    }

    /// Says what came of it: to the platform in the Tenant's status, to the
    /// tenant in its summary.
    async fn conclude(
        &self,
        tenant: &ValidTenant,
        plan: &Plan,
        applied: Applied,
        ctx: &Ctx,
        now: Timestamp,
    ) -> Result<Outcome, Error> {
        let Applied { mut writes, mut failures } = applied;
        if !failures.is_empty() && failures.iter().all(|f| f.class == Class::Conflict) {
            // Somebody else wrote in between: not worth telling, look again.
            return Ok(Outcome { wake: Wake::OnChange, trouble: Some(Class::Conflict), writes });
        }
        let mut status = conclude(tenant, plan, &failures, now);
        let mut wake = plan.wake;
        if plan.holds_namespace {
            let spec = self.plan_of(tenant).map(|plan| plan.spec);
            match mirror(tenant, &status, spec.as_ref(), &self.cache, ctx, now).await {
                Ok((wrote, later)) => {
                    writes += u32::from(wrote);
                    wake = later.filter(|_| wake == Wake::OnChange).map_or(wake, Wake::At);
                }
                Err(error) => {
                    warn!(%error, "the summary was not written");
                    failures.push(Failure::of("summary", &error));
                    status = conclude(tenant, plan, &failures, now);
                }
            }
        }
        writes += u32::from(report(&tenant.who, &tenant.before, &status, ctx, now).await?);
        let trouble = failures.iter().map(|failure| failure.class).min();
        Ok(Outcome { wake, trouble, writes })
    }

    /// A tenant that goes: a fresh read, a plan, its state on record, then its
    /// effects.
    async fn end(
        &self,
        who: &Identity,
        policy: DeletionPolicy,
        before: &TenantStatus,
        ctx: &Ctx,
        now: Timestamp,
    ) -> Result<Outcome, Error> {
        if !who.is_held() {
            return Ok(done(Wake::OnChange, 0));
        }
        let removal = plan_removal(who, policy, before, fresh(who, ctx).await?.as_ref(), now);
        let (mut who, mut recorded) = (who.clone(), before.clone());
        if before.state.as_ref() != Some(&removal.state) {
            recorded.state = Some(removal.state.clone());
            recorded.observed_generation = who.generation;
            recorded.conditions = conditions(&who, before, &removal.waiting(), now);
            let written = publish(&who, &json!(recorded), Some(&who.resource_version), ctx).await?;
            announce(&who, &before.conditions, &recorded.conditions, ctx, now).await;
            who.resource_version = written.metadata.resource_version.unwrap_or_default();
        }
        let failure = match remove(&who, &removal, &self.cache, ctx).await {
            None if removal.finished => match release(&who, ctx).await {
                Ok(()) => return Ok(done(Wake::OnChange, 1)),
                Err(error) => Some(Failure::of("finalizer", &error)),
            },
            failure => failure,
        };
        let verdict =
            failure.as_ref().map_or_else(|| removal.waiting(), |failure| failed(std::slice::from_ref(failure)));
        tell(&who, &recorded, verdict, ctx, now).await?;
        Ok(Outcome { wake: Wake::Within(POLL), trouble: failure.map(|f| f.class), writes: 1 })
    }

    /// A tenant that goes and cannot be read: its policy is unknown, and what
    /// keeps content is the safe one. Nothing is said in its status, which
    /// could not be read back; the log has it.
    async fn let_go(&self, who: &Identity, ctx: &Ctx, now: Timestamp) -> Result<Outcome, Error> {
        if !who.is_held() {
            return Ok(done(Wake::OnChange, 0));
        }
        let namespace = fresh(who, ctx).await?;
        let removal = plan_removal(who, DeletionPolicy::Retain, &TenantStatus::default(), namespace.as_ref(), now);
        match remove(who, &removal, &self.cache, ctx).await {
            None => release(who, ctx).await.map(|()| done(Wake::OnChange, 1)),
            Some(failure) => Ok(Outcome { wake: Wake::OnChange, trouble: Some(failure.class), writes: 0 }),
        }
    }
}

/// The namespace as it is now, not as a cache has it.
async fn fresh(who: &Identity, ctx: &Ctx) -> Result<Option<FreshNamespace>, Error> {
    let target = Target { kind: &NAMESPACES, namespace: None, name: &who.namespace };
    Ok(ctx.server.get(target).await?.as_ref().map(FreshNamespace::of))
}

/// Lets the Tenant go.
async fn release(who: &Identity, ctx: &Ctx) -> Result<(), Error> {
    let others: Vec<String> = who.finalizers.iter().filter(|f| *f != TENANT_FINALIZER).cloned().collect();
    hold(who, &others, ctx).await
}

const fn done(wake: Wake, writes: u32) -> Outcome {
    Outcome { wake, trouble: None, writes }
}

/// Tenants that name the plan `name`, from those known.
pub fn tenants_on(name: &str, tenants: &Store<DeserializeGuard<Tenant>>) -> BTreeSet<String> {
    tenants
        .state()
        .iter()
        .filter_map(|guard| guard.0.as_ref().ok())
        .filter(|tenant| tenant.spec.plan_ref.name == name)
        .filter_map(|tenant| tenant.metadata.name.clone())
        .collect()
}
