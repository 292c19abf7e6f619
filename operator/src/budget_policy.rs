//! The controller of ErrorBudgetPolicies: the most severe stage any objective
//! asks for, and what may be released in it and in the freezes that are on.

use hashinsight_crds::budget_policy::{FreezeInForce, Releases};
use hashinsight_crds::change_notice::{NoticeKind, NoticeState};
use hashinsight_crds::conditions::{ConditionStatus, READY, STALLED, Stated, settle};
use hashinsight_crds::objective::StageHeld;
use hashinsight_crds::{
    ChangeNotice, ErrorBudgetPolicy, ErrorBudgetPolicyStatus, Reason, ServiceLevelObjective, whole_second,
};
use hashinsight_slo::policy::{NORMAL, Policy, stricter};
use jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};

use crate::api::Story;
use crate::change_notice;
use crate::ctx::Ctx;
use crate::driver::{Outcome, Wake, Workflow};
use crate::error::Error;
use crate::kinds::BUDGET_POLICIES;
use crate::publish::Publisher;

const PUBLISHER: Publisher =
    Publisher { kind: &BUDGET_POLICIES, manager: "hashinsight-policy-status", controller: PolicyWorkflow::NAME };
/// Freezes that are told.
const FREEZES: usize = 20;

/// The controller.
pub struct PolicyWorkflow {
    /// All objectives.
    pub objectives: Store<DeserializeGuard<ServiceLevelObjective>>,
    /// All notices.
    pub notices: Store<DeserializeGuard<ChangeNotice>>,
    /// All policies.
    pub policies: Store<DeserializeGuard<ErrorBudgetPolicy>>,
}

/// What an objective asks of its policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The objective, as namespace/name.
    pub objective: String,
    /// The stage it is in.
    pub stage: StageHeld,
    /// Hundredths of a percent that are left.
    pub left: i64,
}

/// What is in force: the status of a policy without its conditions.
pub fn in_force(
    policy: &Policy,
    asked: &[Asked],
    freezes: &[(String, Releases)],
    before: &ErrorBudgetPolicyStatus,
    now: Timestamp,
) -> ErrorBudgetPolicyStatus {
    let worst = asked.iter().min_by_key(|asked| {
        (std::cmp::Reverse(policy.severity(&asked.stage.name)), asked.left, asked.objective.clone())
    });
    let name = worst.map_or(NORMAL, |worst| match policy.severity(&worst.stage.name) {
        0 => NORMAL,
        _ => &worst.stage.name,
    });
    let held = before.stage.clone().filter(|held| held.name == name);
    let stage = held.unwrap_or_else(|| StageHeld { name: name.to_owned(), since: whole_second(now) });
    let releases = freezes.iter().fold(policy.releases(name), |so_far, (_, freeze)| stricter(&so_far, freeze));
    ErrorBudgetPolicyStatus {
        observed_generation: before.observed_generation,
        stage: Some(stage),
        worst: worst.map(|worst| worst.objective.clone()),
        objectives: i32::try_from(asked.len()).unwrap_or(i32::MAX),
        releases: Some(releases),
        freezes: freezes.iter().take(FREEZES).map(|(name, _)| FreezeInForce { name: name.clone() }).collect(),
        conditions: Vec::new(),
    }
}

impl PolicyWorkflow {
    fn asked(&self, name: &str) -> Vec<Asked> {
        let all = self.objectives.state();
        let readable = all.iter().filter_map(|objective| objective.0.as_ref().ok());
        let mut asked: Vec<Asked> = readable
            .filter(|objective| objective.spec.budget_policy_ref.as_ref().is_some_and(|policy| policy.name == name))
            .filter_map(|objective| {
                let status = objective.status.as_ref()?;
                let left = status.budget.as_ref().map_or("100.00", |budget| &budget.remaining_percent);
                Some(Asked {
                    objective: format!("{}/{}", objective.namespace().unwrap_or_default(), objective.name_any()),
                    stage: status.stage.clone()?,
                    left: left.replace('.', "").parse().unwrap_or(0),
                })
            })
            .collect();
        asked.sort_by(|a, b| a.objective.cmp(&b.objective));
        asked
    }

    /// The freezes in force at `now`, and when the next begins or ends.
    fn freezes(&self, now: Timestamp) -> (Vec<(String, Releases)>, Option<Timestamp>) {
        let all = self.notices.state();
        let readable = all.iter().filter_map(|notice| notice.0.as_ref().ok());
        let (mut freezes, mut next) = (Vec::new(), None::<Timestamp>);
        for notice in readable.filter(|notice| notice.spec.kind == NoticeKind::Freeze) {
            let (state, change) = change_notice::state(&notice.spec, now);
            next = next.into_iter().chain(change).min();
            if let (NoticeState::InForce, Some(freeze)) = (state, &notice.spec.freeze_releases) {
                freezes.push((notice.name_any(), Releases { allow: freeze.allow, max_step_percent: None }));
            }
        }
        freezes.sort_by(|(a, _), (b, _)| a.cmp(b));
        (freezes, next)
    }

    /// Tells the stages of all policies as metrics, this one's as it is now.
    fn tell(&self, name: &str, stage: &str, ctx: &Ctx) {
        let all = self.policies.state();
        let mut told = Vec::new();
        for policy in all.iter().filter_map(|policy| policy.0.as_ref().ok()) {
            let held = policy.status.as_ref().and_then(|status| status.stage.as_ref());
            let own = policy.name_any();
            let in_force = if own == name { stage } else { held.map_or(NORMAL, |held| &held.name) }.to_owned();
            told.push((own.clone(), NORMAL.to_owned(), false, in_force == NORMAL));
            let stages = policy.spec.stages.iter();
            told.extend(stages.map(|stage| (own.clone(), stage.name.clone(), stage.page, stage.name == in_force)));
        }
        let told = told.iter().map(|(policy, stage, page, is)| (policy.as_str(), stage.as_str(), *page, *is));
        ctx.metrics.budgets.stages(told);
    }
}

fn accepted(status: &ErrorBudgetPolicyStatus) -> Vec<Stated> {
    let stage = status.stage.as_ref().map_or(NORMAL, |stage| &stage.name);
    let because = status.worst.as_ref().map_or(String::new(), |worst| format!(", for {worst}"));
    let message = format!("stage {stage} is in force{because}");
    vec![Stated { type_: READY, status: ConditionStatus::True, reason: Reason::Accepted, message }]
}

impl Workflow for PolicyWorkflow {
    type Object = ErrorBudgetPolicy;
    const NAME: &'static str = "errorbudgetpolicy";

    async fn reconcile(&self, object: &ErrorBudgetPolicy, ctx: &Ctx) -> Result<Outcome, Error> {
        let now = ctx.clock.now();
        let before = object.status.clone().unwrap_or_default();
        let generation = object.metadata.generation.unwrap_or_default();
        let (freezes, next) = self.freezes(now);
        let (mut status, stated) =
            match Policy::parse(&object.spec) {
                Ok(policy) => {
                    let status = in_force(&policy, &self.asked(&object.name_any()), &freezes, &before, now);
                    let stated = accepted(&status);
                    (status, stated)
                }
                Err(disorder) => {
                    let stated =
                        [(READY, ConditionStatus::False), (STALLED, ConditionStatus::True)].map(|(type_, status)| {
                            Stated { type_, status, reason: Reason::SpecRefused, message: disorder.to_string() }
                        });
                    (before.clone(), stated.to_vec())
                }
            };
        status.observed_generation = generation;
        status.conditions = settle(stated, &before.conditions, generation, now);
        let stage = status.stage.as_ref().map_or(NORMAL, |stage| &stage.name);
        self.tell(&object.name_any(), stage, ctx);
        let mut writes = 0;
        if status != before {
            writes = PUBLISHER.publish(&object.metadata, &status, ctx).await?;
            let was = before.stage.as_ref().map(|stage| stage.name.as_str());
            if was != Some(stage) && (was.is_some() || stage != NORMAL) {
                let story = Story {
                    about: object.object_ref(&()),
                    warning: stage != NORMAL,
                    reason: if stage == NORMAL { "StageLeft" } else { "StageEntered" },
                    note: format!(
                        "stage {stage} is in force, after {}; worst objective: {}",
                        was.unwrap_or(NORMAL),
                        status.worst.as_deref().unwrap_or("none")
                    ),
                };
                ctx.server.record(story, now).await?;
            }
        }
        Ok(Outcome { wake: next.map_or(Wake::OnChange, Wake::At), trouble: None, writes })
    }

    async fn reconcile_unreadable(&self, invalid: &InvalidObject, ctx: &Ctx) -> Result<Outcome, Error> {
        let status = |observed_generation, conditions| ErrorBudgetPolicyStatus {
            observed_generation,
            conditions,
            ..Default::default()
        };
        PUBLISHER.unreadable(invalid, ctx, status).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hashinsight_crds::budget_policy::Allow;

    #[test]
    fn the_worst_objective_and_the_strictest_freeze_win() {
        let spec = "{stages: [{name: Cautious, enterAtOrBelowPercent: 50, leaveAtOrAbovePercent: 60, \
                    minimumHoldMinutes: 1, releases: {allow: All, maxStepPercent: 10}, page: false}, \
                    {name: Frozen, enterAtOrBelowPercent: 0, leaveAtOrAbovePercent: 10, minimumHoldMinutes: 1, \
                    releases: {allow: FixesOnly}, page: true}]}";
        let policy = Policy::parse(&serde_saphyr::from_str(spec).unwrap()).unwrap();
        let now = Timestamp::from_second(1_000).unwrap();
        let asked = |objective: &str, stage: &str, left| Asked {
            objective: objective.into(),
            stage: StageHeld { name: stage.into(), since: whole_second(Timestamp::UNIX_EPOCH) },
            left,
        };
        let none = ErrorBudgetPolicyStatus::default();
        let all = [asked("a/x", NORMAL, 9_000), asked("b/y", "Cautious", 5_500), asked("c/z", "Cautious", 4_000)];
        let status = in_force(&policy, &all, &[], &none, now);
        assert_eq!((status.stage.as_ref().unwrap().name.as_str(), status.worst.as_deref()), ("Cautious", Some("c/z")));
        assert_eq!(status.releases, Some(Releases { allow: Allow::All, max_step_percent: Some(10) }));
        let freeze = [("holidays".to_owned(), Releases { allow: Allow::FixesOnly, max_step_percent: None })];
        let frozen = in_force(&policy, &all, &freeze, &status, Timestamp::from_second(2_000).unwrap());
        assert_eq!(frozen.releases, Some(Releases { allow: Allow::FixesOnly, max_step_percent: Some(10) }));
        assert_eq!(frozen.stage, status.stage, "since when is kept");
        // A stage the policy no longer has asks for nothing.
        let gone = in_force(&policy, &[asked("a/x", "Panicking", 0)], &[], &none, now);
        assert_eq!(gone.stage.unwrap().name, NORMAL);
    }
}
