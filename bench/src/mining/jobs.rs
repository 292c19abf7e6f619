//! The four jobs and their inputs, the same for both sides.

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use hashinsight_mining::curtailment::{self, Profiles, Sample, Terms};
use hashinsight_mining::fleet::{self, Kind, Market, Network, Rest, Site, steps};
use hashinsight_mining::growth::Convention;
use hashinsight_mining::projection::Horizon;
use hashinsight_mining::{Exact, Fleet, Micro};
use serde_json::json;

use crate::peak::peak;

/// Models of the rows that are imported, and their power in the catalogue, W.
const MODELS: [(&str, u32); 4] = [
    ("Antminer S21 200T", 3500),
    ("Antminer S19j Pro 104T", 3068),
    ("WhatsMiner M60S 186T", 3441),
    ("S19 XP 140T", 3010),
];

pub struct Inputs {
    fleet: Fleet,
    heatmap: fleet::Plan,
    backtest: curtailment::Plan,
    rows: u64,
}

fn exact(text: &str) -> Exact {
    Exact::parse(text).unwrap()
}

impl Inputs {
    /// Machines that are all different, so that nothing is saved by counting
    /// alike ones together.
    pub fn new(machines: i64, rows: u64) -> Self {
        let kind = |at: i64| Kind {
            terahash: Micro::of(90_000_000 + (at * 7919 % 1_000_003) * 150),
            watts: Micro::of(3_000_000_000 + (at * 104_729 % 999_983) * 600),
            usd_per_kwh: None,
            model: String::new(),
            count: 1,
        };
        let fleet = Fleet::of((0..machines).map(kind)).unwrap();
        let heatmap = fleet::Plan {
            fleet: fleet.clone(),
            site: site(),
            prices: steps(&exact("40000"), &exact("160000"), 41)
                .iter()
                .map(|price| Micro::parse(&price.text(6)).unwrap())
                .collect(),
            network: Network::Exahash(steps(&exact("400"), &exact("1600"), 41)),
            fees_btc: exact("0.03"),
            start: jiff::civil::date(2026, 1, 1),
            height: 925_000,
            horizon: Horizon::Months(60),
            price_growth: exact("0.01"),
            difficulty_growth: exact("0.02"),
            convention: Convention::MonthStart,
            rest: Rest::Unprofitable,
        };
        let terms = Terms {
            usd_per_petahash_day: Micro::of(46_440_000),
            meter_factor: Exact::one(),
            adder_usd_per_mwh: Micro::default(),
            standby_watts: Micro::whole(25),
            ramp_minutes: 8,
            wear_usd: Micro::default(),
            min_off_minutes: 30,
            min_on_minutes: 30,
            lag: 0,
        };
        let curve = Sample { minutes: 5, ..Sample::default() }.curve().unwrap();
        let backtest = curtailment::Plan { fleet: fleet.clone(), terms, profiles: Profiles::default(), curve };
        Self { fleet, heatmap, backtest, rows }
    }

    /// Files for the peer, and the one that is imported.
    pub fn write(&self, folder: &Path) {
        let mut fleet = String::from("terahash,watts\n");
        for kind in self.fleet.kinds() {
            writeln!(fleet, "{},{}", kind.terahash, kind.watts).unwrap();
        }
        let mut prices = String::from("usd_per_mwh\n");
        for (_, price) in self.backtest.curve.points() {
            writeln!(prices, "{price}").unwrap();
        }
        let mut rows = String::from("serial,model,terahash_per_second,watts\n");
        for at in 0..self.rows {
            let (model, watts) = MODELS[usize::try_from(at % 4).unwrap()];
            let (model, serial) =
                if at % 1000 == 7 { ("gaming PC", at) } else { (model, if at % 1000 == 11 { at - 1 } else { at }) };
            let watts = if at % 3 == 0 { String::new() } else { (watts - 5).to_string() };
            let nominal: u64 = [200, 104, 186, 140][usize::try_from(at % 4).unwrap()];
            writeln!(rows, "SN{serial:08},{model},{}.{:02},{watts}", nominal, at % 100).unwrap();
        }
        let terms = json!({
            "difficulty": 109e12, "price": 92817.0, "fees": 0.03, "usd_per_kwh": 0.06, "price_growth": 0.01,
            "difficulty_growth": 0.02, "minutes": 5, "revenue": 46.44, "standby": 25.0, "ramp": 8, "min_off": 30, "min_on": 30,
        });
        let squeezed = |name: &str| name.to_lowercase().replace(' ', "");
        let models: serde_json::Map<_, _> = MODELS.iter().map(|(name, watts)| (squeezed(name), json!(watts))).collect();
        for (name, content) in [
            ("fleet.csv", fleet),
            ("prices.csv", prices),
            ("rows.csv", rows),
            ("terms.json", terms.to_string()),
            ("models.json", serde_json::Value::Object(models).to_string()),
        ] {
            std::fs::write(folder.join(name), content).unwrap();
        }
    }

    /// Profit of all machines.
    pub fn estimate(&self) -> f64 {
        let [price_usd, difficulty, subsidy_btc, fees_btc] = ["92817", "109000000000000", "3.125", "0.03"].map(exact);
        let market = Market { price_usd, difficulty, subsidy_btc, fees_btc };
        float(&self.fleet.estimate(&market, &site()).unwrap().all.day.profit_usd.to_string())
    }

    /// Sum of all cells.
    pub fn heatmap(&self) -> f64 {
        self.heatmap.draw(2).unwrap().cells.iter().flatten().map(|cell| float(&cell.to_string())).sum()
    }

    /// Profit under the rule, with foresight, and all stops.
    pub fn backtest(&self) -> Vec<f64> {
        let totals = self.backtest.backtest(2).unwrap().totals;
        [totals.rule_usd.to_string(), totals.foresight_usd.to_string(), totals.cycles.to_string()]
            .iter()
            .map(|text| float(text))
            .collect()
    }
}

/// Rows accepted and refused, and the most memory the program held, KiB.
pub fn import(program: &Path, folder: &Path) -> (f64, f64, u64) {
    let mut child = Command::new(program)
        .args(["fleet", "import", "rows.csv", "--failed", "failed.csv", "-o", "json"])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let watched = peak(child.id());
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut said).unwrap();
    child.wait().unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let refused = said["refused"].as_object().unwrap().values().filter_map(serde_json::Value::as_f64).sum();
    (said["accepted"].as_f64().unwrap(), refused, watched.join().unwrap())
}

fn site() -> Site {
    Site {
        usd_per_kwh: Micro::of(60_000),
        pool_fee: Exact::zero(),
        uptime: Exact::one(),
        meter_factor: Exact::one(),
        other_usd_per_day: Exact::zero(),
    }
}

fn float(text: &str) -> f64 {
    text.parse().unwrap()
}
