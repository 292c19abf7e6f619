//! TenantSummary: what a tenant may read about itself. The operator mirrors
//! it into the tenant's namespace; nobody else writes it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::conditions::{Condition, list_schema};
use crate::tenant::TenantState;
use crate::tenant_plan::{Quotas, Response};

/// The summary holds nothing to configure.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "hashinsight.net",
    version = "v1alpha1",
    kind = "TenantSummary",
    plural = "tenantsummaries",
    shortname = "tsum",
    category = "hashinsight",
    namespaced,
    status = "TenantSummaryStatus",
    derive = "PartialEq",
    doc = "What a tenant may read about itself: plan, state, quotas and their use. Written by the operator alone.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Plan", type_ = "string", json_path = ".status.plan"),
    printcolumn(name = "Pods", type_ = "string", json_path = ".status.used.pods"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Miners", type_ = "integer", json_path = ".status.quotas.miners", priority = 1),
    printcolumn(name = "CPU", type_ = "string", json_path = ".status.used.cpu", priority = 1),
    printcolumn(name = "Memory", type_ = "string", json_path = ".status.used.memory", priority = 1),
    validation = Rule::new("self.metadata.name == 'summary'").message("a namespace has one TenantSummary, named summary")
)]
#[serde(rename_all = "camelCase")]
pub struct TenantSummarySpec {}

/// The mirror.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantSummaryStatus {
    /// Generation of the summary this status speaks of; -1 before the first look.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Identity of the tenant, as in Tenant.status.id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 21))]
    pub id: Option<String>,
    /// Name of the customer as people read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub display_name: Option<String>,
    /// Name of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub plan: Option<String>,
    /// Region the data stays in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub region: Option<String>,
    /// Where the tenant stands, as in Tenant.status.state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TenantState>,
    /// Quotas in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quotas: Option<Quotas>,
    /// Response times of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// What is in use of the enforced quotas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<QuotaUse>,
    /// As on the Tenant.
    #[serde(default)]
    #[schemars(schema_with = "list_schema")]
    pub conditions: Vec<Condition>,
}

/// Use of the enforced quotas, read from the namespace's ResourceQuota and
/// refreshed at most once a minute.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotaUse {
    /// Requested CPU of all pods, as a quantity.
    #[schemars(length(max = 40))]
    pub cpu: String,
    /// Requested memory of all pods, as a quantity.
    #[schemars(length(max = 40))]
    pub memory: String,
    /// Pods, as a quantity.
    #[schemars(length(max = 40))]
    pub pods: String,
    /// When these figures were read.
    pub read_at: Time,
}
