//! The kinds the fake serves: those the product uses, and what the server
//! knows about each.

use serde_json::Value;

use super::schema::Schema;

/// A served kind.
pub(super) struct Kind {
    pub(super) group: String,
    pub(super) version: String,
    /// As in YAML.
    pub(super) singular: String,
    pub(super) plural: String,
    pub(super) namespaced: bool,
    /// It has a status of its own: writes to the object leave it alone.
    pub(super) status: bool,
    /// Its generation counts changes of what is not metadata or status.
    pub(super) generation: bool,
    pub(super) schema: Schema,
}

impl Kind {
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    pub(super) fn is_namespace(&self) -> bool {
        self.group.is_empty() && self.plural == "namespaces"
    }

    /// `plural.group`, as messages name it.
    pub(super) fn named(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The kind a custom resource definition defines.
    pub(super) fn custom(crd: &Value) -> Self {
        let text = |path: &str| crd.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let version = &crd["spec"]["versions"][0];
        let (group, version_name, kind) =
            (text("/spec/group"), text("/spec/versions/0/name"), text("/spec/names/kind"));
        Self {
            schema: Schema::custom(version["schema"]["openAPIV3Schema"].clone(), &group, &version_name, &kind),
            plural: text("/spec/names/plural"),
            namespaced: crd["spec"]["scope"] == "Namespaced",
            status: version.pointer("/subresources/status").is_some(),
            generation: true,
            group,
            version: version_name,
            singular: kind,
        }
    }
}

/// Kinds of Kubernetes itself: (group, version, kind, plural, namespaced,
/// status, generation).
const BUILT_IN: [(&str, &str, &str, &str, bool, bool, bool); 19] = [
    ("", "v1", "Namespace", "namespaces", false, true, false),
    ("", "v1", "Node", "nodes", false, true, false),
    ("", "v1", "Pod", "pods", true, true, true),
    ("", "v1", "Service", "services", true, true, false),
    ("", "v1", "ConfigMap", "configmaps", true, false, false),
    ("", "v1", "ServiceAccount", "serviceaccounts", true, false, false),
    ("", "v1", "ResourceQuota", "resourcequotas", true, true, false),
    ("", "v1", "LimitRange", "limitranges", true, false, false),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", true, false, true),
    ("apps", "v1", "Deployment", "deployments", true, true, true),
    ("apps", "v1", "ControllerRevision", "controllerrevisions", true, false, false),
    ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true, true, false),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", true, true, true),
    ("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes", true, true, true),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", true, false, false),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false, false, false),
    ("events.k8s.io", "v1", "Event", "events", true, false, false),
    ("coordination.k8s.io", "v1", "Lease", "leases", true, false, false),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", false, true, true),
];

pub(super) fn built_in() -> Vec<Kind> {
    BUILT_IN
        .iter()
        .map(|&(group, version, kind, plural, namespaced, status, generation)| Kind {
            group: group.to_owned(),
            version: version.to_owned(),
            singular: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced,
            status,
            generation,
            schema: Schema::built_in(kind),
        })
        .collect()
}
