//! Incidents: an alert of ours that wakes somebody is put on record, with one
//! clock for each plan's promise. The alerts are read from the metrics system
//! (`firing`); where an incident stands is decided purely (`standing`); people
//! say in its spec who took it and who ended it.

pub mod firing;
mod standing;

use std::sync::Arc;

use hashinsight_crds::incident::{Hand, Missed};
use hashinsight_crds::objective::Cause;
use hashinsight_crds::{Incident, IncidentStatus, TenantPlan};
use hashinsight_slo::ledger::Claim;
use jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};

use self::firing::Alarms;
use self::standing::{Seen, conclude};
use crate::api::{Story, Target};
use crate::ctx::Ctx;
use crate::driver::{Outcome, Wake, Workflow};
use crate::error::Error;
use crate::kinds::INCIDENTS;
use crate::publish::Publisher;

const PUBLISHER: Publisher =
    Publisher { kind: &INCIDENTS, manager: "hashinsight-incident-status", controller: IncidentWorkflow::NAME };

/// Incidents as a watch keeps them.
pub type Incidents = Store<DeserializeGuard<Incident>>;
/// Plans as a watch keeps them.
pub type Plans = Store<DeserializeGuard<TenantPlan>>;

/// The controller.
pub struct IncidentWorkflow {
    /// What fires.
    pub alarms: Arc<Alarms>,
    /// Every plan.
    pub plans: Plans,
}

/// When a person's word was given, by the API server's clock. The watch leaves
/// that out, so the object is read once more; `None` when nobody gave it or it
/// is on record already.
async fn given(incident: &Incident, hand: Option<&Hand>, field: &str, ctx: &Ctx) -> Result<Option<Timestamp>, Error> {
    let Some(_) = hand else { return Ok(None) };
    let (namespace, name) = (incident.namespace(), incident.name_any());
    let target = Target { kind: &INCIDENTS, namespace: namespace.as_deref(), name: &name };
    let stored = ctx.server.get(target).await?;
    let entries = stored.and_then(|stored| stored.metadata.managed_fields).unwrap_or_default();
    let of_field = entries.iter().filter(|entry| {
        entry.fields_v1.as_ref().is_some_and(|fields| !fields.0["f:spec"][format!("f:{field}")].is_null())
    });
    Ok(Some(of_field.filter_map(|entry| Some(entry.time.as_ref()?.0)).min().unwrap_or_else(|| ctx.clock.now())))
}

/// What an incident claims of a budget's ledger: from when the alert fired
/// until it was over.
pub fn claim(incident: &Incident, now: Timestamp) -> Claim {
    let over = incident.status.as_ref().and_then(|status| status.resolved_at.as_ref());
    Claim {
        from: incident.spec.started_at.0,
        to: over.map_or(now, |over| over.0),
        cause: Cause::Incident,
        name: incident.name_any(),
    }
}

impl Workflow for IncidentWorkflow {
    type Object = Incident;
    const NAME: &'static str = "incident";

    async fn reconcile(&self, incident: &Incident, ctx: &Ctx) -> Result<Outcome, Error> {
        let now = ctx.clock.now();
        let before = incident.status.clone().unwrap_or_default();
        let spec = &incident.spec;
        let acknowledged = spec.acknowledged.as_ref().filter(|_| before.acknowledged_at.is_none());
        let resolved = spec.resolved.as_ref().filter(|_| before.resolved_at.is_none());
        let acknowledged_at = given(incident, acknowledged, "acknowledged", ctx).await?;
        let resolved_at = given(incident, resolved, "resolved", ctx).await?;
        let plans = self.plans.state();
        let (status, next) = conclude(&Seen {
            incident,
            plans: &plans.iter().filter_map(|plan| plan.0.as_ref().ok()).collect::<Vec<_>>(),
            acknowledged_at,
            resolved_at,
            ended: self.alarms.ended(&spec.fingerprint, now),
            heard: self.alarms.heard_lately(now),
            now,
        });
        let mut outcome = Outcome { wake: next.map_or(Wake::OnChange, Wake::At), trouble: None, writes: 0 };
        if status != before {
            outcome.writes += PUBLISHER.publish(&incident.metadata, &status, ctx).await?;
            let missed = |status: &IncidentStatus| -> Vec<Missed> { status.clocks.iter().map(|c| c.missed).collect() };
            let news = status.clocks.iter().any(|clock| clock.missed != Missed::Nothing);
            if news && missed(&status) != missed(&before) {
                let promise = status.conditions.iter().find(|c| c.type_ == hashinsight_crds::conditions::PROMISES_KEPT);
                let note = promise.map(|condition| condition.message.clone()).unwrap_or_default();
                let story = Story { about: incident.object_ref(&()), warning: true, reason: "PromiseMissed", note };
                ctx.server.record(story, now).await?;
            }
        }
        Ok(outcome)
    }

    async fn reconcile_unreadable(&self, invalid: &InvalidObject, ctx: &Ctx) -> Result<Outcome, Error> {
        let status =
            |observed_generation, conditions| IncidentStatus { observed_generation, conditions, ..Default::default() };
        PUBLISHER.unreadable(invalid, ctx, status).await
    }
}
