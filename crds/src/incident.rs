//! Incident: an alert that fired, who took it, and the clocks customers were
//! promised.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::{Condition, list_schema};

/// An alert that fired. Opened by the operator; people say who took it and who
/// ended it.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "hashinsight.net",
    version = "v1alpha1",
    kind = "Incident",
    plural = "incidents",
    shortname = "inc",
    category = "hashinsight",
    namespaced,
    status = "IncidentStatus",
    derive = "PartialEq",
    doc = "An alert that woke somebody: since when, who took it, when it ended, and one clock for each plan's promise.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Alert", type_ = "string", json_path = ".spec.alert"),
    printcolumn(name = "Started", type_ = "date", json_path = ".spec.startedAt"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.service", priority = 1),
    printcolumn(name = "By", type_ = "string", json_path = ".spec.acknowledged.by", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.alert == oldSelf.alert && self.fingerprint == oldSelf.fingerprint && self.startedAt == oldSelf.startedAt").message("what fired and when is on record and does not change"),
    validation = Rule::new("!has(oldSelf.acknowledged) || has(self.acknowledged) && self.acknowledged == oldSelf.acknowledged").message("who took an incident is on record and does not change"),
    validation = Rule::new("!has(oldSelf.resolved) || has(self.resolved) && self.resolved == oldSelf.resolved").message("who ended an incident is on record and does not change")
)]
pub struct IncidentSpec {
    /// Name of the alert.
    #[schemars(length(min = 1, max = 200))]
    pub alert: String,
    /// Digest of the alert's labels: the same alert again is the same incident
    /// until it ended.
    #[schemars(length(min = 8, max = 64))]
    pub fingerprint: String,
    /// The service it is about.
    #[schemars(length(min = 1, max = 63))]
    pub service: String,
    /// The objective it is about, as namespace/name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 320))]
    pub objective: Option<String>,
    /// What the alert said first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub summary: Option<String>,
    /// Where to read what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub runbook: Option<String>,
    /// When it began to fire; every clock runs from here.
    pub started_at: Time,
    /// Who took it: `hashinsight incident acknowledge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Hand>,
    /// Who ended it, if the alert did not end by itself: `hashinsight incident
    /// resolve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Hand>,
}

/// A person's word. When it was given is on record with the API server.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hand {
    /// Who, as the API server knows them; admission refuses any other name.
    #[schemars(length(min = 1, max = 253))]
    pub by: String,
    /// What they add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub note: Option<String>,
}

/// Where an incident stands.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IncidentStatus {
    /// Generation of the spec this status speaks of; -1 before the first look.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Whether somebody has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<IncidentState>,
    /// When it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<Time>,
    /// When the alert ended, or somebody ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Time>,
    /// One clock for each plan there was when it began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["plan"]))]
    pub clocks: Vec<Clock>,
    /// Ready once it is over; PromisesKept while no clock ran out.
    #[serde(default)]
    #[schemars(schema_with = "list_schema")]
    pub conditions: Vec<Condition>,
}

/// Whether somebody has an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum IncidentState {
    /// Nobody has taken it.
    Open,
    /// Somebody has.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl IncidentState {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Open, Self::Acknowledged, Self::Resolved];

    /// The wire form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Acknowledged => "Acknowledged",
            Self::Resolved => "Resolved",
        }
    }
}

/// What one plan promised for this incident.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Clock {
    /// Name of the TenantPlan.
    #[schemars(length(max = 253))]
    pub plan: String,
    /// Until when somebody must have taken it.
    pub respond_by: Time,
    /// Until when it must be over.
    pub recover_by: Time,
    /// What was missed.
    pub missed: Missed,
}

/// What of a plan's promise was missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Missed {
    /// Nothing.
    #[default]
    Nothing,
    /// Nobody took it in time.
    Response,
    /// It was not over in time.
    Recovery,
    /// Both.
    Both,
}

impl Missed {
    /// From what was missed.
    pub const fn of(response: bool, recovery: bool) -> Self {
        match (response, recovery) {
            (false, false) => Self::Nothing,
            (true, false) => Self::Response,
            (false, true) => Self::Recovery,
            (true, true) => Self::Both,
        }
    }

    /// Whether the response was.
    pub const fn response(self) -> bool {
        matches!(self, Self::Response | Self::Both)
    }

    /// Whether the recovery was.
    pub const fn recovery(self) -> bool {
        matches!(self, Self::Recovery | Self::Both)
    }
}
