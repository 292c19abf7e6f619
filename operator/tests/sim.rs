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
use testkit::fake::{Call, FakeServer, Fault, Refusal, Verb, WatchFault};
use testkit::sim::{Crash, Plan, Position, Scenario, SimClock, campaign, run, run_in};

const TENANTS: &str = "hashinsight.net/v1alpha1/tenants";
const PLANS: &str = "hashinsight.net/v1alpha1/tenantplans";

fn start(client: Client, clock: SimClock) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        // A replica that loses its lease exits, and is started anew.
        loop {
            let settings = Settings::parse_from(["operator", "--identity", "sim"]);
            let clock = clock.clone();
            let ctx = context(&settings, client.clone(), Clock::simulated(move || clock.now())).unwrap();
            let stop = futures::FutureExt::shared(std::future::pending::<()>());
            let _ = Box::pin(lead(settings, Arc::clone(&ctx), stop)).await;
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
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

/// What is at a path of an object, and what should be.
fn expect(server: &FakeServer, object: &str, path: &str, wanted: &Value) -> Result<(), String> {
    let objects = server.objects();
    let found = objects.get(object).and_then(|object| object.pointer(path)).unwrap_or(&Value::Null);
    if found == wanted { Ok(()) } else { Err(format!("{object} {path} is {found}, wanted {wanted}")) }
}

fn absent(server: &FakeServer, object: &str) -> Result<(), String> {
    if server.objects().contains_key(object) { Err(format!("{object} is still there")) } else { Ok(()) }
}

fn ready(server: &FakeServer, reason: &str) -> Result<(), String> {
    let objects = server.objects();
    let tenant = objects.get("tenants /acme").ok_or("no tenant")?;
    let condition = tenant["status"]["conditions"].as_array().into_iter().flatten().find(|c| c["type"] == "Ready");
    let told = condition.map(|c| c["reason"].clone()).unwrap_or_default();
    if told != reason {
        return Err(format!("Ready says {told}, wanted {reason}"));
    }
    expect(server, "tenants /acme", "/status/observedGeneration", &tenant["metadata"]["generation"])?;
    expect(server, "tenantsummaries tenant-acme/summary", "/status/state", &tenant["status"]["state"])
}

const QUOTA: &str = "resourcequotas tenant-acme/hashinsight";
const NAMESPACE: &str = "namespaces /tenant-acme";
const OWNER: &str = "rolebindings tenant-acme/hashinsight-owner";
const LEVEL: &str = "/metadata/labels/pod-security.kubernetes.io~1enforce";
const RELEASED: &str = "/metadata/labels/hashinsight.net~1released";

fn provisioned(server: &FakeServer) -> Result<(), String> {
    ready(server, "Provisioned")?;
    expect(server, QUOTA, "/spec/hard/pods", &json!("3"))?;
    expect(server, OWNER, "/subjects/0/name", &json!("ada"))?;
    expect(server, NAMESPACE, LEVEL, &json!("restricted"))?;
    expect(server, NAMESPACE, RELEASED, &Value::Null)?;
    expect(server, "networkpolicies tenant-acme/hashinsight", "/spec/policyTypes/1", &json!("Egress"))
}

const SCENARIOS: [Scenario; 10] = [
    Scenario { name: "creation", given, acts: &[create], holds: provisioned },
    Scenario {
        name: "members",
        given,
        acts: &[create, |server| {
            change(server, json!({"members": [{"role": "Investor", "kind": "User", "name": "ivo"}]}));
        }],
        holds: |server| {
            absent(server, OWNER)?;
            expect(server, "rolebindings tenant-acme/hashinsight-investor", "/subjects/0/name", &json!("ivo"))
        },
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
        holds: |server| {
            expect(server, QUOTA, "/spec/hard/pods", &json!("7"))?;
            expect(server, QUOTA, "/spec/hard/requests.cpu", &json!("3"))
        },
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
        holds: provisioned,
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
        ],
        holds: |server| {
            ready(server, "Suspended")?;
            absent(server, "pods tenant-acme/p")?;
            expect(server, QUOTA, "/spec/hard/pods", &json!("0"))
        },
    },
    Scenario {
        name: "resumption",
        given,
        acts: &[
            create,
            |server| change(server, json!({"lifecycle": "Suspended"})),
            |server| change(server, json!({"lifecycle": "Active"})),
        ],
        holds: provisioned,
    },
    Scenario {
        name: "retention",
        given,
        acts: &[create, delete],
        holds: |server| {
            expect(server, NAMESPACE, RELEASED, &json!("true"))?;
            expect(server, NAMESPACE, "/metadata/annotations/hashinsight.net~1claimed-by", &Value::Null)?;
            ["tenants /acme", OWNER, "tenantsummaries tenant-acme/summary"]
                .into_iter()
                .try_for_each(|o| absent(server, o))
        },
    },
    Scenario {
        name: "retaken",
        given,
        acts: &[create, delete, create],
        holds: |server| {
            provisioned(server)?;
            let first = server.history().into_iter().find(|c| c.of() == "tenants /acme").unwrap();
            let id = hashinsight_crds::names::tenant_id(first.object["metadata"]["uid"].as_str().unwrap());
            expect(server, "tenants /acme", "/status/id", &json!(id))
        },
    },
    Scenario {
        name: "erasure",
        given,
        acts: &[create, |server| change(server, json!({"deletionPolicy": "Erase"})), delete],
        holds: |server| ["tenants /acme", NAMESPACE, QUOTA].into_iter().try_for_each(|object| absent(server, object)),
    },
    Scenario {
        name: "taken",
        given: |server| {
            given(server);
            let foreign = json!({"metadata": {"name": "tenant-acme"}});
            server.must(Verb::Create, "v1/namespaces", &foreign);
        },
        acts: &[create],
        holds: |server| {
            expect(server, NAMESPACE, LEVEL, &Value::Null)?;
            absent(server, QUOTA)
        },
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
fn a_lost_lease_is_waited_out_and_nothing_is_lost() {
    let stolen = Scenario {
        name: "stolen",
        given,
        acts: &[create, |server| {
            let lease = "coordination.k8s.io/v1/hashinsight-system:leases/hashinsight-operator";
            server.must(Verb::Merge, lease, &json!({"spec": {"holderIdentity": "another"}}));
            change(server, json!({"quotas": {"pods": 9}}));
        }],
        holds: |server| {
            ready(server, "Provisioned")?;
            expect(server, QUOTA, "/spec/hard/pods", &json!("9"))?;
            let lease = "leases hashinsight-system/hashinsight-operator";
            expect(server, lease, "/spec/holderIdentity", &json!("sim"))?;
            // Taken at first, and again once the other had let it run out.
            expect(server, lease, "/spec/leaseTransitions", &json!(2))
        },
    };
    let outcome = run_in(&crds(), start, &stolen, |_, _| {}, |_, _| Fault::None);
    assert_eq!(outcome.complaint, None);
    assert!(outcome.restless.is_empty(), "{:?}", outcome.restless);
}

/// Numbers that are the same for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // Constants of Knuth's MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Refusals of every kind, answers that are lost, and somebody who writes
/// first, each now and then, until there were enough.
fn rough(seed: u64, server: FakeServer) -> impl FnMut(usize, &Call<'_>) -> Fault + Send + 'static {
    let mut dice = Dice(seed);
    move |number, _| {
        if number > 80 || dice.roll(4) != 0 {
            return Fault::None;
        }
        let mut throttled = Refusal::new(429, "TooManyRequests", "slow down");
        throttled.retry_after = Some(3);
        match dice.roll(7) {
            0 => Fault::Refused(Refusal::new(409, "Conflict", "somebody was faster")),
            1 => Fault::Refused(throttled),
            2 => Fault::Refused(Refusal::new(500, "InternalError", "the store is away")),
            3 => Fault::Refused(Refusal::new(503, "ServiceUnavailable", "not now")),
            4 => Fault::LostReply(Refusal::new(504, "Timeout", "no answer came")),
            5 => Fault::CrashAfterCommit,
            _ => {
                // A foreign writer between the read and the write that rests on it.
                let label = json!({"metadata": {"annotations": {"example.net/touched": number.to_string()}}});
                let _ = server.ask(Verb::Merge, &format!("{TENANTS}/acme"), &label);
                let _ = server.ask(Verb::Merge, "v1/namespaces/tenant-acme", &label);
                Fault::None
            }
        }
    }
}

/// Watches that end, repeat themselves, or lose what happened in between.
fn torn(seed: u64, server: &FakeServer) {
    let mut dice = Dice(seed ^ 0x5EED);
    let (mut lost, mut faults) = (false, 0);
    server.on_event(move |_, _| {
        // What was lost shows only in a fresh list.
        if std::mem::take(&mut lost) {
            return WatchFault::Expired;
        }
        if faults > 30 || dice.roll(5) != 0 {
            return WatchFault::None;
        }
        faults += 1;
        match dice.roll(4) {
            0 => WatchFault::Twice,
            1 => WatchFault::Closed,
            2 => WatchFault::Expired,
            _ => {
                lost = true;
                WatchFault::Dropped
            }
        }
    });
}

type Fate = Box<dyn FnMut(usize, &Call<'_>) -> Fault + Send>;

#[test]
fn in_rough_weather_it_arrives_all_the_same() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = number("SEED").map_or(0..number("SEEDS").unwrap_or(2), |seed| seed..seed + 1);
    for (seed, scenario) in seeds.flat_map(|seed| SCENARIOS.iter().map(move |scenario| (seed, scenario))) {
        let shared: Arc<std::sync::OnceLock<FakeServer>> = Arc::default();
        let known = Arc::clone(&shared);
        let mut fate: Option<Fate> = None;
        let outcome = run_in(
            &crds(),
            start,
            scenario,
            |server, clock| {
                known.get_or_init(|| server.clone());
                torn(seed, server);
                // The wall clock is an hour wrong from the start.
                clock.jump(if seed % 2 == 0 { 3600 } else { -3600 });
            },
            move |number, call| {
                let decide = fate.get_or_insert_with(|| Box::new(rough(seed, shared.get().unwrap().clone())));
                decide(number, call)
            },
        );
        let again = format!("SEED={seed} cargo test -p hashinsight-operator --test sim -- rough");
        assert_eq!(outcome.complaint, None, "{} {again}", scenario.name);
        assert!(outcome.restless.is_empty(), "{}: {:?} {again}", scenario.name, outcome.restless);
    }
}

const SEEN: [&str; 3] = ["tenants", "namespaces", "rolebindings"];

#[test]
fn a_stale_view_and_a_missing_permission_do_no_harm() {
    let stale = Scenario {
        name: "stale",
        given,
        acts: &[
            create,
            |server| {
                // It sees nothing of what happens now, and starts anew on that view.
                for plural in SEEN {
                    server.freeze(plural);
                }
                change(server, json!({"members": [{"role": "Owner", "kind": "User", "name": "bob"}]}));
                server.kill(testkit::sim::CONTROLLER);
            },
            |server| SEEN.into_iter().for_each(|plural| server.thaw(plural)),
            |server| {
                server.forbid("patch", "resourcequotas");
                let eve = json!([{"role": "Owner", "kind": "User", "name": "eve"}]);
                change(server, json!({"members": eve, "quotas": {"pods": 9}}));
            },
            |server| {
                assert!(
                    ready(server, "PermissionMissing").is_ok(),
                    "{:?}",
                    server.objects()["tenants /acme"]["status"]
                );
                // One part that fails stops no other.
                expect(server, OWNER, "/subjects/0/name", &json!("eve")).unwrap();
                server.permit("patch", "resourcequotas");
            },
        ],
        holds: |server| {
            ready(server, "Provisioned")?;
            expect(server, QUOTA, "/spec/hard/pods", &json!("9"))
        },
    };
    let outcome = run_in(&crds(), start, &stale, |_, _| {}, |_, _| Fault::None);
    assert_eq!(outcome.complaint, None);
    assert!(outcome.restless.is_empty(), "{:?}", outcome.restless);
}

#[test]
fn the_same_run_twice_is_the_same() {
    let [one, two] = [0, 1].map(|_| run(&crds(), start, &SCENARIOS[0], |_, _| Fault::None));
    assert_eq!(one.calls, two.calls);
    assert_eq!(one.end, two.end);
}
