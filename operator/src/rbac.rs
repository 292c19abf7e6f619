//! What the operator and its tenants may do: one table, from which the
//! shipped roles are generated. A permission stands here with its reason or it
//! is not granted.

use std::fmt::Write;

use hashinsight_crds::rollout_action::Verb;
use hashinsight_crds::tenant::Role;
use serde_json::{Value, json};

use crate::calculation_core::cache::GATEWAY_CRD;
use crate::kinds::{
    ACTIONS, AUTOSCALERS, BINDINGS, BUDGET_POLICIES, CLUSTER_ROLES, CONFIG_MAPS, CONTROLLER_REVISIONS, CORES, CRDS,
    DEPLOYMENTS, DISRUPTION_BUDGETS, EVENTS, HTTP_ROUTES, INCIDENTS, Kind, LEASES, LIMITS, NAMESPACES, NODES, NOTICES,
    OBJECTIVES, PLANS, PODS, POLICIES, PROMETHEUS_RULES, QUOTAS, SERVICES, SUMMARIES, TENANTS,
};
use crate::objective::rendering::MONITORING_CRD;

/// Name of the operator's roles and service account.
pub const OPERATOR: &str = "hashinsight-operator";

/// Name of its role for events.
const EVENTS_ROLE: &str = "hashinsight-operator-events";

/// Name of the role of people who steer rollouts.
const ROLLOUTS: &str = "hashinsight-rollouts";

/// One permission of the operator.
struct Grant {
    kind: &'static Kind,
    subresource: Option<&'static str>,
    verbs: &'static [&'static str],
    /// Only these objects; empty for all.
    names: Vec<String>,
    why: &'static str,
}

fn grant(kind: &'static Kind, verbs: &'static [&'static str], why: &'static str) -> Grant {
    Grant { kind, subresource: None, verbs, names: Vec::new(), why }
}

fn status(kind: &'static Kind) -> Grant {
    Grant { subresource: Some("status"), ..grant(kind, &["patch"], "status is written by the operator alone") }
}

/// CRDs the operator needs before it can work.
pub const REQUIRED_CRDS: [&str; 9] = [
    "tenants.hashinsight.net",
    "tenantplans.hashinsight.net",
    "tenantsummaries.hashinsight.net",
    "servicelevelobjectives.hashinsight.net",
    "errorbudgetpolicies.hashinsight.net",
    "changenotices.hashinsight.net",
    "incidents.hashinsight.net",
    "calculationcores.hashinsight.net",
    "rolloutactions.hashinsight.net",
];

/// Of kinds that are owned whole.
const OWNED: [&str; 5] = ["list", "watch", "create", "patch", "delete"];

fn cluster_grants() -> Vec<Grant> {
    let owned = "parts of a tenant: seen by watch, made and repaired by server-side apply";
    vec![
        grant(&TENANTS, &["list", "watch", "patch"], "patch is for the finalizer alone; the spec is the user's"),
        status(&TENANTS),
        grant(&PLANS, &["list", "watch"], "quotas of tenants"),
        status(&PLANS),
        grant(&SUMMARIES, &["list", "watch", "create", "patch", "delete"], owned),
        status(&SUMMARIES),
        grant(
            &NAMESPACES,
            &["get", "list", "watch", "create", "patch", "delete"],
            "a tenant's namespace; get is the fresh read before a removal",
        ),
        grant(&QUOTAS, &["list", "watch", "create", "patch", "delete"], owned),
        grant(&LIMITS, &["list", "watch", "create", "patch"], owned),
        grant(&POLICIES, &["list", "watch", "create", "patch"], owned),
        grant(&BINDINGS, &["list", "watch", "create", "patch", "delete"], owned),
        Grant {
            names: Role::ALL.iter().map(|role| role.cluster_role()).collect(),
            ..grant(&CLUSTER_ROLES, &["bind"], "binding the four tenant roles and no other; no escalate")
        },
        grant(&PODS, &["deletecollection"], "a suspended tenant runs no pod"),
        grant(&NODES, &["list", "watch"], "region labels, by metadata alone"),
        grant(&OBJECTIVES, &["list", "watch"], "what is measured; the spec is the user's"),
        status(&OBJECTIVES),
        Grant {
            names: REQUIRED_CRDS.iter().chain([&MONITORING_CRD, &GATEWAY_CRD]).map(|name| (*name).to_owned()).collect(),
            ..grant(&CRDS, &["get"], "readiness names a missing CRD; rules and traffic take the form that is served")
        },
    ]
}

/// In `default`, where events about cluster-scoped objects live.
fn event_grants() -> Vec<Grant> {
    vec![grant(&EVENTS, &["create"], "transitions of tenants")]
}

/// In the operator's own namespace.
fn system_grants() -> Vec<Grant> {
    let rules = "rules of objectives, where no tenant can write";
    let of_core = "what a core is made of: seen by watch, made and repaired by server-side apply";
    vec![
        grant(&BUDGET_POLICIES, &["list", "watch"], "what is allowed at what is left"),
        status(&BUDGET_POLICIES),
        grant(&NOTICES, &["list", "watch"], "freezes, exclusions, and who spent a budget"),
        status(&NOTICES),
        grant(
            &INCIDENTS,
            &["get", "list", "watch", "create"],
            "alerts that woke somebody; get reads when a person's word was given",
        ),
        status(&INCIDENTS),
        grant(
            &CONFIG_MAPS,
            &["list", "watch", "create", "patch", "delete"],
            "rules of objectives, where no tenant can write; settings of cores, and what verdicts on them rest on",
        ),
        grant(&PROMETHEUS_RULES, &["list", "create", "patch", "delete"], rules),
        grant(&CORES, &["list", "watch"], "versions of the service; the spec is the user's"),
        status(&CORES),
        grant(
            &ACTIONS,
            &["get", "list", "watch", "delete"],
            "what people ask of rollouts; get is the fresh read before one is done, and of those that are over twenty are kept",
        ),
        status(&ACTIONS),
        grant(&CONTROLLER_REVISIONS, &OWNED, of_core),
        grant(&DEPLOYMENTS, &OWNED, of_core),
        grant(&SERVICES, &OWNED, of_core),
        grant(&AUTOSCALERS, &OWNED, of_core),
        grant(&DISRUPTION_BUDGETS, &["list", "watch", "create", "patch"], of_core),
        grant(&HTTP_ROUTES, &OWNED, "weights of traffic, where the Gateway API is served"),
        grant(&PODS, &["list", "watch"], "which pods of a core are ready, and where they are asked for golden samples"),
        grant(&EVENTS, &["create"], "stages of budgets entered and left, promises missed"),
        grant(&LEASES, &["create"], "leadership; create cannot be limited by name"),
        Grant { names: vec![crate::lease::NAME.to_owned()], ..grant(&LEASES, &["get", "update"], "leadership") },
    ]
}

impl Grant {
    /// As rules name it: `tenants` or `tenants/status`.
    fn resource(&self) -> String {
        match self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.kind.plural),
            None => self.kind.plural.to_owned(),
        }
    }
}

/// Group and resource of everything the operator may write in the whole
/// cluster; admission confines these writes.
pub fn writable() -> Vec<(&'static str, String)> {
    let writes = |verb: &&str| ["create", "update", "patch", "delete", "deletecollection"].contains(verb);
    let grants = cluster_grants();
    grants.iter().filter(|g| g.verbs.iter().any(writes)).map(|g| (g.kind.group, g.resource())).collect()
}

fn rule(grant: &Grant) -> Value {
    let mut rule = json!({"apiGroups": [grant.kind.group], "resources": [grant.resource()], "verbs": grant.verbs});
    if !grant.names.is_empty() {
        rule["resourceNames"] = json!(grant.names);
    }
    rule
}

fn role(kind: &str, metadata: &Value, rules: Vec<Value>) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": rules})
}

fn binding(kind: &str, metadata: &Value, role_kind: &str, role: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": OPERATOR, "namespace": namespace}],
    })
}

/// What a tenant's role may do in the tenant's namespace. No role reads
/// Secrets, and none writes what the operator owns.
fn tenant_rules(role: Role) -> Vec<Value> {
    let read = json!(["get", "list", "watch"]);
    let mut rules = vec![json!({
        "apiGroups": [SUMMARIES.group], "resources": [SUMMARIES.plural, OBJECTIVES.plural], "verbs": read,
    })];
    if role == Role::Owner {
        rules.push(json!({
            "apiGroups": [OBJECTIVES.group], "resources": [OBJECTIVES.plural],
            "verbs": ["create", "update", "patch", "delete"],
        }));
    }
    if matches!(role, Role::Owner | Role::Operations) {
        rules.push(json!({
            "apiGroups": [""],
            "resources": ["pods", "pods/log", "services", "configmaps", "events", "resourcequotas", "limitranges"],
            "verbs": read,
        }));
    }
    rules
}

/// What people who steer rollouts may do; whoever they are is for the cluster's
/// administrator to bind.
fn rollout_rules() -> Vec<Value> {
    let verbs = Verb::ALL.map(Verb::permission);
    vec![
        json!({
            "apiGroups": [CORES.group], "resources": [CORES.plural, ACTIONS.plural], "verbs": ["get", "list", "watch"],
        }),
        json!({"apiGroups": [ACTIONS.group], "resources": [ACTIONS.plural], "verbs": ["create"]}),
        json!({"apiGroups": [CORES.group], "resources": [CORES.plural], "verbs": verbs}),
    ]
}

/// The service account, roles and bindings of the operator in `namespace`, the
/// four tenant roles, and the one for people who steer rollouts.
pub fn objects(namespace: &str) -> Vec<Value> {
    let named = json!({"name": OPERATOR});
    let inside = |namespace: &str| json!({"name": OPERATOR, "namespace": namespace});
    // A name of its own: the operator itself may live in `default`.
    let events = json!({"name": EVENTS_ROLE, "namespace": "default"});
    let rules = |grants: Vec<Grant>| grants.iter().map(rule).collect();
    let mut all = vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": inside(namespace)}),
        role("ClusterRole", &named, rules(cluster_grants())),
        binding("ClusterRoleBinding", &named, "ClusterRole", OPERATOR, namespace),
        role("Role", &events, rules(event_grants())),
        binding("RoleBinding", &events, "Role", EVENTS_ROLE, namespace),
        role("Role", &inside(namespace), rules(system_grants())),
        binding("RoleBinding", &inside(namespace), "Role", OPERATOR, namespace),
    ];
    all.push(role("ClusterRole", &json!({"name": ROLLOUTS}), rollout_rules()));
    all.extend(Role::ALL.map(|r| role("ClusterRole", &json!({"name": r.cluster_role()}), tenant_rules(r))));
    all
}

/// The operator's permissions as a table for people.
pub fn table() -> String {
    let scopes =
        [("cluster", cluster_grants()), ("namespace `default`", event_grants()), ("own namespace", system_grants())];
    let mut text = String::from("| where | resource | verbs | why |\n|---|---|---|---|\n");
    for (scope, grant) in scopes.iter().flat_map(|(scope, grants)| grants.iter().map(move |grant| (scope, grant))) {
        let subresource = grant.subresource.map(|s| format!("/{s}")).unwrap_or_default();
        let names =
            if grant.names.is_empty() { String::new() } else { format!(" named `{}`", grant.names.join("`, `")) };
        let _ = writeln!(
            text,
            "| {scope} | {}.{}{subresource}{names} | {} | {} |",
            grant.kind.plural,
            grant.kind.group_or_core(),
            grant.verbs.join(", "),
            grant.why
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reads_secrets_escalates_impersonates_or_uses_wildcards() {
        let all = serde_json::to_string(&objects("ns")).unwrap();
        for word in ["secrets", "escalate", "impersonate", "\"*\"", "cluster-admin"] {
            assert!(!all.contains(word), "{word}");
        }
        let bind = cluster_grants().into_iter().find(|g| g.verbs.contains(&"bind")).unwrap();
        assert_eq!(bind.names.len(), Role::ALL.len(), "bind must be limited by name");
    }

    #[test]
    fn no_two_objects_share_a_name_wherever_the_operator_lives() {
        for namespace in ["default", "hashinsight-system"] {
            let key = |o: &Value| format!("{} {} {}", o["kind"], o["metadata"]["namespace"], o["metadata"]["name"]);
            let mut keys: Vec<String> = objects(namespace).iter().map(key).collect();
            let all = keys.len();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), all, "{namespace}");
        }
    }

    #[test]
    fn tenants_cannot_write_what_the_operator_owns() {
        for role in Role::ALL {
            for rule in tenant_rules(role) {
                let own = role == Role::Owner && rule["resources"] == json!([OBJECTIVES.plural]);
                assert!(own || rule["verbs"] == json!(["get", "list", "watch"]), "{role:?} {rule}");
            }
        }
    }
}
