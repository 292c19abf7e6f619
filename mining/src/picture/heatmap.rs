//! Profit over price and network.

use super::short;
use super::svg::{Anchor, Svg, WIDTH, place, ticks};
use crate::fleet::{Heatmap, Network, Plan};
use crate::{Exact, Language, Pico};

const LEFT: i64 = 620;
const TOP: i64 = 340;
const SIDE: i64 = 4000;
const HEIGHT: i64 = 515;
/// Cells in each direction that have their value written in.
const WRITTEN: usize = 5;

/// A class of shade: colour, from which amount on, whether it is a loss.
const SHADES: [&str; 7] = ["l3", "l2", "l1", "n", "g1", "g2", "g3"];

/// The heatmap, prices upward, the network's axis to the right.
pub fn heatmap(plan: &Plan, map: &Heatmap, language: Language) -> String {
    let mut svg = Svg::new(HEIGHT);
    let most = map.cells.iter().flatten().map(|cell| cell.units().abs()).max().unwrap_or_default().max(1);
    let (rows, columns) = (map.cells.len(), map.cells.first().map_or(0, Vec::len));
    let edge = |at: usize, count: usize| {
        i64::try_from(at).unwrap_or_default() * SIDE / i64::try_from(count.max(1)).unwrap_or(1)
    };
    for (row, cells) in map.cells.iter().enumerate() {
        let (top, bottom) = (TOP + SIDE - edge(row + 1, rows), TOP + SIDE - edge(row, rows));
        let shades: Vec<usize> = cells.iter().map(|cell| shade(*cell, most)).collect();
        // Neighbours of one shade are one shape.
        let mut at = 0;
        for run in shades.chunk_by(|a, b| a == b) {
            let (from, to) = (LEFT + edge(at, columns), LEFT + edge(at + run.len(), columns));
            let size = (to - from, bottom - top);
            svg.rectangle(SHADES[run[0]], (from, top), size);
            if run[0] < 3 {
                svg.hatched((from, top), size);
            }
            at += run.len();
        }
    }
    contour(&mut svg, plan, map);
    axes(&mut svg, plan, language);
    for (row, column) in written(rows).flat_map(|row| written(columns).map(move |column| (row, column))) {
        let middle = |at: usize, count: usize| i64::midpoint(edge(at, count), edge(at + 1, count));
        let place = (LEFT + middle(column, columns), TOP + SIDE - middle(row, rows) + 50);
        let cell = map.cells.get(row).and_then(|cells| cells.get(column)).copied().unwrap_or_default();
        svg.text("on", place, Anchor::Middle, &short(cell.units()));
    }
    let (days, machines) = (map.days, plan.fleet.machines());
    let title = language.pick(
        format!("Profit in USD over {days} days, {machines} machines"),
        format!("{machines} 台矿机 {days} 天的利润（USD）"),
    );
    svg.text("", (40, 110), Anchor::Start, &title);
    let legend = language
        .pick("hatched: loss · thick line: profit is zero".to_owned(), "斜线：亏损 · 粗线：利润为零".to_owned());
    svg.text("faint", (40, TOP + SIDE + 700), Anchor::Start, &legend);
    svg.finish(&map.sentence(plan).to(language))
}

/// Positions whose value is written in, spread evenly.
fn written(count: usize) -> impl Iterator<Item = usize> + Clone {
    let shown = WRITTEN.min(count);
    (0..shown).map(move |at| (2 * at + 1) * count / (2 * shown.max(1)))
}

fn shade(cell: Pico, most: i128) -> usize {
    let part = cell.units().abs() * 100 / most;
    let strength = match part {
        _ if cell == Pico::default() => 0,
        0..10 => 1,
        10..40 => 2,
        _ => 3,
    };
    if cell < Pico::default() { 3 - strength } else { 3 + strength }
}

/// Values of an axis: the middle of the first and of the last cell, in micro.
fn ends(values: &[i128]) -> (i128, i128) {
    let (first, last) = (values.first().copied().unwrap_or_default(), values.last().copied().unwrap_or_default());
    if first == last { (first - 1, last + 1) } else { (first, last) }
}

/// Where the middles of the first and last cell are, from the beginning.
fn middles(count: usize) -> (i64, i64) {
    let half = SIDE / (2 * i64::try_from(count.max(1)).unwrap_or(1));
    (half, SIDE - half)
}

fn micro(value: &Exact) -> i128 {
    value.text(6).replace('.', "").parse().unwrap_or_default()
}

fn prices(plan: &Plan) -> Vec<i128> {
    plan.prices.iter().map(|price| price.wide()).collect()
}

fn contour(svg: &mut Svg, plan: &Plan, map: &Heatmap) {
    let (prices, columns) = (prices(plan), map.zero_prices.len());
    let (from, to) = middles(prices.len());
    let half = middles(columns).0;
    let points: Vec<(i64, i64)> = map
        .zero_prices
        .iter()
        .enumerate()
        .filter_map(|(at, zero)| {
            let x = LEFT + half * (2 * i64::try_from(at).ok()? + 1);
            Some((x, TOP + SIDE - place((*zero)?.units() / 1_000_000, ends(&prices), (from, to))))
        })
        .collect();
    svg.clipped((LEFT, TOP), (SIDE, SIDE), |svg| svg.line("zero", &points));
}

fn axes(svg: &mut Svg, plan: &Plan, language: Language) {
    let prices = prices(plan);
    let (least, most) = ends(&prices);
    for tick in ticks(least / 1_000_000, most / 1_000_000) {
        let y = TOP + SIDE - place(tick * 1_000_000, (least, most), middles(prices.len()));
        svg.line("axis", &[(LEFT - 40, y), (LEFT, y)]);
        svg.text("", (LEFT - 60, y + 50), Anchor::End, &short(tick * 1_000_000_000_000));
    }
    let values: Vec<i128> = plan.network.values().iter().map(micro).collect();
    let (least, most) = ends(&values);
    // Difficulty is read in units of 10^12.
    let (unit, name) = match plan.network {
        Network::Exahash(_) => (1_000_000, ("network hashrate, EH/s", "全网算力，EH/s")),
        Network::Difficulty(_) => (1_000_000_000_000_000_000, ("difficulty, 10^12", "难度，10^12")),
    };
    for tick in ticks(least / unit, most / unit) {
        let x = LEFT + place(tick * unit, (least, most), middles(values.len()));
        svg.line("axis", &[(x, TOP + SIDE), (x, TOP + SIDE + 40)]);
        svg.text("", (x, TOP + SIDE + 190), Anchor::Middle, &tick.to_string());
    }
    let below = (LEFT + SIDE / 2, TOP + SIDE + 420);
    svg.text("", below, Anchor::Middle, &language.pick(name.0.to_owned(), name.1.to_owned()));
    svg.text("faint", (40, TOP - 80), Anchor::Start, &language.pick("USD/BTC".to_owned(), "币价 USD/BTC".to_owned()));
    svg.line("axis", &[(LEFT, TOP), (LEFT, TOP + SIDE), (WIDTH * 10 - 180, TOP + SIDE)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::requests;
    use crate::record::{Answer, Request};

    #[test]
    fn a_heatmap_is_drawn_in_both_languages_and_without_colour() {
        for request in requests() {
            let (Request::Heatmap(plan), Answer::Heatmap(map)) = (&request, request.answer(1).unwrap()) else {
                continue;
            };
            let by_difficulty = Plan {
                network: Network::Difficulty(crate::fleet::steps(
                    &Exact::whole(100_000_000_000_000),
                    &Exact::whole(300_000_000_000_000),
                    9,
                )),
                rest: crate::fleet::Rest::Never,
                ..plan.clone()
            };
            let other = by_difficulty.draw(1).unwrap();
            for (plan, map, axis) in [(plan, &map, "EH/s"), (&by_difficulty, &other, "10^12")] {
                let english = heatmap(plan, map, Language::English);
                let chinese = heatmap(plan, map, Language::Chinese);
                assert!(
                    english.contains(axis)
                        && english.contains("Profit in USD over")
                        && english.contains("class=\"zero\"")
                );
                assert!(chinese.contains("利润") && chinese.contains("斜线"));
            }
            assert!(heatmap(&by_difficulty, &other, Language::English).contains("url(#hatch)"), "losses are hatched");
            let one = Plan {
                network: Network::Exahash(vec![Exact::whole(800)]),
                prices: plan.prices[..1].to_vec(),
                ..plan.clone()
            };
            assert!(heatmap(&one, &one.draw(1).unwrap(), Language::English).contains("</svg>"));
        }
    }
}
