//! Rollouts of the calculation core in the simulation: whole ones and ones that
//! are taken back, crashed at every write. Pods are the fake cluster's; what they
//! answer and what is counted of them is simulated, by what their image is called.

mod actions;
mod scenarios;
mod weather;
mod world;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::fake::{Event, FakeServer, Fault, Verb};
use testkit::sim::{Outcome, Position, Scenario, run};

use crate::measured::OBJECTIVES;
use crate::scenarios::crds;
use scenarios::SCENARIOS;
pub use world::start;
use world::{AWAY, SERVER};

const CORES: &str = "hashinsight.net/v1alpha1/hashinsight-system:calculationcores";
const CORE: &str = "calculationcores hashinsight-system/core";
const ROUTE: &str = "httproutes hashinsight-system/core";
const GATEWAY: &str = "apiextensions.k8s.io/v1/customresourcedefinitions";
const DIGEST: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn bare(server: &FakeServer) {
    AWAY.set(false);
    SERVER.set(Some(server.clone()));
    server.must(Verb::Create, "v1/namespaces", &json!({"metadata": {"name": "hashinsight-system"}}));
    let spec = json!({
        "service": "core", "objectivePercent": "99", "window": {"rollingDays": 1},
        "indicator": {"events": {"metric": "m", "totalSelector": "job=\"core\"", "badSelector": "job=\"core\",code=\"500\""}},
    });
    server.must(Verb::Create, OBJECTIVES, &json!({"metadata": {"name": "availability"}, "spec": spec}));
}

fn given(server: &FakeServer) {
    bare(server);
    server.must(Verb::Create, GATEWAY, &json!({"metadata": {"name": "httproutes.gateway.networking.k8s.io"}}));
}

fn image(name: &str) -> String {
    format!("registry.example/{name}@sha256:{DIGEST}")
}

fn spec(name: &str) -> Value {
    json!({
        "image": image(name), "config": {"maxBatchMiners": 1000}, "replicas": {"minimum": 2, "maximum": 4, "targetCpuPercent": 60},
        "route": {"parentRefs": [{"name": "edge"}]},
        "rollout": {
            "steps": [{"weightPercent": 10, "holdSeconds": 15}, {"weightPercent": 50, "holdSeconds": 15}],
            "progressDeadlineSeconds": 30, "watchSeconds": 15,
            "analysis": {"objectiveRefs": [{"name": "availability"}], "noDataDeadlineSeconds": 30},
        },
    })
}

fn create(server: &FakeServer) {
    server.must(Verb::Create, CORES, &json!({"metadata": {"name": "core"}, "spec": spec("one")}));
}

fn change(server: &FakeServer, change: &Value) {
    server.must(Verb::Merge, &format!("{CORES}/core"), &json!({"spec": change}));
}

fn release(server: &FakeServer, name: &str) {
    change(server, &json!({"image": image(name)}));
}

fn core(server: &FakeServer) -> Value {
    server.objects().get(CORE).cloned().unwrap_or_default()
}

/// The core says so, that image serves alone, and nothing is left of others.
fn serves(server: &FakeServer, name: &str, ready: &str, reason: &str) -> Result<(), String> {
    let (core, objects) = (core(server), server.objects());
    let conditions = core["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let said = conditions.iter().find(|condition| condition["type"] == "Ready").cloned().unwrap_or_default();
    if said["status"] != ready || said["reason"] != reason {
        return Err(format!("Ready: {said}; {}", core["status"]));
    }
    let stable = &core["status"]["stable"];
    if stable["image"] != image(name) {
        return Err(format!("stable {stable}"));
    }
    let alone = format!("core-{}", stable["revision"].as_str().unwrap_or_default());
    let of = |plural: &str| -> Vec<String> {
        let mine = objects.keys().filter_map(|key| key.strip_prefix(&format!("{plural} hashinsight-system/")));
        mine.map(str::to_owned).collect()
    };
    if of("deployments") != [alone.clone()] {
        return Err(format!("deployments {:?}, not {alone} alone", of("deployments")));
    }
    if let Some(route) = objects.get(ROUTE) {
        let backends = route["spec"]["rules"][0]["backendRefs"].as_array().cloned().unwrap_or_default();
        if backends.len() != 1 || backends[0]["name"] != alone.as_str() {
            return Err(format!("backends {backends:?}"));
        }
    }
    let pods = of("pods").len();
    if pods < 2 { Err(format!("{pods} pods")) } else { safe(server) }
}

/// What must hold all along: no traffic before the golden samples, none more
/// after a rollback began, no revision that is promoted twice, and never fewer
/// pods of the stable revision than there were.
fn safe(server: &FakeServer) -> Result<(), String> {
    let (mut state, mut canary, mut shares, mut promoted) =
        (String::new(), String::new(), BTreeMap::<String, i64>::new(), Vec::new());
    let (mut stable, mut pinned, mut taken) = (String::new(), 0, true);
    for commit in server.history() {
        let status = &commit.object["status"];
        if commit.plural == "calculationcores" {
            let now = status["state"].as_object().and_then(|state| state.keys().next().cloned()).unwrap_or_default();
            status["canary"]["revision"].as_str().unwrap_or_default().clone_into(&mut canary);
            stable = format!("core-{}", status["stable"]["revision"].as_str().unwrap_or_default());
            pinned = status["pinnedReplicas"].as_i64().unwrap_or(0);
            if now == "promoted" && promoted.last() != Some(&stable) {
                promoted.push(stable.clone());
            }
            state = now;
        }
        if let Some(name) = commit.of().strip_prefix("deployments hashinsight-system/") {
            let share = shares.get(&format!("\"{name}\"")).unwrap_or(&0);
            if commit.event == Event::Deleted && (*share > 0 || !taken) {
                return Err(format!(
                    "{name} was deleted while {share} % were led to it, or a gateway may not know better"
                ));
            }
            let before_the_watch =
                ["pending", "verifying", "shifting", "soaking", "promoting"].contains(&state.as_str());
            let pods = commit.object["spec"]["replicas"].as_i64();
            if name == stable && before_the_watch && pods.is_some_and(|pods| pods < pinned) {
                return Err(format!("{name} has {pods:?} pods in state {state}, and had {pinned}"));
            }
        }
        if commit.of() == ROUTE {
            let seen = &commit.object["status"]["parents"][0]["conditions"][0]["observedGeneration"];
            taken = *seen == commit.object["metadata"]["generation"];
            let weights = commit.object["spec"]["rules"][0]["backendRefs"].as_array().cloned().unwrap_or_default();
            let next: BTreeMap<String, i64> =
                weights.iter().map(|b| (b["name"].to_string(), b["weight"].as_i64().unwrap_or(0))).collect();
            let mine = format!("\"core-{canary}\"");
            let (before, now) = (shares.get(&mine).unwrap_or(&0), next.get(&mine).unwrap_or(&0));
            if now > before
                && ["pending", "verifying", "rollingBack", "rolledBack"].contains(&state.as_str())
                && !canary.is_empty()
            {
                return Err(format!("{mine} went from {before} to {now} % in state {state}"));
            }
            shares = next;
        }
    }
    let once: std::collections::BTreeSet<&String> = promoted.iter().collect();
    if once.len() == promoted.len() { Ok(()) } else { Err(format!("promoted twice: {promoted:?}")) }
}

/// What happens only for the record of health.
pub const PHASES: [Scenario; 9] = [
    Scenario { name: "unavailable", given, acts: &[create, actions::broken], holds: |_| Ok(()) },
    Scenario { name: "paused", given, acts: actions::ACTED[0].acts, holds: |_| Ok(()) },
    Scenario { name: "refused", given, acts: actions::ACTED[6].acts, holds: |_| Ok(()) },
    Scenario { name: "frozen", given, acts: SCENARIOS[13].acts, holds: |_| Ok(()) },
    Scenario { name: "healthy", given, acts: SCENARIOS[1].acts, holds: |_| Ok(()) },
    Scenario { name: "failing", given, acts: SCENARIOS[2].acts, holds: |_| Ok(()) },
    Scenario { name: "held", given, acts: SCENARIOS[8].acts, holds: |_| Ok(()) },
    Scenario {
        name: "an objective that is none",
        given,
        acts: &[|server| {
            let mut spec = spec("one");
            spec["rollout"]["analysis"]["objectiveRefs"] = json!([{"name": "none"}]);
            server.must(Verb::Create, CORES, &json!({"metadata": {"name": "core"}, "spec": spec}));
        }],
        holds: |_| Ok(()),
    },
    Scenario {
        name: "a setting that is not theirs",
        given,
        acts: &[|server| {
            let mut spec = spec("one");
            spec["config"]["listen"] = json!("0.0.0.0:1");
            server.must(Verb::Create, CORES, &json!({"metadata": {"name": "core"}, "spec": spec}));
        }],
        holds: |_| Ok(()),
    },
];

#[test]
fn crashed_at_every_write_rollouts_and_rollbacks_end_the_same() {
    let only = std::env::var("SCENARIO").ok();
    let chosen: Vec<&Scenario> = SCENARIOS
        .iter()
        .chain(&actions::ACTED)
        .filter(|scenario| only.as_ref().is_none_or(|only| only == scenario.name))
        .collect();
    let runs: usize = std::thread::scope(|threads| {
        let halves: Vec<_> = (0..2)
            .map(|half| {
                let mine: Vec<&Scenario> = chosen.iter().skip(half).step_by(2).copied().collect();
                threads.spawn(move || mine.into_iter().map(crashed).sum::<usize>())
            })
            .collect();
        halves.into_iter().map(|half| half.join().unwrap()).sum()
    });
    localcluster::say(&format!("{runs} runs of rollouts\n"));
    assert!(runs >= 2 * chosen.len() && !chosen.is_empty(), "{runs} runs");
}

/// What was done in the settled world; objectives, of which nothing is recorded
/// here, left out.
fn restless(outcome: &Outcome) -> Vec<&str> {
    let all = outcome.restless.iter().map(String::as_str);
    all.filter(|what| !what.contains("servicelevelobjectives") && !what.contains("slo")).collect()
}

/// Every which place something goes wrong at; each with NTH_CRASH=1, which
/// `make campaign` does.
fn nth() -> usize {
    std::env::var("NTH_CRASH").map_or(67, |nth| nth.parse().unwrap())
}

fn crashed(scenario: &Scenario) -> usize {
    let reference = run(&crds(), start, scenario, |_, _| Fault::None);
    assert_eq!(reference.complaint, None, "{}: {:#?}", scenario.name, reference.calls);
    assert_eq!(restless(&reference), [""; 0], "{}", scenario.name);
    let crashes = (0..reference.calls.len()).flat_map(|call| Position::ALL.map(|position| (call, position)));
    let mut runs = 1;
    for (call, position) in crashes.step_by(nth()) {
        runs += 1;
        let outcome =
            run(&crds(), start, scenario, move |number, _| if number == call { position.fault() } else { Fault::None });
        let at = format!("{} crashed at {call} {position:?}", scenario.name);
        assert_eq!(outcome.complaint, None, "{at}: {:#?}", outcome.calls);
        assert_eq!(restless(&outcome), [""; 0], "{at}");
    }
    runs
}
