//! What a tenant goes through while it lives.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Objects, eventually, stays};

use crate::stage::{SYSTEM, Stage, condition, config_map, message, plan, pod};

pub async fn a_tenant_becomes_ready_with_all_its_parts(stage: Arc<Stage>) {
    let spec = json!({
        "quotas": {"miners": 1500},
        "members": [
            {"role": "Owner", "kind": "User", "name": "ada@whole.example"},
            {"role": "Operations", "kind": "Group", "name": "whole-ops"},
            {"role": "Finance", "kind": "User", "name": "fin@whole.example"},
            {"role": "Investor", "kind": "User", "name": "inv@whole.example"},
        ],
    });
    let tenant = stage.tenant("whole", spec, "Provisioned").await;
    let admin = stage.admin();
    assert_eq!(condition(&tenant, "Ready")["status"], "True");
    assert!(condition(&tenant, "Stalled").is_null() && condition(&tenant, "Reconciling").is_null());
    assert_eq!(condition(&tenant, "RegionProven")["status"], "Unknown", "no node can prove it");
    assert_eq!(tenant["status"]["namespace"], "tenant-whole");
    assert_eq!(tenant["status"]["quotas"]["miners"], 1500, "the override wins");
    assert_eq!(tenant["status"]["quotas"]["sites"], 2, "the plan fills the rest");
    assert!(tenant["status"]["state"]["active"]["since"].is_string());
    let id = tenant["status"]["id"].as_str().unwrap();
    assert!(id.starts_with('t') && id.len() == 21, "{id}");

    let namespace = admin.must("Namespace/tenant-whole").await;
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    assert_eq!(namespace["metadata"]["labels"]["hashinsight.net/tenant-id"], id);
    assert!(namespace["metadata"]["ownerReferences"].is_null(), "nothing may be collected out of order");

    let quota = admin.must("ResourceQuota/tenant-whole/hashinsight").await;
    assert_eq!(quota["spec"]["hard"]["pods"], "20");
    assert_eq!(quota["spec"]["hard"]["count/sitegateways.hashinsight.net"], "2");
    let policy = admin.must("NetworkPolicy/tenant-whole/hashinsight").await;
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    assert!(policy["spec"]["ingress"].is_null(), "nothing comes in");
    assert_eq!(
        policy.pointer("/spec/egress/1/to/0/namespaceSelector/matchLabels/kubernetes.io~1metadata.name"),
        Some(&json!(SYSTEM))
    );
    admin.must("LimitRange/tenant-whole/hashinsight").await;
    for role in ["owner", "operations", "finance", "investor"] {
        let binding = admin.must(&format!("RoleBinding/tenant-whole/hashinsight-{role}")).await;
        assert_eq!(binding["roleRef"]["name"], format!("hashinsight-tenant-{role}"));
        assert_eq!(binding["subjects"].as_array().unwrap().len(), 1);
    }
    let summary =
        admin.until("TenantSummary/tenant-whole/summary", |s| condition(s, "Ready")["status"] == "True").await;
    assert_eq!(summary["status"]["plan"], "standard");
    assert_eq!(summary["status"]["response"]["respondMinutes"], 60);
    assert_eq!(summary["status"]["id"], id);

    let table = stage.ground.kubectl(&["get", "tenants", "whole"]);
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "READY", "REASON", "PLAN", "MINERS", "AGE"]);
    assert_eq!(lines[1][..5], ["whole", "True", "Provisioned", "standard", "1500"]);
    stage.ground.kubectl(&["wait", "--for=condition=Ready", "tenant/whole", "--timeout=5s"]);
    let events = stage.ground.kubectl(&[
        "get",
        "events",
        "-n",
        "default",
        "-o",
        "custom-columns=R:.reason,N:.regarding.name,I:.involvedObject.name",
    ]);
    assert!(events.lines().any(|line| line.contains("Provisioned") && line.contains("whole")), "{events}");
    // A pod that keeps to the restricted level is admitted, with the defaults.
    let made = admin.create(pod("tenant-whole", "fits")).await.unwrap();
    assert_eq!(made.pointer("/spec/containers/0/resources/limits/memory"), Some(&json!("512Mi")));
    let mut privileged = pod("tenant-whole", "privileged");
    privileged["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    let refusal = admin.create(privileged).await.unwrap_err().to_string();
    assert!(refusal.contains("restricted"), "{refusal}");
}

async fn can_read(user: &Objects, path: &str) -> bool {
    user.get(path).await.is_ok()
}

pub async fn people_get_access_and_lose_it_in_seconds(stage: Arc<Stage>) {
    let member = |role: &str, name: &str| json!({"role": role, "kind": "User", "name": name});
    let both = json!({"members": [member("Owner", "ada@people.example"), member("Investor", "ivo@people.example")]});
    stage.tenant("people", both, "Provisioned").await;
    stage.tenant("neighbour", json!({}), "Provisioned").await;
    let ada = stage.ground.as_user("ada@people.example", &[]).await;
    let ivo = stage.ground.as_user("ivo@people.example", &[]).await;
    let summary = "TenantSummary/tenant-people/summary";
    eventually("access", Duration::from_secs(5), || async {
        if can_read(&ada, summary).await && can_read(&ivo, summary).await { Ok(()) } else { Err("not yet".into()) }
    })
    .await;
    assert!(can_read(&ada, "ResourceQuota/tenant-people/hashinsight").await, "owners read their quota");
    assert!(!can_read(&ivo, "ResourceQuota/tenant-people/hashinsight").await, "investors do not");
    assert!(!can_read(&ada, "Tenant/people").await, "tenants never read Tenants");
    assert!(!can_read(&ada, "TenantSummary/tenant-neighbour/summary").await, "nor their neighbours");
    assert!(
        ada.merge("ResourceQuota/tenant-people/hashinsight", json!({"spec": {"hard": {"pods": "99"}}})).await.is_err()
    );
    assert!(ada.merge_status(summary, json!({"status": {"plan": "premium"}})).await.is_err());

    stage.tenant("people", json!({"members": [member("Owner", "ada@people.example")]}), "Provisioned").await;
    eventually("loss of access", Duration::from_secs(3), || async {
        if can_read(&ivo, summary).await { Err("still reads".into()) } else { Ok(()) }
    })
    .await;
    assert!(can_read(&ada, summary).await, "the others keep theirs");
    assert!(stage.admin().get("RoleBinding/tenant-people/hashinsight-investor").await.unwrap().is_none());
}

pub async fn a_plan_that_comes_later_or_changes_is_followed(stage: Arc<Stage>) {
    let blocked = stage.tenant("early", json!({"planRef": {"name": "later"}}), "PlanMissing").await;
    assert_eq!(condition(&blocked, "Ready")["status"], "False");
    assert_eq!(condition(&blocked, "Stalled")["status"], "True");
    assert!(message(&blocked).contains("TenantPlan later does not exist"), "{}", message(&blocked));
    assert!(stage.admin().get("Namespace/tenant-early").await.unwrap().is_none(), "nothing half-made");

    stage.admin().apply(plan("later", 7)).await.unwrap();
    let tenant = stage.reason("early", "Provisioned").await;
    assert_eq!(tenant["status"]["quotas"]["miners"], 7);

    let mut bigger = plan("later", 8);
    bigger["spec"]["quotas"]["pods"] = json!(33);
    stage.admin().apply(bigger).await.unwrap();
    stage.admin().until("ResourceQuota/tenant-early/hashinsight", |q| q["spec"]["hard"]["pods"] == "33").await;
    stage.admin().until("Tenant/early", |t| t["status"]["quotas"]["miners"] == 8).await;

    stage.admin().delete("TenantPlan/later").await.unwrap();
    let kept = stage.reason("early", "PlanMissing").await;
    assert_eq!(kept["status"]["quotas"]["pods"], 33, "what it had stays in force");
    assert!(kept["status"]["state"]["active"].is_object());
    stage
        .admin()
        .merge("ResourceQuota/tenant-early/hashinsight", json!({"spec": {"hard": {"pods": "1"}}}))
        .await
        .unwrap();
    stage.admin().until("ResourceQuota/tenant-early/hashinsight", |q| q["spec"]["hard"]["pods"] == "33").await;
}

pub async fn a_suspended_tenant_runs_no_pod_and_keeps_its_objects(stage: Arc<Stage>) {
    stage.tenant("sleepy", json!({}), "Provisioned").await;
    let admin = stage.admin();
    admin.create(config_map("tenant-sleepy", "precious")).await.unwrap();
    for name in ["one", "two"] {
        admin.create(pod("tenant-sleepy", name)).await.unwrap();
    }
    let tenant = stage.tenant("sleepy", json!({"lifecycle": "Suspended"}), "Suspended").await;
    assert_eq!(condition(&tenant, "Ready")["status"], "True");
    assert!(tenant["status"]["state"]["suspended"]["since"].is_string());
    let told =
        |s: &Value| s["status"]["state"] == tenant["status"]["state"] && condition(s, "Ready")["reason"] == "Suspended";
    admin.until("TenantSummary/tenant-sleepy/summary", told).await;
    assert!(admin.list("Pod", Some("tenant-sleepy")).await.unwrap().is_empty());
    assert!(admin.create(pod("tenant-sleepy", "three")).await.is_err(), "no new pod is admitted");
    assert_eq!(admin.must("ConfigMap/tenant-sleepy/precious").await["data"]["kept"], "yes");

    let tenant = stage.tenant("sleepy", json!({"lifecycle": "Active"}), "Provisioned").await;
    assert!(tenant["status"]["state"]["active"].is_object());
    eventually("a pod after resuming", Duration::from_secs(10), || async {
        admin.create(pod("tenant-sleepy", "four")).await.map_err(|e| e.to_string())
    })
    .await;
}

pub async fn use_of_the_quota_is_shown_to_the_tenant(stage: Arc<Stage>) {
    stage.tenant("busy", json!({}), "Provisioned").await;
    let admin = stage.admin();
    let shown = |pods: &'static str| move |s: &Value| s["status"]["used"]["pods"] == pods;
    let summary = admin.until("TenantSummary/tenant-busy/summary", shown("0")).await;
    assert!(summary["status"]["used"]["readAt"].is_string());
    admin.create(pod("tenant-busy", "one")).await.unwrap();
    admin.until("ResourceQuota/tenant-busy/hashinsight", |q| q["status"]["used"]["pods"] == "1").await;
    // Fresh figures wait for their minute: the summary is no meter.
    stays("the figures of this minute", Duration::from_secs(2), || async {
        let now = admin.must("TenantSummary/tenant-busy/summary").await;
        if now["status"]["used"] == summary["status"]["used"] { Ok(()) } else { Err(now["status"].to_string()) }
    })
    .await;
    let past = json!({"status": {"used": {"readAt": "2020-01-01T00:00:00Z"}}});
    admin.merge_status("TenantSummary/tenant-busy/summary", past).await.unwrap();
    admin.until("TenantSummary/tenant-busy/summary", shown("1")).await;
}

pub async fn a_namespace_of_somebody_else_is_never_touched(stage: Arc<Stage>) {
    let admin = stage.admin();
    let foreign = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tenant-taken", "labels": {"team": "other"}}});
    let before = admin.create(foreign).await.unwrap();
    let tenant = stage.tenant("taken", json!({}), "NamespaceTaken").await;
    assert_eq!(condition(&tenant, "Ready")["status"], "False");
    assert_eq!(condition(&tenant, "Stalled")["status"], "True");
    assert!(message(&tenant).contains("kubectl delete namespace tenant-taken"), "{}", message(&tenant));
    assert!(tenant["status"]["namespace"].is_null());
    let after = admin.must("Namespace/tenant-taken").await;
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"], "not even a label");
    assert!(admin.list("ResourceQuota", Some("tenant-taken")).await.unwrap().is_empty(), "nothing half-made");
    assert!(admin.list("RoleBinding", Some("tenant-taken")).await.unwrap().is_empty());

    // Deleting the tenant leaves the stranger alone; freeing the name heals.
    admin.delete("Tenant/taken").await.unwrap();
    admin.until_gone("Tenant/taken").await;
    assert_eq!(
        admin.must("Namespace/tenant-taken").await["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
    stage.tenant("taken", json!({}), "NamespaceTaken").await;
    admin.delete("Namespace/tenant-taken").await.unwrap();
    stage.reason("taken", "Provisioned").await;
}
