//! How a rollout stands, computed from what is on record: no call is made here
//! and no clock is read.

use hashinsight_crds::calculation_core::{Canary, CanaryVerdict, RolloutState};
use hashinsight_crds::conditions::READY;
use hashinsight_crds::{CalculationCore, CalculationCoreStatus, ServiceLevelObjective};
use hashinsight_gates::canary::UNSEEN;
use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::said::{Words, ago, same, words};
use crate::trouble::Exit;

/// Cells of a full bar.
const BAR: i32 = 40;

/// How a rollout stands.
pub struct Standing {
    /// For programs.
    pub data: Value,
    /// For people, from top to bottom.
    pub lines: Vec<Words>,
    /// One line of it.
    pub short: Words,
    /// How it ended; [`Exit::Deferred`] while it is under way.
    pub exit: Exit,
}

/// What a step may cost at worst, of the budget that has least left.
struct AtRisk {
    objective: String,
    minutes: String,
    percent: f64,
}

/// How `core` stands; `objectives` are those of its namespace.
pub fn standing(core: &CalculationCore, objectives: &[ServiceLevelObjective], now: Timestamp) -> Standing {
    let status = core.status.clone().unwrap_or_default();
    let ready = status.conditions.iter().find(|condition| condition.type_ == READY);
    let (reason, message) = ready.map_or(("", ""), |ready| (ready.reason.as_str(), ready.message.as_str()));
    let state = status.state.as_ref();
    let name = state.map_or("none", RolloutState::name);
    let canary = status.canary.as_ref().filter(|_| status.is_under_way());
    let at_risk = canary.and_then(|canary| at_risk(core, canary, objectives));
    let left = canary.and_then(|canary| decided_in(core, &status, canary, now));

    let age = state.map_or(String::new(), |state| ago(state.since().0, now));
    let mut lines = vec![words(
        format!("{}  {name}{} for {age}  {reason}", core.name_any(), step(core, &status)),
        format!("{}  {name}{} 已 {age}  {reason}", core.name_any(), step(core, &status)),
    )];
    let weight = canary.map_or(0, |canary| canary.weight_percent);
    if let Some(stable) = &status.stable {
        lines.push(bar("stable", "稳定版", &stable.revision, 100 - weight));
    }
    if let Some(canary) = canary {
        lines.push(bar("canary", "金丝雀", &canary.revision, weight));
        lines.extend(counted(canary, now));
        lines.extend(left.map(|seconds| {
            words(format!("  decision in about {seconds} s"), format!("  约 {seconds} 秒后可作出决定"))
        }));
        lines.extend(at_risk.as_ref().map(|risk| {
            let (percent, minutes, of) = (risk.percent, &risk.minutes, &risk.objective);
            words(
                format!("  at risk: {percent:.2} % of what is left of {of} ({minutes} min), if every request of it failed until that is seen"),
                format!("  风险：若其全部请求在被发现前失败，将消耗 {of} 剩余预算（{minutes} 分钟）的 {percent:.2} %"),
            )
        }));
    }
    lines.extend(status.paused.iter().map(|paused| {
        let (by, since, why) = (&paused.by, ago(paused.since.0, now), &paused.reason);
        words(format!("  held by {by} for {since}: {why}"), format!("  已由 {by} 暂停 {since}：{why}"))
    }));
    lines.push(same(format!("  {message}")));
    let data = json!({
        "schemaVersion": 1, "core": core.name_any(), "state": name, "step": step_of(&status), "reason": reason,
        "message": message, "stable": status.stable, "canary": canary, "paused": status.paused,
        "secondsToDecision": left,
        "atRisk": at_risk.map(|risk| json!({"objective": risk.objective, "remainingMinutes": risk.minutes, "percent": risk.percent})),
    });
    let counts = canary.map_or(String::new(), |canary| {
        format!("  {weight} %  {} requests, {} bad, {}", canary.requests, canary.bad_requests, verdict(canary))
    });
    Standing {
        data,
        lines,
        short: same(format!("{name}{}{counts}  {message}", step(core, &status))),
        exit: exit(core, &status, reason),
    }
}

fn exit(core: &CalculationCore, status: &CalculationCoreStatus, reason: &str) -> Exit {
    let seen = core.metadata.generation.unwrap_or_default() == status.observed_generation;
    match &status.state {
        Some(RolloutState::Promoted { .. }) if seen && reason == "CoreServing" => Exit::Ok,
        Some(RolloutState::RolledBack { .. } | RolloutState::Promoted { .. }) if seen && reason == "RolledBack" => {
            Exit::Refused
        }
        _ if seen && ["SpecRefused", "ObjectiveUnusable"].contains(&reason) => Exit::Refused,
        _ => Exit::Deferred,
    }
}

const fn step_of(status: &CalculationCoreStatus) -> Option<i32> {
    match &status.state {
        Some(RolloutState::Shifting { step, .. } | RolloutState::Soaking { step, .. }) => Some(*step),
        _ => None,
    }
}

/// ` 2/3` while there are steps.
fn step(core: &CalculationCore, status: &CalculationCoreStatus) -> String {
    let stated = core.spec.rollout.as_ref().map_or(0, |rollout| rollout.steps.len());
    // Three are usual where none are stated.
    let all = if stated == 0 { 3 } else { stated };
    step_of(status).map_or(String::new(), |step| format!(" {step}/{all}"))
}

fn bar(en: &str, zh: &str, revision: &str, percent: i32) -> Words {
    let full = usize::try_from(percent.clamp(0, 100) * BAR / 100).unwrap_or(0);
    let cells = "█".repeat(full) + &"░".repeat(usize::try_from(BAR).unwrap_or(0) - full);
    words(format!("  {en}  {revision}  {cells} {percent:>3} %"), format!("  {zh}  {revision}  {cells} {percent:>3} %"))
}

fn verdict(canary: &Canary) -> &'static str {
    match canary.verdict {
        None => "-",
        Some(CanaryVerdict::Pass) => "Pass",
        Some(CanaryVerdict::NeedMore) => "NeedMore",
        Some(CanaryVerdict::NoData) => "NoData",
        Some(CanaryVerdict::Error) => "Error",
        Some(CanaryVerdict::Fail) => "Fail",
    }
}

fn counted(canary: &Canary, now: Timestamp) -> Option<Words> {
    let as_of = canary.as_of.as_ref()?;
    let (all, bad, verdict, age) = (canary.requests, canary.bad_requests, verdict(canary), ago(as_of.0, now));
    let needed = canary.clean_requests_needed.filter(|needed| *needed > 0);
    let (more_en, more_zh) = needed.map_or((String::new(), String::new()), |needed| {
        (format!(", {needed} clean ones more would pass"), format!("，再有 {needed} 个正常请求即可通过"))
    });
    Some(words(
        format!("  {all} requests counted, {bad} bad: {verdict}{more_en} ({age} ago)"),
        format!("  已计 {all} 个请求，其中 {bad} 个坏：{verdict}{more_zh}（{age} 前）"),
    ))
}

/// Seconds until the step can be decided if requests keep coming as they did:
/// the time it is watched at least, or the requests that are missing.
fn decided_in(core: &CalculationCore, status: &CalculationCoreStatus, canary: &Canary, now: Timestamp) -> Option<i64> {
    let Some(RolloutState::Soaking { since, step }) = &status.state else { return None };
    let comes =
        matches!(canary.verdict, Some(CanaryVerdict::NeedMore | CanaryVerdict::Pass)) && status.paused.is_none();
    if !comes {
        return None;
    }
    let steps = core.spec.rollout.as_ref().map(|rollout| rollout.steps.as_slice()).unwrap_or_default();
    let hold = usize::try_from(step - 1).ok().and_then(|at| steps.get(at)).map_or(120, |step| step.hold_seconds);
    let held = (i64::from(hold) - now.duration_since(since.0).as_secs()).max(0);
    let (from, to) = (canary.counted_since.as_ref()?, canary.as_of.as_ref()?);
    let seconds = to.0.duration_since(from.0).as_secs();
    match canary.clean_requests_needed {
        None => Some(held),
        Some(needed) if canary.requests > 0 && seconds > 0 => Some(held.max(needed * seconds / canary.requests)),
        Some(_) => None,
    }
}

/// What is lost of the smallest budget if every request of the canary failed for
/// as long as that may go unseen.
fn at_risk(core: &CalculationCore, canary: &Canary, objectives: &[ServiceLevelObjective]) -> Option<AtRisk> {
    let analysis = core.spec.rollout.as_ref()?.analysis.as_ref()?;
    let named = objectives
        .iter()
        .filter(|objective| analysis.objective_refs.iter().any(|named| named.name == objective.name_any()));
    let left = named.filter_map(|objective| {
        let minutes = &objective.status.as_ref()?.budget.as_ref()?.remaining_minutes;
        Some((minutes.parse::<f64>().ok()?, minutes.clone(), objective.name_any()))
    });
    let (left, minutes, objective) = left.min_by(|one, other| one.0.total_cmp(&other.0))?;
    #[expect(clippy::cast_precision_loss, reason = "seconds of a minute")]
    let seconds = UNSEEN as f64 * f64::from(canary.weight_percent) / 100.0;
    let percent = if left > 0.0 { 100.0 * seconds / (left * 60.0) } else { f64::INFINITY };
    Some(AtRisk { objective, minutes, percent })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core(status: &Value) -> CalculationCore {
        let spec = json!({
            "image": "i@sha256:0", "config": {}, "replicas": {"minimum": 2, "maximum": 2},
            "rollout": {
                "steps": [{"weightPercent": 10, "holdSeconds": 60}, {"weightPercent": 50, "holdSeconds": 60}],
                "analysis": {"objectiveRefs": [{"name": "availability"}]},
            },
        });
        let object = json!({
            "apiVersion": "hashinsight.net/v1alpha1", "kind": "CalculationCore",
            "metadata": {"name": "core", "generation": 2}, "spec": spec, "status": status,
        });
        serde_json::from_value(object).unwrap()
    }

    fn objective(minutes: &str) -> ServiceLevelObjective {
        let budget = json!({
            "asOf": "2026-11-24T04:00:00Z", "windowFrom": "2026-10-25T04:00:00Z", "totalMinutes": "21.60",
            "consumedPercent": "0.00", "remaining": "r", "remainingPercent": "100.00", "remainingMinutes": minutes,
            "coveragePercent": "100.00", "totalEvents": 1, "badEvents": 0,
        });
        let spec = json!({
            "service": "core", "objectivePercent": "99.95", "window": {"rollingDays": 30},
            "indicator": {"events": {"metric": "m", "totalSelector": "", "badSelector": "code=\"500\""}},
        });
        let object = json!({
            "apiVersion": "hashinsight.net/v1alpha1", "kind": "ServiceLevelObjective",
            "metadata": {"name": "availability"}, "spec": spec,
            "status": {"observedGeneration": 1, "budget": budget, "conditions": []},
        });
        serde_json::from_value(object).unwrap()
    }

    fn ready(status: &str, reason: &str) -> Value {
        json!([{"type": "Ready", "status": status, "reason": reason, "message": "said", "lastTransitionTime": "2026-11-24T04:00:00Z"}])
    }

    #[test]
    fn a_step_shows_what_is_known_what_is_missing_and_what_is_at_risk() {
        let status = json!({
            "observedGeneration": 2, "sequence": 4, "state": {"soaking": {"since": "2026-11-24T04:00:10Z", "step": 1}},
            "stable": {"revision": "aaaaaaaaaa", "image": "i"}, "conditions": ready("False", "CanarySoaking"),
            "canary": {
                "revision": "bbbbbbbbbb", "image": "j", "weightPercent": 10, "countedSince": "2026-11-24T04:00:00Z",
                "asOf": "2026-11-24T04:00:20Z", "requests": 400, "badRequests": 1, "cleanRequestsNeeded": 2000,
                "verdict": "NeedMore",
            },
        });
        let now = "2026-11-24T04:00:22Z".parse().unwrap();
        let standing = standing(&core(&status), &[objective("7.50")], now);
        assert_eq!(standing.exit, Exit::Deferred);
        let told: Vec<&str> = standing.lines.iter().map(|line| line.en.as_str()).collect();
        assert_eq!(told[0], "core  soaking 1/2 for 12s  CanarySoaking");
        assert!(told[1].contains("aaaaaaaaaa") && told[1].ends_with(" 90 %"), "{told:?}");
        assert!(told[2].contains("████░░░░"), "{told:?}");
        assert_eq!(told[3], "  400 requests counted, 1 bad: NeedMore, 2000 clean ones more would pass (2s ago)");
        // Twenty a second: 100 s, which is longer than the step's 48 s that are left.
        assert_eq!(told[4], "  decision in about 100 s");
        // A tenth of 45 s of 450 s.
        assert!(told[5].starts_with("  at risk: 1.00 % of what is left of availability (7.50 min)"), "{told:?}");
        assert_eq!(standing.data["atRisk"]["percent"], 1.0);
    }

    #[test]
    fn the_end_is_told_by_the_exit_code_and_only_of_the_spec_that_is() {
        let over = |state: &str, reason: &str, generation: i64| {
            let fields = json!({"since": "2026-11-24T04:00:00Z", "reason": "Aborted", "detail": ""});
            let fields = if state == "promoted" { json!({"since": fields["since"]}) } else { fields };
            let status = json!({
                "observedGeneration": generation, "sequence": 9, "state": {state: fields},
                "stable": {"revision": "aaaaaaaaaa", "image": "i"}, "conditions": ready("True", reason),
            });
            standing(&core(&status), &[], Timestamp::UNIX_EPOCH).exit
        };
        assert_eq!(over("promoted", "CoreServing", 2), Exit::Ok);
        assert_eq!(over("promoted", "CoreServing", 1), Exit::Deferred);
        assert_eq!(over("rolledBack", "RolledBack", 2), Exit::Refused);
        assert_eq!(over("promoted", "ReleaseFrozen", 2), Exit::Deferred);
        assert_eq!(over("promoted", "SpecRefused", 2), Exit::Refused);
    }
}
