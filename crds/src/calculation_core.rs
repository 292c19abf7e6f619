//! CalculationCore: a version of the calculation core, and how it takes the
//! place of the one before.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::conditions::{Condition, list_schema};

/// A version of the calculation core, and how it takes the place of the one
/// before.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "hashinsight.net",
    version = "v1alpha1",
    kind = "CalculationCore",
    plural = "calculationcores",
    shortname = "core",
    category = "hashinsight",
    namespaced,
    status = "CalculationCoreStatus",
    derive = "PartialEq",
    doc = "A version of the calculation core: image and settings as one revision, rolled out in steps that counted requests must pass.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Stable", type_ = "string", json_path = ".status.stable.revision"),
    printcolumn(name = "Weight", type_ = "integer", json_path = ".status.canary.weightPercent"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Canary", type_ = "string", json_path = ".status.canary.revision", priority = 1),
    printcolumn(name = "Verdict", type_ = "string", json_path = ".status.canary.verdict", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    ),
    validation = Rule::new("self.metadata.name.size() <= 40").message("name must have at most 40 characters: a revision is appended to it")
)]
#[serde(rename_all = "camelCase")]
pub struct CalculationCoreSpec {
    /// The image, by digest: registry.example/calculation-core@sha256:…
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^[^@[:space:]]+@sha256:[0-9a-f]{64}$')").message("image must name a digest, such as registry.example/calculation-core@sha256:…: a tag may become another image"))]
    pub image: String,
    /// The service's settings file, without where it listens.
    #[schemars(schema_with = "config_schema")]
    pub config: BTreeMap<String, Value>,
    /// How many pods serve.
    pub replicas: Replicas,
    /// What else its pods are given; part of the revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<PodTemplate>,
    /// How customers reach it; without it, a Service in the cluster alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// How a new revision takes the place of the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
}

fn config_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "description": "The service's settings file (docs/calculation-core.md), without where it listens: that is set here. At most 32 KiB.",
        "x-kubernetes-preserve-unknown-fields": true,
        "maxProperties": 32,
    })
}

/// How many pods serve.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.maximum >= self.minimum").message("replicas.maximum must not be below replicas.minimum"))]
pub struct Replicas {
    /// Never fewer.
    #[schemars(range(min = 1, max = 500))]
    pub minimum: i32,
    /// Never more, beside the pods of a rollout.
    #[schemars(range(min = 1, max = 500))]
    pub maximum: i32,
    /// Share of the CPU that was requested above which pods are added; without
    /// it their number stays at the minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub target_cpu_percent: Option<i32>,
}

/// What else pods are given.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodTemplate {
    /// What is requested; 100m and 64Mi where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Amounts>,
    /// What is allowed at most; 512Mi of memory where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Amounts>,
    /// Config maps shown to the service as folders, such as issuers' keys. They
    /// are not part of the revision and may change under it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub config_maps: Vec<Mounted>,
    /// Secrets for the registry; the kubelet reads them, the operator never.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub image_pull_secrets: Vec<PullSecret>,
    /// The service account; no token of it is mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,
    /// The label of nodes that pods are spread over; kubernetes.io/hostname
    /// where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 317))]
    pub spread_over: Option<String>,
}

/// CPU and memory.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Amounts {
    /// CPU, such as 500m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20), regex(pattern = r"^[0-9]+(\.[0-9]+)?m?$"))]
    pub cpu: Option<String>,
    /// Memory, such as 512Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20), regex(pattern = r"^[0-9]+(Ki|Mi|Gi|k|M|G)?$"))]
    pub memory: Option<String>,
}

/// Names a Secret for the registry.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PullSecret {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A config map shown as a folder.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mounted {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The folder.
    #[schemars(length(min = 2, max = 200), regex(pattern = r"^/[A-Za-z0-9._/-]+$"))]
    #[x_kube(validation = Rule::new("self != '/etc/core' && !self.startsWith('/etc/core/') && self != '/var/lib/records'").message("mountPath must not be /etc/core or /var/lib/records: those are the service's own"))]
    pub mount_path: String,
}

/// How customers reach the service: by the Gateway API.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// The gateways.
    #[schemars(length(min = 1, max = 5), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub parent_refs: Vec<ParentRef>,
    /// Names the service is asked by; all where none is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "set"))]
    pub hostnames: Vec<Hostname>,
    /// What is led to it; everything where nothing is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub matches: Vec<Match>,
}

/// A gateway.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
    /// One listener of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub section_name: Option<String>,
}

/// A name the service is asked by, such as calc.example.com.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hostname(#[schemars(length(min = 1, max = 253))] pub String);

/// What is led to the service.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    /// Beginning of the path, such as /v1.
    #[schemars(length(min = 1, max = 200), regex(pattern = r"^/[A-Za-z0-9._~/-]*$"))]
    pub path_prefix: String,
}

/// How a new revision takes the place of the one before.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// Shares of traffic on the way, each with the time it is watched at least;
    /// 5, 25 and 50 % for two minutes each where none are given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "atomic"))]
    #[x_kube(validation = Rule::new("self.map(step, step.weightPercent).isSorted() && self.all(a, self.exists_one(b, b.weightPercent == a.weightPercent))").message("steps must rise: each weightPercent above the one before"))]
    pub steps: Vec<Step>,
    /// How long a state that is not watching may take; 900 where nothing is
    /// said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 30, max = 86_400))]
    pub progress_deadline_seconds: Option<i32>,
    /// How long the version before stays as a control after the last step; 1800
    /// where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 604_800))]
    pub watch_seconds: Option<i32>,
    /// Whether every pod must compute the golden samples exactly before it is
    /// asked by customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub golden_samples: Option<GoldenSamples>,
    /// What counted requests are judged by; without it, time alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Analysis>,
}

/// A share of traffic on the way.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Share of requests for the new revision.
    #[schemars(range(min = 1, max = 99))]
    pub weight_percent: i32,
    /// Time it is watched at least; time without metrics does not count.
    #[schemars(range(min = 0, max = 86_400))]
    pub hold_seconds: i32,
}

/// Whether golden samples are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GoldenSamples {
    /// Every pod, before any traffic.
    #[default]
    Required,
    /// Not at all.
    Skip,
}

/// What counted requests are judged by.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Analysis {
    /// Objectives of the same namespace.
    #[schemars(length(min = 1, max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub objective_refs: Vec<ObjectiveRef>,
    /// Share of what is left of any of their budgets that a step may risk, if
    /// every request of the canary failed until that is seen; 10 where nothing
    /// is said. A step that would risk more is taken in smaller ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_remaining_budget_percent: Option<i32>,
    /// How long there may be no data; 900 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 30, max = 86_400))]
    pub no_data_deadline_seconds: Option<i32>,
    /// What happens then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_no_data_deadline: Option<OnNoData>,
}

/// Names an objective of the same namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectiveRef {
    /// Name of the ServiceLevelObjective.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
}

/// What happens when there has been no data for too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnNoData {
    /// The weight stays; people are told.
    #[default]
    Hold,
    /// The canary goes; it is not held against the revision.
    Rollback,
}

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
    /// Revisions that are not tried again by themselves, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["revision"]))]
    pub quarantined: Vec<Quarantined>,
    /// Ready while the spec's revision serves; Routed says how traffic is split.
    #[serde(default)]
    #[schemars(schema_with = "list_schema")]
    pub conditions: Vec<Condition>,
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
    /// Requests that were counted, by the objective that counts most, as of
    /// the last change of state or verdict.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub requests: i64,
    /// Bad ones, by the objective that has most.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub bad_requests: i64,
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
    /// The spec asks for another revision.
    Superseded,
    /// The spec asks for the stable revision again.
    Reverted,
}

impl RollbackReason {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::GoldenSamplesDiffer,
        Self::ObjectivesBroken,
        Self::CanaryUnavailable,
        Self::ProgressDeadlineExceeded,
        Self::RouteRefused,
        Self::NoDataDeadlineExceeded,
        Self::Superseded,
        Self::Reverted,
    ];

    /// Whether the revision is at fault: then it is not tried again by itself.
    pub const fn is_fault(self) -> bool {
        match self {
            Self::GoldenSamplesDiffer
            | Self::ObjectivesBroken
            | Self::CanaryUnavailable
            | Self::ProgressDeadlineExceeded => true,
            Self::RouteRefused | Self::NoDataDeadlineExceeded | Self::Superseded | Self::Reverted => false,
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
            Self::Superseded => "the spec asks for another revision",
            Self::Reverted => "the spec asks for the stable revision again",
        }
    }
}
