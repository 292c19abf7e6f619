//! Alerting rules: when people are told, and what they read.

use std::collections::BTreeMap;

use hashinsight_crds::objective::Severity;

use super::{Group, Links, Rule, Rules, labels, sum_over};
use crate::alerts::Alert;
use crate::burn::{Row, Stretch};
use crate::objective::Objective;
use crate::selector::escaped;
use crate::series::{
    BAD, BURN, COUNT_LABEL, COUNTED, EVALUATED, EXHAUSTION_SECONDS, MEASURED, NAME_LABEL, NAMESPACE_LABEL,
    PROMISE_MISSED, REMAINING_MINUTES, STAGE, WINDOW_LABEL, of, told,
};
use crate::share::{Target, WHOLE, decimal};

/// Uid of the dashboard of objectives.
pub const DASHBOARD: &str = "hashinsight-objectives";

/// Bad events below which nobody is told, however quiet the night: one or two
/// may be anything.
pub const FEW: u64 = 3;

/// Seconds without a measurement after which people are told: as long as the
/// fastest page would take if every request failed, but not before five
/// minutes, in which a pod may well be replaced.
pub fn silence_told_after(objective: &Objective) -> u64 {
    let pages = objective.rows.iter().filter(|row| row.severity == Severity::Page);
    let outage = pages.map(|row| row.detects_outage_within(objective.target)).min().unwrap_or(1800);
    outage.clamp(300, 3600).max(objective.silent_after())
}

pub(super) fn alerts(objective: &Objective, links: &Links) -> Vec<Rule> {
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
                    None => format!("({both} and on () {} >= {FEW})", sum_over(objective, BAD, row.long)),
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
    let unseen = 60.max(2 * objective.step);
    let pages = objective.rows.iter().any(|row| row.severity == Severity::Page);
    let severity = if pages { Severity::Page } else { Severity::Ticket };
    let counted = format!("{COUNTED}{}", of(objective).with(COUNT_LABEL, MEASURED));
    all.push(alert_of(
        objective,
        links,
        (Alert::ObjectiveNotMeasured, severity),
        // What was just made has not counted yet: it has as long as all others.
        (format!("absent_over_time({counted}[{unseen}s])"), Some(format!("{}s", silence - unseen))),
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
    let selector = escaped(&told(objective).to_string());
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
    let promise = rule(
        Alert::IncidentPromiseMissed,
        Severity::Page,
        format!("max by (incident, plan, promise) ({PROMISE_MISSED}) == 1"),
        None,
        "incident {{ $labels.incident }}: the {{ $labels.promise }} promised to plan {{ $labels.plan }} is overdue",
        "Customers of the plan were promised a time that is over. `hashinsight incident list` shows who has it and every clock.",
    );
    let rules = vec![stage, silent, promise];
    let group = Group { name: "slo/operator".to_owned(), interval: "15s".to_owned(), rules };
    Rules { groups: vec![group] }
}

#[cfg(test)]
mod tests {
    use super::super::of_objective;
    use super::super::tests::{links, objective};
    use super::*;
    use crate::objective::tests::{AVAILABILITY, LATENCY};

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
}
