//! What happens to a canary while it is rolled out: how often it and the stable
//! revision fail, how much is asked, and when the metrics system is away.

/// Shares are in millionths.
pub const WHOLE: u64 = 1_000_000;
/// What the objective allows: 99.95 %.
pub const ALLOWED: u32 = 500;
/// What the objective of durations allows: 95 %.
pub const SLOW: u32 = 50_000;

/// A life of a canary.
#[derive(Clone, Debug)]
pub struct Trace {
    pub name: String,
    /// Requests a second, of both revisions together.
    pub rate: u64,
    /// Share of the canary's requests that fails from the beginning on.
    pub fails: u64,
    /// Seconds until it begins.
    pub from: u64,
    /// Seconds it fails and does not, in turn; (1, 0) for always.
    pub turns: (u64, u64),
    /// Share of the stable revision's requests that fails with the canary's.
    pub stable: u64,
    /// Share of the canary's requests that is slower than promised.
    pub slow: u64,
    /// Seconds without metrics: from, to.
    pub away: (u64, u64),
}

impl Trace {
    fn new(name: impl Into<String>, rate: u64, fails: u64) -> Self {
        // What fails even when all is well: a fifth of what is allowed.
        Self { name: name.into(), rate, fails, from: 0, turns: (1, 0), stable: 100, slow: 10_000, away: (0, 0) }
    }

    /// Share of the canary's requests that fails at a second.
    pub fn fails_at(&self, second: u64) -> u64 {
        let (on, off) = self.turns;
        if second >= self.from && (second - self.from) % (on + off) < on { self.fails } else { 100 }
    }

    /// Whether the canary is as good as it must be.
    pub fn is_healthy(&self) -> bool {
        self.fails <= u64::from(ALLOWED) && self.slow <= u64::from(SLOW) || self.stable >= self.fails
    }

    /// Whether it may not be promoted: above the burn threshold of 14.4, all
    /// the time.
    pub fn is_above(&self) -> bool {
        self.turns == (1, 0) && self.from == 0 && self.stable < self.fails && self.fails * 10 > u64::from(ALLOWED) * 144
    }

    pub fn has_outage(&self) -> bool {
        self.away.1 > 0
    }
}

fn percent(share: u64) -> String {
    format!("{} %", share as f64 / 10_000.0)
}

pub fn all() -> Vec<Trace> {
    let mut all = Vec::new();
    for rate in [10, 100, 1000] {
        for fails in [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 350_000, 500_000] {
            all.push(Trace::new(format!("{} fail at {rate}/s", percent(fails)), rate, fails));
        }
    }
    for from in [60, 150, 250] {
        for fails in [10_000, 50_000, 500_000] {
            let late = Trace::new(format!("{} fail after {from} s", percent(fails)), 100, fails);
            all.push(Trace { from, ..late });
        }
    }
    for (rate, fails) in [(100, 50_000), (100, 500_000), (1000, 50_000), (1000, 500_000)] {
        let flaps = Trace::new(format!("{} fail 10 s of 40 at {rate}/s", percent(fails)), rate, fails);
        all.push(Trace { turns: (10, 30), ..flaps });
    }
    for fails in [10_000, 50_000, 500_000] {
        all.push(Trace::new(format!("{} fail at 1/s", percent(fails)), 1, fails));
    }
    for rate in [1, 10, 100, 1000] {
        all.push(Trace::new(format!("healthy at {rate}/s"), rate, 100));
    }
    for fails in [20_000, 100_000, 500_000] {
        let shared = Trace::new(format!("{} of both fail", percent(fails)), 100, fails);
        all.push(Trace { stable: fails, ..shared });
    }
    for slow in [100_000, 200_000, 500_000, 900_000] {
        let trace = Trace::new(format!("{} slower than promised", percent(slow)), 100, 100);
        all.push(Trace { slow, ..trace });
    }
    for (from, to) in [(0, 120), (100, 220), (100, 700), (300, 330)] {
        let outage = Trace::new(format!("healthy, no metrics from {from} to {to} s"), 100, 100);
        all.push(Trace { away: (from, to), ..outage });
    }
    all
}
