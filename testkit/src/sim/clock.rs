//! Time of a simulation: passes with tokio's paused clock, and may jump.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A clock all parts of a simulation share.
#[derive(Clone)]
pub struct SimClock {
    begun: Instant,
    jumped: Arc<AtomicI64>,
}

/// When every simulation begins: 2026-01-01.
const BEGINNING: i64 = 1_767_225_600;

impl SimClock {
    /// A clock that begins now.
    pub fn new() -> Self {
        Self { begun: Instant::now(), jumped: Arc::default() }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.begun.elapsed()).unwrap();
        let jumped = SignedDuration::from_secs(self.jumped.load(Ordering::SeqCst));
        Timestamp::from_second(BEGINNING).unwrap() + passed + jumped
    }

    /// The wall clock is set; what waits does not notice.
    pub fn jump(&self, seconds: i64) {
        self.jumped.fetch_add(seconds, Ordering::SeqCst);
    }

    /// The time as servers write it.
    pub fn written(&self) -> impl Fn() -> String + Send + Sync + 'static {
        let clock = self.clone();
        move || clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

impl Default for SimClock {
    fn default() -> Self {
        Self::new()
    }
}
