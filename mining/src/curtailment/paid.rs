//! Prices as a site pays them, with what is added to the curve, and what makes
//! them quick to search.

use super::Curve;
use crate::micro::Micro;

/// Intervals whose lowest, highest and sum are kept together.
const BLOCK: usize = 16;

/// Prices of consecutive intervals, micro-dollars a MWh.
pub(super) struct Paid {
    /// Length of an interval.
    pub(super) minutes: i128,
    pub(super) prices: Vec<i64>,
    /// Sums of the first so many.
    sums: Vec<i128>,
    /// Minute at which each begins.
    pub(super) begins: Vec<i64>,
    /// By blocks.
    lowest: Vec<i64>,
    highest: Vec<i64>,
}

impl Paid {
    pub(super) fn of(curve: &Curve, adder: Micro) -> Self {
        let (mut prices, mut begins, mut sums, mut sum) = (Vec::new(), Vec::new(), vec![0], 0);
        for (at, price) in curve.points() {
            let paid = price.units() + adder.units();
            sum += i128::from(paid);
            prices.push(paid);
            sums.push(sum);
            begins.push(at.as_second() / 60);
        }
        let of_blocks = |of: fn(&[i64]) -> Option<i64>| prices.chunks(BLOCK).filter_map(of).collect();
        let lowest = of_blocks(|block| block.iter().copied().min());
        let highest = of_blocks(|block| block.iter().copied().max());
        Self { minutes: curve.minutes.into(), prices, sums, begins, lowest, highest }
    }

    /// Lowest, highest, sum and prices of each block.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (i64, i64, i128, &[i64])> {
        let ends = self.lowest.iter().zip(&self.highest).zip(self.prices.chunks(BLOCK)).enumerate();
        ends.map(|(at, ((lowest, highest), prices))| {
            let from = at * BLOCK;
            (*lowest, *highest, self.sum((from, from + prices.len())), prices)
        })
    }

    /// The first interval from `from` on that begins at `not_before` or later
    /// and whose price, known `lag` intervals late, is above `limit`.
    pub(super) fn next_above(&self, limit: i64, from: usize, not_before: i64, lag: usize) -> Option<usize> {
        self.next((from, not_before, lag), &self.highest, |price| price > limit)
    }

    /// The same for a price of `limit` or less.
    pub(super) fn next_at_most(&self, limit: i64, from: usize, not_before: i64, lag: usize) -> Option<usize> {
        self.next((from, not_before, lag), &self.lowest, |price| price <= limit)
    }

    /// `ends` holds the price of each block that fits if any of it does.
    fn next(
        &self,
        (from, not_before, lag): (usize, i64, usize),
        ends: &[i64],
        fits: impl Fn(i64) -> bool,
    ) -> Option<usize> {
        let mut from = from;
        while self.begins.get(from).is_some_and(|begin| *begin < not_before) {
            from += 1;
        }
        // In terms of the price that is looked at.
        let mut at = from.saturating_sub(lag);
        while at < self.prices.len() {
            let block = at / BLOCK;
            let skipped = ends.get(block..)?.iter().position(|end| fits(*end))?;
            if skipped > 0 {
                at = (block + skipped) * BLOCK;
            }
            let end = (at / BLOCK * BLOCK + BLOCK).min(self.prices.len());
            if let Some(found) = self.prices.get(at..end)?.iter().position(|price| fits(*price)) {
                return Some(at + found + lag).filter(|at| *at < self.prices.len());
            }
            at = end;
        }
        None
    }

    /// Sum over intervals `from..to`.
    pub(super) fn sum(&self, (from, to): (usize, usize)) -> i128 {
        self.sums.get(to).copied().unwrap_or_default() - self.sums.get(from).copied().unwrap_or_default()
    }
}
