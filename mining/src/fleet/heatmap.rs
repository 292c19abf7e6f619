//! Profit of a fleet over price and difficulty (or network hashrate), over any
//! horizon, with the machines that lose money at rest or all running.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::cells::{Column, ShortStairs};
use super::segments::Course;
use super::{Fleet, Site, contour};
use crate::Sentence;
use crate::daily::network_terahash;
use crate::exact::Exact;
use crate::growth::Convention;
use crate::input::{Field, Refusal};
use crate::micro::{MILLION, Micro};
use crate::projection::Horizon;
use crate::staged::Pico;

/// The axis that is not the price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Difficulty on the first day.
    Difficulty(Vec<Exact>),
    /// Network hashrate on the first day, EH/s.
    Exahash(Vec<Exact>),
}

/// Which machines run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// Each rests on days its energy costs more than it earns.
    Unprofitable,
    /// None rests.
    Never,
}

/// What is drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The machines.
    pub fleet: Fleet,
    /// What holds for all of them.
    pub site: Site,
    /// Prices on the first day, USD/BTC, with at most six decimals.
    pub prices: Vec<Micro>,
    /// The other axis.
    pub network: Network,
    /// Fees of a block, BTC.
    pub fees_btc: Exact,
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
    /// Which machines run.
    pub rest: Rest,
}

/// Profit over both axes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Heatmap {
    /// Profit over the horizon, USD: a row for each price, a cell for each
    /// value of the other axis.
    pub cells: Vec<Vec<Pico>>,
    /// Price over difficulty at which profit is zero; below it is no profit.
    /// None when profit is never zero.
    pub zero_price_per_difficulty: Option<Exact>,
    /// The price of the contour at each value of the other axis.
    pub zero_prices: Vec<Option<Pico>>,
    /// Days of the horizon.
    pub days: u32,
}

impl Network {
    pub(super) fn difficulties(&self) -> Result<Vec<Exact>, Refusal> {
        let (field, values) = match self {
            Self::Difficulty(values) => (Field::Difficulty, values),
            Self::Exahash(values) => (Field::Exahash, values),
        };
        values.iter().try_for_each(|value| field.check(value))?;
        Field::Steps.check(&Exact::whole(i128::try_from(values.len()).unwrap_or(i128::MAX)))?;
        let difficulty = |value: &Exact| match self {
            Self::Difficulty(_) => value.clone(),
            // H = D · 2^32 / 600.
            Self::Exahash(_) => {
                let per = network_terahash(&Exact::one());
                (value * &Exact::whole(MILLION.into())).over(&per).unwrap_or_else(Exact::one)
            }
        };
        Ok(values.iter().map(difficulty).collect())
    }

    /// The values along the axis.
    pub fn values(&self) -> &[Exact] {
        match self {
            Self::Difficulty(values) | Self::Exahash(values) => values,
        }
    }
}

impl Plan {
    fn check(&self) -> Result<(), Refusal> {
        self.site.check()?;
        Field::Steps.check(&Exact::whole(i128::try_from(self.prices.len()).unwrap_or(i128::MAX)))?;
        self.prices.iter().try_for_each(|price| Field::PriceUsd.check_micro(*price))?;
        [
            (Field::FeesBtc, &self.fees_btc),
            (Field::GrowthPerMonth, &self.price_growth),
            (Field::GrowthPerMonth, &self.difficulty_growth),
            (Field::Height, &Exact::whole(self.height.into())),
        ]
        .into_iter()
        .try_for_each(|(field, value)| field.check(value))
    }

    /// Computes every cell, with so many threads; their number changes nothing.
    pub fn draw(&self, threads: usize) -> Result<Heatmap, Refusal> {
        self.check()?;
        let difficulties = self.network.difficulties()?;
        let Self { start, height, horizon, convention, .. } = *self;
        let (price_growth, difficulty_growth, fees_btc) = (&self.price_growth, &self.difficulty_growth, &self.fees_btc);
        let course = Course { start, height, horizon, price_growth, difficulty_growth, convention, fees_btc };
        let segments = course.segments(&self.site)?;
        let days = segments.iter().map(|(days, _)| days).sum();
        let stairs = self.fleet.staircases(&self.site);
        let zero = contour::zero(&stairs, &segments, &self.site.other_usd_per_day, self.rest == Rest::Unprofitable);
        let zero_price = |difficulty: &Exact| zero.as_ref().map(|x| Pico::rounded(&(x * difficulty))).transpose();
        let zero_prices = difficulties.iter().map(zero_price).collect::<Result<_, _>>()?;
        let short = ShortStairs::of(self, &segments, &stairs, &difficulties);
        let column = |difficulty| Column::of(self, &segments, &stairs, short.as_ref(), difficulty);
        let columns: Vec<Column> = difficulties.iter().map(column).collect();
        let share = columns.len().div_ceil(threads.max(1)).max(1);
        let parts: Vec<Result<Vec<Vec<Pico>>, Refusal>> = std::thread::scope(|scope| {
            let started: Vec<_> = columns
                .chunks(share)
                .map(|part| scope.spawn(move || part.iter().map(Column::cells).collect()))
                .collect();
            started.into_iter().map(|thread| thread.join().unwrap_or(Err(Refusal::Overflow))).collect()
        });
        let mut by_column = Vec::with_capacity(columns.len());
        for part in parts {
            by_column.extend(part?);
        }
        let row = |at: usize| by_column.iter().filter_map(|column| column.get(at).copied()).collect();
        let cells = (0..self.prices.len()).map(row).collect();
        Ok(Heatmap { cells, zero_price_per_difficulty: zero, zero_prices, days })
    }
}

impl Heatmap {
    /// The map in one sentence.
    pub fn sentence(&self, plan: &Plan) -> Sentence {
        let (machines, days, convention) = (plan.fleet.machines(), self.days, plan.convention.name());
        let profitable = self.cells.iter().flatten().filter(|cell| **cell > Pico::default()).count();
        let cells = self.cells.iter().map(Vec::len).sum::<usize>();
        let zero = self.zero_price_per_difficulty.as_ref().map(|x| (x * &Exact::whole(1_000_000_000_000)).text(2));
        let (zero_en, zero_zh) = zero.map_or_else(
            || ("no zero contour".to_owned(), "无零利润线".to_owned()),
            |usd| {
                (
                    format!("zero at {usd} USD/BTC for each 10^12 of difficulty"),
                    format!("零利润线为每 10^12 难度 {usd} USD/BTC"),
                )
            },
        );
        let (rest_en, rest_zh) = match plan.rest {
            Rest::Unprofitable => ("machines at rest while they lose money", "亏损的矿机停机"),
            Rest::Never => ("no machine ever at rest", "矿机从不停机"),
        };
        Sentence {
            en: format!(
                "Over {days} days {machines} machines make a profit in {profitable} of {cells} cells; {zero_en} \
                 ({rest_en}, growth {convention}, 144 blocks a day, halving by height, D·2^32 hashes a block)."
            ),
            zh: format!(
                "{days} 天内，{machines} 台矿机在 {cells} 个格子中的 {profitable} 个盈利；{zero_zh}\
                 （{rest_zh}，增长方式 {convention}，每天 144 块，按区块高度减半，每块 D·2^32 次哈希）。"
            ),
        }
    }
}

/// Steps of equal size from `first` to `last`, both included, rounded to six
/// decimals.
pub fn steps(first: &Exact, last: &Exact, count: u32) -> Vec<Exact> {
    let gaps = Exact::whole(i128::from(count.max(2) - 1));
    let at = |step: u32| first + &((last - first) * Exact::whole(step.into())).over(&gaps).unwrap_or_else(Exact::zero);
    (0..count).map(|step| at(step).rounded(6)).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::daily::Case;
    use crate::fleet::Kind;
    use crate::fleet::tests::{exact, kind, market, site};
    use crate::projection;
    use jiff::civil::date;

    pub(crate) fn plan(kinds: Vec<Kind>) -> Plan {
        Plan {
            fleet: Fleet::of(kinds).unwrap(),
            site: site(),
            prices: (1..=7).map(|step| Micro::whole(20_000 * step)).collect(),
            network: Network::Exahash(steps(&exact("400"), &exact("1600"), 5)),
            fees_btc: exact("0.03"),
            start: date(2026, 11, 23),
            height: 1_040_000,
            horizon: Horizon::Months(14),
            price_growth: exact("0.01"),
            difficulty_growth: exact("0.02"),
            convention: Convention::MonthStart,
            rest: Rest::Unprofitable,
        }
    }

    fn mixed() -> Vec<Kind> {
        vec![
            kind(200_000_000, 3_500_000_000, None, 7),
            kind(110_000_000, 3_250_000_000, None, 20),
            kind(13_500_000, 1_323_000_000, Some(30_000), 90),
        ]
    }

    #[test]
    fn a_fleet_of_one_is_its_projection() {
        let heatmap = Plan {
            prices: vec![Micro::whole(92_817)],
            network: Network::Difficulty(vec![market().difficulty]),
            ..plan(vec![kind(200_000_000, 3_500_000_000, None, 1)])
        };
        for (convention, rest) in Convention::ALL
            .into_iter()
            .flat_map(|convention| [(convention, Rest::Unprofitable), (convention, Rest::Never)])
        {
            let heatmap = Plan { convention, rest, ..heatmap.clone() };
            let market = market();
            let case = Case {
                terahash_per_second: exact("200"),
                watts: exact("3500"),
                difficulty: market.difficulty,
                subsidy_btc: market.subsidy_btc,
                fees_btc: market.fees_btc,
                price_usd: market.price_usd,
                pool_fee: site().pool_fee,
                usd_per_kwh: exact("0.06"),
                uptime: site().uptime,
                meter_factor: site().meter_factor,
            };
            let projected = projection::Plan {
                case,
                start: heatmap.start,
                height: heatmap.height,
                horizon: heatmap.horizon,
                price_growth: heatmap.price_growth.clone(),
                difficulty_growth: heatmap.difficulty_growth.clone(),
                convention,
                stop_when_negative: rest == Rest::Unprofitable,
                capex_usd: Exact::zero(),
                other_usd_per_day: site().other_usd_per_day,
                discount_per_year: Exact::zero(),
            }
            .project()
            .unwrap();
            let drawn = heatmap.draw(1).unwrap();
            assert_eq!(drawn.days as usize, projected.entries.len());
            // The ledger rounds revenue and energy to the micro-dollar each day.
            let difference = drawn.cells[0][0].units() / 1_000_000 - projected.total.profit;
            assert!(difference.abs() <= i128::from(drawn.days) + 1, "{convention:?} {rest:?}: {difference}");
        }
    }

    #[test]
    fn every_cell_is_exact_and_any_number_of_threads_gives_the_same() {
        for (rest, convention) in [(Rest::Unprofitable, Convention::PerEpoch), (Rest::Never, Convention::MonthMiddle)] {
            let plan = Plan { convention, rest, ..plan(mixed()) };
            let drawn = plan.draw(1).unwrap();
            assert_eq!(drawn, plan.draw(3).unwrap());
            assert_eq!(drawn, plan.draw(64).unwrap());
            let sentence = drawn.sentence(&plan);
            assert!(sentence.en.contains("117 machines") && sentence.zh.contains("117 台矿机"), "{sentence:?}");
        }
    }

    #[test]
    fn on_the_contour_nothing_remains_and_beyond_it_something_does() {
        let plan = plan(mixed());
        let contour = plan.draw(1).unwrap().zero_prices[2].unwrap();
        let near = |units: i128| Micro::of(i64::try_from(contour.units() / 1_000_000 + units).unwrap());
        let cells = Plan { prices: [-2, 2].map(near).to_vec(), ..plan.clone() }.draw(1).unwrap().cells;
        assert!(cells[0][2] <= Pico::default() && cells[1][2] > Pico::default(), "{cells:?}");
        assert!(cells[0][2].units().abs() < 10_000_000_000, "within a cent: {}", cells[0][2]);
    }

    #[test]
    fn contours_are_told_from_none() {
        let with = |kinds: Vec<Kind>, other: &str, rest: Rest| {
            let site = Site { other_usd_per_day: exact(other), ..site() };
            Plan { site, rest, ..plan(kinds) }.draw(1).unwrap()
        };
        // Without other costs no rest loses money: zero up to the best machine's start.
        let free = with(mixed(), "0", Rest::Unprofitable);
        let never = with(mixed(), "0", Rest::Never);
        assert!(free.zero_price_per_difficulty.unwrap() < never.zero_price_per_difficulty.unwrap());
        // A machine paid for its energy makes a profit at any price.
        let paid =
            vec![kind(100_000_000, 3_500_000_000, Some(-20_000), 100), kind(110_000_000, 3_250_000_000, None, 900)];
        let none = with(paid.clone(), "1", Rest::Unprofitable);
        assert_eq!((none.zero_prices[0], none.zero_price_per_difficulty.clone()), (None, None));
        assert!(none.sentence(&plan(paid)).en.contains("no zero contour"));
        assert_eq!(with(Vec::new(), "1", Rest::Unprofitable).zero_price_per_difficulty, None);
    }

    #[test]
    fn bad_axes_are_refused() {
        let long = Network::Difficulty(vec![exact("1000"); 102]);
        for bad in [
            Plan { prices: Vec::new(), ..plan(mixed()) },
            Plan { prices: vec![Micro::whole(-1)], ..plan(mixed()) },
            Plan { network: long, ..plan(mixed()) },
            Plan { network: Network::Exahash(vec![Exact::zero()]), ..plan(mixed()) },
            Plan { fees_btc: exact("-1"), ..plan(mixed()) },
            Plan { height: u64::MAX, ..plan(mixed()) },
            Plan { horizon: Horizon::Days(0), ..plan(mixed()) },
        ] {
            assert_eq!(bad.draw(1).unwrap_err().code(), "OutOfRange");
        }
        let json = serde_json::to_string(&plan(mixed())).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan(mixed()));
        assert_eq!(steps(&exact("1"), &exact("2"), 1), [exact("1")]);
    }
}
