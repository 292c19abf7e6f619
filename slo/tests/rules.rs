//! The rendered rules, checked and run by Prometheus's own tool: every alert
//! with a case that fires and one that stays silent, and the counts beside
//! those of the crate's own arithmetic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests write files")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;

use hashinsight_slo::alerts::Alert;
use hashinsight_slo::counts::{Counts, Reading, Tally};
use hashinsight_slo::objective::{Objective, Reach};
use hashinsight_slo::rules::{Links, Rule, Rules, of_objective, of_operator};
use localcluster::fetch_prometheus;

const EVENTS: &str = r#"
service: core
team: sre
objectivePercent: "99.9"
indicator: {events: {metric: requests_total, totalSelector: 'job="core"', badSelector: 'job="core",code=~"5.."'}}
window: {rollingDays: 30}
"#;
const LATENCY: &str = r#"
service: core
objectivePercent: "95"
indicator: {latency: {histogram: took_seconds, selector: 'job="core"', thresholdSeconds: "0.25"}}
window: {calendarMonth: {timeZone: Asia/Shanghai}}
"#;
const SLICES: &str = r#"
service: core
objectivePercent: "99"
indicator: {events: {metric: requests_total, totalSelector: 'job="core"', badSelector: 'job="core",code=~"5.."'}}
budgetingMethod: Timeslices
timeslice: {seconds: 60, targetPercent: "95"}
window: {rollingDays: 7}
"#;
const TENANTS: &str = r#"
service: core
objectivePercent: "99"
indicator: {events: {metric: requests_total, totalSelector: 'job="core"', badSelector: 'job="core",code=~"5.."'}}
partitionBy: {label: tenant, maxValues: 2}
window: {rollingDays: 1}
"#;
const EXPRESSION: &str = r#"
service: core
objectivePercent: "99"
indicator: {expression: {bad: 'sum(increase(requests_total{code=~"5.."}[$window]))', total: 'sum(increase(requests_total[$window]))'}}
window: {rollingDays: 3}
"#;

fn links() -> Links {
    Links { runbooks: "https://r".into(), dashboards: "https://g".into() }
}

fn objective(yaml: &str) -> Objective {
    Objective::parse("ns", "o", &serde_saphyr::from_str(yaml).unwrap(), &Reach::Everything).unwrap()
}

/// Runs promtool on files; what it says when it fails.
fn promtool(arguments: &[&str], files: &[(&str, String)]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let promtool = fetch_prometheus().unwrap().promtool;
    let output = Command::new(promtool).current_dir(folder.path()).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(said) }
}

fn yaml(rules: &Rules) -> String {
    serde_saphyr::to_string(rules).unwrap()
}

/// A time, a query, and labels and values it gives.
type Expected<'a> = (&'a str, &'a str, &'a [(&'a str, f64)]);

/// A test of promtool: series, and what queries at minutes give.
struct Case<'a> {
    rules: Rules,
    /// How often all groups are evaluated: promtool does not heed their own.
    every: &'a str,
    /// Series and their values every 15 seconds, in promtool's notation.
    series: &'a [(&'a str, &'a str)],
    /// What must come of them.
    expect: &'a [Expected<'a>],
}

fn run(case: &Case<'_>) {
    let mut test = format!("rule_files: [rules.yaml]\nevaluation_interval: {}\ntests:\n- interval: 15s\n", case.every);
    test.push_str("  input_series:\n");
    for (series, values) in case.series {
        let _ = writeln!(test, "  - {{series: '{series}', values: '{values}'}}");
    }
    test.push_str("  promql_expr_test:\n");
    for (at, query, samples) in case.expect {
        let _ = writeln!(test, "  - expr: '{query}'\n    eval_time: {at}\n    exp_samples:");
        for (labels, value) in *samples {
            let _ = writeln!(test, "    - {{labels: '{labels}', value: {value}}}");
        }
    }
    let files = [("rules.yaml", yaml(&case.rules)), ("test.yaml", test.clone())];
    if let Err(said) = promtool(&["test", "rules", "test.yaml"], &files) {
        panic!("{said}\n{test}");
    }
}

/// How many of the alert fire.
fn firing(alert: Alert) -> String {
    format!("count(ALERTS{{alertname=\"{}\",alertstate=\"firing\"}})", alert.name())
}

const NONE: &[(&str, f64)] = &[];
const ONE: &[(&str, f64)] = &[("{}", 1.0)];

#[test]
fn every_rendering_passes_the_check() {
    for text in [EVENTS, LATENCY, SLICES, TENANTS, EXPRESSION] {
        let rules = yaml(&of_objective(&objective(text), &links()));
        promtool(&["check", "rules", "rules.yaml"], &[("rules.yaml", rules)]).unwrap_or_else(|e| panic!("{text}: {e}"));
    }
    let rules = yaml(&of_operator(&links()));
    promtool(&["check", "rules", "rules.yaml"], &[("rules.yaml", rules)]).unwrap();
}

#[test]
fn a_fast_burn_pages_and_a_small_one_does_not() {
    let rules = || of_objective(&objective(EVENTS), &links());
    let (fast, slow) = (firing(Alert::ErrorBudgetBurnsFast), firing(Alert::ErrorBudgetBurnsSlowly));
    let good = (r#"requests_total{job="core",instance="a",code="200"}"#, "0+100x400");
    // From minute 30 on, a tenth of the requests fails.
    run(&Case {
        rules: rules(),
        every: "15s",
        series: &[good, (r#"requests_total{job="core",instance="a",code="500"}"#, "0+0x120 0+11x280")],
        expect: &[("29m", &fast, NONE), ("40m", &fast, ONE), ("75m", &slow, ONE)],
    });
    // One in a thousand: a burn of 1, which is what was promised.
    run(&Case {
        rules: rules(),
        every: "15s",
        series: &[
            (r#"requests_total{job="core",instance="a",code="200"}"#, "0+999x400"),
            (r#"requests_total{job="core",instance="a",code="500"}"#, "0+1x400"),
        ],
        expect: &[("60m", &fast, NONE), ("90m", &fast, NONE), ("90m", &slow, NONE)],
    });
}

#[test]
fn one_error_in_a_quiet_night_is_silent_and_an_outage_in_it_is_not() {
    let fast = firing(Alert::ErrorBudgetBurnsFast);
    let quiet = r#"requests_total{job="core",instance="a",code="200"}"#;
    let bad = r#"requests_total{job="core",instance="a",code="503"}"#;
    // One request a minute, one of them bad; then all of them bad.
    run(&Case {
        rules: of_objective(&objective(EVENTS), &links()),
        every: "15s",
        series: &[(quiet, "0 0 0 1 1 1 1 2 2 2 2 3 3 3 3 4 4 4 4 5x300"), (bad, "_x40 1x300")],
        expect: &[("15m", &fast, NONE), ("20m", &fast, NONE)],
    });
    run(&Case {
        rules: of_objective(&objective(EVENTS), &links()),
        every: "15s",
        series: &[(quiet, "5x400"), (bad, "0x40 0+1x300")],
        expect: &[("9m", &fast, NONE), ("20m", &fast, ONE)],
    });
}

#[test]
fn a_service_out_of_sight_is_told_and_neither_spent_nor_restored() {
    let silent = firing(Alert::ObjectiveNotMeasured);
    let measured = r#"sum(sum_over_time(hashinsight_slo:counted{count="measured"}[1h]))"#;
    run(&Case {
        rules: of_objective(&objective(EVENTS), &links()),
        every: "15s",
        series: &[(r#"requests_total{job="core",instance="a",code="200"}"#, "0+10x80 stale")],
        expect: &[
            ("19m", &silent, NONE),
            ("20m", measured, &[("{}", 1200.0)]),
            ("30m", &silent, ONE),
            // Ten minutes of darkness are ten minutes less measured.
            ("30m", measured, &[("{}", 1200.0)]),
        ],
    });
}

#[test]
fn latency_is_counted_at_the_bucket_and_without_one_not_at_all() {
    let fast = firing(Alert::ErrorBudgetBurnsFast);
    let count = r#"took_seconds_count{job="core",instance="a"}"#;
    let bad = r#"sum(sum_over_time(hashinsight_slo:counted{count="bad"}[10m]))"#;
    run(&Case {
        rules: of_objective(&objective(LATENCY), &links()),
        every: "15s",
        series: &[
            (count, "0+100x400"),
            // From minute 30 on, four of five take longer.
            (r#"took_seconds_bucket{job="core",instance="a",le="0.25"}"#, "0+100x120 12020+20x280"),
        ],
        expect: &[
            ("29m", bad, &[("{}", 0.0)]),
            ("29m", &fast, NONE),
            ("40m", bad, &[("{}", 3200.0)]),
            ("85m", &fast, ONE),
        ],
    });
    run(&Case {
        rules: of_objective(&objective(LATENCY), &links()),
        every: "15s",
        series: &[(count, "0+100x400"), (r#"took_seconds_bucket{job="core",instance="a",le="0.5"}"#, "0+100x400")],
        expect: &[
            ("20m", bad, NONE),
            ("20m", r#"hashinsight_slo:counted{count="measured"}"#, NONE),
            ("60m", &firing(Alert::ObjectiveNotMeasured), ONE),
        ],
    });
}

#[test]
fn timeslices_are_judged_whole() {
    let of = |count| format!(r#"sum(sum_over_time(hashinsight_slo:counted{{count="{count}"}}[20m]))"#);
    run(&Case {
        rules: of_objective(&objective(SLICES), &links()),
        every: "60s",
        series: &[
            (r#"requests_total{job="core",instance="a",code="200"}"#, "0+100x400"),
            // Minutes 10 to 15: one in eleven fails, which is more than 5 %.
            (r#"requests_total{job="core",instance="a",code="500"}"#, "0x40 0+10x20 200x300"),
        ],
        expect: &[
            ("20m", &of("total"), &[("{}", 20.0)]),
            ("20m", &of("bad"), &[("{}", 5.0)]),
            ("20m", &of("measured"), &[("{}", 1200.0)]),
        ],
    });
}

#[test]
fn tenants_are_measured_by_themselves_until_there_are_too_many() {
    let by = "sum by (tenant, count) (sum_over_time(hashinsight_slo:counted_by[10m]))";
    let bolt = r#"requests_total{job="core",instance="a",tenant="bolt",code="500"}"#;
    let (a, b) = (
        (r#"requests_total{job="core",instance="a",tenant="acme",code="200"}"#, "0+10x100"),
        // Its first request is an error, of a process that was in sight before.
        (bolt, "_x20 1+1x80"),
    );
    let rules = || of_objective(&objective(TENANTS), &links());
    run(&Case {
        rules: rules(),
        every: "15s",
        series: &[a, b],
        expect: &[(
            "10m",
            by,
            &[
                (r#"{tenant="acme",count="bad"}"#, 0.0),
                (r#"{tenant="acme",count="total"}"#, 400.0),
                (r#"{tenant="bolt",count="bad"}"#, 21.0),
                (r#"{tenant="bolt",count="total"}"#, 21.0),
            ],
        )],
    });
    let third = (r#"requests_total{job="core",instance="a",tenant="cobalt",code="200"}"#, "0+10x100");
    let all = r#"sum(sum_over_time(hashinsight_slo:counted{count="total"}[10m]))"#;
    run(&Case {
        rules: rules(),
        every: "15s",
        series: &[a, (bolt, "0+0x100"), third],
        expect: &[("10m", by, NONE), ("10m", all, &[("{}", 800.0)])],
    });
}

#[test]
fn a_stage_that_pages_and_an_operator_that_sleeps_are_told() {
    let (stage, asleep) = (firing(Alert::ErrorBudgetStageEntered), firing(Alert::ObjectivesNotEvaluated));
    let evaluated = r#"hashinsight_slo_evaluated_timestamp_seconds{slo="o",slo_namespace="ns"}"#;
    let of_stage =
        |name, page| format!(r#"hashinsight_slo_policy_stage{{policy="production",stage="{name}",page="{page}"}}"#);
    let (frozen, cautious) = (of_stage("Frozen", true), of_stage("Cautious", false));
    run(&Case {
        rules: of_operator(&links()),
        every: "15s",
        series: &[(&frozen, "0x20 1x60"), (&cautious, "1x20 0x60"), (evaluated, "0+15x80")],
        expect: &[("4m", &stage, NONE), ("6m", &stage, ONE), ("18m", &asleep, NONE)],
    });
    run(&Case {
        rules: of_operator(&links()),
        every: "15s",
        series: &[(&cautious, "1x80"), (evaluated, "0+15x20 300x80")],
        expect: &[("14m", &asleep, NONE), ("18m", &asleep, ONE), ("18m", &stage, NONE)],
    });
}

#[test]
fn a_missed_promise_is_told_while_its_incident_is_not_over() {
    let promise = firing(Alert::IncidentPromiseMissed);
    let missed = r#"hashinsight_incident_promise_missed{incident="i",plan="premium",promise="response"}"#;
    run(&Case {
        rules: of_operator(&links()),
        every: "15s",
        series: &[(missed, "_x20 1x20 _x60")],
        expect: &[("4m", &promise, NONE), ("6m", &promise, ONE), ("20m", &promise, NONE)],
    });
}

#[test]
fn every_alert_has_its_case() {
    let told = include_str!("rules.rs");
    for alert in Alert::ALL {
        assert!(told.matches(&format!("firing(Alert::{}", alert.name())).count() >= 1, "{}", alert.name());
    }
    let rules = [of_objective(&objective(EVENTS), &links()), of_operator(&links())];
    let rendered = rules.iter().flat_map(|rules| &rules.groups).flat_map(|group| &group.rules);
    let mut names: Vec<&str> =
        rendered.filter_map(|rule| if let Rule::Alert { alert, .. } = rule { Some(*alert) } else { None }).collect();
    names.sort_unstable();
    let mut all: Vec<&str> = Alert::ALL.iter().map(|alert| alert.name()).collect();
    all.sort_unstable();
    assert_eq!(names, all);
}

#[test]
fn a_page_reads_as_it_should() {
    let rules = of_objective(&objective(EVENTS), &links());
    let test = r#"
rule_files: [rules.yaml]
evaluation_interval: 15s
tests:
- interval: 15s
  input_series:
  - {series: 'requests_total{job="core",instance="a",code="200"}', values: '0+0x300'}
  - {series: 'requests_total{job="core",instance="a",code="500"}', values: '0+100x300'}
  - {series: 'hashinsight_slo_budget_remaining_minutes{slo="o",slo_namespace="ns"}', values: '12.34x300'}
  alert_rule_test:
  - alertname: ErrorBudgetBurnsFast
    eval_time: 70m
    exp_alerts:
    - exp_labels: {severity: page, team: sre, service: core, slo: o, slo_namespace: ns, indicator: INDICATOR}
      exp_annotations:
        summary: 'core: the error budget of ns/o (99.9 %) burns too fast'
        description: 'Fires when more than 1.44 % of events over 1h and over 5m were bad (burn rate 14.4), or more than 0.6 % of events over 6h and over 30m were bad (burn rate 6). Burn rate now: 1000.0 (1 spends the budget of the last 30 days exactly in that time). Minutes of budget left: 12.3. Time to exhaustion if the last hour goes on: beyond the window.'
        runbook_url: https://r/ErrorBudgetBurnsFast
        dashboard_url: https://g/d/hashinsight-objectives?var-namespace=ns&var-objective=o
"#
    .replace("INDICATOR", &objective(EVENTS).id);
    let files = [("rules.yaml", yaml(&rules)), ("test.yaml", test)];
    promtool(&["test", "rules", "test.yaml"], &files).unwrap_or_else(|said| panic!("{said}"));
}

/// Two processes with restarts, gaps and births: what the rules record is what
/// the crate's own arithmetic counts.
#[test]
fn the_rules_count_as_the_arithmetic_does() {
    let mut seed = 7_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let steps = 200;
    let mut lives: Vec<Vec<Option<Reading>>> = Vec::new();
    for process in 0..3 {
        let (mut now, mut life) = (Reading { total: random(1000), bad: 0 }, Vec::new());
        for step in 0..steps {
            if random(25) == 0 {
                now = Reading { total: 0, bad: 0 };
            }
            let bad = random(3);
            now = Reading { total: now.total + bad + random(40), bad: now.bad + bad };
            let born = process == 0 || step > 30 * process;
            life.push((born && random(12) != 0).then_some(now));
        }
        lives.push(life);
    }
    let (mut tally, mut expected) = (Tally::default(), Counts::default());
    for step in 0..steps {
        let readings: BTreeMap<String, Reading> = lives
            .iter()
            .enumerate()
            .filter_map(|(n, life)| life[step].map(|reading| (n.to_string(), reading)))
            .collect();
        expected += tally.take(i64::try_from(step).unwrap() * 15, 15, &readings).unwrap_or_default();
    }
    let values = |of: fn(&Reading) -> u64, life: &[Option<Reading>]| -> String {
        life.iter().map(|r| r.as_ref().map_or("stale".to_owned(), |r| of(r).to_string())).collect::<Vec<_>>().join(" ")
    };
    let mut series = Vec::new();
    for (n, life) in lives.iter().enumerate() {
        let name = |code| format!(r#"requests_total{{job="core",instance="{n}",code="{code}"}}"#);
        series.push((name("200"), values(|r| r.total - r.bad, life)));
        series.push((name("500"), values(|r| r.bad, life)));
    }
    let series: Vec<(&str, &str)> = series.iter().map(|(name, values)| (name.as_str(), values.as_str())).collect();
    let query = "sum by (count) (sum_over_time(hashinsight_slo:counted[2h]))";
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let float = |count: u64| count as f64;
    run(&Case {
        rules: of_objective(&objective(EVENTS), &links()),
        every: "15s",
        series: &series,
        expect: &[(
            "49m45s",
            query,
            &[
                (r#"{count="bad"}"#, float(expected.bad)),
                (r#"{count="measured"}"#, float(expected.measured)),
                (r#"{count="total"}"#, float(expected.total)),
            ],
        )],
    });
    assert!(expected.total > 3_000, "{expected:?}");
}
