//! A rule tried on prices of the past: against never stopping, and against
//! perfect foresight.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Curve, ENERGY, MICRO_USD, Machine, Mode, PICO_USD, Profiles, REVENUE, Rule, Terms};
use crate::Sentence;
use crate::exact::Exact;
use crate::fleet::{Fleet, Kind};
use crate::input::Refusal;
use crate::micro::Micro;
use crate::staged::{Pico, half_away};

/// Intervals whose lowest, highest and sum are kept together.
const BLOCK: usize = 64;

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

/// Intervals next to each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    first: usize,
    pub(super) count: u32,
    pub(super) lowest: i64,
    pub(super) highest: i64,
    pub(super) sum: i128,
}

/// Prices as they are paid, with what is added to the curve.
pub(super) struct Prices {
    pub(super) minutes: i128,
    prices: Vec<i64>,
    /// Sums of the first so many.
    sums: Vec<i128>,
    /// Minute at which each begins.
    begins: Vec<i64>,
    pub(super) blocks: Vec<Block>,
}

impl Prices {
    fn of_curve(curve: &Curve, adder: Micro) -> Self {
        let (mut prices, mut begins, mut sums, mut sum) = (Vec::new(), Vec::new(), vec![0], 0);
        for (at, price) in curve.points() {
            let paid = price.units() + adder.units();
            sum += i128::from(paid);
            prices.push(paid);
            sums.push(sum);
            begins.push(at.as_second() / 60);
        }
        let block = |(at, part): (usize, &[i64])| Block {
            first: at * BLOCK,
            count: u32::try_from(part.len()).unwrap_or(u32::MAX),
            lowest: part.iter().copied().min().unwrap_or_default(),
            highest: part.iter().copied().max().unwrap_or_default(),
            sum: part.iter().copied().map(i128::from).sum(),
        };
        let blocks = prices.chunks(BLOCK).enumerate().map(block).collect();
        Self { minutes: curve.minutes.into(), prices, sums, begins, blocks }
    }

    pub(super) fn of(&self, block: &Block) -> &[i64] {
        self.prices.get(block.first..block.first + block.count as usize).unwrap_or_default()
    }

    /// The first interval from `from` on that begins at `not_before` or later
    /// and whose price, known `lag` intervals late, `fits`; `may` says which
    /// blocks can hold one.
    fn next(
        &self,
        from: usize,
        not_before: i64,
        lag: usize,
        may: impl Fn(&Block) -> bool,
        fits: impl Fn(i64) -> bool,
    ) -> Option<usize> {
        let from = from.max(self.begins.partition_point(|begin| *begin < not_before));
        // In terms of the price that is looked at.
        let mut at = from.saturating_sub(lag);
        while at + lag < self.prices.len() {
            let block = self.blocks.get(at / BLOCK)?;
            let end = block.first + block.count as usize;
            if may(block) {
                let found = self.prices.get(at..end)?.iter().position(|price| fits(*price));
                if let Some(found) = found {
                    return Some(at + found + lag).filter(|at| *at < self.prices.len());
                }
            }
            at = end;
        }
        None
    }

    /// Sum over intervals `from..to`.
    fn sum(&self, (from, to): (usize, usize)) -> i128 {
        self.sums.get(to).copied().unwrap_or_default() - self.sums.get(from).copied().unwrap_or_default()
    }
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
        let prices = Prices::of_curve(&self.curve, self.terms.adder_usd_per_mwh);
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

    fn tried(&self, kind: &Kind, prices: &Prices) -> Result<Tried, Refusal> {
        let machine = self.machine(kind)?;
        let rule = Rule::of(&machine, &self.terms);
        let off = rule.as_ref().map_or_else(Vec::new, |rule| self.off(rule, prices));
        let count = prices.prices.len();
        let never = machine.ran(prices, (0, count), std::slice::from_ref(&machine.nominal));
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
    fn off(&self, rule: &Rule, prices: &Prices) -> Vec<(usize, usize)> {
        let adder = self.terms.adder_usd_per_mwh.units();
        let (stop, resume) = (rule.stop_above.units() + adder, rule.resume_at.units() + adder);
        let lag = self.terms.lag as usize;
        let (mut at, mut not_before, mut off) = (0, i64::MIN, Vec::new());
        while let Some(from) = prices.next(at, not_before, lag, |block| block.highest > stop, |price| price > stop) {
            let since = prices.begins[from];
            not_before = since + i64::from(self.terms.min_off_minutes);
            let back = prices.next(from + 1, not_before, lag, |block| block.lowest <= resume, |price| price <= resume);
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
    fn whole_site(&self, prices: &Prices) -> Result<Option<(Rule, Pico)>, Refusal> {
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

    fn days(&self, tried: &[Tried], prices: &Prices) -> Vec<Day> {
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

impl Machine {
    /// Profit of running through an interval range in the best of `modes`.
    fn ran(&self, prices: &Prices, range: (usize, usize), modes: &[Mode]) -> i128 {
        if let [mode] = modes {
            let count = (range.1 - range.0) as i128;
            return (mode.revenue * count - mode.power * prices.sum(range)) * prices.minutes;
        }
        let best = |price: &i64| {
            modes.iter().map(|mode| mode.revenue - mode.power * i128::from(*price)).max().unwrap_or_default()
        };
        prices.prices.get(range.0..range.1).unwrap_or_default().iter().map(best).sum::<i128>() * prices.minutes
    }

    /// Profit with the machine off in these ranges, stops paid for.
    fn under(&self, prices: &Prices, off: &[(usize, usize)]) -> i128 {
        let (mut units, mut at) = (0, 0);
        for range in off {
            units += self.ran(prices, (at, range.0), &self.modes);
            units -= self.standby * prices.sum(*range) * prices.minutes + self.cycle;
            at = range.1;
        }
        units + self.ran(prices, (at, prices.prices.len()), &self.modes)
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
mod tests {
    use proptest::prelude::*;

    use super::super::{Profile, Run, Sample};
    use super::*;
    use crate::fleet::tests::{exact, kind, market};

    fn terms() -> Terms {
        Terms {
            usd_per_petahash_day: Micro::of(46_440_000),
            meter_factor: Exact::one(),
            adder_usd_per_mwh: Micro::default(),
            standby_watts: Micro::default(),
            ramp_minutes: 8,
            wear_usd: Micro::default(),
            min_off_minutes: 30,
            min_on_minutes: 30,
            lag: 0,
        }
    }

    fn plan(kinds: Vec<Kind>, minutes: u32, prices: Vec<i64>) -> Plan {
        let run = Run { start: Timestamp::UNIX_EPOCH, prices: prices.into_iter().map(Micro::whole).collect() };
        let curve = Curve { minutes, runs: vec![run] };
        Plan { fleet: Fleet::of(kinds).unwrap(), terms: terms(), profiles: Profiles::default(), curve }
    }

    fn s21() -> Kind {
        kind(200_000_000, 3_500_000_000, None, 1)
    }

    #[test]
    fn the_rule_is_the_one_that_theory_gives() {
        let back = plan(vec![s21()], 60, vec![50; 24]).backtest(1).unwrap();
        let rule = back.lines[0].rule.clone().unwrap();
        // The worked examples of the field: 110.571 USD/MWh, 0.0258 USD, 88, 22 and 9 minutes.
        assert_eq!((rule.threshold.text(3).as_str(), rule.cycle_usd.text(4).as_str()), ("110.571", "0.0258"));
        assert_eq!(rule.worthwhile_minutes.map(|minutes| minutes.text(0)), ["88", "22", "9"]);
        assert_eq!((rule.resume_at, rule.stop_above), (Micro::of(110_571_429), Micro::of(110_571_429 + 14_742_857)));
        let sentence = rule.sentence(&terms());
        assert!(sentence.en.contains("below 110.57 USD/MWh") && sentence.zh.contains("110.57"), "{sentence:?}");
        let adder = Terms { adder_usd_per_mwh: Micro::whole(10), standby_watts: Micro::whole(25), ..terms() };
        let with = Plan { terms: adder, ..plan(vec![s21()], 60, vec![50; 24]) }.backtest(1).unwrap();
        assert_eq!(with.lines[0].rule.clone().unwrap().threshold.text(3), "101.367", "of the curve's price");
    }

    #[test]
    fn a_spike_is_sat_out_and_accounted_to_the_last_digit() {
        let mut prices = vec![50; 24];
        prices[10..13].copy_from_slice(&[200, 300, 100]);
        let back = plan(vec![Kind { count: 2, ..s21() }], 60, prices).backtest(1).unwrap();
        let line = &back.lines[0];
        assert_eq!((line.cycles, line.off_hours.text(1).as_str()), (1, "2.0"));
        // 9.288 USD a day; 0.0035 MW at 21·50 + 200 + 300 + 100 USD/MWh.
        assert_eq!(line.never_usd.to_string(), "3.513000000000");
        // Two hours at 0.387 USD not earned, 500 USD/MWh not paid, 0.0258 USD lost.
        assert_eq!(line.rule_usd.to_string(), "4.463200000000");
        assert_eq!(line.foresight_usd, line.rule_usd);
        assert_eq!((line.not_served_mwh.to_string(), back.totals.cycles), ("0.007000000000".to_owned(), 2));
        assert_eq!(back.saving().to_string(), "1.900400000000");
        assert_eq!(back.captured_percent(), Some(Exact::whole(100)));
        let (rule, site) = back.whole_site.clone().unwrap();
        assert_eq!((rule.threshold, site), (line.rule.clone().unwrap().threshold, back.totals.rule_usd));
        assert_eq!(back.days.len(), 1);
        assert_eq!((back.days[0].highest, back.days[0].not_served_mwh.text(4)), (Micro::whole(300), "0.0140".into()));
        let sentence = back.sentence();
        assert!(
            sentence.en.contains("1.90 USD saved, 100.0 %") && sentence.zh.contains("节省 1.90 USD"),
            "{sentence:?}"
        );
    }

    #[test]
    fn late_prices_switch_late_and_gaps_count_as_nothing() {
        let mut prices = vec![50; 24];
        prices[10..13].copy_from_slice(&[200, 300, 100]);
        let plan = plan(vec![s21()], 60, prices.clone());
        let late = Plan { terms: Terms { lag: 1, ..terms() }, ..plan.clone() };
        // Off in hours 11 and 12, because 200 is known at 11 and 100 at 13.
        assert_eq!(
            late.off(
                &late.backtest(1).unwrap().lines[0].rule.clone().unwrap(),
                &Prices::of_curve(&late.curve, Micro::default())
            ),
            [(11, 13)]
        );
        let never = Plan { terms: Terms { lag: 50, ..terms() }, ..plan.clone() }.backtest(1).unwrap();
        assert_eq!((never.totals.cycles, never.totals.rule_usd), (0, never.totals.never_usd));
        let later = Run { start: Timestamp::from_second(86_400 + 7200).unwrap(), prices: vec![Micro::whole(500); 2] };
        let mut gap = plan;
        gap.curve.runs.push(later);
        let back = gap.backtest(1).unwrap();
        assert_eq!((back.missing, back.intervals, back.lines[0].cycles), (2, 26, 2));
        assert_eq!(back.lines[0].off_hours.text(1), "4.0", "the last stop lasts to the end");
    }

    #[test]
    fn profiles_do_what_the_field_measured() {
        // S19k Pro at 46.44 USD/PH/day, 25 W asleep, USD a day.
        let profile = |terahash: i64, watts: i64| Profile {
            model: "S19k Pro".into(),
            terahash: Micro::of(terahash),
            watts: Micro::whole(watts),
        };
        let mut kind = kind(121_800_000, 2_794_000_000, None, 1);
        kind.model = "S19k Pro".into();
        let with = |profiles: Vec<Profile>, price: i64| {
            let mut plan = plan(vec![kind.clone()], 60, vec![price; 24]);
            plan.terms.standby_watts = Micro::whole(25);
            plan.terms.ramp_minutes = 0;
            Plan { profiles: Profiles(profiles), ..plan }.backtest(1).unwrap().lines.remove(0)
        };
        let best = vec![profile(54_700_000, 1080), profile(163_100_000, 4195), profile(39_200_000, 784)];
        assert_eq!(with(Vec::new(), 80).foresight_usd.text(4), "0.2919");
        assert_eq!(with(Vec::new(), 95).foresight_usd.text(4), "-0.0570");
        assert_eq!(with(best.clone(), 95).foresight_usd.text(4), "0.0779");
        let cheap = with(best.clone(), 30);
        assert_eq!((cheap.foresight_usd.text(2), cheap.modes), ("4.55".into(), 4));
        assert_eq!(cheap.rule_usd, cheap.foresight_usd);
        assert!(cheap.never_usd < cheap.rule_usd, "never is the nominal way");
        assert_eq!(with(best, 95).rule.unwrap().threshold.text(2), "100.33", "of the last way to run");
    }

    #[test]
    fn what_saves_nothing_has_no_rule() {
        let mut plan = plan(vec![kind(1_200_000, 18_000_000, None, 3)], 60, vec![500; 5]);
        plan.terms.standby_watts = Micro::whole(25);
        let back = plan.backtest(1).unwrap();
        assert_eq!((back.lines[0].rule.clone(), back.whole_site.clone(), back.lines[0].cycles), (None, None, 0));
        plan.terms.meter_factor = Exact::zero();
        assert_eq!(plan.backtest(1).unwrap_err().code(), "OutOfRange");
        plan.terms = Terms { min_off_minutes: 20_000, ..terms() };
        assert_eq!(plan.backtest(1).unwrap_err().code(), "OutOfRange");
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
        let none = super::tests::plan(vec![s21()], 60, vec![50; 5]).backtest(1).unwrap();
        assert_eq!(none.captured_percent(), None, "nothing to save");
        assert!(none.sentence().en.contains("– %"));
    }

    #[test]
    fn revenue_is_that_of_the_market() {
        let revenue = Terms::revenue(&market(), &exact("0.01")).unwrap();
        let wanted = &(&bitcoin(&market()) * &exact("92817")) * &exact("0.99");
        assert_eq!(revenue.to_string(), wanted.text(6));
        assert!(Terms::revenue(&market(), &exact("1.1")).is_err());
        let easy = crate::fleet::Market { difficulty: Exact::one(), ..market() };
        assert!(Terms::revenue(&easy, &Exact::zero()).is_err());
    }

    fn bitcoin(market: &crate::fleet::Market) -> Exact {
        let reward = &market.subsidy_btc + &market.fees_btc;
        crate::daily::bitcoin_per_day(&Exact::whole(1000), &market.difficulty, &reward)
    }

    #[test]
    fn a_year_is_the_same_with_any_number_of_threads() {
        let curve = Sample { minutes: 15, ..Sample::default() }.curve().unwrap();
        let kinds = (0..40).map(|at| kind(100_000_000 + at * 3_000_000, 3_400_000_000, None, 2));
        let plan = Plan { curve, ..plan(kinds.collect(), 60, vec![0; 2]) };
        let one = plan.backtest(1).unwrap();
        assert_eq!(one, plan.backtest(7).unwrap());
        assert!(one.totals.never_usd < one.totals.rule_usd && one.totals.rule_usd < one.totals.foresight_usd);
        assert_eq!(one.days.len(), 366, "a local year in days of UTC");
        let shed: i128 = one.days.iter().map(|day| day.not_served_mwh.units()).sum();
        assert!((shed - one.totals.not_served_mwh.units()).abs() < 400);
    }

    /// The rule interval by interval, as a person would follow it.
    fn followed(plan: &Plan, rule: &Rule, prices: &[i64]) -> Vec<bool> {
        let (minutes, mut off, mut since) = (i64::from(plan.curve.minutes), false, i64::MIN / 2);
        let mut states = Vec::new();
        for at in 0..prices.len() {
            let now = at as i64 * minutes;
            let known = at.checked_sub(plan.terms.lag as usize).map(|at| prices[at] * 1_000_000);
            let (stop, resume) = (rule.stop_above.units(), rule.resume_at.units());
            let held = if off { plan.terms.min_off_minutes } else { plan.terms.min_on_minutes };
            let turns = known.is_some_and(|price| if off { price <= resume } else { price > stop });
            if turns && now - since >= i64::from(held) {
                (off, since) = (!off, now);
            }
            states.push(off);
        }
        states
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn the_backtest_is_the_rule_followed_by_hand(
            prices in proptest::collection::vec(-50_i64..260, 1..300), min_off in 1_u32..90, min_on in 0_u32..90,
            lag in 0_u32..4, smooth in any::<bool>(),
        ) {
            // Long stretches of one sign as well as wild ones.
            let prices: Vec<i64> = if smooth { prices.iter().flat_map(|price| [*price; 9]).collect() } else { prices };
            let mut plan = plan(vec![s21()], 5, prices.clone());
            plan.terms = Terms { min_off_minutes: min_off, min_on_minutes: min_on, lag, ..terms() };
            let paid = Prices::of_curve(&plan.curve, Micro::default());
            let machine = plan.machine(&s21()).unwrap();
            let rule = Rule::of(&machine, &plan.terms).unwrap();
            let mut states = vec![false; prices.len()];
            for (from, to) in plan.off(&rule, &paid) {
                states[from..to].fill(true);
            }
            prop_assert_eq!(&states, &followed(&plan, &rule, &prices));
            // Foresight interval by interval.
            let (mut on, mut off) = (0_i128, -machine.cycle);
            for price in &prices {
                let gain = machine.gain(price * 1_000_000) * 5;
                (on, off) = (on.max(off) + gain, off.max(on - machine.cycle));
            }
            prop_assert_eq!(machine.foresight(&paid), on.max(off));
            if prices.len() > 1 {
                let line = plan.backtest(1).unwrap().lines.remove(0);
                prop_assert!(line.foresight_usd >= line.rule_usd && line.foresight_usd >= line.never_usd);
            }
        }

        #[test]
        fn foresight_is_the_best_of_all_schedules(prices in proptest::collection::vec(60_i64..160, 2..9)) {
            let plan = plan(vec![s21()], 5, prices.clone());
            let paid = Prices::of_curve(&plan.curve, Micro::default());
            let machine = plan.machine(&s21()).unwrap();
            let value = |schedule: u32| {
                let off = |at: usize| schedule & (1 << at) != 0;
                (0..prices.len()).fold(0_i128, |sum, at| {
                    let gain = if off(at) { 0 } else { machine.gain(prices[at] * 1_000_000) * 5 };
                    let stops = off(at) && (at == 0 || !off(at - 1));
                    sum + gain - if stops { machine.cycle } else { 0 }
                })
            };
            prop_assert_eq!(machine.foresight(&paid), (0..1 << prices.len()).map(value).max().unwrap());
        }
    }
}
