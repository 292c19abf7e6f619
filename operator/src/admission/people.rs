//! What people, pipelines and tenants' programs may not write.

use hashinsight_crds::names::{LABEL_TENANT, MANAGED_BY, NAMESPACE_PREFIX, TENANT_FINALIZER};
use hashinsight_crds::rollout_action::Verb;
use serde_json::{Value, json};

use super::{ERASE, OVERRIDE, Policy, by_people, check, list, may, rule};
use crate::kinds::{
    ACTIONS, BINDINGS, BUDGET_POLICIES, CORES, INCIDENTS, LIMITS, NAMESPACES, NOTICES, OBJECTIVES, PLANS, POLICIES,
    QUOTAS, SUMMARIES, TENANTS,
};

/// Prefix of our labels and annotations.
const OURS: &str = "hashinsight.net/";
/// Prefix of the labels that set the pod security level.
const POD_SECURITY: &str = "pod-security.kubernetes.io/";
const ALL_WRITES: [&str; 3] = ["CREATE", "UPDATE", "DELETE"];

/// Our namespaced kinds that live in tenants' namespaces; all others live in
/// the operator's.
const IN_TENANTS: [&str; 2] = [SUMMARIES.plural, OBJECTIVES.plural];

pub(super) fn policies(namespace: &str) -> Vec<Policy> {
    vec![
        namespaces(namespace),
        objects(namespace),
        boundary(namespace),
        kinds(namespace),
        tenants(namespace),
        incidents(namespace),
        actions(namespace),
    ]
}

/// `matchConstraints` for what is inside tenants' namespaces.
fn inside_tenants(rules: Vec<Value>) -> Value {
    json!({
        "namespaceSelector": {"matchExpressions": [{"key": LABEL_TENANT, "operator": "Exists"}]},
        "resourceRules": rules,
    })
}

/// The tenant whose namespace a request is in.
fn tenant_of_namespace() -> (&'static str, String) {
    ("tenant", format!("namespaceObject.metadata.?labels['{LABEL_TENANT}'].orValue('')"))
}

fn overrides() -> (&'static str, String) {
    ("overrides", may(OVERRIDE, "variables.tenant"))
}

/// What a write to a namespace had before and has after, and whose it is.
fn namespace_variables() -> Vec<(&'static str, String)> {
    let map = |of: &str, field: &str| format!("{of} == null ? {{}} : {of}.metadata.?{field}.orValue({{}})");
    let tenant = format!(
        "variables.name.startsWith('{NAMESPACE_PREFIX}') ? variables.name.substring({}) : \
         variables.old_labels[?'{LABEL_TENANT}'].orValue('')",
        NAMESPACE_PREFIX.len()
    );
    vec![
        ("old_labels", map("oldObject", "labels")),
        ("new_labels", map("object", "labels")),
        ("old_annotations", map("oldObject", "annotations")),
        ("new_annotations", map("object", "annotations")),
        ("held", format!("'{LABEL_TENANT}' in variables.old_labels")),
        ("name", "object == null ? oldObject.metadata.name : object.metadata.name".to_owned()),
        ("tenant", tenant),
        overrides(),
    ]
}

fn namespaces(namespace: &str) -> Policy {
    // True when no key for which `concerned` holds is added, changed or removed.
    let kept = |field: &str, concerned: &str| {
        let (old, new) = (format!("variables.old_{field}"), format!("variables.new_{field}"));
        format!(
            "request.operation == 'DELETE' || \
             ({old}.map(k, k) + {new}.map(k, k)).all(k, !({concerned}) || {old}[?k] == {new}[?k])"
        )
    };
    let (managed_by, ours) = MANAGED_BY;
    let ours_or_managed = format!(
        "k.startsWith('{OURS}') || k == '{managed_by}' && \
         '{ours}' in [variables.old_labels[?k].orValue(''), variables.new_labels[?k].orValue('')]"
    );
    let unless_override = |holds: String, message: &str| check(format!("({holds}) || variables.overrides"), message);
    Policy {
        name: "hashinsight-tenant-namespaces",
        why: "namespaces of tenants are made, marked and removed by the operator",
        constraints: json!({"resourceRules": [
            // The subresources change metadata as well.
            rule(NAMESPACES.group, &["namespaces", "namespaces/status", "namespaces/finalize"], &ALL_WRITES),
        ]}),
        conditions: vec![by_people(namespace)],
        variables: namespace_variables(),
        checks: vec![
            unless_override(
                format!("request.operation != 'CREATE' || !variables.name.startsWith('{NAMESPACE_PREFIX}')"),
                &format!(
                    "namespaces named {NAMESPACE_PREFIX}… belong to tenants: \
                     apply a Tenant, which makes one, or choose another name"
                ),
            ),
            unless_override(
                kept("labels", &ours_or_managed),
                &format!(
                    "labels {OURS}… and {managed_by}: {ours} say whose a namespace is; only the operator sets them"
                ),
            ),
            unless_override(
                kept("annotations", &format!("k.startsWith('{OURS}')")),
                &format!("annotations {OURS}… say whose a namespace is; only the operator sets them"),
            ),
            unless_override(
                format!("!variables.held || {}", kept("labels", &format!("k.startsWith('{POD_SECURITY}')"))),
                "the pod security level of a tenant's namespace is fixed",
            ),
            unless_override(
                "!variables.held || request.operation != 'DELETE'".to_owned(),
                "this namespace is a tenant's: delete the Tenant instead; \
                 its deletionPolicy says what becomes of the namespace",
            ),
            unless_override(
                "!variables.held || request.operation != 'UPDATE' || request.?subResource.orValue('') != 'finalize' \
                 && object.metadata.?ownerReferences.orValue([]) == oldObject.metadata.?ownerReferences.orValue([])"
                    .to_owned(),
                "a tenant's namespace has no owner and is finalized by the cluster alone: \
                 both would remove its content out of order",
            ),
        ],
    }
}

fn objects(namespace: &str) -> Policy {
    let with_subresources = |plural: &str| [plural.to_owned(), format!("{plural}/*")];
    let all = |group: &str, plurals: &[&str]| {
        let resources: Vec<String> = plurals.iter().flat_map(|plural| with_subresources(plural)).collect();
        rule(group, &resources.iter().map(String::as_str).collect::<Vec<_>>(), &ALL_WRITES)
    };
    Policy {
        name: "hashinsight-tenant-objects",
        why: "what bounds a tenant in its namespace is written by the operator alone: quotas, limits, network \
              policies, access and the summary; also further ones, because network policies and bindings add up",
        constraints: inside_tenants(vec![
            all("", &[QUOTAS.plural, LIMITS.plural]),
            all(POLICIES.group, &[POLICIES.plural]),
            all(BINDINGS.group, &[BINDINGS.plural, "roles"]),
            all(SUMMARIES.group, &[SUMMARIES.plural]),
        ]),
        conditions: vec![by_people(namespace)],
        variables: vec![tenant_of_namespace(), overrides()],
        checks: vec![check(
            "variables.overrides",
            "quotas, limits, network policies, roles, role bindings and the summary in a tenant's namespace are the operator's: \
             ask for a change of the Tenant (members, plan, quotas)",
        )],
    }
}

fn boundary(namespace: &str) -> Policy {
    Policy {
        name: "hashinsight-tenant-boundary",
        why: "services of a tenant lead to its own pods",
        constraints: inside_tenants(vec![
            rule("", &["services", "services/status", "endpoints"], &["CREATE", "UPDATE"]),
            rule("discovery.k8s.io", &["endpointslices"], &["CREATE", "UPDATE"]),
        ]),
        conditions: vec![by_people(namespace)],
        variables: vec![tenant_of_namespace(), overrides()],
        checks: vec![
            check(
                "request.resource.resource != 'services' || request.?subResource.orValue('') != '' || \
                 object.spec.?type.orValue('') != 'ExternalName' && \
                 size(object.spec.?externalIPs.orValue([])) == 0 || variables.overrides",
                "a tenant's service leads to its own pods: no type ExternalName, no externalIPs",
            ),
            check(
                "request.resource.resource == 'services' && request.?subResource.orValue('') == '' || variables.overrides",
                "endpoints and the status of services in a tenant's namespace are written by the cluster alone: \
                 give the service a selector",
            ),
        ],
    }
}

fn kinds(namespace: &str) -> Policy {
    Policy {
        name: "hashinsight-kinds",
        why: "our kinds stay in the namespaces they are for; elsewhere nothing would look at them",
        constraints: json!({"resourceRules": [{
            "apiGroups": [SUMMARIES.group], "apiVersions": ["*"], "resources": ["*"], "scope": "Namespaced",
            "operations": ["CREATE", "UPDATE"],
        }]}),
        conditions: Vec::new(),
        variables: vec![("in_tenant", format!("'{LABEL_TENANT}' in namespaceObject.metadata.?labels.orValue({{}})"))],
        checks: vec![
            check(
                format!("variables.in_tenant || request.namespace == '{namespace}'"),
                format!("kinds of hashinsight.net live in tenants' namespaces or in {namespace}"),
            ),
            check(
                format!("!variables.in_tenant || request.resource.resource in {}", list(&IN_TENANTS)),
                format!("this kind is reserved to the operator's namespace {namespace}"),
            ),
            check(
                "!variables.in_tenant || !object.?spec.?indicator.?expression.hasValue()",
                format!(
                    "spec.indicator.expression reads whatever it asks for: only in {namespace}; count events or latency here"
                ),
            ),
        ],
    }
}

fn incidents(namespace: &str) -> Policy {
    // Whose word it is cannot be claimed by another.
    let own = |field: &str| {
        format!(
            "!has(object.spec.{field}) || has(oldObject.spec.{field}) || \
             object.spec.{field}.by == request.userInfo.username"
        )
    };
    Policy {
        name: "hashinsight-incidents",
        why: "incidents are a record: the operator opens them, and who took or ended one is who says so",
        constraints: json!({"resourceRules": [rule(INCIDENTS.group, &[INCIDENTS.plural], &["CREATE", "UPDATE"])]}),
        conditions: vec![by_people(namespace)],
        variables: Vec::new(),
        checks: vec![
            check("request.operation != 'CREATE'", "incidents are opened by the operator from alerts that fire"),
            check(
                format!("request.operation == 'CREATE' || ({})", own("acknowledged")),
                "spec.acknowledged.by must be your own user name: hashinsight incident acknowledge fills it in",
            ),
            check(
                format!("request.operation == 'CREATE' || ({})", own("resolved")),
                "spec.resolved.by must be your own user name: hashinsight incident resolve fills it in",
            ),
        ],
    }
}

fn actions(namespace: &str) -> Policy {
    let permissions: Vec<String> =
        Verb::ALL.iter().map(|verb| format!("'{}': '{}'", verb.as_str(), verb.permission())).collect();
    let allowed = format!(
        "authorizer.group('{}').resource('{}').namespace(request.namespace).name(object.spec.coreRef.name)\
         .check({{{}}}[object.spec.verb]).allowed()",
        CORES.group,
        CORES.plural,
        permissions.join(", ")
    );
    Policy {
        name: "hashinsight-rollout-actions",
        why: "an action on a rollout is asked for by who says so, who may, and not for later than a day from now",
        constraints: json!({"resourceRules": [rule(ACTIONS.group, &[ACTIONS.plural], &["CREATE"])]}),
        conditions: vec![by_people(namespace)],
        variables: Vec::new(),
        checks: vec![
            check(
                "object.spec.requestedBy == request.userInfo.username",
                "spec.requestedBy must be your own user name: hashinsight canary fills it in",
            ),
            check(
                allowed,
                "each action needs a verb of its own on the CalculationCore (pause, resume, promote, abort, retry, \
                 lift-quarantine): ask for a binding to the cluster role hashinsight-rollouts",
            ),
            check(
                "timestamp(object.spec.expiresAt) <= timestamp(object.metadata.creationTimestamp) + duration('24h')",
                "spec.expiresAt must be within a day: an action is for now",
            ),
        ],
    }
}

fn tenants(namespace: &str) -> Policy {
    let erase = "?deletionPolicy.orValue('Retain') == 'Erase'";
    let on_spec = "request.?subResource.orValue('') != ''";
    Policy {
        name: "hashinsight-tenants",
        why: "erasing needs a verb of its own; status and finalizer are the operator's",
        constraints: json!({"resourceRules": [
            rule(TENANTS.group, &["tenants", "tenants/status"], &["CREATE", "UPDATE"]),
            rule(
                PLANS.group,
                &[PLANS, OBJECTIVES, BUDGET_POLICIES, NOTICES, INCIDENTS, CORES, ACTIONS].map(|kind| format!("{}/status", kind.plural)).each_ref().map(String::as_str),
                &["CREATE", "UPDATE"],
            ),
        ]}),
        conditions: vec![by_people(namespace)],
        variables: vec![("tenant", "object.metadata.name".to_owned()), overrides()],
        checks: vec![
            check(
                format!(
                    "{on_spec} || !(object.spec.{erase}) || (oldObject != null && oldObject.spec.{erase}) || {}",
                    may(ERASE, "variables.tenant")
                ),
                format!(
                    "deletionPolicy Erase removes everything the tenant owns: setting it needs the verb {ERASE} on {}.{}",
                    TENANTS.plural, TENANTS.group
                ),
            ),
            check(
                format!(
                    "{on_spec} || oldObject == null || \
                     !('{TENANT_FINALIZER}' in oldObject.metadata.?finalizers.orValue([])) || \
                     '{TENANT_FINALIZER}' in object.metadata.?finalizers.orValue([]) || variables.overrides"
                ),
                format!(
                    "the finalizer {TENANT_FINALIZER} is the operator's: without it the tenant's namespace would be left without a word"
                ),
            ),
            check(
                "request.?subResource.orValue('') == '' || variables.overrides",
                "status is written by the operator alone",
            ),
        ],
    }
}
