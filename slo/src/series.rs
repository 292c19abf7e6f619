//! Names and labels of every series the rules record and the operator tells,
//! each once. What is recorded is counts: rates are made of them, never the
//! other way round.

use crate::objective::Objective;
use crate::selector::Selector;

/// What one process's counters showed: labels of the objective, `count`
/// (`total`, `bad`), `job` and `instance`.
pub const PROCESS: &str = "hashinsight_slo:process";
/// What was counted in one step: labels of the objective and `count`
/// (`total`, `bad`, `measured`; the last in seconds).
pub const COUNTED: &str = "hashinsight_slo:counted";
/// Events of one timeslice, before it is judged.
pub const SLICE: &str = "hashinsight_slo:slice";
/// As [`PROCESS`], for each value of the partition's label.
pub const PROCESS_BY: &str = "hashinsight_slo:process_by";
/// As [`COUNTED`], for each value of the partition's label.
pub const COUNTED_BY: &str = "hashinsight_slo:counted_by";
/// Burn rate: labels of the objective and `window`.
pub const BURN: &str = "hashinsight_slo:burn";

/// What the operator tells of an objective: minutes of budget that are left.
pub const REMAINING_MINUTES: &str = "hashinsight_slo_budget_remaining_minutes";
/// Share of the budget that is left, 1 being all of it.
pub const REMAINING_RATIO: &str = "hashinsight_slo_budget_remaining_ratio";
/// Seconds until nothing is left if the last hour goes on.
pub const EXHAUSTION_SECONDS: &str = "hashinsight_slo_exhaustion_seconds";
/// Share of the time that was measured.
pub const COVERAGE_RATIO: &str = "hashinsight_slo_coverage_ratio";
/// Share that is promised.
pub const TARGET_RATIO: &str = "hashinsight_slo_target_ratio";
/// When the objective was evaluated last, by the operator's clock.
pub const EVALUATED: &str = "hashinsight_slo_evaluated_timestamp_seconds";
/// 1 for the stage a policy is in, with labels `policy`, `stage` and `page`.
pub const STAGE: &str = "hashinsight_slo_policy_stage";

/// Incidents, with label `state`.
pub const INCIDENTS: &str = "hashinsight_incidents";
/// 1 while an incident is not over and missed a promise, with labels
/// `incident`, `plan` and `promise` (`response` or `recovery`).
pub const PROMISE_MISSED: &str = "hashinsight_incident_promise_missed";

/// 1 for the state a core's rollout is in, 0 for the others, with labels `core`
/// and `state`.
pub const CORE_STATE: &str = "hashinsight_core_state";
/// Share of traffic a revision is meant to have, with labels `core`, `revision`
/// and `role` (`stable` or `canary`).
pub const CORE_WEIGHT: &str = "hashinsight_core_weight_percent";
/// 1 for the verdict on a canary, with labels `core` and `verdict`.
pub const CORE_VERDICT: &str = "hashinsight_core_verdict";
/// Requests of the canary that were counted, with labels `core` and `count`
/// (`total`, `bad`).
pub const CORE_REQUESTS: &str = "hashinsight_core_canary_requests";
/// Revisions that were taken back, with labels `core` and `reason`.
pub const CORE_ROLLBACKS: &str = "hashinsight_core_rollbacks_total";

/// Label of an objective's namespace.
pub const NAMESPACE_LABEL: &str = "slo_namespace";
/// Label of an objective's name.
pub const NAME_LABEL: &str = "slo";
/// Label of what is counted, so that another indicator begins anew.
pub const INDICATOR_LABEL: &str = "indicator";
/// Label that tells bad from total.
pub const COUNT_LABEL: &str = "count";
/// Label of a stretch of time.
pub const WINDOW_LABEL: &str = "window";

/// Values of [`COUNT_LABEL`].
pub const TOTAL: &str = "total";
/// Bad events.
pub const BAD: &str = "bad";
/// Measured seconds.
pub const MEASURED: &str = "measured";

/// The selector of an objective's recorded series.
pub fn of(objective: &Objective) -> Selector {
    Selector::default()
        .with(NAMESPACE_LABEL, &objective.namespace)
        .with(NAME_LABEL, &objective.name)
        .with(INDICATOR_LABEL, &objective.id)
}

/// The selector of what the operator tells of an objective.
pub fn told(objective: &Objective) -> Selector {
    Selector::default().with(NAMESPACE_LABEL, &objective.namespace).with(NAME_LABEL, &objective.name)
}
