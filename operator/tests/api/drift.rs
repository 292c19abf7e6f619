//! What is changed by hand comes back; what is not ours stays.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::stays;

use crate::stage::Stage;

const PARTS: [&str; 5] = [
    "ResourceQuota/tenant-drift/hashinsight",
    "LimitRange/tenant-drift/hashinsight",
    "NetworkPolicy/tenant-drift/hashinsight",
    "RoleBinding/tenant-drift/hashinsight-owner",
    "TenantSummary/tenant-drift/summary",
];

/// What of an object we own; versions and times aside.
fn owned(object: &Value) -> Value {
    let labels = &object["metadata"]["labels"];
    json!([
        labels,
        object["spec"],
        object["roleRef"],
        object["subjects"],
        object["status"]["conditions"],
        object["status"]["plan"]
    ])
}

pub async fn every_owned_field_and_object_comes_back(stage: Arc<Stage>) {
    let ada = json!({"members": [{"role": "Owner", "kind": "User", "name": "ada@drift.example"}]});
    stage.tenant("drift", ada, "Provisioned").await;
    let admin = stage.admin();
    let tenant = admin.must("Tenant/drift").await;
    let repairs =
        || stage.operator().get("/metrics").unwrap().1.lines().filter(|l| l.contains("repairs_total{")).count();
    for path in PARTS {
        admin.until(path, |_| true).await;
    }
    stage.quiet("drift").await;

    for path in PARTS {
        let before = owned(&admin.must(path).await);
        admin.delete(path).await.unwrap();
        admin.until(path, |now| owned(now) == before).await;
        let label = json!({"metadata": {"labels": {"hashinsight.net/tenant-id": "forged", "app.kubernetes.io/managed-by": null}}});
        admin.merge(path, label).await.unwrap();
        admin.until(path, |now| owned(now) == before).await;
    }
    let changes = [
        (PARTS[0], json!({"spec": {"hard": {"pods": "999", "requests.cpu": "64"}}})),
        (PARTS[0], json!({"spec": {"hard": {"services.nodeports": null}}})),
        (PARTS[1], json!({"spec": {"limits": [{"type": "Container", "default": {"cpu": "64"}}]}})),
        (PARTS[2], json!({"spec": {"policyTypes": ["Ingress"], "ingress": [{}]}})),
        (PARTS[2], json!({"spec": {"egress": [{}]}})),
        (
            PARTS[3],
            json!({"subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated"}]}),
        ),
    ];
    for (path, change) in changes {
        let before = owned(&admin.must(path).await);
        admin.merge(path, change).await.unwrap();
        admin.until(path, |now| owned(now) == before).await;
    }
    assert!(repairs() >= 4, "repairs are counted by kind");

    admin.merge_status(PARTS[4], json!({"status": {"plan": "forged"}})).await.unwrap();
    admin.until(PARTS[4], |now| now["status"]["plan"] == "standard").await;
    admin
        .merge_status("Tenant/drift", json!({"status": {"id": "t00000000000000000000", "namespace": "kube-system"}}))
        .await
        .unwrap();
    admin
        .until("Tenant/drift", |now| {
            now["status"]["namespace"] == "tenant-drift" && now["status"]["id"] == tenant["status"]["id"]
        })
        .await;
    stage.quiet("drift").await;
    assert_eq!(admin.must("Tenant/drift").await["spec"], tenant["spec"], "the spec is the user's");
}

pub async fn marks_of_ownership_repair_each_other(stage: Arc<Stage>) {
    let tenant = stage.tenant("marked", json!({}), "Provisioned").await;
    let admin = stage.admin();
    let whole = |tenant: Value| {
        move |namespace: &Value| {
            namespace.pointer("/metadata/annotations/hashinsight.net~1claimed-by") == Some(&tenant["metadata"]["uid"])
                && namespace.pointer("/metadata/labels/hashinsight.net~1tenant-id") == Some(&tenant["status"]["id"])
                && namespace.pointer("/metadata/labels/pod-security.kubernetes.io~1enforce")
                    == Some(&json!("restricted"))
                && namespace.pointer("/metadata/labels/hashinsight.net~1region") == Some(&json!("us-west-2"))
        }
    };
    for change in [
        json!({"annotations": {"hashinsight.net/claimed-by": null}}),
        json!({"annotations": {"hashinsight.net/claimed-by": "somebody-else"}}),
        json!({"labels": {"hashinsight.net/tenant-id": "forged"}}),
        json!({"labels": {"hashinsight.net/tenant": null, "app.kubernetes.io/managed-by": null, "hashinsight.net/region": null}}),
        json!({"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}),
        json!({"labels": {"hashinsight.net/region": "eu-forged-1"}}),
    ] {
        admin.merge("Namespace/tenant-marked", json!({"metadata": change})).await.unwrap();
        admin.until("Namespace/tenant-marked", whole(tenant.clone())).await;
    }
    // Somebody deletes the namespace whole.
    admin.delete("Namespace/tenant-marked").await.unwrap();
    let old = admin.get("Namespace/tenant-marked").await.unwrap().map(|ns| ns["metadata"]["uid"].clone());
    admin
        .until("Namespace/tenant-marked", |ns| Some(ns["metadata"]["uid"].clone()) != old && whole(tenant.clone())(ns))
        .await;
    let again = stage.reason("marked", "Provisioned").await;
    assert_eq!(again["status"]["id"], tenant["status"]["id"], "identity outlives the namespace");
    stage.admin().until("ResourceQuota/tenant-marked/hashinsight", |_| true).await;
}

pub async fn what_the_customer_added_is_left_alone(stage: Arc<Stage>) {
    stage.tenant("custom", json!({}), "Provisioned").await;
    let admin = stage.admin();
    let quota = "ResourceQuota/tenant-custom/hashinsight";
    let added = json!({"metadata": {"labels": {"team": "blue"}}, "spec": {"hard": {"secrets": "5"}}});
    let theirs = admin.merge(quota, added).await.unwrap();
    let own = json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "theirs", "namespace": "tenant-custom", "labels": {"app.kubernetes.io/managed-by": "hashinsight-operator"}},
        "spec": {"hard": {"pods": "3"}},
    });
    let other = admin.create(own).await.unwrap();
    stays("what the customer added", Duration::from_secs(3), || async {
        let quota = admin.must(quota).await;
        if quota["metadata"]["labels"]["team"] != "blue" || quota["spec"]["hard"]["secrets"] != "5" {
            return Err(quota.to_string());
        }
        admin.must("ResourceQuota/tenant-custom/theirs").await;
        Ok(())
    })
    .await;
    assert_eq!(theirs["spec"]["hard"]["secrets"], "5");
    assert_eq!(other["metadata"]["name"], "theirs");
}

/// A binding's role and a quota's scopes cannot be changed, but the whole
/// object can be swapped while no operator looks.
pub async fn what_was_swapped_while_nobody_looked_is_replaced(_: Arc<Stage>) {
    let mut stage = Stage::own(&[]).await;
    let ada = json!({"members": [{"role": "Owner", "kind": "User", "name": "ada@drift.example"}]});
    stage.tenant("drift", ada, "Provisioned").await;
    stage.quiet("drift").await;
    stage.operator = None;
    let admin = stage.ground.admin.clone();
    let mut before = Vec::new();
    for (path, change) in [
        (PARTS[0], json!({"spec": {"hard": {"pods": "20"}, "scopes": ["BestEffort"]}})),
        (
            PARTS[3],
            json!({"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}}),
        ),
    ] {
        let mut object = admin.must(path).await;
        before.push((path, owned(&object)));
        admin.delete(path).await.unwrap();
        let meta = &object["metadata"];
        // Without our labels, so that only the name tells whose it is.
        object["metadata"] = json!({"name": meta["name"], "namespace": meta["namespace"]});
        object.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        admin.create(object).await.unwrap();
    }
    let mut access = admin.must(PARTS[3]).await;
    access["metadata"] = json!({"name": "hashinsight-finance", "namespace": "tenant-drift"});
    admin.create(access).await.unwrap();
    stage.operator = Some(stage.start("late", &[]));
    admin.until_gone("RoleBinding/tenant-drift/hashinsight-finance").await;
    for (path, owned_before) in before {
        admin.until(path, |now| owned(now) == owned_before).await;
    }
}
