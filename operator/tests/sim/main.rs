//! The tenant controller in a simulation: crashed at every write, and it must
//! not show. `SCENARIO=name CRASH=call:position[,…]` runs one again;
//! `PAIRS=1` takes every pair of crashes instead of a sample.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests read files and clocks")]

mod cores;
mod health;
mod measured;
mod scenarios;
mod weather;

use serde_json::json;
use testkit::fake::{Fault, Verb};
use testkit::sim::{Crash, Plan, Position, Scenario, campaign, run, run_in};

use scenarios::{QUOTA, SCENARIOS, change, crds, create, expect, given, ready, start};

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

#[test]
fn the_same_run_twice_is_the_same() {
    let [one, two] = [0, 1].map(|_| run(&crds(), start, &SCENARIOS[0], |_, _| Fault::None));
    assert_eq!(one.calls, two.calls);
    assert_eq!(one.end, two.end);
}
