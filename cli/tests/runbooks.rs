//! The commands of every runbook: each exists, and those of pages that say so
//! are run as they stand, on a real API server with one object of each kind.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests read files")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode, Output};
use std::sync::Arc;

use futures::FutureExt;
use hashinsight_crds::text::Language;
use hashinsight_runbooks::Runbook;
use serde_json::json;
use testkit::{Body, Ground};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hashinsight");
const SYSTEM: &str = "hashinsight-system";
const THIS: &str = "cli/tests/runbooks.rs";
const INCIDENT: &str = "error-budget-burns-fast-0a1b2c3d4e-20261124t040000";

/// What stands for each place to fill in.
fn filled(command: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/examples/valid/objective.yaml");
    let mut text = command.to_owned();
    for (place, value) in [
        ("<objective>", "core-availability"),
        ("<namespace>", SYSTEM),
        ("<operator-namespace>", SYSTEM),
        ("<policy>", "production"),
        ("<incident>", INCIDENT),
        ("<note>", "looking"),
        ("<tenant>", "acme"),
        ("<tenant-namespace>", "tenant-acme"),
        ("<plan>", "standard"),
        ("<deployment>", "core"),
        ("<core>", "core"),
        ("<chart>", "hashinsight.tgz"),
        ("<url>", "http://prometheus.monitoring:9090"),
        ("<file>", &file.display().to_string()),
    ] {
        text = text.replace(place, value);
    }
    assert!(!text.contains('<'), "{text}: a place that nothing stands for");
    text
}

/// Runs a line of shell with our program and kubectl on the path.
fn shell(ground: &Ground, line: &str) -> Output {
    let folder = |program: &Path| program.parent().unwrap().to_owned();
    let kubectl = Path::new(ground.cluster.kubectl().get_program()).to_owned();
    let path: OsString =
        std::env::join_paths([folder(Path::new(PROGRAM)), folder(&kubectl), "/usr/bin".into(), "/bin".into()]).unwrap();
    Command::new("sh")
        .args(["-c", line])
        .env_clear()
        .env("PATH", path)
        .env("HOME", ground.cluster.admin_kubeconfig().parent().unwrap())
        .env("NO_PROXY", "127.0.0.1")
        .env("KUBECONFIG", ground.cluster.admin_kubeconfig())
        .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)))
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

async fn every_command_exists(ground: Arc<Ground>) {
    let mut seen = BTreeSet::new();
    for page in Runbook::ALL {
        for command in page.commands(Language::English) {
            let words: Vec<&str> = command.split(' ').collect();
            // The program's words up to the first that is an option or a place.
            let verb: Vec<&str> = match words[0] {
                "kubectl" if words[1] == "rollout" => words[..3].to_vec(),
                "hashinsight" if ["slo", "incident", "canary"].contains(&words[1]) => words[..3].to_vec(),
                "kubectl" | "hashinsight" => words[..2].to_vec(),
                "helm" => {
                    assert!(["upgrade", "install", "uninstall"].contains(&words[1]), "{command}");
                    continue;
                }
                other => panic!("{}: {other} is no program of a runbook", page.name()),
            };
            let line = format!("{} --help", verb.join(" "));
            let mut known = told(&shell(&ground, &line));
            assert!(shell(&ground, &line).status.success(), "{}: {line}", page.name());
            if words[0] == "kubectl" {
                known.push_str(&told(&shell(&ground, "kubectl options")));
            }
            for option in words.iter().filter(|word| word.starts_with('-')) {
                let option = option.split('=').next().unwrap();
                assert!(known.contains(option), "{}: {command}: no option {option}", page.name());
            }
            seen.insert(line);
        }
    }
    assert!(seen.len() > 10, "{seen:?}");
}

async fn pages_that_say_so_are_rehearsed(ground: Arc<Ground>) {
    furnish(&ground).await;
    let mut run = 0;
    for page in Runbook::ALL {
        let Some(test) = page.rehearsed() else { continue };
        assert_eq!(test, THIS, "{}: no such test", page.name());
        for command in page.commands(Language::English) {
            let output = shell(&ground, &filled(command));
            // A doctor finds fault with a server that has no operator.
            let codes: &[i32] = if command == "hashinsight doctor" { &[0, 1, 3] } else { &[0] };
            let code = output.status.code().unwrap();
            assert!(codes.contains(&code), "{}: {command}: {code}: {}", page.name(), told(&output));
            run += 1;
        }
    }
    assert!(run > 25, "{run} commands");
}

/// One object of each kind that pages speak of, with the status it would have.
async fn furnish(ground: &Ground) {
    let ours = "hashinsight.net/v1alpha1";
    let example = |file: &str| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/examples/valid").join(file);
        let mut object: serde_json::Value = serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        object["metadata"]["namespace"] = json!(SYSTEM);
        object
    };
    ground.admin.apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}})).await.unwrap();
    for (file, name) in [
        ("objective.yaml", "core-availability"),
        ("policy.yaml", "production"),
        ("incident.yaml", INCIDENT),
        ("core.yaml", "core"),
    ] {
        let mut object = example(file);
        object["metadata"]["name"] = json!(name);
        ground.admin.apply(object).await.unwrap();
    }
    let tenant = json!({
        "apiVersion": ours, "kind": "Tenant", "metadata": {"name": "acme"},
        "spec": {"displayName": "Acme", "planRef": {"name": "standard"}, "region": "us-west-2"},
    });
    ground.admin.apply(tenant).await.unwrap();
    let budget = json!({
        "asOf": "2026-11-24T04:00:00Z", "windowFrom": "2026-10-25T04:00:00Z", "totalMinutes": "21.60",
        "consumedPercent": "40.00", "remaining": "60.00 % (12.96 min)", "remainingPercent": "60.00",
        "remainingMinutes": "12.96", "coveragePercent": "99.90", "totalEvents": 1_000_000, "badEvents": 200,
        "exhaustsAt": "2026-11-24T09:00:00Z",
    });
    let status = json!({"status": {
        "observedGeneration": 1, "budget": budget, "measuredSince": "2026-10-01T00:00:00Z",
        "stage": {"name": "Normal", "since": "2026-10-01T00:00:00Z"},
        "ledger": [{"cause": "Unknown", "badEvents": 200, "consumedPercent": "40.00"}],
    }});
    let path = format!("ServiceLevelObjective/{SYSTEM}/core-availability");
    ground.admin.merge_status(&path, status).await.unwrap();
    let explained = shell(ground, "hashinsight slo explain core-availability -n hashinsight-system");
    let explained = told(&explained);
    assert!(
        explained.contains("Spent: 200 ÷ 1000000 × the time measured = 8.64 min, 40.00 % of the budget."),
        "{explained}"
    );
    assert!(explained.contains("nothing is left at 2026-11-24T09:00:00Z"), "{explained}");
    let drawn = told(&shell(ground, "hashinsight slo budget core-availability -n hashinsight-system"));
    assert!(drawn.contains("████████████████████████░░░░░░░░░░░░░░░░"), "{drawn}");
}

async fn a_person_s_word_is_put_on_record_in_their_name(ground: Arc<Ground>) {
    let object = json!({
        "apiVersion": "hashinsight.net/v1alpha1", "kind": "Incident", "metadata": {"name": "i", "namespace": "default"},
        "spec": {"alert": "A", "fingerprint": "0123456789", "service": "core", "startedAt": "2026-11-24T04:00:00Z"},
    });
    ground.admin.apply(object).await.unwrap();
    let listed = told(&shell(&ground, "hashinsight incident list -n default"));
    assert!(listed.contains("Open"), "{listed}");
    let said = shell(&ground, "hashinsight incident acknowledge i -n default --note 'on it'");
    assert!(said.status.success(), "{}", told(&said));
    let stored = ground.admin.must("Incident/default/i").await;
    let whoami = told(&shell(&ground, "kubectl auth whoami -o jsonpath='{.status.userInfo.username}'"));
    assert_eq!(stored["spec"]["acknowledged"], json!({"by": whoami, "note": "on it"}));
    let again = shell(&ground, "hashinsight incident acknowledge i -n default --note 'no, me'");
    assert_eq!(again.status.code(), Some(1), "{}", told(&again));
    let nobody = shell(&ground, "hashinsight incident resolve nothing -n default");
    assert!(
        nobody.status.code() == Some(2) && told(&nobody).contains("there is no such incident"),
        "{}",
        told(&nobody)
    );
}

async fn a_rollout_is_steered_in_a_person_s_name(ground: Arc<Ground>) {
    let core = "CalculationCore/default/core";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/examples/valid/core.yaml");
    ground.admin.apply(serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()).await.unwrap();
    let since = "2026-11-24T04:00:00Z";
    let ready = json!([{"type": "Ready", "status": "False", "reason": "CanarySoaking", "message": "step 1 of 3",
        "lastTransitionTime": since}]);
    let status = json!({"status": {
        "observedGeneration": 1, "sequence": 4, "state": {"soaking": {"since": since, "step": 1}}, "conditions": ready,
        "stable": {"revision": "aaaaaaaaaa", "image": "i"},
        "canary": {"revision": "bbbbbbbbbb", "image": "j", "weightPercent": 5},
    }});
    ground.admin.merge_status(core, status).await.unwrap();
    let standing = shell(&ground, "hashinsight canary watch core --once -n default");
    assert_eq!(standing.status.code(), Some(3), "{}", told(&standing));
    assert!(told(&standing).contains("core  soaking 1/3 for"), "{}", told(&standing));

    // The test stands in for the operator, and does what is asked once, refuses it then.
    let played = {
        let ground = Arc::clone(&ground);
        tokio::spawn(async move {
            for (status, reason) in [("True", "ActionDone"), ("False", "ActionRefused")] {
                let action = loop {
                    let all = ground.admin.list("RolloutAction", Some("default")).await.unwrap();
                    if let Some(new) = all.into_iter().find(|a| a["status"]["finishedAt"].is_null()) {
                        break new;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                };
                let name = action["metadata"]["name"].as_str().unwrap();
                let said = json!([{"type": "Succeeded", "status": status, "reason": reason, "message": "so it is",
                    "lastTransitionTime": "2026-11-24T04:00:00Z"}]);
                let over = json!({"status": {"observedGeneration": 1, "finishedAt": "2026-11-24T04:00:00Z", "conditions": said}});
                ground.admin.merge_status(&format!("RolloutAction/default/{name}"), over).await.unwrap();
            }
        })
    };
    let ask = |line: &'static str| {
        let ground = Arc::clone(&ground);
        async move { tokio::task::spawn_blocking(move || shell(&ground, line)).await.unwrap() }
    };
    let paused = ask("hashinsight canary pause core -n default --reason 'case 4711' -o name").await;
    assert!(paused.status.success(), "{}", told(&paused));
    let name = told(&paused);
    let stored = ground.admin.must(&format!("RolloutAction/default/{}", name.trim())).await;
    let whoami = told(&shell(&ground, "kubectl auth whoami -o jsonpath='{.status.userInfo.username}'"));
    assert!(name.starts_with("core-pause-"), "{name}");
    assert_eq!(
        (&stored["spec"]["requestedBy"], &stored["spec"]["revision"], &stored["spec"]["verb"]),
        (&json!(whoami), &json!("bbbbbbbbbb"), &json!("Pause"))
    );
    let refused = ask("hashinsight canary abort core -n default --reason 'case 4712' --revision 0123456789").await;
    assert_eq!(refused.status.code(), Some(1), "{}", told(&refused));
    assert!(told(&refused).contains("so it is"), "{}", told(&refused));
    played.await.unwrap();
    let nothing = ask("hashinsight canary resume nothing -n default --reason r").await;
    assert_eq!(nothing.status.code(), Some(2), "{}", told(&nothing));
}

fn main() -> ExitCode {
    let tests: [(&'static str, Body<Ground>); 4] = [
        ("every_command_exists", |ground| every_command_exists(ground).boxed()),
        ("pages_that_say_so_are_rehearsed", |ground| pages_that_say_so_are_rehearsed(ground).boxed()),
        ("a_rollout_is_steered_in_a_person_s_name", |ground| a_rollout_is_steered_in_a_person_s_name(ground).boxed()),
        ("a_person_s_word_is_put_on_record_in_their_name", |ground| {
            a_person_s_word_is_put_on_record_in_their_name(ground).boxed()
        }),
    ];
    testkit::main(|| Ground::with_kinds().boxed(), &tests)
}
