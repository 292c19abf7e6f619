//! Tests that turn something off, each on a server of its own.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::{OPERATOR_USER, Stage, condition, message, tenant};

/// Rules of the operator's ClusterRole without `verb` on `resource`.
async fn withdraw(stage: &Stage, resource: &str, verb: &str) -> Value {
    let role = stage.admin().must("ClusterRole/hashinsight-operator").await;
    let mut rules = role["rules"].clone();
    for rule in rules.as_array_mut().unwrap() {
        if rule["resources"] == json!([resource]) {
            rule["verbs"].as_array_mut().unwrap().retain(|v| v != verb);
        }
    }
    rules.as_array_mut().unwrap().retain(|rule| rule["verbs"] != json!([]));
    stage.admin().merge("ClusterRole/hashinsight-operator", json!({"rules": rules})).await.unwrap();
    role["rules"].clone()
}

pub async fn a_missing_permission_is_named_and_heals_by_itself(_: Arc<Stage>) {
    let stage = Stage::own(&[]).await;
    let rules = withdraw(&stage, "limitranges", "patch").await;
    let poor = stage.tenant("poor", json!({}), "PermissionMissing").await;
    assert_eq!(condition(&poor, "Ready")["status"], "False");
    assert_eq!(condition(&poor, "Reconciling")["status"], "True");
    assert!(message(&poor).contains("limits: may not patch limitranges.core"), "{}", message(&poor));
    for path in [
        "ResourceQuota/tenant-poor/hashinsight",
        "NetworkPolicy/tenant-poor/hashinsight",
        "TenantSummary/tenant-poor/summary",
    ] {
        stage.admin().until(path, |_| true).await;
    }
    let log = stage.operator().log();
    assert!(log.contains("cannot apply limitranges"), "the log names verb and resource: {log}");
    assert!(log.contains("\"class\":\"forbidden\""));
    stage.admin().merge("ClusterRole/hashinsight-operator", json!({"rules": rules})).await.unwrap();
    stage.reason("poor", "Provisioned").await;
    stage.admin().must("LimitRange/tenant-poor/hashinsight").await;

    // The summary is told of last; a refusal there must not make Ready flap.
    let rules = withdraw(&stage, "tenantsummaries/status", "patch").await;
    let mute = stage.tenant("mute", json!({}), "PermissionMissing").await;
    assert!(message(&mute).contains("summary: may not patch tenantsummaries.hashinsight.net"), "{}", message(&mute));
    testkit::stays("the status", Duration::from_secs(3), || async {
        let now = stage.admin().must("Tenant/mute").await;
        if now["metadata"]["resourceVersion"] == mute["metadata"]["resourceVersion"] {
            Ok(())
        } else {
            Err(now.to_string())
        }
    })
    .await;
    stage.admin().merge("ClusterRole/hashinsight-operator", json!({"rules": rules})).await.unwrap();
    stage.reason("mute", "Provisioned").await;

    // Without the right to hold a Tenant nothing begins, and it is told.
    let rules = withdraw(&stage, "tenants", "patch").await;
    let held = stage.tenant("held", json!({}), "PermissionMissing").await;
    assert!(message(&held).contains("may not patch tenants.hashinsight.net"), "{}", message(&held));
    assert!(stage.admin().get("Namespace/tenant-held").await.unwrap().is_none());
    stage.admin().merge("ClusterRole/hashinsight-operator", json!({"rules": rules})).await.unwrap();
    stage.reason("held", "Provisioned").await;
}

pub async fn a_watch_that_was_refused_at_start_heals(_: Arc<Stage>) {
    let mut stage = Stage::without_operator().await;
    let rules = withdraw(&stage, "networkpolicies", "list").await;
    stage.operator = Some(stage.start("blind", &[]));
    let blind = stage.tenant("blind", json!({}), "PermissionMissing").await;
    assert!(
        message(&blind).contains("may not list and watch networkpolicies.networking.k8s.io"),
        "{}",
        message(&blind)
    );
    stage.admin().must("ResourceQuota/tenant-blind/hashinsight").await;
    assert!(stage.admin().get("NetworkPolicy/tenant-blind/hashinsight").await.unwrap().is_none());
    let (code, body) = stage.operator().get("/readyz").unwrap();
    assert_eq!(code, 503);
    assert!(body.contains("networkpolicies"), "{body}");
    stage.admin().merge("ClusterRole/hashinsight-operator", json!({"rules": rules})).await.unwrap();
    stage.reason("blind", "Provisioned").await;
    stage.admin().must("NetworkPolicy/tenant-blind/hashinsight").await;
    assert_eq!(stage.operator().get("/readyz").unwrap().0, 200);
}

pub async fn an_unreadable_object_blocks_nobody_else(_: Arc<Stage>) {
    let stage = Stage::without_operator().await;
    // An object stored under a looser schema than the one we compiled.
    let crd = "CustomResourceDefinition/tenants.hashinsight.net";
    let strict = stage.admin().must(crd).await;
    let mut loose = strict.clone();
    let schema = loose.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap();
    *schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    loose["spec"]["versions"][0]["selectableFields"] = Value::Null;
    let object = json!({"spec": {"versions": loose["spec"]["versions"]}});
    stage.admin().merge(crd, object).await.unwrap();
    let odd = json!({"apiVersion": "hashinsight.net/v1alpha1", "kind": "Tenant", "metadata": {"name": "odd"}, "spec": {"members": "everybody"}});
    testkit::eventually("the loose schema", Duration::from_secs(10), || async {
        stage.admin().create(odd.clone()).await.map_err(|e| e.to_string())
    })
    .await;
    let mut stage = stage;
    stage.operator = Some(stage.start("reader", &[]));
    stage.tenant("plain", json!({}), "Provisioned").await;
    let odd = stage.reason("odd", "Unreadable").await;
    assert_eq!(condition(&odd, "Stalled")["status"], "True");
    assert!(message(&odd).contains("cannot read the object"), "{}", message(&odd));
    let version = odd["metadata"]["resourceVersion"].clone();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(stage.admin().must("Tenant/odd").await["metadata"]["resourceVersion"], version, "said once");
    stage.admin().delete("Tenant/odd").await.unwrap();
    stage.admin().until_gone("Tenant/odd").await;
}

pub async fn in_steady_state_the_operator_calls_for_its_lease_alone(_: Arc<Stage>) {
    let stage = Stage::own(&[]).await;
    for name in ["still-a", "still-b", "still-c"] {
        stage
            .admin()
            .apply(tenant(name, json!({"members": [{"role": "Owner", "kind": "User", "name": "ada"}]})))
            .await
            .unwrap();
    }
    for name in ["still-a", "still-b", "still-c"] {
        stage.reason(name, "Provisioned").await;
        stage
            .admin()
            .until(&format!("TenantSummary/tenant-{name}/summary"), |s| s["status"]["used"]["pods"] == "0")
            .await;
        stage.quiet(name).await;
    }
    let writes = |calls: &[(String, String, String, String)], name: &str| {
        let of = |resource: &str| {
            calls
                .iter()
                .filter(|(verb, r, n, ns)| {
                    verb == "patch" && r == resource && (n == name || *ns == format!("tenant-{name}"))
                })
                .count()
        };
        (of("tenants"), of("tenantsummaries"), of("resourcequotas"))
    };
    let before = stage.ground.audited(OPERATOR_USER);
    // One finalizer and one status; one summary and its first figures.
    let (tenants, summaries, quotas) = writes(&before, "still-a");
    assert_eq!((tenants, quotas), (2, 1), "{before:?}");
    assert!(summaries <= 3, "{before:?}");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let after = stage.ground.audited(OPERATOR_USER);
    let more: Vec<_> =
        after[before.len()..].iter().filter(|(verb, resource, ..)| resource != "leases" && verb != "watch").collect();
    assert!(more.is_empty(), "{more:?}");
    assert!(after.len() > before.len(), "the lease is renewed, so the log is live");

    // A restart reads everything again and has nothing to write.
    drop(stage.operator);
    let stage = Stage { operator: None, ground: stage.ground };
    let count = stage.ground.audited(OPERATOR_USER).len();
    let again = stage.start("again", &[]);
    testkit::eventually("leading", Duration::from_secs(30), || async {
        let (_, metrics) = again.get("/metrics").ok_or("no answer")?;
        let reconciled = metrics.lines().any(|l| l.starts_with("hashinsight_operator_tenants{state=\"active\"} 3"));
        if reconciled { Ok(()) } else { Err(metrics) }
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let calls = stage.ground.audited(OPERATOR_USER);
    let wrote: Vec<_> = calls[count..]
        .iter()
        .filter(|(verb, resource, ..)| resource != "leases" && !["get", "list", "watch"].contains(&verb.as_str()))
        .collect();
    assert!(wrote.is_empty(), "{wrote:?}");
}
