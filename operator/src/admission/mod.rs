//! What the API server refuses on our behalf: a fixed set of
//! ValidatingAdmissionPolicies, one binding each, from which the chart's
//! template is generated. They are evaluated inside the API server, so that
//! nothing depends on the operator being up. A policy that cannot be evaluated
//! refuses.
//!
//! Three kinds of writers: the operator, confined to what its work needs; the
//! cluster's own controllers; and everybody else, who need the verb
//! [`OVERRIDE`] on the Tenant to write what the operator owns. A cluster
//! administrator holds that verb as every other.

mod operator;
mod people;
mod upgrades;

use std::fmt::Write;

use serde_json::{Value, json};

use crate::kinds::TENANTS;
use crate::rbac::OPERATOR;

/// Verb on Tenants without which nobody but the operator writes what it owns.
pub const OVERRIDE: &str = "override";
/// Verb on Tenants without which nobody sets `deletionPolicy: Erase`.
pub const ERASE: &str = "erase";

/// Controllers of the cluster that write in tenants' namespaces.
const CONTROLLERS: [&str; 6] = [
    "system:kube-controller-manager",
    "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:kube-system:resourcequota-controller",
    "system:serviceaccount:kube-system:endpoint-controller",
    "system:serviceaccount:kube-system:endpointslice-controller",
    "system:serviceaccount:kube-system:endpointslicemirroring-controller",
];

/// One policy.
struct Policy {
    name: &'static str,
    /// What it is for, one line of the reference.
    why: &'static str,
    /// `spec.matchConstraints`.
    constraints: Value,
    /// Names and expressions that must all hold for the policy to apply.
    conditions: Vec<(&'static str, String)>,
    /// Names and expressions validations may use, evaluated when used.
    variables: Vec<(&'static str, String)>,
    checks: Vec<Check>,
}

/// One validation: what must hold, and what a refused person reads.
struct Check {
    holds: String,
    message: String,
}

fn check(holds: impl Into<String>, message: impl Into<String>) -> Check {
    Check { holds: holds.into(), message: message.into() }
}

/// One rule of `matchConstraints.resourceRules`.
fn rule(group: &str, resources: &[&str], operations: &[&str]) -> Value {
    json!({"apiGroups": [group], "apiVersions": ["*"], "resources": resources, "operations": operations})
}

fn operator_user(namespace: &str) -> String {
    format!("system:serviceaccount:{namespace}:{OPERATOR}")
}

/// Applies to everybody but the operator and the cluster's controllers.
fn by_people(namespace: &str) -> (&'static str, String) {
    let mut exempt = vec![operator_user(namespace)];
    exempt.extend(CONTROLLERS.map(str::to_owned));
    ("by-people", format!("!(request.userInfo.username in {})", list(&exempt)))
}

/// Whether the requester holds `verb` on the Tenant the CEL text `tenant` names.
fn may(verb: &str, tenant: &str) -> String {
    let (group, plural) = (TENANTS.group, TENANTS.plural);
    format!("authorizer.group('{group}').resource('{plural}').name({tenant}).check('{verb}').allowed()")
}

/// A list of strings as CEL writes it.
fn list<S: AsRef<str>>(texts: &[S]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("'{}'", text.as_ref())).collect();
    format!("[{}]", quoted.join(", "))
}

fn policies(namespace: &str) -> Vec<Policy> {
    let mut all = people::policies(namespace);
    all.push(operator::confinement(namespace));
    all.push(operator::deployments(namespace));
    all.push(upgrades::policy());
    all
}

fn pairs(pairs: &[(&str, String)]) -> Vec<Value> {
    pairs.iter().map(|(name, expression)| json!({"name": name, "expression": expression})).collect()
}

fn render(policy: &Policy) -> [Value; 2] {
    let Policy { name, why: _, constraints, conditions, variables, checks } = policy;
    let validations: Vec<Value> =
        checks.iter().map(|c| json!({"expression": c.holds, "message": c.message, "reason": "Forbidden"})).collect();
    let mut spec = json!({"failurePolicy": "Fail", "matchConstraints": constraints, "validations": validations});
    if !conditions.is_empty() {
        spec["matchConditions"] = json!(pairs(conditions));
    }
    if !variables.is_empty() {
        spec["variables"] = json!(pairs(variables));
    }
    let object = |kind: &str, spec: Value| {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
            "metadata": {"name": name}, "spec": spec,
        })
    };
    [
        object("ValidatingAdmissionPolicy", spec),
        object("ValidatingAdmissionPolicyBinding", json!({"policyName": name, "validationActions": ["Deny"]})),
    ]
}

/// Every policy and its binding, for an operator in `namespace`.
pub fn objects(namespace: &str) -> Vec<Value> {
    policies(namespace).iter().flat_map(render).collect()
}

/// The policies as a table for people.
pub fn table() -> String {
    let mut text = String::from("| policy | what it is for | what it says when it refuses |\n|---|---|---|\n");
    for policy in policies("hashinsight-system") {
        let said: Vec<&str> = policy.checks.iter().map(|c| c.message.as_str()).collect();
        let _ = writeln!(text, "| `{}` | {} | {} |", policy.name, policy.why, said.join("<br>"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_fails_closed_and_is_bound_once() {
        let all = objects("ns");
        let (policies, bindings): (Vec<&Value>, Vec<&Value>) =
            all.iter().partition(|object| object["kind"] == "ValidatingAdmissionPolicy");
        assert_eq!(policies.len(), bindings.len());
        for (policy, binding) in policies.iter().zip(bindings) {
            assert_eq!(policy["spec"]["failurePolicy"], "Fail");
            assert_eq!(binding["spec"]["policyName"], policy["metadata"]["name"]);
            assert_eq!(binding["spec"]["validationActions"], json!(["Deny"]));
        }
    }

    #[test]
    fn nobody_is_exempt_by_a_prefix_or_a_group() {
        let all = serde_json::to_string(&objects("ns")).unwrap();
        for word in ["username.startsWith", "userInfo.groups"] {
            assert!(!all.contains(word), "{word}");
        }
    }
}
