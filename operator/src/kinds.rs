//! The kinds the operator reads or writes, each once.

use kube::core::{ApiResource, GroupVersionKind};

/// A kind of Kubernetes object.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Version.
    pub version: &'static str,
    /// Kind as in YAML.
    pub kind: &'static str,
    /// Plural as in URLs and RBAC; a bounded label for metrics.
    pub plural: &'static str,
}

impl Kind {
    const fn new(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Self {
        Self { group, version, kind, plural }
    }

    /// `v1` or `group/version`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The group as people say it.
    pub const fn group_or_core(&self) -> &'static str {
        if self.group.is_empty() { "core" } else { self.group }
    }

    /// The form a dynamic client wants.
    pub fn api_resource(&self) -> ApiResource {
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(self.group, self.version, self.kind), self.plural)
    }
}

/// Namespaces.
pub const NAMESPACES: Kind = Kind::new("", "v1", "Namespace", "namespaces");
/// Nodes; read for their region.
pub const NODES: Kind = Kind::new("", "v1", "Node", "nodes");
/// Pods; deleted on suspension, watched where they are a core's.
pub const PODS: Kind = Kind::new("", "v1", "Pod", "pods");
/// Resource quotas.
pub const QUOTAS: Kind = Kind::new("", "v1", "ResourceQuota", "resourcequotas");
/// Limit ranges.
pub const LIMITS: Kind = Kind::new("", "v1", "LimitRange", "limitranges");
/// Network policies.
pub const POLICIES: Kind = Kind::new("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies");
/// Role bindings.
pub const BINDINGS: Kind = Kind::new("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings");
/// Cluster roles; bound, never written.
pub const CLUSTER_ROLES: Kind = Kind::new("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles");
/// Events.
pub const EVENTS: Kind = Kind::new("events.k8s.io", "v1", "Event", "events");
/// Leases.
pub const LEASES: Kind = Kind::new("coordination.k8s.io", "v1", "Lease", "leases");
/// Custom resource definitions; read to say which is missing.
pub const CRDS: Kind = Kind::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions");
/// Tenants.
pub const TENANTS: Kind = Kind::new("hashinsight.net", "v1alpha1", "Tenant", "tenants");
/// Tenant plans.
pub const PLANS: Kind = Kind::new("hashinsight.net", "v1alpha1", "TenantPlan", "tenantplans");
/// Tenant summaries.
pub const SUMMARIES: Kind = Kind::new("hashinsight.net", "v1alpha1", "TenantSummary", "tenantsummaries");
/// Objectives.
pub const OBJECTIVES: Kind =
    Kind::new("hashinsight.net", "v1alpha1", "ServiceLevelObjective", "servicelevelobjectives");
/// Policies of error budgets.
pub const BUDGET_POLICIES: Kind = Kind::new("hashinsight.net", "v1alpha1", "ErrorBudgetPolicy", "errorbudgetpolicies");
/// Notices of change.
pub const NOTICES: Kind = Kind::new("hashinsight.net", "v1alpha1", "ChangeNotice", "changenotices");
/// Incidents.
pub const INCIDENTS: Kind = Kind::new("hashinsight.net", "v1alpha1", "Incident", "incidents");
/// Config maps; rules where nothing better is served.
pub const CONFIG_MAPS: Kind = Kind::new("", "v1", "ConfigMap", "configmaps");
/// Rules of the Prometheus Operator.
pub const PROMETHEUS_RULES: Kind = Kind::new("monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules");
/// Calculation cores.
pub const CORES: Kind = Kind::new("hashinsight.net", "v1alpha1", "CalculationCore", "calculationcores");
/// What people ask of rollouts.
pub const ACTIONS: Kind = Kind::new("hashinsight.net", "v1alpha1", "RolloutAction", "rolloutactions");
/// Deployments; one a revision of a core.
pub const DEPLOYMENTS: Kind = Kind::new("apps", "v1", "Deployment", "deployments");
/// What made the pods of a revision.
pub const CONTROLLER_REVISIONS: Kind = Kind::new("apps", "v1", "ControllerRevision", "controllerrevisions");
/// Services.
pub const SERVICES: Kind = Kind::new("", "v1", "Service", "services");
/// Autoscalers.
pub const AUTOSCALERS: Kind = Kind::new("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
/// Budgets of disruptions.
pub const DISRUPTION_BUDGETS: Kind = Kind::new("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets");
/// Routes of the Gateway API.
pub const HTTP_ROUTES: Kind = Kind::new("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes");
