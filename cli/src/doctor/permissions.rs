//! Whether the operator may do all it is shipped to do: the API server is
//! asked for every verb of the shipped roles.

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;
use serde_json::Value;

use super::{Outcome, UPGRADE};
use crate::cluster::Cluster;
use crate::said::words;
use crate::trouble::Trouble;

/// The roles as they are shipped, for the namespace [`super::NAMESPACE`].
const ROLES: &str = include_str!("../../../operator/rbac.yaml");
/// Questions on the way at once.
const ASKED_AT_ONCE: usize = 16;

pub(super) async fn check(cluster: &Cluster, namespace: &str) -> Result<Outcome, Trouble> {
    let wanted = shipped(namespace);
    let count = wanted.len();
    let missing: Vec<String> = stream::iter(wanted)
        .map(|one| async move { allowed(cluster, namespace, &one).await.map(|yes| (!yes).then(|| told(&one))) })
        .buffer_unordered(ASKED_AT_ONCE)
        .try_filter_map(|missing| async move { Ok(missing) })
        .try_collect()
        .await?;
    if missing.is_empty() {
        return Ok(Outcome::Good(words(
            format!("all {count} the operator needs"),
            format!("控制器所需的 {count} 项权限齐全"),
        )));
    }
    let list = missing.join(", ");
    let why = words(format!("the operator may not {list}"), format!("控制器缺少权限：{list}"));
    Ok(Outcome::Bad(why, UPGRADE.to_owned()))
}

async fn allowed(cluster: &Cluster, namespace: &str, wanted: &ResourceAttributes) -> Result<bool, Trouble> {
    let api: Api<SubjectAccessReview> = Api::all(cluster.client.clone());
    let account = format!("system:serviceaccount:{namespace}:hashinsight-operator");
    let groups = ["system:serviceaccounts", "system:authenticated", &format!("system:serviceaccounts:{namespace}")];
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(account),
            groups: Some(groups.map(str::to_owned).to_vec()),
            resource_attributes: Some(wanted.clone()),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let answer = api.create(&PostParams::default(), &review).await.map_err(|error| cluster.trouble(error, None))?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// `patch tenants/status`, as people say it.
fn told(wanted: &ResourceAttributes) -> String {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let subresource = wanted.subresource.as_ref().map(|sub| format!("/{sub}")).unwrap_or_default();
    format!("{} {}{subresource}", text(&wanted.verb), text(&wanted.resource))
}

/// Every verb on every resource the operator's shipped roles grant.
fn shipped(namespace: &str) -> Vec<ResourceAttributes> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(ROLES).unwrap_or_default();
    let of_operator = |role: &&Value| {
        ["Role", "ClusterRole"].iter().any(|kind| role["kind"] == *kind)
            && role["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("hashinsight-operator"))
    };
    let mut all = Vec::new();
    for role in objects.iter().filter(of_operator) {
        let home = role["metadata"]["namespace"].as_str();
        let home = home.map(|home| if home == super::NAMESPACE { namespace } else { home });
        for rule in role["rules"].as_array().into_iter().flatten() {
            all.extend(expanded(rule, home));
        }
    }
    all
}

fn expanded(rule: &Value, namespace: Option<&str>) -> Vec<ResourceAttributes> {
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let names: Vec<Option<String>> = match strings(&rule["resourceNames"]) {
        names if names.is_empty() => vec![None],
        names => names.into_iter().map(Some).collect(),
    };
    let mut all = Vec::new();
    for (group, resource) in strings(&rule["apiGroups"]).into_iter().zip(std::iter::repeat(strings(&rule["resources"])))
    {
        for (resource, verb) in resource.iter().flat_map(|r| strings(&rule["verbs"]).into_iter().map(move |v| (r, v))) {
            let (resource, subresource) = match resource.split_once('/') {
                Some((resource, subresource)) => (resource.to_owned(), Some(subresource.to_owned())),
                None => (resource.clone(), None),
            };
            all.extend(names.iter().map(|name| ResourceAttributes {
                group: Some(group.clone()),
                resource: Some(resource.clone()),
                subresource: subresource.clone(),
                verb: Some(verb.clone()),
                name: name.clone(),
                namespace: namespace.map(str::to_owned),
                ..ResourceAttributes::default()
            }));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_roles_are_asked_for_verb_by_verb() {
        let all = shipped("elsewhere");
        let has = |verb: &str, resource: &str, namespace: Option<&str>| {
            all.iter().any(|one| {
                one.verb.as_deref() == Some(verb)
                    && one.resource.as_deref() == Some(resource)
                    && one.namespace.as_deref() == namespace
            })
        };
        assert!(has("patch", "tenants", None));
        assert!(has("create", "events", Some("default")));
        assert!(has("update", "leases", Some("elsewhere")));
        assert!(!has("get", "secrets", None));
        assert!(!has("get", "pods", None), "a tenant's role is not the operator's");
    }
}
