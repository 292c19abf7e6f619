//! What people ask of a rollout: whether that fits where it stands, and the move
//! that does it. Pure, as the rest of the machine; whoever asks was proven by
//! admission.

use hashinsight_crds::calculation_core::{ActionDone, Canary, Paused, RollbackReason, RolloutState};
use hashinsight_crds::rollout_action::{RolloutActionSpec, Verb};
use hashinsight_crds::{Reason, RolloutAction, Time, whole_second};
use hashinsight_gates::canary::Verdict;
use jiff::Timestamp;
use kube::ResourceExt;

use super::machine::{Move, all, is_refused, promoted, roll_back, to};
use super::seen::Seen;
use super::valid::ValidCore;

/// Why an action is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason of its conditions.
    pub reason: Reason,
    /// What stands against it, and what to do.
    pub why: String,
}

/// The move an action makes; it is on record with what it does.
pub fn decide(core: &ValidCore, seen: &Seen, action: &RolloutAction, now: Timestamp) -> Result<Move, Refusal> {
    let spec = &action.spec;
    if now >= spec.expires_at.0 {
        let why = format!("it ran out at {}; make another one if it is still wanted", spec.expires_at.0);
        return Err(Refusal { reason: Reason::ActionExpired, why });
    }
    let now = whole_second(now);
    let made = match spec.verb {
        Verb::Pause => pause(core, spec, &now),
        Verb::Resume => resume(core, spec, &now),
        Verb::Promote => promote(core, seen, spec, &now),
        Verb::Abort => {
            on_its_way(core, spec).map(|_| roll_back(core, &now, RollbackReason::Aborted, told("takes it back", spec)))
        }
        Verb::Retry if core.revision != spec.revision => {
            Err(format!("the spec asks for revision {}; apply the one that is to be tried", core.revision))
        }
        Verb::Retry | Verb::LiftQuarantine => lift(core, spec, &now),
    };
    let mut made = made.map_err(|why| Refusal { reason: Reason::ActionRefused, why })?;
    made.status.last_action = Some(ActionDone {
        uid: action.uid().unwrap_or_default(),
        name: action.name_any(),
        verb: spec.verb,
        by: spec.requested_by.clone(),
        at: now,
    });
    Ok(made)
}

/// Who does what, and why.
fn told(what: &str, spec: &RolloutActionSpec) -> String {
    format!("{} {what}: {}", spec.requested_by, spec.reason)
}

/// The state and the canary, if the action's revision is on its way.
fn on_its_way<'a>(core: &'a ValidCore, spec: &RolloutActionSpec) -> Result<(&'a RolloutState, &'a Canary), String> {
    let status = &core.status;
    let under_way = (status.state.as_ref(), status.canary.as_ref());
    match under_way {
        (Some(RolloutState::RollingBack { .. }), Some(_)) => Err("the rollout is being taken back".to_owned()),
        (Some(state), Some(canary)) if status.is_under_way() && canary.revision == spec.revision => Ok((state, canary)),
        (_, Some(canary)) if status.is_under_way() => Err(format!("the rollout is of revision {}", canary.revision)),
        _ => Err("no rollout is under way".to_owned()),
    }
}

fn pause(core: &ValidCore, spec: &RolloutActionSpec, now: &Time) -> Result<Move, String> {
    let (state, _) = on_its_way(core, spec)?;
    if let Some(paused) = &core.status.paused {
        return Err(format!("{} holds it already, since {}", paused.by, paused.since.0));
    }
    let mut next = to(core, state.clone(), told("holds it", spec));
    next.status.paused =
        Some(Paused { since: now.clone(), by: spec.requested_by.clone(), reason: spec.reason.clone() });
    Ok(next)
}

fn resume(core: &ValidCore, spec: &RolloutActionSpec, now: &Time) -> Result<Move, String> {
    let (state, _) = on_its_way(core, spec)?;
    if core.status.paused.is_none() {
        return Err("nobody holds it".to_owned());
    }
    // Time under a pause counts towards no deadline; what is counted of
    // requests goes by observed time and needs no mending.
    let since = now.clone();
    let state = match state {
        RolloutState::Pending { .. } => RolloutState::Pending { since },
        RolloutState::Verifying { .. } => RolloutState::Verifying { since },
        RolloutState::Shifting { step, .. } => RolloutState::Shifting { since, step: *step },
        RolloutState::Promoting { .. } => RolloutState::Promoting { since },
        RolloutState::Soaking { .. }
        | RolloutState::Watching { .. }
        | RolloutState::Promoted { .. }
        | RolloutState::RollingBack { .. }
        | RolloutState::RolledBack { .. } => state.clone(),
    };
    let mut next = to(core, state, told("lets it go on", spec));
    next.status.paused = None;
    Ok(next)
}

fn promote(core: &ValidCore, seen: &Seen, spec: &RolloutActionSpec, now: &Time) -> Result<Move, String> {
    let (state, _) = on_its_way(core, spec)?;
    if seen.judged.as_ref().is_some_and(|judged| judged.verdict() == Verdict::Fail) {
        return Err("its counted requests break an objective; it is about to be taken back".to_owned());
    }
    match state {
        RolloutState::Pending { .. } | RolloutState::Verifying { .. } => {
            Err("its golden samples have not come out exactly yet, and nobody skips those; ask again once they have"
                .to_owned())
        }
        RolloutState::Shifting { .. } | RolloutState::Soaking { .. } => {
            let state = RolloutState::Promoting { since: now.clone() };
            let mut next = to(core, state, told("skips the steps that are left", spec));
            next.status.paused = None;
            if let Some(canary) = &mut next.status.canary {
                canary.weight_percent = all(core, seen);
            }
            Ok(next)
        }
        RolloutState::Watching { .. } => {
            let mut next = promoted(core, now);
            next.note = told("ends the watch", spec);
            Ok(next)
        }
        RolloutState::Promoting { .. }
        | RolloutState::Promoted { .. }
        | RolloutState::RollingBack { .. }
        | RolloutState::RolledBack { .. } => Err("it is being promoted already".to_owned()),
    }
}

/// As though the revision had never failed: it begins anew if the spec asks for
/// it.
fn lift(core: &ValidCore, spec: &RolloutActionSpec, now: &Time) -> Result<Move, String> {
    let status = &core.status;
    let held = status.quarantined.iter().any(|held| held.revision == spec.revision);
    if !(held || core.revision == spec.revision && is_refused(core)) {
        return Err(format!("revision {} is not held", spec.revision));
    }
    if status.is_under_way() && status.canary.as_ref().is_some_and(|canary| canary.revision == spec.revision) {
        return Err("it is being taken back; ask again once it is".to_owned());
    }
    let mut next = to(
        core,
        status.state.clone().unwrap_or(RolloutState::Promoted { since: now.clone() }),
        told(&format!("lets revision {} be tried again", spec.revision), spec),
    );
    next.status.quarantined.retain(|held| held.revision != spec.revision);
    if !status.is_under_way() {
        next.status.canary = None;
        next.status.state = status.stable.as_ref().map(|_| RolloutState::Promoted { since: now.clone() });
    }
    Ok(next)
}
