//! CalculationCore: a version of the calculation core, and how it takes the
//! place of the one before.

mod status;

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::status::{
    ActionDone, CalculationCoreStatus, Canary, CanaryVerdict, Paused, Quarantined, RollbackReason, RolloutState,
    Version,
};

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
