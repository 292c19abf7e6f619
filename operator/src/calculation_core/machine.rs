//! Where a rollout goes next: a total function of what is on record, what is
//! seen and the time. It looks at no clock, makes no call, and every move is one
//! row here.

use std::time::Duration;

use hashinsight_crds::calculation_core::{
    Canary, CanaryVerdict, OnNoData, Quarantined, RollbackReason, RolloutState, Version,
};
use hashinsight_crds::{CalculationCoreStatus, Time, whole_second};
use hashinsight_gates::canary::Verdict;
use jiff::Timestamp;

use super::seen::{Golden, Seen};
use super::traffic::{CONTROL, intent, needed, stands};
use super::valid::ValidCore;

/// Quarantined revisions that are kept.
const QUARANTINE: usize = 20;
/// Starts of its containers after which a canary counts as unavailable.
const RESTARTS: u64 = 3;
/// How long after its pods were ready a gateway surely knows their addresses.
const KNOWN: Duration = Duration::from_secs(2);
/// Characters that are kept of what was seen.
const DETAIL: usize = 400;
/// How long a canary that goes may still be asked, at most.
const DRAIN: Duration = Duration::from_secs(60);

/// A move to be put on record before anything is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Move {
    /// What is on record then; conditions are said elsewhere.
    pub status: CalculationCoreStatus,
    /// What happened, in a sentence.
    pub note: String,
}

/// The next move; `None` to stay.
pub fn step(core: &ValidCore, seen: &Seen, now: Timestamp) -> Option<Move> {
    let now = whole_second(now);
    let Some(state) = &core.status.state else { return begin(core, seen, &now) };
    let counted = core.status.canary.as_ref().and_then(|canary| canary.counted_since.as_ref());
    if counted.is_some_and(|since| *since > now) {
        let mut anew = to(core, state.clone(), "the clock was set back; its requests are counted anew");
        if let Some(canary) = &mut anew.status.canary {
            canary.counted_since = Some(now);
        }
        return Some(anew);
    }
    match state {
        RolloutState::Promoted { .. } | RolloutState::RolledBack { .. } => begin(core, seen, &now),
        RolloutState::RollingBack { since, reason, detail, drained_at } => {
            back(core, seen, &now, &Rolling { since, reason: *reason, detail, drained: drained_at.as_ref() })
        }
        RolloutState::Pending { .. }
        | RolloutState::Verifying { .. }
        | RolloutState::Shifting { .. }
        | RolloutState::Soaking { .. }
        | RolloutState::Promoting { .. }
        | RolloutState::Watching { .. } => {
            let back = |(reason, note)| roll_back(core, &now, reason, note);
            let bad = fault(core, seen, state).map(back);
            // What can go on is not late, however long nobody could look.
            bad.or_else(|| forward(core, seen, &now, state)).or_else(|| late(core, seen, &now, state).map(back))
        }
    }
}

/// `state`, with everything else as it is on record.
pub(super) fn to(core: &ValidCore, state: RolloutState, note: impl Into<String>) -> Move {
    let status =
        CalculationCoreStatus { state: Some(state), sequence: core.status.sequence + 1, ..core.status.clone() };
    Move { status, note: note.into() }
}

/// Whether the spec's revision failed before and waits for a person.
pub fn is_refused(core: &ValidCore) -> bool {
    let status = &core.status;
    let tried = matches!(status.state, Some(RolloutState::RolledBack { .. }))
        && status.canary.as_ref().is_some_and(|canary| canary.revision == core.revision);
    tried || status.quarantined.iter().any(|quarantined| quarantined.revision == core.revision)
}

fn begin(core: &ValidCore, seen: &Seen, now: &Time) -> Option<Move> {
    let content = core.asked.as_ref().ok()?;
    if core.is_served() {
        // Back at the stable revision after one that failed: all is as asked.
        let over = matches!(core.status.state, Some(RolloutState::RolledBack { .. }));
        return over.then(|| {
            let mut back = to(core, RolloutState::Promoted { since: now.clone() }, "the spec asks for what serves");
            (back.status.canary, back.status.pinned_replicas) = (None, None);
            back
        });
    }
    if is_refused(core) || seen.unusable.is_some() || seen.leave.frozen.is_some() {
        return None;
    }
    let mut first =
        to(core, RolloutState::Pending { since: now.clone() }, format!("revision {} begins its way", core.revision));
    let stable = core.status.stable.as_ref();
    first.status.pinned_replicas = stable.and_then(|stable| seen.replicas(&stable.revision));
    first.status.canary =
        Some(Canary { revision: core.revision.clone(), image: content.image.clone(), ..Canary::default() });
    Some(first)
}

/// What takes the canary back at once, whatever state it is in.
fn fault(core: &ValidCore, seen: &Seen, state: &RolloutState) -> Option<(RollbackReason, String)> {
    let canary = core.status.canary.as_ref()?;
    if canary.revision != core.revision {
        let reason = if core.is_served() { RollbackReason::Reverted } else { RollbackReason::Superseded };
        return Some((reason, reason.told().to_owned()));
    }
    if let Golden::Differs(why) = &seen.golden {
        return Some((RollbackReason::GoldenSamplesDiffer, why.clone()));
    }
    // To a stable revision without a pod nobody is sent back.
    if canary.weight_percent > 0 && !is_alone(core, seen) {
        if let Some(judged) = seen.judged.as_ref().filter(|judged| judged.verdict() == Verdict::Fail) {
            let note = format!("{} of {} requests were bad", judged.bad, judged.requests);
            return Some((RollbackReason::ObjectivesBroken, note));
        }
        if is_asked(state)
            && let Some(note) = unavailable(core, seen, &canary.revision)
        {
            return Some((RollbackReason::CanaryUnavailable, note));
        }
    }
    None
}

/// Whether customers surely ask the canary in this state.
const fn is_asked(state: &RolloutState) -> bool {
    matches!(state, RolloutState::Soaking { .. } | RolloutState::Watching { .. } | RolloutState::Promoting { .. })
}

/// Whether the canary has pods, and the stable revision there should be has
/// none.
fn is_alone(core: &ValidCore, seen: &Seen) -> bool {
    let (Some(stable), Some(canary)) = (&core.status.stable, &core.status.canary) else { return false };
    seen.ready(&stable.revision) == 0 && seen.ready(&canary.revision) > 0
}

fn unavailable(core: &ValidCore, seen: &Seen, canary: &str) -> Option<String> {
    let stable = core.status.stable.as_ref()?;
    // When the stable revision has no pod either, the cause is shared.
    if seen.ready(canary) == 0 && seen.ready(&stable.revision) > 0 {
        return Some("none of its pods takes requests".to_owned());
    }
    let restarts: u64 = seen.pods().filter(|pod| pod.revision == canary).map(|pod| pod.restarts).sum();
    (restarts >= RESTARTS).then(|| format!("its containers began anew {restarts} times"))
}

/// How long a state may take; `None` where time alone ends it or none does.
const fn limit(core: &ValidCore, state: &RolloutState) -> Option<Duration> {
    match state {
        RolloutState::Pending { .. }
        | RolloutState::Verifying { .. }
        | RolloutState::Shifting { .. }
        | RolloutState::Promoting { .. } => Some(core.rollout.progress),
        RolloutState::Soaking { .. }
        | RolloutState::Watching { .. }
        | RolloutState::Promoted { .. }
        | RolloutState::RollingBack { .. }
        | RolloutState::RolledBack { .. } => None,
    }
}

/// What takes it back when it has got no further for too long.
fn late(core: &ValidCore, seen: &Seen, now: &Time, state: &RolloutState) -> Option<(RollbackReason, String)> {
    // What could not even be made is our own trouble, and told as such.
    let made = core.status.canary.as_ref().is_some_and(|canary| seen.replicas(&canary.revision).is_some());
    if let Some(limit) = limit(core, state)
        && made
        && core.status.paused.is_none()
        && seen.in_state >= limit
    {
        let held = stands(core, seen, &intent(core, seen)).err();
        let route = core.route.is_some() && seen.gateway_served && held.is_some() && has_pods(core, seen);
        let note = waits_for(core, seen).unwrap_or_else(|| RollbackReason::ProgressDeadlineExceeded.told().to_owned());
        let reason = if route { RollbackReason::RouteRefused } else { RollbackReason::ProgressDeadlineExceeded };
        return Some((reason, note));
    }
    let without = seen.judged.as_ref().and_then(|judged| judged.without_data_since)?;
    let over = core.rollout.on_no_data == OnNoData::Rollback
        && matches!(state, RolloutState::Soaking { .. })
        && core.status.paused.is_none()
        && has_passed(&Time(without), core.rollout.no_data, now);
    over.then(|| (RollbackReason::NoDataDeadlineExceeded, format!("no data since {without}")))
}

fn has_passed(since: &Time, wait: Duration, now: &Time) -> bool {
    Duration::try_from(now.0.duration_since(since.0)).is_ok_and(|passed| passed >= wait)
}

fn has_pods(core: &ValidCore, seen: &Seen) -> bool {
    core.status.canary.as_ref().is_some_and(|canary| seen.ready(&canary.revision) >= needed(core, seen))
}

/// What the canary waits for, in words.
pub fn waits_for(core: &ValidCore, seen: &Seen) -> Option<String> {
    let canary = core.status.canary.as_ref()?;
    if !has_pods(core, seen) {
        let (ready, needed) = (seen.ready(&canary.revision), needed(core, seen));
        let why = seen.why_waits(&canary.revision);
        let why = why.map_or(String::new(), |why| format!(": {why}"));
        return Some(format!("{ready} of {needed} pods are ready{why}"));
    }
    if let Golden::Waits(why) = &seen.golden {
        return Some(format!("a pod does not answer for the golden samples: {why}"));
    }
    stands(core, seen, &intent(core, seen)).err()
}

fn forward(core: &ValidCore, seen: &Seen, now: &Time, state: &RolloutState) -> Option<Move> {
    if core.status.paused.is_some() {
        return None;
    }
    let since = now.clone();
    match state {
        RolloutState::Pending { .. } => {
            has_pods(core, seen).then(|| to(core, RolloutState::Verifying { since }, "its pods are ready"))
        }
        RolloutState::Verifying { .. } => {
            let exact = has_pods(core, seen) && (!core.rollout.golden || seen.golden == Golden::Exact);
            let known = seen.in_state >= KNOWN || core.status.stable.is_none();
            (exact && known).then(|| shift(core, seen, now, 1, "every golden sample came out exactly"))
        }
        RolloutState::Shifting { step, .. } => {
            let stands = has_pods(core, seen) && stands(core, seen, &intent(core, seen)).is_ok();
            let weight = core.weight();
            let reached = intent(core, seen).weight == weight;
            (stands && reached).then(|| {
                let note = format!("{weight} % of traffic go to it");
                to(core, RolloutState::Soaking { since, step: *step }, note)
            })
        }
        RolloutState::Soaking { step, .. } => {
            // What a freeze finds under way stays where it is.
            let free = seen.leave.frozen.is_none() && passed(core, seen, *step);
            free.then(|| {
                let whole = weight_of(core, *step).is_none_or(|wanted| core.weight() >= wanted);
                let number = if whole { step + 1 } else { *step };
                shift(core, seen, now, number, "its requests were counted and are good")
            })
        }
        RolloutState::Promoting { .. } => {
            let intent = intent(core, seen);
            let weight = core.weight();
            let done = has_pods(core, seen) && intent.weight == weight && stands(core, seen, &intent).is_ok();
            done.then(|| {
                if core.status.stable.is_some() && !core.rollout.watch.is_zero() {
                    to(core, RolloutState::Watching { since }, "it serves; the version before stays as a control")
                } else {
                    promoted(core, now)
                }
            })
        }
        RolloutState::Watching { .. } => (seen.in_state >= core.rollout.watch).then(|| promoted(core, now)),
        RolloutState::Promoted { .. } | RolloutState::RollingBack { .. } | RolloutState::RolledBack { .. } => None,
    }
}

/// The share a step asks for; `None` beyond the last.
fn weight_of(core: &ValidCore, number: i32) -> Option<i32> {
    core.rollout.step(number).map(|step| step.weight_percent)
}

/// Towards the step of that number, or beyond the last: as far as the budgets
/// allow.
fn shift(core: &ValidCore, seen: &Seen, now: &Time, number: i32, note: &str) -> Move {
    let since = now.clone();
    let last = i32::try_from(core.rollout.steps.len()).unwrap_or(i32::MAX);
    let alone = core.status.stable.is_none();
    let wanted = weight_of(core, number).unwrap_or(100 - CONTROL);
    let (allowed, why) = seen.leave.next(core.weight(), wanted);
    let (state, share) = if alone {
        // Nobody to share with.
        (RolloutState::Promoting { since }, 100)
    } else if number <= last || allowed < wanted {
        (RolloutState::Shifting { since, step: number.min(last.max(1)) }, allowed)
    } else {
        (RolloutState::Promoting { since }, all(core, seen))
    };
    let note = why.map_or_else(|| note.to_owned(), |why| format!("{note}; {share} % next: {why}"));
    let mut next = to(core, state, note);
    if let Some(canary) = &mut next.status.canary {
        canary.weight_percent = share;
        canary.counted_since.get_or_insert_with(|| now.clone());
    }
    next
}

/// The share of a canary that serves: all but the control's, as long as there
/// is one.
pub(super) fn all(core: &ValidCore, seen: &Seen) -> i32 {
    if core.rollout.watch.is_zero() || is_alone(core, seen) { 100 } else { 100 - CONTROL }
}

fn passed(core: &ValidCore, seen: &Seen, step: i32) -> bool {
    let hold = core.rollout.step(step).map_or(0, |step| u64::from(step.hold_seconds.unsigned_abs()));
    if core.rollout.objectives.is_empty() {
        return seen.in_state >= Duration::from_secs(hold);
    }
    let judged = seen.judged.as_ref().filter(|_| seen.unusable.is_none());
    judged.is_some_and(|judged| judged.verdict() == Verdict::Pass && judged.observed >= hold)
}

pub(super) fn promoted(core: &ValidCore, now: &Time) -> Move {
    let mut next = to(core, RolloutState::Promoted { since: now.clone() }, "it is the stable revision");
    let canary = next.status.canary.take();
    next.status.stable = canary.map(|canary| Version { revision: canary.revision, image: canary.image });
    (next.status.pinned_replicas, next.status.paused) = (None, None);
    next
}

pub(super) fn roll_back(core: &ValidCore, now: &Time, reason: RollbackReason, note: String) -> Move {
    let detail = note.chars().take(DETAIL).collect();
    let state = RolloutState::RollingBack { since: now.clone(), reason, detail, drained_at: None };
    let mut next = to(core, state, note);
    next.status.paused = None;
    if let Some(canary) = &mut next.status.canary {
        canary.weight_percent = 0;
        if reason.is_fault() {
            let held = Quarantined { revision: canary.revision.clone(), reason, at: now.clone() };
            next.status.quarantined.retain(|other| other.revision != held.revision);
            next.status.quarantined.insert(0, held);
            next.status.quarantined.truncate(QUARANTINE);
        }
    }
    next
}

/// A rollback that is under way.
struct Rolling<'a> {
    since: &'a Time,
    reason: RollbackReason,
    detail: &'a str,
    drained: Option<&'a Time>,
}

/// Traffic first, then what is under way, then the pods.
fn back(core: &ValidCore, seen: &Seen, now: &Time, rolling: &Rolling<'_>) -> Option<Move> {
    let Rolling { since, reason, detail, drained } = rolling;
    let (reason, detail) = (*reason, (*detail).to_owned());
    let canary = core.status.canary.as_ref()?;
    if drained.is_none() {
        let intent = intent(core, seen);
        let gone = intent.weight == 0 && stands(core, seen, &intent).is_ok();
        let nobody = core.status.stable.is_none();
        let over = seen.quiet || seen.in_state >= DRAIN;
        return ((gone || nobody) && over).then(|| {
            let since = (*since).clone();
            let state = RolloutState::RollingBack { since, reason, detail, drained_at: Some(now.clone()) };
            to(core, state, "no request reaches it any more")
        });
    }
    let there = seen.pods().any(|pod| pod.revision == canary.revision);
    if there || seen.replicas(&canary.revision).is_some_and(|pods| pods > 0) {
        return None;
    }
    let since = now.clone();
    if matches!(reason, RollbackReason::Superseded | RollbackReason::Reverted) {
        let mut over = to(core, RolloutState::Promoted { since }, "the stable revision serves alone again");
        (over.status.canary, over.status.pinned_replicas) = (None, None);
        if over.status.stable.is_none() {
            over.status.state = None;
        }
        return Some(over);
    }
    let mut over = to(core, RolloutState::RolledBack { since, reason, detail }, reason.told());
    over.status.pinned_replicas = None;
    Some(over)
}

/// What of the verdict is on record.
pub fn told_verdict(seen: &Seen, canary: &mut Canary, now: Timestamp) {
    let Some(judged) = &seen.judged else { return };
    canary.verdict = Some(match judged.verdict() {
        Verdict::Pass => CanaryVerdict::Pass,
        Verdict::NeedMore => CanaryVerdict::NeedMore,
        Verdict::NoData => CanaryVerdict::NoData,
        Verdict::Error => CanaryVerdict::Error,
        Verdict::Fail => CanaryVerdict::Fail,
    });
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    canary.as_of = Some(whole_second(now));
    canary.requests = whole(judged.requests);
    canary.bad_requests = whole(judged.bad);
    let needed = judged.judgement.clean_requests_needed;
    canary.clean_requests_needed = (judged.verdict() == Verdict::NeedMore).then(|| whole(needed));
}
