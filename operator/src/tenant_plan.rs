//! The plan controller: says that a plan was read. Tenants on it are told by
//! the watch that feeds this controller.

use hashinsight_crds::conditions::{ConditionStatus, READY, RECONCILING, STALLED, Stated, settle};
use hashinsight_crds::{Reason, TenantPlan, TenantPlanStatus};
use kube::api::ObjectMeta;
use kube::core::error_boundary::InvalidObject;

use crate::ctx::Ctx;
use crate::driver::{Outcome, Wake, Workflow};
use crate::error::Error;
use crate::kinds::PLANS;
use crate::publish::Publisher;

const PUBLISHER: Publisher =
    Publisher { kind: &PLANS, manager: "hashinsight-plan-status", controller: PlanWorkflow::NAME };

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
        let status = |observed_generation, conditions| TenantPlanStatus { observed_generation, conditions };
        PUBLISHER.unreadable(invalid, ctx, status).await
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
    let writes = if status == shown { 0 } else { PUBLISHER.publish(meta, &status, ctx).await? };
    Ok(Outcome { wake: Wake::OnChange, trouble: None, writes })
}
