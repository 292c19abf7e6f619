//! Rollouts from beginning to end, and what must be true then.

use serde_json::{Value, json};
use testkit::fake::{FakeServer, Verb};
use testkit::sim::Scenario;

use super::world::AWAY;
use super::{CORES, bare, change, core, create, given, release, serves};
use crate::measured::OBJECTIVES;

const POLICIES: &str = "hashinsight.net/v1alpha1/hashinsight-system:errorbudgetpolicies";

/// The policy of the objective, which is Normal: but a notice may freeze it, or
/// a stage entered at whatever is left may slow it.
fn steered(server: &FakeServer, releases: &Value) {
    let stage = json!({"name": "Slow", "enterAtOrBelowPercent": 100, "leaveAtOrAbovePercent": 101, "minimumHoldMinutes": 1,
        "releases": releases, "page": false});
    server.must(Verb::Create, POLICIES, &json!({"metadata": {"name": "production"}, "spec": {"stages": [stage]}}));
    let steers = json!({"spec": {"budgetPolicyRef": {"name": "production"}}});
    server.must(Verb::Merge, &format!("{OBJECTIVES}/availability"), &steers);
    let slow = json!({"status": {"observedGeneration": 1, "stage": {"name": "Slow", "since": "2026-01-01T00:00:00Z"}}});
    server.must(Verb::Merge, &format!("{OBJECTIVES}/availability/status"), &slow);
}

pub const SCENARIOS: [Scenario; 17] = [
    Scenario {
        name: "first version",
        given,
        acts: &[create],
        holds: |server| serves(server, "one", "True", "CoreServing"),
    },
    Scenario {
        name: "healthy",
        given,
        acts: &[create, |server| release(server, "two")],
        holds: |server| serves(server, "two", "True", "CoreServing"),
    },
    Scenario {
        name: "failing",
        given,
        acts: &[create, |server| release(server, "failing")],
        holds: |server| {
            let held = &core(server)["status"]["quarantined"][0]["reason"];
            if held != "ObjectivesBroken" {
                return Err(format!("{held}"));
            }
            serves(server, "one", "False", "RolledBack")
        },
    },
    Scenario {
        name: "wrong figures",
        given,
        acts: &[create, |server| release(server, "rounding")],
        holds: |server| {
            let held = &core(server)["status"]["quarantined"][0]["reason"];
            if held != "GoldenSamplesDiffer" {
                return Err(format!("{held}"));
            }
            serves(server, "one", "False", "RolledBack")
        },
    },
    Scenario {
        name: "never ready",
        given,
        acts: &[create, |server| release(server, "never")],
        holds: |server| serves(server, "one", "False", "RolledBack"),
    },
    Scenario {
        name: "superseded",
        given,
        acts: &[
            |server| {
                create(server);
                change(server, &json!({"rollout": {"progressDeadlineSeconds": 3600}}));
            },
            |server| release(server, "never"),
            |server| release(server, "two"),
        ],
        holds: |server| serves(server, "two", "True", "CoreServing"),
    },
    Scenario {
        name: "reverted",
        given,
        acts: &[
            |server| {
                create(server);
                change(server, &json!({"rollout": {"progressDeadlineSeconds": 3600}}));
            },
            |server| release(server, "never"),
            |server| release(server, "one"),
        ],
        holds: |server| serves(server, "one", "True", "CoreServing"),
    },
    Scenario {
        name: "asked for again",
        given,
        acts: &[
            create,
            |server| release(server, "failing"),
            |server| release(server, "one"),
            |server| release(server, "failing"),
        ],
        holds: |server| serves(server, "one", "False", "RolledBack"),
    },
    Scenario {
        name: "no metrics for a while",
        given,
        acts: &[
            create,
            |server| {
                AWAY.set(true);
                release(server, "two");
            },
            |_| AWAY.set(false),
            |_| (),
        ],
        holds: |server| serves(server, "two", "True", "CoreServing"),
    },
    Scenario {
        name: "edited by hand",
        given,
        acts: &[create, |server| {
            let revision = core(server)["status"]["stable"]["revision"].as_str().unwrap().to_owned();
            let refs = json!([{"name": "elsewhere", "port": 80}]);
            let route = "gateway.networking.k8s.io/v1/hashinsight-system:httproutes/core";
            server.must(Verb::Merge, route, &json!({"spec": {"rules": [{"backendRefs": refs}]}}));
            server.must(Verb::Delete, &format!("v1/hashinsight-system:configmaps/core-{revision}"), &Value::Null);
            let deployment = format!("apps/v1/hashinsight-system:deployments/core-{revision}");
            server.must(Verb::Merge, &deployment, &json!({"spec": {"replicas": 1}}));
        }],
        holds: |server| {
            let revision = core(server)["status"]["stable"]["revision"].as_str().unwrap().to_owned();
            if !server.objects().contains_key(&format!("configmaps hashinsight-system/core-{revision}")) {
                return Err("no settings".to_owned());
            }
            serves(server, "one", "True", "CoreServing")
        },
    },
    Scenario {
        name: "by replicas",
        given: bare,
        acts: &[create, |server| release(server, "two")],
        holds: |server| serves(server, "two", "True", "CoreServing"),
    },
    Scenario {
        name: "by replicas, failing",
        given: bare,
        acts: &[create, |server| release(server, "failing")],
        holds: |server| serves(server, "one", "False", "RolledBack"),
    },
    Scenario {
        name: "slowed by a stage",
        given,
        acts: &[
            create,
            |server| steered(server, &json!({"allow": "All", "maxStepPercent": 20})),
            |server| release(server, "two"),
        ],
        holds: |server| {
            let mut last = 0;
            for commit in server.history().iter().filter(|commit| commit.plural == "calculationcores") {
                let weight = commit.object["status"]["canary"]["weightPercent"].as_i64().unwrap_or(0);
                if weight > last + 20 && weight < 99 {
                    return Err(format!("from {last} to {weight} %"));
                }
                last = weight;
            }
            serves(server, "two", "True", "CoreServing")
        },
    },
    Scenario {
        name: "frozen, but for a fix",
        given,
        acts: &[
            create,
            |server| steered(server, &json!({"allow": "FixesOnly"})),
            |server| release(server, "two"),
            |server| {
                let said = core(server)["status"]["conditions"][0]["reason"].clone();
                assert_eq!(said, "ReleaseFrozen");
                let fix = json!({"metadata": {"annotations": {"hashinsight.net/change-class": "Fix"}}});
                server.must(Verb::Merge, &format!("{CORES}/core"), &fix);
            },
        ],
        holds: |server| serves(server, "two", "True", "CoreServing"),
    },
    Scenario {
        name: "grown with its load",
        given,
        acts: &[
            create,
            |server| {
                let revision = core(server)["status"]["stable"]["revision"].as_str().unwrap().to_owned();
                let deployment = format!("apps/v1/hashinsight-system:deployments/core-{revision}");
                server.must(Verb::Merge, &deployment, &json!({"spec": {"replicas": 3}}));
            },
            |server| release(server, "two"),
        ],
        holds: |server| {
            let pods = server.objects().keys().filter(|key| key.starts_with("pods ")).count();
            if pods == 3 { serves(server, "two", "True", "CoreServing") } else { Err(format!("{pods} pods")) }
        },
    },
    Scenario {
        name: "every step is watched",
        given,
        acts: &[create, |server| release(server, "two")],
        holds: |server| {
            // Each for as long as the spec says, and by requests of its own.
            let mut since = std::collections::BTreeMap::new();
            let mut last = (String::new(), String::new());
            for commit in server.history().iter().filter(|commit| commit.plural == "calculationcores") {
                let state = &commit.object["status"]["state"];
                let Some((name, fields)) = state.as_object().and_then(|state| state.iter().next()) else { continue };
                let now =
                    (format!("{name} {}", fields["step"]), fields["since"].as_str().unwrap_or_default().to_owned());
                if now != last {
                    if last.0.starts_with("soaking") {
                        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
                        since.insert(last.0.clone(), at(&now.1) - at(&last.1));
                    }
                    last = now;
                }
            }
            if since.len() != 2 || since.values().any(|seconds| *seconds < 15) {
                return Err(format!("{since:?}"));
            }
            serves(server, "two", "True", "CoreServing")
        },
    },
    Scenario {
        name: "in a crash loop while it is asked",
        given,
        acts: &[
            create,
            // It stays at its first step, because nothing is known of it.
            |server| {
                AWAY.set(true);
                release(server, "two");
            },
            |server| {
                let revision = core(server)["status"]["canary"]["revision"].clone();
                let status = json!({"status": {"containerStatuses": [{"name": "core", "restartCount": 3}]}});
                for (key, pod) in server.objects().iter().filter(|(key, _)| key.starts_with("pods ")) {
                    let name = key.rsplit('/').next().unwrap();
                    if pod["metadata"]["labels"]["hashinsight.net/revision"] == revision {
                        server.must(Verb::Merge, &format!("v1/hashinsight-system:pods/{name}/status"), &status);
                    }
                }
            },
            |_| AWAY.set(false),
        ],
        holds: |server| {
            let held = &core(server)["status"]["quarantined"][0];
            if held["reason"] != "CanaryUnavailable" {
                return Err(format!("{held}"));
            }
            serves(server, "one", "False", "RolledBack")
        },
    },
];
