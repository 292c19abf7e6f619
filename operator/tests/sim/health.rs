//! The health contract: one fixture per kind and phase, recorded from the
//! simulated operator, judged by the tools' own code to the same verdict.
//! `RECORD=1 cargo test -p hashinsight-operator --test sim -- health` writes
//! the fixtures anew.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use hashinsight_crds::Reason;
use hashinsight_crds::health::Health;
use serde_json::{Value, json};
use testkit::fake::{FakeServer, Fault, Refusal, Verb};
use testkit::sim::{Scenario, Start, run_in};

use crate::cores;
use crate::measured::{self, PHASES};
use crate::scenarios::{PLANS, SCENARIOS, TENANTS, change, crds, create, delete, given, plan, start};

/// What a tool makes of an object, as kstatus says it.
const IN_PROGRESS: &str = "InProgress";
const CURRENT: &str = "Current";
const FAILED: &str = "Failed";
const TERMINATING: &str = "Terminating";

/// The verdict the contract in the chart's README promises, for an object
/// whose status is of its current spec.
fn promised(reason: Reason) -> &'static str {
    match reason {
        Reason::Accepted
        | Reason::Provisioned
        | Reason::Suspended
        | Reason::Evaluated
        | Reason::IncidentResolved
        | Reason::CoreServing
        | Reason::CoreWatched
        | Reason::ActionDone => CURRENT,
        Reason::Provisioning
        | Reason::Suspending
        | Reason::Releasing
        | Reason::Erasing
        | Reason::PermissionMissing
        | Reason::PartsFailed
        | Reason::NotMeasuredYet
        | Reason::SourceUnreachable
        | Reason::SourceRefused
        | Reason::IncidentOpen
        | Reason::IncidentAcknowledged
        | Reason::CanaryStarting
        | Reason::CanaryVerifying
        | Reason::CanaryShifting
        | Reason::CanarySoaking
        | Reason::CanaryPromoting
        | Reason::CanaryRollingBack
        | Reason::AnalysisHeld
        | Reason::ReleaseFrozen
        | Reason::CanaryPaused
        | Reason::CoreUnavailable => IN_PROGRESS,
        Reason::PlanMissing
        | Reason::NamespaceTaken
        | Reason::RegionChanged
        | Reason::RegionNotServed
        | Reason::Unreadable
        | Reason::SpecRefused
        | Reason::PolicyMissing
        | Reason::BucketMissing
        | Reason::SourceNotSet
        | Reason::RolledBack
        | Reason::ObjectiveUnusable
        | Reason::ActionRefused
        | Reason::ActionExpired => FAILED,
        _ => unreachable!("not a reason of any Ready"),
    }
}

/// Reasons of other conditions than Ready; and of one that passes within the
/// first evaluation.
const NOT_OF_READY: [Reason; 16] = [
    Reason::RegionServed,
    Reason::RegionUnproven,
    Reason::DataIsFresh,
    Reason::CatchingUp,
    Reason::NotMeasured,
    Reason::BudgetAvailable,
    Reason::BudgetExhausted,
    Reason::TooFewEvents,
    Reason::CoverageTooLow,
    Reason::Sound,
    Reason::Doubtful,
    Reason::PromisesKept,
    Reason::PromiseMissed,
    Reason::TrafficByWeight,
    Reason::TrafficByReplicas,
    Reason::RouteRefused,
];

fn ready(object: &Value) -> Option<Reason> {
    let conditions = object["status"]["conditions"].as_array()?;
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
    Reason::ALL.iter().copied().find(|reason| ready["reason"] == reason.as_str())
}

fn expected(object: &Value) -> &'static str {
    let seen = object["status"]["observedGeneration"] == object["metadata"]["generation"];
    match ready(object) {
        _ if !object["metadata"]["deletionTimestamp"].is_null() => TERMINATING,
        Some(reason) if seen => promised(reason),
        _ => IN_PROGRESS,
    }
}

/// Kind and phase: what tools may tell apart.
fn phase(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap().to_lowercase();
    let mut name = format!("{kind}-{}", ready(object).map_or("new".to_owned(), |r| r.as_str().to_lowercase()));
    if object["status"]["observedGeneration"] != object["metadata"]["generation"] && ready(object).is_some() {
        name.push_str("-outdated");
    }
    if !object["metadata"]["deletionTimestamp"].is_null() {
        name.push_str("-deleting");
    }
    name
}

/// What happens only here: phases that wait for a person.
const TROUBLES: [Scenario; 6] = [
    Scenario {
        name: "plan missing",
        given,
        acts: &[create, |server| {
            server.must(Verb::Delete, &format!("{PLANS}/standard"), &Value::Null);
            change(server, json!({"displayName": "Acme Mining"}));
        }],
        holds: |_| Ok(()),
    },
    Scenario {
        name: "namespace deleted",
        given,
        acts: &[create, |server| {
            let metadata = json!({"name": "held", "finalizers": ["example.net/held"]});
            let pod = json!({"metadata": metadata, "spec": {"containers": [{"name": "c", "image": "i"}]}});
            server.must(Verb::Create, "v1/tenant-acme:pods", &pod);
            server.must(Verb::Delete, "v1/namespaces/tenant-acme", &Value::Null);
        }],
        holds: |_| Ok(()),
    },
    Scenario {
        name: "region not served",
        given: |server| {
            given(server);
            let labels = json!({"topology.kubernetes.io/region": "us"});
            server.must(Verb::Create, "v1/nodes", &json!({"metadata": {"name": "n", "labels": labels}}));
        },
        acts: &[create],
        holds: |_| Ok(()),
    },
    Scenario {
        name: "region changed",
        given,
        acts: &[create, delete, |server| {
            server.must(
                Verb::Create,
                TENANTS,
                &json!({"metadata": {"name": "acme"}, "spec": {
                    "displayName": "Acme", "planRef": {"name": "standard"}, "region": "us",
                }}),
            );
        }],
        holds: |_| Ok(()),
    },
    Scenario {
        name: "unreadable",
        given,
        acts: &[
            create,
            |server| change(server, json!({"lifecycle": "Hibernating"})),
            |server| {
                let mut odd = plan(3);
                odd["metadata"]["name"] = json!("odd");
                odd["spec"]["quotas"] = json!("many");
                server.must(Verb::Create, PLANS, &odd);
            },
        ],
        holds: |_| Ok(()),
    },
    Scenario {
        name: "permission missing",
        given,
        acts: &[create, |server| {
            server.forbid("patch", "resourcequotas");
            change(server, json!({"quotas": {"pods": 9}}));
        }],
        holds: |_| Ok(()),
    },
];

/// CRDs whose spec accepts anything, as those of a later version might.
fn wide(crds: Vec<Value>) -> Vec<Value> {
    let open = |mut crd: Value| {
        let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
        *crd.pointer_mut(spec).unwrap() = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        crd
    };
    crds.into_iter().map(open).collect()
}

/// Plurals of our kinds.
const OURS: [&str; 9] = [
    "tenants",
    "tenantplans",
    "tenantsummaries",
    "servicelevelobjectives",
    "errorbudgetpolicies",
    "changenotices",
    "incidents",
    "calculationcores",
    "rolloutactions",
];

/// Everything that was ever stored of our kinds while `scenario` played.
fn stored(
    crds: &[Value],
    start: Start,
    scenario: &Scenario,
    fate: impl FnMut(usize) -> Fault + Send + 'static,
) -> Vec<Value> {
    let mut fate = fate;
    let mut world: Option<FakeServer> = None;
    run_in(crds, start, scenario, |server, _| world = Some(server.clone()), move |number, _| fate(number));
    world.unwrap().history().into_iter().filter(|c| OURS.contains(&c.plural.as_str())).map(|c| c.object).collect()
}

/// One fixture for every kind and phase: the first object that was in it.
fn recorded() -> BTreeMap<String, Value> {
    let mut all: Vec<Value> = SCENARIOS.iter().flat_map(|s| stored(&crds(), start, s, |_| Fault::None)).collect();
    all.extend(PHASES.iter().flat_map(|s| stored(&crds(), measured::start, s, |_| Fault::None)));
    all.extend(cores::PHASES.iter().flat_map(|s| stored(&crds(), cores::start, s, |_| Fault::None)));
    let strict = |s: &&Scenario| s.name != "unreadable";
    all.extend(TROUBLES.iter().filter(strict).flat_map(|s| stored(&crds(), start, s, |_| Fault::None)));
    all.extend(TROUBLES.iter().filter(|s| !strict(s)).flat_map(|s| stored(&wide(crds()), start, s, |_| Fault::None)));
    let refuse = |number| match number {
        4..8 => Fault::Refused(Refusal::new(500, "InternalError", "the store is away")),
        _ => Fault::None,
    };
    all.extend(stored(&crds(), start, &SCENARIOS[0], refuse));
    let mut fixtures = BTreeMap::new();
    for mut object in all {
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.retain(|key, _| {
            ["name", "namespace", "generation", "deletionTimestamp", "finalizers"].contains(&key.as_str())
        });
        let fixture = json!({"verdict": expected(&object), "object": object});
        fixtures.entry(phase(&object)).or_insert(fixture);
    }
    fixtures
}

fn fixtures_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/health.yaml")
}

/// The blocks of YAML in the chart's README: for Flux, and for Argo CD.
fn snippets() -> [Value; 2] {
    let readme = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../charts/hashinsight/README.md");
    let text = std::fs::read_to_string(readme).unwrap();
    let blocks: Vec<Value> = text
        .split("```yaml\n")
        .skip(1)
        .map(|rest| serde_saphyr::from_str(rest.split("```").next().unwrap()).unwrap())
        .collect();
    blocks.try_into().unwrap()
}

fn oracles(fixtures: &BTreeMap<String, Value>) -> Vec<Value> {
    let [flux, argo] = snippets();
    let customizations: Value =
        serde_saphyr::from_str(argo["data"]["resource.customizations"].as_str().unwrap()).unwrap();
    let items: Vec<&Value> = fixtures.values().map(|fixture| &fixture["object"]).collect();
    let input = json!({
        "lua": customizations["hashinsight.net/*"]["health.lua"],
        "flux": flux["healthCheckExprs"],
        "items": items,
    });
    let health = localcluster::fetch_gitops().unwrap().health;
    let mut child = Command::new(health).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_tool_comes_to_the_same_verdict_of_health() {
    let recorded = recorded();
    let text = format!(
        "# Recorded by RECORD=1 cargo test -p hashinsight-operator --test sim -- health; do not edit.\n{}",
        serde_saphyr::to_string(&recorded).unwrap()
    );
    if std::env::var_os("RECORD").is_some() {
        std::fs::write(fixtures_file(), &text).unwrap();
    }
    let committed = std::fs::read_to_string(fixtures_file()).unwrap_or_default();
    assert!(committed == text, "the fixtures are not what the operator writes; record them anew");
    for &reason in Reason::ALL {
        let wanted = !NOT_OF_READY.contains(&reason);
        let found = recorded.values().any(|fixture| ready(&fixture["object"]) == Some(reason));
        assert_eq!(found, wanted, "{reason}");
    }
    for ((name, fixture), said) in recorded.iter().zip(oracles(&recorded)) {
        let expected = fixture["verdict"].as_str().unwrap();
        assert_eq!(said["kstatus"], expected, "{name}: kstatus");
        let (flux, argo) = match expected {
            TERMINATING | IN_PROGRESS => (IN_PROGRESS, "Progressing"),
            CURRENT => (CURRENT, "Healthy"),
            _ => (FAILED, "Degraded"),
        };
        assert_eq!(said["flux"], flux, "{name}: Flux");
        assert_eq!(said["argo"], argo, "{name}: Argo CD");
        let own = match Health::of(&fixture["object"]) {
            Health::Stalled => FAILED,
            Health::Ready => CURRENT,
            Health::Working => IN_PROGRESS,
        };
        assert_eq!(own, flux, "{name}: our own");
        if let Some(reason) = ready(&fixture["object"]) {
            let outdated = name.contains("outdated");
            let told = said["message"].as_str().unwrap().starts_with(reason.as_str());
            assert!(told || outdated, "{name}: {}", said["message"]);
        }
    }
}
