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
pub mod seen;
pub mod valid;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hashinsight_crds::conditions::{Condition, READY, Stated, settle};
use hashinsight_crds::names::TENANT_FINALIZER;
use hashinsight_crds::tenant::{DeletionPolicy, Tenant, TenantStatus};
use hashinsight_crds::{ConditionStatus, Reason, TenantPlan};
use jiff::Timestamp;
use kube::api::DynamicObject;
use kube::core::{DeserializeGuard, error_boundary::InvalidObject};
use kube::runtime::reflector::{ObjectRef, Store};
use serde_json::{Value, json};
use tracing::warn;

use self::apply::{Applied, MANAGER_FINALIZER, MANAGER_STATUS, MANAGER_SUMMARY, apply};
use self::cache::Cache;
use self::conclude::{Failure, conclude, differs, failed, progress, summary, transition};
use self::part::Part;
use self::plan::{Observed, Plan, Verdict, plan};
use self::region::Regions;
use self::removal::{Effect, FreshNamespace, Removal, plan_removal};
use self::seen::Facts;
use self::valid::{Identity, ValidTenant};
use crate::api::{Story, Target};
use crate::ctx::{Ctx, version_number};
use crate::digest::Digest;
use crate::driver::{Outcome, Wake, Workflow};
use crate::error::{Class, Error};
use crate::kinds::NAMESPACES;
use crate::metrics::Standing;

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
        if tenant.who.deleting {
            return self.remove(&tenant.who, tenant.spec.deletion_policy, &tenant.before, ctx, now).await;
        }
        if !tenant.who.is_held() {
            let mut finalizers = tenant.who.finalizers.clone();
            finalizers.push(TENANT_FINALIZER.to_owned());
            hold(&tenant.who, &finalizers, ctx).await?;
            return Ok(done(Wake::OnChange, 1));
        }
        let plan = plan(&tenant, &self.observe(&tenant, ctx));
        let repair = plan.verdict.ready == ConditionStatus::True && tenant.before.observed_generation == tenant.who.generation;
        let mut applied = apply(&tenant.who, plan.steps.clone(), repair, &self.cache, ctx).await;
        applied.failures.extend(plan.gaps.iter().map(Failure::from));
        self.report(&tenant, &plan, applied, ctx, now).await
    }

    async fn reconcile_unreadable(&self, invalid: &InvalidObject, ctx: &Ctx) -> Result<Outcome, Error> {
        let who = Identity::of(&invalid.metadata);
        if who.deleting {
            // Its policy cannot be read: what keeps content is the safe one.
            return self.remove(&who, DeletionPolicy::Retain, &TenantStatus::default(), ctx, ctx.clock.now()).await;
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
            message: format!("this operator cannot read the object ({}); apply it again with the fields it knows", invalid.error),
            stalled: true,
        };
        let conditions = settle(ready(&verdict), &[], who.generation, ctx.clock.now());
        let status = json!({"observedGeneration": who.generation, "conditions": conditions});
        publish(&who, &status, None, ctx).await?;
        Ok(done(Wake::OnChange, 1))
    }
}

impl TenantWorkflow {
    /// Reads, and judges nothing. It makes no call: everything is cached.
    fn observe(&self, tenant: &ValidTenant, ctx: &Ctx) -> Observed {
        let namespace = &tenant.who.namespace;
        let plan = self.plan_of(tenant);
        Observed {
            namespace: self.cache.namespace(namespace),
            plan: plan.as_ref().and_then(|plan| plan.0.as_ref().ok()).map(|plan| plan.spec.clone()),
            children: Part::ALL.into_iter().map(|part| (part, self.cache.child(namespace, part))).collect(),
            regions: Regions { configured: ctx.regions.clone(), nodes: self.cache.node_regions() },
            system_namespace: self.system_namespace.clone(),
        }
    }

    fn plan_of(&self, tenant: &ValidTenant) -> Option<Arc<DeserializeGuard<TenantPlan>>> {
        self.plans.get(&ObjectRef::new(&tenant.spec.plan_ref.name))
    }

    /// Status of the Tenant, event, gauges and the tenant's own summary.
    async fn report(&self, tenant: &ValidTenant, plan: &Plan, applied: Applied, ctx: &Ctx, now: Timestamp) -> Result<Outcome, Error> {
        let Applied { mut writes, failures } = applied;
        let trouble = failures.iter().map(|failure| failure.class).min();
        if !failures.is_empty() && failures.iter().all(|f| f.class == Class::Conflict) {
            // Somebody else wrote in between: not worth telling, look again.
            return Ok(Outcome { wake: Wake::OnChange, trouble, writes });
        }
        let status = conclude(tenant, plan, &failures, now);
        stand(&tenant.who, &status, ctx);
        if differs(&tenant.before, &status) {
            publish(&tenant.who, &json!(status), None, ctx).await?;
            announce(&tenant.who, &tenant.before.conditions, &status.conditions, ctx, now).await;
            writes += 1;
        }
        let mut wake = plan.wake;
        if plan.holds_namespace {
            let (wrote, later) = self.mirror(tenant, &status, ctx, now).await?;
            writes += u32::from(wrote);
            wake = later.filter(|_| wake == Wake::OnChange).map_or(wake, Wake::At);
        }
        Ok(Outcome { wake, trouble, writes })
    }

    /// Writes the summary's status if it would change.
    async fn mirror(&self, tenant: &ValidTenant, status: &TenantStatus, ctx: &Ctx, now: Timestamp) -> Result<(bool, Option<Timestamp>), Error> {
        let namespace = &tenant.who.namespace;
        let facts = |part| self.cache.child(namespace, part).ok().flatten().map(|seen| seen.facts);
        let Some(Facts::Summary { generation, status: shown, used }) = facts(Part::Summary) else {
            return Ok((false, None));
        };
        let plan = self.plan_of(tenant);
        let plan = plan.as_ref().and_then(|plan| plan.0.as_ref().ok()).map(|plan| &plan.spec);
        let quota = facts(Part::Quota);
        let (wanted, later) = summary(tenant, status, plan, quota.as_ref(), (generation, used.as_ref()), now);
        let wanted = json!(wanted);
        if Digest::of(&wanted) == shown {
            return Ok((false, later));
        }
        let target = Part::Summary.target(namespace);
        let object = status_of(target, json!({"name": target.name, "namespace": namespace}), &wanted);
        let written = ctx.server.apply_status(target, MANAGER_SUMMARY, &object).await?;
        self.cache.wrote_child(Part::Summary, &written);
        Ok((true, later))
    }

    /// A removal: a fresh read, a plan, its state on record, then its effects.
    async fn remove(&self, who: &Identity, policy: DeletionPolicy, before: &TenantStatus, ctx: &Ctx, now: Timestamp) -> Result<Outcome, Error> {
        if !who.is_held() {
            forget(who, ctx);
            return Ok(done(Wake::OnChange, 0));
        }
        let target = Target { kind: &NAMESPACES, namespace: None, name: &who.namespace };
        let namespace = ctx.server.get(target).await?.as_ref().map(FreshNamespace::of);
        let removal = plan_removal(who, policy, before, namespace.as_ref(), now);
        let mut who = who.clone();
        let mut status = TenantStatus { observed_generation: who.generation, state: Some(removal.state.clone()), ..before.clone() };
        if before.state != status.state {
            let written = publish(&who, &json!(status), Some(&who.resource_version), ctx).await?;
            who.resource_version = written.metadata.resource_version.unwrap_or_default();
        }
        let failure = self.carry_out(&who, &removal, ctx).await;
        if removal.finished && failure.is_none() {
            let others: Vec<String> = who.finalizers.iter().filter(|f| *f != TENANT_FINALIZER).cloned().collect();
            hold(&who, &others, ctx).await?;
            forget(&who, ctx);
            return Ok(done(Wake::OnChange, 1));
        }
        let verdict = match &failure {
            Some(failure) => failed(std::slice::from_ref(failure)),
            None => Verdict { ready: ConditionStatus::False, reason: removal.reason, message: removal.message.clone(), stalled: false },
        };
        status.conditions = settle(ready(&verdict), &before.conditions, who.generation, now);
        stand(&who, &status, ctx);
        if differs(before, &status) {
            publish(&who, &json!(status), None, ctx).await?;
            announce(&who, &before.conditions, &status.conditions, ctx, now).await;
        }
        Ok(Outcome { wake: Wake::Within(POLL), trouble: failure.map(|f| f.class), writes: 1 })
    }

    /// Effects in order, up to the first that fails.
    async fn carry_out(&self, who: &Identity, removal: &Removal, ctx: &Ctx) -> Option<Failure> {
        for effect in &removal.effects {
            let namespace = Target { kind: &NAMESPACES, namespace: None, name: &who.namespace };
            let (what, result) = match effect {
                Effect::Delete(part) => (part.label(), ctx.server.delete(part.target(&who.namespace), None).await),
                Effect::Release(change) => {
                    ("namespace", ctx.server.patch(namespace, apply::MANAGER_CLAIM, change).await.map(drop))
                }
                Effect::DeleteNamespace(uid) => ("namespace", ctx.server.delete(namespace, Some(uid)).await),
            };
            if let Err(error) = result {
                warn!(part = what, %error, "removal halted");
                return Some(Failure::of(what, &error));
            }
        }
        None
    }
}

const fn done(wake: Wake, writes: u32) -> Outcome {
    Outcome { wake, trouble: None, writes }
}

/// Ready and what goes with it.
fn ready(verdict: &Verdict) -> Vec<Stated> {
    let ready = Stated { type_: READY, status: verdict.ready, reason: verdict.reason, message: verdict.message.clone() };
    std::iter::once(ready).chain(progress(verdict)).collect()
}

/// Sets the finalizers, if the Tenant is as it was seen.
async fn hold(who: &Identity, finalizers: &[String], ctx: &Ctx) -> Result<(), Error> {
    let change = json!({"metadata": {"resourceVersion": who.resource_version, "finalizers": finalizers}});
    let written = ctx.server.patch(who.target(), MANAGER_FINALIZER, &change).await?;
    ctx.own_writes.wrote(&who.uid, version_number(written.metadata.resource_version.as_deref()));
    Ok(())
}

fn status_of(target: Target<'_>, metadata: Value, status: &Value) -> Value {
    json!({"apiVersion": target.kind.api_version(), "kind": target.kind.kind, "metadata": metadata, "status": status})
}

/// Writes the Tenant's status; with `at`, only over that version.
async fn publish(who: &Identity, status: &Value, at: Option<&str>, ctx: &Ctx) -> Result<DynamicObject, Error> {
    let mut metadata = json!({"name": who.name, "uid": who.uid});
    if let Some(version) = at {
        metadata["resourceVersion"] = json!(version);
    }
    let object = status_of(who.target(), metadata, status);
    let written = ctx.server.apply_status(who.target(), MANAGER_STATUS, &object).await?;
    ctx.own_writes.wrote(&who.uid, version_number(written.metadata.resource_version.as_deref()));
    ctx.metrics.status_writes.with_label_values(&[TenantWorkflow::NAME]).inc();
    Ok(written)
}

/// An event, if Ready says something new. An event that cannot be written is
/// no reason to fail.
async fn announce(who: &Identity, before: &[Condition], after: &[Condition], ctx: &Ctx, now: Timestamp) {
    let Some((ready, warning)) = transition(before, after) else { return };
    let Some(reason) = Reason::ALL.iter().find(|reason| reason.as_str() == ready.reason) else { return };
    let story = Story { about: who.reference(), warning, reason: reason.as_str(), note: ready.message.clone() };
    if let Err(error) = ctx.server.record(story, now).await {
        warn!(%error, "the event was not recorded");
    }
}

fn stand(who: &Identity, status: &TenantStatus, ctx: &Ctx) {
    let ready = status.conditions.iter().find(|c| c.type_ == READY);
    let standing = Standing {
        state: status.state.as_ref().map_or("unknown", |state| state.name()),
        not_ready_since: ready.filter(|c| c.status != "True").map(|c| c.last_transition_time.0),
    };
    ctx.metrics.stand(&who.uid, Some(standing));
}

fn forget(who: &Identity, ctx: &Ctx) {
    ctx.metrics.stand(&who.uid, None);
    ctx.backoff.clear(&who.uid);
    ctx.own_writes.forget(&who.uid);
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

