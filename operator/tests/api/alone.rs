//! Tests that turn something off, each on a server of its own.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
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
    let mut stage = Stage::own(&[]).await;
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
    stage.operator = None;
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

/// Killed without warning at any moment of its work, and started again, it
/// ends where an undisturbed run ends, and a deletion is not forgotten.
pub async fn killed_again_and_again_it_still_converges(_: Arc<Stage>) {
    let mut stage = Stage::without_operator().await;
    let admin = stage.ground.admin.clone();
    let names: Vec<String> = (0..6).map(|n| format!("often-{n}")).collect();
    let member = json!({"members": [{"role": "Owner", "kind": "User", "name": "ada"}]});
    for round in 0..8_u64 {
        stage.operator = Some(stage.start("mortal", &[]));
        let operator = stage.operator();
        testkit::eventually("leading", Duration::from_secs(20), || async {
            if operator.log().contains("\"leading\"") { Ok(()) } else { Err(operator.log()) }
        })
        .await;
        match round {
            0..=5 => drop(admin.apply(tenant(&names[usize::try_from(round).unwrap()], member.clone())).await.unwrap()),
            6 => {
                // What is to be erased or retained must be there first.
                stage.reason(&names[0], "Provisioned").await;
                stage.reason(&names[1], "Provisioned").await;
                let erase = json!({"spec": {"deletionPolicy": "Erase"}});
                admin.merge(&format!("Tenant/{}", names[0]), erase).await.unwrap();
            }
            _ => {
                admin.delete(&format!("Tenant/{}", names[0])).await.unwrap();
                admin.delete(&format!("Tenant/{}", names[1])).await.unwrap();
            }
        }
        let operator = stage.operator.as_mut().unwrap();
        // A tenant takes some 100 ms; the kills fall all over that.
        tokio::time::sleep(Duration::from_millis(7 + 17 * round)).await;
        operator.signal(Signal::SIGKILL);
        assert!(operator.wait(Duration::from_secs(5)).is_some());
    }
    stage.operator = Some(stage.start("mortal", &[]));
    admin.until_gone(&format!("Tenant/{}", names[0])).await;
    assert!(admin.get(&format!("Namespace/tenant-{}", names[0])).await.unwrap().is_none());
    admin.until_gone(&format!("Tenant/{}", names[1])).await;
    let kept = admin.must(&format!("Namespace/tenant-{}", names[1])).await;
    assert_eq!(kept["metadata"]["labels"]["hashinsight.net/released"], "true");
    for name in &names[2..] {
        stage.reason(name, "Provisioned").await;
        for path in [
            "ResourceQuota/tenant-X/hashinsight",
            "NetworkPolicy/tenant-X/hashinsight",
            "RoleBinding/tenant-X/hashinsight-owner",
        ] {
            admin.until(&path.replace('X', name), |_| true).await;
        }
    }
}
