//! How many pods and which share of traffic each revision is meant to have:
//! pure functions of what is on record, the spec, and what is seen. Traffic
//! follows pods, never the other way round.

use std::time::Duration;

use hashinsight_crds::calculation_core::RolloutState;

use super::seen::{Golden, RouteSeen, Seen, Taken};
use super::valid::ValidCore;
use crate::kinds::SERVICES;

/// Share of traffic the version before keeps as a control, in percent.
pub const CONTROL: i32 = 1;

/// What the revisions of a core are meant to have now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Revision and pods of the stable one.
    pub stable: Option<(String, i32)>,
    /// Revision and pods of the canary, while it has any objects.
    pub canary: Option<(String, i32)>,
    /// Share of traffic of the canary, in percent, as it may be now.
    pub weight: i32,
    /// The revision that grows and shrinks with its load, and from how many
    /// pods on.
    pub primary: Option<(String, i32)>,
}

/// Pods that serve everybody: what there was before the rollout, and what the
/// spec asks for.
pub fn full(core: &ValidCore) -> i32 {
    core.replicas.minimum.max(core.status.pinned_replicas.unwrap_or(0))
}

fn is_weighted(core: &ValidCore, seen: &Seen) -> bool {
    seen.route(core) != RouteSeen::None
}

/// Pods of the canary for a share of traffic. By replicas alone, the share is
/// that of the pods.
fn pods_for(core: &ValidCore, seen: &Seen, weight: i32) -> i32 {
    let full = full(core);
    if core.status.stable.is_none() || weight >= 100 - CONTROL {
        return full;
    }
    let of = if is_weighted(core, seen) { 100 } else { 100 - weight };
    let pods = (i64::from(full) * i64::from(weight) + i64::from(of) - 1) / i64::from(of);
    i32::try_from(pods).unwrap_or(full).clamp(1, full)
}

/// Pods of the canary before traffic may be what is on record.
pub fn needed(core: &ValidCore, seen: &Seen) -> i32 {
    let recorded = core.weight();
    let first = core.rollout.steps.first().map_or(100, |step| step.weight_percent);
    pods_for(core, seen, if recorded == 0 { first } else { recorded })
}

/// The canary's share of traffic as it is.
fn current(core: &ValidCore, seen: &Seen, canary: &str) -> i32 {
    match seen.route(core) {
        RouteSeen::There { weights, .. } => {
            let all: i64 = weights.values().sum();
            let ours = weights.get(&core.of_revision(canary)).copied().unwrap_or(0);
            if all == 0 { 0 } else { i32::try_from(100 * ours / all).unwrap_or(100) }
        }
        RouteSeen::Missing => 0,
        RouteSeen::None => {
            let service = seen.objects.get(&(SERVICES.plural, core.name.clone()));
            let narrowed = service.map(|s| s["spec"]["selector"][hashinsight_crds::names::LABEL_REVISION].as_str());
            match narrowed {
                // To one revision; or to none, so that pods share.
                Some(Some(revision)) if revision != canary => 0,
                Some(_) => core.weight().max(1),
                None => 0,
            }
        }
    }
}

/// What each revision is meant to have now.
pub fn intent(core: &ValidCore, seen: &Seen) -> Intent {
    let status = &core.status;
    let stable = status.stable.as_ref().map(|version| version.revision.clone());
    let canary = status.canary.as_ref().filter(|_| status.is_under_way());
    let full = full(core);
    let load = |revision: &str, floor: i32| {
        let most = core.replicas.maximum.max(floor);
        seen.replicas(revision).map_or(floor, |there| there.clamp(floor, most))
    };
    let Some(canary) = canary else {
        let stable = stable.map(|revision| (load(&revision, core.replicas.minimum), revision));
        return Intent {
            primary: stable.as_ref().map(|(_, revision)| (revision.clone(), core.replicas.minimum)),
            stable: stable.map(|(pods, revision)| (revision, pods)),
            canary: None,
            weight: 0,
        };
    };
    let revision = canary.revision.clone();
    let (pods, weight, is_primary) = match &status.state {
        Some(RolloutState::Watching { .. }) => (load(&revision, full), canary.weight_percent, true),
        Some(RolloutState::Soaking { .. }) => (needed(core, seen), canary.weight_percent, false),
        Some(RolloutState::Shifting { .. } | RolloutState::Promoting { .. }) => {
            let pods = needed(core, seen);
            let may = seen.ready(&revision) >= pods && (!core.rollout.golden || seen.golden == Golden::Exact);
            let target = canary.weight_percent;
            (pods, if may { target } else { current(core, seen, &revision).min(target) }, false)
        }
        Some(RolloutState::RollingBack { drained_at, .. }) => {
            let there = seen.replicas(&revision).unwrap_or(0);
            (if drained_at.is_some() { 0 } else { there }, kept(core, seen, stable.as_deref(), &revision), false)
        }
        _ => (needed(core, seen), 0, false),
    };
    let stable = stable.map(|stable| {
        let pods = if is_primary { 1 } else { load(&stable, full) };
        (stable, pods)
    });
    let primary = if is_primary { Some((revision.clone(), full)) } else { stable.clone().map(|(s, _)| (s, full)) };
    Intent { stable, canary: Some((revision, pods)), weight, primary }
}

/// What a canary that goes keeps, as long as the stable revision has too few
/// pods for everybody.
fn kept(core: &ValidCore, seen: &Seen, stable: Option<&str>, canary: &str) -> i32 {
    let Some(stable) = stable else { return 0 };
    let share = 100 * seen.ready(stable) / full(core).max(1);
    (100 - share).max(0).min(current(core, seen, canary))
}

/// How long after all traffic was led away a revision's pods stay: what reads
/// routes and what reads addresses do not do so at the same moment.
const LINGERS: Duration = Duration::from_secs(5);

/// Whether what belongs to no living revision may go: nothing may be led to it,
/// by a route that the gateway has taken, for a while.
pub fn is_led_away(core: &ValidCore, seen: &Seen) -> bool {
    let canary = core.status.canary.as_ref().filter(|_| core.status.is_under_way()).map(|canary| &canary.revision);
    let stable = core.status.stable.as_ref().map(|stable| &stable.revision);
    let living: Vec<String> = canary.into_iter().chain(stable).map(|revision| core.of_revision(revision)).collect();
    let taken = match seen.route(core) {
        RouteSeen::None => true,
        RouteSeen::Missing => false,
        RouteSeen::There { weights, taken } => taken == Taken::Yes && weights.keys().all(|name| living.contains(name)),
    };
    taken && seen.in_state >= LINGERS
}

/// Whether traffic is as it is meant to be, and a gateway has taken it so; or
/// what is missing.
pub fn stands(core: &ValidCore, seen: &Seen, intent: &Intent) -> Result<(), String> {
    let Some((canary, _)) = &intent.canary else { return Ok(()) };
    match seen.route(core) {
        RouteSeen::Missing => Err("the route is not there yet".to_owned()),
        RouteSeen::There { taken: Taken::Refused(why), .. } => Err(why),
        RouteSeen::There { taken: Taken::NotYet, .. } => Err("the gateway has not read the route yet".to_owned()),
        RouteSeen::There { .. } | RouteSeen::None => {
            let now = current(core, seen, canary);
            if now == intent.weight || (now > 0 && intent.weight > 0 && !is_weighted(core, seen)) {
                Ok(())
            } else {
                Err(format!("{now} % of traffic go to it, {} % are meant to", intent.weight))
            }
        }
    }
}
