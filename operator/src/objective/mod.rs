//! The controller of ServiceLevelObjectives.
//!
//! Rules count in the metrics system (`rendering`); an evaluator reads the
//! counts back for all objectives at once (`cycle`) and notes what it found
//! (`board`); the controller says it in status when it is worth a write
//! (`status`). A source that is down makes data old, and holds stages: it never
//! spends a budget and never restores one. Nothing is kept that could not be
//! read again, so a restart changes no number.

pub mod board;
pub mod cycle;
pub mod lint;
pub mod rendering;
pub mod status;
pub mod told;

use std::sync::Arc;

use hashinsight_crds::names::tenant_of_namespace;
use hashinsight_crds::{ErrorBudgetPolicy, Reason, ServiceLevelObjective, ServiceLevelObjectiveStatus};
use hashinsight_slo::objective::{Objective, Reach, Refused};
use hashinsight_slo::policy::Policy;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};

use self::board::Board;
use self::rendering::Rendering;
use self::status::{PolicySeen, Seen, conclude};
use crate::api::Story;
use crate::ctx::Ctx;
use crate::driver::{Outcome, Wake, Workflow};
use crate::error::{Class, Error};
use crate::kinds::OBJECTIVES;
use crate::publish::Publisher;

const PUBLISHER: Publisher =
    Publisher { kind: &OBJECTIVES, manager: "hashinsight-objective-status", controller: ObjectiveWorkflow::NAME };

/// Objectives as a watch keeps them.
pub type Objectives = Store<DeserializeGuard<ServiceLevelObjective>>;
/// Policies as a watch keeps them.
pub type Policies = Store<DeserializeGuard<ErrorBudgetPolicy>>;

/// The controller.
pub struct ObjectiveWorkflow {
    /// Where the operator lives, and all policies.
    pub system_namespace: String,
    /// What was evaluated.
    pub board: Arc<Board>,
    /// The rules in place.
    pub rendering: Arc<Rendering>,
    /// All policies.
    pub policies: Policies,
}

/// Reads an objective's spec, with the reach its namespace gives it.
pub fn parse(object: &ServiceLevelObjective, system_namespace: &str) -> Result<Objective, Refused> {
    let namespace = object.namespace().unwrap_or_default();
    let reach = if namespace == system_namespace {
        Reach::Everything
    } else {
        // Elsewhere admission lets none in; should one be there, it sees nothing.
        Reach::Tenant(tenant_of_namespace(&namespace).unwrap_or_default().to_owned())
    };
    Objective::parse(&namespace, &object.name_any(), &object.spec, &reach)
}

/// The policy an objective names, as it is now.
pub fn policy_of(object: &ServiceLevelObjective, policies: &Policies, system_namespace: &str) -> PolicySeen {
    let Some(reference) = &object.spec.budget_policy_ref else { return PolicySeen::NotNamed };
    let key = ObjectRef::new(&reference.name).within(system_namespace);
    let found = policies.get(&key);
    match found.as_ref().map(|guard| &guard.0) {
        None => PolicySeen::Missing(format!(
            "no ErrorBudgetPolicy {} is in namespace {system_namespace}; apply it, or name another",
            reference.name
        )),
        Some(Err(invalid)) => {
            PolicySeen::Missing(format!("the ErrorBudgetPolicy {} cannot be read: {}", reference.name, invalid.error))
        }
        Some(Ok(policy)) => match Policy::parse(&policy.spec) {
            Ok(policy) => PolicySeen::There(policy),
            Err(disorder) => PolicySeen::Missing(format!("ErrorBudgetPolicy {}: {disorder}", reference.name)),
        },
    }
}

impl Workflow for ObjectiveWorkflow {
    type Object = ServiceLevelObjective;
    const NAME: &'static str = "objective";

    async fn reconcile(&self, object: &ServiceLevelObjective, ctx: &Ctx) -> Result<Outcome, Error> {
        let now = ctx.clock.now();
        let parsed = parse(object, &self.system_namespace);
        let mut outcome = Outcome { wake: Wake::OnChange, trouble: None, writes: 0 };
        let mut rules = None;
        if let Ok(objective) = &parsed
            && object.metadata.deletion_timestamp.is_none()
            && self.may_render(objective)
        {
            match self.rendering.keep(objective, ctx).await {
                Ok(writes) => outcome.writes += writes,
                Err(error) => {
                    let reason =
                        if error.class() == Class::Forbidden { Reason::PermissionMissing } else { Reason::PartsFailed };
                    outcome.trouble = Some(error.class());
                    rules = Some((reason, format!("its rules are not in place: {}", error.clause())));
                }
            }
        }
        let namespace = object.namespace().unwrap_or_default();
        let (known, freshness) = self.board.seen(&format!("{namespace}/{}", object.name_any()), now);
        let before = object.status.clone().unwrap_or_default();
        let conclusion = conclude(&Seen {
            objective: parsed.as_ref(),
            known: known.as_ref(),
            freshness: &freshness,
            policy: &policy_of(object, &self.policies, &self.system_namespace),
            rules,
            before: &before,
            generation: object.metadata.generation.unwrap_or_default(),
            now,
        });
        if conclusion.due {
            outcome.writes += PUBLISHER.publish(&object.metadata, &conclusion.status, ctx).await?;
            // Events of tenants' objects would need the right to write there.
            if let Some(step) = conclusion.step.filter(|_| namespace == self.system_namespace) {
                let severe = step.stage.name != hashinsight_slo::policy::NORMAL;
                let story = Story {
                    about: object.object_ref(&()),
                    warning: severe,
                    reason: if severe { "StageEntered" } else { "StageLeft" },
                    note: format!("stage {}: {}", step.stage.name, step.why),
                };
                ctx.server.record(story, now).await?;
            }
        }
        Ok(outcome)
    }

    async fn reconcile_unreadable(&self, invalid: &InvalidObject, ctx: &Ctx) -> Result<Outcome, Error> {
        let status = |observed_generation, conditions| ServiceLevelObjectiveStatus {
            observed_generation,
            conditions,
            ..Default::default()
        };
        PUBLISHER.unreadable(invalid, ctx, status).await
    }
}

impl ObjectiveWorkflow {
    /// A query of a person's goes into rules only after the source took it: one
    /// bad rule would keep all others out.
    fn may_render(&self, objective: &Objective) -> bool {
        let lint = self.board.lint(&objective.key(), &objective.id);
        !objective.is_approximate() || lint.is_some_and(|lint| lint.blocking.is_none())
    }
}
