//! Days of a horizon on which price, difficulty and subsidy stand in the same
//! relation, counted together.

use jiff::civil::Date;

use super::Site;
use crate::exact::{Exact, FACTOR_DECIMALS};
use crate::growth::{Convention, Growth, Moment};
use crate::input::Refusal;
use crate::projection::{BLOCKS_PER_DAY, Horizon, mean_subsidy};

/// Growth over a horizon.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course<'a> {
    pub(super) start: Date,
    pub(super) height: u64,
    pub(super) horizon: Horizon,
    pub(super) price_growth: &'a Exact,
    pub(super) difficulty_growth: &'a Exact,
    pub(super) convention: Convention,
    pub(super) fees_btc: &'a Exact,
}

impl Course<'_> {
    /// Days, and what a TH/s earns on each of them for each unit of first-day
    /// price over first-day difficulty, USD.
    pub(super) fn segments(&self, site: &Site) -> Result<Vec<(u32, Exact)>, Refusal> {
        let end = self.horizon.end(self.start)?;
        let mut price = Growth::of_price(self.price_growth, self.convention);
        let mut difficulty = Growth::of_difficulty(self.difficulty_growth, self.convention);
        let mut runs: Vec<(u32, [Exact; 3])> = Vec::new();
        let mut on = self.start;
        for day in 0.. {
            if on >= end {
                break;
            }
            let height = self.height + u64::from(day) * BLOCKS_PER_DAY;
            let moment = Moment::of(self.start, on, day, self.height, height);
            let state = [price.factor(moment).clone(), difficulty.factor(moment).clone(), mean_subsidy(height)];
            match runs.last_mut() {
                Some((days, last)) if *last == state => *days += 1,
                _ => runs.push((1, state)),
            }
            on = on.tomorrow().map_err(|_| Refusal::Dates)?;
        }
        let rate = |[price, difficulty, subsidy]: [Exact; 3]| {
            // Kept at as many decimals as the factors themselves: sums of exact
            // quotients would grow without end.
            let growth = price.over(&difficulty).unwrap_or_else(Exact::zero).rounded(FACTOR_DECIMALS);
            site.bitcoin_per_terahash(&Exact::one(), &(&subsidy + self.fees_btc)) * growth
        };
        Ok(runs.into_iter().map(|(days, state)| (days, rate(state))).collect())
    }
}
