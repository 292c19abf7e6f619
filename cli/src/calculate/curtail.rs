//! Stopping for the price of energy.

use std::path::Path;

use hashinsight_crds::text::text;
use hashinsight_mining::curtailment::{Backtest, Curve, Plan, Profiles, Sample, Terms};
use hashinsight_mining::picture::{Page, curtailment};
use hashinsight_mining::record::{self, Answer as Computed, Request};
use hashinsight_mining::{Micro, Pico, Sentence, fleet};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde_json::json;

use super::arguments::{CurtailOf, SampleOf};
use super::files::{self, Imported};
use super::shown::{both, cell, pairs, sentence, tongue};
use super::{refused, threads};
use crate::arguments::Global;
use crate::output::{self, Answer, Block, Columns};
use crate::trouble::{Exit, Trouble};

/// Bytes of a file of prices.
const PRICES_MAX: u64 = 128 * 1024 * 1024;
/// Kinds that are shown on the screen.
const SHOWN: usize = 20;

fn sample(of: &SampleOf) -> Sample {
    Sample { seed: of.seed, year: of.year, minutes: of.minutes }
}

pub fn sample_prices(of: &SampleOf) -> Result<(), Trouble> {
    let csv = sample(of).csv().map_err(|_| no_such_year(of))?;
    output::to_stdout(csv.as_bytes())
}

fn no_such_year(of: &SampleOf) -> Trouble {
    let what = text("there is no such synthetic year", "没有这样的合成年份");
    let why = format!("--year {} --minutes {}: 2009 to 2200, and 5, 10, 15, 20, 30 or 60", of.year, of.minutes);
    Trouble::new(Exit::Error, what, why, "hashinsight fleet sample-prices")
}

/// The zone by its name, from the data this program carries: the same on every
/// machine.
fn zone(name: &str) -> Result<TimeZone, Trouble> {
    TimeZoneDatabase::bundled().get(name).map_err(|error| {
        Trouble::new(
            Exit::Error,
            text("there is no such time zone", "没有这个时区"),
            error.to_string(),
            "--zone Europe/Berlin",
        )
    })
}

fn curve(of: &CurtailOf) -> Result<Curve, Trouble> {
    let zone = of.zone.as_deref().map(zone).transpose()?;
    match &of.prices {
        Some(path) => {
            let bytes = files::read(path, PRICES_MAX)?;
            Curve::read(&bytes, zone.as_ref())
                .map_err(|error| files::wrong(path, error, "hashinsight fleet sample-prices"))
        }
        None => sample(&of.synthetic).curve().map_err(|_| no_such_year(&of.synthetic)),
    }
}

fn profiles(path: Option<&Path>) -> Result<Profiles, Trouble> {
    let Some(path) = path else { return Ok(Profiles::default()) };
    let bytes = files::read(path, PRICES_MAX)?;
    Profiles::read(&bytes).map_err(|error| files::wrong(path, error, ""))
}

fn revenue(of: &CurtailOf) -> Result<Micro, Trouble> {
    match (of.revenue, &of.price, &of.difficulty) {
        (None, Some(price), Some(difficulty)) => {
            let (subsidy_btc, fees_btc) = (of.subsidy.clone(), of.fees.clone());
            let market =
                fleet::Market { price_usd: price.clone(), difficulty: difficulty.clone(), subsidy_btc, fees_btc };
            Terms::revenue(&market, &of.pool_fee).map_err(|refusal| refused(&refusal))
        }
        (revenue, ..) => Ok(revenue.unwrap_or_default()),
    }
}

pub fn answer(of: &CurtailOf, global: &Global) -> Result<Answer, Trouble> {
    let terms = Terms {
        usd_per_petahash_day: revenue(of)?,
        meter_factor: of.meter_factor.clone(),
        adder_usd_per_mwh: of.adder,
        standby_watts: of.standby_watts,
        ramp_minutes: of.ramp_minutes,
        wear_usd: of.wear,
        min_off_minutes: of.min_off,
        min_on_minutes: of.min_on,
        lag: of.lag,
    };
    let (curve, profiles) = (curve(of)?, profiles(of.profiles.as_deref())?);
    let Imported { fleet, summary } = files::fleet(&of.fleet, None, true, global.language)?;
    let plan = Plan { fleet, terms, profiles, curve };
    let back = plan.backtest(threads(of.fleet.threads)).map_err(|refusal| refused(&refusal))?;
    let request = Request::Curtailment(plan.clone());
    let result = Computed::Curtailment(back.clone());
    files::keep(&of.drawn.kept, &request, &result)?;
    let (plan, back) = (&plan, &back);
    let (language, said) = (global.language, back.sentence());
    let why = back.whole_site.as_ref().map(|(rule, _)| rule.sentence(&plan.terms));
    let synthetic = of.prices.is_none().then(|| {
        let (seed, year) = (of.synthetic.seed, of.synthetic.year);
        sentence(
            &format!("The prices are synthetic (seed {seed}, year {year}): they show the method and promise nothing."),
            &format!("电价为合成数据（种子 {seed}，{year} 年）：仅演示方法，不作任何承诺。"),
        )
    });
    let sentences: Vec<Sentence> = [synthetic, Some(said.clone()), why].into_iter().flatten().collect();
    let figures = figures(back);
    let page = Page {
        title: sentence("Stopping for the price of energy", "按电价停机"),
        sentences: sentences.clone(),
        picture: curtailment(back, tongue(language)),
        figures: figures.clone(),
        assumptions: assumptions(plan),
    };
    files::draw(&of.drawn, page, language)?;
    let mut blocks: Vec<Block> = sentences.iter().map(|sentence| Block::Line(sentence.to(tongue(language)))).collect();
    blocks.extend([pairs(&figures, language), kinds(back)]);
    if back.lines.len() > SHOWN {
        blocks.push(Block::Line(format!("… {} (-o csv)", back.lines.len() - SHOWN)));
    }
    Ok(Answer {
        exit: files::exit(&summary),
        names: vec![back.saving().to_string()],
        csv: Some(lines(back)),
        data: json!({"schemaVersion": 1, "library": record::LIBRARY, "synthetic": of.prices.is_none(), "terms": plan.terms,
            "answer": back, "sentences": sentences.iter().map(both).collect::<Vec<_>>()}),
        blocks,
    })
}

fn figures(back: &Backtest) -> Vec<(Sentence, String)> {
    let totals = &back.totals;
    let site = back.whole_site.as_ref();
    let rule = |of: fn(&hashinsight_mining::curtailment::Rule) -> String| {
        site.map_or_else(|| "–".to_owned(), |(rule, _)| of(rule))
    };
    let captured = back.captured_percent().map_or_else(|| "–".to_owned(), |percent| percent.text(1));
    vec![
        (sentence("threshold of the whole site, USD/MWh", "全场阈值，USD/MWh"), rule(|rule| rule.threshold.text(3))),
        (sentence("stop above, USD/MWh", "停机高于，USD/MWh"), rule(|rule| rule.stop_above.exact().text(3))),
        (sentence("come back at, USD/MWh", "恢复价，USD/MWh"), rule(|rule| rule.resume_at.exact().text(3))),
        (sentence("profit, never stopping, USD", "利润（从不停机），USD"), totals.never_usd.text(2)),
        (sentence("profit, each kind by its rule, USD", "利润（各类按规则），USD"), totals.rule_usd.text(2)),
        (
            sentence("profit, whole site at once, USD", "利润（全场一起），USD"),
            cell(site.map(|(_, profit)| *profit), 2),
        ),
        (sentence("profit, perfect foresight, USD", "利润（完全预知），USD"), totals.foresight_usd.text(2)),
        (sentence("saving expected, USD", "预计节省，USD"), back.saving().text(2)),
        (sentence("of what foresight saves, %", "占完全预知节省的 %"), captured),
        (sentence("energy not served, MWh", "少用电量，MWh"), totals.not_served_mwh.text(2)),
        (sentence("stops of all machines", "停机总次数"), totals.cycles.to_string()),
        (
            sentence("intervals, and without a price", "时段数，及无价格的"),
            format!("{}, {}", back.intervals, back.missing),
        ),
    ]
}

fn assumptions(plan: &Plan) -> Vec<(Sentence, String)> {
    let (terms, curve) = (&plan.terms, &plan.curve);
    let mut ends = curve.points().map(|(start, _)| start);
    let (first, last) = (ends.next().unwrap_or_default(), ends.last().unwrap_or_default());
    let mut rows = vec![
        (sentence("machines", "矿机台数"), plan.fleet.machines().to_string()),
        (sentence("prices", "电价时段"), format!("{first} – {last}, {} min", curve.minutes)),
        (
            sentence("revenue, USD/PH/day, constant", "算力收入，USD/PH/天（不变）"),
            terms.usd_per_petahash_day.to_string(),
        ),
        (sentence("meter factor", "计量系数"), terms.meter_factor.canonical()),
        (sentence("added to each price, USD/MWh", "加到电价，USD/MWh"), terms.adder_usd_per_mwh.to_string()),
        (sentence("standby, W", "待机功耗，W"), terms.standby_watts.to_string()),
        (sentence("ramp, minutes", "爬升时间，分钟"), terms.ramp_minutes.to_string()),
        (sentence("wear, USD a stop", "每次停机磨损，USD"), terms.wear_usd.to_string()),
        (
            sentence("at least off and on, minutes", "最短停机与运行，分钟"),
            format!("{}, {}", terms.min_off_minutes, terms.min_on_minutes),
        ),
        (sentence("prices known late by, intervals", "电价晚知的时段数"), terms.lag.to_string()),
        (sentence("profiles", "运行档位"), plan.profiles.0.len().to_string()),
    ];
    rows.extend(files::versions());
    rows
}

fn kinds(back: &Backtest) -> Block {
    let rows = back.lines.iter().take(SHOWN).map(|line| {
        let saving = Pico::of(line.rule_usd.units() - line.never_usd.units());
        let rule = |of: fn(&hashinsight_mining::curtailment::Rule) -> String| {
            line.rule.as_ref().map_or_else(|| "–".to_owned(), of)
        };
        vec![
            line.kind.model.clone(),
            line.kind.count.to_string(),
            rule(|rule| rule.threshold.text(2)),
            rule(|rule| rule.stop_above.exact().text(2)),
            line.cycles.to_string(),
            line.off_hours.text(0),
            line.not_served_mwh.text(2),
            saving.text(2),
        ]
    });
    let headings = [
        ("MODEL", "型号"),
        ("COUNT", "台数"),
        ("P* USD/MWH", "阈值"),
        ("STOP ABOVE", "停机高于"),
        ("STOPS", "停机次数"),
        ("HOURS OFF", "停机小时"),
        ("MWH LEFT", "少用 MWh"),
        ("SAVED USD", "节省 USD"),
    ];
    Block::Columns(Columns { headings: headings.map(|(en, zh)| text(en, zh)).to_vec(), wide: 0, rows: rows.collect() })
}

fn lines(back: &Backtest) -> Vec<Vec<String>> {
    let header = [
        "model",
        "count",
        "terahash_per_second",
        "watts",
        "threshold_usd_per_mwh",
        "stop_above_usd_per_mwh",
        "resume_at_usd_per_mwh",
        "cycle_usd",
        "never_usd",
        "rule_usd",
        "foresight_usd",
        "cycles",
        "off_hours",
        "not_served_mwh",
    ];
    let rows = back.lines.iter().map(|line| {
        let rule =
            |of: fn(&hashinsight_mining::curtailment::Rule) -> String| line.rule.as_ref().map_or_else(String::new, of);
        let kind = &line.kind;
        let figures = [line.never_usd, line.rule_usd, line.foresight_usd].map(|figure| figure.to_string());
        [kind.model.clone(), kind.count.to_string(), kind.terahash.to_string(), kind.watts.to_string()]
            .into_iter()
            .chain([rule(|rule| rule.threshold.to_string()), rule(|rule| rule.stop_above.to_string())])
            .chain([rule(|rule| rule.resume_at.to_string()), rule(|rule| rule.cycle_usd.to_string())])
            .chain(figures)
            .chain([line.cycles.to_string(), line.off_hours.to_string(), line.not_served_mwh.to_string()])
            .collect()
    });
    std::iter::once(header.map(str::to_owned).to_vec()).chain(rows).collect()
}
