//! When a machine should stop for the price of energy, and what that would have
//! brought.
//!
//! In every interval by itself a machine should run exactly while energy costs
//! less than `p* = hashrate · revenue / (power − standby)`; no other threshold
//! found by trying is better than chance. A stop costs something, too: hashrate
//! lost while the machine comes back, and wear. So it stops above `p* + band`,
//! where the band pays for a stop within the shortest time off, and comes back
//! at `p*`.
//!
//! Everything here is whole numbers of `10^-18 / 2880` USD, in which revenue,
//! energy and half a ramp have no remainder.

mod backtest;
mod foresight;
mod paid;
mod prices;
mod profiles;
mod sample;

use serde::{Deserialize, Serialize};

use crate::Sentence;
use crate::daily::bitcoin_per_day;
use crate::exact::Exact;
use crate::fleet::Market;
use crate::input::{Field, Refusal};
use crate::micro::{MILLION, Micro};
use crate::staged::{Pico, half_away};

pub use backtest::{Backtest, Day, Line, Plan, Totals};
pub use prices::{BadPrices, Curve, Problem, Run};
pub use profiles::{BadProfiles, Profile, Profiles};
pub use sample::{SAMPLE_ZONE, Sample};

/// Units of a day of a micro-TH/s at a micro-dollar for each PH/s and day, for
/// each minute.
const REVENUE: i128 = 2000;
/// Units of a micro-watt at a micro-dollar for each MWh, for each minute.
const ENERGY: i128 = 48;
/// Units of a micro-dollar.
const MICRO_USD: i128 = 2880 * 1_000_000_000_000;
/// Units of `10^-12` USD.
const PICO_USD: i128 = 2880 * 1_000_000;

/// How a site sells its hashrate, buys its energy and may switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Revenue after the pool's share, USD/PH/day.
    pub usd_per_petahash_day: Micro,
    /// Metered energy for each unit the machines take.
    pub meter_factor: Exact,
    /// What comes on top of the curve's price, USD/MWh.
    pub adder_usd_per_mwh: Micro,
    /// Power of a machine that is stopped, W.
    pub standby_watts: Micro,
    /// Minutes until a machine that comes back has its full hashrate; half of
    /// its revenue in them is lost.
    pub ramp_minutes: u32,
    /// Wear with each stop and start, USD a machine.
    pub wear_usd: Micro,
    /// A machine stays off for so many minutes.
    pub min_off_minutes: u32,
    /// A machine stays on for so many minutes.
    pub min_on_minutes: u32,
    /// Intervals until the price of one is known to whoever switches.
    pub lag: u32,
}

impl Terms {
    fn check(&self) -> Result<(), Refusal> {
        Field::UsdPerPetahashDay.check_micro(self.usd_per_petahash_day)?;
        Field::MeterFactor.check(&self.meter_factor)?;
        Field::UsdPerMwh.check_micro(self.adder_usd_per_mwh)?;
        Field::StandbyWatts.check_micro(self.standby_watts)?;
        Field::WearUsd.check_micro(self.wear_usd)?;
        [self.ramp_minutes, self.min_off_minutes, self.min_on_minutes, self.lag]
            .into_iter()
            .try_for_each(|minutes| Field::Minutes.check(&Exact::whole(minutes.into())))
    }

    /// Revenue of hashrate in a market, after the pool's share, rounded to a
    /// micro-dollar for each PH/s and day.
    pub fn revenue(market: &Market, pool_fee: &Exact) -> Result<Micro, Refusal> {
        market.check()?;
        Field::PoolFee.check(pool_fee)?;
        let reward = &market.subsidy_btc + &market.fees_btc;
        let bitcoin = bitcoin_per_day(&Exact::whole(1000), &market.difficulty, &reward);
        let usd = &bitcoin * &market.price_usd * (Exact::one() - pool_fee.clone());
        let micro = Micro::parse(&usd.text(6)).map_err(|_| Refusal::Overflow)?;
        Field::UsdPerPetahashDay.check_micro(micro).map(|()| micro)
    }
}

/// One way a machine can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mode {
    /// Units earned a minute.
    revenue: i128,
    /// Units for each micro-dollar a MWh and minute: power, metered.
    power: i128,
}

/// A machine as the backtest sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Machine {
    /// How it runs when nobody curtails.
    nominal: Mode,
    /// All the ways it can run; the nominal one is among them.
    modes: Vec<Mode>,
    /// Power when stopped, as in [`Mode::power`].
    standby: i128,
    /// What a stop costs, units.
    cycle: i128,
}

impl Machine {
    /// What running in the best way brings over being stopped, units a minute.
    fn gain(&self, price: i64) -> i128 {
        let price = i128::from(price);
        let gains = self.modes.iter().map(|mode| mode.revenue - (mode.power - self.standby) * price);
        gains.max().unwrap_or_default()
    }

    /// The mode whose threshold is the highest: the one to stop from.
    fn last(&self) -> Option<Mode> {
        let above = self.modes.iter().copied().filter(|mode| mode.power > self.standby);
        above.max_by(|a, b| {
            (a.revenue * (b.power - self.standby))
                .cmp(&(b.revenue * (a.power - self.standby)))
                .then(b.power.cmp(&a.power))
        })
    }
}

/// When a machine stops and comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// The price of the curve at which running and resting cost the same,
    /// USD/MWh.
    pub threshold: Pico,
    /// It stops above this price of the curve, USD/MWh.
    pub stop_above: Micro,
    /// It comes back at this price or below, USD/MWh.
    pub resume_at: Micro,
    /// What a stop costs a machine, USD.
    pub cycle_usd: Pico,
    /// Minutes off that pay for a stop at 5, 20 and 50 USD/MWh above the
    /// threshold.
    pub worthwhile_minutes: [Pico; 3],
}

impl Rule {
    /// For a machine; none when stopping it saves no energy.
    fn of(machine: &Machine, terms: &Terms) -> Option<Self> {
        let mode = machine.last()?;
        let saved = mode.power - machine.standby;
        let whole = |above: i128, below: i128| Micro::of(i64::try_from(half_away(above, below)).unwrap_or(i64::MAX));
        let adder = terms.adder_usd_per_mwh;
        let threshold = Exact::fraction(mode.revenue, saved * i128::from(MILLION))? - adder.exact();
        let resume = whole(mode.revenue, saved).units() - adder.units();
        let band = whole(machine.cycle, saved * i128::from(terms.min_off_minutes.max(1))).units();
        let minutes = |dollars: i128| {
            let quotient = Exact::fraction(machine.cycle, saved * dollars * i128::from(MILLION));
            Pico::rounded(&quotient.unwrap_or_else(Exact::zero)).unwrap_or_default()
        };
        Some(Self {
            threshold: Pico::rounded(&threshold).ok()?,
            stop_above: Micro::of(resume.saturating_add(band)),
            resume_at: Micro::of(resume),
            cycle_usd: Pico::of(half_away(machine.cycle, PICO_USD)),
            worthwhile_minutes: [5, 20, 50].map(minutes),
        })
    }

    /// Why this threshold, in one sentence.
    pub fn sentence(&self, terms: &Terms) -> Sentence {
        let (threshold, stop, resume) =
            (self.threshold.text(2), self.stop_above.exact().text(2), self.resume_at.exact().text(2));
        let (cycle, revenue) = (self.cycle_usd.text(4), terms.usd_per_petahash_day.exact().text(2));
        let (off, on) = (terms.min_off_minutes, terms.min_on_minutes);
        let [five, twenty, fifty] = self.worthwhile_minutes.map(|minutes| minutes.text(0));
        Sentence {
            en: format!(
                "At {revenue} USD/PH/day running pays below {threshold} USD/MWh; a stop costs {cycle} USD, so stop above \
                 {stop} for at least {off} minutes and come back at {resume} for at least {on} (a stop pays after {five}, \
                 {twenty} and {fifty} minutes at 5, 20 and 50 USD/MWh above the threshold)."
            ),
            zh: format!(
                "按 {revenue} USD/PH/天，电价低于 {threshold} USD/MWh 时运行划算；一次停机成本 {cycle} USD，因此高于 {stop} 时停机\
                 至少 {off} 分钟，回到 {resume} 时恢复至少 {on} 分钟（高出阈值 5、20、50 USD/MWh 时，停机分别在 {five}、{twenty}、{fifty} 分钟后划算）。"
            ),
        }
    }
}
