//! What a tenant's objects look like: small pure builders. Every field is
//! stated as the API server would store it, so that what we want and what is
//! there can be compared.

use hashinsight_crds::names::{LABEL_REGION, LABEL_TENANT, LABEL_TENANT_ID, MANAGED_BY};
use hashinsight_crds::tenant::{Lifecycle, Member, MemberKind, Role};
use hashinsight_crds::tenant_plan::Quotas;
use serde_json::{Value, json};

use super::part::Part;
use crate::kinds::NAMESPACES;

/// Objectives a tenant may have.
const OBJECTIVES_MAX: &str = "20";

/// Who the objects belong to.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// Name of the tenant.
    pub tenant: &'a str,
    /// Identity that outlives the name.
    pub id: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its region.
    pub region: &'a str,
}

/// Pod security levels a tenant's namespace enforces, audits and warns of.
pub const POD_SECURITY: [(&str, &str); 3] = [
    ("pod-security.kubernetes.io/enforce", "restricted"),
    ("pod-security.kubernetes.io/audit", "restricted"),
    ("pod-security.kubernetes.io/warn", "restricted"),
];

/// Labels of every owned object.
fn labels(owner: Owner<'_>) -> Value {
    json!({MANAGED_BY.0: MANAGED_BY.1, LABEL_TENANT: owner.tenant, LABEL_TENANT_ID: owner.id})
}

/// Labels of the namespace.
pub fn namespace_labels(owner: Owner<'_>) -> Value {
    let mut all = labels(owner);
    all[LABEL_REGION] = json!(owner.region);
    for (label, level) in POD_SECURITY {
        all[label] = json!(level);
    }
    all
}

/// The namespace as it is applied; the claim is not part of it.
pub fn namespace(owner: Owner<'_>) -> Value {
    json!({
        "apiVersion": NAMESPACES.api_version(),
        "kind": NAMESPACES.kind,
        "metadata": {"name": owner.namespace, "labels": namespace_labels(owner)},
    })
}

fn object(part: Part, owner: Owner<'_>, body: Value) -> Value {
    let mut object = json!({
        "apiVersion": part.kind().api_version(),
        "kind": part.kind().kind,
        "metadata": {"name": part.name(), "namespace": owner.namespace, "labels": labels(owner)},
    });
    if let (Value::Object(object), Value::Object(body)) = (&mut object, body) {
        object.extend(body);
    }
    object
}

/// The quota. A suspended tenant may run no pod; all else stays as it was.
pub fn quota(owner: Owner<'_>, quotas: &Quotas, lifecycle: Lifecycle) -> Value {
    let pods = match lifecycle {
        Lifecycle::Active => quotas.pods.to_string(),
        Lifecycle::Suspended => "0".to_owned(),
    };
    object(
        Part::Quota,
        owner,
        json!({"spec": {"hard": {
            "requests.cpu": quotas.cpu,
            "limits.cpu": quotas.cpu,
            "requests.memory": quotas.memory,
            "limits.memory": quotas.memory,
            "pods": pods,
            "count/sitegateways.hashinsight.net": quotas.sites.to_string(),
            // Each is a handful of rules in the metrics system.
            "count/servicelevelobjectives.hashinsight.net": OBJECTIVES_MAX,
            // A tenant reaches the outside through the edge, never past it.
            "services.nodeports": "0",
            "services.loadbalancers": "0",
        }}}),
    )
}

/// Defaults for containers that state no resources; without them the quota
/// would refuse such pods.
pub fn limits(owner: Owner<'_>) -> Value {
    object(
        Part::Limits,
        owner,
        json!({"spec": {"limits": [{
            "type": "Container",
            "default": {"cpu": "500m", "memory": "512Mi"},
            "defaultRequest": {"cpu": "100m", "memory": "128Mi"},
        }]}}),
    )
}

/// Deny everything in and out, but for DNS and, in the operator's namespace,
/// the calculation core and the site hub.
pub fn network(owner: Owner<'_>, system_namespace: &str) -> Value {
    let to = |namespace: &str, pods: Value| {
        json!([{
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "podSelector": pods,
        }])
    };
    let services = json!({"matchExpressions": [
        {"key": "app.kubernetes.io/name", "operator": "In", "values": ["calculation-core", "site-hub"]},
    ]});
    object(
        Part::Network,
        owner,
        json!({"spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            // Stated although empty: what we do not state, another may.
            "ingress": [],
            "egress": [
                {
                    "to": to("kube-system", json!({"matchLabels": {"k8s-app": "kube-dns"}})),
                    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
                },
                {"to": to(system_namespace, services)},
            ],
        }}),
    )
}

/// The binding of `role` to its members; `None` when there is none.
pub fn access(owner: Owner<'_>, role: Role, members: &[Member]) -> Option<Value> {
    let mut holders: Vec<&Member> = members.iter().filter(|m| m.role == role).collect();
    holders.sort();
    let subjects: Vec<Value> = holders
        .iter()
        .map(|member| {
            let kind = match member.kind {
                MemberKind::User => "User",
                MemberKind::Group => "Group",
            };
            json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": member.name})
        })
        .collect();
    (!subjects.is_empty())
        .then(|| object(Part::Access(role), owner, json!({"roleRef": role_ref(role), "subjects": subjects})))
}

/// The fixed cluster role a binding of `role` refers to.
pub fn role_ref(role: Role) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role.cluster_role()})
}

/// The summary; what it says is its status.
pub fn summary(owner: Owner<'_>) -> Value {
    object(Part::Summary, owner, json!({"spec": {}}))
}
