//! An objective in words: what is counted, and how its number came about.

use hashinsight_crds::ServiceLevelObjectiveStatus;
use hashinsight_crds::objective::{Budget, Severity};
use hashinsight_slo::budget::minutes;
use hashinsight_slo::objective::{Indicator, Objective};
use hashinsight_slo::share::{WHOLE, decimal};
use hashinsight_slo::window::Window;
use jiff::Timestamp;
use serde_json::json;

use super::arguments::Which;
use super::chosen;
use crate::arguments::Global;
use crate::output::{Answer, Block};
use crate::said::{Words, words};
use crate::trouble::{Exit, Trouble};

pub fn answer(which: &Which, global: &Global) -> Result<Answer, Trouble> {
    let chosen = crate::wait(chosen(which, global), global)?;
    let objective = &chosen.objective;
    let mut told = promise(objective);
    if let Some(status) = &chosen.object.status {
        told.extend(number(objective, status));
    }
    told.extend(alerts(objective));
    told.extend(
        objective.remarks().into_iter().map(|remark| words(format!("Note: {remark}."), format!("注意：{remark}。"))),
    );
    let data = json!({
        "schemaVersion": 1,
        "objective": objective.key(),
        "sentences": told.iter().map(|words| json!({"en": words.en, "zh": words.zh})).collect::<Vec<_>>(),
    });
    let mut blocks = vec![Block::Line(objective.key())];
    blocks.extend(told.iter().map(|words| Block::Line(format!("  {}", words.to(global.language)))));
    Ok(Answer { csv: None, exit: Exit::Ok, data, names: vec![objective.key()], blocks })
}

/// The window in Chinese.
fn window_zh(window: &Window) -> String {
    match window {
        Window::Rolling { days } => format!("最近 {days} 天"),
        Window::Month { zone } => format!("{} 的本月", zone.iana_name().unwrap_or("UTC")),
    }
}

fn promise(objective: &Objective) -> Vec<Words> {
    let (percent, window) = (objective.target.percentage(), objective.window.told());
    let zh_window = window_zh(&objective.window);
    let (what, what_zh) = match &objective.slice {
        Some(slice) => (
            format!("stretches of {} s in which {} % of events are good", objective.step, slice.percentage()),
            format!("每 {} 秒一段、其中 {} % 的事件为好的时间段", objective.step, slice.percentage()),
        ),
        None => ("events".to_owned(), "事件".to_owned()),
    };
    let first = words(
        format!("Promise: of {}, {percent} % of {what} are good over {window}.", objective.service),
        format!("承诺：{} 在{zh_window}内有 {percent} % 的{what_zh}是好的。", objective.service),
    );
    let second = match &objective.indicator {
        Indicator::Events { metric, total, bad } => words(
            format!("Counted: {metric}{total}; bad among them: {metric}{bad}."),
            format!("计数：{metric}{total}；其中坏事件：{metric}{bad}。"),
        ),
        Indicator::Latency { histogram, selector, threshold } => words(
            format!("Counted: {histogram}{selector}; bad is what took longer than {threshold} s."),
            format!("计数：{histogram}{selector}；超过 {threshold} 秒为坏。"),
        ),
        Indicator::Expression { bad, total } => words(
            format!("Counted, approximately: {total}; bad: {bad}."),
            format!("近似计数：{total}；坏事件：{bad}。"),
        ),
    };
    let bounds = objective.window.at(Timestamp::now());
    let total = objective.target.allowed().saturating_mul(bounds.seconds());
    let (allowed, total) = (objective.target.fraction(), minutes(total.cast_signed()));
    let long = minutes(bounds.seconds().saturating_mul(1_000_000).cast_signed());
    let third = words(
        format!("Budget: {allowed} × {long} min = {total} min."),
        format!("预算：{allowed} × {long} 分钟 = {total} 分钟。"),
    );
    vec![first, second, third]
}

fn number(objective: &Objective, status: &ServiceLevelObjectiveStatus) -> Vec<Words> {
    let Some(budget) = &status.budget else {
        return vec![words("Nothing was counted yet.", "尚无计数。")];
    };
    let mut told = vec![counted(status, budget)];
    let (bad, events) = (budget.bad_events, budget.total_events);
    let spent = total_minus(&budget.total_minutes, &budget.remaining_minutes);
    told.push(words(
        format!(
            "Spent: {bad} ÷ {events} × the time measured = {spent} min, {} % of the budget. Left: {}.",
            budget.consumed_percent, budget.remaining
        ),
        format!(
            "已用：{bad} ÷ {events} × 被测量的时间 = {spent} 分钟，占预算 {} %。剩余：{}。",
            budget.consumed_percent, budget.remaining
        ),
    ));
    for entry in &status.ledger {
        let name = entry.name.clone().unwrap_or_else(|| "—".to_owned());
        told.push(words(
            format!("  {:?} {name}: {} bad events, {} %.", entry.cause, entry.bad_events, entry.consumed_percent),
            format!("  {:?} {name}：{} 个坏事件，{} %。", entry.cause, entry.bad_events, entry.consumed_percent),
        ));
    }
    if let Some(at) = &budget.exhausts_at {
        told.push(words(
            format!("If the last hour goes on as it was, nothing is left at {}; failures that leave the window are not reckoned.", at.0),
            format!("若照最近一小时的情况，将于 {} 用尽；未计入移出窗口的故障。", at.0),
        ));
    }
    if let (Some(stage), Some(policy)) = (&status.stage, &objective.policy) {
        told.push(words(
            format!("Policy {policy}: stage {} since {}.", stage.name, stage.since.0),
            format!("策略 {policy}：自 {} 起处于阶段 {}。", stage.since.0, stage.name),
        ));
    }
    let condition = |type_: &str| status.conditions.iter().find(|condition| condition.type_ == type_);
    for type_ in ["Ready", "DataFresh", "BudgetHealthy", "SpecSound"] {
        if let Some(condition) = condition(type_).filter(|condition| condition.status != "True") {
            let told_as = format!("{type_}={} ({}): {}", condition.status, condition.reason, condition.message);
            told.push(words(format!("{told_as}."), format!("{told_as}。")));
        }
    }
    told
}

fn counted(status: &ServiceLevelObjectiveStatus, budget: &Budget) -> Words {
    let since = status.measured_since.as_ref().map_or(budget.window_from.0, |since| since.0.max(budget.window_from.0));
    words(
        format!(
            "Measured from {since} to {}: {} events, {} bad; {} % of that time was measured.",
            budget.as_of.0, budget.total_events, budget.bad_events, budget.coverage_percent
        ),
        format!(
            "{since} 至 {}：{} 个事件，其中 {} 个坏；这段时间有 {} % 被测量。",
            budget.as_of.0, budget.total_events, budget.bad_events, budget.coverage_percent
        ),
    )
}

/// The difference of two decimals with two places.
fn total_minus(total: &str, left: &str) -> String {
    let cents = |text: &str| text.replace('.', "").parse::<i64>().unwrap_or(0);
    hashinsight_slo::share::hundredths(cents(total) - cents(left))
}

fn alerts(objective: &Objective) -> Vec<Words> {
    objective
        .rows
        .iter()
        .map(|row| {
            let share = decimal(u128::from(row.bad_share(objective.target)) * 100, u128::from(WHOLE), 4);
            let outage = row.detects_outage_within(objective.target);
            let (long, short) = (row.long.name(), row.short.name());
            let (who, who_zh) = match row.severity {
                Severity::Page => ("Somebody is woken", "叫醒值班人员"),
                Severity::Ticket => ("A ticket is due", "开工单"),
            };
            words(
                format!(
                    "{who} when more than {share} % of {long} and of {short} are bad: {} % of the budget; after {outage} s of a whole outage.",
                    row.budget_percent
                ),
                format!(
                    "{who_zh}：{long} 与 {short} 内均有超过 {share} % 为坏（消耗预算的 {} %）；完全中断 {outage} 秒后触发。",
                    row.budget_percent
                ),
            )
        })
        .collect()
}
