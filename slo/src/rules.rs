//! The recording and alerting rules of an objective.
//!
//! Three groups in order: *counts*, every step, from the counters themselves
//! with restarts seen (the arithmetic of `counts::Tally`, in PromQL); *burn*,
//! sums of counts over stretches of time; *alerts* on them. What is recorded
//! are whole events, so sums over any window are exact, and time without a
//! sample is time that was not measured.

mod alerting;
mod recording;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::alerting::{DASHBOARD, FEW, of_operator, silence_told_after};
pub use self::recording::at_threshold;
use crate::burn::Stretch;
use crate::objective::Objective;
use crate::series::{COUNT_LABEL, COUNTED, of};

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

/// The rules of `objective`.
pub fn of_objective(objective: &Objective, links: &Links) -> Rules {
    let name = |what: &str| format!("slo/{}/{}/{what}", objective.namespace, objective.name);
    let group =
        |what: &str, seconds: u64, rules: Vec<Rule>| Group { name: name(what), interval: format!("{seconds}s"), rules };
    let mut groups = vec![group("counts", objective.step, recording::counts(objective))];
    for seconds in [15, 60, 300] {
        let rules = Stretch::ALL.into_iter().filter(|stretch| stretch.interval() == seconds);
        groups.push(group(
            &format!("burn-{seconds}s"),
            seconds,
            rules.map(|s| recording::burn(objective, s)).collect(),
        ));
    }
    groups.push(group("alerts", 15, alerting::alerts(objective, links)));
    Rules { groups }
}

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(label, value)| (label.to_owned(), value.to_owned())).collect()
}

/// `series{labels of the objective, count}`.
fn recorded(objective: &Objective, series: &str, count: &str) -> String {
    format!("{series}{}", of(objective).with(COUNT_LABEL, count))
}

fn sum_over(objective: &Objective, count: &str, stretch: Stretch) -> String {
    format!("sum(sum_over_time({}[{}]))", recorded(objective, COUNTED, count), stretch.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objective::Reach;
    use crate::objective::tests::{AVAILABILITY, spec};

    pub(super) fn links() -> Links {
        Links { runbooks: "https://r".into(), dashboards: "https://g".into() }
    }

    pub(super) fn objective(yaml: &str) -> Objective {
        Objective::parse("ns", "o", &spec(yaml), &Reach::Everything).unwrap()
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
