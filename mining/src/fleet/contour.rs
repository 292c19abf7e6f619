//! Where a fleet makes nothing.
//!
//! Whatever the horizon, profit depends on price and difficulty only through
//! `x = price / difficulty`, because growth multiplies both: the zero contour
//! of a heatmap is the straight line `price = x · difficulty`. As a function of
//! `x` profit is convex, never falls, and consists of straight pieces (one for
//! each set of machines that run). Newton's method from the right therefore
//! ends on the zero itself, in as many steps as there are pieces at most, and
//! in fractions it is exact.

use super::staircase::Staircase;
use crate::exact::Exact;

/// The largest `x` at which profit is zero, where above it profit is positive.
/// `segments` are days with what a TH/s earns a day for each unit of `x`.
/// `None` when nothing is ever earned, or profit is never zero for `x` from
/// zero on.
pub(super) fn zero(
    stairs: &[Staircase],
    segments: &[(u32, Exact)],
    other_per_day: &Exact,
    rests: bool,
) -> Option<Exact> {
    let days: u32 = segments.iter().map(|(days, _)| days).sum();
    let fixed = other_per_day * &Exact::whole(days.into());
    // To the right of every kink: all run.
    let mut at: Option<Exact> = None;
    loop {
        let (mut earned, mut cost) = (Exact::zero(), &fixed * &Exact::whole(1_000_000));
        for (days, rate) in segments {
            let (mut terahash, mut energy) = (0, Exact::zero());
            for stair in stairs {
                let step = match &at {
                    Some(x) if rests => stair.running(rate, x),
                    _ => stair.all(),
                };
                terahash += step.terahash;
                energy = &energy + &(&stair.usd_per_watt * &Exact::whole(step.watts));
            }
            let days = Exact::whole((*days).into());
            earned = &earned + &(rate * &(&days * &Exact::whole(terahash)));
            cost = &cost + &(&days * &energy);
        }
        let Some(next) = cost.over(&earned) else { return at };
        // Those that are paid for their energy earn more than all costs.
        if next.is_negative() {
            return None;
        }
        match at {
            Some(last) if next >= last => return Some(last),
            _ => at = Some(next),
        }
    }
}
