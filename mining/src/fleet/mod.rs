//! Whole fleets: machines of the same numbers counted together, sorted by
//! efficiency, so that the best choice of which run and which rest is one
//! search. A machine runs when what it earns is more than its energy.

mod cells;
mod contour;
mod estimate;
mod heatmap;
mod segments;
mod staircase;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::daily::{bitcoin_per_day, kilowatt_hours_per_watt};
use crate::exact::Exact;
use crate::input::{Field, Refusal};
use crate::micro::Micro;

pub use estimate::{Estimate, Figures, Line, Outcome};
pub use heatmap::{Heatmap, Network, Plan, Rest, steps};
use staircase::Staircase;

/// Machines of the same numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// Hashrate of one, TH/s.
    pub terahash: Micro,
    /// Power of one at the wall, W.
    pub watts: Micro,
    /// Price of its energy, USD/kWh, where it is not the site's.
    pub usd_per_kwh: Option<Micro>,
    /// Its name; empty when nobody said.
    pub model: String,
    /// How many.
    pub count: u32,
}

/// Machines, those of the same numbers and name together, in one order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Kind>", into = "Vec<Kind>")]
pub struct Fleet {
    kinds: Vec<Kind>,
}

impl Fleet {
    /// From kinds in any order, the same in any order.
    pub fn of(kinds: impl IntoIterator<Item = Kind>) -> Result<Self, Refusal> {
        let mut counts: BTreeMap<Kind, u64> = BTreeMap::new();
        let mut machines = 0_u64;
        for kind in kinds {
            Field::TerahashPerSecond.check_micro(kind.terahash)?;
            Field::Watts.check_micro(kind.watts)?;
            kind.usd_per_kwh.map_or(Ok(()), |price| Field::UsdPerKwh.check_micro(price))?;
            machines += u64::from(kind.count);
            Field::Count.check(&Exact::whole(machines.into()))?;
            *counts.entry(Kind { count: 0, ..kind.clone() }).or_default() += u64::from(kind.count);
        }
        let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
        let mut kinds: Vec<Kind> =
            counts.into_iter().map(|(kind, machines)| Kind { count: count(machines), ..kind }).collect();
        // Stable: kinds of one efficiency stay in the order of their numbers.
        kinds.sort_by(|a, b| (a.watts.wide() * b.terahash.wide()).cmp(&(b.watts.wide() * a.terahash.wide())));
        Ok(Self { kinds })
    }

    /// The kinds, the most efficient first.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// How many machines.
    pub fn machines(&self) -> u64 {
        self.kinds.iter().map(|kind| u64::from(kind.count)).sum()
    }

    /// By price of energy, the cheapest first.
    fn staircases(&self, site: &Site) -> Vec<Staircase> {
        let mut groups: BTreeMap<Micro, Vec<&Kind>> = BTreeMap::new();
        for kind in &self.kinds {
            groups.entry(kind.usd_per_kwh.unwrap_or(site.usd_per_kwh)).or_default().push(kind);
        }
        groups.into_iter().map(|(price, kinds)| Staircase::of(site.usd_per_watt_day(price), &kinds)).collect()
    }
}

impl TryFrom<Vec<Kind>> for Fleet {
    type Error = Refusal;
    fn try_from(kinds: Vec<Kind>) -> Result<Self, Refusal> {
        Self::of(kinds)
    }
}

impl From<Fleet> for Vec<Kind> {
    fn from(fleet: Fleet) -> Self {
        fleet.kinds
    }
}

/// What holds for every machine of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Price of energy, USD/kWh, for machines without one of their own.
    pub usd_per_kwh: Micro,
    /// The pool's share.
    pub pool_fee: Exact,
    /// Share of the time the machines run.
    pub uptime: Exact,
    /// Metered energy for each unit the machines take.
    pub meter_factor: Exact,
    /// Other costs of the whole fleet, USD a day, also when it rests.
    pub other_usd_per_day: Exact,
}

impl Site {
    fn check(&self) -> Result<(), Refusal> {
        Field::UsdPerKwh.check_micro(self.usd_per_kwh)?;
        [
            (Field::PoolFee, &self.pool_fee),
            (Field::Uptime, &self.uptime),
            (Field::MeterFactor, &self.meter_factor),
            (Field::OtherUsdPerDay, &self.other_usd_per_day),
        ]
        .into_iter()
        .try_for_each(|(field, value)| field.check(value))
    }

    /// USD a day for each watt of a machine.
    fn usd_per_watt_day(&self, usd_per_kwh: Micro) -> Exact {
        &self.kilowatt_hours_per_watt() * &usd_per_kwh.exact()
    }

    /// Metered kWh a day for each watt of a machine.
    fn kilowatt_hours_per_watt(&self) -> Exact {
        &kilowatt_hours_per_watt() * &(&self.meter_factor * &self.uptime)
    }

    /// BTC a day for each TH/s, after the pool's share, when a block pays
    /// `reward`.
    fn bitcoin_per_terahash(&self, difficulty: &Exact, reward: &Exact) -> Exact {
        let kept = Exact::one() - self.pool_fee.clone();
        bitcoin_per_day(&Exact::one(), difficulty, reward) * kept * self.uptime.clone()
    }
}

/// The network and the price on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Market {
    /// Price, USD/BTC.
    pub price_usd: Exact,
    /// Network difficulty.
    pub difficulty: Exact,
    /// Subsidy of a block, BTC.
    pub subsidy_btc: Exact,
    /// Fees of a block, BTC.
    pub fees_btc: Exact,
}

impl Market {
    /// Refuses what is beyond the limits.
    pub fn check(&self) -> Result<(), Refusal> {
        [
            (Field::PriceUsd, &self.price_usd),
            (Field::Difficulty, &self.difficulty),
            (Field::SubsidyBtc, &self.subsidy_btc),
            (Field::FeesBtc, &self.fees_btc),
        ]
        .into_iter()
        .try_for_each(|(field, value)| field.check(value))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn exact(text: &str) -> Exact {
        Exact::parse(text).unwrap()
    }

    pub(crate) fn kind(terahash: i64, watts: i64, usd_per_kwh: Option<i64>, count: u32) -> Kind {
        let usd_per_kwh = usd_per_kwh.map(Micro::of);
        Kind { terahash: Micro::of(terahash), watts: Micro::of(watts), usd_per_kwh, model: String::new(), count }
    }

    pub(crate) fn site() -> Site {
        Site {
            usd_per_kwh: Micro::of(60_000),
            pool_fee: exact("0.01"),
            uptime: exact("0.97"),
            meter_factor: exact("1.05"),
            other_usd_per_day: exact("12.5"),
        }
    }

    pub(crate) fn market() -> Market {
        let [price_usd, difficulty, subsidy_btc, fees_btc] = ["92817", "109000000000000", "3.125", "0.03"].map(exact);
        Market { price_usd, difficulty, subsidy_btc, fees_btc }
    }

    prop_compose! {
        pub(crate) fn any_kind()(
            terahash in 100_000_i64..5_000_000_000, watts in 1_000_000_i64..100_000_000_000,
            usd_per_kwh in proptest::option::weighted(0.2, -20_000_i64..150_000), count in 1_u32..50,
        ) -> Kind {
            kind(terahash, watts, usd_per_kwh, count)
        }
    }

    #[test]
    fn kinds_are_merged_sorted_and_bounded() {
        let fleet =
            Fleet::of([kind(100_000_000, 3_000_000_000, None, 2), kind(200_000_000, 3_500_000_000, None, 1)]).unwrap();
        assert_eq!(fleet.kinds()[0].terahash, Micro::whole(200));
        let twice = Fleet::of(fleet.kinds().iter().chain(fleet.kinds()).cloned()).unwrap();
        assert_eq!((twice.kinds().len(), twice.machines()), (2, 6));
        let json = serde_json::to_string(&twice).unwrap();
        assert_eq!(serde_json::from_str::<Fleet>(&json).unwrap(), twice);
        for bad in [
            kind(1, 3_000_000_000, None, 1),
            kind(100_000_000, 1, None, 1),
            kind(100_000_000, 3_000_000_000, Some(1_000_000_000), 1),
            kind(100_000_000, 3_000_000_000, None, 10_000_001),
        ] {
            assert_eq!(Fleet::of([bad]).unwrap_err().code(), "OutOfRange");
        }
        assert_eq!(Fleet::default().machines(), 0);
    }

    proptest! {
        #[test]
        fn order_does_not_matter(kinds in proptest::collection::vec(any_kind(), 0..20)) {
            let mut turned = kinds.clone();
            turned.reverse();
            prop_assert_eq!(Fleet::of(kinds).unwrap(), Fleet::of(turned).unwrap());
        }
    }
}
