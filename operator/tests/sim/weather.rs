//! Refusals, lost answers, torn watches, stale views, withdrawn permissions.

use std::sync::Arc;

use serde_json::json;
use testkit::fake::{Call, FakeServer, Fault, Refusal, Verb, WatchFault};
use testkit::sim::{Scenario, run_in};

use crate::scenarios::{OWNER, QUOTA, SCENARIOS, TENANTS, change, crds, create, expect, given, ready, start};

/// Numbers that are the same for the same seed, everywhere.
pub struct Dice(u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        // Constants of Knuth's MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Refusals of every kind, answers that are lost, and somebody who writes
/// first, each now and then, until there were enough.
pub fn rough(
    seed: u64,
    mut foreign: impl FnMut(usize) + Send + 'static,
) -> impl FnMut(usize, &Call<'_>) -> Fault + Send + 'static {
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
                foreign(number);
                Fault::None
            }
        }
    }
}

/// Watches that end, repeat themselves, or lose what happened in between.
pub fn torn(seed: u64, server: &FakeServer) {
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
                let server = shared.get().unwrap().clone();
                let foreign = move |number: usize| {
                    let label = json!({"metadata": {"annotations": {"example.net/touched": number.to_string()}}});
                    let _ = server.ask(Verb::Merge, &format!("{TENANTS}/acme"), &label);
                    let _ = server.ask(Verb::Merge, "v1/namespaces/tenant-acme", &label);
                };
                let decide = fate.get_or_insert_with(|| Box::new(rough(seed, foreign)));
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
