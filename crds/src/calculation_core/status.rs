//! Where a core stands: the typed state of its rollout, and what goes with it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::{Condition, list_schema};
use crate::rollout_action::Verb;

/// Where a core stands. What it says is on record before anything irreversible
/// is done, and what is done follows from it alone.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CalculationCoreStatus {
    /// Generation of the spec this status speaks of; -1 before the first look.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Where the rollout is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<RolloutState>,
    /// Grows with each state; what writes traffic with an older one is refused.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub sequence: i64,
    /// The revision customers had before the rollout, and have after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<Version>,
    /// The revision that is rolled out, or was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// Pods of the stable revision when the rollout began: never fewer until
    /// it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub pinned_replicas: Option<i32>,
    /// Since when a person holds the rollout where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// The RolloutAction that was done last: it is on record with what it did,
    /// so that none is done twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_action: Option<ActionDone>,
    /// Revisions that are not tried again by themselves, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["revision"]))]
    pub quarantined: Vec<Quarantined>,
    /// Ready while the spec's revision serves; Routed says how traffic is split.
    #[serde(default)]
    #[schemars(schema_with = "list_schema")]
    pub conditions: Vec<Condition>,
}

impl CalculationCoreStatus {
    /// Whether a revision is on its way, or on its way back.
    pub const fn is_under_way(&self) -> bool {
        !matches!(&self.state, None | Some(RolloutState::Promoted { .. } | RolloutState::RolledBack { .. }))
    }
}

/// A revision.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Digest of image, settings and template.
    #[schemars(length(max = 16))]
    pub revision: String,
    /// Its image.
    #[schemars(length(max = 512))]
    pub image: String,
}

/// A revision on its way.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Canary {
    /// Digest of image, settings and template.
    #[schemars(length(max = 16))]
    pub revision: String,
    /// Its image.
    #[schemars(length(max = 512))]
    pub image: String,
    /// Share of requests it is meant to get.
    #[schemars(range(min = 0, max = 100))]
    pub weight_percent: i32,
    /// Since when its requests are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_since: Option<Time>,
    /// When its requests were looked at last; at most every quarter of a minute
    /// while nothing else changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Time>,
    /// Requests that were counted, by the objective that counts most.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub requests: i64,
    /// Bad ones, by the objective that has most.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub bad_requests: i64,
    /// Requests more that would pass the step if none of them were bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub clean_requests_needed: Option<i64>,
    /// The verdict on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<CanaryVerdict>,
}

/// The verdict on a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CanaryVerdict {
    /// It may go on.
    Pass,
    /// Too little is known.
    NeedMore,
    /// Nobody asks it anything.
    NoData,
    /// The metrics system does not answer.
    Error,
    /// It is worse than may be promoted.
    Fail,
}

/// A rollout that a person holds.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Paused {
    /// Since when it is held.
    pub since: Time,
    /// Who holds it, as the API server knows them.
    #[schemars(length(max = 253))]
    pub by: String,
    /// Why, in their words.
    #[schemars(length(max = 400))]
    pub reason: String,
}

/// A RolloutAction that was done.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionDone {
    /// Its uid.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// What was done.
    pub verb: Verb,
    /// Who asked.
    #[schemars(length(max = 253))]
    pub by: String,
    /// When it was done.
    pub at: Time,
}

/// A revision that is not tried again by itself.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quarantined {
    /// Digest of image, settings and template.
    #[schemars(length(max = 16))]
    pub revision: String,
    /// Why it went.
    pub reason: RollbackReason,
    /// Since when.
    pub at: Time,
}

/// Where a rollout is; exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RolloutState {
    /// The canary's pods start.
    Pending {
        /// Since when.
        since: Time,
    },
    /// Its pods are asked for the golden samples.
    Verifying {
        /// Since when.
        since: Time,
    },
    /// Traffic moves to a step's share.
    Shifting {
        /// Since when.
        since: Time,
        /// The step, from 1.
        #[schemars(range(min = 1, max = 10))]
        step: i32,
    },
    /// The step's requests are counted.
    Soaking {
        /// Since when.
        since: Time,
        /// The step, from 1.
        #[schemars(range(min = 1, max = 10))]
        step: i32,
    },
    /// The canary grows to the full number of pods, then gets all traffic but
    /// the control's.
    Promoting {
        /// Since when.
        since: Time,
    },
    /// It serves; the version before stays as a control.
    Watching {
        /// Since when.
        since: Time,
    },
    /// It is the stable revision.
    Promoted {
        /// Since when.
        since: Time,
    },
    /// Traffic goes back, then the canary.
    RollingBack {
        /// Since when.
        since: Time,
        /// Why it went.
        reason: RollbackReason,
        /// What was seen, in a sentence.
        #[schemars(length(max = 400))]
        detail: String,
        /// When no request reached it any more; it ends after that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        drained_at: Option<Time>,
    },
    /// The stable revision serves alone again.
    RolledBack {
        /// Since when.
        since: Time,
        /// Why it went.
        reason: RollbackReason,
        /// What was seen, in a sentence.
        #[schemars(length(max = 400))]
        detail: String,
    },
}

impl RolloutState {
    /// Since when.
    pub const fn since(&self) -> &Time {
        match self {
            Self::Pending { since }
            | Self::Verifying { since }
            | Self::Shifting { since, .. }
            | Self::Soaking { since, .. }
            | Self::Promoting { since }
            | Self::Watching { since }
            | Self::Promoted { since }
            | Self::RollingBack { since, .. }
            | Self::RolledBack { since, .. } => since,
        }
    }

    /// All names, in the order of a rollout.
    pub const NAMES: [&str; 9] = [
        "pending",
        "verifying",
        "shifting",
        "soaking",
        "promoting",
        "watching",
        "promoted",
        "rollingback",
        "rolledback",
    ];

    /// Bounded name for metrics and logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Verifying { .. } => "verifying",
            Self::Shifting { .. } => "shifting",
            Self::Soaking { .. } => "soaking",
            Self::Promoting { .. } => "promoting",
            Self::Watching { .. } => "watching",
            Self::Promoted { .. } => "promoted",
            Self::RollingBack { .. } => "rollingback",
            Self::RolledBack { .. } => "rolledback",
        }
    }
}

/// Why a canary went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum RollbackReason {
    /// A figure was not what it must be.
    GoldenSamplesDiffer,
    /// Counted requests convict it.
    ObjectivesBroken,
    /// Its pods were gone, or began anew again and again, while customers
    /// asked them.
    CanaryUnavailable,
    /// A state took too long.
    ProgressDeadlineExceeded,
    /// No gateway took the route for too long.
    RouteRefused,
    /// There was no data for too long, and the spec says so.
    NoDataDeadlineExceeded,
    /// A person took it back.
    Aborted,
    /// The spec asks for another revision.
    Superseded,
    /// The spec asks for the stable revision again.
    Reverted,
}

impl RollbackReason {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::GoldenSamplesDiffer,
        Self::ObjectivesBroken,
        Self::CanaryUnavailable,
        Self::ProgressDeadlineExceeded,
        Self::RouteRefused,
        Self::NoDataDeadlineExceeded,
        Self::Aborted,
        Self::Superseded,
        Self::Reverted,
    ];

    /// Whether it is held against the revision: then it is not tried again by
    /// itself, not even when another was asked for in between.
    pub const fn is_fault(self) -> bool {
        match self {
            Self::GoldenSamplesDiffer
            | Self::ObjectivesBroken
            | Self::CanaryUnavailable
            | Self::ProgressDeadlineExceeded
            | Self::Aborted => true,
            Self::RouteRefused | Self::NoDataDeadlineExceeded | Self::Superseded | Self::Reverted => false,
        }
    }

    /// The wire form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GoldenSamplesDiffer => "GoldenSamplesDiffer",
            Self::ObjectivesBroken => "ObjectivesBroken",
            Self::CanaryUnavailable => "CanaryUnavailable",
            Self::ProgressDeadlineExceeded => "ProgressDeadlineExceeded",
            Self::RouteRefused => "RouteRefused",
            Self::NoDataDeadlineExceeded => "NoDataDeadlineExceeded",
            Self::Aborted => "Aborted",
            Self::Superseded => "Superseded",
            Self::Reverted => "Reverted",
        }
    }

    /// In words.
    pub const fn told(self) -> &'static str {
        match self {
            Self::GoldenSamplesDiffer => "a golden sample did not come out exactly",
            Self::ObjectivesBroken => "its counted requests break an objective",
            Self::CanaryUnavailable => "its pods were not available while customers asked them",
            Self::ProgressDeadlineExceeded => "a state took longer than progressDeadlineSeconds",
            Self::RouteRefused => "no gateway took the route for progressDeadlineSeconds",
            Self::NoDataDeadlineExceeded => "there was no data for noDataDeadlineSeconds",
            Self::Aborted => "a person took it back",
            Self::Superseded => "the spec asks for another revision",
            Self::Reverted => "the spec asks for the stable revision again",
        }
    }
}
