//! A fleet over price and network.

use hashinsight_crds::text::{Language, text};
use hashinsight_mining::fleet::{Heatmap, Network, Plan, Rest, steps};
use hashinsight_mining::picture::{Page, heatmap};
use hashinsight_mining::projection::Horizon;
use hashinsight_mining::record::{self, Answer as Computed, Request};
use hashinsight_mining::{Exact, Field, Micro, Sentence};
use serde_json::json;

use super::arguments::{HeatmapOf, expanded};
use super::estimate::yes;
use super::files::{self, Imported};
use super::project::start;
use super::shown::{both, pairs, sentence, tongue};
use super::{fleet, refused, threads};
use crate::arguments::Global;
use crate::output::{Answer, Block, Columns};
use crate::trouble::{Exit, Trouble};

/// Prices and columns that are shown on the screen.
const SHOWN: usize = 9;

/// `first:last:count` as steps.
fn range(option: &str, typed: &str, field: Field) -> Result<Vec<Exact>, Trouble> {
    let trouble = |why: String| {
        let what = text("this is no range", "这不是有效的范围");
        Trouble::new(Exit::Error, what, format!("{option} {typed}: {why}"), format!("{option} FIRST:LAST:COUNT"))
    };
    let parts: Vec<&str> = typed.split(':').collect();
    let [first, last, count] = parts.as_slice() else { return Err(trouble("three parts are needed".to_owned())) };
    let end = |part: &str| field.read(&expanded(part)).map_err(|refusal| trouble(refusal.to_string()));
    let (first, last) = (end(first)?, end(last)?);
    Field::Steps.read(count).map_err(|refusal| trouble(refusal.to_string()))?;
    let count = count.trim().parse().map_err(|_| trouble(format!("{count} is no whole number")))?;
    if last < first {
        return Err(trouble("the last is below the first".to_owned()));
    }
    Ok(steps(&first, &last, count))
}

fn plan(of: &HeatmapOf, fleet_: hashinsight_mining::Fleet) -> Result<Plan, Trouble> {
    let micro = |price: &Exact| Micro::parse(&price.text(6)).unwrap_or_default();
    let network = match &of.difficulties {
        Some(typed) => Network::Difficulty(range("--difficulties", typed, Field::Difficulty)?),
        None => Network::Exahash(range("--exahash", &of.exahash, Field::Exahash)?),
    };
    Ok(Plan {
        fleet: fleet_,
        site: fleet::site(&of.site),
        prices: range("--prices", &of.prices, Field::PriceUsd)?.iter().map(micro).collect(),
        network,
        fees_btc: of.fees.clone(),
        start: start(&of.course),
        height: of.height,
        horizon: of.months.map_or(Horizon::Days(of.days), Horizon::Months),
        price_growth: of.course.price_growth.clone(),
        difficulty_growth: of.course.difficulty_growth.clone(),
        convention: of.course.convention.into(),
        rest: if of.never_rest { Rest::Never } else { Rest::Unprofitable },
    })
}

pub fn answer(of: &HeatmapOf, global: &Global) -> Result<Answer, Trouble> {
    // What is typed wrong is told before a long file is read.
    plan(of, hashinsight_mining::Fleet::default())?;
    let Imported { fleet, summary } = files::fleet(&of.fleet, None, true, global.language)?;
    let plan = plan(of, fleet)?;
    let map = plan.draw(threads(of.fleet.threads)).map_err(|refusal| refused(&refusal))?;
    let request = Request::Heatmap(plan.clone());
    let result = Computed::Heatmap(map.clone());
    files::keep(&of.drawn.kept, &request, &result)?;
    let (plan, map) = (&plan, &map);
    let (language, said) = (global.language, map.sentence(plan));
    let figures = figures(map);
    let page = Page {
        title: sentence("Profit over price and network", "利润随币价与全网变化"),
        sentences: vec![said.clone()],
        picture: heatmap(plan, map, tongue(language)),
        figures: figures.clone(),
        assumptions: assumptions(plan, language),
    };
    files::draw(&of.drawn, page, language)?;
    Ok(Answer {
        exit: files::exit(&summary),
        names: vec![map.zero_price_per_difficulty.as_ref().map_or_else(String::new, |x| x.text(30))],
        csv: Some(table(plan, map)),
        blocks: vec![Block::Line(said.to(tongue(language))), pairs(&figures, language), excerpt(plan, map)],
        data: json!({"schemaVersion": 1, "library": record::LIBRARY, "prices": plan.prices, "network": plan.network,
            "answer": map, "sentence": both(&said)}),
    })
}

fn figures(map: &Heatmap) -> Vec<(Sentence, String)> {
    let cells = || map.cells.iter().flatten();
    let zero = map.zero_price_per_difficulty.as_ref().map(|x| (x * &Exact::whole(1_000_000_000_000)).text(4));
    vec![
        (sentence("days", "天数"), map.days.to_string()),
        (sentence("least, USD", "最少，USD"), cells().min().copied().unwrap_or_default().text(2)),
        (sentence("most, USD", "最多，USD"), cells().max().copied().unwrap_or_default().text(2)),
        (
            sentence("zero at, USD/BTC for each 10^12 of difficulty", "零利润线，每 10^12 难度的 USD/BTC"),
            zero.unwrap_or_else(|| "–".to_owned()),
        ),
    ]
}

fn assumptions(plan: &Plan, language: Language) -> Vec<(Sentence, String)> {
    let site = &plan.site;
    let mut rows = vec![
        (sentence("machines", "矿机台数"), plan.fleet.machines().to_string()),
        (sentence("energy, USD/kWh", "电价，USD/kWh"), site.usd_per_kwh.to_string()),
        (sentence("pool's share", "矿池费率"), site.pool_fee.canonical()),
        (sentence("uptime", "运行率"), site.uptime.canonical()),
        (sentence("meter factor", "计量系数"), site.meter_factor.canonical()),
        (sentence("other costs, USD a day", "其他费用，USD/天"), site.other_usd_per_day.canonical()),
        (sentence("fees of a block, BTC", "每块手续费，BTC"), plan.fees_btc.canonical()),
        (sentence("first day", "首日"), plan.start.to_string()),
        (sentence("height on it", "首日区块高度"), plan.height.to_string()),
        (sentence("growth of price a month", "币价月增长"), plan.price_growth.canonical()),
        (sentence("growth of difficulty a month", "难度月增长"), plan.difficulty_growth.canonical()),
        (sentence("growth", "增长方式"), plan.convention.name().to_owned()),
        (
            sentence("machines rest when they lose money", "亏损的矿机停机"),
            yes(plan.rest == Rest::Unprofitable, language).to_owned(),
        ),
    ];
    rows.extend(files::versions());
    rows
}

/// Every cell at 12 decimals: a row for each price.
fn table(plan: &Plan, map: &Heatmap) -> Vec<Vec<String>> {
    let axis = plan.network.values().iter().map(Exact::canonical);
    let header = std::iter::once("price_usd".to_owned()).chain(axis).collect();
    let rows = plan.prices.iter().zip(&map.cells).map(|(price, cells)| {
        std::iter::once(price.to_string()).chain(cells.iter().map(ToString::to_string)).collect()
    });
    std::iter::once(header).chain(rows).collect()
}

/// Some of the cells, the highest price first, as on the picture.
fn excerpt(plan: &Plan, map: &Heatmap) -> Block {
    let some = |count: usize| (0..count).step_by(count.div_ceil(SHOWN).max(1));
    let values = plan.network.values();
    let heading = |at: usize| values[at].text(0);
    let headings: Vec<String> = some(values.len()).map(heading).collect();
    let axis = match plan.network {
        Network::Exahash(_) => text("USD/BTC \\ EH/S", "USD/BTC \\ EH/S"),
        Network::Difficulty(_) => text("USD/BTC \\ D", "USD/BTC \\ D"),
    };
    let mut rows: Vec<Vec<String>> = some(map.cells.len())
        .map(|row| {
            let cells = some(values.len()).map(|column| map.cells[row][column].text(0));
            std::iter::once(plan.prices[row].to_string()).chain(cells).collect()
        })
        .collect();
    rows.reverse();
    let first: Vec<String> = std::iter::once(String::new()).chain(headings).collect();
    rows.insert(0, first);
    let empty = std::iter::repeat_n(text("", ""), some(values.len()).count());
    Block::Columns(Columns { headings: std::iter::once(axis).chain(empty).collect(), wide: 0, rows })
}
