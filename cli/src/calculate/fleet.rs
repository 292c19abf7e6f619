//! Fleets: the form to fill in, the import, and a day.

use std::path::Path;

use hashinsight_crds::text::{Language, text};
use hashinsight_mining::fleet;
use hashinsight_mining::import::{Summary, TEMPLATE_EN, TEMPLATE_ZH};
use hashinsight_mining::record::{self, Answer as Computed, FleetDay, Request};
use serde_json::json;

use super::arguments::{EstimateOf, FleetFile, Site};
use super::files::{self, Imported};
use super::refused;
use super::shown::{both, cell, pairs, sentence, tongue};
use crate::arguments::Global;
use crate::output::{self, Answer, Block, Columns};
use crate::trouble::Trouble;

/// Kinds that are shown on the screen.
const SHOWN: usize = 30;

pub fn template(global: &Global) -> Result<(), Trouble> {
    let template = match global.language {
        Language::English => TEMPLATE_EN.to_owned(),
        // With the mark, spreadsheets show Chinese as Chinese.
        Language::Chinese => format!("\u{feff}{TEMPLATE_ZH}"),
    };
    output::to_stdout(template.as_bytes())
}

pub fn import(file: &FleetFile, accepted: Option<&Path>, global: &Global) -> Result<Answer, Trouble> {
    let Imported { summary, .. } = files::fleet(file, accepted, false, global.language)?;
    let mut rows = vec![
        (sentence("rows accepted", "接受的行"), summary.accepted.to_string()),
        (sentence("machines", "矿机台数"), summary.machines.to_string()),
        (sentence("rows with a warning", "有警告的行"), summary.warned.to_string()),
        (sentence("rows refused", "被拒绝的行"), summary.refused_rows().to_string()),
    ];
    rows.extend(
        summary
            .refused
            .iter()
            .map(|(code, count)| (sentence(&format!("  {code}"), &format!("  {code}")), count.to_string())),
    );
    let delimiter = format!("{:?}", summary.format.1);
    rows.push((sentence("written as", "文件格式"), format!("{}, {delimiter}", summary.format.0)));
    if !summary.unused.is_empty() {
        rows.push((sentence("columns without meaning here", "未使用的列"), summary.unused.join(", ")));
    }
    let mut blocks = vec![pairs(&rows, global.language)];
    if summary.refused_rows() > 0 {
        let next = match (&file.failed, global.language) {
            (Some(path), Language::English) => format!("mend the rows in {} and import that file", path.display()),
            (Some(path), Language::Chinese) => format!("请修正 {} 中的行，然后导入该文件", path.display()),
            (None, Language::English) => "to have the refused rows with their reasons: --failed FILE".to_owned(),
            (None, Language::Chinese) => "如需被拒绝的行及原因：--failed FILE".to_owned(),
        };
        blocks.push(Block::Line(next));
    }
    let Summary { bytes, accepted, machines, warned, refused, format, unused } = &summary;
    Ok(Answer {
        exit: files::exit(&summary),
        data: json!({"schemaVersion": 1, "bytes": bytes, "accepted": accepted, "machines": machines, "warned": warned,
            "refused": refused, "unused_columns": unused, "encoding": format.0, "delimiter": format.1.to_string()}),
        names: refused.keys().map(ToString::to_string).collect(),
        csv: None,
        blocks,
    })
}

/// The library's site for what is typed.
pub fn site(site: &Site) -> fleet::Site {
    fleet::Site {
        usd_per_kwh: site.usd_per_kwh,
        pool_fee: site.running.pool_fee.clone(),
        uptime: site.running.uptime.clone(),
        meter_factor: site.running.meter_factor.clone(),
        other_usd_per_day: site.other_usd_per_day.clone(),
    }
}

pub fn estimate(of: &EstimateOf, global: &Global) -> Result<Answer, Trouble> {
    let Imported { fleet, summary } = files::fleet(&of.fleet, None, true, global.language)?;
    let market = fleet::Market {
        price_usd: of.market.price.clone(),
        difficulty: of.market.difficulty.clone(),
        subsidy_btc: of.subsidy.clone(),
        fees_btc: of.market.fees.clone(),
    };
    let site = site(&of.site);
    let request = Request::Fleet(FleetDay { fleet: fleet.clone(), market: market.clone(), site: site.clone() });
    let estimate = fleet.estimate(&market, &site).map_err(|refusal| refused(&refusal))?;
    let result = Computed::Fleet(estimate.clone());
    files::keep(&of.kept, &request, &result)?;
    let said = estimate.sentence(&market);
    let (all, best) = (&estimate.all, &estimate.best);
    let figures = [
        (sentence("machines", "矿机台数"), all.machines.to_string()),
        (sentence("hashrate, TH/s", "算力，TH/s"), all.terahash.text(1)),
        (sentence("revenue, USD a day", "收入，USD/天"), all.day.revenue_usd.text(2)),
        (sentence("energy, USD a day", "电费，USD/天"), all.day.power_usd.text(2)),
        (sentence("profit, all running, USD a day", "利润（全部运行），USD/天"), all.day.profit_usd.text(2)),
        (sentence("profit with rest, USD a day", "利润（亏损停机），USD/天"), best.day.profit_usd.text(2)),
        (sentence("machines that rest", "停机台数"), (all.machines - best.machines).to_string()),
        (sentence("break-even price, USD/BTC", "盈亏平衡币价，USD/BTC"), cell(estimate.breakeven_btc_usd, 2)),
    ];
    let rows = estimate.lines.iter().take(SHOWN).map(|line| {
        let mark = if line.runs { "✓" } else { "✗" };
        let (profit, energy) = (line.day.profit_usd.text(4), cell(line.breakeven_usd_per_mwh, 2));
        let kind = [
            line.kind.model.clone(),
            line.kind.count.to_string(),
            line.kind.terahash.to_string(),
            line.kind.watts.to_string(),
        ];
        std::iter::once(mark.to_owned()).chain(kind).chain([profit, energy]).collect()
    });
    let headings = [
        ("", ""),
        ("MODEL", "型号"),
        ("COUNT", "台数"),
        ("TH/S", "TH/S"),
        ("W", "W"),
        ("PROFIT/DAY", "利润/天"),
        ("BREAK-EVEN USD/MWH", "平衡电价 USD/MWh"),
    ];
    let headings = headings.map(|(en, zh)| text(en, zh)).to_vec();
    let mut blocks = vec![
        Block::Line(said.to(tongue(global.language))),
        pairs(&figures, global.language),
        Block::Columns(Columns { headings, wide: 0, rows: rows.collect() }),
    ];
    if estimate.lines.len() > SHOWN {
        blocks.push(Block::Line(format!("… {} (-o csv)", estimate.lines.len() - SHOWN)));
    }
    Ok(Answer {
        exit: files::exit(&summary),
        data: json!({"schemaVersion": 1, "library": record::LIBRARY, "answer": result, "sentence": both(&said)}),
        names: vec![best.day.profit_usd.to_string()],
        csv: Some(lines(&estimate)),
        blocks,
    })
}

fn lines(estimate: &fleet::Estimate) -> Vec<Vec<String>> {
    let header = ["model", "count", "terahash_per_second", "watts", "runs"]
        .into_iter()
        .chain(hashinsight_mining::daily::COLUMNS);
    let full = |value: Option<hashinsight_mining::Pico>| value.map_or_else(String::new, |value| value.to_string());
    let rows = estimate.lines.iter().map(|line| {
        let day = line.day;
        let figures = [day.satoshi, day.revenue_usd, day.power_usd, day.profit_usd].map(|figure| figure.to_string());
        let kind = &line.kind;
        [
            kind.model.clone(),
            kind.count.to_string(),
            kind.terahash.to_string(),
            kind.watts.to_string(),
            u8::from(line.runs).to_string(),
        ]
        .into_iter()
        .chain(figures)
        .chain([full(line.breakeven_usd_per_mwh), full(line.breakeven_btc_usd)])
        .collect()
    });
    std::iter::once(header.map(str::to_owned).collect()).chain(rows).collect()
}
