//! Who spent the budget. Time in the window is dealt out to causes, each
//! moment to one; what no cause claims is Unknown; the shares add up.

use hashinsight_crds::objective::Cause;
use jiff::Timestamp;

use crate::window::Bounds;

/// Something that may have spent budget.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// What kind of cause.
    pub cause: Cause,
    /// Its name.
    pub name: String,
}

/// Entries a ledger holds, Unknown included.
pub const ENTRIES: usize = 20;

/// Deals the window out: disjoint stretches in order of time, each the claim of
/// one cause. Where claims overlap, what was announced comes before what
/// happened: Maintenance, Drill, Release, Incident. The newest are kept when
/// there are too many.
pub fn deal(claims: &[Claim], bounds: &Bounds) -> Vec<Claim> {
    let rank = |cause: Cause| match cause {
        Cause::Maintenance => 0,
        Cause::Drill => 1,
        Cause::Release => 2,
        Cause::Incident => 3,
        Cause::Unknown => 4,
    };
    let within: Vec<Claim> = claims
        .iter()
        .map(|claim| Claim { from: claim.from.max(bounds.from), to: claim.to.min(bounds.to), ..claim.clone() })
        .filter(|claim| claim.from < claim.to)
        .collect();
    let mut edges: Vec<Timestamp> = within.iter().flat_map(|claim| [claim.from, claim.to]).collect();
    edges.sort_unstable();
    edges.dedup();
    let mut dealt: Vec<Claim> = Vec::new();
    for pair in edges.windows(2) {
        let &[from, to] = pair else { continue };
        let holders = within.iter().filter(|claim| claim.from <= from && to <= claim.to);
        let Some(holder) = holders.min_by_key(|claim| (rank(claim.cause), claim.from, &claim.name)) else { continue };
        match dealt.last_mut() {
            Some(last) if last.to == from && last.cause == holder.cause && last.name == holder.name => last.to = to,
            _ => dealt.push(Claim { from, to, ..holder.clone() }),
        }
    }
    let surplus = dealt.len().saturating_sub(ENTRIES - 1);
    dealt.drain(..surplus);
    dealt
}

/// Splits `whole` in the proportion of `weights`, in whole units that add up to
/// it exactly: the largest remainders get the units that rounding left over.
pub fn apportion(whole: u64, weights: &[u64]) -> Vec<u64> {
    let sum: u128 = weights.iter().copied().map(u128::from).sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let parts: Vec<(u64, u128)> = weights
        .iter()
        .map(|weight| {
            let product = u128::from(whole) * u128::from(*weight);
            (u64::try_from(product / sum).unwrap_or(u64::MAX), product % sum)
        })
        .collect();
    let mut shares: Vec<u64> = parts.iter().map(|(share, _)| *share).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(parts.get(*at).map_or(0, |(_, rest)| *rest)));
    let missing = whole.saturating_sub(shares.iter().sum());
    for at in order.into_iter().take(usize::try_from(missing).unwrap_or(usize::MAX)) {
        if let Some(share) = shares.get_mut(at) {
            *share += 1;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn claim(from: i64, to: i64, cause: Cause, name: &str) -> Claim {
        Claim { from: at(from), to: at(to), cause, name: name.into() }
    }

    #[test]
    fn each_moment_has_one_cause() {
        let bounds = Bounds { from: at(0), to: at(100) };
        let dealt = deal(
            &[
                claim(-50, 30, Cause::Incident, "i"),
                claim(10, 20, Cause::Maintenance, "m"),
                claim(25, 60, Cause::Release, "r"),
                claim(200, 300, Cause::Release, "later"),
            ],
            &bounds,
        );
        let told: Vec<(i64, i64, &str)> =
            dealt.iter().map(|c| (c.from.as_second(), c.to.as_second(), c.name.as_str())).collect();
        assert_eq!(told, [(0, 10, "i"), (10, 20, "m"), (20, 25, "i"), (25, 60, "r")]);
    }

    proptest! {
        #[test]
        fn shares_add_up_and_keep_proportion(whole in 0u64..1_000_000, weights in prop::collection::vec(0u64..1 << 40, 1..20)) {
            let shares = apportion(whole, &weights);
            let sum: u64 = weights.iter().sum();
            if sum > 0 {
                prop_assert_eq!(shares.iter().sum::<u64>(), whole);
                for (share, weight) in shares.iter().zip(&weights) {
                    let exact = u128::from(whole) * u128::from(*weight) / u128::from(sum);
                    prop_assert!(u128::from(*share) == exact || u128::from(*share) == exact + 1);
                }
            }
        }

        #[test]
        fn dealt_time_is_disjoint_within_bounds_and_claimed(
            raw in prop::collection::vec((-50i64..150, 1i64..80, 0usize..4), 0..30),
        ) {
            let causes = [Cause::Maintenance, Cause::Drill, Cause::Release, Cause::Incident];
            let claims: Vec<Claim> = raw.iter().enumerate()
                .map(|(n, (from, long, cause))| claim(*from, from + long, causes[*cause], &format!("c{n}"))).collect();
            let dealt = deal(&claims, &Bounds { from: at(0), to: at(100) });
            prop_assert!(dealt.len() < ENTRIES);
            for pair in dealt.windows(2) {
                prop_assert!(pair[0].to <= pair[1].from);
            }
            for part in &dealt {
                prop_assert!(part.from >= at(0) && part.to <= at(100) && part.from < part.to);
                let owner = claims.iter().find(|c| c.name == part.name).unwrap();
                prop_assert!(owner.from <= part.from && part.to <= owner.to);
            }
        }
    }
}
