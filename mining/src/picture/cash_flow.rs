//! A projection's cash, month by month.

use super::short;
use super::svg::{Anchor, Svg, WIDTH, place, ticks};
use crate::Language;
use crate::projection::Projection;

const LEFT: i64 = 640;
const TOP: i64 = 420;
const TALL: i64 = 2600;
const HEIGHT: i64 = 400;
/// Pico-dollars of a micro-dollar.
const PICO: i128 = 1_000_000;

/// Profit of each month as bars, and what remains after the machine's cost as
/// a line.
pub fn cash_flow(projection: &Projection, language: Language) -> String {
    let mut months: Vec<(String, i128)> = Vec::new();
    for entry in &projection.entries {
        let month = entry.date.strftime("%Y-%m").to_string();
        match months.last_mut() {
            Some((last, profit)) if *last == month => *profit += entry.profit,
            _ => months.push((month, entry.profit)),
        }
    }
    let capex: i128 = projection.plan.capex_usd.text(6).replace('.', "").parse().unwrap_or_default();
    let mut sum = -capex;
    let left: Vec<i128> = months
        .iter()
        .map(|(_, profit)| {
            sum += profit;
            sum
        })
        .collect();
    let all = || months.iter().map(|(_, profit)| *profit).chain(left.iter().copied()).chain([0, -capex]);
    let range = (all().min().unwrap_or_default(), all().max().unwrap_or_default().max(1));
    let y = |value: i128| place(value, range, (TOP + TALL, TOP));
    let wide = WIDTH * 10 - LEFT - 180;
    let count = i64::try_from(months.len().max(1)).unwrap_or(1);
    let x = |at: usize| LEFT + i64::try_from(at).unwrap_or_default() * wide / count;
    let mut svg = Svg::new(HEIGHT);
    for tick in ticks(range.0, range.1) {
        svg.line("grid", &[(LEFT, y(tick)), (LEFT + wide, y(tick))]);
        svg.text("", (LEFT - 40, y(tick) + 50), Anchor::End, &short(tick * PICO));
    }
    for (at, (_, profit)) in months.iter().enumerate() {
        let (from, to) = (x(at), x(at + 1));
        let gap = (to - from) / 8;
        let (top, bottom) = (y((*profit).max(0)), y((*profit).min(0)));
        let (place, size) = ((from + gap, top), (to - from - 2 * gap, bottom - top));
        svg.rectangle(if *profit < 0 { "l2" } else { "g2" }, place, size);
        if *profit < 0 {
            svg.hatched(place, size);
        }
    }
    svg.line("axis", &[(LEFT, y(0)), (LEFT + wide, y(0))]);
    let line: Vec<(i64, i64)> = std::iter::once((LEFT, y(-capex)))
        .chain(left.iter().enumerate().map(|(at, left)| (x(at + 1), y(*left))))
        .collect();
    svg.line("zero", &line);
    let step = months.len().div_ceil(4).max(1);
    for (at, (month, _)) in months.iter().enumerate().step_by(step) {
        svg.text("", (x(at), TOP + TALL + 220), Anchor::Start, month);
    }
    if let Some(day) = projection.payback.dynamic_days {
        let days = i128::try_from(projection.entries.len().max(1)).unwrap_or(1);
        let at = place(day.into(), (0, days), (LEFT, LEFT + wide));
        svg.line("mark", &[(at, TOP), (at, TOP + TALL)]);
        let words = language.pick(format!("paid back on day {day}"), format!("第 {day} 天回本"));
        let anchor = if at > LEFT + wide / 2 { Anchor::End } else { Anchor::Start };
        svg.text("on", (at, TOP - 60), anchor, &words);
    }
    let title = language.pick("Cash flow, USD".to_owned(), "现金流，USD".to_owned());
    svg.text("", (LEFT, 200), Anchor::Start, &title);
    let legend =
        language.pick("bars: profit of a month (hatched: loss)".to_owned(), "柱：每月利润（斜线：亏损）".to_owned());
    svg.text("faint", (LEFT, TOP + TALL + 560), Anchor::Start, &legend);
    let legend =
        language.pick("line: sum so far, less the machine's cost".to_owned(), "线：累计利润减购机成本".to_owned());
    svg.text("faint", (LEFT, TOP + TALL + 760), Anchor::Start, &legend);
    svg.finish(&projection.sentence().to(language))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::Horizon;
    use crate::projection::tests::plan;

    #[test]
    fn cash_flow_shows_losses_payback_and_both_languages() {
        let years = crate::projection::Plan { horizon: Horizon::Months(30), ..plan() }.project().unwrap();
        let english = cash_flow(&years, Language::English);
        assert!(english.contains("2026-11") && english.contains("class=\"zero\""), "{english}");
        assert!(cash_flow(&years, Language::Chinese).contains("现金流"));
        let costly = crate::Exact::whole(20);
        let loss = crate::projection::Plan { other_usd_per_day: costly, capex_usd: crate::Exact::whole(1), ..plan() };
        assert!(cash_flow(&loss.project().unwrap(), Language::English).contains("url(#hatch)"));
        for cost in [10, 150] {
            let paid = crate::projection::Plan { capex_usd: crate::Exact::whole(cost), ..plan() }.project().unwrap();
            assert!(cash_flow(&paid, Language::English).contains("paid back on day"), "{cost}");
        }
    }
}
