//! The charts: linted and rendered by a real Helm, every manifest accepted by a
//! real API server in strict validation, and misspelt values refused by name.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests read files and run programs")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use localcluster::{Cluster, fetch_helm, fetch_monitoring_kinds};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn helm(arguments: &[&str]) -> Output {
    Command::new(fetch_helm().unwrap()).args(arguments).current_dir(root()).output().unwrap()
}

fn rendered(chart: &str, values: &[&str]) -> Result<String, String> {
    let start =
        ["template", "hashinsight", chart, "--namespace=default", "--kube-version=1.37.0", "--set-string=image.tag=1"];
    let output = helm(&[&start, values].concat());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn refused(chart: &str, values: &[&str]) -> String {
    rendered(chart, values).err().unwrap_or_else(|| panic!("{values:?} was accepted"))
}

const OPERATOR: &str = "charts/hashinsight";
const DEFAULTS: &str = "charts/hashinsight-defaults";

#[test]
fn helm_finds_nothing_to_complain_about() {
    for chart in [OPERATOR, DEFAULTS] {
        let output = helm(&["lint", "--strict", "--set-string=image.tag=1", chart]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn every_manifest_is_valid_with_every_toggle() {
    let cluster = Cluster::start().unwrap();
    let apply = |file: &Path, more: &[&str]| {
        let mut kubectl = cluster.kubectl();
        let output = kubectl.args(["apply", "--server-side", "-f"]).arg(file).args(more).output().unwrap();
        assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let monitors = fetch_monitoring_kinds().unwrap().join("monitoring.coreos.com_servicemonitors.yaml");
    for kinds in [root().join("crds/yaml"), monitors] {
        apply(&kinds, &[]);
    }
    let established = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"];
    assert!(cluster.kubectl().args(established).output().unwrap().status.success());
    let toggles: [(&str, &[&str]); 5] = [
        (OPERATOR, &[]),
        (OPERATOR, &["--set=serviceMonitor.enabled=true,serviceMonitor.labels.release=prometheus"]),
        (
            OPERATOR,
            &["--set=crds.enabled=false,podDisruptionBudget.enabled=false,networkPolicy.enabled=false,replicas=1"],
        ),
        (
            OPERATOR,
            &[
                "--set=operator.regions={a,b},operator.otlpEndpoint=http://c:4318,networkPolicy.otlpPorts={4318}",
                "--set=image.pullSecrets[0].name=s,priorityClassName=system-cluster-critical,podLabels.team=x",
                "--set=nodeSelector.disk=ssd,tolerations[0].operator=Exists",
            ],
        ),
        (DEFAULTS, &[]),
    ];
    for (number, (chart, values)) in toggles.into_iter().enumerate() {
        let file = cluster.folder().join(format!("{number}.yaml"));
        let manifests = rendered(chart, values).unwrap();
        fs::write(&file, &manifests).unwrap();
        let told = apply(&file, &["--dry-run=server", "--validate=strict", "--force-conflicts"]);
        let kinds = manifests.lines().filter(|line| line.starts_with("kind: ")).count();
        assert_eq!(told.lines().count(), kinds, "{told}");
    }
}

#[test]
fn toggles_do_what_they_say() {
    let has = |values: &[&str], kind: &str| {
        rendered(OPERATOR, values).unwrap().lines().any(|line| line == format!("kind: {kind}"))
    };
    for (kind, on, off) in [
        ("CustomResourceDefinition", "crds.enabled=true", "crds.enabled=false"),
        ("PodDisruptionBudget", "replicas=2", "replicas=1"),
        ("PodDisruptionBudget", "podDisruptionBudget.enabled=true", "podDisruptionBudget.enabled=false"),
        ("NetworkPolicy", "networkPolicy.enabled=true", "networkPolicy.enabled=false"),
        ("ServiceMonitor", "serviceMonitor.enabled=true", "serviceMonitor.enabled=false"),
    ] {
        assert!(has(&["--set", on], kind), "{kind} with {on}");
        assert!(!has(&["--set", off], kind), "{kind} with {off}");
    }
    let kept =
        |value: &str| rendered(OPERATOR, &["--set", value]).unwrap().matches("helm.sh/resource-policy: keep").count();
    assert_eq!((kept("crds.keep=true"), kept("crds.keep=false")), (9, 0));
}

#[test]
fn the_image_is_asked_for_by_digest_when_there_is_one() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let by_digest = rendered(OPERATOR, &[&format!("--set=image.digest={digest}")]).unwrap();
    assert!(by_digest.contains(&format!("image: \"hashinsight.net/operator@{digest}\"")), "{by_digest}");
    let neither = refused(OPERATOR, &["--set-string=image.tag="]);
    assert!(neither.contains("image.digest is not set") && neither.contains("make dist"), "{neither}");
}

#[test]
fn what_is_wrong_with_values_or_cluster_is_said() {
    for (chart, values, told) in [
        (OPERATOR, "image.digset=x", "at '/image': additional properties 'digset' not allowed"),
        (OPERATOR, "operator.concurency=3", "at '/operator': additional properties 'concurency' not allowed"),
        (OPERATOR, "operator.concurrency=99", "at '/operator/concurrency'"),
        (OPERATOR, "crds.keep=maybe", "at '/crds/keep'"),
        (OPERATOR, "operator.logFormat=xml", "value must be one of 'json', 'text'"),
        (DEFAULTS, "plans.standard.spec.quotas.minners=5", "additional properties 'minners' not allowed"),
        (DEFAULTS, "plans.standard.spec.quotas.sites=0", "at '/plans/standard/spec/quotas/sites'"),
    ] {
        let error = refused(chart, &["--set", values]);
        assert!(error.contains(told), "{values}: {error}");
    }
    assert!(rendered(OPERATOR, &["--set=unused=x"]).is_ok(), "a values file may be shared between charts");
    let old = refused(OPERATOR, &["--kube-version=1.35.0"]);
    assert!(old.contains(">=1.36.0"), "{old}");
}

#[test]
fn the_default_plans_are_those_of_the_quickstart() {
    let specs = |text: &str| {
        let mut plans: Vec<serde_json::Value> = text
            .split("\n---\n")
            .filter(|document| document.contains("kind: TenantPlan"))
            .map(|document| serde_saphyr::from_str::<serde_json::Value>(document.trim_start_matches("---\n")).unwrap())
            .map(|plan| serde_json::json!([plan["metadata"]["name"], plan["spec"]]))
            .collect();
        plans.sort_by_key(ToString::to_string);
        plans
    };
    let quickstart = fs::read_to_string(root().join("examples/quickstart/plans.yaml")).unwrap();
    let (ours, theirs) = (specs(&rendered(DEFAULTS, &[]).unwrap()), specs(&quickstart));
    assert_eq!(ours.len(), 2);
    assert_eq!(ours, theirs);
}

#[test]
fn the_default_objectives_come_when_asked_for() {
    let documents = |values: &[&str]| -> Vec<serde_json::Value> {
        let text = rendered(DEFAULTS, values).unwrap();
        let all =
            text.split("\n---\n").map(|document| serde_saphyr::from_str(document.trim_start_matches("---\n")).unwrap());
        all.collect()
    };
    let of = |all: &[serde_json::Value], kind: &str| all.iter().filter(|object| object["kind"] == kind).count();
    let plain = documents(&[]);
    assert_eq!((of(&plain, "ServiceLevelObjective"), of(&plain, "ErrorBudgetPolicy")), (0, 1));
    let all = documents(&["--set=objectivesEnabled=true"]);
    assert_eq!(of(&all, "ServiceLevelObjective"), 3);
}
