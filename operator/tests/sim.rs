//! The tenant controller in a simulation: crashed at every write, and it must
//! not show. `SCENARIO=name CRASH=call:position[,…]` runs one again;
//! `PAIRS=1` takes every pair of crashes instead of a sample.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests read files and clocks")]

use std::sync::Arc;

use clap::Parser;
use hashinsight_operator::ctx::Clock;
use hashinsight_operator::run::{context, lead};
use hashinsight_operator::settings::Settings;
use kube::Client;
use serde_json::{Value, json};
use testkit::fake::{FakeServer, Fault, Verb};
use testkit::sim::{Crash, Plan, Position, Scenario, SimClock, campaign, run};

const TENANTS: &str = "hashinsight.net/v1alpha1/tenants";
const PLANS: &str = "hashinsight.net/v1alpha1/tenantplans";

fn start(client: Client, clock: SimClock) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        let settings = Settings::parse_from(["operator", "--identity", "sim"]);
        let ctx = context(&settings, client, Clock::simulated(move || clock.now())).unwrap();
        let stop = futures::FutureExt::shared(std::future::pending::<()>());
        let _ = Box::pin(lead(settings, Arc::clone(&ctx), stop)).await;
    })
}

fn crds() -> Vec<Value> {
    hashinsight_crds::schema::all().unwrap().into_iter().map(|crd| json!(crd)).collect()
}

fn given(server: &FakeServer) {
    server.must(Verb::Create, "v1/namespaces", &json!({"metadata": {"name": "hashinsight-system"}}));
    server.must(Verb::Create, PLANS, &plan(3));
}

fn plan(pods: i32) -> Value {
    json!({"metadata": {"name": "standard"}, "spec": {
        "displayName": "Standard",
        "quotas": {"sites": 2, "miners": 100, "requestsPerMinute": 60, "cpu": "2", "memory": "4Gi", "pods": pods},
        "response": {"respondMinutes": 60, "recoverMinutes": 240},
    }})
}

fn create(server: &FakeServer) {
    server.must(Verb::Create, TENANTS, &json!({"metadata": {"name": "acme"}, "spec": {
        "displayName": "Acme", "planRef": {"name": "standard"}, "region": "eu",
        "members": [{"role": "Owner", "kind": "User", "name": "ada"}, {"role": "Finance", "kind": "Group", "name": "fin"}],
    }}));
}

fn change(server: &FakeServer, spec: Value) {
    server.must(Verb::Merge, &format!("{TENANTS}/acme"), &json!({"spec": spec}));
}

fn delete(server: &FakeServer) {
    server.must(Verb::Delete, &format!("{TENANTS}/acme"), &Value::Null);
}

const SCENARIOS: [Scenario; 8] = [
    Scenario { name: "creation", given, acts: &[create] },
    Scenario {
        name: "members",
        given,
        acts: &[create, |server| {
            change(server, json!({"members": [{"role": "Investor", "kind": "User", "name": "ivo"}]}));
        }],
    },
    Scenario {
        name: "quotas",
        given,
        acts: &[
            create,
            |server| change(server, json!({"quotas": {"pods": 7}})),
            |server| {
                server.must(Verb::Merge, &format!("{PLANS}/standard"), &json!({"spec": {"quotas": {"cpu": "3"}}}));
            },
        ],
    },
    Scenario {
        name: "drift",
        given,
        acts: &[create, |server| {
            let hard = json!({"spec": {"hard": {"pods": "999"}}});
            server.must(Verb::Merge, "v1/tenant-acme:resourcequotas/hashinsight", &hard);
            server.must(Verb::Delete, "networking.k8s.io/v1/tenant-acme:networkpolicies/hashinsight", &Value::Null);
            let label = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}});
            server.must(Verb::Merge, "v1/namespaces/tenant-acme", &label);
        }],
    },
    Scenario {
        name: "suspension",
        given,
        acts: &[
            create,
            |server| {
                let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
                server.must(Verb::Create, "v1/tenant-acme:pods", &pod);
            },
            |server| change(server, json!({"lifecycle": "Suspended"})),
            |server| change(server, json!({"lifecycle": "Active"})),
        ],
    },
    Scenario { name: "retention", given, acts: &[create, delete] },
    Scenario { name: "retaken", given, acts: &[create, delete, create] },
    Scenario {
        name: "erasure",
        given,
        acts: &[create, |server| change(server, json!({"deletionPolicy": "Erase"})), delete],
    },
];

fn again(scenario: &Scenario, crashes: &[Crash]) -> String {
    let crashes: Vec<String> = crashes.iter().map(|(call, position)| format!("{call}:{position:?}")).collect();
    format!("SCENARIO={} CRASH={} cargo test -p hashinsight-operator --test sim", scenario.name, crashes.join(","))
}

#[test]
fn crashed_at_every_write_it_ends_as_if_nothing_had_been() {
    let given = |name: &str| std::env::var(name).ok();
    let only = given("SCENARIO");
    let plan = Plan {
        only: given("CRASH").map(|all| all.split(',').map(|one| Position::read(one).unwrap()).collect()),
        nth_pair: given("PAIRS").map_or(997, |nth| nth.parse().unwrap()),
        mirrors: &["tenantsummaries"],
        again,
    };
    let chosen: Vec<&Scenario> = SCENARIOS.iter().filter(|s| only.as_ref().is_none_or(|only| only == s.name)).collect();
    // Each scenario is one thread's from beginning to end.
    let runs: usize = std::thread::scope(|threads| {
        let halves: Vec<_> = (0..2)
            .map(|half| {
                let (plan, mine) = (&plan, chosen.iter().skip(half).step_by(2).copied().collect::<Vec<_>>());
                threads.spawn(move || mine.into_iter().map(|s| campaign(&crds(), start, s, plan)).sum::<usize>())
            })
            .collect();
        halves.into_iter().map(|half| half.join().unwrap()).sum()
    });
    localcluster::say(&format!("{runs} runs\n"));
    assert!(runs > 300 || only.is_some(), "{runs} runs");
}

#[test]
fn the_same_run_twice_is_the_same() {
    let [one, two] = [0, 1].map(|_| run(&crds(), start, &SCENARIOS[0], |_, _| Fault::None));
    assert_eq!(one.calls, two.calls);
    assert_eq!(one.end, two.end);
}
