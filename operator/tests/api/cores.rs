//! Calculation cores on a real API server with kube-controller-manager. There
//! is no node: the test stands in for the kubelet, which makes pods ready unless
//! their image says `never`, and for the gateway, which takes every route.

use std::sync::Arc;
use std::time::Duration;

use localcluster::fetch_gateway_kinds;
use serde_json::{Value, json};

use crate::objectives::until;
use crate::stage::{OPERATOR_USER, SYSTEM, Stage, condition, message};

const DIGEST: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const LABEL: &str = "hashinsight.net/core";

fn path(kind: &str, name: &str) -> String {
    format!("{kind}/{SYSTEM}/{name}")
}

fn image(name: &str) -> String {
    format!("registry.example/{name}@sha256:{DIGEST}")
}

fn core() -> Value {
    json!({
        "apiVersion": "hashinsight.net/v1alpha1", "kind": "CalculationCore",
        "metadata": {"name": "core", "namespace": SYSTEM},
        "spec": {
            "image": image("one"), "config": {"maxBatchMiners": 1000},
            "replicas": {"minimum": 2, "maximum": 4, "targetCpuPercent": 60},
            "route": {"parentRefs": [{"name": "edge"}], "matches": [{"pathPrefix": "/v1"}]},
            "rollout": {
                "steps": [{"weightPercent": 10, "holdSeconds": 1}, {"weightPercent": 50, "holdSeconds": 1}],
                "progressDeadlineSeconds": 30, "watchSeconds": 2, "goldenSamples": "Skip",
            },
        },
    })
}

/// Makes pods ready and takes routes, for ever.
async fn stand_in(stage: Arc<Stage>) {
    loop {
        for pod in stage.admin().list("Pod", Some(SYSTEM)).await.unwrap_or_default() {
            let name = pod["metadata"]["name"].as_str().unwrap();
            let never = pod["spec"]["containers"][0]["image"].to_string().contains("never");
            let ready = condition(&pod, "Ready")["status"] == "True";
            if pod["metadata"]["labels"][LABEL].is_null() || never || ready {
                continue;
            }
            let conditions = ["Ready", "ContainersReady"].map(|type_| json!({"type": type_, "status": "True"}));
            let status = json!({"phase": "Running", "podIP": "10.0.0.1", "conditions": conditions});
            // It may be gone by now.
            let _ = stage.admin().merge_status(&path("Pod", name), json!({"status": status})).await;
        }
        if let Ok(Some(route)) = stage.admin().get(&path("HTTPRoute", "core")).await {
            let generation = &route["metadata"]["generation"];
            if route["status"]["parents"][0]["conditions"][0]["observedGeneration"] != *generation {
                let conditions = ["Accepted", "ResolvedRefs"].map(|type_| {
                    json!({"type": type_, "status": "True", "reason": type_, "message": "", "observedGeneration": generation,
                        "lastTransitionTime": "2026-01-01T00:00:00Z"})
                });
                let parent = json!({"parentRef": {"name": "edge"}, "controllerName": "test.example/gateway", "conditions": conditions});
                let status = json!({"status": {"parents": [parent]}});
                let _ = stage.admin().merge_status(&path("HTTPRoute", "core"), status).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn says(object: &Value, status: &str, reason: &str) -> bool {
    let ready = condition(object, "Ready");
    let seen = object["status"]["observedGeneration"] == object["metadata"]["generation"];
    seen && ready["status"] == status && ready["reason"] == reason
}

async fn stands(stage: &Stage, what: &str, status: &str, reason: &str) -> Value {
    until(stage, &path("CalculationCore", "core"), what, |object| says(object, status, reason)).await
}

async fn release(stage: &Stage, name: &str) {
    stage.admin().merge(&path("CalculationCore", "core"), json!({"spec": {"image": image(name)}})).await.unwrap();
}

fn weights(route: &Value) -> Vec<(String, i64)> {
    let backends = route["spec"]["rules"][0]["backendRefs"].as_array().cloned().unwrap_or_default();
    backends.iter().map(|b| (b["name"].as_str().unwrap().to_owned(), b["weight"].as_i64().unwrap())).collect()
}

fn revision_of(core: &Value) -> String {
    format!("core-{}", core["status"]["stable"]["revision"].as_str().unwrap())
}

pub async fn a_core_is_rolled_out_taken_back_and_repaired(_: Arc<Stage>) {
    let mut own = Stage::without_operator().await;
    let kind = fetch_gateway_kinds().unwrap().join("gateway.networking.k8s.io_httproutes.yaml");
    own.ground.kubectl(&["apply", "--server-side", "-f", kind.to_str().unwrap()]);
    own.operator = Some(own.start("cores", &[]));
    let stage = Arc::new(own);
    let standing_in = tokio::spawn(stand_in(Arc::clone(&stage)));

    // The first version: everything it is made of, and nothing that names a tag.
    stage.admin().apply(core()).await.unwrap();
    let first = stands(&stage, "the first version serves", "True", "CoreServing").await;
    let one = revision_of(&first);
    assert_eq!(condition(&first, "Routed")["reason"], "TrafficByWeight");
    for kind in ["Deployment", "ConfigMap", "Service", "ControllerRevision"] {
        stage.admin().must(&path(kind, &one)).await;
    }
    for kind in ["Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"] {
        stage.admin().must(&path(kind, "core")).await;
    }
    let route = path("HTTPRoute", "core");
    assert_eq!(weights(&stage.admin().must(&route).await), [(one.clone(), 100)]);
    let mut tagged = core();
    tagged["spec"]["image"] = json!("registry.example/core:1");
    let refused = stage.admin().apply(tagged).await.unwrap_err().to_string();
    assert!(refused.contains("image must name a digest"), "{refused}");

    // The second takes its place, by way of both steps and the control.
    release(&stage, "two").await;
    stands(&stage, "it is watched", "True", "CoreWatched").await;
    let second = stands(&stage, "the second version serves", "True", "CoreServing").await;
    let two = revision_of(&second);
    assert_ne!(one, two);
    until(&stage, &path("Deployment", &one), "the first is gone", Value::is_null).await;
    until(&stage, &route, "all traffic", |route| weights(route) == [(two.clone(), 100)]).await;

    // What somebody did by hand is undone.
    let elsewhere = json!([{"backendRefs": [{"name": "elsewhere", "port": 80, "weight": 100}]}]);
    stage.admin().merge(&route, json!({"spec": {"rules": elsewhere}})).await.unwrap();
    until(&stage, &route, "the route is put back", |route| weights(route) == [(two.clone(), 100)]).await;
    stage.admin().delete(&path("ConfigMap", &two)).await.unwrap();
    until(&stage, &path("ConfigMap", &two), "the settings are put back", |map| map["data"].is_object()).await;

    what_never_starts_is_taken_back(&stage, &two).await;
    let three = people_steer_what_they_may(&stage).await;

    // Without a route, and without growing: those objects go.
    let less = json!({"spec": {"route": null, "replicas": {"targetCpuPercent": null}}});
    stage.admin().merge(&path("CalculationCore", "core"), less).await.unwrap();
    until(&stage, &route, "no route is left", Value::is_null).await;
    until(&stage, &path("HorizontalPodAutoscaler", "core"), "no autoscaler is left", Value::is_null).await;
    until(&stage, &path("CalculationCore", "core"), "it says so", |object| {
        condition(object, "Routed")["reason"] == "TrafficByReplicas"
    })
    .await;

    a_thief_makes_no_pod_that_sees_a_secret(&stage, &three).await;

    // Status is the operator's, and the kind lives in its namespace alone.
    let ann = stage.ground.as_user("ann", &["system:authenticated"]).await;
    let forged = json!({"status": {"sequence": 99}});
    assert!(ann.merge_status(&path("CalculationCore", "core"), forged).await.is_err());
    let mut outside = core();
    outside["metadata"]["namespace"] = json!("default");
    let refused = stage.admin().apply(outside).await.unwrap_err().to_string();
    assert!(refused.contains(SYSTEM), "{refused}");
    standing_in.abort();
    let _ = standing_in.await;
}

async fn what_never_starts_is_taken_back(stage: &Stage, serving: &str) {
    // One that never starts is taken back, and asked for again it stays away.
    release(stage, "never").await;
    let failed = stands(stage, "it is taken back", "False", "RolledBack").await;
    assert_eq!(failed["status"]["quarantined"][0]["reason"], "ProgressDeadlineExceeded");
    assert_eq!(
        (revision_of(&failed), condition(&failed, "Stalled")["status"].as_str()),
        (serving.to_owned(), Some("True"))
    );
    assert!(message(&failed).contains("apply another one"), "{}", message(&failed));
    release(stage, "two").await;
    stands(stage, "back at what serves", "True", "CoreServing").await;
    release(stage, "never").await;
    stands(stage, "it is not tried again", "False", "RolledBack").await;
    assert_eq!(weights(&stage.admin().must(&path("HTTPRoute", "core")).await), [(serving.to_owned(), 100)]);
    release(stage, "two").await;
}

fn action(name: &str, verb: &str, revision: &Value, by: &str) -> Value {
    let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10);
    json!({
        "apiVersion": "hashinsight.net/v1alpha1", "kind": "RolloutAction", "metadata": {"name": name, "namespace": SYSTEM},
        "spec": {"coreRef": {"name": "core"}, "revision": revision, "verb": verb, "reason": "support case 4711",
            "requestedBy": by, "expiresAt": expires.to_string()},
    })
}

async fn bind(stage: &Stage, user: &str, role: &str) {
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": user, "namespace": SYSTEM},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
    });
    stage.admin().apply(binding).await.unwrap();
}

/// Returns what serves in the end.
async fn people_steer_what_they_may(stage: &Stage) -> String {
    let core = path("CalculationCore", "core");
    stands(stage, "all is as it was", "True", "CoreServing").await;
    let slow = json!([{"weightPercent": 10, "holdSeconds": 3600}]);
    let change = json!({"spec": {"image": image("three"), "rollout": {"steps": slow}}});
    stage.admin().merge(&core, change).await.unwrap();
    let soaking = stands(stage, "a step that takes an hour", "False", "CanarySoaking").await;
    let revision = &soaking["status"]["canary"]["revision"];

    // Whoever may make actions still needs the verb, and their own name.
    let maker = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "makes-actions"},
        "rules": [{"apiGroups": ["hashinsight.net"], "resources": ["rolloutactions"], "verbs": ["create"]}],
    });
    stage.admin().apply(maker).await.unwrap();
    bind(stage, "bob", "makes-actions").await;
    bind(stage, "ada", "hashinsight-rollouts").await;
    let [bob, ada] = ["bob", "ada"].map(|name| (name, ["system:authenticated"]));
    let (bob, ada) = (stage.ground.as_user(bob.0, &bob.1).await, stage.ground.as_user(ada.0, &ada.1).await);
    let mut tomorrow = action("later", "Abort", revision, "ada");
    tomorrow["spec"]["expiresAt"] = json!((jiff::Timestamp::now() + jiff::SignedDuration::from_hours(30)).to_string());
    for (who, what, word) in [
        (&bob, action("no-verb", "Abort", revision, "bob"), "needs a verb of its own"),
        (&ada, action("borrowed", "Abort", revision, "bob"), "your own user name"),
        (&ada, tomorrow, "within a day"),
    ] {
        let refused = who.create(what).await.unwrap_err().to_string();
        assert!(refused.contains(word), "{word}: {refused}");
    }

    for (name, verb, status, reason) in [
        ("pause", "Pause", "False", "CanaryPaused"),
        ("resume", "Resume", "False", "CanarySoaking"),
        ("abort", "Abort", "False", "RolledBack"),
        ("retry", "Retry", "False", "CanarySoaking"),
        ("promote", "Promote", "True", "CoreServing"),
    ] {
        ada.create(action(name, verb, revision, "ada")).await.unwrap();
        stands(stage, name, status, reason).await;
        // The core's record comes first; the action is told of afterwards.
        let done = |action: &Value| condition(action, "Succeeded")["reason"] == "ActionDone";
        until(stage, &path("RolloutAction", name), "it is done", done).await;
    }
    // None is done a second time, and none is for another revision.
    ada.create(action("other", "Abort", &json!("0123456789"), "ada")).await.unwrap();
    let other = path("RolloutAction", "other");
    let refused = until(stage, &other, "it is refused", |o| o["status"]["finishedAt"].is_string()).await;
    assert_eq!(condition(&refused, "Ready")["reason"], "ActionRefused");
    // What is over is kept, but not for ever.
    for number in 0..20 {
        ada.create(action(&format!("more-{number}"), "Resume", revision, "ada")).await.unwrap();
    }
    testkit::eventually("twenty are kept", Duration::from_secs(30), || async {
        let all = stage.admin().list("RolloutAction", Some(SYSTEM)).await.unwrap_or_default();
        let over = all.iter().filter(|action| action["status"]["finishedAt"].is_string()).count();
        if over == 20 && all.len() == 20 { Ok(()) } else { Err(format!("{over} of {}", all.len())) }
    })
    .await;
    let changed = json!({"spec": {"verb": "Abort"}});
    let refused = stage.admin().merge(&path("RolloutAction", "more-19"), changed).await.unwrap_err().to_string();
    assert!(refused.contains("does not change"), "{refused}");
    let serving = stands(stage, "the third version serves", "True", "CoreServing").await;
    assert_eq!(serving["status"]["canary"], Value::Null);
    revision_of(&serving)
}

async fn a_thief_makes_no_pod_that_sees_a_secret(stage: &Stage, serving: &str) {
    // Who has the operator's token makes no pod that sees a Secret or acts as
    // somebody, and touches no network policy but a core's.
    let thief = stage.ground.as_user(OPERATOR_USER, &["system:serviceaccounts"]).await;
    let deployment = stage.admin().must(&path("Deployment", serving)).await;
    let escapes = [
        ("/spec/template/spec/volumes/0", json!({"name": "config", "secret": {"secretName": "any"}}), "no Secret"),
        ("/spec/template/spec/automountServiceAccountToken", json!(true), "no token"),
        ("/spec/template/spec/containers/0/image", json!("any:latest"), "by digest"),
        ("/metadata/labels", json!({}), "no other"),
    ];
    for (field, value, word) in escapes {
        let mut stolen = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": deployment["spec"],
            "metadata": {"name": "stolen", "namespace": SYSTEM, "labels": deployment["metadata"]["labels"]}});
        *stolen.pointer_mut(field).unwrap() = value;
        let refused = thief.create(stolen).await.unwrap_err().to_string();
        assert!(refused.contains(word), "{word}: {refused}");
    }
    let open = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "open", "namespace": SYSTEM}, "spec": {"podSelector": {}, "ingress": [{}]}});
    let refused = thief.create(open).await.unwrap_err().to_string();
    assert!(refused.contains("network policies of cores"), "{refused}");
}
