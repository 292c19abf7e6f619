//! TenantPlan: what a tier of service includes. Plans are data; a new tier
//! needs no release.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::conditions::{Condition, list_schema};

/// What a tier of service includes.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "hashinsight.net",
    version = "v1alpha1",
    kind = "TenantPlan",
    plural = "tenantplans",
    shortname = "tplan",
    category = "hashinsight",
    status = "TenantPlanStatus",
    derive = "PartialEq",
    doc = "A tier of service: the quotas its tenants get and how fast support responds and recovers.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Miners", type_ = "integer", json_path = ".spec.quotas.miners"),
    printcolumn(name = "Sites", type_ = "integer", json_path = ".spec.quotas.sites"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "CPU", type_ = "string", json_path = ".spec.quotas.cpu", priority = 1),
    printcolumn(name = "Memory", type_ = "string", json_path = ".spec.quotas.memory", priority = 1),
    printcolumn(name = "Respond", type_ = "integer", json_path = ".spec.response.respondMinutes", priority = 1),
    printcolumn(name = "Recover", type_ = "integer", json_path = ".spec.response.recoverMinutes", priority = 1)
)]
#[serde(rename_all = "camelCase")]
pub struct TenantPlanSpec {
    /// Name of the tier as customers read it.
    #[schemars(length(min = 1, max = 100))]
    pub display_name: String,
    /// What a tenant on this plan may use, unless the tenant overrides it.
    pub quotas: Quotas,
    /// How fast support responds and recovers.
    pub response: Response,
}

/// What a tenant may use. Sites, CPU, memory and pods are enforced by the
/// ResourceQuota in the tenant's namespace; miners and requests per minute are
/// published in its TenantSummary for the services that count them.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quotas {
    /// Mining sites (gateways).
    #[schemars(range(min = 1, max = 100_000))]
    pub sites: i32,
    /// Miners over all sites.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub miners: i32,
    /// API requests per minute.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub requests_per_minute: i32,
    /// CPU of all pods, as a Kubernetes quantity such as "8" or "500m".
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(validation = Rule::new("isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))").message("cpu must be a quantity above zero, such as \"8\" or \"500m\""))]
    pub cpu: String,
    /// Memory of all pods, as a Kubernetes quantity such as "32Gi".
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(validation = Rule::new("isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))").message("memory must be a quantity above zero, such as \"32Gi\""))]
    pub memory: String,
    /// Pods that exist at once.
    #[schemars(range(min = 1, max = 100_000))]
    pub pods: i32,
}

/// How fast support responds and recovers, in minutes; published in the
/// TenantSummary.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.recoverMinutes >= self.respondMinutes").message("recoverMinutes must not be below respondMinutes"))]
pub struct Response {
    /// Minutes until someone answers.
    #[schemars(range(min = 1, max = 100_000))]
    pub respond_minutes: i32,
    /// Minutes until service is restored.
    #[schemars(range(min = 1, max = 100_000))]
    pub recover_minutes: i32,
}

/// What the operator says of a plan.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantPlanStatus {
    /// Generation of the spec this status speaks of; -1 before the first look.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Ready once the operator has read the plan.
    #[serde(default)]
    #[schemars(schema_with = "list_schema")]
    pub conditions: Vec<Condition>,
}
