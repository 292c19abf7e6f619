//! Granted equals used: what the shipped roles allow, and what the operator
//! did in all tests together, as the servers' audit logs have it. Both
//! differences must be empty.

use std::collections::BTreeSet;
use std::sync::Mutex;

use hashinsight_crds::tenant::Role;
use hashinsight_operator::rbac;
use serde_json::Value;
use testkit::Ground;

use crate::stage::{OPERATOR_USER, SYSTEM};

/// Verb, resource with its group, where, and which object if only one may be.
type Permission = (String, String, Place, Option<String>);

/// Where a permission holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Cluster,
    Default,
    System,
}

static USED: Mutex<BTreeSet<Permission>> = Mutex::new(BTreeSet::new());

/// Notes what the operator did on this server.
pub fn note(ground: &Ground) {
    let log = std::fs::read_to_string(ground.cluster.audit_log()).unwrap_or_default();
    let entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let done = entries.filter(|entry| {
        let refused = entry["responseStatus"]["code"].as_i64().is_none_or(|code| code == 401 || code == 403);
        entry["user"]["username"] == OPERATOR_USER && !refused && !entry["objectRef"].is_null()
    });
    let mut used = USED.lock().unwrap();
    for entry in done {
        let text = |key: &str| entry["objectRef"][key].as_str().unwrap_or_default();
        let (verb, name) = (entry["verb"].as_str().unwrap_or_default(), text("name"));
        let subresource = text("subresource");
        let slash = if subresource.is_empty() { "" } else { "/" };
        let resource = format!("{}{slash}{subresource}.{}", text("resource"), text("apiGroup"));
        let place = place(&resource, text("namespace"));
        used.insert((verb.to_owned(), resource.clone(), place, Some(name.to_owned())));
        // An apply that makes the object is asked for both verbs.
        if verb == "patch" && entry["responseStatus"]["code"] == 201 {
            used.insert(("create".to_owned(), resource, place, Some(name.to_owned())));
        }
        // Binding a role is a permission that no request is made of: a binding is.
        let bound = Role::ALL.iter().find(|role| name == format!("hashinsight-{}", role.slug()));
        if let Some(role) = bound.filter(|_| text("resource") == "rolebindings" && ["create", "patch"].contains(&verb))
        {
            let bind = ("bind".to_owned(), "clusterroles.rbac.authorization.k8s.io".to_owned());
            used.insert((bind.0, bind.1, Place::Cluster, Some(role.cluster_role())));
        }
    }
}

/// What is granted in the operator's own namespace.
const IN_SYSTEM: [&str; 21] = [
    "calculationcores.hashinsight.net",
    "calculationcores/status.hashinsight.net",
    "changenotices.hashinsight.net",
    "changenotices/status.hashinsight.net",
    "configmaps.",
    "controllerrevisions.apps",
    "deployments.apps",
    "errorbudgetpolicies.hashinsight.net",
    "errorbudgetpolicies/status.hashinsight.net",
    "events.events.k8s.io",
    "horizontalpodautoscalers.autoscaling",
    "httproutes.gateway.networking.k8s.io",
    "incidents.hashinsight.net",
    "incidents/status.hashinsight.net",
    "leases.coordination.k8s.io",
    "poddisruptionbudgets.policy",
    "pods.",
    "prometheusrules.monitoring.coreos.com",
    "rolloutactions.hashinsight.net",
    "rolloutactions/status.hashinsight.net",
    "services.",
];

fn place(resource: &str, namespace: &str) -> Place {
    match (resource, namespace) {
        ("events.events.k8s.io", "default") => Place::Default,
        (resource, SYSTEM) if IN_SYSTEM.contains(&resource) => Place::System,
        _ => Place::Cluster,
    }
}

fn granted() -> BTreeSet<Permission> {
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut all = BTreeSet::new();
    for role in rbac::objects(SYSTEM) {
        let of_operator = role["metadata"]["name"].as_str().unwrap().starts_with(rbac::OPERATOR);
        let rules = role["rules"].as_array().filter(|_| of_operator);
        let place = match role["metadata"]["namespace"].as_str() {
            None => Place::Cluster,
            Some(SYSTEM) => Place::System,
            Some(_) => Place::Default,
        };
        for rule in rules.into_iter().flatten() {
            let names = strings(&rule["resourceNames"]);
            let names = if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
            for (resource, verb) in strings(&rule["resources"])
                .iter()
                .flat_map(|r| strings(&rule["verbs"]).into_iter().map(move |v| (r, v)))
            {
                let resource = format!("{resource}.{}", rule["apiGroups"][0].as_str().unwrap());
                all.extend(names.iter().map(|name| (verb.clone(), resource.clone(), place, name.clone())));
            }
        }
    }
    all
}

/// Complains of every permission that no test used, and of every use that no
/// shipped role allows.
pub fn check() -> Result<String, String> {
    let (granted, used) = (granted(), USED.lock().unwrap().clone());
    let covers = |grant: &Permission, used: &Permission| {
        (&grant.0, &grant.1, grant.2) == (&used.0, &used.1, used.2) && (grant.3.is_none() || grant.3 == used.3)
    };
    let unused: Vec<_> = granted.iter().filter(|grant| !used.iter().any(|used| covers(grant, used))).collect();
    let beyond: Vec<_> = used.iter().filter(|used| !granted.iter().any(|grant| covers(grant, used))).collect();
    if unused.is_empty() && beyond.is_empty() {
        return Ok(format!("all {} that are granted were used, and no other", granted.len()));
    }
    Err(format!("granted and never used: {unused:#?}\nused and not granted: {beyond:#?}"))
}
