//! Evidence that may be looked at whenever one likes.
//!
//! A likelihood ratio whose numerator may begin at any look: half of its weight
//! begins at the first, the rest is spread over the first thousand. While the
//! canary is as good as it should be its expectation never rises above one, so
//! by Ville's inequality it exceeds 1/α at any time of a whole rollout with a
//! chance of at most α. Looking often costs nothing, and a fault that comes late
//! is not drowned by the good time before it.
//!
//! Logarithms are kept as whole billionths of a nat, so that what is stored and
//! computed again is the same.

use serde::{Deserialize, Serialize};

use super::Requests;

/// Looks over which the later beginnings are spread.
const LOOKS: u32 = 1000;
/// How many times as often a canary fails that is worse than the stable
/// revision.
const TIMES: f64 = 4.0;
const BILLION: f64 = 1e9;

/// A logarithm in billionths of a nat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Nats(pub i64);

impl Nats {
    pub const ZERO: Self = Self(0);

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float out of range saturates, which is far beyond any bound"
    )]
    fn of(nats: f64) -> Self {
        Self((nats * BILLION).round() as i64)
    }

    #[expect(clippy::cast_precision_loss, reason = "rounded to billionths again")]
    fn nats(self) -> f64 {
        self.0 as f64 / BILLION
    }
}

/// What speaks for the second of two hypotheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// With beginnings at every look.
    pub weight: Nats,
    /// With the one at the first look.
    pub since_begin: Nats,
    looks: u32,
}

impl Evidence {
    pub fn begin() -> Self {
        Self { weight: Nats::of(0.5_f64.ln()), since_begin: Nats::ZERO, looks: 0 }
    }

    /// With the likelihood ratio of one look more.
    pub fn take(&mut self, ratio: Nats) {
        if self.looks < LOOKS {
            self.looks += 1;
            let begins = (0.5 / f64::from(LOOKS)).ln();
            self.weight = Nats::of(add_logarithms(self.weight.nats(), begins));
        }
        self.weight = Nats(self.weight.0.saturating_add(ratio.0));
        self.since_begin = Nats(self.since_begin.0.saturating_add(ratio.0));
    }
}

/// Evidence for any of several hypotheses: half of the weight is the first's, a
/// quarter the next one's, and so on, the last as much as the one before it. An
/// average of ratios whose expectations never exceed one has one that never
/// does.
pub fn mixed(several: &[Evidence]) -> Nats {
    let last = several.len().saturating_sub(1);
    let weighted = several.iter().zip(1_i32..).map(|(evidence, place)| {
        let halvings = if place.unsigned_abs() as usize > last { place - 1 } else { place };
        evidence.weight.nats() - f64::from(halvings) * std::f64::consts::LN_2
    });
    Nats::of(weighted.fold(f64::NEG_INFINITY, add_logarithms))
}

/// `ln(eᵃ + eᵇ)`.
fn add_logarithms(one: f64, other: f64) -> f64 {
    let (large, small) = (one.max(other), one.min(other));
    large + (small - large).exp().ln_1p()
}

/// Evidence at which a hypothesis is given up: `ln(tests / chance)`.
pub fn threshold(chance: u64, tests: u64) -> Nats {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    Nats::of((1e6 * tests.max(1) as f64 / chance.max(1) as f64).ln())
}

/// How much more likely these requests are when a share of `limit` millionths
/// fails than when `allowed` do.
pub fn ratio_of_shares(allowed: u32, limit: u32, requests: Requests) -> Nats {
    let (allowed, limit) = (f64::from(allowed) / 1e6, f64::from(limit) / 1e6);
    let (bad, good) = (Nats::of((limit / allowed).ln()), Nats::of(((1.0 - limit) / (1.0 - allowed)).ln()));
    weighed(requests.bad, bad, requests.total - requests.bad, good)
}

/// How much more likely it is that of all failures so many are the canary's
/// when it fails four times as often as the stable revision than when it fails
/// as often. Which failures there are at all is nobody's merit: the question is
/// whose they are.
pub fn ratio_of_revisions(canary: Requests, stable: Requests) -> Nats {
    if canary.total == 0 || stable.total == 0 {
        return Nats::ZERO;
    }
    #[expect(clippy::cast_precision_loss, reason = "shares")]
    let (ours, theirs) = (canary.total as f64, stable.total as f64);
    let (same, worse) = (ours / (ours + theirs), TIMES * ours / (TIMES * ours + theirs));
    let (in_canary, in_stable) = (Nats::of((worse / same).ln()), Nats::of(((1.0 - worse) / (1.0 - same)).ln()));
    weighed(canary.bad, in_canary, stable.bad, in_stable)
}

fn weighed(some: u64, each: Nats, others: u64, other: Nats) -> Nats {
    let sum = i128::from(some) * i128::from(each.0) + i128::from(others) * i128::from(other.0);
    Nats(i64::try_from(sum).unwrap_or(if sum > 0 { i64::MAX / 4 } else { i64::MIN / 4 }))
}
