//! What the cluster around the tenants says.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::stage::{Stage, condition, message};

fn node(name: &str, region: Option<&str>) -> Value {
    let mut node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {}}});
    if let Some(region) = region {
        node["metadata"]["labels"]["topology.kubernetes.io/region"] = json!(region);
    }
    node
}

pub async fn regions_are_proven_by_nodes_and_configuration(_: Arc<Stage>) {
    let stage = Stage::own(&["--region", "us-west-2", "--region", "eu-west-1"]).await;
    let admin = stage.admin();
    let proven = |status: &'static str| move |t: &Value| condition(t, "RegionProven")["status"] == status;
    stage.tenant("placed", json!({}), "Provisioned").await;
    admin.until("Tenant/placed", proven("Unknown")).await;
    admin.create(node("n1", Some("us-west-2"))).await.unwrap();
    admin.until("Tenant/placed", proven("True")).await;
    admin.create(node("n2", None)).await.unwrap();
    admin.until("Tenant/placed", proven("Unknown")).await;
    stage.reason("placed", "Provisioned").await;
    admin.delete("Node/n1").await.unwrap();
    admin.delete("Node/n2").await.unwrap();
    admin.create(node("n3", Some("eu-west-1"))).await.unwrap();
    admin.until("Tenant/placed", proven("False")).await;
    let placed = stage.reason("placed", "RegionNotServed").await;
    assert!(message(&placed).contains("no node lies in us-west-2"), "{}", message(&placed));
    admin.must("ResourceQuota/tenant-placed/hashinsight").await;

    let away = stage.tenant("away", json!({"region": "ap-south-1"}), "RegionNotServed").await;
    assert!(message(&away).contains("the operator serves eu-west-1, us-west-2"), "{}", message(&away));
    assert!(admin.get("Namespace/tenant-away").await.unwrap().is_none(), "nothing is placed where it may not be");
}
