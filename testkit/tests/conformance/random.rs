//! Random sequences of requests. A difference prints the last requests and the
//! command that runs that seed again; SEEDS=n runs more of them.

use std::sync::Arc;

use serde_json::{Value, json};
use testkit::Ground;

use crate::pair::Pair;
use crate::scenarios::plan;

const SEEDS: u64 = 6;
const REQUESTS: usize = 60;

/// Says how to run a seed again if it fails.
struct Told(String);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            localcluster::say(&format!("again: {}\n", self.0));
        }
    }
}

/// A small generator: the same numbers for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Constants of Knuth's MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.roll(all.len())]
    }
}

pub async fn requests_in_random_order(ground: Arc<Ground>) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = number("SEED").map_or(0..number("SEEDS").unwrap_or(SEEDS), |seed| seed..seed + 1);
    for seed in seeds {
        let _told = Told(format!("SEED={seed} cargo test -p testkit --test conformance -- random"));
        let mut pair = Pair::new(Arc::clone(&ground)).await;
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
        for _ in 0..REQUESTS {
            let (line, body) = request(&mut dice);
            let _ = pair.ask(&line, body).await;
        }
    }
}

fn request(dice: &mut Dice) -> (String, Value) {
    let manager = dice.of(&["one", "two", "three"]);
    let name = dice.of(&["a", "b"]);
    let key = dice.of(&["x", "y", "z"]);
    let value = dice.of(&["1", "2"]);
    if dice.roll(3) == 0 {
        return custom(dice, manager, name);
    }
    let maps = "/api/v1/namespaces/OWN/configmaps";
    let map = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {key: value}}, "data": data});
    match dice.roll(8) {
        0 => (format!("POST {maps}?fieldManager={manager}"), map(json!({key: value}))),
        1 => (format!("PUT {maps}/{name}?fieldManager={manager}"), map(json!({key: value}))),
        2 => (format!("MERGE {maps}/{name}?fieldManager={manager}"), json!({"data": {key: value}})),
        3 => (
            format!("MERGE {maps}/{name}?fieldManager={manager}"),
            json!({"data": {key: null}, "metadata": {"labels": {key: null}}}),
        ),
        4 => (
            format!("MERGE {maps}/{name}?fieldManager={manager}"),
            json!({"metadata": {"finalizers": if value == "1" { json!([]) } else { json!(["example.net/f"]) }}}),
        ),
        5 => (format!("DELETE {maps}/{name}"), Value::Null),
        6 => (format!("APPLY {maps}/{name}?fieldManager={manager}&force=true"), map(json!({key: value}))),
        _ => {
            let other = dice.of(&["x", "y", "z"]);
            (
                format!("APPLY {maps}/{name}?fieldManager={manager}&force={}", value == "1"),
                map(json!({key: value, other: "3"})),
            )
        }
    }
}

fn custom(dice: &mut Dice, manager: &str, name: &str) -> (String, Value) {
    let plans = "/apis/hashinsight.net/v1alpha1/tenantplans";
    let name = format!("OWN-{name}");
    let miners = 10 + dice.roll(3);
    let object = plan(&name, json!({"miners": miners}));
    let condition = json!({"type": dice.of(&["Ready", "Stalled"]), "status": dice.of(&["True", "False"]), "reason": "R", "message": "m",
        "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let status = json!({"apiVersion": "hashinsight.net/v1alpha1", "kind": "TenantPlan", "metadata": {"name": name},
        "status": {"observedGeneration": miners, "conditions": [condition]}});
    match dice.roll(6) {
        0 => (format!("POST {plans}?fieldManager={manager}"), object),
        1 => (format!("APPLY {plans}/{name}?fieldManager={manager}&force=true"), object),
        2 => (format!("APPLY {plans}/{name}/status?fieldManager={manager}&force=true"), status),
        3 => (format!("MERGE {plans}/{name}?fieldManager={manager}"), json!({"spec": {"quotas": {"miners": miners}}})),
        4 => (
            format!("MERGE {plans}/{name}/status?fieldManager={manager}"),
            json!({"status": {"observedGeneration": miners}}),
        ),
        _ => (format!("DELETE {plans}/{name}"), Value::Null),
    }
}
