//! History played through an objective.

use hashinsight_crds::text::text;
use hashinsight_slo::alerts::Alert;
use hashinsight_slo::backtest::{Report, Seen, backtest};
use hashinsight_slo::share::hundredths;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::arguments::{Past, Which};
use super::chosen;
use super::past::history;
use crate::arguments::Global;
use crate::output::{Answer, Block, Columns};
use crate::said::{Words, words};
use crate::trouble::{Exit, Trouble};

/// Happenings that are shown on the screen.
const SHOWN: usize = 40;

pub fn answer(which: &Which, past: &Past, global: &Global) -> Result<Answer, Trouble> {
    let (chosen, history) = crate::wait(
        async {
            let chosen = chosen(which, global).await?;
            let history = history(&chosen.objective, past, global).await?;
            Ok((chosen, history))
        },
        global,
    )?;
    let Some(history) = history else {
        let what = text("no history is named", "未指定历史数据");
        let next = "hashinsight slo backtest … --history FILE, or --prometheus-url URL";
        return Err(Trouble::new(Exit::Error, what, "", next));
    };
    let Some(report) = backtest(&chosen.objective, chosen.policy.as_ref(), &history) else {
        let what = text("nothing was counted in that history", "历史数据中没有任何计数");
        return Err(Trouble::new(Exit::Error, what, "", "hashinsight slo backtest --help"));
    };
    Ok(told(&chosen.objective.key(), &report, chosen.policy.is_some(), global))
}

fn told(key: &str, report: &Report, policed: bool, global: &Global) -> Answer {
    let (pages, tickets) = (report.count(Alert::ErrorBudgetBurnsFast), report.count(Alert::ErrorBudgetBurnsSlowly));
    let stages: Vec<&str> = report
        .seen
        .iter()
        .filter_map(|(_, seen)| match seen {
            Seen::Stage(stage, _) => Some(stage.name.as_str()),
            _ => None,
        })
        .collect();
    let (lowest, lowest_at) = report.lowest;
    // Before enough was counted nothing is said of the budget.
    let known = lowest != i64::MAX;
    let left = hundredths(report.last.budget.remaining_share());
    let mut head = vec![
        words(format!("{key}, {} to {}", report.from, report.to), format!("{key}，{} 至 {}", report.from, report.to)),
        words(
            format!(
                "{pages} pages, {tickets} tickets, {} changes of stage; {left} % of the budget is left at the end",
                stages.len()
            ),
            format!("{pages} 次呼叫，{tickets} 张工单，{} 次阶段变化；结束时预算剩余 {left} %", stages.len()),
        ),
    ];
    if known {
        head.push(words(
            format!("the least that was left: {} % at {lowest_at}", hundredths(lowest)),
            format!("最低剩余：{lowest_at} 时 {} %", hundredths(lowest)),
        ));
    }
    if !policed {
        head.push(words(
            "no policy was given, so nothing would have been held back; add -f policy.yaml",
            "未给出策略，因此不会限制任何发布；可加 -f policy.yaml",
        ));
    }
    let items: Vec<(Timestamp, &'static str, Words)> =
        report.seen.iter().map(|(at, seen)| (*at, kind(seen), sentence(seen))).collect();
    let data = json!({
        "schemaVersion": 1, "objective": key, "from": report.from, "to": report.to, "pages": pages, "tickets": tickets,
        "stages": stages, "remainingPercent": left,
        "lowest": if known { json!({"percent": hundredths(lowest), "at": lowest_at}) } else { Value::Null },
        "items": items.iter().map(|(at, kind, told)| json!({"at": at, "kind": kind, "message": told.en})).collect::<Vec<_>>(),
    });
    let mut blocks: Vec<Block> = head.iter().map(|line| Block::Line(line.to(global.language).to_owned())).collect();
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|(at, kind, told)| vec![at.to_string(), (*kind).to_owned(), told.to(global.language).to_owned()])
        .collect();
    let headings = || vec![text("AT", "时间"), text("WHAT", "事项"), text("MESSAGE", "消息")];
    if !rows.is_empty() {
        blocks.push(Block::Line(String::new()));
        let shown = rows.iter().take(SHOWN).cloned().collect();
        blocks.push(Block::Columns(Columns { headings: headings(), wide: 0, rows: shown }));
        if rows.len() > SHOWN {
            blocks.push(Block::Line(format!("… {} (-o json)", rows.len() - SHOWN)));
        }
    }
    let titles = headings().iter().map(|heading| heading.to(global.language).to_owned()).collect();
    let csv = std::iter::once(titles).chain(rows).collect();
    let names = items.iter().map(|(at, kind, _)| format!("{at} {kind}")).collect();
    Answer { csv: Some(csv), exit: Exit::Ok, data, names, blocks }
}

fn kind(seen: &Seen) -> &'static str {
    match seen {
        Seen::Fires(Alert::ErrorBudgetBurnsFast, _) => "Page",
        Seen::Fires(Alert::ErrorBudgetBurnsSlowly, _) => "Ticket",
        Seen::Fires(..) => "Silence",
        Seen::Ends(_) => "Ends",
        Seen::Stage(..) => "Stage",
        Seen::Exhausted => "Exhausted",
        Seen::Restored => "Restored",
    }
}

fn sentence(seen: &Seen) -> Words {
    match seen {
        Seen::Fires(alert, Some(row)) => words(
            format!(
                "{} by {} and {} (burn rate {})",
                alert.name(),
                row.long.name(),
                row.short.name(),
                row.factor_text()
            ),
            format!("{}：{} 与 {}（消耗速度 {}）", alert.name(), row.long.name(), row.short.name(), row.factor_text()),
        ),
        Seen::Fires(alert, None) => words(format!("{} fires", alert.name()), format!("{} 触发", alert.name())),
        Seen::Ends(alert) => words(format!("{} ends", alert.name()), format!("{} 结束", alert.name())),
        Seen::Stage(stage, why) => words(format!("{}: {why}", stage.name), format!("{}：{why}", stage.name)),
        Seen::Exhausted => words("no budget is left", "预算已用尽"),
        Seen::Restored => words("budget is left again", "预算重新有剩余"),
    }
}
