//! One machine on one day, or a file of them.

use std::path::Path;

use hashinsight_crds::text::{Language, text};
use hashinsight_mining::catalogue::{Catalogue, Sighting};
use hashinsight_mining::daily::{COLUMNS, Case};
use hashinsight_mining::golden::INPUTS;
use hashinsight_mining::record::{self, Answer as Computed, Request};
use hashinsight_mining::{Exact, Field, Micro, Sentence};
use serde_json::json;

use super::arguments::{Estimate, Machine};
use super::shown::{both, exact_cell, pairs, sentence, tongue};
use super::{files, refused};
use crate::arguments::Global;
use crate::output::{Answer, Block, Columns};
use crate::trouble::{Exit, Trouble};

/// Bytes of a file of cases.
const CASES_MAX: u64 = 64 * 1024 * 1024;

/// A machine's numbers, and why they are its.
pub struct Numbers {
    pub terahash: Micro,
    pub watts: Micro,
    pub reason: Option<Sentence>,
}

/// The numbers that are typed, and the catalogue's for those that are not.
pub fn numbers(machine: &Machine) -> Result<Numbers, Trouble> {
    match (machine.terahash, machine.watts, &machine.model) {
        (Some(terahash), Some(watts), None) => Ok(Numbers { terahash, watts, reason: None }),
        (terahash, watts, Some(text)) => {
            let found = Catalogue::shipped().recognize(Sighting { text, terahash, watts }).map_err(|why| {
                let what = hashinsight_crds::text::text("which machine is meant is not clear", "无法确定是哪种矿机");
                Trouble::new(Exit::Error, what, why.sentence(text).en, "--terahash TH/S --watts W")
            })?;
            Ok(Numbers { terahash: found.terahash, watts: found.watts, reason: Some(found.reason()) })
        }
        (..) => Err(Trouble::new(
            Exit::Error,
            text("which machine is meant is not said", "未说明是哪种矿机"),
            "--model, or --terahash and --watts",
            "hashinsight estimate --help",
        )),
    }
}

pub fn answer(of: &Estimate, global: &Global) -> Result<Answer, Trouble> {
    if let Some(path) = &of.cases {
        return cases(path, global);
    }
    let Numbers { terahash, watts, reason } = numbers(&of.machine)?;
    let case = Case {
        terahash_per_second: terahash.exact(),
        watts: watts.exact(),
        difficulty: of.difficulty.clone().unwrap_or_else(Exact::one),
        subsidy_btc: of.subsidy.clone(),
        fees_btc: of.fees.clone(),
        price_usd: of.price.clone().unwrap_or_else(Exact::zero),
        pool_fee: of.running.pool_fee.clone(),
        usd_per_kwh: of.usd_per_kwh.unwrap_or_default().exact(),
        uptime: of.running.uptime.clone(),
        meter_factor: of.running.meter_factor.clone(),
    };
    case.check().map_err(|refusal| refused(&refusal))?;
    let day = case.day();
    let (request, result) = (Request::Estimate(case.clone()), Computed::Estimate(Box::new(day.clone())));
    files::keep(&of.kept, &request, &result)?;
    let said = day.sentence(&case);
    let network = day.breakeven_network_terahash().and_then(|network| network.over(&Exact::whole(1_000_000)));
    let rows = [
        (sentence("bitcoin, sat a day", "比特币，聪/天"), day.satoshi().text(2)),
        (sentence("revenue, USD a day", "收入，USD/天"), day.revenue_usd.text(4)),
        (sentence("energy, kWh a day", "用电，kWh/天"), day.kilowatt_hours.text(3)),
        (sentence("energy, USD a day", "电费，USD/天"), day.power_usd.text(4)),
        (sentence("profit, USD a day", "利润，USD/天"), day.profit_usd.text(4)),
        (
            sentence("break-even energy, USD/MWh", "盈亏平衡电价，USD/MWh"),
            exact_cell(day.breakeven_usd_per_mwh.as_ref(), 3),
        ),
        (sentence("break-even price, USD/BTC", "盈亏平衡币价，USD/BTC"), exact_cell(day.breakeven_btc_usd.as_ref(), 2)),
        (sentence("break-even network, EH/s", "盈亏平衡全网算力，EH/s"), exact_cell(network.as_ref(), 2)),
        (sentence("efficiency, J/TH", "能效，J/TH"), case.joules_per_terahash().text(2)),
    ];
    let mut blocks: Vec<Block> = [reason, Some(said.clone()), case.odd_efficiency()]
        .into_iter()
        .flatten()
        .map(|sentence| Block::Line(sentence.to(tongue(global.language))))
        .collect();
    blocks.push(pairs(&rows, global.language));
    Ok(Answer {
        exit: Exit::Ok,
        data: json!({"schemaVersion": 1, "library": record::LIBRARY, "request": request, "answer": result, "sentence": both(&said)}),
        names: vec![day.profit_usd.to_string()],
        csv: Some(vec![COLUMNS.map(str::to_owned).to_vec(), day.columns().to_vec()]),
        blocks,
    })
}

/// A row of results for each case; a case that cannot be computed is told of
/// and leaves its row empty.
fn cases(path: &Path, global: &Global) -> Result<Answer, Trouble> {
    let bytes = files::read(path, CASES_MAX)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(bytes);
    let header = reader.headers().map_err(|error| files::wrong(path, error, ""))?.clone();
    let place = |name: &str| header.iter().position(|known| known == name);
    let places: Vec<(Field, Option<usize>)> =
        INPUTS.into_iter().chain([Field::MeterFactor]).map(|field| (field, place(field.name()))).collect();
    let missing: Vec<&str> =
        places[..INPUTS.len()].iter().filter(|(_, at)| at.is_none()).map(|(field, _)| field.name()).collect();
    if !missing.is_empty() {
        let why = format!("line 1: no column {}", missing.join(", "));
        return Err(files::wrong(path, why, "hashinsight estimate --help"));
    }
    let (mut table, mut items, mut troubles) = (vec![COLUMNS.map(str::to_owned).to_vec()], Vec::new(), Vec::new());
    for (at, record) in reader.records().enumerate() {
        let line = record.as_ref().ok().and_then(|record| record.position()).map_or(at as u64 + 2, csv::Position::line);
        let name =
            record.as_ref().ok().and_then(|record| Some(record.get(place("case")?)?.to_owned())).unwrap_or_default();
        match record.map_err(|error| error.to_string()).and_then(|record| case(&record, &places)) {
            Ok(case) => {
                let day = case.day();
                table.push(day.columns().to_vec());
                items.push(json!({"line": line, "case": name, "day": day}));
            }
            Err(why) => {
                table.push(vec![String::new(); COLUMNS.len()]);
                items.push(json!({"line": line, "case": name, "error": why}));
                troubles.push(format!("line {line}: {why}"));
            }
        }
    }
    let exit = if troubles.is_empty() { Exit::Ok } else { Exit::Refused };
    if exit == Exit::Refused {
        let what = text("some cases cannot be computed; their rows are empty", "部分条目无法计算，其行为空");
        Trouble::new(exit, what, troubles.join("\n       "), "").tell(global.language);
    }
    let rows = table.iter().skip(1).zip(&items).map(|(cells, item)| {
        let short = cells.iter().map(|cell| Exact::parse(cell).map_or_else(|_| "–".to_owned(), |value| value.text(4)));
        std::iter::once(item["case"].as_str().unwrap_or_default().to_owned()).chain(short).collect()
    });
    let headings = ["CASE", "SAT/DAY", "REVENUE", "POWER", "PROFIT", "USD/MWH", "USD/BTC"];
    let translated = ["名称", "聪/天", "收入", "电费", "利润", "平衡电价", "平衡币价"];
    let headings = headings.into_iter().zip(translated).map(|(en, zh)| text(en, zh)).collect();
    Ok(Answer {
        exit,
        blocks: vec![Block::Columns(Columns { headings, wide: 0, rows: rows.collect() })],
        names: items.iter().map(|item| item["case"].as_str().unwrap_or_default().to_owned()).collect(),
        data: json!({"schemaVersion": 1, "library": record::LIBRARY, "items": items}),
        csv: Some(table),
    })
}

fn case(record: &csv::StringRecord, places: &[(Field, Option<usize>)]) -> Result<Case, String> {
    let cell = |wanted: Field| -> Result<Exact, String> {
        let at = places.iter().find(|(field, _)| *field == wanted).and_then(|(_, at)| *at);
        match at.map(|at| record.get(at).ok_or_else(|| format!("{}: no such field on this line", wanted.name()))) {
            Some(text) => wanted.read(text?).map_err(|refusal| refusal.to_string()),
            None => Ok(Exact::one()),
        }
    };
    Ok(Case {
        terahash_per_second: cell(Field::TerahashPerSecond)?,
        watts: cell(Field::Watts)?,
        difficulty: cell(Field::Difficulty)?,
        subsidy_btc: cell(Field::SubsidyBtc)?,
        fees_btc: cell(Field::FeesBtc)?,
        price_usd: cell(Field::PriceUsd)?,
        pool_fee: cell(Field::PoolFee)?,
        usd_per_kwh: cell(Field::UsdPerKwh)?,
        uptime: cell(Field::Uptime)?,
        meter_factor: cell(Field::MeterFactor)?,
    })
}

/// The language's own word for yes or no.
pub fn yes(value: bool, language: Language) -> &'static str {
    match (value, language) {
        (true, Language::English) => "yes",
        (false, Language::English) => "no",
        (true, Language::Chinese) => "是",
        (false, Language::Chinese) => "否",
    }
}
