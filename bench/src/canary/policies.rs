//! Who decides: our engine, and Argo Rollouts and Flagger as their documented
//! algorithms say, in default and in tuned settings.

use hashinsight_gates::canary::{Counted, Known, Look, Plan, Requests, Verdict};

use crate::traces::{ALLOWED, SLOW};

/// Weights in percent and how long each is held; the same for all.
pub const STEPS: [(u64, u64); 3] = [(5, 120), (25, 120), (50, 120)];

/// What a second showed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Second {
    pub canary: Requests,
    pub stable: Requests,
    pub slow: Requests,
    pub stable_slow: Requests,
    /// Whether the metrics system answers.
    pub metrics: bool,
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Stay,
    Step,
    Promote,
    RollBack,
}

/// A way to decide, told each second what it showed.
pub trait Policy {
    fn name(&self) -> &'static str;
    fn second(&mut self, seen: Second) -> Act;
}

/// Ours: a look every five seconds.
pub struct Ours {
    plan: Plan,
    known: Known,
    counted: [Counted; 2],
    seconds: u64,
    step: usize,
}

impl Ours {
    pub fn new() -> Self {
        let plan = Plan::of(&[ALLOWED, SLOW]);
        Self { plan, known: Known::default(), counted: Default::default(), seconds: 0, step: 0 }
    }
}

impl Policy for Ours {
    fn name(&self) -> &'static str {
        "hashinsight"
    }

    fn second(&mut self, seen: Second) -> Act {
        // Counters go on while nobody reads them.
        let [fails, slow] = &mut self.counted;
        (fails.canary, fails.stable) = (fails.canary.and(seen.canary), fails.stable.and(seen.stable));
        (slow.canary, slow.stable) = (slow.canary.and(seen.slow), slow.stable.and(seen.stable_slow));
        self.seconds += 1;
        if !self.seconds.is_multiple_of(5) {
            return Act::Stay;
        }
        let look = if seen.metrics {
            let objectives = std::mem::take(&mut self.counted).to_vec();
            Look::Counted { seconds: 5, objectives }
        } else {
            Look::Failed { why: "away".to_owned() }
        };
        self.known = std::mem::take(&mut self.known).take(&self.plan, &look);
        match self.known.judge(&self.plan).verdict {
            Verdict::Fail => Act::RollBack,
            Verdict::Pass if self.known.observed >= STEPS[self.step].1 => {
                self.known = std::mem::take(&mut self.known).next_step();
                self.step += 1;
                if self.step == STEPS.len() { Act::Promote } else { Act::Step }
            }
            _ => Act::Stay,
        }
    }
}

/// The shares a peer's query gives: of the canary's requests in a stretch.
#[derive(Default)]
struct Recent {
    seconds: Vec<Second>,
}

impl Recent {
    fn take(&mut self, seen: Second) {
        self.seconds.push(seen);
    }

    /// Worst of failures and slowness against its limit: `None` without data.
    fn is_good(&self, stretch: usize, bad: f64, slow: f64) -> Option<bool> {
        if !self.seconds.last()?.metrics {
            return None;
        }
        let last = self.seconds.iter().rev().take(stretch);
        let (all, one) = last.fold((Requests::default(), Requests::default()), |(all, one), second| {
            (all.and(second.canary), one.and(second.slow))
        });
        if all.total == 0 {
            return None;
        }
        let share = |requests: Requests| requests.bad as f64 / requests.total as f64;
        Some(share(all) <= bad && share(one) <= slow)
    }
}

/// Argo Rollouts: an analysis in the background of timed steps. A measurement
/// that fails more often than `limit` aborts; the fifth error in a row does,
/// too. Steps go on by the clock.
pub struct Argo {
    recent: Recent,
    name: &'static str,
    interval: u64,
    bad: f64,
    limit: u32,
    failed: u32,
    errors: u32,
    seconds: u64,
    in_step: u64,
    step: usize,
}

impl Argo {
    /// As in its documentation's example: success of 95 %, every five minutes
    /// cut to one, no failure allowed.
    pub fn default_settings() -> Self {
        Self::of("Argo Rollouts, default", 60, 0.05, 0)
    }

    /// With our limit, twice as often, two failures allowed so that noise does
    /// not abort.
    pub fn tuned() -> Self {
        Self::of("Argo Rollouts, tuned", 30, 0.0072, 2)
    }

    fn of(name: &'static str, interval: u64, bad: f64, limit: u32) -> Self {
        let recent = Recent::default();
        Self { recent, name, interval, bad, limit, failed: 0, errors: 0, seconds: 0, in_step: 0, step: 0 }
    }
}

impl Policy for Argo {
    fn name(&self) -> &'static str {
        self.name
    }

    fn second(&mut self, seen: Second) -> Act {
        self.recent.take(seen);
        (self.seconds, self.in_step) = (self.seconds + 1, self.in_step + 1);
        // An error is tried again every ten seconds.
        let due =
            if self.errors > 0 { self.seconds.is_multiple_of(10) } else { self.seconds.is_multiple_of(self.interval) };
        if due {
            match self.recent.is_good(60, self.bad, 0.05) {
                Some(good) => {
                    self.errors = 0;
                    self.failed += u32::from(!good);
                }
                None => self.errors += 1,
            }
            if self.failed > self.limit || self.errors > 4 {
                return Act::RollBack;
            }
        }
        if self.in_step < STEPS[self.step].1 {
            return Act::Stay;
        }
        (self.in_step, self.step) = (0, self.step + 1);
        if self.step == STEPS.len() { Act::Promote } else { Act::Step }
    }
}

/// Flagger: one tick an interval; a tick that passes goes a step on, one that
/// does not is counted, also without data; too many roll back.
pub struct Flagger {
    recent: Recent,
    name: &'static str,
    interval: u64,
    bad: f64,
    threshold: u32,
    failed: u32,
    seconds: u64,
    in_step: u64,
    step: usize,
}

impl Flagger {
    /// As in its documentation: success of 99 %, every minute, five failed
    /// checks.
    pub fn default_settings() -> Self {
        Self::of("Flagger, default", 60, 0.01, 5)
    }

    /// With our limit, twice as often, two failed checks.
    pub fn tuned() -> Self {
        Self::of("Flagger, tuned", 30, 0.0072, 2)
    }

    fn of(name: &'static str, interval: u64, bad: f64, threshold: u32) -> Self {
        Self { recent: Recent::default(), name, interval, bad, threshold, failed: 0, seconds: 0, in_step: 0, step: 0 }
    }
}

impl Policy for Flagger {
    fn name(&self) -> &'static str {
        self.name
    }

    fn second(&mut self, seen: Second) -> Act {
        self.recent.take(seen);
        (self.seconds, self.in_step) = (self.seconds + 1, self.in_step + 1);
        if !self.seconds.is_multiple_of(self.interval) {
            return Act::Stay;
        }
        let stretch = usize::try_from(self.interval).unwrap_or(60);
        if self.recent.is_good(stretch, self.bad, 0.05) != Some(true) {
            self.failed += 1;
            return if self.failed >= self.threshold { Act::RollBack } else { Act::Stay };
        }
        if self.in_step < STEPS[self.step].1 {
            return Act::Stay;
        }
        (self.in_step, self.step) = (0, self.step + 1);
        if self.step == STEPS.len() { Act::Promote } else { Act::Step }
    }
}
