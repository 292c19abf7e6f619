//! When a machine has paid for itself.

use crate::exact::Exact;
use crate::projection::{Entry, MICRO};

/// Two answers to one question.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Payback {
    /// Days, if every day were the first: what advertisements say. `None` when
    /// the first day makes no profit.
    pub static_days: Option<Exact>,
    /// Number of the first day, counted from 1, on which the profit so far
    /// covers the cost. `None` when that is beyond the projection.
    pub dynamic_days: Option<u32>,
}

/// Payback of `capex` USD by a `first` day's profit, and by the ledger.
pub fn payback(capex: &Exact, first: &Exact, entries: &[Entry]) -> Payback {
    let static_days = if first.is_positive() { capex.over(first) } else { None };
    let mut so_far = Exact::zero();
    let mut covered = entries.iter().position(|entry| {
        so_far = &so_far + &Exact::scaled(entry.profit.into(), MICRO);
        so_far >= *capex
    });
    // What costs nothing is paid from the start.
    if capex.is_zero() {
        covered = Some(0);
    }
    Payback { static_days, dynamic_days: covered.and_then(|day| u32::try_from(day + 1).ok()) }
}

#[cfg(test)]
mod tests {
    use crate::exact::Exact;
    use crate::projection::tests::plan;
    use crate::projection::{Horizon, Plan};

    #[test]
    fn growing_difficulty_makes_payback_longer_than_the_static_one() {
        let plan = Plan { horizon: Horizon::Months(48), price_growth: Exact::zero(), ..plan() };
        let payback = plan.project().unwrap().payback;
        let days = payback.static_days.unwrap();
        assert_eq!(days.text(0), "539");
        assert!(payback.dynamic_days.is_none_or(|dynamic| Exact::whole(i128::from(dynamic)) > days));
    }

    #[test]
    fn undefined_and_free_are_told_apart() {
        let loss = Plan { other_usd_per_day: Exact::whole(1000), ..plan() }.project().unwrap().payback;
        assert_eq!((loss.static_days, loss.dynamic_days), (None, None));
        let free = Plan { capex_usd: Exact::zero(), ..plan() }.project().unwrap().payback;
        assert_eq!((free.static_days, free.dynamic_days), (Some(Exact::zero()), Some(1)));
        let cheap = Plan { capex_usd: Exact::whole(10), ..plan() }.project().unwrap().payback;
        assert_eq!(cheap.dynamic_days, Some(2), "5.57 USD a day");
    }
}
