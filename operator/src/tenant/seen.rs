//! What the operator keeps of a tenant's objects: digests of what it owns in
//! them and the few facts plans need, never bodies.

use std::collections::BTreeMap;

use hashinsight_crds::names::{
    ANNOTATION_CLAIM, ANNOTATION_RELEASED_AT, LABEL_REGION, LABEL_RELEASED, LABEL_TENANT, LABEL_TENANT_ID, MANAGED_BY,
};
use hashinsight_crds::quantity::nanos;
use hashinsight_crds::tenant_summary::QuotaUse;
use kube::api::{DynamicObject, ObjectMeta};
use serde_json::{Map, Value, json};

use super::objects::{POD_SECURITY, role_ref};
use super::part::Part;
use crate::digest::Digest;

/// A namespace as last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceSeen {
    /// Its uid.
    pub uid: String,
    /// Its version, for compare-and-swap.
    pub resource_version: String,
    /// uid of the Tenant that claims it.
    pub claim: Option<String>,
    /// It was released by a deleted tenant.
    pub released: bool,
    /// It is being deleted.
    pub terminating: bool,
    /// Those of our labels it carries.
    pub labels: BTreeMap<&'static str, String>,
}

/// Labels the operator owns on a namespace.
pub fn namespace_label_keys() -> impl Iterator<Item = &'static str> {
    [MANAGED_BY.0, LABEL_TENANT, LABEL_TENANT_ID, LABEL_REGION].into_iter().chain(POD_SECURITY.map(|(key, _)| key))
}

impl NamespaceSeen {
    /// Reduces the metadata of a namespace.
    pub fn of(meta: &ObjectMeta) -> Self {
        let label = |key: &str| meta.labels.as_ref().and_then(|all| all.get(key)).cloned();
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            resource_version: meta.resource_version.clone().unwrap_or_default(),
            claim: meta.annotations.as_ref().and_then(|all| all.get(ANNOTATION_CLAIM)).cloned(),
            released: label(LABEL_RELEASED).as_deref() == Some("true"),
            terminating: meta.deletion_timestamp.is_some(),
            labels: namespace_label_keys().filter_map(|key| Some((key, label(key)?))).collect(),
        }
    }

    /// The merge patch that gives the namespace to the Tenant with `uid`, if
    /// it has not changed since it was seen.
    pub fn claim_patch(&self, uid: &str) -> Value {
        json!({"metadata": {
            "resourceVersion": self.resource_version,
            "annotations": {ANNOTATION_CLAIM: uid, ANNOTATION_RELEASED_AT: null},
            "labels": {LABEL_RELEASED: null},
        }})
    }

    /// The merge patch that gives up the claim, if the namespace has not
    /// changed since it was seen.
    pub fn release_patch(&self, at: &str) -> Value {
        json!({"metadata": {
            "resourceVersion": self.resource_version,
            "annotations": {ANNOTATION_CLAIM: null, ANNOTATION_RELEASED_AT: at},
            "labels": {LABEL_RELEASED: "true"},
        }})
    }
}

/// An owned object as last seen.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildSeen {
    /// Its uid.
    pub uid: String,
    /// Digest of what we own in it.
    pub digest: Digest,
    /// A field that cannot be changed is not what it should be; only replacing
    /// the object helps.
    pub misbuilt: bool,
    /// What else plans need of it.
    pub facts: Facts,
}

/// What plans need of an object beyond its digest.
#[derive(Clone, Debug, PartialEq)]
pub enum Facts {
    /// Nothing.
    None,
    /// Of a quota.
    Quota {
        /// The API server refuses any further pod.
        pods_refused: bool,
        /// Pods that count towards the quota.
        pods_used: bool,
        /// What is in use, as the quota spells it: CPU, memory, pods.
        used: [String; 3],
    },
    /// Of a summary.
    Summary {
        /// Its generation.
        generation: i64,
        /// Digest of its status.
        status: Digest,
        /// The use it shows.
        used: Option<QuotaUse>,
    },
}

impl ChildSeen {
    /// Reduces an object.
    pub fn of(object: &DynamicObject, part: Part) -> Self {
        let body = &object.data;
        Self {
            uid: object.metadata.uid.clone().unwrap_or_default(),
            digest: digest(part, &json!(object.metadata.labels), body),
            misbuilt: misbuilt(part, body),
            facts: facts(part, object),
        }
    }
}

/// Digest of what we own in a desired object.
pub fn desired_digest(part: Part, object: &Value) -> Digest {
    digest(part, object.pointer("/metadata/labels").unwrap_or(&Value::Null), object)
}

/// Only fields we own count: a label or quota entry somebody adds is theirs.
fn digest(part: Part, labels: &Value, body: &Value) -> Digest {
    let ours = [MANAGED_BY.0, LABEL_TENANT, LABEL_TENANT_ID].map(|key| labels.get(key));
    let owned = match part {
        Part::Quota => quota_amounts(body),
        Part::Limits => amounts(body.pointer("/spec/limits").unwrap_or(&Value::Null)),
        Part::Network => body.get("spec").cloned().unwrap_or_default(),
        Part::Access(_) => json!([body.get("roleRef"), body.get("subjects")]),
        Part::Summary => Value::Null,
    };
    Digest::of(&json!([ours, owned]))
}

/// The entries of a quota that we set.
const QUOTA_KEYS: [&str; 8] = [
    "requests.cpu",
    "limits.cpu",
    "requests.memory",
    "limits.memory",
    "pods",
    "count/sitegateways.hashinsight.net",
    "services.nodeports",
    "services.loadbalancers",
];

fn quota_amounts(body: &Value) -> Value {
    let hard = body.pointer("/spec/hard");
    QUOTA_KEYS
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), amounts(hard?.get(key)?))))
        .collect::<Map<_, _>>()
        .into()
}

/// Every quantity in its canonical amount, whichever way it is spelt.
fn amounts(value: &Value) -> Value {
    match value {
        Value::String(text) => nanos(text).map_or_else(|| value.clone(), |amount| json!(amount.to_string())),
        Value::Array(items) => items.iter().map(amounts).collect(),
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), amounts(v))).collect::<Map<_, _>>().into(),
        other => other.clone(),
    }
}

/// The role of a binding and the scopes of a quota cannot be changed.
fn misbuilt(part: Part, body: &Value) -> bool {
    match part {
        Part::Access(role) => body.get("roleRef") != Some(&role_ref(role)),
        Part::Quota => ["scopes", "scopeSelector"].iter().any(|key| body.pointer(&format!("/spec/{key}")).is_some()),
        Part::Limits | Part::Network | Part::Summary => false,
    }
}

fn facts(part: Part, object: &DynamicObject) -> Facts {
    let body = &object.data;
    match part {
        Part::Limits | Part::Network | Part::Access(_) => Facts::None,
        Part::Quota => {
            let of = |section: &str, key: &str| {
                body.pointer(&format!("/status/{section}"))
                    .and_then(|amounts| amounts.get(key))
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            Facts::Quota {
                pods_refused: nanos(&of("hard", "pods")) == Some(0),
                pods_used: nanos(&of("used", "pods")).is_none_or(|pods| pods != 0),
                used: ["requests.cpu", "requests.memory", "pods"].map(|key| of("used", key)),
            }
        }
        Part::Summary => Facts::Summary {
            generation: object.metadata.generation.unwrap_or_default(),
            status: Digest::of(body.get("status").unwrap_or(&Value::Null)),
            used: body.pointer("/status/used").and_then(|used| serde_json::from_value(used.clone()).ok()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::QUOTAS;

    fn quota(hard: Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": QUOTAS.api_version(), "kind": QUOTAS.kind,
            "metadata": {"name": "hashinsight", "namespace": "tenant-acme", "labels": {LABEL_TENANT: "acme"}},
            "spec": {"hard": hard},
            "status": {"hard": {"pods": "0"}, "used": {"pods": "2"}},
        }))
        .unwrap()
    }

    fn digest_of(hard: Value) -> Digest {
        ChildSeen::of(&quota(hard), Part::Quota).digest
    }

    #[test]
    fn spelling_and_foreign_entries_are_no_drift() {
        let ours = digest_of(json!({"requests.cpu": "0.5", "limits.memory": "1Gi"}));
        assert_eq!(ours, digest_of(json!({"requests.cpu": "500m", "limits.memory": "1024Mi", "secrets": "3"})));
        assert_ne!(ours, digest_of(json!({"requests.cpu": "501m", "limits.memory": "1Gi"})));
        assert_ne!(ours, digest_of(json!({"limits.memory": "1Gi"})));
    }

    #[test]
    fn a_quota_without_figures_counts_as_in_use() {
        let with = ChildSeen::of(&quota(json!({})), Part::Quota);
        assert!(matches!(with.facts, Facts::Quota { pods_refused: true, pods_used: true, .. }));
        let mut without = quota(json!({}));
        without.data["status"] = json!({});
        let seen = ChildSeen::of(&without, Part::Quota);
        assert!(matches!(seen.facts, Facts::Quota { pods_refused: false, pods_used: true, .. }));
    }
}
