//! Conditions: what they look like on the wire, and the one way to set them.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::{Schema, SchemaGenerator, json_schema};

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::Reason;

/// Summary every kind has: what kstatus, Argo CD, Flux and `kubectl wait` read.
pub const READY: &str = "Ready";
/// Present only while the operator is still working towards the spec.
pub const RECONCILING: &str = "Reconciling";
/// Present only while nothing will change without a human.
pub const STALLED: &str = "Stalled";
/// Whether the tenant's region is served, refused or unknown.
pub const REGION_PROVEN: &str = "RegionProven";

/// Whether budget of an objective is left.
pub const BUDGET_HEALTHY: &str = "BudgetHealthy";
/// Whether an objective's counts are recent.
pub const DATA_FRESH: &str = "DataFresh";
/// Whether an objective's spec measures what it seems to.
pub const SPEC_SOUND: &str = "SpecSound";

/// Whether every clock of an incident has been kept.
pub const PROMISES_KEPT: &str = "PromisesKept";

/// Whether what runs once was done.
pub const SUCCEEDED: &str = "Succeeded";

/// How a core's traffic is split, and whether that stands.
pub const ROUTED: &str = "Routed";

/// Longest message the schema accepts, in characters.
pub const MESSAGE_MAX: usize = 1024;

/// Three-valued status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Not known yet, or not knowable here.
    Unknown,
}

impl ConditionStatus {
    /// The wire form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// A condition as a plan states it, before it meets the ones already stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// One of the type constants of this module.
    pub type_: &'static str,
    /// Its status.
    pub status: ConditionStatus,
    /// Why.
    pub reason: Reason,
    /// What happened and what to do next, in one or two sentences.
    pub message: String,
}

/// Turns `stated` into stored conditions: in the order stated, with the
/// transition time of `before` kept unless the status flipped. Types not
/// stated disappear, so negative conditions exist only while they hold.
pub fn settle(stated: Vec<Stated>, before: &[Condition], generation: i64, now: Timestamp) -> Vec<Condition> {
    // The API server stores whole seconds; a finer time would differ on re-read.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    stated
        .into_iter()
        .map(|s| {
            let unchanged = before.iter().find(|old| old.type_ == s.type_ && old.status == s.status.as_str());
            Condition {
                type_: s.type_.to_owned(),
                status: s.status.as_str().to_owned(),
                reason: s.reason.as_str().to_owned(),
                message: s.message.chars().take(MESSAGE_MAX).collect(),
                observed_generation: Some(generation),
                last_transition_time: unchanged.map_or(Time(now), |old| old.last_transition_time.clone()),
            }
        })
        .collect()
}

/// Schema of a condition list: a map on `type`, every field bounded. The type
/// from k8s-openapi carries neither, so the schema is stated here.
pub fn list_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "description": "What is true of the object now; Ready sums it up. One entry per type.",
        "maxItems": 8,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "One condition.",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {"type": "string", "description": "What the condition speaks of.", "maxLength": 64, "pattern": "^[A-Z][A-Za-z]*$"},
                "status": {"type": "string", "description": "True, False or Unknown.", "enum": ["True", "False", "Unknown"]},
                "observedGeneration": {"type": "integer", "format": "int64", "description": "Generation of the spec this condition was set for.", "minimum": 0},
                "lastTransitionTime": {"type": "string", "format": "date-time", "description": "When the status last flipped."},
                "reason": {"type": "string", "description": "Stable reason for scripts and runbooks.", "minLength": 1, "maxLength": 64, "pattern": "^[A-Z][A-Za-z0-9]*$"},
                "message": {"type": "string", "description": "What happened and what to do next.", "maxLength": MESSAGE_MAX},
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(status: ConditionStatus, message: &str) -> Stated {
        Stated { type_: READY, status, reason: Reason::Provisioned, message: message.to_owned() }
    }

    #[test]
    fn transition_time_moves_only_when_status_flips() {
        let (t0, t1) = (Timestamp::from_second(100).unwrap(), Timestamp::from_second(200).unwrap());
        let first = settle(vec![ready(ConditionStatus::True, "a")], &[], 1, t0);
        let second = settle(vec![ready(ConditionStatus::True, "b")], &first, 2, t1);
        assert_eq!(second[0].last_transition_time, Time(t0));
        assert_eq!(second[0].observed_generation, Some(2));
        let third = settle(vec![ready(ConditionStatus::False, "b")], &second, 2, t1);
        assert_eq!(third[0].last_transition_time, Time(t1));
    }

    #[test]
    fn messages_are_bounded() {
        let long = settle(vec![ready(ConditionStatus::True, &"é".repeat(2000))], &[], 1, Timestamp::UNIX_EPOCH);
        assert_eq!(long[0].message.chars().count(), MESSAGE_MAX);
    }
}
