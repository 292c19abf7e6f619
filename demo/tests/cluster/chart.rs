//! The life of a release: install, tenants, a killed pod, upgrade, uninstall
//! with the kinds kept, and back, by Helm and by plain YAML.

use crate::stage::{IMAGE, Stage, eventually, shipped};

const SYSTEM: &str = "hashinsight-system";
const PODS_OF_OPERATOR: [&str; 6] = ["-n", SYSTEM, "get", "pods", "-l", "app.kubernetes.io/name=hashinsight-operator"];

pub fn installed_upgraded_removed_and_back() {
    let stage = Stage::named("chart");
    installed_under_restricted_pod_security(&stage);
    tenants_become_ready(&stage);
    the_doctor_finds_nothing(&stage);
    no_connection_between_tenants(&stage);
    is_scraped(&stage);
    a_killed_leader_is_followed(&stage);
    upgraded_with_tenants_untouched(&stage);
    uninstalled_with_everything_kept(&stage);
    plain_yaml_does_the_same(&stage);
}

fn release(stage: &Stage, values: &[&str]) {
    let version = env!("CARGO_PKG_VERSION");
    for (chart, values) in [("hashinsight", values), ("hashinsight-defaults", &[])] {
        let archive = shipped(&format!("{chart}-{version}.tgz"));
        let start = ["upgrade", "--install", chart, archive.to_str().unwrap(), "--namespace", SYSTEM];
        stage.helm(&[&start, ["--wait", "--timeout=90s"].as_slice(), values].concat());
    }
}

fn installed_under_restricted_pod_security(stage: &Stage) {
    stage.apply(&format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {SYSTEM}, labels: {{pod-security.kubernetes.io/enforce: restricted}}}}\n"
    ));
    release(stage, &[]);
    let images = stage.get(&[&PODS_OF_OPERATOR[..], &["-o", "jsonpath={.items[*].spec.containers[*].image}"]].concat());
    assert_eq!(images, format!("{0} {0}", *IMAGE), "two replicas, by digest");
    assert!(IMAGE.contains("@sha256:"));
}

fn tenants_become_ready(stage: &Stage) {
    stage.get(&["apply", "-f", "examples/quickstart/tenants.yaml"]);
    stage.get(&["wait", "--for=condition=Ready", "tenants", "--all", "--timeout=60s"]);
    let names = stage.get(&["get", "tenants", "-o", "name"]);
    assert_eq!(names.lines().count(), 3, "{names}");
}

fn the_doctor_finds_nothing(stage: &Stage) {
    let told = stage.hashinsight(&["doctor", "-o", "name"]);
    assert_eq!(told.lines().filter(|line| line.ends_with("/passed")).count(), 6, "{told}");
    let status = stage.hashinsight(&["status"]);
    assert!(status.contains("are well."), "{status}");
}

/// A pod that serves on port 7000 and can be told to connect, under restricted
/// pod security.
fn pod(namespace: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: reach, namespace: {namespace}, labels: {{app: reach}}}}\n\
         spec:\n  securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}\n\
         \x20 containers:\n  - {{name: reach, image: \"localcluster.internal/reach:1\", imagePullPolicy: Never, args: [serve, \"7000\"],\n\
         \x20     securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}}}\n"
    )
}

fn no_connection_between_tenants(stage: &Stage) {
    let (acme, borealis) = ("tenant-acme", "tenant-borealis");
    let address = |namespace: &str| {
        stage.get(&["-n", namespace, "get", "pod", "reach", "-o", "jsonpath={.status.podIP}"]) + ":7000"
    };
    let reach = |from: &str, to: &str| stage.kubectl(&["-n", from, "exec", "reach", "--", "reach", to]);
    for namespace in [acme, borealis, "default"] {
        stage.apply(&pod(namespace));
        stage.get(&["-n", namespace, "wait", "--for=condition=Ready", "pod/reach", "--timeout=60s"]);
    }
    let refused = |from: &str, to: &str| {
        eventually("refused", || match reach(from, &address(to)) {
            Err(told) if told.contains("connection refused") => Ok(()),
            other => Err(format!("{from} to {to}: {other:?}")),
        });
    };
    refused(borealis, acme);
    refused("default", acme);
    // That it is the policy and not the server: acme lets everybody in, by a
    // policy of its own, and then `default` gets in while borealis may not out.
    stage.apply(&format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: open, namespace: {acme}}}\n\
         spec: {{podSelector: {{}}, policyTypes: [Ingress], ingress: [{{}}]}}\n"
    ));
    let answer = eventually("the server serves", || reach("default", &address(acme)));
    assert_eq!(answer, "reached\n");
    refused(borealis, acme);
    // Names are found from inside a tenant.
    let told = reach(borealis, "kubernetes.default.svc.cluster.local:443").unwrap_err();
    assert!(told.contains("10.96.0.1:443"), "{told}");
    stage.get(&["-n", acme, "delete", "networkpolicy", "open"]);
}

fn is_scraped(stage: &Stage) {
    let query =
        "/api/v1/namespaces/monitoring/services/prometheus:http/proxy/api/v1/query?query=hashinsight_operator_leader";
    eventually("the leader's series", || {
        let told = stage.kubectl(&["get", "--raw", query])?;
        if told.contains(SYSTEM) { Ok(()) } else { Err(told) }
    });
}

/// Somebody raises acme's quota; a working operator takes it back.
fn a_quota_is_repaired(stage: &Stage) {
    let quota = ["resourcequota", "hashinsight", "-n", "tenant-acme"];
    let patch = ["--type=merge", "-p", "{\"spec\":{\"hard\":{\"pods\":\"999\"}}}"];
    stage.get(&[&["patch"], &quota[..], &patch].concat());
    eventually("the quota comes back", || {
        let pods = stage.kubectl(&[&["get"], &quota[..], &["-o", "jsonpath={.spec.hard.pods}"]].concat())?;
        if pods == "50" { Ok(()) } else { Err(pods) }
    });
}

fn a_killed_leader_is_followed(stage: &Stage) {
    let holder = ["-n", SYSTEM, "get", "lease", "hashinsight-operator", "-o", "jsonpath={.spec.holderIdentity}"];
    let leader = stage.get(&holder);
    stage.get(&["-n", SYSTEM, "delete", "pod", &leader, "--grace-period=0", "--force"]);
    eventually("another leads", || {
        let now = stage.kubectl(&holder)?;
        if now != leader && !now.is_empty() { Ok(()) } else { Err(now) }
    });
    a_quota_is_repaired(stage);
}

/// Every object in the tenants' namespaces that is the operator's, with its
/// version.
fn versions(stage: &Stage) -> String {
    let kinds = "resourcequotas,limitranges,networkpolicies,rolebindings,tenantsummaries,pods";
    let columns = "custom-columns=KIND:.kind,NS:.metadata.namespace,NAME:.metadata.name,UID:.metadata.uid,GEN:.metadata.generation";
    let all = stage.get(&["get", kinds, "--all-namespaces", "--no-headers", "-o", columns]);
    let mut tenants: Vec<&str> = all.lines().filter(|line| line.contains(" tenant-")).collect();
    tenants.sort_unstable();
    assert!(tenants.len() > 12, "{all}");
    tenants.join("\n")
}

fn upgraded_with_tenants_untouched(stage: &Stage) {
    let before = versions(stage);
    let pods = stage.get(&[&PODS_OF_OPERATOR[..], &["-o", "name"]].concat());
    release(stage, &["--set=operator.concurrency=4"]);
    // Helm waits until the new ones are ready, not until the old ones have gone.
    eventually("new pods alone", || {
        let after = stage.kubectl(&[&PODS_OF_OPERATOR[..], &["-o", "name"]].concat())?;
        if pods.lines().any(|pod| after.contains(pod)) { Err(format!("{pods} {after}")) } else { Ok(()) }
    });
    stage.get(&["wait", "--for=condition=Ready", "tenants", "--all", "--timeout=60s"]);
    a_quota_is_repaired(stage);
    let stripped =
        |text: &str| text.lines().filter(|line| !line.contains("ResourceQuota")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(stripped(&before), stripped(&versions(stage)), "what runs in tenants is as it was");
}

fn uninstalled_with_everything_kept(stage: &Stage) {
    let before = versions(stage);
    let told = stage.helm(&["uninstall", "hashinsight", "--namespace", SYSTEM, "--wait"]);
    assert!(told.contains("kept due to the resource policy"), "Helm names what it keeps: {told}");
    let names = stage.get(&["get", "tenants", "-o", "name"]);
    assert_eq!(names.lines().count(), 3, "{names}");
    assert_eq!(before, versions(stage));
    // Helm waits until what it made has gone, not until its pods have.
    eventually("nothing runs", || {
        let left = stage.kubectl(&["-n", SYSTEM, "get", "deployments,pods", "-o", "name"])?;
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
    release(stage, &[]);
    a_quota_is_repaired(stage);
}

fn plain_yaml_does_the_same(stage: &Stage) {
    stage.helm(&["uninstall", "hashinsight", "--namespace", SYSTEM, "--wait"]);
    let file = shipped("install.yaml");
    stage.get(&["apply", "--server-side", "--force-conflicts", "-f", file.to_str().unwrap()]);
    stage.get(&["-n", SYSTEM, "rollout", "status", "deployment/hashinsight-operator", "--timeout=60s"]);
    a_quota_is_repaired(stage);
}
