//! The recording and alerting rules of an objective.
//!
//! Three groups in order: *counts*, every step, from the counters themselves
//! with restarts seen (the arithmetic of `counts::Tally`, in PromQL); *burn*,
//! sums of counts over stretches of time; *alerts* on them. What is recorded
//! are whole events, so sums over any window are exact, and time without a
//! sample is time that was not measured.

use std::collections::BTreeMap;

use hashinsight_crds::objective::Severity;
use serde::Serialize;

use crate::alerts::Alert;
use crate::burn::{Row, Stretch};
use crate::counts::Tally;
use crate::objective::{Indicator, Objective};
use crate::selector::Selector;
use crate::series::{
    BAD, BURN, COUNT_LABEL, COUNTED, COUNTED_BY, EVALUATED, EXHAUSTION_SECONDS, INDICATOR_LABEL, MEASURED, NAME_LABEL,
    NAMESPACE_LABEL, PROCESS, PROCESS_BY, REMAINING_MINUTES, SLICE, STAGE, TOTAL, WINDOW_LABEL, of, told,
};
use crate::share::{Target, WHOLE, decimal};

/// Where people are led.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// Where runbooks are served: the name of the alert is appended.
    pub runbooks: String,
    /// Where dashboards are served: `/d/UID` is appended.
    pub dashboards: String,
}

/// A file of rules, as Prometheus reads it; also the spec of a PrometheusRule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rules {
    /// In order of evaluation.
    pub groups: Vec<Group>,
}

/// Rules that are evaluated one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Unique in the metrics system.
    pub name: String,
    /// How often, such as `15s`.
    pub interval: String,
    /// In order.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Rule {
    /// Its result is stored under a name.
    Record {
        /// The name.
        record: &'static str,
        /// What is evaluated.
        expr: String,
        /// Labels of the result.
        labels: BTreeMap<String, String>,
    },
    /// People are told of its results.
    Alert {
        /// The name.
        alert: &'static str,
        /// What is evaluated.
        expr: String,
        /// How long it must have held.
        #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
        pending: Option<String>,
        /// Labels; none of them changes with a value.
        labels: BTreeMap<String, String>,
        /// What people read.
        annotations: BTreeMap<String, String>,
    },
}

/// Uid of the dashboard of objectives.
pub const DASHBOARD: &str = "hashinsight-objectives";

/// The rules of `objective`.
pub fn of_objective(objective: &Objective, links: &Links) -> Rules {
    let name = |what: &str| format!("slo/{}/{}/{what}", objective.namespace, objective.name);
    let group =
        |what: &str, seconds: u64, rules: Vec<Rule>| Group { name: name(what), interval: format!("{seconds}s"), rules };
    let mut groups = vec![group("counts", objective.step, counts(objective))];
    for seconds in [15, 60, 300] {
        let rules = Stretch::ALL.into_iter().filter(|stretch| stretch.interval() == seconds);
        groups.push(group(&format!("burn-{seconds}s"), seconds, rules.map(|s| burn(objective, s)).collect()));
    }
    groups.push(group("alerts", 15, alerts(objective, links)));
    Rules { groups }
}

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(label, value)| (label.to_owned(), value.to_owned())).collect()
}

fn record(objective: &Objective, record: &'static str, count: &str, expr: String) -> Rule {
    let mut labels = labels([
        (NAMESPACE_LABEL, &objective.namespace),
        (NAME_LABEL, &objective.name),
        (INDICATOR_LABEL, &objective.id),
    ]);
    if !count.is_empty() {
        labels.insert(COUNT_LABEL.to_owned(), count.to_owned());
    }
    Rule::Record { record, expr, labels }
}

/// Seconds a process may be out of sight until it is no longer recorded.
const SIGHT: i64 = Tally::SIGHT;
/// Seconds a record of it may be old to be compared with.
const BRIDGE: i64 = Tally::BRIDGE - Tally::SIGHT;

/// `series{labels of the objective, count}`.
fn recorded(objective: &Objective, series: &str, count: &str) -> String {
    format!("{series}{}", of(objective).with(COUNT_LABEL, count))
}

/// The selector of the buckets that end at the threshold, however the metrics
/// system writes the number.
pub fn at_threshold(selector: &Selector, threshold: &str) -> Selector {
    let bare = match threshold.split_once('.') {
        Some((units, decimals)) => format!("{units}.{}", decimals.trim_end_matches('0')),
        None => format!("{threshold}."),
    };
    let bare = bare.trim_end_matches('.');
    let written = if bare.contains('.') { bare.replace('.', "\\.") } else { format!("{bare}|{bare}\\.0") };
    selector.clone().matching("le", &written)
}

/// Sums of one process's counters as PromQL: (all, bad, what must be in sight).
struct Source {
    total: String,
    bad: String,
    sight: String,
}

/// `by` is what sums are made by, beside the process.
fn source(objective: &Objective, by: &str, process: &str) -> Source {
    // What is no number or below zero is left out, and what is without end.
    let sum = |series: String| format!("(sum by (job, instance{by}) (last_over_time({series}[{SIGHT}s]) >= 0) < Inf)");
    let process_total = recorded(objective, process, TOTAL);
    match &objective.indicator {
        Indicator::Events { metric, total, bad } => Source {
            total: sum(format!("{metric}{total}")),
            // No series of bad events beside one of all of them is no bad event.
            bad: format!("{} or 0 * sum by (job, instance{by}) ({process_total})", sum(format!("{metric}{bad}"))),
            sight: format!("{metric}{total}"),
        },
        Indicator::Latency { histogram, selector, threshold } => Source {
            total: sum(format!("{histogram}_count{selector}")),
            bad: format!(
                "sum by (job, instance{by}) ({process_total}) - {} >= 0",
                sum(format!("{histogram}_bucket{}", at_threshold(selector, threshold)))
            ),
            sight: format!("{histogram}_count{selector}"),
        },
        Indicator::Expression { bad, total } => {
            let within = |text: &str| text.replace("$window", &format!("{}s", objective.step));
            Source { total: within(total), bad: within(bad), sight: String::new() }
        }
    }
}

/// What grew since the step before, restarts seen.
fn grown(objective: &Objective, process: &str, count: &str) -> String {
    let now = recorded(objective, process, count);
    let before = format!("last_over_time({now}[{BRIDGE}s] offset {}s)", objective.step);
    format!("{now} - {before} >= 0 or ({now} and {before})")
}

fn counts(objective: &Objective) -> Vec<Rule> {
    let (total, bad) = if objective.slice.is_some() { (SLICE, SLICE) } else { (COUNTED, COUNTED) };
    let source_of_all = source(objective, "", PROCESS);
    let mut rules = Vec::new();
    if objective.is_approximate() {
        let (all, bads) = (&source_of_all.total, &source_of_all.bad);
        rules.push(record(objective, total, TOTAL, format!("sum({all}) >= 0")));
        let none = format!("0 * sum({})", recorded(objective, total, TOTAL));
        rules.push(record(objective, bad, BAD, format!("sum({bads}) >= 0 or {none}")));
    } else {
        rules.push(record(objective, PROCESS, TOTAL, source_of_all.total.clone()));
        rules.push(record(objective, PROCESS, BAD, source_of_all.bad.clone()));
        let in_sight = format!("and on () count({}) > 0", source_of_all.sight);
        for (series, count) in [(total, TOTAL), (bad, BAD)] {
            let expr = format!("sum({}) {in_sight}", grown(objective, PROCESS, count));
            rules.push(record(objective, series, count, expr));
        }
    }
    if let Some(slice) = objective.slice {
        let (all, bads) = (recorded(objective, SLICE, TOTAL), recorded(objective, SLICE, BAD));
        rules.push(record(objective, COUNTED, TOTAL, format!("1 + 0 * sum({all})")));
        let judged = format!("sum({bads}) > bool {} * sum({all})", slice.fraction());
        rules.push(record(objective, COUNTED, BAD, judged));
    }
    let (all, bads) = (recorded(objective, COUNTED, TOTAL), recorded(objective, COUNTED, BAD));
    rules.push(record(objective, COUNTED, MEASURED, format!("{} + 0 * (sum({all}) + sum({bads}))", objective.step)));
    rules.extend(by_partition(objective));
    rules
}

/// Counts of each value of the partition's label; none when there are more
/// values than were asked for.
fn by_partition(objective: &Objective) -> Vec<Rule> {
    let Some(partition) = &objective.partition else { return Vec::new() };
    let label = &partition.label;
    let Source { total, bad, sight } = source(objective, &format!(", {label}"), PROCESS_BY);
    let few = format!("and on () count(count by ({label}) ({sight})) <= {}", partition.max_values);
    let mut rules = vec![
        record(objective, PROCESS_BY, TOTAL, format!("({total}) {few}")),
        record(objective, PROCESS_BY, BAD, format!("({bad}) {few}")),
    ];
    for count in [TOTAL, BAD] {
        // A value that a known process tells for the first time began at zero.
        let now = recorded(objective, PROCESS_BY, count);
        let before = |series: &str| format!("last_over_time({series}[{BRIDGE}s] offset {}s)", objective.step);
        let known = before(&recorded(objective, PROCESS, TOTAL));
        let first = format!("({now} unless {}) and on (job, instance) {known}", before(&now));
        let grown = grown(objective, PROCESS_BY, count);
        rules.push(record(objective, COUNTED_BY, count, format!("sum by ({label}) ({grown} or ({first}))")));
    }
    rules
}

fn sum_over(objective: &Objective, count: &str, stretch: Stretch) -> String {
    format!("sum(sum_over_time({}[{}]))", recorded(objective, COUNTED, count), stretch.name())
}

/// `bad ÷ events ÷ (1 − objective)` over `stretch`. Fewer events than the
/// objective's minimum are divided by the minimum: one error in a quiet night
/// is no outage, and an outage in it still is.
fn burn(objective: &Objective, stretch: Stretch) -> Rule {
    let over = |count| sum_over(objective, count, stretch);
    let least = objective.minimum.events.max(1);
    let expr = format!("{} / clamp_min({}, {least}) / {}", over(BAD), over(TOTAL), objective.target.fraction());
    match record(objective, BURN, "", expr) {
        Rule::Record { record, expr, mut labels } => {
            labels.insert(WINDOW_LABEL.to_owned(), stretch.name().to_owned());
            Rule::Record { record, expr, labels }
        }
        alert @ Rule::Alert { .. } => alert,
    }
}

/// Seconds without a measurement after which people are told: as long as the
/// fastest page would take if every request failed, but not before five
/// minutes, in which a pod may well be replaced.
pub fn silence_told_after(objective: &Objective) -> u64 {
    let pages = objective.rows.iter().filter(|row| row.severity == Severity::Page);
    pages.map(|row| row.detects_outage_within(objective.target)).min().unwrap_or(1800).clamp(300, 3600)
}

fn alerts(objective: &Objective, links: &Links) -> Vec<Rule> {
    let mut all = Vec::new();
    for (severity, alert) in
        [(Severity::Page, Alert::ErrorBudgetBurnsFast), (Severity::Ticket, Alert::ErrorBudgetBurnsSlowly)]
    {
        let rows: Vec<&Row> = objective.rows.iter().filter(|row| row.severity == severity).collect();
        if rows.is_empty() {
            continue;
        }
        let burn = |stretch: Stretch| format!("{BURN}{}", of(objective).with(WINDOW_LABEL, stretch.name()));
        let either: Vec<String> = rows
            .iter()
            .map(|row| {
                let factor = row.factor_text();
                let both =
                    format!("{} > {factor} and ignoring (window) {} > {factor}", burn(row.long), burn(row.short));
                match objective.slice {
                    Some(_) => format!("({both})"),
                    // One bad event is none to wake anybody for, however quiet the night.
                    None => format!("({both} and on () {} > 1)", sum_over(objective, BAD, row.long)),
                }
            })
            .collect();
        let told: Vec<String> = rows.iter().map(|row| meaning(row, objective.target)).collect();
        let description = format!(
            "{}Fires when {}. Burn rate now: {{{{ $value | printf \"%.1f\" }}}} (1 spends the budget of {} exactly in that time). {}",
            sentence(&objective.description),
            told.join(", or "),
            objective.window.told(),
            left(objective),
        );
        let expr = format!("max without (window) ({})", either.join(" or "));
        let summary = format!(
            "{}: the error budget of {} ({} %) burns too fast",
            objective.service,
            objective.key(),
            objective.target.percentage()
        );
        all.push(alert_of(objective, links, (alert, severity), (expr, None), summary, description));
    }
    let silence = silence_told_after(objective);
    let pages = objective.rows.iter().any(|row| row.severity == Severity::Page);
    let severity = if pages { Severity::Page } else { Severity::Ticket };
    let counted = format!("{COUNTED}{}", of(objective).with(COUNT_LABEL, MEASURED));
    all.push(alert_of(
        objective,
        links,
        (Alert::ObjectiveNotMeasured, severity),
        (format!("absent_over_time({counted}[{silence}s])"), None),
        format!("{}: {} is not measured", objective.service, objective.key()),
        format!(
            "{}Nothing was counted for {silence} s: either the service is gone, or its metrics are. \
             The budget is neither spent nor restored meanwhile. {}",
            sentence(&objective.description),
            left(objective)
        ),
    ));
    all
}

fn sentence(description: &str) -> String {
    let trimmed = description.trim_end_matches('.');
    // Double braces would be read as a template.
    let plain = trimmed.replace("{{", "{ {").replace("}}", "} }");
    if plain.is_empty() { String::new() } else { format!("{plain}. ") }
}

/// A row in words.
fn meaning(row: &Row, target: Target) -> String {
    format!(
        "more than {} % of events over {} and over {} were bad (burn rate {})",
        decimal(u128::from(row.bad_share(target)) * 100, u128::from(WHOLE), 4),
        row.long.name(),
        row.short.name(),
        row.factor_text()
    )
}

/// What is left, as a template that asks when the alert is told.
fn left(objective: &Objective) -> String {
    let selector = told(objective).to_string().replace('\\', "\\\\").replace('"', "\\\"");
    let ask = |series: &str, format: &str, unknown: &str| {
        format!(
            "{{{{ with query \"{series}{selector}\" }}}}{{{{ . | first | value | {format} }}}}{{{{ else }}}}{unknown}{{{{ end }}}}"
        )
    };
    format!(
        "Minutes of budget left: {}. Time to exhaustion if the last hour goes on: {}.",
        ask(REMAINING_MINUTES, "printf \"%.1f\"", "not known"),
        ask(EXHAUSTION_SECONDS, "humanizeDuration", "beyond the window"),
    )
}

fn alert_of(
    objective: &Objective,
    links: &Links,
    (alert, severity): (Alert, Severity),
    (expr, pending): (String, Option<String>),
    summary: String,
    description: String,
) -> Rule {
    let labels = labels([
        ("severity", severity.label()),
        ("team", &objective.team),
        ("service", &objective.service),
        (NAMESPACE_LABEL, &objective.namespace),
        (NAME_LABEL, &objective.name),
    ]);
    let dashboard = format!(
        "{}/d/{DASHBOARD}?var-namespace={}&var-objective={}",
        links.dashboards, objective.namespace, objective.name
    );
    let annotations = BTreeMap::from([
        ("summary".to_owned(), summary),
        ("description".to_owned(), description),
        ("runbook_url".to_owned(), format!("{}/{}", links.runbooks, alert.name())),
        ("dashboard_url".to_owned(), dashboard),
    ]);
    Rule::Alert { alert: alert.name(), expr, pending, labels, annotations }
}

/// The rules that speak of no single objective: policies that entered a stage
/// which wakes people, and an operator that evaluates no more.
pub fn of_operator(links: &Links) -> Rules {
    let annotations = |alert: Alert, summary: &str, description: &str| {
        BTreeMap::from([
            ("summary".to_owned(), summary.to_owned()),
            ("description".to_owned(), description.to_owned()),
            ("runbook_url".to_owned(), format!("{}/{}", links.runbooks, alert.name())),
            ("dashboard_url".to_owned(), format!("{}/d/{DASHBOARD}", links.dashboards)),
        ])
    };
    let rule = |alert: Alert, severity: Severity, expr: String, pending: Option<&str>, summary: &str, text: &str| {
        Rule::Alert {
            alert: alert.name(),
            expr,
            pending: pending.map(str::to_owned),
            labels: labels([("severity", severity.label()), ("team", "platform"), ("service", "hashinsight-operator")]),
            annotations: annotations(alert, summary, text),
        }
    };
    let stage = rule(
        Alert::ErrorBudgetStageEntered,
        Severity::Page,
        format!("max by (policy, stage) ({STAGE}{{page=\"true\"}}) == 1"),
        None,
        "error budget policy {{ $labels.policy }} is in stage {{ $labels.stage }}",
        "The worst objective under the policy has so little budget left that the policy restricts releases and asks for somebody. `hashinsight slo budget` shows which.",
    );
    let silent = rule(
        Alert::ObjectivesNotEvaluated,
        Severity::Ticket,
        format!("time() - max({EVALUATED}) > 600"),
        Some("1m"),
        "objectives have not been evaluated for ten minutes",
        "Budgets in status and stages of policies are as old as that; alerts on burn rates still work, for Prometheus evaluates them itself.",
    );
    let group = Group { name: "slo/operator".to_owned(), interval: "15s".to_owned(), rules: vec![stage, silent] };
    Rules { groups: vec![group] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objective::Reach;
    use crate::objective::tests::{AVAILABILITY, LATENCY, spec};

    fn links() -> Links {
        Links { runbooks: "https://r".into(), dashboards: "https://g".into() }
    }

    fn objective(yaml: &str) -> Objective {
        Objective::parse("ns", "o", &spec(yaml), &Reach::Everything).unwrap()
    }

    #[test]
    fn buckets_are_found_however_their_end_is_written() {
        for (threshold, le) in [
            ("0.25", "0\\\\.25"),
            ("0.250", "0\\\\.25"),
            ("1", "1|1\\\\.0"),
            ("2.0", "2|2\\\\.0"),
            ("10", "10|10\\\\.0"),
        ] {
            let told = at_threshold(&Selector::default(), threshold).to_string();
            assert_eq!(told, format!("{{le=~\"{le}\"}}"), "{threshold}");
        }
    }

    #[test]
    fn alerts_carry_what_people_need_and_no_value_in_a_label() {
        let rules = of_objective(&objective(AVAILABILITY), &links());
        let mut seen = Vec::new();
        for rule in rules.groups.iter().flat_map(|group| &group.rules) {
            let Rule::Alert { alert, labels, annotations, .. } = rule else { continue };
            seen.push(*alert);
            assert!(["severity", "team", "service", "slo", "slo_namespace"].iter().all(|l| labels.contains_key(*l)));
            assert!(labels.values().all(|value| !value.contains("{{")), "{labels:?}");
            for key in ["summary", "description", "runbook_url", "dashboard_url"] {
                assert!(annotations.contains_key(key), "{alert} has no {key}");
            }
            assert_eq!(annotations["runbook_url"], format!("https://r/{alert}"));
        }
        assert_eq!(seen, ["ErrorBudgetBurnsFast", "ErrorBudgetBurnsSlowly", "ObjectiveNotMeasured"]);
    }

    #[test]
    fn silence_is_told_when_an_outage_would_be() {
        assert_eq!(silence_told_after(&objective(AVAILABILITY)), 300);
        // 14.4 × 5 % is 72 %: an outage is told after 43 minutes at best.
        assert_eq!(silence_told_after(&objective(LATENCY)), 2592);
    }

    /// The largest objective there can be stays far below what an object holds.
    #[test]
    fn the_largest_objective_stays_small() {
        let matchers = r#"job="core",code=~"5..","#.repeat(14) + r#"job="core""#;
        let mut large = spec(AVAILABILITY);
        large.description = Some("x".repeat(500));
        let events = large.indicator.events.as_mut().unwrap();
        events.metric = "m".repeat(200);
        events.total_selector.clone_from(&matchers);
        events.bad_selector = matchers + ",code=\"1\"";
        large.partition_by =
            Some(hashinsight_crds::objective::PartitionBy { label: "tenant".into(), max_values: 5000 });
        let large = Objective::parse(&"n".repeat(63), &"o".repeat(63), &large, &Reach::Everything).unwrap();
        let text = serde_json::to_string(&of_objective(&large, &links())).unwrap();
        assert!(text.len() < 64 * 1024, "{}", text.len());
    }
}
