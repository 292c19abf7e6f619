//! What the controller says: the Tenant's status, its event, its gauges, and
//! the summary the tenant itself may read. Each is written only when it
//! changes.

use hashinsight_crds::Reason;
use hashinsight_crds::conditions::{Condition, READY, REGION_PROVEN, Stated, settle};
use hashinsight_crds::tenant::TenantStatus;
use hashinsight_crds::tenant_plan::TenantPlanSpec;
use jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use tracing::warn;

use super::TenantWorkflow;
use super::apply::{MANAGER_STATUS, MANAGER_SUMMARY};
use super::cache::Cache;
use super::conclude::{differs, progress, summary, transition};
use super::part::Part;
use super::plan::Verdict;
use super::seen::Facts;
use super::valid::{Identity, ValidTenant};
use crate::api::{Story, Target};
use crate::ctx::{Ctx, version_number};
use crate::digest::Digest;
use crate::driver::Workflow;
use crate::error::Error;
use crate::metrics::Standing;

/// Ready and what goes with it.
pub(super) fn ready(verdict: &Verdict) -> Vec<Stated> {
    let ready =
        Stated { type_: READY, status: verdict.ready, reason: verdict.reason, message: verdict.message.clone() };
    std::iter::once(ready).chain(progress(verdict)).collect()
}

/// The conditions that say `verdict`, beside what was said of the region.
pub(super) fn conditions(who: &Identity, before: &TenantStatus, verdict: &Verdict, now: Timestamp) -> Vec<Condition> {
    let mut conditions = settle(ready(verdict), &before.conditions, who.generation, now);
    conditions.extend(before.conditions.iter().filter(|c| c.type_ == REGION_PROVEN).cloned());
    conditions
}

/// Says `verdict` of a tenant and leaves all else as it was said before.
pub(super) async fn tell(
    who: &Identity,
    before: &TenantStatus,
    verdict: Verdict,
    ctx: &Ctx,
    now: Timestamp,
) -> Result<(), Error> {
    let conditions = conditions(who, before, &verdict, now);
    let status = TenantStatus { observed_generation: who.generation, conditions, ..before.clone() };
    report(who, before, &status, ctx, now).await.map(drop)
}

/// Gauges, and status and event if they say something new. Returns whether
/// the status was written.
pub(super) async fn report(
    who: &Identity,
    before: &TenantStatus,
    status: &TenantStatus,
    ctx: &Ctx,
    now: Timestamp,
) -> Result<bool, Error> {
    stand(who, status, ctx);
    if !differs(before, status) {
        return Ok(false);
    }
    publish(who, &json!(status), None, ctx).await?;
    announce(who, &before.conditions, &status.conditions, ctx, now).await;
    Ok(true)
}

/// Writes the Tenant's status; with `at`, only over that version.
pub(super) async fn publish(
    who: &Identity,
    status: &Value,
    at: Option<&str>,
    ctx: &Ctx,
) -> Result<DynamicObject, Error> {
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

/// Writes the summary's status if it would change. Returns whether it did, and
/// when fresher figures of use may be shown.
pub(super) async fn mirror(
    tenant: &ValidTenant,
    status: &TenantStatus,
    plan: Option<&TenantPlanSpec>,
    cache: &Cache,
    ctx: &Ctx,
    now: Timestamp,
) -> Result<(bool, Option<Timestamp>), Error> {
    let namespace = &tenant.who.namespace;
    let facts = |part| cache.child(namespace, part).ok().flatten().map(|seen| seen.facts);
    let Some(Facts::Summary { generation, status: shown, used }) = facts(Part::Summary) else {
        return Ok((false, None));
    };
    let (wanted, later) = summary(tenant, status, plan, facts(Part::Quota).as_ref(), (generation, used.as_ref()), now);
    let wanted = json!(wanted);
    if Digest::of(&wanted) == shown {
        return Ok((false, later));
    }
    let target = Part::Summary.target(namespace);
    let object = status_of(target, json!({"name": target.name, "namespace": namespace}), &wanted);
    let written = ctx.server.apply_status(target, MANAGER_SUMMARY, &object).await?;
    cache.wrote_child(Part::Summary, &written);
    Ok((true, later))
}

fn status_of(target: Target<'_>, metadata: Value, status: &Value) -> Value {
    json!({"apiVersion": target.kind.api_version(), "kind": target.kind.kind, "metadata": metadata, "status": status})
}

/// An event, if Ready says something new. An event that cannot be written is
/// no reason to fail.
pub(super) async fn announce(who: &Identity, before: &[Condition], after: &[Condition], ctx: &Ctx, now: Timestamp) {
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
