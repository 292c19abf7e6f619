//! Rollouts while the clock is set, the lease is taken, views are old, and calls
//! are refused, lost or overtaken.

use std::sync::{Arc, OnceLock};

use serde_json::json;
use testkit::fake::{Call, FakeServer, Fault, Verb};
use testkit::sim::{CONTROLLER, Outcome, Scenario, SimClock, run_in};

use super::actions::ACTED;
use super::scenarios::SCENARIOS;
use super::{CORES, change, create, given, nth, release, restless, serves, start};
use crate::scenarios::crds;
use crate::weather::{rough, torn};

/// Plays the scenario; `wrong` happens at the call of that number.
fn play(scenario: &Scenario, at: usize, wrong: impl Fn(&FakeServer, &SimClock) + Send + 'static) -> Outcome {
    let world: Arc<OnceLock<(FakeServer, SimClock)>> = Arc::default();
    let known = Arc::clone(&world);
    run_in(
        &crds(),
        start,
        scenario,
        move |server, clock| {
            let _ = known.set((server.clone(), clock.clone()));
        },
        move |number, _| {
            if number == at {
                let (server, clock) = world.get().unwrap();
                wrong(server, clock);
            }
            Fault::None
        },
    )
}

/// The same end, and silence after it, wherever in the scenario `wrong` happens.
fn everywhere(what: &str, scenario: &Scenario, wrong: fn(&FakeServer, &SimClock)) {
    let calls = play(scenario, usize::MAX, wrong).calls.len();
    for at in (0..calls).step_by(nth()) {
        let outcome = play(scenario, at, wrong);
        let told = format!("{}: {what} at call {at}", scenario.name);
        assert_eq!(outcome.complaint, None, "{told}: {:#?}", outcome.calls);
        assert_eq!(restless(&outcome), [""; 0], "{told}");
    }
}

/// A whole rollout, one that is taken back, and one that people steer.
fn chosen() -> [&'static Scenario; 3] {
    [&SCENARIOS[1], &SCENARIOS[2], &ACTED[0]]
}

#[test]
fn rollouts_end_the_same_when_the_clock_is_set() {
    for scenario in chosen() {
        everywhere("an hour ahead", scenario, |_, clock| clock.jump(3600));
        everywhere("ten minutes back", scenario, |_, clock| clock.jump(-600));
    }
}

#[test]
fn rollouts_end_the_same_when_another_leads_for_a_while() {
    for scenario in chosen() {
        everywhere("the lease is taken", scenario, |server, _| {
            let lease = "coordination.k8s.io/v1/hashinsight-system:leases/hashinsight-operator";
            let _ = server.ask(Verb::Merge, lease, &json!({"spec": {"holderIdentity": "another"}}));
        });
    }
}

const SEEN: [&str; 5] = ["calculationcores", "deployments", "pods", "httproutes", "configmaps"];

#[test]
fn rollouts_end_the_same_on_an_old_view() {
    // It begins anew on a view in which nothing of what happens is seen.
    let stale = Scenario {
        name: "on an old view",
        given,
        acts: &[
            create,
            |server| {
                for plural in SEEN {
                    server.freeze(plural);
                }
                release(server, "two");
                server.kill(CONTROLLER);
            },
            |server| SEEN.into_iter().for_each(|plural| server.thaw(plural)),
            |server| {
                // Of its parts alone nothing is seen: it acts on what it knows.
                for plural in SEEN.into_iter().skip(1) {
                    server.freeze(plural);
                }
                change(server, &json!({"rollout": {"progressDeadlineSeconds": 86_400}}));
                release(server, "three");
            },
            |server| SEEN.into_iter().for_each(|plural| server.thaw(plural)),
        ],
        holds: |server| serves(server, "three", "True", "CoreServing"),
    };
    let outcome = run_in(&crds(), start, &stale, |_, _| {}, |_, _| Fault::None);
    assert_eq!(outcome.complaint, None, "{:#?}", outcome.calls);
    assert_eq!(restless(&outcome), [""; 0]);
}

type Fate = Box<dyn FnMut(usize, &Call<'_>) -> Fault + Send>;

/// With time for every call that is refused.
fn patient(server: &FakeServer) {
    create(server);
    change(server, &json!({"rollout": {"progressDeadlineSeconds": 86_400}}));
}

#[test]
fn rollouts_arrive_in_rough_weather() {
    let healthy = Scenario {
        name: "healthy, in rough weather",
        given,
        acts: &[patient, |server| release(server, "two")],
        holds: |server| serves(server, "two", "True", "CoreServing"),
    };
    let failing = Scenario {
        name: "failing, in rough weather",
        given,
        acts: &[patient, |server| release(server, "failing")],
        holds: |server| serves(server, "one", "False", "RolledBack"),
    };
    for (seed, scenario) in (0..3).flat_map(|seed| [(seed, &healthy), (seed, &failing)]) {
        let shared: Arc<OnceLock<FakeServer>> = Arc::default();
        let known = Arc::clone(&shared);
        let mut fate: Option<Fate> = None;
        let outcome = run_in(
            &crds(),
            start,
            scenario,
            |server, _| {
                known.get_or_init(|| server.clone());
                torn(seed, server);
            },
            move |number, call| {
                let server = shared.get().unwrap().clone();
                let foreign = move |number: usize| {
                    let label = json!({"metadata": {"annotations": {"example.net/touched": number.to_string()}}});
                    let _ = server.ask(Verb::Merge, &format!("{CORES}/core"), &label);
                };
                fate.get_or_insert_with(|| Box::new(rough(seed, foreign)))(number, call)
            },
        );
        assert_eq!(outcome.complaint, None, "{} seed {seed}: {:#?}", scenario.name, outcome.calls);
        assert_eq!(restless(&outcome), [""; 0], "{} seed {seed}", scenario.name);
    }
}
