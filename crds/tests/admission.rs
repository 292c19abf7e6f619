//! Every CRD and every example on a real API server: what is valid is
//! accepted, what is not is refused with the field and the rule.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests read files and clocks")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use serde_json::{Value, json};
use testkit::{Body, Ground, eventually};

fn main() -> ExitCode {
    let tests: [(&str, Body<Ground>); 4] = [
        ("valid_examples_are_accepted", |g| valid_examples_are_accepted(g).boxed()),
        ("invalid_examples_are_refused_with_field_and_rule", |g| invalid_examples_are_refused(g).boxed()),
        ("every_rule_has_an_invalid_example", |g| every_rule_has_an_invalid_example(g).boxed()),
        ("a_fresh_object_is_not_current_and_reads_well", |g| a_fresh_object_reads_well(g).boxed()),
    ];
    testkit::main(|| Ground::with_kinds().boxed(), &tests)
}

fn examples(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
        .into_iter()
        .map(|f| (f.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(f).unwrap()))
        .collect()
}

fn parse(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

fn comment<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(&format!("# {key}: ")))
}

async fn valid_examples_are_accepted(ground: Arc<Ground>) {
    for (name, text) in examples("valid") {
        let stored = ground.admin.apply(parse(&text)).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(stored["status"]["observedGeneration"], -1, "{name}");
    }
}

/// `kubectl apply` as a user types it: `Err` is what it prints.
fn kubectl_apply(ground: &Ground, example: &str) -> Result<(), String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example);
    let output = ground.cluster.kubectl().args(["apply", "-f"]).arg(file).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8(output.stderr).unwrap()) }
}

async fn invalid_examples_are_refused(ground: Arc<Ground>) {
    let mut wrong = Vec::new();
    for (name, text) in examples("invalid") {
        let expected = comment(&text, "refused").unwrap_or_else(|| panic!("{name} does not say why it is refused"));
        if let Some(before) = comment(&text, "after") {
            kubectl_apply(&ground, before).unwrap();
        }
        match kubectl_apply(&ground, &format!("invalid/{name}")) {
            Ok(()) => wrong.push(format!("{name}: accepted")),
            Err(told) if told.contains(expected) => {}
            Err(told) => wrong.push(format!("{name}: expected {expected:?}, got {told}")),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn messages(schema: &Value, into: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            for rule in map.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten() {
                into.insert(rule["message"].as_str().unwrap().to_owned());
            }
            map.values().for_each(|value| messages(value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| messages(value, into)),
        _ => {}
    }
}

async fn every_rule_has_an_invalid_example(_: Arc<Ground>) {
    let mut rules = BTreeSet::new();
    for crd in hashinsight_crds::schema::all().unwrap() {
        messages(&json!(crd), &mut rules);
    }
    assert!(rules.len() >= 8, "{rules:?}");
    let refusals: Vec<String> =
        examples("invalid").iter().map(|(_, text)| comment(text, "refused").unwrap().to_owned()).collect();
    let bare: Vec<&String> =
        rules.iter().filter(|rule| !refusals.iter().any(|refusal| rule.starts_with(refusal.as_str()))).collect();
    assert!(bare.is_empty(), "rules without an invalid example: {bare:?}");
}

async fn a_fresh_object_reads_well(ground: Arc<Ground>) {
    let tenant = json!({
        "apiVersion": "hashinsight.net/v1alpha1", "kind": "Tenant", "metadata": {"name": "fresh"},
        "spec": {"displayName": "Fresh", "planRef": {"name": "p"}, "region": "eu"},
    });
    let stored = ground.admin.apply(tenant).await.unwrap();
    assert_eq!(stored["spec"]["lifecycle"], "Active");
    assert_eq!(stored["spec"]["deletionPolicy"], "Retain");
    let table = ground.kubectl(&["get", "tnt", "fresh"]);
    assert_eq!(
        table.lines().next().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["NAME", "READY", "REASON", "PLAN", "MINERS", "AGE"]
    );
    let by_field = ground.kubectl(&["get", "tenants", "--field-selector", "spec.planRef.name=p", "-o", "name"]);
    assert_eq!(by_field.trim(), "tenant.hashinsight.net/fresh");
    let all = ground.kubectl(&["get", "hashinsight", "-o", "name"]);
    assert!(all.contains("fresh"), "{all}");
    eventually("kubectl explain", Duration::from_secs(20), || async {
        let output = ground.cluster.kubectl().args(["explain", "tenant.spec.members.role"]).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        if told.contains("What it may do.") { Ok(()) } else { Err(told) }
    })
    .await;
}
