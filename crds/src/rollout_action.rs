//! RolloutAction: what a person asks of a rollout; runs once.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::{Condition, list_schema};

/// What a person asks of a rollout. It is meant for one revision, is not tried
/// after it has run out, and runs once.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "hashinsight.net",
    version = "v1alpha1",
    kind = "RolloutAction",
    plural = "rolloutactions",
    shortname = "action",
    category = "hashinsight",
    namespaced,
    status = "RolloutActionStatus",
    derive = "PartialEq",
    doc = "What a person asks of a rollout: meant for one revision, proven by admission, done once.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Core", type_ = "string", json_path = ".spec.coreRef.name"),
    printcolumn(name = "Verb", type_ = "string", json_path = ".spec.verb"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Revision", type_ = "string", json_path = ".spec.revision", priority = 1),
    printcolumn(name = "By", type_ = "string", json_path = ".spec.requestedBy", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("an action is a record and does not change: make another one"))]
pub struct RolloutActionSpec {
    /// The core whose rollout is meant.
    pub core_ref: CoreRef,
    /// The revision that is meant; the action is refused when the rollout is of
    /// another.
    #[schemars(length(min = 10, max = 10), regex(pattern = r"^[0-9a-f]{10}$"))]
    pub revision: String,
    /// What is to be done.
    pub verb: Verb,
    /// Why, for those who read it later.
    #[schemars(length(min = 1, max = 400))]
    pub reason: String,
    /// Who asks, as the API server knows them; admission refuses any other name.
    #[schemars(length(min = 1, max = 253))]
    pub requested_by: String,
    /// From when on it is not done any more; at most a day ahead.
    pub expires_at: Time,
}

/// Names a CalculationCore of the same namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CoreRef {
    /// Its name.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Verb {
    /// The rollout stays where it is; what is bad is still taken back.
    Pause,
    /// It goes on.
    Resume,
    /// The steps that are left are skipped, and in the end the watch.
    Promote,
    /// The canary is taken back, and held until somebody asks for it again.
    Abort,
    /// What was taken back is tried anew.
    Retry,
    /// The revision is not held any more.
    LiftQuarantine,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Pause, Self::Resume, Self::Promote, Self::Abort, Self::Retry, Self::LiftQuarantine];

    /// The wire form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "Pause",
            Self::Resume => "Resume",
            Self::Promote => "Promote",
            Self::Abort => "Abort",
            Self::Retry => "Retry",
            Self::LiftQuarantine => "LiftQuarantine",
        }
    }

    /// The verb on the core that the requester must hold.
    pub const fn permission(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Promote => "promote",
            Self::Abort => "abort",
            Self::Retry => "retry",
            Self::LiftQuarantine => "lift-quarantine",
        }
    }
}

/// What became of an action.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutActionStatus {
    /// Generation of the spec this status speaks of; -1 before the first look.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// When it was done, or refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// Ready once it was done; Succeeded says whether it was.
    #[serde(default)]
    #[schemars(schema_with = "list_schema")]
    pub conditions: Vec<Condition>,
}
