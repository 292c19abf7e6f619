//! What is said of an objective, decided purely: conditions, stage, and
//! whether it is worth a write.

use hashinsight_crds::conditions::{
    BUDGET_HEALTHY, ConditionStatus, DATA_FRESH, READY, RECONCILING, SPEC_SOUND, STALLED, Stated, settle,
};
use hashinsight_crds::objective::{Budget, ServiceLevelObjectiveStatus};
use hashinsight_crds::{Reason, whole_second};
use hashinsight_slo::budget::Standing;
use hashinsight_slo::objective::{Objective, Refused};
use hashinsight_slo::policy::{Policy, Step};
use jiff::{SignedDuration, Timestamp};

use super::board::{Freshness, Known};

/// Status follows a budget that moves at most this often.
const PACE: SignedDuration = SignedDuration::from_mins(5);
/// And only when it has moved by this much, in hundredths of a percent.
const MOVED: i64 = 100;

/// The policy an objective names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySeen {
    /// It names none.
    NotNamed,
    /// It names one that is not there, or that cannot be used.
    Missing(String),
    /// It names this one.
    There(Policy),
}

/// All that is known when status is decided.
pub struct Seen<'a> {
    /// The spec, read.
    pub objective: Result<&'a Objective, &'a Refused>,
    /// What was evaluated.
    pub known: Option<&'a Known>,
    /// How recent that is.
    pub freshness: &'a Freshness,
    /// Its policy.
    pub policy: &'a PolicySeen,
    /// Why its rules are not in place.
    pub rules: Option<(Reason, String)>,
    /// What stands in status.
    pub before: &'a ServiceLevelObjectiveStatus,
    /// Generation of the spec.
    pub generation: i64,
    /// Now.
    pub now: Timestamp,
}

/// What to say.
pub struct Conclusion {
    /// The status.
    pub status: ServiceLevelObjectiveStatus,
    /// Whether it is worth a write.
    pub due: bool,
    /// The step to another stage, if there was one.
    pub step: Option<Step>,
}

/// Decides what is said.
pub fn conclude(seen: &Seen<'_>) -> Conclusion {
    let mut status = seen.before.clone();
    status.observed_generation = seen.generation;
    let evaluation = seen.known.and_then(|known| known.evaluation.as_ref()).filter(|e| e.since.is_some());
    let mut step = None;
    if let (Ok(objective), Some(evaluation)) = (seen.objective, evaluation)
        && seen.known.is_some_and(|known| known.objective.id == objective.id)
    {
        status.budget = Some(evaluation.status(seen.before.budget.as_ref()));
        status.measured_since = evaluation.since.map(whole_second);
        status.indicator = Some(objective.id.clone());
        status.worst.clone_from(&evaluation.worst);
        status.ledger.clone_from(&evaluation.ledger);
        let decides = seen.freshness.is_fresh() && evaluation.standing.decides();
        let remaining = decides.then(|| evaluation.budget.remaining_share());
        match seen.policy {
            PolicySeen::NotNamed => status.stage = None,
            // Until it is back, what was in force stays in force.
            PolicySeen::Missing(_) => {}
            PolicySeen::There(policy) => {
                let took = policy.step(seen.before.stage.as_ref(), remaining, seen.now);
                status.stage = Some(took.stage.clone());
                step = took.changed.then_some(took);
            }
        }
    }
    status.conditions = settle(conditions(seen), &seen.before.conditions, seen.generation, seen.now);
    let due = due(seen.before, &status, seen.now);
    Conclusion { status, due, step }
}

fn is(type_: &'static str, status: ConditionStatus, reason: Reason, message: impl Into<String>) -> Stated {
    Stated { type_, status, reason, message: message.into() }
}

/// Ready, and what explains it when it is not.
fn ready(seen: &Seen<'_>) -> Vec<Stated> {
    let stalled = |reason: Reason, message: String| {
        vec![
            is(READY, ConditionStatus::False, reason, message.clone()),
            is(STALLED, ConditionStatus::True, reason, message),
        ]
    };
    let working = |reason: Reason, message: String| {
        vec![
            is(READY, ConditionStatus::False, reason, message.clone()),
            is(RECONCILING, ConditionStatus::True, reason, message),
        ]
    };
    let objective = match seen.objective {
        Ok(objective) => objective,
        Err(refused) => return stalled(Reason::SpecRefused, refused.to_string()),
    };
    if let Some((reason, why)) = seen.known.and_then(|known| known.lint.as_ref()).and_then(|lint| lint.blocking.clone())
    {
        return stalled(reason, why);
    }
    if let PolicySeen::Missing(why) = seen.policy {
        return stalled(Reason::PolicyMissing, why.clone());
    }
    if let Some((reason, why)) = &seen.rules {
        return working(*reason, why.clone());
    }
    let measured = seen.before.measured_since.is_some() && seen.before.indicator.as_ref() == Some(&objective.id)
        || seen.known.and_then(|known| known.evaluation.as_ref()).is_some_and(|evaluation| evaluation.since.is_some());
    if measured {
        let message = format!("{} % over {} is measured", objective.target.percentage(), objective.window.told());
        return vec![is(READY, ConditionStatus::True, Reason::Evaluated, message)];
    }
    match seen.freshness.reason {
        reason @ Reason::SourceNotSet => stalled(reason, seen.freshness.message.clone()),
        reason => working(reason, seen.freshness.message.clone()),
    }
}

fn conditions(seen: &Seen<'_>) -> Vec<Stated> {
    let mut all = ready(seen);
    let Ok(objective) = seen.objective else { return all };
    let fresh = if seen.freshness.is_fresh() { ConditionStatus::True } else { ConditionStatus::False };
    all.push(is(DATA_FRESH, fresh, seen.freshness.reason, seen.freshness.message.clone()));
    let window = objective.window.told();
    if let Some(evaluation) = seen.known.and_then(|known| known.evaluation.as_ref()) {
        let (status, reason, message) = match evaluation.standing {
            Standing::NotMeasured => {
                (ConditionStatus::Unknown, Reason::NotMeasuredYet, format!("nothing was counted in {window}"))
            }
            Standing::CoverageTooLow => (
                ConditionStatus::Unknown,
                Reason::CoverageTooLow,
                format!("less than {} % of the time was measured", objective.minimum.coverage_percent),
            ),
            Standing::TooFewEvents => (
                ConditionStatus::Unknown,
                Reason::TooFewEvents,
                format!("fewer than {} events were counted in {window}", objective.minimum.events),
            ),
            Standing::Exhausted => {
                (ConditionStatus::False, Reason::BudgetExhausted, format!("nothing is left of the budget of {window}"))
            }
            Standing::Available => {
                (ConditionStatus::True, Reason::BudgetAvailable, format!("budget of {window} is left"))
            }
        };
        all.push(is(BUDGET_HEALTHY, status, reason, message));
    }
    let mut remarks = objective.remarks();
    remarks.extend(seen.known.and_then(|known| known.lint.as_ref()).into_iter().flat_map(|lint| lint.remarks.clone()));
    if seen.known.and_then(|known| known.evaluation.as_ref()).is_some_and(|evaluation| evaluation.more_bad_than_all) {
        remarks
            .push("more bad events than events were counted: badSelector selects what totalSelector does not".into());
    }
    all.push(if remarks.is_empty() {
        is(SPEC_SOUND, ConditionStatus::True, Reason::Sound, "nothing speaks against the spec")
    } else {
        is(SPEC_SOUND, ConditionStatus::False, Reason::Doubtful, remarks.join("; "))
    });
    all
}

/// Whether `after` is worth a write: something other than a number changed, or
/// the budget moved by a percent and the last word is five minutes old.
fn due(before: &ServiceLevelObjectiveStatus, after: &ServiceLevelObjectiveStatus, now: Timestamp) -> bool {
    if before.observed_generation != after.observed_generation
        || before.conditions != after.conditions
        || before.stage != after.stage
        || before.indicator != after.indicator
    {
        return true;
    }
    match (&before.budget, &after.budget) {
        (None, None) => false,
        (Some(old), Some(new)) => {
            let exhaustion = old.exhausted_at.is_some() != new.exhausted_at.is_some();
            let paced = now.duration_since(old.as_of.0) >= PACE;
            exhaustion || paced && left(old).abs_diff(left(new)) >= MOVED.unsigned_abs()
        }
        _ => true,
    }
}

/// Hundredths of a percent that are left.
fn left(budget: &Budget) -> i64 {
    budget.remaining_percent.replace('.', "").parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use hashinsight_crds::objective::ServiceLevelObjectiveSpec;
    use hashinsight_slo::counts::Counts;
    use hashinsight_slo::evaluation::{Facts, evaluate};
    use hashinsight_slo::objective::Reach;

    fn objective() -> Objective {
        let spec: ServiceLevelObjectiveSpec = serde_saphyr::from_str(
            "{service: core, objectivePercent: '99', window: {rollingDays: 30}, budgetPolicyRef: {name: p}, indicator: \
             {events: {metric: m, totalSelector: 'job=\"c\"', badSelector: 'job=\"c\",code=\"5\"'}}}",
        )
        .unwrap();
        Objective::parse("ns", "o", &spec, &Reach::Everything).unwrap()
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
    }

    fn known(bad: u64, minute: i64) -> Known {
        let objective = objective();
        let facts = Facts {
            now: at(minute),
            since: Some(at(-100_000)),
            counts: Counts { total: 1_000_000, bad, measured: 2_592_000 },
            ..Facts::default()
        };
        let evaluation = Some(evaluate(&objective, &facts));
        Known { objective: Arc::new(objective), evaluation, silent: false, spoiled: None, lint: None }
    }

    fn policy() -> PolicySeen {
        let stages = "{stages: [{name: Cautious, enterAtOrBelowPercent: 50, leaveAtOrAbovePercent: 60, \
                      minimumHoldMinutes: 10, releases: {allow: All}, page: false}]}";
        PolicySeen::There(Policy::parse(&serde_saphyr::from_str(stages).unwrap()).unwrap())
    }

    fn run(known: Option<&Known>, fresh: bool, before: &ServiceLevelObjectiveStatus, minute: i64) -> Conclusion {
        let reason = if fresh { Reason::DataIsFresh } else { Reason::SourceUnreachable };
        let freshness = Freshness { reason, message: "m".into() };
        let objective = objective();
        let (policy, rules) = (policy(), None);
        let (objective, freshness, policy) = (Ok(&objective), &freshness, &policy);
        conclude(&Seen { objective, known, freshness, policy, rules, before, generation: 1, now: at(minute) })
    }

    fn condition(status: &ServiceLevelObjectiveStatus, type_: &str) -> (String, String) {
        let found = status.conditions.iter().find(|c| c.type_ == type_);
        found.map(|c| (c.status.clone(), c.reason.clone())).unwrap_or_default()
    }

    #[test]
    fn status_is_written_for_a_percent_and_not_within_five_minutes() {
        let first = run(Some(&known(1_000, 0)), true, &ServiceLevelObjectiveStatus::default(), 0);
        assert!(first.due);
        let quiet = run(Some(&known(1_000, 10)), true, &first.status, 10);
        assert!(!quiet.due);
        // Two percent more, but four minutes later.
        let early = run(Some(&known(1_200, 4)), true, &first.status, 4);
        assert!(!early.due);
        let later = run(Some(&known(1_200, 5)), true, &first.status, 5);
        assert!(later.due);
        assert_eq!(later.status.budget.as_ref().unwrap().remaining_percent, "88.00");
    }

    #[test]
    fn a_stage_is_told_at_once_and_held_while_the_source_is_down() {
        let first = run(Some(&known(1_000, 0)), true, &ServiceLevelObjectiveStatus::default(), 0);
        assert_eq!(first.status.stage.as_ref().unwrap().name, "Normal");
        let worse = run(Some(&known(6_000, 1)), true, &first.status, 1);
        assert!(worse.due && worse.step.is_some());
        assert_eq!(worse.status.stage.as_ref().unwrap().name, "Cautious");
        // The source is down: the stage is held, the budget stands, and it is said once.
        let dark = run(Some(&known(6_000, 1)), false, &worse.status, 60);
        assert!(dark.due);
        assert_eq!(condition(&dark.status, DATA_FRESH), ("False".into(), "SourceUnreachable".into()));
        assert_eq!(condition(&dark.status, READY), ("True".into(), "Evaluated".into()));
        assert_eq!(dark.status.stage, worse.status.stage);
        let still = run(Some(&known(6_000, 1)), false, &dark.status, 600);
        assert!(!still.due);
        // Even with nothing known, as after a restart.
        let restarted = run(None, false, &dark.status, 601);
        assert_eq!(
            (restarted.status.stage.clone(), restarted.status.budget.clone()),
            (dark.status.stage, dark.status.budget)
        );
    }

    #[test]
    fn a_refused_spec_and_a_missing_policy_stall() {
        let refused = Refused::NotOneIndicator;
        let freshness = Freshness { reason: Reason::DataIsFresh, message: "m".into() };
        let before = ServiceLevelObjectiveStatus::default();
        let seen = Seen {
            objective: Err(&refused),
            known: None,
            freshness: &freshness,
            policy: &PolicySeen::NotNamed,
            rules: None,
            before: &before,
            generation: 1,
            now: at(0),
        };
        let status = conclude(&seen).status;
        assert_eq!(condition(&status, STALLED), ("True".into(), "SpecRefused".into()));
        let objective = objective();
        let missing = PolicySeen::Missing("no ErrorBudgetPolicy is named p".into());
        let status = conclude(&Seen { objective: Ok(&objective), policy: &missing, ..seen }).status;
        assert_eq!(condition(&status, STALLED), ("True".into(), "PolicyMissing".into()));
    }
}
