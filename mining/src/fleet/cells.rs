//! Cells of a heatmap: in short integers where those decide every digit, else in
//! fractions. See [`crate::staged`] for why that is exact.

use num_traits::ToPrimitive;

use super::heatmap::{Plan, Rest};
use super::staircase::Staircase;
use crate::exact::{DECIMALS, Exact};
use crate::input::Refusal;
use crate::micro::{MILLION, Micro};
use crate::staged::{Pico, half_away};

/// A staircase in short integers; see [`crate::staged`].
struct ShortStair {
    /// See [`Staircase::thresholds`].
    thresholds: Vec<i128>,
    /// USD a day for each watt, the next whole number not below it.
    usd_per_watt: i128,
    /// By how many units it may be above the true one: one or none.
    error: i128,
}

/// Staircases in short integers.
pub(super) struct ShortStairs {
    /// Decimals of USD a day, for each TH/s and for each watt.
    decimals: u32,
    /// By staircase.
    stairs: Vec<ShortStair>,
}

impl ShortStairs {
    /// With as many decimals as leave room for a day of the whole fleet.
    pub(super) fn of(
        plan: &Plan,
        segments: &[(u32, Exact)],
        stairs: &[Staircase],
        difficulties: &[Exact],
    ) -> Option<Self> {
        let (dearest, easiest) = (plan.prices.iter().max()?, difficulties.iter().min()?);
        let best = segments.iter().map(|(_, per_unit)| per_unit).max()?;
        let terahash: i128 = stairs.iter().map(|stair| stair.all().terahash).sum();
        let most = (&(best * &dearest.exact()) * &Exact::whole(terahash)).over(easiest)?;
        let decimals = (18..=27).rev().find(|decimals| most.floor(*decimals).bits() < 122)?;
        let short = |stair: &Staircase| {
            let floor = stair.usd_per_watt.floor(decimals);
            let error = i128::from(Exact::scaled(floor.clone(), decimals) != stair.usd_per_watt);
            let (thresholds, usd_per_watt) = (stair.thresholds(decimals)?, floor.to_i128()?.checked_add(error)?);
            Some(ShortStair { thresholds, usd_per_watt, error })
        };
        Some(Self { decimals, stairs: stairs.iter().map(short).collect::<Option<_>>()? })
    }
}

/// Cells of one difficulty, over all prices.
pub(super) struct Column<'a> {
    plan: &'a Plan,
    segments: &'a [(u32, Exact)],
    stairs: &'a [Staircase],
    difficulty: &'a Exact,
    short_stairs: Option<&'a ShortStairs>,
    /// Days, and BTC a day for each TH/s at [`BITCOIN_DECIMALS`], cut off.
    short_segments: Option<Vec<(i128, i128)>>,
}

/// Decimals of BTC a day for each TH/s in the short form.
const BITCOIN_DECIMALS: u32 = 33;

impl<'a> Column<'a> {
    pub(super) fn of(
        plan: &'a Plan,
        segments: &'a [(u32, Exact)],
        stairs: &'a [Staircase],
        short_stairs: Option<&'a ShortStairs>,
        difficulty: &'a Exact,
    ) -> Self {
        let bitcoin = |(days, per_unit): &(u32, Exact)| {
            Some((i128::from(*days), per_unit.floor_over(difficulty, BITCOIN_DECIMALS).to_i128()?))
        };
        let short_segments = segments.iter().map(bitcoin).collect();
        Self { plan, segments, stairs, difficulty, short_stairs, short_segments }
    }

    /// USD a day for each TH/s at a price.
    fn rate(&self, per_unit: &Exact, price: Micro) -> Exact {
        (per_unit * &price.exact()).over(self.difficulty).unwrap_or_else(Exact::zero)
    }

    pub(super) fn cells(&self) -> Result<Vec<Pico>, Refusal> {
        let cell = |price: &Micro| self.quick(*price).map_or_else(|| self.exact(*price), Ok);
        self.plan.prices.iter().map(cell).collect()
    }

    /// The cell when both ends of the interval round alike.
    fn quick(&self, price: Micro) -> Option<Pico> {
        let (short, segments) = (self.short_stairs?, self.short_segments.as_ref()?);
        let cut = 10_i128.pow(BITCOIN_DECIMALS + 6 - short.decimals);
        let million = i128::from(MILLION);
        // The short rate is below the true one by less than so many units.
        let error = price.wide() / cut + 2;
        let (mut low, mut width) = (0_i128, 0_i128);
        for (days, bitcoin) in segments {
            let rate = bitcoin.checked_mul(price.wide())? / cut;
            for (stair, short) in self.stairs.iter().zip(&short.stairs) {
                let all = self.plan.rest == Rest::Never || stair.usd_per_watt.is_negative();
                let thresholds = &short.thresholds;
                let running = if all { thresholds.len() } else { thresholds.partition_point(|least| rate > *least) };
                let (step, most) = (stair.steps.get(running)?, stair.all());
                let earned = rate.checked_mul(step.terahash)?;
                let cost = short.usd_per_watt.checked_mul(step.watts)?;
                low = low.checked_add(earned.checked_sub(cost)?.div_euclid(million).checked_mul(*days)?)?;
                // Profit moves by no more than all machines' hashrate for each
                // unit of the rate, and by their watts for each unit of cost.
                let moved = most.terahash.checked_mul(error)?.checked_add(most.watts.checked_mul(short.error)?)?;
                width = width.checked_add((moved / million + 2).checked_mul(*days)?)?;
            }
        }
        let days: i128 = segments.iter().map(|(days, _)| days).sum();
        let other = self.plan.site.other_usd_per_day.floor(short.decimals).to_i128()?.checked_mul(days)?;
        (low, width) = (low.checked_sub(other)?.checked_sub(days)?, width.checked_add(days)?);
        let unit = 10_i128.pow(short.decimals - DECIMALS);
        let (least, most) = (half_away(low, unit), half_away(low.checked_add(width)?, unit));
        (least == most).then_some(Pico::of(least))
    }

    /// The cell in fractions.
    fn exact(&self, price: Micro) -> Result<Pico, Refusal> {
        let mut sum = Exact::zero();
        let mut length = 0_i128;
        for (days, per_unit) in self.segments {
            let rate = self.rate(per_unit, price);
            length += i128::from(*days);
            for stair in self.stairs {
                let step =
                    if self.plan.rest == Rest::Never { stair.all() } else { stair.running(&rate, &Exact::one()) };
                let earned = &rate * &Exact::whole(step.terahash);
                let profit = earned - &stair.usd_per_watt * &Exact::whole(step.watts);
                sum = sum + profit * Exact::whole((*days).into());
            }
        }
        let profit = sum.over(&Exact::whole(MILLION.into())).unwrap_or_else(Exact::zero);
        Pico::rounded(&(profit - &self.plan.site.other_usd_per_day * &Exact::whole(length)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fleet::Network;
    use crate::fleet::heatmap::tests::plan;
    use crate::fleet::segments::Course;
    use crate::fleet::tests::any_kind;
    use crate::growth::Convention;
    use crate::projection::Horizon;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn the_quick_cell_is_the_exact_one(
            kinds in proptest::collection::vec(any_kind(), 1..9), rest in any::<bool>(), price in 0_i64..400_000_000_000,
            exahash in 1_i128..5000, months in 1_u32..20, epoch in any::<bool>(),
        ) {
            let plan = Plan {
                prices: vec![Micro::of(price)],
                network: Network::Exahash(vec![Exact::whole(exahash)]),
                rest: if rest { Rest::Unprofitable } else { Rest::Never },
                                horizon: Horizon::Months(months),
                convention: if epoch { Convention::PerEpoch } else { Convention::MonthStart },
                ..plan(kinds)
            };
            let difficulties = plan.network.difficulties().unwrap();
            let stairs = plan.fleet.staircases(&plan.site);
            let Plan { start, height, horizon, convention, .. } = plan;
            let (price_growth, difficulty_growth) = (&plan.price_growth, &plan.difficulty_growth);
            let fees_btc = &plan.fees_btc;
            let course = Course { start, height, horizon, price_growth, difficulty_growth, convention, fees_btc };
            let segments = course.segments(&plan.site).unwrap();
            let short = ShortStairs::of(&plan, &segments, &stairs, &difficulties);
            let column = Column::of(&plan, &segments, &stairs, short.as_ref(), &difficulties[0]);
            let exact = column.exact(plan.prices[0]).unwrap();
            // The interval may be too wide to decide; it never decides wrongly.
            prop_assert_eq!(column.quick(plan.prices[0]).unwrap_or(exact), exact);
            prop_assert_eq!(plan.draw(2).unwrap().cells[0][0], exact);
        }
    }
}
