//! Recording rules: what each process's counters showed, what was counted, and
//! how fast that burns.

use super::{Rule, labels, recorded, sum_over};
use crate::burn::Stretch;
use crate::counts::Tally;
use crate::objective::{Indicator, Objective};
use crate::selector::Selector;
use crate::series::{
    BAD, BURN, COUNT_LABEL, COUNTED, COUNTED_BY, INDICATOR_LABEL, MEASURED, NAME_LABEL, NAMESPACE_LABEL, PROCESS,
    PROCESS_BY, SLICE, TOTAL, WINDOW_LABEL,
};

/// Seconds a process may be out of sight until it is no longer recorded.
const SIGHT: i64 = Tally::SIGHT;
/// Seconds a record of it may be old to be compared with.
const BRIDGE: i64 = Tally::BRIDGE - Tally::SIGHT;

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

pub(super) fn counts(objective: &Objective) -> Vec<Rule> {
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

/// `bad ÷ events × measured time ÷ stretch ÷ (1 − objective)`: what of the
/// budget burnt in the stretch, so that the first minutes of a service, or what
/// is left after a gap, are not taken for all of it. Fewer events than the
/// objective's minimum are divided by the minimum: one error in a quiet night
/// is no outage, and an outage in it still is. Metrics systems that take in both
/// ends of a stretch measure one step too many of it.
pub(super) fn burn(objective: &Objective, stretch: Stretch) -> Rule {
    let over = |count| sum_over(objective, count, stretch);
    let (least, seconds) = (objective.minimum.events.max(1), stretch.seconds());
    let expr = format!(
        "{} / clamp_min({}, {least}) * clamp_max({}, {seconds}) / {seconds} / {}",
        over(BAD),
        over(TOTAL),
        over(MEASURED),
        objective.target.fraction()
    );
    match record(objective, BURN, "", expr) {
        Rule::Record { record, expr, mut labels } => {
            labels.insert(WINDOW_LABEL.to_owned(), stretch.name().to_owned());
            Rule::Record { record, expr, labels }
        }
        alert @ Rule::Alert { .. } => alert,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
