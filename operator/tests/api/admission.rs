//! What admission refuses, and whom it leaves alone. The escapes are those
//! that tenancy controllers fell to: marks set through subresources, a foreign
//! namespace taken over by a label, objects swapped for wider ones, services
//! that lead elsewhere.

use std::sync::Arc;

use serde_json::{Value, json};
use testkit::Objects;

use crate::stage::{Stage, config_map, pod, tenant};

/// Gives `user` every right a careless platform could: administrator of the
/// tenant's namespace, and writer of namespaces.
async fn careless_rights(stage: &Stage, tenant: &str, user: &str) -> Objects {
    let admin = stage.admin();
    let subjects = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]);
    let namespace = format!("tenant-{tenant}");
    // Every verb but those that only our policies ask for.
    let verbs = json!(["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]);
    let rules = json!([
        {"apiGroups": [""], "resources": ["namespaces", "namespaces/status", "namespaces/finalize"], "verbs": verbs},
        {"apiGroups": ["", "discovery.k8s.io", "networking.k8s.io", "rbac.authorization.k8s.io", "hashinsight.net"],
         "resources": ["*"], "verbs": verbs},
    ]);
    let role = format!("careless-{tenant}");
    let object = |kind: &str, mut body: Value| {
        body["apiVersion"] = json!("rbac.authorization.k8s.io/v1");
        body["kind"] = json!(kind);
        body["metadata"] = json!({"name": role});
        body
    };
    let role_ref = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role});
    admin.apply(object("ClusterRole", json!({"rules": rules}))).await.unwrap();
    admin.apply(object("ClusterRoleBinding", json!({"roleRef": role_ref, "subjects": subjects}))).await.unwrap();
    admin
        .apply(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "careless", "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
            "subjects": subjects,
        }))
        .await
        .unwrap();
    let user = stage.ground.as_user(user, &[]).await;
    // The authorizer learns of a binding a moment after it is stored.
    testkit::eventually("rights", std::time::Duration::from_secs(10), || async {
        user.get(&format!("Namespace/{namespace}")).await.map_err(|e| e.to_string())?;
        user.list("ConfigMap", Some(&namespace)).await.map_err(|e| e.to_string())
    })
    .await;
    user
}

/// The write must have been refused by one of our policies, in these words.
#[track_caller]
fn refused<T: std::fmt::Debug>(what: &str, result: Result<T, kube::Error>, words: &str) {
    match result {
        Err(kube::Error::Api(status)) if status.code == 403 => {
            assert!(status.message.contains("ValidatingAdmissionPolicy 'hashinsight-"), "{what}: {}", status.message);
            assert!(status.message.contains(words), "{what}: {}", status.message);
        }
        other => panic!("{what}: {other:?}"),
    }
}

/// Ways to change the metadata of a namespace.
#[derive(Clone, Copy, Debug)]
enum Way {
    Itself,
    Status,
    Finalize,
}

const WAYS: [Way; 3] = [Way::Itself, Way::Status, Way::Finalize];

async fn write(user: &Objects, path: &str, way: Way, change: Value) -> Result<Value, kube::Error> {
    match way {
        Way::Itself => user.merge(path, change).await,
        Way::Status => user.merge_status(path, change).await,
        Way::Finalize => {
            let mut whole = user.must(path).await;
            merge(&mut whole, &change);
            user.replace_at(path, "finalize", &whole).await
        }
    }
}

/// A merge patch, for the one subresource that takes none.
fn merge(into: &mut Value, change: &Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, change) in change {
                if change.is_null() {
                    into.remove(key);
                } else {
                    merge(into.entry(key.clone()).or_insert(Value::Null), change);
                }
            }
        }
        (into, change) => *into = change.clone(),
    }
}

fn namespace(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

fn labels(labels: Value) -> Value {
    json!({"metadata": {"labels": labels}})
}

pub async fn a_tenant_s_namespace_keeps_its_marks(stage: Arc<Stage>) {
    stage.tenant("marks", json!({}), "Provisioned").await;
    let mallory = careless_rights(&stage, "marks", "mallory@marks.example").await;
    let home = "Namespace/tenant-marks";
    let whose = "say whose a namespace is";
    let level = "pod security level";
    for way in WAYS {
        for (change, words) in [
            (labels(json!({"hashinsight.net/tenant": "other"})), whose),
            (labels(json!({"hashinsight.net/tenant": null})), whose),
            (labels(json!({"hashinsight.net/tenant-id": null})), whose),
            (labels(json!({"hashinsight.net/extra": "x"})), whose),
            (labels(json!({"app.kubernetes.io/managed-by": "me"})), whose),
            (json!({"metadata": {"annotations": {"hashinsight.net/claimed-by": "me"}}}), whose),
            (labels(json!({"pod-security.kubernetes.io/enforce": "privileged"})), level),
            (labels(json!({"pod-security.kubernetes.io/enforce": null})), level),
            (labels(json!({"pod-security.kubernetes.io/enforce-version": "v1.0"})), level),
            (
                json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "gone", "uid": "gone"}]}}),
                "has no owner",
            ),
        ] {
            let what = format!("{way:?} {change}");
            refused(&what, write(&mallory, home, way, change).await, words);
        }
    }
    let finalize = write(&mallory, home, Way::Finalize, json!({"spec": {"finalizers": []}})).await;
    refused("finalize", finalize, "finalized by the cluster alone");
    refused("delete", mallory.delete(home).await, "delete the Tenant instead");
    // What is not ours in it stays free.
    mallory.merge(home, labels(json!({"team": "blue"}))).await.unwrap();
}

pub async fn nobody_takes_the_prefix_or_poses_as_a_tenant(stage: Arc<Stage>) {
    stage.tenant("posed", json!({}), "Provisioned").await;
    let mallory = careless_rights(&stage, "posed", "mallory@posed.example").await;
    let prefix = "belong to tenants";
    refused("prefix", mallory.create(namespace("tenant-squat", json!({}))).await, prefix);
    let generated = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "tenant-"}});
    refused("generated prefix", mallory.create(generated).await, prefix);
    let whose = "say whose a namespace is";
    for marks in [
        json!({"hashinsight.net/tenant": "posed"}),
        json!({"hashinsight.net/released": "true"}),
        json!({"app.kubernetes.io/managed-by": "hashinsight-operator"}),
    ] {
        refused("marks", mallory.create(namespace("posing", marks.clone())).await, whose);
        mallory.apply(namespace("posing", json!({}))).await.unwrap();
        for way in WAYS {
            refused("posing", write(&mallory, "Namespace/posing", way, labels(marks.clone())).await, whose);
        }
    }
    // A namespace of their own is theirs, whoever they say manages it.
    mallory.merge("Namespace/posing", labels(json!({"app.kubernetes.io/managed-by": "Helm"}))).await.unwrap();
    mallory.delete("Namespace/posing").await.unwrap();
}

pub async fn what_bounds_a_tenant_is_the_operator_s(stage: Arc<Stage>) {
    let ada = json!({"members": [{"role": "Owner", "kind": "User", "name": "ada@bounds.example"}]});
    stage.tenant("bounds", ada, "Provisioned").await;
    let mallory = careless_rights(&stage, "bounds", "mallory@bounds.example").await;
    let words = "are the operator's";
    let touch = labels(json!({"touched": "yes"}));
    for path in [
        "ResourceQuota/tenant-bounds/hashinsight",
        "LimitRange/tenant-bounds/hashinsight",
        "NetworkPolicy/tenant-bounds/hashinsight",
        "RoleBinding/tenant-bounds/hashinsight-owner",
        "RoleBinding/tenant-bounds/careless",
        "TenantSummary/tenant-bounds/summary",
    ] {
        refused(path, mallory.merge(path, touch.clone()).await, words);
        refused(path, mallory.delete(path).await, words);
    }
    for path in ["ResourceQuota/tenant-bounds/hashinsight", "TenantSummary/tenant-bounds/summary"] {
        refused(path, mallory.merge_at(path, Some("status"), json!({"status": {"used": null}})).await, words);
    }
    for kind in ["ResourceQuota", "NetworkPolicy", "RoleBinding"] {
        refused(kind, mallory.delete_all(kind, "tenant-bounds").await, words);
    }
    let rbac = "rbac.authorization.k8s.io/v1";
    let here = |name: &str| json!({"name": name, "namespace": "tenant-bounds"});
    let everybody = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated"}]);
    let foreign = json!([{"kind": "ServiceAccount", "name": "default", "namespace": "tenant-other"}]);
    let role_ref = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"});
    for (what, object) in [
        (
            "open network",
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": here("open"), "spec": {"podSelector": {}, "ingress": [{}], "egress": [{}]}}),
        ),
        (
            "everybody",
            json!({"apiVersion": rbac, "kind": "RoleBinding", "metadata": here("all"), "roleRef": role_ref, "subjects": everybody}),
        ),
        (
            "a foreign account",
            json!({"apiVersion": rbac, "kind": "RoleBinding", "metadata": here("foreign"), "roleRef": role_ref, "subjects": foreign}),
        ),
        (
            "a role",
            json!({"apiVersion": rbac, "kind": "Role", "metadata": here("wide"), "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]}),
        ),
        (
            "a second quota",
            json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": here("mine"), "spec": {"hard": {"pods": "999"}}}),
        ),
        (
            "a second limit",
            json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": here("mine"), "spec": {"limits": []}}),
        ),
        (
            "a summary",
            json!({"apiVersion": "hashinsight.net/v1alpha1", "kind": "TenantSummary", "metadata": here("summary"), "spec": {}}),
        ),
    ] {
        refused(what, mallory.apply(object).await, words);
    }
    // What is theirs is theirs.
    mallory.apply(config_map("tenant-bounds", "own")).await.unwrap();
    mallory.apply(pod("tenant-bounds", "own")).await.unwrap();
}

pub async fn services_of_a_tenant_lead_nowhere_else(stage: Arc<Stage>) {
    stage.tenant("paths", json!({}), "Provisioned").await;
    let mallory = careless_rights(&stage, "paths", "mallory@paths.example").await;
    let service = |name: &str, spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "tenant-paths"}, "spec": spec});
    let port = json!([{"port": 80}]);
    let words = "leads to its own pods";
    let plain = json!({"selector": {"app": "own"}, "ports": port});
    mallory.apply(service("own", plain.clone())).await.unwrap();
    let hijack = json!({"selector": {"app": "own"}, "ports": port, "externalIPs": ["203.0.113.7"]});
    refused("externalIPs", mallory.apply(service("hijack", hijack.clone())).await, words);
    refused("externalIPs later", mallory.apply(service("own", hijack)).await, words);
    let alias = json!({"type": "ExternalName", "externalName": "kubernetes.default.svc.cluster.local"});
    refused("ExternalName", mallory.apply(service("alias", alias)).await, words);
    let by_cluster = "written by the cluster alone";
    let status = labels(json!({"through": "status"}));
    refused("status", mallory.merge_at("Service/tenant-paths/own", Some("status"), status).await, by_cluster);
    let metadata =
        json!({"name": "own-1", "namespace": "tenant-paths", "labels": {"kubernetes.io/service-name": "own"}});
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata,
        "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}],
    });
    refused("slice", mallory.apply(slice).await, by_cluster);
    let endpoints = json!({
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "own", "namespace": "tenant-paths"},
        "subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}],
    });
    refused("endpoints", mallory.apply(endpoints).await, by_cluster);
}

pub async fn our_kinds_live_where_they_are_for(stage: Arc<Stage>) {
    let admin = stage.admin();
    stage.tenant("homes", json!({}), "Provisioned").await;
    // A kind of ours that lives in the operator's namespace, as later ones do.
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "probes.hashinsight.net"},
        "spec": {
            "group": "hashinsight.net", "scope": "Namespaced",
            "names": {"kind": "Probe", "plural": "probes", "singular": "probe"},
            "versions": [{"name": "v1alpha1", "served": true, "storage": true, "schema": schema}],
        },
    });
    admin.apply(crd).await.unwrap();
    let probe = |namespace: &str| json!({"apiVersion": "hashinsight.net/v1alpha1", "kind": "Probe", "metadata": {"name": "p", "namespace": namespace}});
    testkit::eventually("a home", std::time::Duration::from_secs(20), || async {
        admin.apply(probe(crate::stage::SYSTEM)).await.map_err(|e| e.to_string())
    })
    .await;
    refused("in a tenant's", admin.apply(probe("tenant-homes")).await, "reserved to the operator's namespace");
    refused("elsewhere", admin.apply(probe("default")).await, "live in tenants' namespaces or in");
    let summary = json!({
        "apiVersion": "hashinsight.net/v1alpha1", "kind": "TenantSummary",
        "metadata": {"name": "summary", "namespace": "default"}, "spec": {},
    });
    refused("summary", admin.apply(summary).await, "live in tenants' namespaces or in");
    admin.delete("CustomResourceDefinition/probes.hashinsight.net").await.unwrap();
}

pub async fn erasing_needs_its_verb(stage: Arc<Stage>) {
    let admin = stage.admin();
    let grants = |name: &str, rules: Value| {
        let rbac = "rbac.authorization.k8s.io";
        [
            json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}),
            json!({
                "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
                "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
                "subjects": [{"apiGroup": rbac, "kind": "User", "name": name}],
            }),
        ]
    };
    let all = json!(["get", "list", "create", "update", "patch", "delete"]);
    let tenants = |verbs: &Value, names: Value| json!({"apiGroups": ["hashinsight.net"], "resources": ["tenants", "tenants/status"], "verbs": verbs, "resourceNames": names});
    let pat = grants("pat", json!([tenants(&all, json!([]))]));
    let eve = grants("eve", json!([tenants(&all, json!([])), tenants(&json!(["erase"]), json!(["erasable"]))]));
    for object in pat.into_iter().chain(eve) {
        admin.apply(object).await.unwrap();
    }
    let (pat, eve) = (stage.ground.as_user("pat", &[]).await, stage.ground.as_user("eve", &[]).await);
    for user in [&pat, &eve] {
        testkit::eventually("rights", std::time::Duration::from_secs(10), || async {
            user.list("Tenant", None).await.map_err(|e| e.to_string())
        })
        .await;
    }
    let words = "needs the verb erase";
    let erase = || json!({"deletionPolicy": "Erase"});
    refused("create", pat.apply(tenant("erasable", erase())).await, words);
    pat.apply(tenant("erasable", json!({}))).await.unwrap();
    let policy = json!({"spec": erase()});
    refused("update", pat.merge("Tenant/erasable", policy.clone()).await, words);
    refused("another tenant's", eve.apply(tenant("not-erasable", erase())).await, words);
    eve.merge("Tenant/erasable", policy).await.unwrap();
    // What is set already is no new decision.
    pat.merge("Tenant/erasable", json!({"spec": {"displayName": "Still"}})).await.unwrap();
    stage.reason("erasable", "Provisioned").await;
    let unhook = json!({"metadata": {"finalizers": []}});
    refused("finalizer", pat.merge("Tenant/erasable", unhook).await, "is the operator's");
    let status = json!({"status": {"id": "t00000000000000000000"}});
    refused("status", pat.merge_status("Tenant/erasable", status).await, "status is written by the operator");
    pat.delete("Tenant/erasable").await.unwrap();
    admin.until_gone("Namespace/tenant-erasable").await;
}

pub async fn a_stolen_token_of_the_operator_stays_in_tenants_namespaces(stage: Arc<Stage>) {
    stage.tenant("stolen", json!({}), "Provisioned").await;
    let admin = stage.admin();
    admin.apply(namespace("payroll", json!({}))).await.unwrap();
    admin.apply(namespace("tenant-stranger", json!({}))).await.unwrap();
    admin.apply(pod("payroll", "main")).await.unwrap();
    let thief = stage.ground.as_user(crate::stage::OPERATOR_USER, &["system:serviceaccounts"]).await;
    let (home, held) = ("in tenants' namespaces alone", "namespaces it holds");
    let restricted = "under restricted pod security";
    refused("foreign pods", thief.delete_all("Pod", "payroll").await, home);
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "payroll"}, "spec": {"hard": {"pods": "0"}}});
    refused("foreign quota", thief.apply(quota).await, home);
    for name in ["payroll", "tenant-stranger"] {
        let path = format!("Namespace/{name}");
        refused(name, thief.delete(&path).await, held);
        refused(name, thief.merge(&path, labels(json!({"hashinsight.net/tenant-id": "t1"}))).await, held);
    }
    refused("own", thief.create(namespace("backdoor", json!({}))).await, held);
    refused("open", thief.create(namespace("tenant-open", json!({}))).await, restricted);
    let weaken = labels(json!({"pod-security.kubernetes.io/enforce": "privileged"}));
    refused("weaken", thief.merge("Namespace/tenant-stolen", weaken).await, restricted);
    let spec = "the spec of a Tenant is the user's";
    for change in [
        json!({"spec": {"deletionPolicy": "Erase"}}),
        json!({"spec": {"members": [{"role": "Owner", "kind": "User", "name": "thief"}]}}),
        json!({"metadata": {"finalizers": ["hashinsight.net/tenant", "somebody/else"]}}),
    ] {
        refused("tenant", thief.merge("Tenant/stolen", change).await, spec);
    }
    let subjects = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "thief"}]);
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "wide", "namespace": "tenant-stolen"}, "subjects": subjects,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "hashinsight-operator"},
    });
    refused("own rights", thief.apply(binding).await, "the four tenant roles and no other");
    assert!(admin.get("Pod/payroll/main").await.unwrap().is_some());
}

pub async fn crds_go_forward_only(stage: Arc<Stage>) {
    let admin = stage.admin();
    let path = "CustomResourceDefinition/tenantplans.hashinsight.net";
    let say = |version: Value| json!({"metadata": {"annotations": {"hashinsight.net/bundle-version": version}}});
    let older = "is older than the one installed";
    for version in [json!("v0.0.9"), json!("v0.0.0-rc.1"), json!("latest"), json!(""), Value::Null] {
        refused(&version.to_string(), admin.merge(path, say(version.clone())).await, older);
    }
    let current = admin.must(path).await["metadata"]["annotations"]["hashinsight.net/bundle-version"].clone();
    admin.merge(path, say(current.clone())).await.unwrap();
    let channel = |name: &str| json!({"metadata": {"annotations": {"hashinsight.net/channel": name}}});
    admin.merge(path, channel("stable")).await.unwrap();
    refused("channel", admin.merge(path, channel("experimental")).await, "a stable CRD is not replaced");
}

pub async fn with_the_operator_down_unrelated_writes_succeed(_: Arc<Stage>) {
    let stage = Stage::without_operator().await;
    let admin = stage.admin();
    admin.apply(namespace("unrelated", json!({}))).await.unwrap();
    admin.apply(config_map("unrelated", "one")).await.unwrap();
    admin.apply(tenant("waiting", json!({}))).await.unwrap();
    admin.delete("Namespace/unrelated").await.unwrap();
    admin.until_gone("Namespace/unrelated").await;
    // And what must be refused still is.
    let nobody = stage.ground.as_user("nobody", &["system:masters-of-nothing"]).await;
    assert!(nobody.create(namespace("tenant-nobody", json!({}))).await.is_err());
    let thief = stage.ground.as_user(crate::stage::OPERATOR_USER, &["system:serviceaccounts"]).await;
    refused("confined", thief.create(namespace("backdoor", json!({}))).await, "namespaces it holds");
}
