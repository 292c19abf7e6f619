//! ErrorBudgetPolicy: what is allowed at what is left of a budget.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::{Condition, list_schema};
use crate::objective::StageHeld;

/// What is allowed at what is left. Normal is implied and allows everything.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "hashinsight.net",
    version = "v1alpha1",
    kind = "ErrorBudgetPolicy",
    plural = "errorbudgetpolicies",
    shortname = "ebp",
    category = "hashinsight",
    namespaced,
    status = "ErrorBudgetPolicyStatus",
    derive = "PartialEq",
    doc = "What is allowed at what is left of the error budgets that name it; the worst objective wins.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Stage", type_ = "string", json_path = ".status.stage.name"),
    printcolumn(name = "Releases", type_ = "string", json_path = ".status.releases.allow"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Worst", type_ = "string", json_path = ".status.worst", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBudgetPolicySpec {
    /// From mild to severe, each entered below the one before.
    #[schemars(length(min = 1, max = 5), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    #[x_kube(validation = Rule::new("self.all(a, self.all(b, a == b || a.enterAtOrBelowPercent != b.enterAtOrBelowPercent)) && (size(self) < 2 || self[0].enterAtOrBelowPercent > self[size(self) - 1].enterAtOrBelowPercent)").message("stages go from mild to severe: each is entered below the one before"))]
    pub stages: Vec<Stage>,
}

/// One stage.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.leaveAtOrAbovePercent > self.enterAtOrBelowPercent").message("leaveAtOrAbovePercent must be above enterAtOrBelowPercent, or the stage would flap"),
    validation = Rule::new("self.name != 'Normal'").message("Normal is the name of no stage being entered")
)]
pub struct Stage {
    /// Its name, such as Cautious.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Z][A-Za-z0-9]*$"))]
    pub name: String,
    /// Entered when no more of the budget is left than this.
    #[schemars(range(min = -1000, max = 100))]
    pub enter_at_or_below_percent: i32,
    /// Left when at least this is left again.
    #[schemars(range(min = -999, max = 101))]
    pub leave_at_or_above_percent: i32,
    /// And not before it has lasted this long.
    #[schemars(range(min = 0, max = 100_000))]
    pub minimum_hold_minutes: i32,
    /// What may be released in it.
    pub releases: Releases,
    /// Whether entering it wakes somebody.
    pub page: bool,
}

/// What may be released.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Releases {
    /// All, or FixesOnly: what is marked as a fix or as security.
    pub allow: Allow,
    /// Largest share of traffic a step of a rollout may add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_step_percent: Option<i32>,
}

/// Which releases may go on. A rollback always may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Allow {
    /// Every release.
    #[default]
    All,
    /// Those marked as a fix or as security.
    FixesOnly,
}

impl Allow {
    /// Both, freer first.
    pub const ALL: [Self; 2] = [Self::All, Self::FixesOnly];
}

/// What is in force now.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBudgetPolicyStatus {
    /// Generation of the spec this status speaks of; -1 before the first look.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// The most severe stage any objective asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageHeld>,
    /// The objective that asks for it, as namespace/name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 320))]
    pub worst: Option<String>,
    /// How many objectives name this policy.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub objectives: i32,
    /// What may be released now: the stage's word, and that of every freeze.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases: Option<Releases>,
    /// The freezes in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub freezes: Vec<FreezeInForce>,
    /// Ready once the operator has read the policy.
    #[serde(default)]
    #[schemars(schema_with = "list_schema")]
    pub conditions: Vec<Condition>,
}

/// A freeze that is in force.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FreezeInForce {
    /// Name of its ChangeNotice.
    #[schemars(length(max = 253))]
    pub name: String,
}
