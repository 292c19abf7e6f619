//! A fleet on one day: every kind by itself, all together, and what remains
//! when those that lose money rest.

use serde::Serialize;

use super::{Fleet, Kind, Market, Site, contour};
use crate::Sentence;
use crate::daily::SATOSHI;
use crate::exact::Exact;
use crate::input::Refusal;
use crate::micro::MILLION;
use crate::staged::{Pico, Rate, sum};

/// What machines earn and cost a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Satoshi.
    pub satoshi: Pico,
    /// Revenue, USD.
    pub revenue_usd: Pico,
    /// Energy, USD.
    pub power_usd: Pico,
    /// Revenue less energy, USD.
    pub profit_usd: Pico,
}

/// One machine of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The kind.
    pub kind: Kind,
    /// One machine's day.
    pub day: Figures,
    /// Price of energy at which its profit is zero, USD/MWh.
    pub breakeven_usd_per_mwh: Option<Pico>,
    /// Price of a bitcoin at which its profit is zero, USD.
    pub breakeven_btc_usd: Option<Pico>,
    /// Whether it earns more than its energy costs.
    pub runs: bool,
}

/// So many machines running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Machines that run.
    pub machines: u64,
    /// Their hashrate, TH/s.
    pub terahash: Pico,
    /// Metered energy, kWh a day.
    pub kilowatt_hours: Pico,
    /// Their day; the profit is less the fleet's other costs.
    pub day: Figures,
}

/// A fleet's day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Kind by kind, the most efficient first.
    pub lines: Vec<Line>,
    /// Every machine running.
    pub all: Outcome,
    /// Those that lose money at rest.
    pub best: Outcome,
    /// Price of a bitcoin at which the fleet, with rest, makes nothing, USD;
    /// none when no price is above it or no price reaches it.
    pub breakeven_btc_usd: Option<Pico>,
}

struct Rates {
    satoshi: Rate,
    revenue: Rate,
    usd_per_mwh: Rate,
    kilowatt_hours: Rate,
    other: Rate,
}

impl Fleet {
    /// The fleet's day, every figure that of exact arithmetic.
    pub fn estimate(&self, market: &Market, site: &Site) -> Result<Estimate, Refusal> {
        market.check()?;
        site.check()?;
        let bitcoin = site.bitcoin_per_terahash(&market.difficulty, &(&market.subsidy_btc + &market.fees_btc));
        let revenue = &bitcoin * &market.price_usd;
        let kilowatt_hours = site.kilowatt_hours_per_watt();
        let usd_per_mwh = (&revenue * &Exact::whole(1000)).over(&kilowatt_hours);
        let defined = usd_per_mwh.is_some();
        let rates = Rates {
            satoshi: Rate::new(&bitcoin * &Exact::whole(SATOSHI)),
            revenue: Rate::new(revenue.clone()),
            usd_per_mwh: Rate::new(usd_per_mwh.unwrap_or_else(Exact::zero)),
            kilowatt_hours: Rate::new(kilowatt_hours),
            other: Rate::new(site.other_usd_per_day.clone()),
        };
        let mut powers = Powers { site, bitcoin: &bitcoin, known: Vec::new() };
        let mut lines = Vec::with_capacity(self.kinds().len());
        for kind in self.kinds() {
            lines.push(line(kind, &rates, powers.of(kind), defined)?);
        }
        let stairs = self.staircases(site);
        let outcome = |best: bool| -> Result<Outcome, Refusal> {
            let steps: Vec<_> = stairs
                .iter()
                .map(|stair| if best { stair.running(&bitcoin, &market.price_usd) } else { stair.all() })
                .collect();
            let powers: Vec<Rate> = stairs.iter().map(|stair| Rate::new(stair.usd_per_watt.clone())).collect();
            let terahash = steps.iter().map(|step| step.terahash).sum();
            let watts = steps.iter().map(|step| step.watts).sum();
            let cost: Vec<(&Rate, i128)> = powers.iter().zip(steps.iter().map(|step| step.watts)).collect();
            let mut kept: Vec<(&Rate, i128)> = cost.iter().map(|(rate, watts)| (*rate, -watts)).collect();
            kept.extend([(&rates.revenue, terahash), (&rates.other, -i128::from(MILLION))]);
            let million = i128::from(MILLION);
            Ok(Outcome {
                machines: steps.iter().map(|step| step.machines).sum(),
                terahash: Pico::of(terahash * million),
                kilowatt_hours: sum(&[(&rates.kilowatt_hours, watts)], million)?,
                day: Figures {
                    satoshi: sum(&[(&rates.satoshi, terahash)], million)?,
                    revenue_usd: sum(&[(&rates.revenue, terahash)], million)?,
                    power_usd: sum(&cost, million)?,
                    profit_usd: sum(&kept, million)?,
                },
            })
        };
        let price = contour::zero(&stairs, &[(1, bitcoin.clone())], &site.other_usd_per_day, true);
        let breakeven_btc_usd = price.as_ref().map(Pico::rounded).transpose()?;
        Ok(Estimate { lines, all: outcome(false)?, best: outcome(true)?, breakeven_btc_usd })
    }
}

/// What a watt costs at each price of energy, and how much bitcoin pays for it:
/// computed once for each price, of which there are few.
struct Powers<'a> {
    site: &'a Site,
    bitcoin: &'a Exact,
    known: Vec<(crate::Micro, Power)>,
}

struct Power {
    usd: Rate,
    /// USD of energy for each BTC, where there is any.
    per_bitcoin: Option<Rate>,
}

impl Powers<'_> {
    fn of(&mut self, kind: &Kind) -> &Power {
        let price = kind.usd_per_kwh.unwrap_or(self.site.usd_per_kwh);
        let at = self.known.binary_search_by_key(&price, |(price, _)| *price).unwrap_or_else(|at| {
            let usd = self.site.usd_per_watt_day(price);
            let per_bitcoin = usd.over(self.bitcoin).map(Rate::new);
            self.known.insert(at, (price, Power { usd: Rate::new(usd), per_bitcoin }));
            at
        });
        &self.known[at].1
    }
}

fn line(kind: &Kind, rates: &Rates, power: &Power, defined: bool) -> Result<Line, Refusal> {
    let (terahash, watts, million) = (kind.terahash.wide(), kind.watts.wide(), i128::from(MILLION));
    let quotient = |rate: &Rate, above, below| sum(&[(rate, above)], below);
    let day = Figures {
        satoshi: sum(&[(&rates.satoshi, terahash)], million)?,
        revenue_usd: sum(&[(&rates.revenue, terahash)], million)?,
        power_usd: sum(&[(&power.usd, watts)], million)?,
        profit_usd: sum(&[(&rates.revenue, terahash), (&power.usd, -watts)], million)?,
    };
    Ok(Line {
        kind: kind.clone(),
        runs: day.profit_usd > Pico::default(),
        day,
        breakeven_usd_per_mwh: if defined { Some(quotient(&rates.usd_per_mwh, terahash, watts)?) } else { None },
        breakeven_btc_usd: power.per_bitcoin.as_ref().map(|rate| quotient(rate, watts, terahash)).transpose()?,
    })
}

impl Estimate {
    /// The fleet's day in one sentence.
    pub fn sentence(&self, market: &Market) -> Sentence {
        let (machines, resting) = (self.all.machines, self.all.machines - self.best.machines);
        let (all, best) = (self.all.day.profit_usd.text(2), self.best.day.profit_usd.text(2));
        let (difficulty, price) = (market.difficulty.text(0), market.price_usd.text(2));
        Sentence {
            en: format!(
                "At difficulty {difficulty} and {price} USD/BTC the fleet of {machines} makes {all} USD a day with every \
                 machine running, and {best} USD with the {resting} that lose money at rest (86,400 s day, D·2^32 hashes \
                 a block, fees and other costs included)."
            ),
            zh: format!(
                "在难度 {difficulty}、币价 {price} USD/BTC 下，{machines} 台矿机全部运行每天盈利 {all} USD；\
                 让 {resting} 台亏损的矿机停机则为 {best} USD（每天 86,400 秒，每块 D·2^32 次哈希，含手续费与其他费用）。"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::daily::Case;
    use crate::fleet::tests::{any_kind, exact, kind, market, site};

    fn case(kind: &Kind, site: &Site) -> Case {
        let market = market();
        Case {
            terahash_per_second: kind.terahash.exact(),
            watts: kind.watts.exact(),
            difficulty: market.difficulty,
            subsidy_btc: market.subsidy_btc,
            fees_btc: market.fees_btc,
            price_usd: market.price_usd,
            pool_fee: site.pool_fee.clone(),
            usd_per_kwh: kind.usd_per_kwh.unwrap_or(site.usd_per_kwh).exact(),
            uptime: site.uptime.clone(),
            meter_factor: site.meter_factor.clone(),
        }
    }

    #[test]
    fn undefined_quotients_are_empty_and_what_does_not_fit_is_refused() {
        let fleet = Fleet::of([kind(200_000_000, 3_500_000_000, None, 3)]).unwrap();
        let off = fleet.estimate(&market(), &Site { uptime: Exact::zero(), ..site() }).unwrap();
        assert_eq!((off.lines[0].breakeven_usd_per_mwh, off.lines[0].breakeven_btc_usd), (None, None));
        assert_eq!((off.best.machines, off.breakeven_btc_usd), (0, None));
        let easy = super::Market { difficulty: Exact::one(), price_usd: exact("1000000000"), ..market() };
        let all = Fleet::of([kind(5_000_000_000, 3_500_000_000, None, 10_000_000)]).unwrap();
        assert_eq!(all.estimate(&easy, &site()), Err(Refusal::Overflow));
        assert!(fleet.estimate(&market(), &Site { uptime: exact("2"), ..site() }).is_err());
        assert!(fleet.estimate(&super::Market { price_usd: exact("-1"), ..market() }, &site()).is_err());
        let sentence = fleet.estimate(&market(), &site()).unwrap().sentence(&market());
        assert!(sentence.en.contains("fleet of 3") && sentence.zh.contains("3 台"), "{sentence:?}");
    }

    #[test]
    fn at_the_fleet_s_break_even_price_nothing_remains() {
        let fleet =
            Fleet::of([kind(200_000_000, 3_500_000_000, None, 2), kind(90_000_000, 3_100_000_000, Some(90_000), 5)]);
        let (fleet, site) = (fleet.unwrap(), Site { other_usd_per_day: exact("3.7"), ..site() });
        let price = fleet.estimate(&market(), &site).unwrap().breakeven_btc_usd.unwrap();
        let at = |price: Pico| {
            let market = Market { price_usd: price.exact(), ..market() };
            fleet.estimate(&market, &site).unwrap().best.day.profit_usd
        };
        assert!(at(price).units().abs() <= 1, "{}", at(price));
        assert!(at(Pico::of(price.units() * 2)) > Pico::default());
    }

    proptest! {
        #[test]
        fn a_fleet_is_its_machines_one_by_one(kinds in proptest::collection::vec(any_kind(), 1..12)) {
            let fleet = Fleet::of(kinds).unwrap();
            let estimate = fleet.estimate(&market(), &site()).unwrap();
            let (mut all, mut best) = (-site().other_usd_per_day, -site().other_usd_per_day);
            for line in &estimate.lines {
                let day = case(&line.kind, &site()).day();
                let cell = |value: Option<Pico>| value.map_or_else(String::new, |value| value.to_string());
                let Figures { satoshi, revenue_usd, power_usd, profit_usd } = line.day;
                let [satoshi, revenue, power, profit] =
                    [satoshi, revenue_usd, power_usd, profit_usd].map(|value| value.to_string());
                let breakevens = [cell(line.breakeven_usd_per_mwh), cell(line.breakeven_btc_usd)];
                let [mwh, btc] = breakevens;
                prop_assert_eq!([satoshi, revenue, power, profit, mwh, btc], day.columns());
                let profit = &day.profit_usd * &Exact::whole(line.kind.count.into());
                all = &all + &profit;
                if day.profit_usd.is_positive() {
                    best = &best + &profit;
                }
            }
            prop_assert_eq!(estimate.all.day.profit_usd, Pico::rounded(&all).unwrap());
            prop_assert_eq!(estimate.best.day.profit_usd, Pico::rounded(&best).unwrap());
        }
    }
}
