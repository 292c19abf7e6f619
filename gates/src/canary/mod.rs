//! Whether a canary may go on: a sequential test on counted requests.
//!
//! Two questions are asked of every objective, each anew whenever something
//! was counted, without paying for having looked before (`evidence`):
//!
//! - Do the canary's requests fail as often as at a fast burn, or at least four
//!   times as often as allowed, rather than as often as the objective allows?
//! - Do they fail more often than the stable revision's in the same time?
//!
//! A canary fails by a fast burn, unless the stable revision burns too: then the
//! cause is shared, and only both answers convict it, as they do a canary that
//! burns slowly and worse than the stable revision. It passes a step when the
//! step's own requests make a fast burn unlikely. In between more is needed.
//! What was not counted is no data, and neither good nor bad.

mod evidence;
mod opinion;

use serde::{Deserialize, Serialize};

use evidence::{Evidence, Nats, mixed, ratio_of_shares, threshold};
pub use opinion::{Opinion, slower};

/// Seconds without a request of the canary after which there is no data.
pub const SILENCE: u64 = 60;
/// Seconds for which every request of a canary may fail before it is taken
/// back: a scrape each half minute, a look, and as long again for the route.
pub const UNSEEN: i64 = 45;
/// How many times what is allowed is a slow burn.
const SLOWLY: u32 = 4;
/// Shares of failures that are tried for a fast burn.
const BEYOND: usize = 3;
/// Chance, in millionths, that a canary as good as the stable revision seems
/// worse. It convicts nobody alone.
const SEEMS_WORSE: u64 = 50_000;
/// Failed requests below which no canary is convicted: one may be anything.
pub const FEW: u64 = 2;

/// What is asked of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// What each objective allows to be bad, in millionths, in order.
    pub allowed: Vec<u32>,
    /// Burn rate that must not be promoted, in thousandths: 14,400 spends two
    /// percent of thirty days' budget in an hour.
    pub burn: u32,
    /// Chance, in millionths, that a canary within its objectives is rolled
    /// back in the whole rollout.
    pub false_alarm: u32,
    /// Chance, in millionths, that one at that burn passes a step.
    pub missed: u32,
}

impl Plan {
    /// For objectives that allow these millionths of requests to be bad.
    pub fn of(allowed: &[u32]) -> Self {
        Self { allowed: allowed.to_vec(), burn: 14_400, false_alarm: 1_000, missed: 20_000 }
    }

    /// Share of bad requests at the burn that must not be promoted: never so
    /// high that a canary which fails half of what it may not could not reach
    /// it.
    pub fn limit(&self, allowed: u32) -> u32 {
        let wanted = u64::from(allowed) * u64::from(self.burn) / 1000;
        let most = u64::from(allowed) + (1_000_000 - u64::from(allowed)) / 2;
        u32::try_from(wanted.min(most)).unwrap_or(u32::MAX)
    }
}

/// Requests that were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// All of them.
    pub total: u64,
    /// Bad ones among them.
    pub bad: u64,
}

impl Requests {
    /// With what else was counted.
    #[must_use]
    pub fn and(self, more: Self) -> Self {
        Self { total: self.total.saturating_add(more.total), bad: self.bad.saturating_add(more.bad) }
    }

    /// Never more bad ones than all.
    fn sound(self) -> Self {
        Self { total: self.total, bad: self.bad.min(self.total) }
    }
}

/// What was counted of one objective in one stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    /// Of the canary.
    pub canary: Requests,
    /// Of the stable revision, in the same time.
    pub stable: Requests,
    /// Durations by bucket, fastest first, of both; empty where none are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canary_buckets: Vec<u64>,
    /// The same of the stable revision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stable_buckets: Vec<u64>,
}

/// One look at the metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Look {
    /// What was counted since the look before, of every objective in order.
    Counted {
        /// Seconds that were observed.
        seconds: u64,
        /// Of each objective.
        objectives: Vec<Counted>,
    },
    /// The metrics system gave no usable answer. Time does not count.
    Failed {
        /// Why.
        why: String,
    },
}

/// What is known of one objective.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    /// Counted since the rollout began.
    pub canary: Requests,
    /// The same of the stable revision.
    pub stable: Requests,
    /// Counted in this step.
    pub step: Requests,
    /// For burns of the canary: a fast one, and ones far beyond it.
    burns: [Evidence; BEYOND],
    /// For a slow one.
    burns_slowly: Evidence,
    /// For a fast one of the stable revision.
    stable_burns: Evidence,
    /// For a canary that is worse than the stable revision.
    worse: Evidence,
    /// Durations in this rollout.
    canary_buckets: Vec<u64>,
    stable_buckets: Vec<u64>,
}

impl Default for Case {
    fn default() -> Self {
        let (none, fresh) = (Requests::default(), Evidence::begin());
        Self {
            canary: none,
            stable: none,
            step: none,
            burns: [fresh; BEYOND],
            burns_slowly: fresh,
            stable_burns: fresh,
            worse: fresh,
            canary_buckets: Vec::new(),
            stable_buckets: Vec::new(),
        }
    }
}

/// All that is known of a rollout's canary; what a controller keeps from one
/// look to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Known {
    /// Of each objective, in the plan's order.
    pub cases: Vec<Case>,
    /// Seconds observed in this step; time without metrics does not count.
    pub observed: u64,
    /// Seconds observed since the canary was last asked anything.
    pub silent: u64,
    /// Why the last look failed, if it did.
    pub failed: Option<String>,
}

/// Whether a canary may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verdict {
    /// The step's requests make a fast burn unlikely.
    Pass,
    /// Too little is known.
    NeedMore,
    /// Nobody asks the canary anything.
    NoData,
    /// The metrics system does not answer.
    Error,
    /// It is worse than may be promoted.
    Fail,
}

impl Verdict {
    /// The wire form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "Pass",
            Self::Fail => "Fail",
            Self::NeedMore => "NeedMore",
            Self::NoData => "NoData",
            Self::Error => "Error",
        }
    }
}

/// A verdict with what it rests on. The same plan and knowledge give the same
/// judgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// The verdict on all objectives.
    pub verdict: Verdict,
    /// On each, with its reason.
    pub objectives: Vec<(Verdict, Reason)>,
    /// Clean requests that the slowest objective still needs to pass the step.
    pub clean_requests_needed: u64,
}

/// Why an objective's verdict is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// A fast burn is unlikely.
    Clean,
    /// It burns fast, and the stable revision does not.
    Burns,
    /// It is worse than the stable revision and beyond the objective.
    WorseThanStable,
    /// Both burn: the cause is shared.
    SharedCause,
    /// Neither is likely enough.
    Undecided,
    /// Durations have grown: twice the evidence is asked for.
    Slower,
    /// Nobody asked the canary anything lately.
    Silent,
    /// The metrics system does not answer.
    NotAnswered,
}

impl Known {
    /// With one look more.
    #[must_use]
    pub fn take(mut self, plan: &Plan, look: &Look) -> Self {
        let (seconds, objectives) = match look {
            Look::Failed { why } => {
                self.failed = Some(why.clone());
                return self;
            }
            Look::Counted { seconds, objectives } => (seconds, objectives),
        };
        self.failed = None;
        self.cases.resize_with(plan.allowed.len(), Case::default);
        self.observed = self.observed.saturating_add(*seconds);
        let asked = objectives.iter().any(|counted| counted.canary.total > 0);
        self.silent = if asked { 0 } else { self.silent.saturating_add(*seconds) };
        for ((case, counted), allowed) in self.cases.iter_mut().zip(objectives).zip(&plan.allowed) {
            case.take(*allowed, plan, counted);
        }
        self
    }

    /// At the beginning of another step: what counts towards passing begins
    /// anew, what was held against the canary stays.
    #[must_use]
    pub fn next_step(mut self) -> Self {
        for case in &mut self.cases {
            case.step = Requests::default();
        }
        (self.observed, self.silent) = (0, 0);
        self
    }

    /// The verdict on what is known.
    pub fn judge(&self, plan: &Plan) -> Judgement {
        let mut objectives: Vec<(Verdict, Reason)> = Vec::new();
        let mut needed = 0;
        for (at, allowed) in plan.allowed.iter().enumerate() {
            let fresh = Case::default();
            let case = self.cases.get(at).unwrap_or(&fresh);
            let (verdict, reason, more) = case.judge(plan, *allowed);
            needed = needed.max(more);
            objectives.push(match verdict {
                // What was counted convicts, whatever became of the metrics.
                Verdict::Fail => (verdict, reason),
                _ if self.failed.is_some() => (Verdict::Error, Reason::NotAnswered),
                _ if self.silent >= SILENCE => (Verdict::NoData, Reason::Silent),
                _ => (verdict, reason),
            });
        }
        // The worst of them; without an objective nothing was proven.
        let verdict = objectives.iter().map(|(verdict, _)| *verdict).max().unwrap_or(Verdict::NeedMore);
        Judgement { verdict, objectives, clean_requests_needed: needed }
    }
}

impl Case {
    fn take(&mut self, allowed: u32, plan: &Plan, counted: &Counted) {
        let (limit, slow) = (plan.limit(allowed), slow_limit(plan, allowed));
        let (canary, stable) = (counted.canary.sound(), counted.stable.sound());
        self.canary = self.canary.and(canary);
        self.stable = self.stable.and(stable);
        self.step = self.step.and(canary);
        for (burns, share) in self.burns.iter_mut().zip(beyond(limit)) {
            burns.take(ratio_of_shares(allowed, share, canary));
        }
        self.burns_slowly.take(ratio_of_shares(allowed, slow, canary));
        self.stable_burns.take(ratio_of_shares(allowed, limit, stable));
        self.worse.take(evidence::ratio_of_revisions(canary, stable));
        add(&mut self.canary_buckets, &counted.canary_buckets);
        add(&mut self.stable_buckets, &counted.stable_buckets);
    }

    fn judge(&self, plan: &Plan, allowed: u32) -> (Verdict, Reason, u64) {
        let limit = plan.limit(allowed);
        // Two tests of every objective share the chance of a false alarm.
        let tests = 2 * u64::try_from(plan.allowed.len()).unwrap_or(1).max(1);
        let convicts = threshold(u64::from(plan.false_alarm), tests);
        let several = self.canary.bad >= FEW;
        let shared = self.stable_burns.since_begin > Nats::ZERO;
        let worse = self.worse.weight >= threshold(SEEMS_WORSE, 1);
        if several && mixed(&self.burns) >= convicts && !shared {
            return (Verdict::Fail, Reason::Burns, 0);
        }
        if several && worse && self.burns_slowly.weight >= convicts {
            return (Verdict::Fail, Reason::WorseThanStable, 0);
        }
        let slower = slower(&self.canary_buckets, &self.stable_buckets).is_some_and(|opinion| opinion.is_slower());
        let asked = if slower { 2 } else { 1 };
        let clears = Nats(-threshold(u64::from(plan.missed), 1).0 * asked);
        let step = ratio_of_shares(allowed, limit, self.step);
        if step <= clears && !shared {
            return (Verdict::Pass, Reason::Clean, 0);
        }
        let each = ratio_of_shares(allowed, limit, Requests { total: 1, bad: 0 });
        let needed = u64::try_from((step.0 - clears.0).max(0) / each.0.abs().max(1)).unwrap_or(u64::MAX);
        let reason = match (shared, slower) {
            (true, _) => Reason::SharedCause,
            (_, true) => Reason::Slower,
            _ => Reason::Undecided,
        };
        (Verdict::NeedMore, reason, needed)
    }
}

/// Shares of bad requests that are tried beside a fast burn: its square root and
/// the root of that, so that a canary which fails much is convicted by fewer
/// failures than one which fails just too often.
fn beyond(limit: u32) -> [u32; BEYOND] {
    let (whole, share) = (1_000_000_u64, u64::from(limit));
    let root = (share * whole).isqrt();
    [share, root, (root * whole).isqrt()].map(|share| u32::try_from(share.min(whole - 1)).unwrap_or(u32::MAX))
}

/// Share of bad requests at a slow burn.
fn slow_limit(plan: &Plan, allowed: u32) -> u32 {
    plan.limit(allowed).min(allowed.saturating_mul(SLOWLY))
}

fn add(sums: &mut Vec<u64>, more: &[u64]) {
    sums.resize(sums.len().max(more.len()), 0);
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum = sum.saturating_add(*more);
    }
}

#[cfg(test)]
mod tests;
