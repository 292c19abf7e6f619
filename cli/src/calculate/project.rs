//! A machine over months or years.

use hashinsight_crds::text::{Language, text};
use hashinsight_mining::daily::Case;
use hashinsight_mining::depreciation::{Schedule, macrs, straight_line};
use hashinsight_mining::picture::{Page, cash_flow};
use hashinsight_mining::projection::{Horizon, Plan, Projection};
use hashinsight_mining::record::{self, Answer as Computed, Request};
use hashinsight_mining::{Exact, Sentence};
use jiff::Zoned;
use serde_json::{Value, json};

use super::arguments::{Course, Project};
use super::estimate::{Numbers, numbers, yes};
use super::shown::{both, dollars, exact_cell, pairs, sentence, tongue};
use super::{files, refused};
use crate::arguments::Global;
use crate::output::{Answer, Block, Columns};
use crate::trouble::{Exit, Trouble};

/// The first day: the one that is typed, else today.
pub fn start(course: &Course) -> jiff::civil::Date {
    course.start.unwrap_or_else(|| Zoned::now().date())
}

fn plan(of: &Project, numbers: &Numbers) -> Plan {
    Plan {
        case: Case {
            terahash_per_second: numbers.terahash.exact(),
            watts: numbers.watts.exact(),
            difficulty: of.market.difficulty.clone(),
            // The height decides.
            subsidy_btc: Exact::zero(),
            fees_btc: of.market.fees.clone(),
            price_usd: of.market.price.clone(),
            pool_fee: of.site.running.pool_fee.clone(),
            usd_per_kwh: of.site.usd_per_kwh.exact(),
            uptime: of.site.running.uptime.clone(),
            meter_factor: of.site.running.meter_factor.clone(),
        },
        start: start(&of.course),
        height: of.height,
        horizon: of.days.map_or(Horizon::Months(of.months), Horizon::Days),
        price_growth: of.course.price_growth.clone(),
        difficulty_growth: of.course.difficulty_growth.clone(),
        convention: of.course.convention.into(),
        stop_when_negative: !of.never_rest,
        capex_usd: of.capex.clone(),
        other_usd_per_day: of.site.other_usd_per_day.clone(),
        discount_per_year: of.discount.clone(),
    }
}

fn depreciation(of: &Project) -> Result<Option<Schedule>, Trouble> {
    let cost: i128 = of.capex.text(6).replace('.', "").parse().unwrap_or_default();
    match of.depreciation.as_deref() {
        None => Ok(None),
        Some("macrs") => Ok(Some(macrs(cost))),
        Some(years) => {
            let years = years.parse().map_err(|_| {
                let what = text("this is no way to depreciate", "没有这种折旧方式");
                Trouble::new(
                    Exit::Error,
                    what,
                    format!("--depreciation {years}"),
                    "--depreciation 4, or --depreciation macrs",
                )
            })?;
            straight_line(cost, 0, years).map(Some).map_err(|refusal| refused(&refusal))
        }
    }
}

pub fn answer(of: &Project, global: &Global) -> Result<Answer, Trouble> {
    let numbers = numbers(&of.machine)?;
    let plan = plan(of, &numbers);
    let projection = plan.project().map_err(|refusal| refused(&refusal))?;
    let request = Request::Projection(Box::new(plan.clone()));
    let result = Computed::Projection(Box::new(projection.clone()));
    files::keep(&of.drawn.kept, &request, &result)?;
    let conventions = projection.by_convention().map_err(|refusal| refused(&refusal))?;
    let schedule = depreciation(of)?;
    let (language, said) = (global.language, projection.sentence());
    let figures = figures(&projection);
    let page = Page {
        title: sentence("Cash flow of a machine", "矿机现金流"),
        sentences: numbers.reason.iter().cloned().chain([said.clone()]).collect(),
        picture: cash_flow(&projection, tongue(language)),
        figures: figures.clone(),
        assumptions: assumptions(&plan, language),
    };
    files::draw(&of.drawn, page, language)?;
    let others = conventions.iter().map(|(convention, profit, percent)| {
        let percent = percent.clone().unwrap_or_else(|| "–".to_owned());
        vec![convention.name().to_owned(), dollars(*profit), percent]
    });
    let headings = vec![text("CONVENTION", "增长方式"), text("PROFIT USD", "利润 USD"), text("DIFFERENCE %", "差异 %")];
    let mut blocks = vec![Block::Line(said.to(tongue(language))), pairs(&figures, language)];
    blocks.push(Block::Columns(Columns { headings, wide: 0, rows: others.collect() }));
    if let Some(schedule) = &schedule {
        blocks.push(Block::Line(schedule.sentence().to(tongue(language))));
        let rows =
            schedule.amounts.iter().enumerate().map(|(year, amount)| vec![(year + 1).to_string(), dollars(*amount)]);
        let headings = vec![text("YEAR", "年"), text("WRITTEN OFF USD", "折旧 USD")];
        blocks.push(Block::Columns(Columns { headings, wide: 0, rows: rows.collect() }));
    }
    let conventions: Vec<Value> = conventions
        .into_iter()
        .map(|(convention, profit, percent)| json!({"convention": convention, "profit_micro_usd": profit.to_string(), "difference_percent": percent}))
        .collect();
    let written_off = schedule.map(|schedule| schedule.amounts.iter().map(ToString::to_string).collect::<Vec<_>>());
    Ok(Answer {
        exit: Exit::Ok,
        names: vec![dollars(projection.total.profit)],
        csv: Some(ledger(&projection)),
        data: json!({"schemaVersion": 1, "library": record::LIBRARY, "request": request, "answer": result,
            "conventions": conventions, "written_off_micro_usd": written_off, "sentence": both(&said)}),
        blocks,
    })
}

fn figures(projection: &Projection) -> Vec<(Sentence, String)> {
    let (total, payback) = (projection.total, &projection.payback);
    let days = payback.dynamic_days.map_or_else(|| "–".to_owned(), |days| days.to_string());
    vec![
        (sentence("days", "天数"), projection.entries.len().to_string()),
        (sentence("bitcoin, sat", "比特币，聪"), total.satoshi.to_string()),
        (sentence("revenue, USD", "收入，USD"), dollars(total.revenue)),
        (sentence("energy, USD", "电费，USD"), dollars(total.power)),
        (sentence("profit, USD", "利润，USD"), dollars(total.profit)),
        (sentence("net present value, USD", "净现值，USD"), dollars(total.net_present_value)),
        (sentence("static payback, days", "静态回本，天"), exact_cell(payback.static_days.as_ref(), 1)),
        (sentence("payback by the ledger, day", "按账目回本，第几天"), days),
        (sentence("days at rest", "停机天数"), total.rested.to_string()),
    ]
}

fn assumptions(plan: &Plan, language: Language) -> Vec<(Sentence, String)> {
    let case = &plan.case;
    let mut rows = vec![
        (sentence("first day", "首日"), plan.start.to_string()),
        (sentence("height on it", "首日区块高度"), plan.height.to_string()),
        (
            sentence("machine", "矿机"),
            format!("{} TH/s, {} W", case.terahash_per_second.canonical(), case.watts.canonical()),
        ),
        (sentence("price, USD/BTC", "币价，USD/BTC"), case.price_usd.canonical()),
        (sentence("difficulty", "难度"), case.difficulty.canonical()),
        (sentence("fees of a block, BTC", "每块手续费，BTC"), case.fees_btc.canonical()),
        (sentence("pool's share", "矿池费率"), case.pool_fee.canonical()),
        (sentence("energy, USD/kWh", "电价，USD/kWh"), case.usd_per_kwh.canonical()),
        (sentence("uptime", "运行率"), case.uptime.canonical()),
        (sentence("meter factor", "计量系数"), case.meter_factor.canonical()),
        (sentence("growth of price a month", "币价月增长"), plan.price_growth.canonical()),
        (sentence("growth of difficulty a month", "难度月增长"), plan.difficulty_growth.canonical()),
        (sentence("growth", "增长方式"), plan.convention.name().to_owned()),
        (sentence("rests when it loses money", "亏损时停机"), yes(plan.stop_when_negative, language).to_owned()),
        (sentence("cost of the machine, USD", "购机成本，USD"), plan.capex_usd.canonical()),
        (sentence("other costs, USD a day", "其他费用，USD/天"), plan.other_usd_per_day.canonical()),
        (sentence("discount a year", "年贴现率"), plan.discount_per_year.canonical()),
    ];
    rows.extend(files::versions());
    rows
}

fn ledger(projection: &Projection) -> Vec<Vec<String>> {
    let header = [
        "date",
        "satoshi",
        "revenue_micro_usd",
        "power_micro_usd",
        "profit_micro_usd",
        "discounted_micro_usd",
        "rested",
    ];
    let rows = projection.entries.iter().map(|entry| {
        let figures =
            [entry.satoshi, entry.revenue, entry.power, entry.profit, entry.discounted].map(|value| value.to_string());
        let rested = u8::from(entry.rested).to_string();
        std::iter::once(entry.date.to_string()).chain(figures).chain([rested]).collect()
    });
    std::iter::once(header.map(str::to_owned).to_vec()).chain(rows).collect()
}
