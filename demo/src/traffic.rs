//! Customers who ask all the time, each a tenant of its own, and what they were
//! answered.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::edge::Edge;
use crate::{Stage, Trouble};

/// How many there are.
const CUSTOMERS: usize = 16;
/// From one request to the next of one customer: below a tenant's rate.
const PAUSE: Duration = Duration::from_millis(110);
/// What is promised of an answer's time.
const SLOW: Duration = Duration::from_millis(250);

/// What was answered so far.
#[derive(Default)]
pub(crate) struct Tally {
    asked: AtomicU64,
    failed: AtomicU64,
    slow: AtomicU64,
    lost: AtomicU64,
    /// The first answer that was nobody's: neither good nor the service's own
    /// failure.
    first_lost: Mutex<Option<String>>,
    over: AtomicBool,
}

/// The same at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Requests that were answered, or lost.
    pub(crate) asked: u64,
    /// Answered by the service with a failure of its own.
    pub(crate) failed: u64,
    /// Answered later than is promised.
    pub(crate) slow: u64,
    /// Not answered by the service at all.
    pub(crate) lost: u64,
}

impl std::ops::Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            asked: self.asked - before.asked,
            failed: self.failed - before.failed,
            slow: self.slow - before.slow,
            lost: self.lost - before.lost,
        }
    }
}

impl Tally {
    pub(crate) fn counts(&self) -> Counts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        // Bad ones first: never more of them than all.
        let (failed, slow, lost) = (of(&self.failed), of(&self.slow), of(&self.lost));
        Counts { asked: of(&self.asked), failed, slow, lost }
    }

    /// No request may have been lost on the way.
    pub(crate) fn none_lost(&self) -> Result<(), Trouble> {
        let first = self.first_lost.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match first.as_ref() {
            None => Ok(()),
            Some(first) => {
                Err(Trouble::Wrong(format!("{} requests were lost, the first: {first}", self.counts().lost)))
            }
        }
    }

    fn ask(&self, edge: &Edge, token: &str, body: &str) {
        let begun = Instant::now();
        let answer = edge.post("/v1/estimate", token, ["application/json", "application/json"], body);
        let count = |count: &AtomicU64| {
            let _ = count.fetch_add(1, Ordering::Relaxed);
        };
        count(&self.asked);
        match answer {
            Ok(answer) if answer.status == 200 => {}
            Ok(answer) if answer.status == 500 => count(&self.failed),
            other => {
                count(&self.lost);
                let told = other.map_or_else(|trouble| trouble.to_string(), |a| format!("{} {}", a.status, a.text));
                self.first_lost.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(told);
            }
        }
        if begun.elapsed() > SLOW {
            count(&self.slow);
        }
    }
}

/// A machine, a market and a site, all in the request.
fn body() -> Value {
    json!({
        "machine": {"terahash_per_second": "200", "watts": "3500"}, "site": {"usd_per_kwh": "0.06", "pool_fee": "0.01"},
        "market": {"price_usd": "92817", "difficulty": "109000000000000", "subsidy_btc": "3.125", "fees_btc": "0.03"},
    })
}

/// Plays while customers ask.
pub(crate) fn under_load<T>(
    stage: &Stage,
    edge: &Edge,
    play: impl FnOnce(&Tally) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    let issuer = stage.issuer()?;
    let (tally, body) = (Tally::default(), body().to_string());
    std::thread::scope(|customers| {
        for number in 0..CUSTOMERS {
            let (tally, body) = (&tally, &body);
            customers.spawn(move || {
                let tenant = json!({"tenant": format!("load-{number}")});
                // A token holds for some minutes.
                let mut token = (issuer.token(&tenant), Instant::now());
                while !tally.over.load(Ordering::Relaxed) {
                    if token.1.elapsed() > Duration::from_secs(300) {
                        token = (issuer.token(&tenant), Instant::now());
                    }
                    tally.ask(edge, &token.0, body);
                    std::thread::sleep(PAUSE);
                }
            });
        }
        let played = play(&tally);
        tally.over.store(true, Ordering::Relaxed);
        played
    })
}
