//! Retain keeps content without access; Erase leaves nothing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use testkit::eventually;

use crate::stage::{Stage, condition, config_map, message};

pub async fn a_retained_tenant_is_taken_up_again(stage: Arc<Stage>) {
    let spec = json!({"members": [{"role": "Owner", "kind": "User", "name": "ada@kept.example"}]});
    let first = stage.tenant("kept", spec.clone(), "Provisioned").await;
    let admin = stage.admin();
    admin.create(config_map("tenant-kept", "precious")).await.unwrap();
    let before = admin.must("Namespace/tenant-kept").await;

    admin.delete("Tenant/kept").await.unwrap();
    admin.until_gone("Tenant/kept").await;
    let released = admin.must("Namespace/tenant-kept").await;
    assert_eq!(released["metadata"]["labels"]["hashinsight.net/released"], "true");
    assert!(released["metadata"]["annotations"]["hashinsight.net/claimed-by"].is_null());
    assert!(released["metadata"]["annotations"]["hashinsight.net/released-at"].is_string());
    assert!(admin.list("RoleBinding", Some("tenant-kept")).await.unwrap().is_empty(), "no access");
    assert!(admin.get("TenantSummary/tenant-kept/summary").await.unwrap().is_none());
    admin.must("ConfigMap/tenant-kept/precious").await;
    admin.must("NetworkPolicy/tenant-kept/hashinsight").await;

    let second = stage.tenant("kept", spec, "Provisioned").await;
    assert_ne!(second["metadata"]["uid"], first["metadata"]["uid"]);
    assert_eq!(second["status"]["id"], first["status"]["id"], "keys, roles and prefixes exist under it");
    let taken = admin.must("Namespace/tenant-kept").await;
    assert_eq!(taken["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(taken["metadata"]["annotations"]["hashinsight.net/claimed-by"], second["metadata"]["uid"]);
    assert!(taken["metadata"]["labels"]["hashinsight.net/released"].is_null());
    assert!(taken["metadata"]["annotations"]["hashinsight.net/released-at"].is_null());
    admin.must("ConfigMap/tenant-kept/precious").await;
    admin.until("RoleBinding/tenant-kept/hashinsight-owner", |_| true).await;
}

pub async fn an_erased_tenant_leaves_nothing(stage: Arc<Stage>) {
    stage.tenant("gone", json!({"deletionPolicy": "Erase"}), "Provisioned").await;
    let admin = stage.admin();
    admin.create(config_map("tenant-gone", "precious")).await.unwrap();
    admin.delete("Tenant/gone").await.unwrap();
    admin.until_gone("Tenant/gone").await;
    assert!(admin.get("Namespace/tenant-gone").await.unwrap().is_none());
    let metrics = stage.operator().get("/metrics").unwrap().1;
    assert!(!metrics.contains("tenant-gone"), "no object name becomes a label");
}

pub async fn an_erasure_names_what_holds_it_up(stage: Arc<Stage>) {
    stage.tenant("stuck", json!({"deletionPolicy": "Erase"}), "Provisioned").await;
    let admin = stage.admin();
    let mut held = config_map("tenant-stuck", "held");
    held["metadata"]["finalizers"] = json!(["example.com/keep"]);
    admin.create(held).await.unwrap();
    admin.delete("Tenant/stuck").await.unwrap();
    let tenant = eventually("the cause", Duration::from_secs(40), || async {
        let tenant = admin.must("Tenant/stuck").await;
        if message(&tenant).contains("example.com/keep") { Ok(tenant) } else { Err(tenant["status"].to_string()) }
    })
    .await;
    assert_eq!(condition(&tenant, "Ready")["reason"], "Erasing");
    assert!(tenant["status"]["state"]["erasing"]["since"].is_string(), "on record before the first effect");
    assert!(admin.list("RoleBinding", Some("tenant-stuck")).await.unwrap().is_empty(), "access ended first");
    // Too late to change one's mind: what has begun to go is not kept.
    admin.merge("Tenant/stuck", json!({"spec": {"deletionPolicy": "Retain"}})).await.unwrap();
    admin.merge("ConfigMap/tenant-stuck/held", json!({"metadata": {"finalizers": null}})).await.unwrap();
    admin.until_gone("Tenant/stuck").await;
    assert!(admin.get("Namespace/tenant-stuck").await.unwrap().is_none());
}

pub async fn a_retained_region_cannot_change(stage: Arc<Stage>) {
    stage.tenant("moved", json!({}), "Provisioned").await;
    let admin = stage.admin();
    admin.delete("Tenant/moved").await.unwrap();
    admin.until_gone("Tenant/moved").await;
    let before = admin.must("Namespace/tenant-moved").await;
    let tenant = stage.tenant("moved", json!({"region": "eu-west-1"}), "RegionChanged").await;
    assert!(message(&tenant).contains("holds data of region us-west-2"), "{}", message(&tenant));
    assert_eq!(
        admin.must("Namespace/tenant-moved").await["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
}

/// After a restore from a backup the Tenant has another uid than its namespace
/// remembers: a person decides, with the command the status prints.
pub async fn a_restored_tenant_takes_up_its_namespace_by_the_printed_command(stage: Arc<Stage>) {
    let admin = stage.admin();
    let id = "t0123456789abcdef0123";
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {
            "name": "tenant-restored",
            "labels": {"hashinsight.net/tenant": "restored", "hashinsight.net/tenant-id": id, "hashinsight.net/region": "us-west-2"},
            "annotations": {"hashinsight.net/claimed-by": "a-uid-before-the-restore"},
        },
    });
    admin.create(namespace).await.unwrap();
    let taken = stage.tenant("restored", json!({}), "NamespaceTaken").await;
    assert!(taken["status"]["id"].is_null(), "the namespace may still bring one");
    let told = message(&taken);
    let command = told.split("taken up: ").nth(1).unwrap();
    let status = stage.ground.cluster.point(std::process::Command::new("sh")).args(["-ec", command]).status().unwrap();
    assert!(status.success(), "{command}");
    let restored = stage.reason("restored", "Provisioned").await;
    assert_eq!(restored["status"]["id"], id);
    assert_eq!(admin.must("Namespace/tenant-restored").await["metadata"]["labels"]["hashinsight.net/tenant-id"], id);
}
