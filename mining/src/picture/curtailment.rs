//! A backtest: prices with the threshold, and the energy that was left.

use super::short;
use super::svg::{Anchor, Svg, WIDTH, place, ticks};
use crate::Language;
use crate::curtailment::Backtest;

const LEFT: i64 = 620;
const TOP: i64 = 420;
const UPPER: i64 = 2000;
const LOWER: i64 = 900;
const HEIGHT: i64 = 480;
const MICRO: i128 = 1_000_000;

/// Each day's range and mean of prices with the threshold of the whole site;
/// below, the energy not served.
pub fn curtailment(backtest: &Backtest, language: Language) -> String {
    let mut svg = Svg::new(HEIGHT);
    let days = &backtest.days;
    let wide = WIDTH * 10 - LEFT - 180;
    let count = i64::try_from(days.len().max(1)).unwrap_or(1);
    let x = |at: usize| LEFT + (2 * i64::try_from(at).unwrap_or_default() + 1) * wide / (2 * count);
    let threshold = backtest.whole_site.as_ref().map(|(rule, _)| rule.resume_at.wide());
    // Few spikes should not press everything else flat.
    let mut highest: Vec<i128> = days.iter().map(|day| day.highest.wide()).collect();
    highest.sort_unstable();
    let usual = highest.get(highest.len().saturating_mul(98) / 100).or(highest.last()).copied().unwrap_or_default();
    let top = usual.max(threshold.unwrap_or_default()).max(MICRO) * 11 / 10;
    let low = days.iter().map(|day| day.lowest.wide()).min().unwrap_or_default().min(0).max(-top);
    let y = |price: i128| place(price, (low, top), (TOP + UPPER, TOP));
    for tick in ticks(low / MICRO, top / MICRO) {
        svg.line("grid", &[(LEFT, y(tick * MICRO)), (LEFT + wide, y(tick * MICRO))]);
        svg.text("", (LEFT - 40, y(tick * MICRO) + 50), Anchor::End, &tick.to_string());
    }
    svg.clipped((LEFT, TOP), (wide, UPPER), |svg| {
        let upper = days.iter().enumerate().map(|(at, day)| (x(at), y(day.highest.wide())));
        let lower = days.iter().enumerate().rev().map(|(at, day)| (x(at), y(day.lowest.wide())));
        svg.area("g1", &upper.chain(lower).collect::<Vec<_>>());
        let mean: Vec<(i64, i64)> = days.iter().enumerate().map(|(at, day)| (x(at), y(day.mean.wide()))).collect();
        svg.line("axis", &mean);
        if let Some(threshold) = threshold {
            svg.line("zero", &[(LEFT, y(threshold)), (LEFT + wide, y(threshold))]);
        }
    });
    if let Some((rule, _)) = &backtest.whole_site {
        let words =
            language.pick(format!("p* {}", rule.threshold.text(1)), format!("阈值 p* {}", rule.threshold.text(1)));
        svg.text("on", (LEFT + wide, y(rule.resume_at.wide()) - 50), Anchor::End, &words);
    }
    let base = TOP + UPPER + 400 + LOWER;
    let most = days.iter().map(|day| day.not_served_mwh.units()).max().unwrap_or_default().max(1);
    for (at, day) in days.iter().enumerate() {
        let tall = place(day.not_served_mwh.units().max(0), (0, most), (0, LOWER));
        if tall > 0 {
            svg.rectangle("l2", (x(at) - wide / (2 * count), base - tall), ((wide / count).max(5), tall));
        }
    }
    svg.line("axis", &[(LEFT, base), (LEFT + wide, base)]);
    svg.text("", (LEFT - 40, base - LOWER + 100), Anchor::End, &short(most));
    svg.text("", (LEFT - 40, base), Anchor::End, "0");
    for (at, day) in days.iter().enumerate().step_by(days.len().div_ceil(4).max(1)) {
        svg.text("", (x(at), base + 220), Anchor::Start, &day.date.to_string());
    }
    let titles = language.pick(
        ["Price of energy, USD/MWh: range and mean of each day".to_owned(), "energy not served, MWh a day".to_owned()],
        ["电价（USD/MWh）：每日范围与均值".to_owned(), "每日少用电量，MWh".to_owned()],
    );
    svg.text("", (40, 200), Anchor::Start, &titles[0]);
    svg.text("", (40, TOP + UPPER + 300), Anchor::Start, &titles[1]);
    let (never, rule, most) =
        (backtest.totals.never_usd.units(), backtest.totals.rule_usd.units(), backtest.totals.foresight_usd.units());
    let [never, rule, most] = [never, rule, most].map(short);
    let sums = language.pick(
        format!("profit, USD: never stopping {never} · rule {rule} · foresight {most}"),
        format!("利润（USD）：从不停机 {never} · 按规则 {rule} · 完全预知 {most}"),
    );
    svg.text("", (40, base + 560), Anchor::Start, &sums);
    svg.finish(&backtest.sentence().to(language))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::requests;
    use crate::record::{Answer, Request};

    #[test]
    fn a_backtest_shows_prices_threshold_and_energy() {
        for request in requests() {
            let (Request::Curtailment(_), Answer::Curtailment(mut back)) = (&request, request.answer(1).unwrap())
            else {
                continue;
            };
            let english = curtailment(&back, Language::English);
            assert!(
                english.contains("p* ") && english.contains("energy not served") && english.contains("never stopping")
            );
            assert!(curtailment(&back, Language::Chinese).contains("完全预知"));
            back.whole_site = None;
            back.days.clear();
            assert!(curtailment(&back, Language::English).contains("</svg>"));
        }
    }
}
