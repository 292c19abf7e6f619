//! ChangeNotice: one source for calendar, freezes and exclusions.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::budget_policy::Allow;
use crate::conditions::{Condition, list_schema};

/// Something announced: work, a release, a drill, or that nothing changes.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "hashinsight.net",
    version = "v1alpha1",
    kind = "ChangeNotice",
    plural = "changenotices",
    shortname = "notice",
    category = "hashinsight",
    namespaced,
    status = "ChangeNoticeStatus",
    derive = "PartialEq",
    doc = "Something announced for a stretch of time: maintenance, a release, a drill, or a freeze of releases.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Kind", type_ = "string", json_path = ".spec.kind"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "From", type_ = "string", json_path = ".spec.from", priority = 1),
    printcolumn(name = "To", type_ = "string", json_path = ".spec.to", priority = 1),
    printcolumn(name = "Title", type_ = "string", json_path = ".spec.title", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.to > self.from").message("to must be after from"),
    validation = Rule::new("self.to - self.from <= duration('744h')").message("a notice lasts at most 31 days"),
    validation = Rule::new("(self.kind == 'Freeze') == has(self.freezeReleases)").message("freezeReleases is stated with kind Freeze, and only then"),
    validation = Rule::new("self.kind == 'Maintenance' || !has(self.excludeFromObjectives) || !self.excludeFromObjectives").message("only announced maintenance is excluded from objectives")
)]
pub struct ChangeNoticeSpec {
    /// What people read in a calendar.
    #[schemars(length(min = 1, max = 200))]
    pub title: String,
    /// What it is.
    pub kind: NoticeKind,
    /// When it begins.
    pub from: Time,
    /// When it ends.
    pub to: Time,
    /// What it touches; nothing stated touches every service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["service"]))]
    pub affects: Vec<Affected>,
    /// Whether time in it, announced beforehand, does not count against
    /// objectives. It can only make less of what was consumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_from_objectives: Option<bool>,
    /// What may be released during a freeze.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze_releases: Option<Freeze>,
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum NoticeKind {
    /// Announced work.
    Maintenance,
    /// Releases are held back.
    Freeze,
    /// A new version.
    Release,
    /// Something broken on purpose, to learn from.
    Drill,
}

/// One service a notice touches.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Affected {
    /// The service, as objectives name it.
    #[schemars(length(min = 1, max = 63))]
    pub service: String,
}

/// What may be released during a freeze.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Freeze {
    /// Which releases may go on.
    pub allow: Allow,
}

/// Where a notice stands.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeNoticeStatus {
    /// Generation of the spec this status speaks of; -1 before the first look.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Whether it is to come, in force or over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<NoticeState>,
    /// From when time is excluded: never before the notice was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excludes_from: Option<Time>,
    /// Ready once the operator has read the notice.
    #[serde(default)]
    #[schemars(schema_with = "list_schema")]
    pub conditions: Vec<Condition>,
}

/// Where a notice stands in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NoticeState {
    /// Yet to come.
    Upcoming,
    /// Now.
    InForce,
    /// Past.
    Over,
}
