//! Liveness tied to progress, and readiness that names what is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

/// A reconcile in flight longer than this is stuck: all its calls together
/// (twelve or so, of 20 s at most) are bounded below.
pub const STUCK_AFTER: Duration = Duration::from_secs(360);
/// A heartbeat of a loop that is older than this means the loop is stuck.
pub const BEAT_WITHIN: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Inner {
    running: BTreeMap<(&'static str, String), Timestamp>,
    beats: BTreeMap<&'static str, Timestamp>,
    missing: BTreeSet<String>,
    starting: bool,
}

/// What the probes look at.
pub struct Health(Mutex<Inner>);

impl Default for Health {
    fn default() -> Self {
        Self(Mutex::new(Inner { starting: true, ..Inner::default() }))
    }
}

impl Health {
    /// A reconcile began.
    pub fn began(&self, controller: &'static str, uid: &str, now: Timestamp) {
        self.with(|inner| inner.running.insert((controller, uid.to_owned()), now));
    }

    /// A reconcile ended.
    pub fn ended(&self, controller: &'static str, uid: &str) {
        self.with(|inner| inner.running.remove(&(controller, uid.to_owned())));
    }

    /// A loop is alive.
    pub fn beat(&self, name: &'static str, now: Timestamp) {
        self.with(|inner| inner.beats.insert(name, now));
    }

    /// Everything the operator waits for at start is there.
    pub fn started(&self) {
        self.with(|inner| inner.starting = false);
    }

    /// Something needed is missing, in words; or no longer.
    pub fn missing(&self, what: &str, is_missing: bool) {
        self.with(|inner| if is_missing { inner.missing.insert(what.to_owned()) } else { inner.missing.remove(what) });
    }

    /// `Err` names what is stuck.
    pub fn live(&self, now: Timestamp) -> Result<(), String> {
        let late =
            |since: Timestamp, limit: Duration| now.duration_since(since).as_secs() > limit.as_secs().cast_signed();
        self.with(|inner| {
            let stuck = inner.running.iter().filter(|(_, since)| late(**since, STUCK_AFTER));
            let silent = inner.beats.iter().filter(|(_, at)| late(**at, BEAT_WITHIN));
            let problems: Vec<String> = stuck
                .map(|((controller, uid), since)| format!("{controller} has worked on {uid} since {since}"))
                .chain(silent.map(|(name, at)| format!("{name} has been silent since {at}")))
                .collect();
            if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
        })
    }

    /// `Err` names what is missing.
    pub fn ready(&self) -> Result<(), String> {
        self.with(|inner| {
            let mut problems: Vec<String> = inner.missing.iter().cloned().collect();
            if inner.starting && problems.is_empty() {
                problems.push("starting".to_owned());
            }
            if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_stuck_reconcile_and_a_silent_loop_fail_liveness() {
        let health = Health::default();
        health.began("tenant", "u1", at(0));
        health.beat("lease", at(170));
        health.beat("lease", at(330));
        assert_eq!(health.live(at(360)), Ok(()));
        let problems = health.live(at(420)).unwrap_err();
        assert!(problems.contains("tenant has worked on u1"), "{problems}");
        assert!(problems.contains("lease has been silent"), "{problems}");
        health.ended("tenant", "u1");
        health.beat("lease", at(420));
        assert_eq!(health.live(at(421)), Ok(()));
    }

    #[test]
    fn readiness_names_what_is_missing() {
        let health = Health::default();
        assert_eq!(health.ready(), Err("starting".to_owned()));
        health.missing("CustomResourceDefinition tenants.hashinsight.net", true);
        assert!(health.ready().unwrap_err().contains("tenants.hashinsight.net"));
        health.missing("CustomResourceDefinition tenants.hashinsight.net", false);
        health.started();
        assert_eq!(health.ready(), Ok(()));
    }
}
