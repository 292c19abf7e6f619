//! What the operator's own token may not write, which RBAC cannot say: RBAC
//! knows neither prefixes of names nor fields.

use hashinsight_crds::names::{
    ANNOTATION_CLAIM, LABEL_CORE, LABEL_TENANT, LABEL_TENANT_ID, NAMESPACE_PREFIX, TENANT_FINALIZER,
};
use hashinsight_crds::tenant::Role;
use serde_json::{Value, json};

use super::{Check, Policy, check, list, operator_user};
use crate::kinds::{DEPLOYMENTS, OBJECTIVES, POLICIES};
use crate::rbac;
use crate::tenant::objects::POD_SECURITY;

/// Every write the permissions grant over the whole cluster.
fn rules() -> Vec<Value> {
    rbac::writable()
        .into_iter()
        .map(|(group, resource)| super::rule(group, &[&resource], &["CREATE", "UPDATE", "DELETE"]))
        .collect()
}

/// Where the operator writes at all, of what it may write in the whole cluster.
fn place(namespace: &str) -> Check {
    let of_core = |object: &str| format!("'{LABEL_CORE}' in {object}.metadata.?labels.orValue({{}})");
    check(
        // A namespace is asked about below: of itself, it says that it is in itself.
        format!(
            "request.resource.resource == 'namespaces' || request.?namespace.orValue('') == '' || \
             request.namespace.startsWith('{NAMESPACE_PREFIX}') || \
             request.namespace == '{namespace}' && (request.resource.resource == '{}' && \
             request.?subResource.orValue('') == 'status' || \
             request.resource.resource == '{}' && {} && (oldObject == null || {}))",
            OBJECTIVES.plural,
            POLICIES.plural,
            of_core("object"),
            of_core("oldObject"),
        ),
        "the operator writes in tenants' namespaces alone; in its own, status of objectives and network \
         policies of cores",
    )
}

pub(super) fn confinement(namespace: &str) -> Policy {
    let of_kind = |resource: &str, holds: &str| format!("request.resource.resource != '{resource}' || ({holds})");
    // Repair goes step by step, so what was lacking may still be.
    let said: Vec<String> = POD_SECURITY
        .iter()
        .map(|(label, level)| (*label, format!("'{level}'")))
        .chain([(LABEL_TENANT, format!("object.metadata.name.substring({})", NAMESPACE_PREFIX.len()))])
        .map(|(label, value)| {
            let of = |object: &str| format!("{object}.metadata.?labels['{label}'].orValue('')");
            format!("({0} == {value} || oldObject != null && {0} == {1})", of("object"), of("oldObject"))
        })
        .collect();
    let roles: Vec<String> = Role::ALL.iter().map(|role| role.cluster_role()).collect();
    let others =
        |object: &str| format!("{object}.metadata.?finalizers.orValue([]).filter(f, f != '{TENANT_FINALIZER}')");
    Policy {
        name: "hashinsight-operator",
        why: "the operator's token writes in tenants' namespaces alone, and of a Tenant nothing but finalizer and status",
        constraints: json!({"resourceRules": rules()}),
        conditions: vec![("by-operator", format!("request.userInfo.username == '{}'", operator_user(namespace)))],
        variables: Vec::new(),
        checks: vec![
            place(namespace),
            check(
                of_kind(
                    "namespaces",
                    &format!(
                        "(object == null ? oldObject : object).metadata.name.startsWith('{NAMESPACE_PREFIX}') && \
                         (oldObject == null || '{LABEL_TENANT_ID}' in oldObject.metadata.?labels.orValue({{}}) || \
                         '{ANNOTATION_CLAIM}' in oldObject.metadata.?annotations.orValue({{}}))"
                    ),
                ),
                "the operator writes namespaces it holds, and no other",
            ),
            check(
                of_kind("namespaces", &format!("object == null || {}", said.join(" && "))),
                "a tenant's namespace says whose it is and is under restricted pod security",
            ),
            check(
                of_kind(
                    "tenants",
                    &format!(
                        "object == null || oldObject == null || object.spec == oldObject.spec && {} == {}",
                        others("object"),
                        others("oldObject")
                    ),
                ),
                "the spec of a Tenant is the user's: the operator writes its own finalizer and status",
            ),
            check(
                of_kind(
                    "rolebindings",
                    &format!(
                        "object == null || object.roleRef.kind == 'ClusterRole' && object.roleRef.name in {}",
                        list(&roles)
                    ),
                ),
                "the operator binds the four tenant roles and no other",
            ),
        ],
    }
}

/// A deployment could show Secrets of its namespace to its pods, or let them act
/// as any service account there: those of cores do neither.
pub(super) fn deployments(namespace: &str) -> Policy {
    let pod = "object.spec.template.spec";
    let containers = |holds: &str| format!("{pod}.containers.all(c, {holds})");
    Policy {
        name: "hashinsight-operator-cores",
        why: "pods the operator makes see no Secret, hold no token and run as nobody in particular",
        constraints: json!({"resourceRules": [
            super::rule(DEPLOYMENTS.group, &[DEPLOYMENTS.plural], &["CREATE", "UPDATE"]),
        ]}),
        conditions: vec![("by-operator", format!("request.userInfo.username == '{}'", operator_user(namespace)))],
        variables: Vec::new(),
        checks: vec![
            check(
                format!("'{LABEL_CORE}' in object.metadata.?labels.orValue({{}})"),
                "the operator makes deployments of cores and no other",
            ),
            check(
                format!(
                    "{pod}.?automountServiceAccountToken.orValue(true) == false && \
                     {pod}.?volumes.orValue([]).all(v, has(v.configMap) || has(v.emptyDir)) && \
                     !has({pod}.initContainers) && {}",
                    containers(
                        "!has(c.envFrom) && c.?env.orValue([]).all(e, !has(e.valueFrom) || has(e.valueFrom.fieldRef))"
                    )
                ),
                "pods of cores see config maps and folders of their own: no Secret, no token, nothing of the node",
            ),
            check(
                format!(
                    "{pod}.?securityContext.runAsNonRoot.orValue(false) && !has({pod}.hostNetwork) && !has({pod}.hostPID) && {}",
                    containers(
                        "c.image.contains('@sha256:') && c.?securityContext.allowPrivilegeEscalation.orValue(true) == false"
                    )
                ),
                "pods of cores are restricted, and their images are named by digest",
            ),
        ],
    }
}
