//! Per-object backoff: how long to wait after trouble, as a function of how
//! often it failed in a row. Wakes that come early do not make it longer.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

use crate::error::Class;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
/// A missing permission is granted by a person: slow enough to be no burden,
/// quick enough that the grant is noticed while they watch.
const FORBIDDEN_FIRST: Duration = Duration::from_secs(5);
const FORBIDDEN_LONGEST: Duration = Duration::from_secs(60);
/// Conflicts are looked at again at once, but not for ever.
const CONFLICTS_AT_ONCE: u32 = 5;

#[derive(Clone, Copy)]
struct Trouble {
    failures: u32,
    not_before: Timestamp,
}

/// Failures in a row, by uid.
#[derive(Default)]
pub struct Backoff(Mutex<BTreeMap<String, Trouble>>);

impl Backoff {
    /// Notes a failure and says how long to wait. A failure before the last
    /// wait was over (a spurious wake) neither counts nor extends it.
    pub fn after(&self, uid: &str, class: Class, now: Timestamp) -> Duration {
        let mut all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = all.get(uid).copied();
        if let Some(trouble) = before.filter(|t| now < t.not_before) {
            return Duration::try_from(trouble.not_before.duration_since(now)).unwrap_or(FIRST);
        }
        let failures = before.map_or(0, |t| t.failures).saturating_add(1);
        let wait = wait(class, failures);
        let not_before = now.checked_add(wait).unwrap_or(now);
        all.insert(uid.to_owned(), Trouble { failures, not_before });
        wait
    }

    /// Forgets the failures of an object: it succeeded or is gone.
    pub fn clear(&self, uid: &str) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(uid);
    }
}

/// Wait after the `failures`-th failure in a row of this class.
fn wait(class: Class, failures: u32) -> Duration {
    let doubled = |first: Duration, longest: Duration| {
        let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        first.checked_mul(factor).map_or(longest, |wait| wait.min(longest))
    };
    match class {
        Class::Conflict if failures <= CONFLICTS_AT_ONCE => Duration::from_millis(50),
        Class::Conflict | Class::Transient => doubled(FIRST, LONGEST),
        Class::Throttled(asked) => doubled(FIRST, LONGEST).max(asked.unwrap_or_default()).min(LONGEST),
        Class::Forbidden => doubled(FORBIDDEN_FIRST, FORBIDDEN_LONGEST),
        // Only a change helps; the longest wait is for what we cannot see.
        Class::Terminal => LONGEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn grows_is_capped_and_forgets() {
        let backoff = Backoff::default();
        let mut now = at(0);
        let waits: Vec<u64> = (0..11)
            .map(|_| {
                let wait = backoff.after("u", Class::Transient, now);
                now = now.checked_add(wait).unwrap();
                wait.as_secs()
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        backoff.clear("u");
        assert_eq!(backoff.after("u", Class::Transient, now), FIRST);
    }

    #[test]
    fn an_early_wake_neither_counts_nor_extends() {
        let backoff = Backoff::default();
        assert_eq!(backoff.after("u", Class::Forbidden, at(0)), Duration::from_secs(5));
        assert_eq!(backoff.after("u", Class::Forbidden, at(2)), Duration::from_secs(3));
        assert_eq!(backoff.after("u", Class::Forbidden, at(5)), Duration::from_secs(10));
    }

    #[test]
    fn conflicts_are_retried_at_once_a_few_times() {
        assert!(wait(Class::Conflict, 5) < FIRST);
        assert!(wait(Class::Conflict, 6) > FIRST);
        assert_eq!(wait(Class::Throttled(Some(Duration::from_secs(7))), 1), Duration::from_secs(7));
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_longest(failures in 1_u32.., seconds in 0_u64..10_000) {
            for class in [Class::Conflict, Class::Transient, Class::Forbidden, Class::Terminal,
                Class::Throttled(Some(Duration::from_secs(seconds)))] {
                prop_assert!(wait(class, failures) <= LONGEST);
            }
        }
    }
}
