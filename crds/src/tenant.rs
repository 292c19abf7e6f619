//! Tenant: one customer, its plan, its people and its region. Applied by the
//! platform's own people; tenants read their TenantSummary instead.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::{Condition, list_schema};
use crate::tenant_plan::Quotas;

/// A customer with its own namespace, quota, network boundary and people.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "hashinsight.net",
    version = "v1alpha1",
    kind = "Tenant",
    plural = "tenants",
    shortname = "tnt",
    category = "hashinsight",
    status = "TenantStatus",
    derive = "PartialEq",
    doc = "A customer: its namespace tenant-<name>, quota, network boundary, people and region.",
    selectable = ".spec.planRef.name",
    selectable = ".spec.lifecycle",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Plan", type_ = "string", json_path = ".spec.planRef.name"),
    printcolumn(name = "Miners", type_ = "integer", json_path = ".status.quotas.miners"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region", priority = 1),
    printcolumn(name = "Namespace", type_ = "string", json_path = ".status.namespace", priority = 1),
    printcolumn(name = "Id", type_ = "string", json_path = ".status.id", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1),
    validation = Rule::new("self.metadata.name.size() <= 56").message("name must have at most 56 characters: it becomes part of the namespace name tenant-<name>"),
    validation = Rule::new("self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("name must be a DNS label without dots: it becomes part of the namespace name tenant-<name>")
)]
#[serde(rename_all = "camelCase")]
pub struct TenantSpec {
    /// Name of the customer as people read it.
    #[schemars(length(min = 1, max = 100))]
    pub display_name: String,
    /// The plan whose quotas and response times hold.
    pub plan_ref: PlanRef,
    /// Region the tenant's data stays in, as nodes name it in
    /// topology.kubernetes.io/region. Immutable.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("region is immutable: the tenant's data lives there"))]
    pub region: String,
    /// Active, or Suspended: no pod runs while objects and data stay untouched.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// What deleting the Tenant does: Retain keeps the namespace and its
    /// content without access; Erase removes everything the tenant owns.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// Overrides of the plan's quotas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quotas: Option<QuotaOverrides>,
    /// Who may do what in the tenant's namespace.
    #[serde(default)]
    #[schemars(length(max = 200), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["role", "kind", "name"]))]
    pub members: Vec<Member>,
}

/// Names a TenantPlan.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanRef {
    /// Name of the TenantPlan.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Whether the tenant may run pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Lifecycle {
    /// In service.
    #[default]
    Active,
    /// No pods; objects and data untouched.
    Suspended,
}

/// What deleting a Tenant does to what it owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Keep the namespace and its content, without access.
    #[default]
    Retain,
    /// Remove everything the tenant owns, in order.
    Erase,
}

/// Overrides of a plan's quotas; what is left out follows the plan.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotaOverrides {
    /// Mining sites (gateways).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub sites: Option<i32>,
    /// Miners over all sites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000_000))]
    pub miners: Option<i32>,
    /// API requests per minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub requests_per_minute: Option<i32>,
    /// CPU of all pods, as a Kubernetes quantity such as "8" or "500m".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(validation = Rule::new("isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))").message("cpu must be a quantity above zero, such as \"8\" or \"500m\""))]
    pub cpu: Option<String>,
    /// Memory of all pods, as a Kubernetes quantity such as "32Gi".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(validation = Rule::new("isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))").message("memory must be a quantity above zero, such as \"32Gi\""))]
    pub memory: Option<String>,
    /// Pods that exist at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub pods: Option<i32>,
}

impl QuotaOverrides {
    /// The plan's quotas with these overrides in their place.
    pub fn over(&self, plan: &Quotas) -> Quotas {
        let Self { sites, miners, requests_per_minute, cpu, memory, pods } = self;
        Quotas {
            sites: sites.unwrap_or(plan.sites),
            miners: miners.unwrap_or(plan.miners),
            requests_per_minute: requests_per_minute.unwrap_or(plan.requests_per_minute),
            cpu: cpu.clone().unwrap_or_else(|| plan.cpu.clone()),
            memory: memory.clone().unwrap_or_else(|| plan.memory.clone()),
            pods: pods.unwrap_or(plan.pods),
        }
    }
}

/// A person or group and what it may do in the tenant's namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!self.name.startsWith('system:') || (self.kind == 'User' && self.name.startsWith('system:serviceaccount:'))").message("names starting with system: are reserved; only a service account (kind User, system:serviceaccount:<namespace>:<name>) may be a member"))]
pub struct Member {
    /// What it may do.
    pub role: Role,
    /// User or Group, as the cluster's authentication names them.
    pub kind: MemberKind,
    /// Its name, as the cluster's authentication names it.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Role of a member in the tenant's namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Role {
    /// All of our kinds.
    Owner,
    /// Sites and runs.
    Operations,
    /// Reads figures for accounting.
    Finance,
    /// Reads figures.
    Investor,
}

impl Role {
    /// All roles, in order of reach.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Operations, Self::Finance, Self::Investor];

    /// Lower-case name; part of the names of bindings and cluster roles.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Operations => "operations",
            Self::Finance => "finance",
            Self::Investor => "investor",
        }
    }

    /// The fixed ClusterRole this role is bound to.
    pub fn cluster_role(self) -> String {
        format!("hashinsight-tenant-{}", self.slug())
    }
}

/// Kind of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum MemberKind {
    /// A user.
    User,
    /// A group.
    Group,
}

/// What the operator says of a tenant.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantStatus {
    /// Generation of the spec this status speaks of; -1 before the first look.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Identity that outlives the name: part of certificate URIs, database
    /// roles, key aliases and storage prefixes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 21), regex(pattern = "^t[0-9a-f]{20}$"))]
    pub id: Option<String>,
    /// Namespace of the tenant, once it is the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
    /// Quotas in force: the plan's with the tenant's overrides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quotas: Option<Quotas>,
    /// Where the tenant's workflow stands; written before effects that cannot
    /// be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TenantState>,
    /// What is true of the tenant now.
    #[serde(default)]
    #[schemars(schema_with = "list_schema")]
    pub conditions: Vec<Condition>,
}

/// Where a tenant's workflow stands. Exactly one field is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TenantState {
    /// Not everything is in place yet.
    Provisioning {
        /// Since when.
        since: Time,
    },
    /// In service.
    Active {
        /// Since when.
        since: Time,
    },
    /// Pods are being removed.
    Suspending {
        /// Since when.
        since: Time,
    },
    /// No pods run.
    Suspended {
        /// Since when.
        since: Time,
    },
    /// Deleted under Retain: access and claim are being removed.
    Releasing {
        /// Since when.
        since: Time,
    },
    /// Deleted under Erase: everything the tenant owns is being removed.
    Erasing {
        /// Since when.
        since: Time,
    },
}

impl TenantState {
    /// Bounded name for metrics and columns.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Provisioning { .. } => "provisioning",
            Self::Active { .. } => "active",
            Self::Suspending { .. } => "suspending",
            Self::Suspended { .. } => "suspended",
            Self::Releasing { .. } => "releasing",
            Self::Erasing { .. } => "erasing",
        }
    }

    /// Since when this state holds.
    pub const fn since(&self) -> &Time {
        match self {
            Self::Provisioning { since }
            | Self::Active { since }
            | Self::Suspending { since }
            | Self::Suspended { since }
            | Self::Releasing { since }
            | Self::Erasing { since } => since,
        }
    }
}
