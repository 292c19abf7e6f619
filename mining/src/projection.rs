//! A machine over days or months: growth under a stated convention, halving by
//! height, and a ledger in whole satoshi and micro-dollars, so that sums are
//! the same in every order.

use jiff::ToSpan;
use jiff::civil::{Date, date};
use num_traits::ToPrimitive;
use serde::{Deserialize, Serialize};

use crate::Sentence;
use crate::daily::{Case, SATOSHI};
use crate::exact::{Exact, FACTOR_DECIMALS};
use crate::growth::{Convention, Growth, Moment, part_of};
use crate::input::{Field, Refusal};
use crate::payback::{Payback, payback};
use crate::protocol::subsidies;

/// Blocks of the contract's day.
pub const BLOCKS_PER_DAY: u64 = 144;
/// Decimals of a dollar in the ledger.
pub const MICRO: u32 = 6;
/// Days of the discount's year.
const DISCOUNT_DAYS: u32 = 365;

/// How far a projection reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Horizon {
    /// So many days.
    Days(u32),
    /// So many calendar months.
    Months(u32),
}

impl Horizon {
    /// The day after the last of a horizon that begins on `start`.
    pub(crate) fn end(self, start: Date) -> Result<Date, Refusal> {
        let (field, length) = match self {
            Self::Days(days) => (Field::Days, days),
            Self::Months(months) => (Field::Months, months),
        };
        field.check(&Exact::whole(i128::from(length)))?;
        let end = match self {
            Self::Days(days) => start.checked_add(i64::from(days).days()),
            Self::Months(months) => start.checked_add(i64::from(months).months()),
        };
        let end = end.map_err(|_| Refusal::Dates)?;
        let years = date(2009, 1, 3)..=date(2200, 12, 31);
        if !years.contains(&start) || !years.contains(&end) {
            return Err(Refusal::Dates);
        }
        Ok(end)
    }
}

/// What is projected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The first day. Its subsidy is not used: the height decides.
    pub case: Case,
    /// Date of the first day.
    pub start: Date,
    /// Height of the first block of the first day.
    pub height: u64,
    /// How far.
    pub horizon: Horizon,
    /// Growth of the price a month.
    pub price_growth: Exact,
    /// Growth of the difficulty a month.
    pub difficulty_growth: Exact,
    /// When growth takes effect.
    pub convention: Convention,
    /// Whether the machine rests on days whose energy costs more than it earns.
    pub stop_when_negative: bool,
    /// What the machine costs, USD.
    pub capex_usd: Exact,
    /// Other costs, USD a day, also on days it rests.
    pub other_usd_per_day: Exact,
    /// Discount a year.
    pub discount_per_year: Exact,
}

/// One day of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The date.
    pub date: Date,
    /// Satoshi earned.
    pub satoshi: i128,
    /// Revenue, micro-dollars.
    pub revenue: i128,
    /// Energy, micro-dollars.
    pub power: i128,
    /// Revenue less energy and other costs, micro-dollars.
    pub profit: i128,
    /// The same, discounted to the first day.
    pub discounted: i128,
    /// Whether the machine rested.
    pub rested: bool,
}

/// A projection with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Projection {
    /// The plan.
    #[serde(skip)]
    pub plan: Plan,
    /// Day by day.
    pub entries: Vec<Entry>,
    /// Sums over all days.
    pub total: Total,
    /// When the machine has paid for itself.
    pub payback: Payback,
}

/// Sums over a projection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Total {
    /// Satoshi.
    pub satoshi: i128,
    /// Revenue, micro-dollars.
    pub revenue: i128,
    /// Energy, micro-dollars.
    pub power: i128,
    /// Profit, micro-dollars; what the machine costs is not in it.
    pub profit: i128,
    /// Net present value, micro-dollars: discounted profit less what the
    /// machine costs.
    pub net_present_value: i128,
    /// Days the machine rested.
    pub rested: u32,
}

impl Plan {
    fn check(&self) -> Result<(), Refusal> {
        self.case.check()?;
        [
            (Field::GrowthPerMonth, &self.price_growth),
            (Field::GrowthPerMonth, &self.difficulty_growth),
            (Field::CapexUsd, &self.capex_usd),
            (Field::OtherUsdPerDay, &self.other_usd_per_day),
            (Field::DiscountPerYear, &self.discount_per_year),
            (Field::Height, &Exact::whole(self.height.into())),
        ]
        .into_iter()
        .try_for_each(|(field, value)| field.check(value))
    }

    /// Projects.
    pub fn project(&self) -> Result<Projection, Refusal> {
        self.check()?;
        let end = self.horizon.end(self.start)?;
        let mut price = Growth::of_price(&self.price_growth, self.convention);
        let mut difficulty = Growth::of_difficulty(&self.difficulty_growth, self.convention);
        let daily_discount = part_of(&self.discount_per_year, 1, DISCOUNT_DAYS);
        let (mut value, mut entries, mut on) = (Exact::one(), Vec::new(), self.start);
        for day in 0.. {
            if on >= end {
                break;
            }
            let height = self.height + u64::from(day) * BLOCKS_PER_DAY;
            let moment = Moment::of(self.start, on, day, self.height, height);
            let case = Case {
                price_usd: &self.case.price_usd * price.factor(moment),
                difficulty: &self.case.difficulty * difficulty.factor(moment),
                subsidy_btc: mean_subsidy(height),
                ..self.case.clone()
            };
            // Paid at the end of the day.
            value = value.over(&daily_discount).unwrap_or_else(Exact::zero).rounded(FACTOR_DECIMALS);
            entries.push(self.entry(on, &case, &value));
            on = on.tomorrow().map_err(|_| Refusal::Dates)?;
        }
        let total = self.total(&entries);
        let first = self.case_on_the_first_day().day();
        let payback = payback(&self.capex_usd, &(first.profit_usd - self.other_usd_per_day.clone()), &entries);
        Ok(Projection { plan: self.clone(), entries, total, payback })
    }

    fn case_on_the_first_day(&self) -> Case {
        Case { subsidy_btc: mean_subsidy(self.height), ..self.case.clone() }
    }

    fn entry(&self, date: Date, case: &Case, value: &Exact) -> Entry {
        let day = case.day();
        let other = micro(&self.other_usd_per_day);
        let rested = self.stop_when_negative && day.profit_usd.is_negative();
        let [satoshi, revenue, power] =
            if rested { [0; 3] } else { [ledger(&day.bitcoin, 8), micro(&day.revenue_usd), micro(&day.power_usd)] };
        let profit = revenue - power - other;
        let discounted = micro(&(&Exact::scaled(profit.into(), MICRO) * value));
        Entry { date, satoshi, revenue, power, profit, discounted, rested }
    }

    fn total(&self, entries: &[Entry]) -> Total {
        let sum = |field: fn(&Entry) -> i128| entries.iter().map(field).sum::<i128>();
        Total {
            satoshi: sum(|entry| entry.satoshi),
            revenue: sum(|entry| entry.revenue),
            power: sum(|entry| entry.power),
            profit: sum(|entry| entry.profit),
            net_present_value: sum(|entry| entry.discounted) - micro(&self.capex_usd),
            rested: u32::try_from(entries.iter().filter(|entry| entry.rested).count()).unwrap_or(u32::MAX),
        }
    }
}

/// Subsidy of a day's blocks on average, BTC: a halving within the day counts
/// from its block on.
pub(crate) fn mean_subsidy(height: u64) -> Exact {
    let sum = i128::try_from(subsidies(height, BLOCKS_PER_DAY)).unwrap_or_default();
    Exact::fraction(sum, i128::from(BLOCKS_PER_DAY) * SATOSHI).unwrap_or_else(Exact::zero)
}

fn ledger(value: &Exact, decimals: u32) -> i128 {
    // Bounded by the limits of the inputs, far below 2^127.
    value.units(decimals).to_i128().unwrap_or(i128::MAX)
}

fn micro(usd: &Exact) -> i128 {
    ledger(usd, MICRO)
}

/// Micro-dollars as dollars, to the cent.
fn dollars(micro: i128) -> String {
    Exact::scaled(micro.into(), MICRO).text(2)
}

impl Projection {
    /// What it comes to under every convention: profit in micro-dollars, and by
    /// how many percent it differs from this one's, at 4 decimals; `None` when
    /// this one's is zero.
    pub fn by_convention(&self) -> Result<Vec<(Convention, i128, Option<String>)>, Refusal> {
        let own = Exact::whole(self.total.profit);
        Convention::ALL
            .into_iter()
            .map(|convention| {
                let profit = Plan { convention, ..self.plan.clone() }.project()?.total.profit;
                let difference = &Exact::whole(profit) - &own;
                let size = if own.is_negative() { -own.clone() } else { own.clone() };
                let percent = (difference * Exact::whole(100)).over(&size).map(|percent| percent.text(4));
                Ok((convention, profit, percent))
            })
            .collect()
    }

    /// The projection in one sentence.
    pub fn sentence(&self) -> Sentence {
        let (days, name) = (self.entries.len(), self.plan.convention.name());
        let (profit, value, rested) =
            (dollars(self.total.profit), dollars(self.total.net_present_value), self.total.rested);
        let paid = self.payback.dynamic_days;
        let (paid_en, paid_zh) = paid.map_or_else(
            || ("not paid back within it".to_owned(), "期内未回本".to_owned()),
            |days| (format!("paid back on day {days}"), format!("第 {days} 天回本")),
        );
        Sentence {
            en: format!(
                "Over {days} days from {start} the machine makes {profit} USD, worth {value} USD today after its cost, \
                 {paid_en}, at rest on {rested} days (growth {name}, 144 blocks a day, halving by height).",
                start = self.plan.start,
            ),
            zh: format!(
                "自 {start} 起 {days} 天，该矿机盈利 {profit} USD，扣除购机成本后现值 {value} USD，{paid_zh}，停机 {rested} 天\
                 （增长方式 {name}，每天 144 块，按区块高度减半）。",
                start = self.plan.start,
            ),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::daily::tests::case;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).unwrap()
    }

    pub(crate) fn plan() -> Plan {
        Plan {
            case: case(),
            start: date(2026, 11, 23),
            height: 925_000,
            horizon: Horizon::Days(30),
            price_growth: exact("0.02"),
            difficulty_growth: exact("0.03"),
            convention: Convention::DailyContinuous,
            stop_when_negative: true,
            capex_usd: exact("3000"),
            other_usd_per_day: exact("0.1"),
            discount_per_year: exact("0.1"),
        }
    }

    #[test]
    fn without_growth_every_day_is_the_first_and_all_conventions_agree() {
        let still = Plan { price_growth: Exact::zero(), difficulty_growth: Exact::zero(), ..plan() };
        let projection = still.project().unwrap();
        assert_eq!(projection.entries.len(), 30);
        let first = projection.entries[0];
        let same = |entry: &Entry| (entry.satoshi, entry.profit) == (first.satoshi, first.profit);
        assert!(projection.entries.iter().all(same));
        assert_eq!(projection.total.satoshi, 30 * first.satoshi);
        assert_eq!(first.profit, micro(&still.case.day().profit_usd) - 100_000);
        for (convention, profit, percent) in projection.by_convention().unwrap() {
            assert_eq!((profit, percent.as_deref()), (projection.total.profit, Some("0.0000")), "{convention:?}");
        }
        // Paid at the end of each day, so even the first is worth a little less.
        assert!(first.discounted < first.profit);
    }

    #[test]
    fn subsidies_halve_at_their_block_even_within_a_day() {
        assert_eq!(mean_subsidy(1_049_856), exact("3.125"));
        assert_eq!(mean_subsidy(1_049_928), (exact("3.125") + exact("1.5625")).over(&exact("2")).unwrap());
        assert_eq!(mean_subsidy(1_050_000), exact("1.5625"));
        let plan = Plan { height: 1_049_999, horizon: Horizon::Days(2), ..plan() };
        let entries = plan.project().unwrap().entries;
        assert!(entries[0].satoshi < 11_600 && entries[1].satoshi < entries[0].satoshi, "{entries:?}");
    }

    #[test]
    fn a_machine_rests_when_energy_costs_more() {
        let dear = Case { usd_per_kwh: exact("0.2"), ..plan().case };
        let rests = Plan { case: dear.clone(), ..plan() }.project().unwrap();
        assert_eq!((rests.total.rested, rests.total.satoshi), (30, 0));
        assert_eq!(rests.total.profit, -30 * 100_000, "other costs go on");
        let runs = Plan { case: dear, stop_when_negative: false, ..plan() }.project().unwrap();
        assert!(runs.total.rested == 0 && runs.total.profit < rests.total.profit);
    }

    #[test]
    fn months_follow_the_calendar() {
        let leap = Plan { start: date(2028, 1, 31), horizon: Horizon::Months(1), ..plan() };
        assert_eq!(leap.project().unwrap().entries.len(), 29);
        let year = Plan { horizon: Horizon::Months(12), ..plan() };
        assert_eq!(year.project().unwrap().entries.len(), 365);
    }

    #[test]
    fn three_years_with_a_halving_are_the_oracle_s_to_the_last_satoshi() {
        // By mining/tests/projection.py, which shares no code with this.
        for (convention, satoshi, revenue, profit, net_present_value) in [
            (Convention::DailyContinuous, 3_402_957, 3_520_602_998, 1_657_082_998, -1_403_727_651),
            (Convention::MonthStart, 3_448_381, 3_536_019_708, 1_672_499_708, -1_388_977_794),
            (Convention::MonthMiddle, 3_397_852, 3_518_812_778, 1_655_292_778, -1_405_438_601),
            (Convention::PerEpoch, 3_424_354, 3_542_777_046, 1_679_257_046, -1_382_523_530),
        ] {
            let plan = Plan { convention, horizon: Horizon::Months(36), height: 1_000_000, ..plan() };
            let power = 1_753_920_000;
            let total = Total { satoshi, revenue, power, profit, net_present_value, rested: 748 };
            assert_eq!(plan.project().unwrap().total, total, "{convention:?}");
        }
    }

    #[test]
    fn conventions_differ_and_say_by_how_much() {
        let years = Plan { horizon: Horizon::Months(36), stop_when_negative: false, ..plan() };
        let projection = years.project().unwrap();
        let all = projection.by_convention().unwrap();
        assert_eq!(all[0].1, projection.total.profit);
        let mut profits: Vec<i128> = all.iter().map(|(_, profit, _)| *profit).collect();
        profits.sort_unstable();
        profits.dedup();
        assert_eq!(profits.len(), 4, "{all:?}");
        let sentence = projection.sentence();
        assert!(sentence.en.contains("growth daily-continuous") && sentence.zh.contains("按区块高度减半"));
        let nothing =
            Case { fees_btc: Exact::zero(), price_usd: Exact::zero(), usd_per_kwh: Exact::zero(), ..plan().case };
        let nothing = Plan { case: nothing, other_usd_per_day: Exact::zero(), ..plan() }.project().unwrap();
        assert_eq!(nothing.by_convention().unwrap()[1].2, None, "no percent of nothing");
        assert!(nothing.sentence().en.contains("not paid back"));
    }

    #[test]
    fn what_leaves_the_calendar_or_the_limits_is_refused() {
        let refused = |plan: Plan| plan.project().unwrap_err().code();
        assert_eq!(refused(Plan { start: date(2008, 1, 1), ..plan() }), "Dates");
        assert_eq!(refused(Plan { start: date(2200, 12, 30), ..plan() }), "Dates");
        assert_eq!(refused(Plan { horizon: Horizon::Months(u32::MAX), ..plan() }), "OutOfRange");
        assert_eq!(refused(Plan { horizon: Horizon::Days(0), ..plan() }), "OutOfRange");
        assert_eq!(refused(Plan { horizon: Horizon::Days(7306), ..plan() }), "OutOfRange");
        assert_eq!(refused(Plan { price_growth: exact("-0.6"), ..plan() }), "OutOfRange");
        let case = Case { difficulty: Exact::zero(), ..plan().case };
        assert_eq!(refused(Plan { case, ..plan() }), "OutOfRange");
    }
}
