//! A rule tried on prices of the past: against never stopping, and against
//! perfect foresight.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::paid::Paid;
use super::{Curve, ENERGY, MICRO_USD, Machine, Mode, PICO_USD, Profiles, REVENUE, Rule, Terms};
use crate::Sentence;
use crate::exact::Exact;
use crate::fleet::{Fleet, Kind};
use crate::input::Refusal;
use crate::micro::Micro;
use crate::staged::{Pico, half_away};

/// What is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The machines; prices of energy of their own do not count here.
    pub fleet: Fleet,
    /// How the site sells, buys and switches.
    pub terms: Terms,
    /// Other ways its models can run.
    pub profiles: Profiles,
    /// The prices.
    pub curve: Curve,
}

/// One machine of a kind over the curve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The kind.
    pub kind: Kind,
    /// When it stops; none when stopping it saves nothing.
    pub rule: Option<Rule>,
    /// Ways it can run.
    pub modes: u32,
    /// Profit when it never stops, USD a machine.
    pub never_usd: Pico,
    /// Profit under the rule, USD a machine.
    pub rule_usd: Pico,
    /// Profit with perfect foresight, USD a machine.
    pub foresight_usd: Pico,
    /// Stops of a machine.
    pub cycles: u32,
    /// Hours off of a machine.
    pub off_hours: Pico,
    /// Energy not served, MWh a machine: what it would have drawn while off,
    /// less what it draws stopped.
    pub not_served_mwh: Pico,
}

/// The fleet over the curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Machines.
    pub machines: u64,
    /// Profit when none ever stops, USD.
    pub never_usd: Pico,
    /// Profit under each kind's rule, USD.
    pub rule_usd: Pico,
    /// Profit with perfect foresight, USD.
    pub foresight_usd: Pico,
    /// Energy not served, MWh.
    pub not_served_mwh: Pico,
    /// Stops of all machines together.
    pub cycles: u64,
}

/// One day of the curve, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Day {
    /// The date.
    pub date: Date,
    /// Mean price of the curve, USD/MWh.
    pub mean: Micro,
    /// Lowest.
    pub lowest: Micro,
    /// Highest.
    pub highest: Micro,
    /// Energy not served under the rule, MWh.
    pub not_served_mwh: Pico,
}

/// What the rule would have brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backtest {
    /// Kind by kind, the most efficient first.
    pub lines: Vec<Line>,
    /// All together.
    pub totals: Totals,
    /// The rule for a site that can only switch all at once, and its profit,
    /// USD.
    pub whole_site: Option<(Rule, Pico)>,
    /// Day by day.
    pub days: Vec<Day>,
    /// Intervals of the curve.
    pub intervals: u64,
    /// Intervals without a price; they count as nothing.
    pub missing: u64,
}

/// A line with what it comes to in units, and when it was off.
struct Tried {
    line: Line,
    units: [i128; 3],
    off: Vec<(usize, usize)>,
    spared: i128,
}

impl Plan {
    /// Tries the rule, with so many threads; their number changes nothing.
    pub fn backtest(&self, threads: usize) -> Result<Backtest, Refusal> {
        self.terms.check()?;
        self.profiles.check()?;
        self.curve.check()?;
        let prices = Paid::of(&self.curve, self.terms.adder_usd_per_mwh);
        let kinds = self.fleet.kinds();
        let share = kinds.len().div_ceil(threads.max(1)).max(1);
        let prices_ref = &prices;
        let parts: Vec<Result<Vec<Tried>, Refusal>> = std::thread::scope(|scope| {
            let try_all = |part: &'_ [Kind]| part.iter().map(|kind| self.tried(kind, prices_ref)).collect();
            let started: Vec<_> = kinds.chunks(share).map(|part| scope.spawn(move || try_all(part))).collect();
            started.into_iter().map(|thread| thread.join().unwrap_or(Err(Refusal::Overflow))).collect()
        });
        let mut tried = Vec::with_capacity(kinds.len());
        for part in parts {
            tried.extend(part?);
        }
        let totals = totals(&tried, prices.minutes).ok_or(Refusal::Overflow)?;
        let days = self.days(&tried, &prices);
        let whole_site = self.whole_site(&prices)?;
        let lines = tried.into_iter().map(|tried| tried.line).collect();
        let intervals = prices.prices.len() as u64;
        Ok(Backtest { lines, totals, whole_site, days, intervals, missing: self.curve.missing() })
    }

    fn metered(&self, watts: Micro) -> Result<i128, Refusal> {
        let metered = (&watts.exact() * &self.terms.meter_factor).text(6);
        Micro::parse(&metered).map(Micro::wide).map_err(|_| Refusal::Overflow)
    }

    fn mode(&self, terahash: Micro, watts: Micro) -> Result<Mode, Refusal> {
        let revenue = REVENUE * terahash.wide() * self.terms.usd_per_petahash_day.wide();
        Ok(Mode { revenue, power: ENERGY * self.metered(watts)? })
    }

    fn machine(&self, kind: &Kind) -> Result<Machine, Refusal> {
        let nominal = self.mode(kind.terahash, kind.watts)?;
        let mut modes = vec![nominal];
        for profile in self.profiles.of(&kind.model) {
            modes.push(self.mode(profile.terahash, profile.watts)?);
        }
        let cycle = nominal.revenue * i128::from(self.terms.ramp_minutes) / 2 + self.terms.wear_usd.wide() * MICRO_USD;
        Ok(Machine { nominal, modes, standby: ENERGY * self.metered(self.terms.standby_watts)?, cycle })
    }

    fn tried(&self, kind: &Kind, prices: &Paid) -> Result<Tried, Refusal> {
        let machine = self.machine(kind)?;
        let rule = Rule::of(&machine, &self.terms);
        let off = rule.as_ref().map_or_else(Vec::new, |rule| self.off(rule, prices));
        let count = prices.prices.len();
        let never = ran(prices, (0, count), std::slice::from_ref(&machine.nominal));
        let rested = -machine.standby * prices.sum((0, count)) * prices.minutes;
        let foresight = rested + machine.foresight(prices);
        let under_rule = machine.under(prices, &off);
        let off_intervals = off.iter().map(|(from, to)| to - from).sum::<usize>() as i128;
        let spared = machine.nominal.power - machine.standby;
        let usd = |units: i128| Pico::of(half_away(units, PICO_USD));
        let line = Line {
            kind: kind.clone(),
            rule,
            modes: u32::try_from(machine.modes.len()).unwrap_or(u32::MAX),
            never_usd: usd(never),
            rule_usd: usd(under_rule),
            foresight_usd: usd(foresight),
            cycles: u32::try_from(off.len()).unwrap_or(u32::MAX),
            off_hours: Pico::of(half_away(off_intervals * prices.minutes * 1_000_000_000_000, 60)),
            not_served_mwh: megawatt_hours(spared * off_intervals * prices.minutes),
        };
        Ok(Tried { line, units: [never, under_rule, foresight], off, spared })
    }

    /// When the rule has a machine off: from each stop to each return.
    fn off(&self, rule: &Rule, prices: &Paid) -> Vec<(usize, usize)> {
        let adder = self.terms.adder_usd_per_mwh.units();
        let (stop, resume) = (rule.stop_above.units() + adder, rule.resume_at.units() + adder);
        let lag = self.terms.lag as usize;
        let (mut at, mut not_before, mut off) = (0, i64::MIN, Vec::new());
        while let Some(from) = prices.next_above(stop, at, not_before, lag) {
            let since = prices.begins[from];
            not_before = since + i64::from(self.terms.min_off_minutes);
            let back = prices.next_at_most(resume, from + 1, not_before, lag);
            let Some(to) = back else {
                off.push((from, prices.prices.len()));
                break;
            };
            off.push((from, to));
            not_before = prices.begins[to] + i64::from(self.terms.min_on_minutes);
            at = to + 1;
        }
        off
    }

    /// All machines switched together.
    fn whole_site(&self, prices: &Paid) -> Result<Option<(Rule, Pico)>, Refusal> {
        let mut site = Machine { nominal: Mode { revenue: 0, power: 0 }, modes: Vec::new(), standby: 0, cycle: 0 };
        for kind in self.fleet.kinds() {
            let (machine, count) = (self.machine(kind)?, i128::from(kind.count));
            site.nominal.revenue += machine.nominal.revenue * count;
            site.nominal.power += machine.nominal.power * count;
            site.standby += machine.standby * count;
            site.cycle += machine.cycle * count;
        }
        site.modes = vec![site.nominal];
        let Some(rule) = Rule::of(&site, &self.terms) else { return Ok(None) };
        let units = site.under(prices, &self.off(&rule, prices));
        Ok(Some((rule, Pico::of(half_away(units, PICO_USD)))))
    }

    fn days(&self, tried: &[Tried], prices: &Paid) -> Vec<Day> {
        let mut change = vec![0_i128; prices.prices.len() + 1];
        for tried in tried {
            let spared = tried.spared * i128::from(tried.line.kind.count);
            for (from, to) in &tried.off {
                change[*from] += spared;
                change[*to] -= spared;
            }
        }
        let mut days: Vec<(Date, Vec<i64>, i128)> = Vec::new();
        let mut off = 0;
        for ((start, price), change) in self.curve.points().zip(change) {
            off += change;
            let date = date_of(start);
            match days.last_mut() {
                Some((last, prices, spared)) if *last == date => {
                    prices.push(price.units());
                    *spared += off;
                }
                _ => days.push((date, vec![price.units()], off)),
            }
        }
        let day = |(date, day, spared): (Date, Vec<i64>, i128)| {
            let sum: i128 = day.iter().copied().map(i128::from).sum();
            let mean = half_away(sum, i128::try_from(day.len()).unwrap_or(1));
            Day {
                date,
                mean: Micro::of(i64::try_from(mean).unwrap_or_default()),
                lowest: Micro::of(day.iter().copied().min().unwrap_or_default()),
                highest: Micro::of(day.iter().copied().max().unwrap_or_default()),
                not_served_mwh: megawatt_hours(spared * prices.minutes),
            }
        };
        days.into_iter().map(day).collect()
    }
}

fn date_of(start: Timestamp) -> Date {
    start.to_zoned(TimeZone::UTC).date()
}

/// From [`ENERGY`] times micro-watts times minutes.
fn megawatt_hours(energy: i128) -> Pico {
    Pico::of(half_away(energy, ENERGY * 60))
}

fn totals(tried: &[Tried], minutes: i128) -> Option<Totals> {
    let (mut sums, mut energy, mut machines, mut cycles) = ([0_i128; 3], 0_i128, 0_u64, 0_u64);
    for tried in tried {
        let count = i128::from(tried.line.kind.count);
        for (sum, units) in sums.iter_mut().zip(tried.units) {
            *sum = sum.checked_add(units.checked_mul(count)?)?;
        }
        let off = tried.off.iter().map(|(from, to)| to - from).sum::<usize>() as i128;
        energy = energy.checked_add(tried.spared.checked_mul(off * minutes)?.checked_mul(count)?)?;
        machines += u64::from(tried.line.kind.count);
        cycles += tried.off.len() as u64 * u64::from(tried.line.kind.count);
    }
    let [never_usd, rule_usd, foresight_usd] = sums.map(|units| Pico::of(half_away(units, PICO_USD)));
    Some(Totals { machines, never_usd, rule_usd, foresight_usd, not_served_mwh: megawatt_hours(energy), cycles })
}

/// Profit of running through an interval range in the best of `modes`.
fn ran(prices: &Paid, range: (usize, usize), modes: &[Mode]) -> i128 {
    if let [mode] = modes {
        let count = (range.1 - range.0) as i128;
        return (mode.revenue * count - mode.power * prices.sum(range)) * prices.minutes;
    }
    let best =
        |price: &i64| modes.iter().map(|mode| mode.revenue - mode.power * i128::from(*price)).max().unwrap_or_default();
    prices.prices.get(range.0..range.1).unwrap_or_default().iter().map(best).sum::<i128>() * prices.minutes
}

impl Machine {
    /// Profit with the machine off in these ranges, stops paid for.
    fn under(&self, prices: &Paid, off: &[(usize, usize)]) -> i128 {
        let (mut units, mut at) = (0, 0);
        for range in off {
            units += ran(prices, (at, range.0), &self.modes);
            units -= self.standby * prices.sum(*range) * prices.minutes + self.cycle;
            at = range.1;
        }
        units + ran(prices, (at, prices.prices.len()), &self.modes)
    }
}

impl Backtest {
    /// What the rule saves over never stopping, USD.
    pub fn saving(&self) -> Pico {
        Pico::of(self.totals.rule_usd.units() - self.totals.never_usd.units())
    }

    /// How much of what perfect foresight saves the rule saves, in percent;
    /// none when there is nothing to save.
    pub fn captured_percent(&self) -> Option<Exact> {
        let most = self.totals.foresight_usd.units() - self.totals.never_usd.units();
        Exact::fraction(self.saving().units() * 100, most)
    }

    /// The outcome in one sentence.
    pub fn sentence(&self) -> Sentence {
        let (saving, foresight) = (self.saving().text(2), self.totals.foresight_usd.text(2));
        let (rule, never) = (self.totals.rule_usd.text(2), self.totals.never_usd.text(2));
        let (energy, cycles) = (self.totals.not_served_mwh.text(1), self.totals.cycles);
        let (machines, missing) = (self.totals.machines, self.missing);
        let captured = self.captured_percent().map_or_else(|| "–".to_owned(), |percent| percent.text(1));
        Sentence {
            en: format!(
                "Stopping by the rule makes {rule} USD instead of {never}: {saving} USD saved, {captured} % of what perfect \
                 foresight ({foresight}) would save, with {energy} MWh not served and {cycles} stops of {machines} machines \
                 (constant revenue of hashrate, {missing} intervals without a price left out)."
            ),
            zh: format!(
                "按规则停机盈利 {rule} USD，从不停机为 {never} USD：节省 {saving} USD，为完全预知（{foresight}）所能节省的 {captured} %，\
                 少用电 {energy} MWh，{machines} 台矿机共停机 {cycles} 次（算力收入视为不变，{missing} 个无价格的时段不计）。"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
