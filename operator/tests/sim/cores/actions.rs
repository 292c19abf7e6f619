//! What people ask of rollouts, in the simulation.

use serde_json::{Value, json};
use testkit::fake::{FakeServer, Verb};
use testkit::sim::Scenario;

use super::world::AWAY;
use super::{change, core, create, given, image, release, serves};

const ACTIONS: &str = "hashinsight.net/v1alpha1/hashinsight-system:rolloutactions";

fn asked(server: &FakeServer, name: &str, verb: &str, revision: &Value, until: &str) {
    let spec = json!({
        "coreRef": {"name": "core"}, "revision": revision, "verb": verb, "reason": "support case 4711",
        "requestedBy": "ada@acme.example", "expiresAt": until,
    });
    server.must(Verb::Create, ACTIONS, &json!({"metadata": {"name": name}, "spec": spec}));
}

/// `verb`, of the revision that is on its way or was last.
fn ask(server: &FakeServer, verb: &str) {
    let revision = core(server)["status"]["canary"]["revision"].clone();
    asked(server, &verb.to_lowercase(), verb, &revision, "2027-01-01T00:00:00Z");
}

/// A rollout that stays at its first step, because nothing is known of it.
fn held(server: &FakeServer) {
    AWAY.set(true);
    release(server, "two");
}

/// None of the pods there are takes requests any more.
pub fn broken(server: &FakeServer) {
    let objects = server.objects();
    for pod in objects.keys().filter_map(|key| key.strip_prefix("pods hashinsight-system/")) {
        let broken = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
        server.must(Verb::Merge, &format!("v1/hashinsight-system:pods/{pod}/status"), &broken);
    }
}

fn ready(server: &FakeServer) -> Value {
    let conditions = core(server)["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().find(|condition| condition["type"] == "Ready").cloned().unwrap_or_default()
}

/// Every action is over, and says so.
fn over(server: &FakeServer, reasons: &[(&str, &str)]) -> Result<(), String> {
    let objects = server.objects();
    for (name, reason) in reasons {
        let status = &objects[&format!("rolloutactions hashinsight-system/{name}")]["status"];
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let said = |type_: &str| conditions.iter().find(|c| c["type"] == type_).cloned().unwrap_or_default();
        let done = if *reason == "ActionDone" { "True" } else { "False" };
        for type_ in ["Ready", "Succeeded"] {
            if said(type_)["reason"] != *reason || said(type_)["status"] != done {
                return Err(format!("{name}: {status}"));
            }
        }
    }
    Ok(())
}

/// How often revisions began their way.
fn begun(server: &FakeServer) -> usize {
    let mut times = std::collections::BTreeSet::new();
    for commit in server.history().iter().filter(|commit| commit.plural == "calculationcores") {
        let status = &commit.object["status"];
        if !status["state"]["pending"].is_null() {
            times.insert(status["sequence"].as_i64());
        }
    }
    times.len()
}

pub const ACTED: [Scenario; 9] = [
    Scenario {
        name: "held and let go",
        given,
        acts: &[
            create,
            held,
            |server| ask(server, "Pause"),
            |_| AWAY.set(false),
            |server| {
                let (said, status) = (ready(server), &core(server)["status"]);
                assert_eq!(said["reason"], "CanaryPaused", "{said}");
                assert_eq!(status["canary"]["weightPercent"], 10, "{status}");
                ask(server, "Resume");
            },
        ],
        holds: |server| {
            over(server, &[("pause", "ActionDone"), ("resume", "ActionDone")])?;
            serves(server, "two", "True", "CoreServing")
        },
    },
    Scenario {
        name: "held for longer than a deadline",
        given,
        acts: &[
            |server| {
                create(server);
                change(server, &json!({"rollout": {"progressDeadlineSeconds": 3600}}));
            },
            |server| release(server, "never"),
            |server| ask(server, "Pause"),
            |server| change(server, &json!({"rollout": {"progressDeadlineSeconds": 30}})),
            |server| {
                assert_eq!(ready(server)["reason"], "CanaryPaused");
                ask(server, "Resume");
            },
        ],
        holds: |server| serves(server, "one", "False", "RolledBack"),
    },
    Scenario {
        name: "taken back by a person, and tried again",
        given,
        acts: &[
            create,
            held,
            |server| ask(server, "Abort"),
            |server| {
                serves(server, "one", "False", "RolledBack").unwrap();
                assert_eq!(core(server)["status"]["quarantined"][0]["reason"], "Aborted");
                // It does not come back by itself.
                release(server, "one");
            },
            |server| release(server, "two"),
            |server| {
                serves(server, "one", "False", "RolledBack").unwrap();
                AWAY.set(false);
                let revision = core(server)["status"]["quarantined"][0]["revision"].clone();
                asked(server, "retry", "Retry", &revision, "2027-01-01T00:00:00Z");
            },
        ],
        holds: |server| {
            over(server, &[("abort", "ActionDone"), ("retry", "ActionDone")])?;
            serves(server, "two", "True", "CoreServing")
        },
    },
    Scenario {
        name: "tried again once, and no more",
        given,
        acts: &[create, |server| release(server, "failing"), |server| ask(server, "Retry")],
        holds: |server| {
            over(server, &[("retry", "ActionDone")])?;
            // The first version, the one that failed, and that once more.
            match begun(server) {
                3 => serves(server, "one", "False", "RolledBack"),
                times => Err(format!("begun {times} times")),
            }
        },
    },
    Scenario {
        name: "promoted by a person",
        given,
        acts: &[create, held, |server| ask(server, "Promote")],
        holds: |server| {
            over(server, &[("promote", "ActionDone")])?;
            serves(server, "two", "True", "CoreServing")
        },
    },
    Scenario {
        name: "a broken stable version, mended forward",
        given,
        acts: &[
            create,
            |server| {
                broken(server);
                held(server);
            },
            |server| ask(server, "Promote"),
        ],
        holds: |server| {
            let all = server.history().iter().any(|commit| commit.object["status"]["canary"]["weightPercent"] == 100);
            if !all {
                return Err("a broken version is no control".to_owned());
            }
            serves(server, "two", "True", "CoreServing")
        },
    },
    Scenario {
        name: "actions that do not fit",
        given,
        acts: &[
            create,
            held,
            |server| {
                let revision = core(server)["status"]["canary"]["revision"].clone();
                asked(server, "other", "Abort", &json!("0123456789"), "2027-01-01T00:00:00Z");
                asked(server, "late", "Abort", &revision, "2025-01-01T00:00:00Z");
                asked(server, "resume", "Resume", &revision, "2027-01-01T00:00:00Z");
                asked(server, "lift", "LiftQuarantine", &revision, "2027-01-01T00:00:00Z");
                let nobody = json!({
                    "coreRef": {"name": "nobody"}, "revision": "0123456789", "verb": "Pause", "reason": "r",
                    "requestedBy": "ada@acme.example", "expiresAt": "2027-01-01T00:00:00Z",
                });
                server.must(Verb::Create, ACTIONS, &json!({"metadata": {"name": "nobody"}, "spec": nobody}));
            },
            |_| AWAY.set(false),
        ],
        holds: |server| {
            over(
                server,
                &[
                    ("other", "ActionRefused"),
                    ("late", "ActionExpired"),
                    ("resume", "ActionRefused"),
                    ("lift", "ActionRefused"),
                    ("nobody", "ActionRefused"),
                ],
            )?;
            serves(server, "two", "True", "CoreServing")
        },
    },
    Scenario {
        name: "a spec that cannot be, on the way",
        given,
        acts: &[
            create,
            held,
            |server| change(server, &json!({"config": {"listen": "0.0.0.0:1"}})),
            |server| {
                assert_eq!(ready(server)["reason"], "SpecRefused");
                AWAY.set(false);
            },
            |server| {
                // What was on its way went on.
                assert_eq!(core(server)["status"]["stable"]["image"], image("two"));
                change(server, &json!({"config": {"listen": null}}));
            },
        ],
        holds: |server| serves(server, "two", "True", "CoreServing"),
    },
    Scenario {
        name: "let off",
        given,
        acts: &[
            create,
            |server| release(server, "failing"),
            |server| release(server, "one"),
            |server| {
                let revision = core(server)["status"]["quarantined"][0]["revision"].clone();
                asked(server, "lift", "LiftQuarantine", &revision, "2027-01-01T00:00:00Z");
            },
        ],
        holds: |server| {
            over(server, &[("lift", "ActionDone")])?;
            match core(server)["status"]["quarantined"].as_array() {
                None => serves(server, "one", "True", "CoreServing"),
                Some(held) => Err(format!("{held:?}")),
            }
        },
    },
];
