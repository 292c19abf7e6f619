//! Objectives, policies and incidents in the simulation. Time is simulated, so
//! the metrics system is too: a stand-in that counts ten requests a second from
//! the beginning, of which a minute's fail when a scenario says so, and that may
//! fall silent or talk nonsense.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Parser;
use futures::FutureExt;
use futures::future::BoxFuture;
use hashinsight_metrics_source::{Failure, Firing, MetricsQuery, Sample};
use hashinsight_operator::ctx::Clock;
use hashinsight_operator::run::{context, lead};
use hashinsight_operator::settings::Settings;
use hashinsight_slo::objective::{Objective, Reach};
use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use testkit::fake::{FakeServer, Fault, Verb};
use testkit::sim::{CONTROLLER, Position, Scenario, SimClock, run};

use crate::scenarios::{PLANS, crds, plan};

pub const OBJECTIVES: &str = "hashinsight.net/v1alpha1/hashinsight-system:servicelevelobjectives";
const POLICIES: &str = "hashinsight.net/v1alpha1/hashinsight-system:errorbudgetpolicies";
const NOTICES: &str = "hashinsight.net/v1alpha1/hashinsight-system:changenotices";
const INCIDENTS: &str = "hashinsight.net/v1alpha1/hashinsight-system:incidents";
const CORE: &str = "servicelevelobjectives hashinsight-system/core";
const RATE: i64 = 10;
const FAILING: i64 = 60;

/// What the metrics system is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Fine,
    /// It has counted nothing.
    Empty,
    Away,
    Nonsense,
    NoBucket,
    /// Its counts are no numbers.
    NotANumber,
    /// The operator was started without one.
    NotSet,
}

thread_local! {
    static MOOD: Cell<Mood> = const { Cell::new(Mood::Fine) };
    /// Whether a minute fails from the next look on, and since when it does.
    static TO_FAIL: Cell<bool> = const { Cell::new(false) };
    static SINCE: Cell<Option<i64>> = const { Cell::new(None) };
}

struct Simulated {
    clock: SimClock,
    labels: BTreeMap<String, String>,
}

fn spec() -> Value {
    json!({
        "service": "core", "objectivePercent": "99", "window": {"rollingDays": 1},
        "indicator": {"events": {"metric": "m", "totalSelector": "job=\"core\"", "badSelector": "job=\"core\",code=\"500\""}},
        "budgetPolicyRef": {"name": "production"},
    })
}

impl Simulated {
    fn new(clock: SimClock) -> Self {
        let parsed = serde_json::from_value(spec()).unwrap();
        let id = Objective::parse("hashinsight-system", "core", &parsed, &Reach::Everything).unwrap().id;
        let labels =
            [("slo_namespace", "hashinsight-system".to_owned()), ("slo", "core".to_owned()), ("indicator", id)];
        Self { clock, labels: labels.map(|(label, value)| (label.to_owned(), value)).into() }
    }

    fn mood(&self) -> Result<(), Failure> {
        if TO_FAIL.replace(false) {
            SINCE.set(Some(self.clock.now().as_second()));
        }
        match MOOD.get() {
            Mood::Away => Err(Failure::Unreachable("connection refused".into())),
            Mood::Nonsense => Err(Failure::Unusable("it is a poem".into())),
            _ => Ok(()),
        }
    }

    /// What was counted in `seconds` up to `to`: all, bad, measured.
    fn counted(to: i64, seconds: i64) -> [(&'static str, i64); 3] {
        const BEGINNING: i64 = 1_767_225_600 - 3600;
        let within = |from: i64, until: i64| (to.min(until) - (to - seconds).max(from)).max(0);
        let measured = within(BEGINNING, i64::MAX);
        let bad = SINCE.get().map_or(0, |since| within(since, since + FAILING));
        [("total", measured * RATE), ("bad", bad * RATE), ("measured", measured)]
    }

    fn samples(&self, query: &str, at: i64) -> Vec<Sample> {
        let sample = |labels: &BTreeMap<String, String>, value: i64| {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            Sample {
                labels: Arc::new(labels.clone()),
                at,
                value: if MOOD.get() == Mood::NotANumber { f64::NAN } else { value as f64 },
            }
        };
        if query.starts_with("count(") {
            let missing = MOOD.get() == Mood::NoBucket && query.contains("_bucket");
            return if missing { Vec::new() } else { vec![sample(&BTreeMap::new(), 3)] };
        }
        if MOOD.get() == Mood::Empty || !query.contains("sum_over_time(hashinsight_slo:counted[") {
            return Vec::new();
        }
        let seconds = query.split('[').nth(1).unwrap().split('s').next().unwrap().parse().unwrap();
        let of_count = |(count, value): (&str, i64)| {
            let mut labels = self.labels.clone();
            labels.insert("count".to_owned(), count.to_owned());
            sample(&labels, value)
        };
        Self::counted(at, seconds).into_iter().map(of_count).collect()
    }
}

impl MetricsQuery for Simulated {
    fn instant<'a>(&'a self, query: &'a str, at: Timestamp) -> BoxFuture<'a, Result<Vec<Sample>, Failure>> {
        async move { self.mood().map(|()| self.samples(query, at.as_second())) }.boxed()
    }

    fn range<'a>(
        &'a self,
        query: &'a str,
        from: Timestamp,
        to: Timestamp,
        step: u64,
    ) -> BoxFuture<'a, Result<Vec<Sample>, Failure>> {
        let times = (from.as_second()..=to.as_second()).step_by(usize::try_from(step).unwrap());
        async move { self.mood().map(|()| times.flat_map(|at| self.samples(query, at)).collect()) }.boxed()
    }

    fn firing(&self) -> BoxFuture<'_, Result<Vec<Firing>, Failure>> {
        async move {
            self.mood()?;
            let since = SINCE.get().filter(|since| self.clock.now().as_second() > since + 45);
            let labels = [("alertname", "ErrorBudgetBurnsFast"), ("severity", "page"), ("service", "core")];
            Ok(since
                .map(|since| Firing {
                    labels: labels.map(|(label, value)| (label.to_owned(), value.to_owned())).into(),
                    annotations: BTreeMap::new(),
                    since: Timestamp::from_second(since + 45).unwrap(),
                })
                .into_iter()
                .collect())
        }
        .boxed()
    }

    fn retention(&self) -> BoxFuture<'_, Result<Option<u64>, Failure>> {
        async { Ok(Some(40 * 86_400)) }.boxed()
    }
}

/// The operator with the simulated metrics system.
pub fn start(client: Client, clock: SimClock) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        loop {
            let settings = Settings::parse_from(["operator", "--identity", "sim"]);
            let time = clock.clone();
            let ctx = context(&settings, client.clone(), Clock::simulated(move || time.now())).unwrap();
            let mut ctx = Arc::into_inner(ctx).unwrap();
            if MOOD.get() != Mood::NotSet {
                ctx.source = Some(Arc::new(Simulated::new(clock.clone())));
            }
            let stop = futures::FutureExt::shared(std::future::pending::<()>());
            let _ = Box::pin(lead(settings, Arc::new(ctx), stop)).await;
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    })
}

pub fn given(server: &FakeServer) {
    MOOD.set(Mood::Fine);
    TO_FAIL.set(false);
    SINCE.set(None);
    server.must(Verb::Create, "v1/namespaces", &json!({"metadata": {"name": "hashinsight-system"}}));
    server.must(Verb::Create, PLANS, &plan(3));
}

fn policy(server: &FakeServer) {
    server.must(
        Verb::Create,
        POLICIES,
        &json!({"metadata": {"name": "production"}, "spec": {"stages": [{
            "name": "Cautious", "enterAtOrBelowPercent": 97, "leaveAtOrAbovePercent": 98, "minimumHoldMinutes": 1,
            "releases": {"allow": "All", "maxStepPercent": 10}, "page": false,
        }]}}),
    );
}

fn objective(server: &FakeServer) {
    server.must(Verb::Create, OBJECTIVES, &json!({"metadata": {"name": "core"}, "spec": spec()}));
}

fn create(server: &FakeServer) {
    policy(server);
    objective(server);
}

fn fail(_: &FakeServer) {
    TO_FAIL.set(true);
}

fn away(_: &FakeServer) {
    MOOD.set(Mood::Away);
}

/// The incident there is.
fn incident(server: &FakeServer) -> Result<(String, Value), String> {
    let all: Vec<(String, Value)> =
        server.objects().into_iter().filter(|(name, _)| name.starts_with("incidents ")).collect();
    match <[_; 1]>::try_from(all) {
        Ok([(name, object)]) => Ok((name.rsplit('/').next().unwrap().to_owned(), object)),
        Err(all) => Err(format!("{} incidents", all.len())),
    }
}

fn says(object: &Value, type_: &str, status: &str, reason: &str) -> Result<(), String> {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.iter().find(|condition| condition["type"] == type_).cloned().unwrap_or_default();
    if found["status"] == status && found["reason"] == reason { Ok(()) } else { Err(format!("{type_}: {found}")) }
}

fn core(server: &FakeServer) -> Result<Value, String> {
    server.objects().get(CORE).cloned().ok_or_else(|| "no objective".to_owned())
}

/// A minute of 14.4 is gone, and what follows from it.
fn burnt(server: &FakeServer) -> Result<(), String> {
    let core = core(server)?;
    says(&core, "Ready", "True", "Evaluated")?;
    if core["status"]["stage"]["name"] != "Cautious" {
        return Err(format!("stage {}", core["status"]["stage"]));
    }
    let objects = server.objects();
    let policy = &objects["errorbudgetpolicies hashinsight-system/production"];
    if policy["status"]["stage"]["name"] != "Cautious" {
        return Err(format!("policy {}", policy["status"]));
    }
    let rules =
        ["configmaps hashinsight-system/slo.hashinsight-system.core", "configmaps hashinsight-system/slo-operator"];
    rules.iter().try_for_each(|rules| objects.get(*rules).map(drop).ok_or_else(|| format!("no {rules}")))
}

const SCENARIOS: [Scenario; 6] = [
    Scenario {
        name: "measured",
        given,
        acts: &[create],
        holds: |server| {
            says(&core(server)?, "Ready", "True", "Evaluated")?;
            says(&core(server)?, "DataFresh", "True", "DataIsFresh")
        },
    },
    Scenario {
        name: "burnt and taken",
        given,
        acts: &[create, fail, |server| {
            let Ok((name, _)) = incident(server) else { return };
            let by = json!({"spec": {"acknowledged": {"by": "ann"}}});
            server.must(Verb::Merge, &format!("{INCIDENTS}/{name}"), &by);
        }],
        holds: |server| {
            burnt(server)?;
            says(&incident(server)?.1, "Ready", "False", "IncidentAcknowledged")
        },
    },
    Scenario {
        name: "held while the source is away",
        given,
        acts: &[create, fail, away, |server| {
            // Another spec, so that status is written anew.
            server.must(Verb::Merge, &format!("{OBJECTIVES}/core"), &json!({"spec": {"description": "the core"}}));
        }],
        holds: |server| {
            burnt(server)?;
            says(&core(server)?, "DataFresh", "False", "SourceUnreachable")
        },
    },
    Scenario {
        name: "deleted",
        given,
        acts: &[
            create,
            |server| {
                server.must(Verb::Delete, &format!("{OBJECTIVES}/core"), &Value::Null);
            },
            |_| (),
        ],
        holds: |server| {
            let left: Vec<String> =
                server.objects().into_keys().filter(|name| name.contains("slo.hashinsight-system")).collect();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        },
    },
    Scenario {
        name: "counts that are no numbers",
        given,
        acts: &[
            create,
            fail,
            |_| MOOD.set(Mood::NotANumber),
            |server| {
                server.must(Verb::Merge, &format!("{OBJECTIVES}/core"), &json!({"spec": {"description": "the core"}}));
            },
        ],
        holds: |server| {
            burnt(server)?;
            says(&core(server)?, "DataFresh", "False", "SourceRefused")
        },
    },
    Scenario {
        name: "notice",
        given,
        acts: &[|server| {
            let spec = json!({"title": "t", "kind": "Freeze", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z",
                "freezeReleases": {"allow": "FixesOnly"}});
            server.must(Verb::Create, NOTICES, &json!({"metadata": {"name": "n"}, "spec": spec}));
            policy(server);
        }],
        holds: |server| {
            let objects = server.objects();
            says(&objects["changenotices hashinsight-system/n"], "Ready", "True", "Accepted")?;
            let releases = &objects["errorbudgetpolicies hashinsight-system/production"]["status"]["releases"];
            if releases["allow"] == "FixesOnly" { Ok(()) } else { Err(releases.to_string()) }
        },
    },
];

/// What happens only for the record of health.
pub const PHASES: [Scenario; 9] = [
    Scenario {
        name: "nothing counted",
        given: |server| {
            given(server);
            MOOD.set(Mood::Empty);
        },
        acts: &[create],
        holds: |_| Ok(()),
    },
    Scenario {
        name: "away",
        given: |server| {
            given(server);
            MOOD.set(Mood::Away);
        },
        acts: &[create],
        holds: |_| Ok(()),
    },
    Scenario {
        name: "nonsense",
        given: |server| {
            given(server);
            MOOD.set(Mood::Nonsense);
        },
        acts: &[create],
        holds: |_| Ok(()),
    },
    Scenario {
        name: "no source",
        given: |server| {
            given(server);
            MOOD.set(Mood::NotSet);
        },
        acts: &[create],
        holds: |_| Ok(()),
    },
    Scenario { name: "no policy", given, acts: &[objective], holds: |_| Ok(()) },
    Scenario {
        name: "no bucket",
        given: |server| {
            given(server);
            MOOD.set(Mood::NoBucket);
        },
        acts: &[|server| {
            let mut spec = spec();
            spec["indicator"] = json!({"latency": {"histogram": "h", "selector": "", "thresholdSeconds": "0.3"}});
            spec.as_object_mut().unwrap().remove("budgetPolicyRef");
            server.must(Verb::Create, OBJECTIVES, &json!({"metadata": {"name": "slow"}, "spec": spec}));
        }],
        holds: |_| Ok(()),
    },
    Scenario {
        name: "refused",
        given,
        acts: &[|server| {
            let mut spec = spec();
            spec["indicator"]["events"]["badSelector"] = spec["indicator"]["events"]["totalSelector"].clone();
            server.must(Verb::Create, OBJECTIVES, &json!({"metadata": {"name": "odd"}, "spec": spec}));
        }],
        holds: |_| Ok(()),
    },
    Scenario {
        name: "incident ended by hand",
        given,
        acts: &[
            create,
            fail,
            |server| {
                let (name, _) = incident(server).unwrap();
                let by = json!({"spec": {"acknowledged": {"by": "ann"}}});
                server.must(Verb::Merge, &format!("{INCIDENTS}/{name}"), &by);
            },
            |server| {
                let (name, _) = incident(server).unwrap();
                let by = json!({"spec": {"resolved": {"by": "ann"}}});
                server.must(Verb::Merge, &format!("{INCIDENTS}/{name}"), &by);
            },
        ],
        holds: |_| Ok(()),
    },
    Scenario { name: "notice", given, acts: SCENARIOS[5].acts, holds: |_| Ok(()) },
];

#[test]
fn crashed_at_every_write_budgets_stages_and_incidents_are_the_same() {
    let only = std::env::var("SCENARIO").ok();
    let mut runs = 0;
    for scenario in SCENARIOS.iter().filter(|scenario| only.as_ref().is_none_or(|only| only == scenario.name)) {
        let reference = run(&crds(), start, scenario, |_, _| Fault::None);
        assert_eq!(reference.complaint, None, "{}: {:#?}", scenario.name, reference.calls);
        for call in 0..reference.calls.len() {
            for position in Position::ALL {
                let outcome =
                    run(
                        &crds(),
                        start,
                        scenario,
                        move |number, _| {
                            if number == call { position.fault() } else { Fault::None }
                        },
                    );
                let at = format!("{} crashed at {call} {position:?}", scenario.name);
                assert_eq!(outcome.complaint, None, "{at}: {:#?}", outcome.calls);
                runs += 1;
            }
        }
    }
    localcluster::say(&format!("{runs} runs of {CONTROLLER} with objectives\n"));
    assert!(runs > 60 || only.is_some(), "{runs} runs");
}
