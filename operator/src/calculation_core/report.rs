//! What is said of a core: conditions from what is on record and seen.

use hashinsight_crds::calculation_core::RolloutState;
use hashinsight_crds::conditions::{Condition, ConditionStatus, READY, RECONCILING, ROUTED, STALLED, Stated, settle};
use hashinsight_crds::{CalculationCoreStatus, Reason};
use jiff::Timestamp;

use super::machine::{is_refused, told_verdict, waits_for};
use super::seen::{RouteSeen, Seen, Taken};
use super::valid::ValidCore;
use crate::error::Class;

/// Seconds between two looks at counts that are on record, while nothing else
/// changes: the numbers that move all the time are metrics.
const REFRESHED: i64 = 15;

/// The status as it is to be told.
pub fn status(
    core: &ValidCore,
    seen: Option<&Seen>,
    failure: Option<&(String, Class)>,
    now: Timestamp,
) -> CalculationCoreStatus {
    let mut status = core.status.clone();
    status.observed_generation = core.generation;
    if let (Some(canary), Some(seen)) = (&mut status.canary, seen) {
        let mut told = canary.clone();
        told_verdict(seen, &mut told, now);
        let age = canary.as_of.as_ref().map_or(REFRESHED, |as_of| now.duration_since(as_of.0).as_secs());
        let grew = told.requests != canary.requests && status.paused.is_none() && age >= REFRESHED;
        if told.verdict != canary.verdict || grew {
            *canary = told;
        }
    }
    status.conditions = if let Some(seen) = seen {
        conditions(core, seen, failure, now)
    } else {
        let unseen = || ("what there is cannot be seen".to_owned(), Class::Transient);
        let (message, class) = failure.cloned().unwrap_or_else(unseen);
        settle(progress(failed(message, class)), &core.status.conditions, core.generation, now)
    };
    status
}

/// The conditions of a core.
pub fn conditions(core: &ValidCore, seen: &Seen, failure: Option<&(String, Class)>, now: Timestamp) -> Vec<Condition> {
    let (ready, reason, message) = match failure {
        Some((message, class)) if *class != Class::Conflict => failed(message.clone(), *class),
        _ => standing(core, seen, now),
    };
    let mut stated = progress((ready, reason, message));
    stated.push(routed(core, seen));
    settle(stated, &core.status.conditions, core.generation, now)
}

type Said = (ConditionStatus, Reason, String);

fn failed(message: String, class: Class) -> Said {
    let reason = if class == Class::Forbidden { Reason::PermissionMissing } else { Reason::PartsFailed };
    (ConditionStatus::False, reason, message)
}

/// Ready, and what goes with it.
fn progress((status, reason, message): Said) -> Vec<Stated> {
    let mut all = vec![Stated { type_: READY, status, reason, message: message.clone() }];
    if status != ConditionStatus::True {
        let stalled = matches!(reason, Reason::RolledBack | Reason::ObjectiveUnusable | Reason::SpecRefused);
        let type_ = if stalled { STALLED } else { RECONCILING };
        all.push(Stated { type_, status: ConditionStatus::True, reason, message });
    }
    all
}

/// The reason that goes with the state.
pub fn reason_of(core: &ValidCore) -> Reason {
    match &core.status.state {
        None | Some(RolloutState::Pending { .. }) => Reason::CanaryStarting,
        Some(RolloutState::Verifying { .. }) => Reason::CanaryVerifying,
        Some(RolloutState::Shifting { .. }) => Reason::CanaryShifting,
        Some(RolloutState::Soaking { .. }) => Reason::CanarySoaking,
        Some(RolloutState::Promoting { .. }) => Reason::CanaryPromoting,
        Some(RolloutState::Watching { .. }) => Reason::CoreWatched,
        Some(RolloutState::Promoted { .. }) => Reason::CoreServing,
        Some(RolloutState::RollingBack { .. }) => Reason::CanaryRollingBack,
        Some(RolloutState::RolledBack { .. }) => Reason::RolledBack,
    }
}

/// The revision that is on its way, or serves.
pub fn canary_of(core: &ValidCore) -> String {
    let canary = core.status.canary.as_ref().map(|canary| &canary.revision);
    let stable = core.status.stable.as_ref().map(|stable| &stable.revision);
    format!("revision {}", canary.or(stable).unwrap_or(&core.revision))
}

fn standing(core: &ValidCore, seen: &Seen, now: Timestamp) -> Said {
    let reason = reason_of(core);
    let waiting = |what: String| {
        let why = waits_for(core, seen).map_or(String::new(), |why| format!("; {why}"));
        (ConditionStatus::False, reason, format!("{what}{why}"))
    };
    let revision = canary_of(core);
    let weight = core.weight();
    if let Err(why) = &core.asked {
        return (ConditionStatus::False, Reason::SpecRefused, why.to_string());
    }
    if let (Some(paused), true) = (&core.status.paused, core.status.is_under_way()) {
        let (by, since) = (&paused.by, paused.since.0);
        let message = format!(
            "{revision} has {weight} % of traffic and stays there: {by} holds it since {since}: {}",
            paused.reason
        );
        return (ConditionStatus::False, Reason::CanaryPaused, message);
    }
    if let (Some(why), false) = (&seen.unusable, core.is_served()) {
        return (ConditionStatus::False, Reason::ObjectiveUnusable, why.clone());
    }
    let resting = matches!(
        core.status.state,
        None | Some(RolloutState::Promoted { .. } | RolloutState::RolledBack { .. } | RolloutState::Soaking { .. })
    );
    if let (Some(why), true, false) = (&seen.leave.frozen, resting, core.is_served() || is_refused(core)) {
        return (ConditionStatus::False, Reason::ReleaseFrozen, format!("revision {} waits: {why}", core.revision));
    }
    match &core.status.state {
        None | Some(RolloutState::Pending { .. }) => waiting(format!("the pods of {revision} start")),
        Some(RolloutState::Verifying { .. }) => {
            waiting(format!("the pods of {revision} are asked for the golden samples"))
        }
        Some(RolloutState::Shifting { .. }) => waiting(format!("{weight} % of traffic move to {revision}")),
        Some(RolloutState::Soaking { step, .. }) => soaking(core, seen, now, *step, weight),
        Some(RolloutState::Promoting { .. }) => waiting(format!("{revision} grows to serve everybody")),
        Some(RolloutState::Watching { .. }) => (
            ConditionStatus::True,
            reason,
            format!("{revision} serves; the one before stays as a control for {} s", core.rollout.watch.as_secs()),
        ),
        Some(RolloutState::Promoted { .. }) if core.is_served() => serving(core, seen),
        Some(RolloutState::RollingBack { reason: why, .. }) => {
            (ConditionStatus::False, reason, format!("{revision} is taken back: {}", why.told()))
        }
        Some(RolloutState::Promoted { .. } | RolloutState::RolledBack { .. }) if is_refused(core) => taken_back(core),
        Some(RolloutState::Promoted { .. } | RolloutState::RolledBack { .. }) => {
            (ConditionStatus::False, Reason::CanaryStarting, format!("revision {} is about to begin", core.revision))
        }
    }
}

/// A revision that has all traffic.
fn serving(core: &ValidCore, seen: &Seen) -> Said {
    let revision = canary_of(core);
    if seen.ready(&core.revision) > 0 {
        return (ConditionStatus::True, Reason::CoreServing, format!("{revision} serves all customers"));
    }
    let why = seen.why_waits(&core.revision).map_or(String::new(), |why| format!(": {why}"));
    let message = format!("{revision} has all traffic, and none of its pods takes requests{why}");
    (ConditionStatus::False, Reason::CoreUnavailable, message)
}

/// The spec's revision, which failed before.
fn taken_back(core: &ValidCore) -> Said {
    let tried = core.status.canary.as_ref().is_some_and(|canary| canary.revision == core.revision);
    let held = core.status.quarantined.iter().find(|held| held.revision == core.revision);
    let why = match (&core.status.state, held) {
        (Some(RolloutState::RolledBack { reason, detail, .. }), _) if tried => format!("{} ({detail})", reason.told()),
        (_, Some(held)) => held.reason.told().to_owned(),
        _ => "it failed before".to_owned(),
    };
    let message = format!(
        "revision {} was taken back: {why}; it is not tried again by itself: apply another one, or hashinsight canary retry {}",
        core.revision, core.name
    );
    (ConditionStatus::False, Reason::RolledBack, message)
}

fn soaking(core: &ValidCore, seen: &Seen, now: Timestamp, step: i32, weight: i32) -> Said {
    let (revision, steps) = (canary_of(core), core.rollout.steps.len());
    let without = seen.judged.as_ref().and_then(|judged| judged.without_data_since);
    let deadline = core.rollout.no_data.as_secs().cast_signed();
    if let Some(since) = without.filter(|since| now.duration_since(*since).as_secs() >= deadline) {
        let message = format!(
            "{revision} keeps {weight} % of traffic: there has been no data of it since {since}; mend the metrics system or bring traffic"
        );
        return (ConditionStatus::False, Reason::AnalysisHeld, message);
    }
    let hold = core.rollout.step(step).map_or(0, |step| step.hold_seconds);
    let message = format!(
        "step {step} of {steps}: {revision} has {weight} % of traffic, for {hold} s at least and until its requests suffice"
    );
    (ConditionStatus::False, Reason::CanarySoaking, message)
}

/// How traffic is split, and whether that stands.
fn routed(core: &ValidCore, seen: &Seen) -> Stated {
    let said = |status, reason, message: String| Stated { type_: ROUTED, status, reason, message };
    match seen.route(core) {
        RouteSeen::None if core.route.is_some() => said(
            ConditionStatus::False,
            Reason::RouteRefused,
            "spec.route asks for a route, and the cluster serves no Gateway API; traffic is split by the number of pods"
                .to_owned(),
        ),
        RouteSeen::None => said(
            ConditionStatus::True,
            Reason::TrafficByReplicas,
            format!("the service {} leads to pods of both revisions during a rollout, as many as each has", core.name),
        ),
        RouteSeen::There { taken: Taken::Refused(why), .. } => said(ConditionStatus::False, Reason::RouteRefused, why),
        RouteSeen::Missing | RouteSeen::There { .. } => {
            said(ConditionStatus::True, Reason::TrafficByWeight, "the gateway splits traffic by weights".to_owned())
        }
    }
}
