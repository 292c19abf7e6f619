//! What a machine earns and costs in a day, under the contract of the crate.

use serde::{Deserialize, Serialize};

use crate::Sentence;
use crate::exact::{DECIMALS, Exact};
use crate::input::{Field, Refusal};

/// Seconds in the contract's day.
pub const DAY_SECONDS: i128 = 86_400;
/// Hashes per block and unit of difficulty: 2^32.
pub const HASHES_PER_DIFFICULTY: i128 = 1 << 32;
/// Seconds between blocks that difficulty is set for.
pub const BLOCK_SECONDS: i128 = 600;
/// Satoshis in a bitcoin.
pub const SATOSHI: i128 = 100_000_000;
const TERA: i128 = 1_000_000_000_000;

/// One machine on one day. Fields are within their limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Hashrate, TH/s.
    pub terahash_per_second: Exact,
    /// Power at the wall, W.
    pub watts: Exact,
    /// Network difficulty.
    pub difficulty: Exact,
    /// Subsidy of a block, BTC.
    pub subsidy_btc: Exact,
    /// Fees of a block, BTC.
    pub fees_btc: Exact,
    /// Price, USD/BTC.
    pub price_usd: Exact,
    /// The pool's share of revenue.
    pub pool_fee: Exact,
    /// Price of energy, USD/kWh.
    pub usd_per_kwh: Exact,
    /// Share of the day it runs.
    pub uptime: Exact,
    /// Metered energy for each unit the machine takes.
    pub meter_factor: Exact,
}

impl Case {
    /// Refuses the first field that is beyond its limits.
    pub fn check(&self) -> Result<(), Refusal> {
        [
            (Field::TerahashPerSecond, &self.terahash_per_second),
            (Field::Watts, &self.watts),
            (Field::Difficulty, &self.difficulty),
            (Field::SubsidyBtc, &self.subsidy_btc),
            (Field::FeesBtc, &self.fees_btc),
            (Field::PriceUsd, &self.price_usd),
            (Field::PoolFee, &self.pool_fee),
            (Field::UsdPerKwh, &self.usd_per_kwh),
            (Field::Uptime, &self.uptime),
            (Field::MeterFactor, &self.meter_factor),
        ]
        .into_iter()
        .try_for_each(|(field, value)| field.check(value))
    }

    /// Energy efficiency, J/TH.
    pub fn joules_per_terahash(&self) -> Exact {
        self.watts.over(&self.terahash_per_second).unwrap_or_else(Exact::zero)
    }

    /// A warning for an efficiency no machine is known to have; it is computed
    /// all the same.
    pub fn odd_efficiency(&self) -> Option<Sentence> {
        let efficiency = self.joules_per_terahash();
        let (least, most) = (Exact::whole(5), Exact::whole(150));
        (efficiency < least || efficiency > most).then(|| {
            let value = efficiency.text(1);
            Sentence {
                en: format!("{value} J/TH is outside 5 to 150 J/TH: check hashrate and power"),
                zh: format!("{value} J/TH 超出 5 至 150 J/TH：请核对算力和功耗"),
            }
        })
    }

    /// The day. Exact; rounded only when printed.
    pub fn day(&self) -> Daily {
        let kept = Exact::one() - self.pool_fee.clone();
        let gross = bitcoin_per_day(&self.terahash_per_second, &self.difficulty, &(&self.subsidy_btc + &self.fees_btc));
        let bitcoin = gross * kept * self.uptime.clone();
        let kilowatt_hours = &(&self.watts * &self.uptime) * &(&self.meter_factor * &kilowatt_hours_per_watt());
        let revenue = &bitcoin * &self.price_usd;
        let power = &kilowatt_hours * &self.usd_per_kwh;
        let profit = &revenue - &power;
        Daily {
            breakeven_usd_per_mwh: (&revenue * &Exact::whole(1000)).over(&kilowatt_hours),
            breakeven_btc_usd: power.over(&bitcoin),
            // Revenue is inverse to difficulty.
            breakeven_difficulty: (&self.difficulty * &revenue).over(&power).filter(Exact::is_positive),
            bitcoin,
            kilowatt_hours,
            revenue_usd: revenue,
            power_usd: power,
            profit_usd: profit,
        }
    }
}

/// kWh a day for each watt: 24 h / 1000.
pub(crate) fn kilowatt_hours_per_watt() -> Exact {
    Exact::scaled(24.into(), 3)
}

/// BTC a day of `terahash` TH/s at `difficulty`, when a block pays `reward`
/// BTC, before the pool's share and at full uptime. `difficulty` is not zero.
pub fn bitcoin_per_day(terahash: &Exact, difficulty: &Exact, reward: &Exact) -> Exact {
    let hashes = terahash * &Exact::whole(TERA * DAY_SECONDS);
    let blocks = hashes.over(&(difficulty * &Exact::whole(HASHES_PER_DIFFICULTY)));
    blocks.unwrap_or_else(Exact::zero) * reward.clone()
}

/// Network hashrate in TH/s that difficulty stands for: `D · 2^32 / 600`.
pub fn network_terahash(difficulty: &Exact) -> Exact {
    let per = Exact::fraction(HASHES_PER_DIFFICULTY, BLOCK_SECONDS * TERA).unwrap_or_else(Exact::zero);
    difficulty * &per
}

/// A day's figures, exact. `None` where a quotient is undefined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daily {
    /// BTC a day after the pool's share.
    pub bitcoin: Exact,
    /// Metered energy, kWh.
    pub kilowatt_hours: Exact,
    /// Revenue, USD.
    pub revenue_usd: Exact,
    /// Cost of energy, USD.
    pub power_usd: Exact,
    /// Revenue less energy, USD.
    pub profit_usd: Exact,
    /// Price of energy at which profit is zero, USD/MWh.
    pub breakeven_usd_per_mwh: Option<Exact>,
    /// Price of a bitcoin at which profit is zero, USD.
    pub breakeven_btc_usd: Option<Exact>,
    /// Difficulty at which profit is zero.
    pub breakeven_difficulty: Option<Exact>,
}

/// Columns of [`Daily::columns`].
pub const COLUMNS: [&str; 6] = [
    "sat_per_day",
    "revenue_usd_per_day",
    "power_usd_per_day",
    "profit_usd_per_day",
    "breakeven_usd_per_mwh",
    "breakeven_btc_usd",
];

impl Daily {
    /// Satoshi a day.
    pub fn satoshi(&self) -> Exact {
        &self.bitcoin * &Exact::whole(SATOSHI)
    }

    /// Network hashrate at which profit is zero, TH/s.
    pub fn breakeven_network_terahash(&self) -> Option<Exact> {
        self.breakeven_difficulty.as_ref().map(network_terahash)
    }

    /// The figures as they are served: 12 decimals, an empty cell where a
    /// quotient is undefined.
    pub fn columns(&self) -> [String; 6] {
        let cell = |value: &Option<Exact>| value.as_ref().map_or_else(String::new, |value| value.text(DECIMALS));
        let figures = [&self.satoshi(), &self.revenue_usd, &self.power_usd, &self.profit_usd];
        let [satoshi, revenue, power, profit] = figures.map(|value| value.text(DECIMALS));
        [satoshi, revenue, power, profit, cell(&self.breakeven_usd_per_mwh), cell(&self.breakeven_btc_usd)]
    }

    /// The day in one sentence.
    pub fn sentence(&self, case: &Case) -> Sentence {
        let (revenue, power, profit) = (self.revenue_usd.text(2), self.power_usd.text(2), self.profit_usd.text(2));
        let (difficulty, price) = (case.difficulty.text(0), case.price_usd.text(2));
        Sentence {
            en: format!(
                "At difficulty {difficulty} and {price} USD/BTC the machine earns {revenue} USD and uses energy for \
                 {power} USD a day: {profit} USD remain (86,400 s day, D·2^32 hashes a block, fees included)."
            ),
            zh: format!(
                "在难度 {difficulty}、币价 {price} USD/BTC 下，该矿机每天收入 {revenue} USD，电费 {power} USD，\
                 余 {profit} USD（每天 86,400 秒，每块 D·2^32 次哈希，含手续费）。"
            ),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).unwrap()
    }

    pub(crate) fn case() -> Case {
        Case {
            terahash_per_second: exact("200"),
            watts: exact("3500"),
            difficulty: exact("109000000000000"),
            subsidy_btc: exact("3.125"),
            fees_btc: exact("0.03"),
            price_usd: exact("92817"),
            pool_fee: exact("0.01"),
            usd_per_kwh: exact("0.06"),
            uptime: exact("1"),
            meter_factor: exact("1"),
        }
    }

    #[test]
    fn undefined_quotients_are_empty_cells() {
        let off = Case { uptime: Exact::zero(), ..case() }.day();
        assert_eq!(off.columns()[4..], ["", ""]);
        assert_eq!(off.breakeven_network_terahash(), None);
        let free = Case { usd_per_kwh: Exact::zero(), ..case() }.day();
        assert_eq!(free.breakeven_difficulty, None);
        assert_eq!(free.breakeven_btc_usd, Some(Exact::zero()));
        let paid = Case { usd_per_kwh: exact("-0.02"), ..case() }.day();
        assert_eq!(paid.breakeven_difficulty, None, "at a negative price of energy every difficulty pays");
        let nothing = Case { pool_fee: Exact::one(), ..case() }.day();
        assert_eq!(nothing.breakeven_btc_usd, None);
    }

    #[test]
    fn at_each_break_even_nothing_remains() {
        let day = case().day();
        let again = |change: fn(&mut Case, Exact), value: Option<Exact>| {
            let mut case = case();
            change(&mut case, value.unwrap());
            case.day().profit_usd
        };
        let thousand = Exact::whole(1000);
        let per_kwh = day.breakeven_usd_per_mwh.as_ref().unwrap().over(&thousand);
        assert!(again(|case, value| case.usd_per_kwh = value, per_kwh).is_zero());
        assert!(again(|case, value| case.price_usd = value, day.breakeven_btc_usd.clone()).is_zero());
        assert!(again(|case, value| case.difficulty = value, day.breakeven_difficulty.clone()).is_zero());
        let network = day.breakeven_network_terahash().unwrap();
        assert_eq!(network, network_terahash(day.breakeven_difficulty.as_ref().unwrap()));
    }

    #[test]
    fn the_network_is_read_from_its_difficulty() {
        let exahash = network_terahash(&exact("109000000000000")).over(&Exact::whole(1_000_000)).unwrap();
        assert_eq!(exahash.text(4), "780.2524");
    }

    #[test]
    fn odd_efficiencies_are_warned_of_and_computed() {
        assert_eq!(case().odd_efficiency(), None);
        let odd = Case { watts: exact("100"), ..case() };
        assert!(odd.odd_efficiency().unwrap().en.contains("0.5 J/TH"));
        assert!(odd.check().is_ok());
        assert!(Case { watts: exact("0.5"), ..case() }.check().is_err());
        let sentence = case().day().sentence(&case());
        assert!(sentence.en.contains("USD remain") && sentence.zh.contains("余"));
    }

    proptest! {
        #[test]
        fn earnings_scale_add_and_move_the_right_way(
            terahash in 1_i128..5000, more in 1_i128..1000, factor in 2_i128..50, difficulty in 1_i128..1_000_000_000_000_000,
        ) {
            let day = |terahash: i128, difficulty: i128| {
                let case = Case {
                    terahash_per_second: Exact::whole(terahash), difficulty: Exact::whole(difficulty), ..case()
                };
                case.day()
            };
            let one = day(terahash, difficulty);
            prop_assert_eq!(&one.bitcoin * &Exact::whole(factor), day(terahash * factor, difficulty).bitcoin);
            let sum = &one.bitcoin + &day(more, difficulty).bitcoin;
            prop_assert_eq!(sum, day(terahash + more, difficulty).bitcoin);
            prop_assert!(day(terahash, difficulty + 1).bitcoin < one.bitcoin);
            prop_assert_eq!(day(terahash, difficulty * factor).bitcoin, one.bitcoin.over(&Exact::whole(factor)).unwrap());
        }
    }
}
