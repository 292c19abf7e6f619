//! Named scenarios, verb by verb.

use std::sync::Arc;

use serde_json::{Value, json};
use testkit::Ground;

use crate::pair::Pair;

const MAPS: &str = "/api/v1/namespaces/OWN/configmaps";
const TENANTS: &str = "/apis/hashinsight.net/v1alpha1/tenants";
const PLANS: &str = "/apis/hashinsight.net/v1alpha1/tenantplans";
const BY: &str = "fieldManager=one";
const FORCED: &str = "fieldManager=one&force=true";

fn map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn tenant(name: &str, spec: Value) -> Value {
    let mut all = json!({"displayName": "A", "planRef": {"name": "standard"}, "region": "eu"});
    all.as_object_mut().unwrap().extend(spec.as_object().cloned().unwrap_or_default());
    json!({"apiVersion": "hashinsight.net/v1alpha1", "kind": "Tenant", "metadata": {"name": name}, "spec": all})
}

pub fn plan(name: &str, quotas: Value) -> Value {
    let mut all = json!({"sites": 1, "miners": 10, "requestsPerMinute": 5, "cpu": "1", "memory": "1Gi", "pods": 3});
    all.as_object_mut().unwrap().extend(quotas.as_object().cloned().unwrap_or_default());
    json!({"apiVersion": "hashinsight.net/v1alpha1", "kind": "TenantPlan", "metadata": {"name": name},
           "spec": {"displayName": "P", "quotas": all, "response": {"respondMinutes": 1, "recoverMinutes": 2}}})
}

pub async fn creation_and_its_refusals(ground: Arc<Ground>) {
    let mut pair = Pair::new(ground).await;
    pair.ok(&format!("POST {MAPS}?{BY}"), map("a", json!({"x": "1"}))).await;
    pair.refused(409, &format!("POST {MAPS}?{BY}"), map("a", json!({}))).await;
    pair.refused(422, &format!("POST {MAPS}?{BY}"), map("Not_A_Name", json!({}))).await;
    pair.refused(422, &format!("POST {MAPS}?{BY}"), map("", json!({}))).await;
    pair.refused(404, "POST /api/v1/namespaces/OWN-not/configmaps", map("a", json!({}))).await;
    let mut elsewhere = map("b", json!({}));
    elsewhere["metadata"]["namespace"] = json!("elsewhere");
    pair.refused(400, &format!("POST {MAPS}"), elsewhere).await;
    let mut versioned = map("b", json!({}));
    versioned["metadata"]["resourceVersion"] = json!("5");
    pair.refused(500, &format!("POST {MAPS}"), versioned).await;
    pair.refused(404, &format!("GET {MAPS}/absent"), Value::Null).await;
    pair.refused(404, "GET /apis/hashinsight.net/v1alpha1/nothings", Value::Null).await;
    pair.ok(&format!("POST {MAPS}?{BY}&dryRun=All"), map("dry", json!({}))).await;
    pair.refused(404, &format!("GET {MAPS}/dry"), Value::Null).await;
    let mut made = tenant("OWN-made", json!({}));
    made["status"] = json!({"observedGeneration": 5});
    made["metadata"]["generation"] = json!(9);
    made["metadata"]["uid"] = json!("mine");
    made["metadata"]["finalizers"] = json!(["example.net/one"]);
    made["metadata"]["labels"] = json!({});
    pair.ok(&format!("POST {TENANTS}?{BY}"), made).await;
}

pub async fn updates_compare_and_swap(ground: Arc<Ground>) {
    let mut pair = Pair::new(ground).await;
    pair.ok(&format!("POST {MAPS}?{BY}"), map("a", json!({"x": "1"}))).await;
    pair.ok(&format!("PUT {MAPS}/a?fieldManager=two"), map("a", json!({"x": "2", "y": "1"}))).await;
    pair.ok(&format!("PUT {MAPS}/a?fieldManager=two"), map("a", json!({"x": "2", "y": "1"}))).await;
    pair.ok(&format!("PUT {MAPS}/a?{BY}"), map("a", json!({"y": "1"}))).await;
    pair.refused(400, &format!("PUT {MAPS}/a"), map("b", json!({}))).await;
    pair.refused(404, &format!("PUT {MAPS}/absent"), map("absent", json!({}))).await;
    let mut stale = map("a", json!({}));
    stale["metadata"]["resourceVersion"] = json!("1");
    pair.refused(409, &format!("PUT {MAPS}/a"), stale).await;
    let at = |live: &Value| {
        let mut at = live.clone();
        at["data"] = json!({"z": "3"});
        at
    };
    pair.each(&format!("GET {MAPS}/a"), &format!("PUT {MAPS}/a?{BY}"), at).await.unwrap();
    let another = |live: &Value| {
        let mut another = live.clone();
        another["metadata"]["uid"] = json!("00000000-0000-0000-0000-000000000000");
        another
    };
    pair.each(&format!("GET {MAPS}/a"), &format!("PUT {MAPS}/a?{BY}"), another).await.unwrap_err();
    pair.ok(&format!("POST {TENANTS}?{BY}"), tenant("OWN-t", json!({}))).await;
    pair.refused(422, &format!("PUT {TENANTS}/OWN-t?{BY}"), tenant("OWN-t", json!({"displayName": "B"}))).await;
    let renamed = |live: &Value| {
        let mut renamed = live.clone();
        renamed["spec"]["displayName"] = json!("B");
        renamed["status"] = json!({"observedGeneration": 7});
        renamed
    };
    pair.each(&format!("GET {TENANTS}/OWN-t"), &format!("PUT {TENANTS}/OWN-t?{BY}"), renamed).await.unwrap();
}

pub async fn merge_patches(ground: Arc<Ground>) {
    let mut pair = Pair::new(ground).await;
    pair.ok(&format!("POST {MAPS}?{BY}"), map("a", json!({"x": "1", "y": "2"}))).await;
    pair.ok(&format!("MERGE {MAPS}/a?fieldManager=two"), json!({"data": {"x": null, "z": "3"}})).await;
    pair.ok(&format!("MERGE {MAPS}/a?fieldManager=two"), json!({"data": {"z": "3"}})).await;
    pair.ok(
        &format!("MERGE {MAPS}/a?fieldManager=two"),
        json!({"metadata": {"labels": {"l": "1"}, "annotations": {"n": "1"}}}),
    )
    .await;
    pair.ok(&format!("MERGE {MAPS}/a?fieldManager=two"), json!({"metadata": {"labels": {"l": null}}})).await;
    pair.refused(409, &format!("MERGE {MAPS}/a"), json!({"metadata": {"resourceVersion": "1"}, "data": {"x": "9"}}))
        .await;
    pair.refused(404, &format!("MERGE {MAPS}/absent"), json!({"data": {}})).await;
    let at = |live: &Value| json!({"metadata": {"resourceVersion": live["metadata"]["resourceVersion"], "annotations": {"m": "1"}}});
    pair.each(&format!("GET {MAPS}/a"), &format!("MERGE {MAPS}/a?{BY}"), at).await.unwrap();
    pair.ok(
        &format!("POST {TENANTS}?{BY}"),
        tenant("OWN-t", json!({"members": [{"role": "Owner", "kind": "User", "name": "a"}]})),
    )
    .await;
    pair.ok(
        &format!("MERGE {TENANTS}/OWN-t?fieldManager=two"),
        json!({"spec": {"members": [{"role": "Owner", "kind": "User", "name": "b"}]}}),
    )
    .await;
    pair.ok(&format!("MERGE {TENANTS}/OWN-t?fieldManager=two"), json!({"spec": {"nonsense": 1}})).await;
    pair.refused(422, &format!("MERGE {TENANTS}/OWN-t"), json!({"spec": {"region": null}})).await;
}

pub async fn apply_owns_what_it_states(ground: Arc<Ground>) {
    let mut pair = Pair::new(ground).await;
    let a = format!("APPLY {MAPS}/a");
    pair.ok(&format!("{a}?{FORCED}"), map("a", json!({"x": "1", "y": "1"}))).await;
    pair.ok(&format!("{a}?{FORCED}"), map("a", json!({"x": "1", "y": "1"}))).await;
    pair.ok(&format!("{a}?fieldManager=two&force=true"), map("a", json!({"y": "2", "z": "2"}))).await;
    pair.refused(409, &format!("{a}?{BY}"), map("a", json!({"y": "3"}))).await;
    // What is no longer stated goes, unless somebody else has it.
    pair.ok(&format!("{a}?{FORCED}"), map("a", json!({"z": "2"}))).await;
    pair.ok(&format!("{a}?fieldManager=two&force=true"), map("a", json!({"y": "2"}))).await;
    pair.ok(&format!("MERGE {MAPS}/a?fieldManager=three"), json!({"data": {"z": "9", "w": "1"}})).await;
    pair.ok(&format!("{a}?{FORCED}"), map("a", json!({"q": "1"}))).await;
    pair.refused(422, &a, map("a", json!({}))).await;
    let mut versioned = map("a", json!({"q": "1"}));
    versioned["metadata"]["resourceVersion"] = json!("1");
    pair.refused(409, &format!("{a}?{FORCED}"), versioned.clone()).await;
    versioned["metadata"]["name"] = json!("absent");
    pair.ok(&format!("APPLY {MAPS}/absent?{FORCED}"), versioned).await;
    let labelled =
        |labels: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": labels}});
    pair.ok(&format!("{a}?fieldManager=four&force=true"), labelled(json!({"k": "1", "l": "1"}))).await;
    pair.ok(&format!("{a}?fieldManager=four&force=true"), labelled(json!({"l": "1"}))).await;
    pair.ok(
        &format!("{a}?fieldManager=four&force=true"),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}),
    )
    .await;
    pair.ok(
        "APPLY /api/v1/namespaces/OWN?fieldManager=one&force=true",
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "OWN", "labels": {"team": "x"}}}),
    )
    .await;
}

pub async fn apply_of_lists_that_are_maps(ground: Arc<Ground>) {
    let mut pair = Pair::new(ground).await;
    let member = |role: &str, name: &str| json!({"role": role, "kind": "User", "name": name});
    let t = format!("APPLY {TENANTS}/OWN-t");
    pair.ok(
        &format!("{t}?{FORCED}"),
        tenant("OWN-t", json!({"members": [member("Owner", "a"), member("Finance", "b")]})),
    )
    .await;
    let only = |members: Value| json!({"apiVersion": "hashinsight.net/v1alpha1", "kind": "Tenant", "metadata": {"name": "OWN-t"}, "spec": {"members": members}});
    pair.ok(&format!("{t}?fieldManager=two&force=true"), only(json!([member("Investor", "c"), member("Owner", "a")])))
        .await;
    pair.ok(&format!("{t}?{FORCED}"), tenant("OWN-t", json!({"members": [member("Finance", "b")]}))).await;
    pair.ok(&format!("{t}?fieldManager=two&force=true"), only(json!([]))).await;
    pair.refused(
        422,
        &format!("{t}?fieldManager=three&force=true"),
        only(json!([{"role": "Boss", "kind": "User", "name": "x"}])),
    )
    .await;
    let held = |finalizers: Value| json!({"apiVersion": "hashinsight.net/v1alpha1", "kind": "Tenant", "metadata": {"name": "OWN-t", "finalizers": finalizers}});
    pair.ok(&format!("{t}?fieldManager=four&force=true"), held(json!(["example.net/a", "example.net/b"]))).await;
    pair.ok(&format!("{t}?fieldManager=four&force=true"), held(json!(["example.net/b"]))).await;
    pair.ok(&format!("{t}?fieldManager=four&force=true"), held(json!([]))).await;
}

fn status(name: &str, status: Value) -> Value {
    json!({"apiVersion": "hashinsight.net/v1alpha1", "kind": "Tenant", "metadata": {"name": name}, "status": status})
}

fn condition(kind: &str, value: &str) -> Value {
    json!({"type": kind, "status": value, "reason": "Why", "message": "m", "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

pub async fn status_is_a_world_of_its_own(ground: Arc<Ground>) {
    let mut pair = Pair::new(ground).await;
    pair.ok(&format!("POST {TENANTS}?{BY}"), tenant("OWN-t", json!({}))).await;
    let s = format!("APPLY {TENANTS}/OWN-t/status");
    let ready = json!({"observedGeneration": 1, "conditions": [condition("Ready", "True")]});
    pair.ok(&format!("{s}?{FORCED}"), status("OWN-t", ready.clone())).await;
    pair.ok(&format!("{s}?{FORCED}"), status("OWN-t", ready)).await;
    let both =
        json!({"observedGeneration": 1, "conditions": [condition("Stalled", "True"), condition("Ready", "False")]});
    pair.ok(&format!("{s}?{FORCED}"), status("OWN-t", both)).await;
    let other = json!({"observedGeneration": 1, "conditions": [condition("Other", "True")]});
    pair.ok(&format!("{s}?fieldManager=two&force=true"), status("OWN-t", other)).await;
    let mut spec_too = tenant("OWN-t", json!({"displayName": "changed"}));
    spec_too["status"] = json!({"observedGeneration": 2});
    pair.ok(&format!("{s}?{FORCED}"), spec_too).await;
    pair.refused(
        404,
        &format!("APPLY {TENANTS}/OWN-absent/status?{FORCED}"),
        status("OWN-absent", json!({"observedGeneration": 1})),
    )
    .await;
    pair.refused(500, &format!("{s}?{FORCED}"), status("OWN-t", json!({"observedGeneration": "x"}))).await;
    pair.ok(
        &format!("MERGE {TENANTS}/OWN-t/status?{BY}"),
        json!({"status": {"observedGeneration": 3}, "spec": {"displayName": "no"}}),
    )
    .await;
    pair.ok(
        &format!("MERGE {TENANTS}/OWN-t?{BY}"),
        json!({"status": {"observedGeneration": 9}, "spec": {"displayName": "yes"}}),
    )
    .await;
    let stale = json!({"apiVersion": "hashinsight.net/v1alpha1", "kind": "Tenant", "metadata": {"name": "OWN-t", "resourceVersion": "1"}, "status": {"observedGeneration": 4}});
    pair.refused(409, &format!("{s}?{FORCED}"), stale).await;
    pair.refused(404, &format!("GET {MAPS}/a/status"), Value::Null).await;
}

pub async fn generations_count_what_matters(ground: Arc<Ground>) {
    let mut pair = Pair::new(ground).await;
    pair.ok(&format!("POST {PLANS}?{BY}"), plan("OWN-p", json!({}))).await;
    pair.ok(&format!("MERGE {PLANS}/OWN-p?{BY}"), json!({"metadata": {"labels": {"a": "b"}}})).await;
    pair.ok(&format!("MERGE {PLANS}/OWN-p?{BY}"), json!({"spec": {"quotas": {"miners": 11}}})).await;
    pair.ok(&format!("MERGE {PLANS}/OWN-p/status?{BY}"), json!({"status": {"observedGeneration": 2}})).await;
    pair.ok(&format!("MERGE {PLANS}/OWN-p?{BY}"), json!({"metadata": {"finalizers": ["example.net/x"]}})).await;
    pair.ok(&format!("DELETE {PLANS}/OWN-p"), Value::Null).await;
    pair.ok(&format!("MERGE {PLANS}/OWN-p?{BY}"), json!({"spec": {"quotas": {"miners": 12}}})).await;
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n"}, "spec": {"podSelector": {}}});
    let policies = "/apis/networking.k8s.io/v1/namespaces/OWN/networkpolicies";
    pair.ok(&format!("POST {policies}?{BY}"), policy).await;
    pair.ok(&format!("MERGE {policies}/n?{BY}"), json!({"spec": {"policyTypes": ["Ingress", "Egress"]}})).await;
    pair.ok(&format!("MERGE {policies}/n?{BY}"), json!({"metadata": {"labels": {"a": "b"}}})).await;
}

pub async fn finalizers_hold(ground: Arc<Ground>) {
    let mut pair = Pair::new(ground).await;
    let t = format!("{TENANTS}/OWN-t");
    pair.ok(&format!("POST {TENANTS}?{BY}"), tenant("OWN-t", json!({}))).await;
    pair.ok(&format!("MERGE {t}?{BY}"), json!({"metadata": {"finalizers": ["example.net/a", "example.net/b"]}})).await;
    pair.ok(&format!("DELETE {t}"), Value::Null).await;
    pair.ok(&format!("DELETE {t}"), Value::Null).await;
    pair.refused(
        422,
        &format!("MERGE {t}"),
        json!({"metadata": {"finalizers": ["example.net/a", "example.net/b", "example.net/c"]}}),
    )
    .await;
    pair.ok(&format!("MERGE {t}?{BY}"), json!({"metadata": {"finalizers": ["example.net/b"]}})).await;
    pair.ok(&format!("MERGE {t}?{BY}"), json!({"spec": {"displayName": "late"}})).await;
    pair.ok(&format!("MERGE {t}?{BY}"), json!({"metadata": {"finalizers": []}})).await;
    pair.refused(404, &format!("GET {t}"), Value::Null).await;
    pair.ok(&format!("POST {TENANTS}?{BY}"), tenant("OWN-t", json!({}))).await;
}

pub async fn deletion_and_its_preconditions(ground: Arc<Ground>) {
    let mut pair = Pair::new(ground).await;
    let options =
        |preconditions: Value| json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions});
    pair.ok(&format!("POST {MAPS}?{BY}"), map("a", json!({}))).await;
    pair.refused(409, &format!("DELETE {MAPS}/a"), options(json!({"uid": "00000000-0000-0000-0000-000000000000"})))
        .await;
    pair.refused(409, &format!("DELETE {MAPS}/a"), options(json!({"resourceVersion": "1"}))).await;
    let mine = |live: &Value| options(json!({"uid": live["metadata"]["uid"]}));
    pair.each(&format!("GET {MAPS}/a"), &format!("DELETE {MAPS}/a"), mine).await.unwrap();
    pair.refused(404, &format!("DELETE {MAPS}/a"), Value::Null).await;
    for (name, label) in [("a", "x"), ("b", "x"), ("c", "y")] {
        let mut labelled = map(name, json!({}));
        labelled["metadata"]["labels"] = json!({"l": label});
        pair.ok(&format!("POST {MAPS}?{BY}"), labelled).await;
    }
    let delete = format!("DELETE {MAPS}?labelSelector=l%3Dx");
    assert!(pair.ask(&delete, Value::Null).await.is_ok());
    pair.refused(404, &format!("GET {MAPS}/b"), Value::Null).await;
    pair.ok(&format!("GET {MAPS}/c"), Value::Null).await;
}

pub async fn schemas_and_rules(ground: Arc<Ground>) {
    let mut pair = Pair::new(ground).await;
    for (number, quotas) in [
        json!({"miners": 0}),
        json!({"cpu": "0"}),
        json!({"cpu": "many"}),
        json!({"memory": ""}),
        json!({"pods": "3"}),
        json!({"pods": null}),
        json!({"unknown": 1}),
        json!({"sites": 100_001}),
        json!({"cpu": "500m", "memory": "1.5Gi"}),
    ]
    .into_iter()
    .enumerate()
    {
        let _ = pair.ask(&format!("POST {PLANS}?{BY}"), plan(&format!("OWN-{number}"), quotas)).await;
    }
    for (number, spec) in [
        json!({"region": "EU"}),
        json!({"lifecycle": "Paused"}),
        json!({"members": [{"role": "Owner", "kind": "User", "name": "system:admin"}]}),
        json!({"members": [{"role": "Owner", "kind": "User", "name": "a"}, {"role": "Owner", "kind": "User", "name": "a"}]}),
        json!({"quotas": {"cpu": "-1"}}),
        json!({"displayName": ""}),
        json!({"displayName": "x".repeat(101)}),
        json!({"planRef": {}}),
        json!({"quotas": {"miners": 5}}),
    ]
    .into_iter()
    .enumerate()
    {
        let _ = pair.ask(&format!("POST {TENANTS}?{BY}"), tenant(&format!("OWN-s{number}"), spec)).await;
    }
    pair.refused(422, &format!("POST {TENANTS}?{BY}"), tenant(&format!("OWN-{}", "n".repeat(60)), json!({}))).await;
    pair.refused(422, &format!("POST {TENANTS}?{BY}"), tenant("OWN.dotted", json!({}))).await;
    let slow = json!({"spec": {"response": {"recoverMinutes": 0}}});
    pair.ok(&format!("POST {PLANS}?{BY}"), plan("OWN-r", json!({}))).await;
    pair.refused(422, &format!("MERGE {PLANS}/OWN-r"), slow).await;
    // The id, once written, is for ever.
    pair.ok(&format!("POST {TENANTS}?{BY}"), tenant("OWN-id", json!({}))).await;
    let id = |id: &str| json!({"status": {"observedGeneration": 1, "id": id}});
    pair.ok(&format!("MERGE {TENANTS}/OWN-id/status?{BY}"), id("t11111111111111111111")).await;
    let _ = pair.ask(&format!("MERGE {TENANTS}/OWN-id/status?{BY}"), id("t22222222222222222222")).await;
}

pub async fn built_in_kinds_in_normal_form(ground: Arc<Ground>) {
    let mut pair = Pair::new(ground).await;
    let policies = "/apis/networking.k8s.io/v1/namespaces/OWN/networkpolicies";
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n", "labels": {"a": "b"}},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": [
            {"to": [{"namespaceSelector": {"matchLabels": {"x": "y"}}}], "ports": [{"protocol": "UDP", "port": 53}]}, {"to": [{"podSelector": {}}]}]}});
    pair.ok(&format!("APPLY {policies}/n?{FORCED}"), policy.clone()).await;
    pair.ok(&format!("MERGE {policies}/n?fieldManager=two"), json!({"spec": {"ingress": [{}]}})).await;
    pair.ok(&format!("APPLY {policies}/n?{FORCED}"), policy).await;
    let quotas = "/api/v1/namespaces/OWN/resourcequotas";
    let quota = |hard: Value| json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": hard}});
    pair.ok(&format!("APPLY {quotas}/q?{FORCED}&dryRun=All"), quota(json!({"pods": "5", "requests.cpu": "0.5"}))).await;
    let limits = "/api/v1/namespaces/OWN/limitranges";
    let limit = json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l"}, "spec": {"limits": [
        {"type": "Container", "default": {"cpu": "500m", "memory": "512Mi"}, "defaultRequest": {"cpu": "100m", "memory": "128Mi"}}]}});
    pair.ok(&format!("APPLY {limits}/l?{FORCED}"), limit.clone()).await;
    pair.ok(&format!("APPLY {limits}/l?{FORCED}"), limit).await;
    let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/OWN/rolebindings";
    let binding = |role: &str, user: &str| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]})
    };
    pair.ok(&format!("APPLY {bindings}/b?{FORCED}"), binding("view", "a")).await;
    pair.ok(&format!("APPLY {bindings}/b?{FORCED}"), binding("view", "b")).await;
    pair.refused(422, &format!("APPLY {bindings}/b?{FORCED}"), binding("edit", "b")).await;
    let leases = "/apis/coordination.k8s.io/v1/namespaces/OWN/leases";
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15, "leaseTransitions": 1}});
    pair.ok(&format!("POST {leases}?{BY}"), lease).await;
}

pub async fn pages_and_selectors(ground: Arc<Ground>) {
    let mut pair = Pair::new(ground).await;
    for number in 0..7 {
        let mut made = map(&format!("m{number}"), json!({"n": number.to_string()}));
        made["metadata"]["labels"] = json!({"odd": (number % 2 == 1).to_string()});
        pair.ok(&format!("POST {MAPS}?{BY}"), made).await;
    }
    let ours = "labelSelector=odd";
    let first = pair.ok(&format!("GET {MAPS}?{ours}&limit=3"), Value::Null).await;
    assert_eq!(first["items"].as_array().unwrap().len(), 3);
    assert_eq!(first["metadata"]["more"], true);
    let rest = |list: &Value| -> String { list["metadata"]["continue"].as_str().unwrap().replace(' ', "%20") };
    pair.pages(&format!("GET {MAPS}?{ours}&limit=3"), rest, 3).await;
    for selector in [
        "labelSelector=odd%3Dtrue",
        "labelSelector=odd!%3Dtrue,odd",
        "labelSelector=!odd,odd",
        "fieldSelector=metadata.name%3Dm4",
    ] {
        pair.ok(
            &format!("GET {MAPS}?{selector}&{}", if selector.contains("field") { "limit=9" } else { "limit=5" }),
            Value::Null,
        )
        .await;
    }
}

pub async fn namespaces_end(ground: Arc<Ground>) {
    let mut pair = Pair::new(ground).await;
    pair.ok("POST /api/v1/namespaces?fieldManager=one", json!({"metadata": {"name": "OWN-ends"}})).await;
    let inside = "/api/v1/namespaces/OWN-ends/configmaps";
    let mut held = map("held", json!({}));
    held["metadata"]["finalizers"] = json!(["example.net/a"]);
    pair.ok(&format!("POST {inside}?{BY}"), held).await;
    pair.ok(&format!("POST {inside}?{BY}"), map("free", json!({}))).await;
    pair.ok("DELETE /api/v1/namespaces/OWN-ends", Value::Null).await;
    pair.refused(403, &format!("POST {inside}"), map("late", json!({}))).await;
    pair.refused(403, &format!("APPLY {inside}/late?{FORCED}"), map("late", json!({}))).await;
    pair.settles(&format!("GET {inside}/free"), |told| matches!(told, Err((404, _)))).await;
    pair.settles("GET /api/v1/namespaces/OWN-ends", Result::is_ok).await;
    pair.ok(&format!("MERGE {inside}/held?{BY}"), json!({"metadata": {"finalizers": []}})).await;
    pair.settles("GET /api/v1/namespaces/OWN-ends", |told| matches!(told, Err((404, _)))).await;
}

pub async fn owners_take_their_own_along(ground: Arc<Ground>) {
    let mut pair = Pair::new(ground).await;
    pair.ok(&format!("POST {MAPS}?{BY}"), map("owner", json!({}))).await;
    let owned = |live: &Value| {
        let mut owned = map("owned", json!({}));
        owned["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": live["metadata"]["uid"]}]);
        owned
    };
    pair.each(&format!("GET {MAPS}/owner"), &format!("POST {MAPS}?{BY}"), owned).await.unwrap();
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
    pair.ok(&format!("DELETE {MAPS}/owner"), options).await;
    pair.settles(&format!("GET {MAPS}/owned"), |told| matches!(told, Err((404, _)))).await;
    let quotas = "/api/v1/namespaces/OWN/resourcequotas";
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"pods": "5"}}});
    pair.ok(&format!("POST {quotas}?{BY}"), quota).await;
    pair.settles(&format!("GET {quotas}/q"), Result::is_ok).await;
}

pub async fn watches_tell_what_happened(ground: Arc<Ground>) {
    let mut pair = Pair::new(ground).await;
    // Of a kind that nobody else makes.
    let leases = "/apis/coordination.k8s.io/v1/namespaces/OWN/leases";
    let lease = |name: &str| json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": {"holderIdentity": "me"}});
    let since = pair.versions(leases).await;
    pair.ok(&format!("POST {leases}?{BY}"), lease("a")).await;
    pair.ok(&format!("MERGE {leases}/a?{BY}"), json!({"spec": {"holderIdentity": "you"}})).await;
    pair.ok(&format!("MERGE {leases}/a?{BY}"), json!({"spec": {"holderIdentity": "you"}})).await;
    pair.ok(&format!("POST {leases}?{BY}"), lease("b")).await;
    pair.ok(&format!("DELETE {leases}/a"), Value::Null).await;
    let events = pair.watched(leases, &since, 4).await;
    let kinds: Vec<&str> = events.iter().map(|event| event[0].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ADDED", "MODIFIED", "ADDED", "DELETED"]);
    let later = pair.versions(leases).await;
    pair.ok(&format!("DELETE {leases}/b"), Value::Null).await;
    assert_eq!(pair.watched(leases, &later, 1).await[0][0], "DELETED");
}
