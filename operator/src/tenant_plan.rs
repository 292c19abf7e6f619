//! The plan controller: says that a plan was read. Tenants on it are told by
//! the watch that feeds this controller.

use hashinsight_crds::conditions::{ConditionStatus, READY, RECONCILING, STALLED, Stated, settle};
use hashinsight_crds::{Reason, TenantPlan, TenantPlanStatus};
use kube::api::ObjectMeta;
use kube::core::error_boundary::InvalidObject;
use serde_json::json;

use crate::api::Target;
use crate::ctx::{Ctx, version_number};
use crate::driver::{Outcome, Wake, Workflow};
use crate::error::Error;
use crate::kinds::PLANS;

/// Field manager of TenantPlan status.
const MANAGER_STATUS: &str = "hashinsight-plan-status";

/// The plan controller.
pub struct PlanWorkflow;

impl Workflow for PlanWorkflow {
    type Object = TenantPlan;
    const NAME: &'static str = "tenantplan";

    async fn reconcile(&self, plan: &TenantPlan, ctx: &Ctx) -> Result<Outcome, Error> {
        let ready = Stated {
            type_: READY,
            status: ConditionStatus::True,
            reason: Reason::Accepted,
            message: "tenants may name this plan".to_owned(),
        };
        let before = plan.status.clone().unwrap_or_default();
        publish(&plan.metadata, &before, vec![ready], ctx).await
    }

    async fn reconcile_unreadable(&self, invalid: &InvalidObject, ctx: &Ctx) -> Result<Outcome, Error> {
        let version = version_number(invalid.metadata.resource_version.as_deref());
        if ctx.own_writes.is_ours(invalid.metadata.uid.as_deref().unwrap_or_default(), version) {
            return Ok(Outcome { wake: Wake::OnChange, trouble: None, writes: 0 });
        }
        let message = format!(
            "this operator cannot read the object ({}); apply it again with the fields it knows",
            invalid.error
        );
        let stated = [(READY, ConditionStatus::False), (STALLED, ConditionStatus::True)]
            .map(|(type_, status)| Stated { type_, status, reason: Reason::Unreadable, message: message.clone() });
        publish(&invalid.metadata, &TenantPlanStatus::default(), stated.to_vec(), ctx).await
    }
}

async fn publish(
    meta: &ObjectMeta,
    before: &TenantPlanStatus,
    stated: Vec<Stated>,
    ctx: &Ctx,
) -> Result<Outcome, Error> {
    let generation = meta.generation.unwrap_or_default();
    let own = [READY, RECONCILING, STALLED];
    let mut shown = before.clone();
    shown.conditions.retain(|c| own.contains(&c.type_.as_str()));
    let conditions = settle(stated, &before.conditions, generation, ctx.clock.now());
    let status = TenantPlanStatus { observed_generation: generation, conditions };
    let mut outcome = Outcome { wake: Wake::OnChange, trouble: None, writes: 0 };
    if status != shown && meta.deletion_timestamp.is_none() {
        let name = meta.name.as_deref().unwrap_or_default();
        let target = Target { kind: &PLANS, namespace: None, name };
        let object = json!({
            "apiVersion": PLANS.api_version(),
            "kind": PLANS.kind,
            "metadata": {"name": name, "uid": meta.uid},
            "status": status,
        });
        let written = ctx.server.apply_status(target, MANAGER_STATUS, &object).await?;
        let uid = meta.uid.as_deref().unwrap_or_default();
        ctx.own_writes.wrote(uid, version_number(written.metadata.resource_version.as_deref()));
        ctx.metrics.status_writes.with_label_values(&[PlanWorkflow::NAME]).inc();
        outcome.writes = 1;
    }
    Ok(outcome)
}
