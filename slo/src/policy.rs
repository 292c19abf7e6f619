//! Stages of an error budget policy, with hysteresis and a minimum hold. The
//! worst objective wins.

use hashinsight_crds::Time;
use hashinsight_crds::budget_policy::{Allow, ErrorBudgetPolicySpec, Releases, Stage};
use hashinsight_crds::objective::StageHeld;
use jiff::{SignedDuration, Timestamp};

use crate::share::hundredths;

/// Name of no stage being entered.
pub const NORMAL: &str = "Normal";

/// A policy whose stages are in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// From mild to severe.
    stages: Vec<Stage>,
}

/// Why a policy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "spec.stages: {later} is entered at {later_enter} %, not below {earlier} at {earlier_enter} %; order stages from mild to severe"
)]
pub struct Disorder {
    later: String,
    later_enter: i32,
    earlier: String,
    earlier_enter: i32,
}

impl Policy {
    /// From a spec.
    pub fn parse(spec: &ErrorBudgetPolicySpec) -> Result<Self, Disorder> {
        for pair in spec.stages.windows(2) {
            let [earlier, later] = pair else { continue };
            if later.enter_at_or_below_percent >= earlier.enter_at_or_below_percent {
                return Err(Disorder {
                    later: later.name.clone(),
                    later_enter: later.enter_at_or_below_percent,
                    earlier: earlier.name.clone(),
                    earlier_enter: earlier.enter_at_or_below_percent,
                });
            }
        }
        Ok(Self { stages: spec.stages.clone() })
    }

    /// How severe the stage of that name is: 0 for Normal and for a stage that
    /// is no longer in the policy.
    pub fn severity(&self, name: &str) -> usize {
        self.stages.iter().position(|stage| stage.name == name).map_or(0, |at| at + 1)
    }

    /// The stage of that severity; `None` for Normal.
    pub fn stage(&self, severity: usize) -> Option<&Stage> {
        self.stages.get(severity.checked_sub(1)?)
    }

    /// What may be released in the stage of that name.
    pub fn releases(&self, name: &str) -> Releases {
        let normal = Releases { allow: Allow::All, max_step_percent: None };
        self.stage(self.severity(name)).map_or(normal, |stage| stage.releases.clone())
    }

    /// The stage a budget is in, given the one it was in and what is left of it
    /// in hundredths of a percent. `None` left is "not known": the stage is
    /// held, for nothing was spent and nothing restored. A worse stage is
    /// entered at once; a stage is left when enough is back and it has lasted
    /// its minimum.
    pub fn step(&self, held: Option<&StageHeld>, remaining: Option<i64>, now: Timestamp) -> Step {
        let since = |name: &str| StageHeld { name: name.to_owned(), since: Time(now) };
        let was = held.map_or(0, |held| self.severity(&held.name));
        let begun = held.map_or(now, |held| held.since.0);
        let stay = |why: String| {
            let name = self.stage(was).map_or(NORMAL, |stage| &stage.name);
            let same = held.filter(|held| held.name == name).cloned();
            Step { stage: same.unwrap_or_else(|| since(name)), changed: false, why }
        };
        let Some(remaining) = remaining else {
            return stay("what is left is not known, so the stage is held".to_owned());
        };
        let left = hundredths(remaining);
        let asked = self
            .stages
            .iter()
            .rposition(|stage| remaining <= i64::from(stage.enter_at_or_below_percent) * 100)
            .map_or(0, |at| at + 1);
        let name = |severity| self.stage(severity).map_or(NORMAL, |stage| stage.name.as_str());
        if asked > was {
            let bound = self.stage(asked).map_or(0, |stage| stage.enter_at_or_below_percent);
            let why = format!("{left} % is left, which is not above {bound} %");
            return Step { stage: since(name(asked)), changed: true, why };
        }
        let Some(stage) = self.stage(was) else {
            return stay(format!("{left} % is left"));
        };
        let leave = stage.leave_at_or_above_percent;
        if remaining < i64::from(leave) * 100 {
            return stay(format!("{left} % is left; {} is left at {leave} %", stage.name));
        }
        let hold = SignedDuration::from_mins(i64::from(stage.minimum_hold_minutes));
        if now.duration_since(begun) < hold {
            return stay(format!(
                "{left} % is left, but {} lasts at least {} minutes",
                stage.name, stage.minimum_hold_minutes
            ));
        }
        let why = format!("{left} % is left, which is not below {leave} %");
        Step { stage: since(name(asked)), changed: true, why }
    }
}

/// Where a budget stands after a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The stage and since when.
    pub stage: StageHeld,
    /// Whether it is another than before.
    pub changed: bool,
    /// Why, in words.
    pub why: String,
}

/// What may be released when both hold.
pub fn stricter(one: &Releases, other: &Releases) -> Releases {
    Releases {
        allow: one.allow.max(other.allow),
        max_step_percent: one.max_step_percent.into_iter().chain(other.max_step_percent).min(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy() -> Policy {
        let stage = |name: &str, enter, leave, hold, allow, step| Stage {
            name: name.into(),
            enter_at_or_below_percent: enter,
            leave_at_or_above_percent: leave,
            minimum_hold_minutes: hold,
            releases: Releases { allow, max_step_percent: step },
            page: false,
        };
        Policy::parse(&ErrorBudgetPolicySpec {
            stages: vec![
                stage("Cautious", 50, 60, 60, Allow::All, Some(10)),
                stage("Frozen", 0, 10, 240, Allow::FixesOnly, None),
            ],
        })
        .unwrap()
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    #[test]
    fn stages_are_entered_at_once_and_left_with_hysteresis_and_hold() {
        let policy = policy();
        let mut held: Option<StageHeld> = None;
        for (minute, left, stage) in [
            (0, Some(8_000), "Normal"),
            (1, Some(5_000), "Cautious"),
            (2, Some(5_900), "Cautious"),   // below 60
            (3, Some(7_000), "Cautious"),   // enough, but not an hour yet
            (4, None, "Cautious"),          // not known: held
            (5, Some(-200), "Frozen"),      // worse at once
            (100, Some(9_000), "Frozen"),   // not four hours yet
            (244, Some(999), "Frozen"),     // below 10
            (245, Some(1_000), "Cautious"), // not straight to Normal: 10 is below 50
            (246, Some(9_000), "Cautious"), // its own hold begins
            (305, Some(9_000), "Normal"),
        ] {
            let step = policy.step(held.as_ref(), left, at(minute));
            assert_eq!(step.stage.name, stage, "minute {minute}: {}", step.why);
            held = Some(step.stage);
        }
    }

    #[test]
    fn an_edited_policy_and_a_clock_that_goes_back_do_not_confuse_it() {
        let policy = policy();
        let gone = StageHeld { name: "Panicking".into(), since: Time(at(5)) };
        assert_eq!(policy.step(Some(&gone), Some(4_000), at(9)).stage.name, "Cautious");
        assert_eq!(policy.step(Some(&gone), None, at(9)).stage.name, "Normal");
        let later = StageHeld { name: "Cautious".into(), since: Time(at(500)) };
        assert_eq!(policy.step(Some(&later), Some(9_900), at(9)).stage, later);
    }

    #[test]
    fn the_stricter_word_counts() {
        let (free, slow, frozen) = (
            Releases { allow: Allow::All, max_step_percent: None },
            Releases { allow: Allow::All, max_step_percent: Some(10) },
            Releases { allow: Allow::FixesOnly, max_step_percent: Some(20) },
        );
        assert_eq!(stricter(&free, &slow), slow);
        assert_eq!(stricter(&slow, &frozen), Releases { allow: Allow::FixesOnly, max_step_percent: Some(10) });
    }

    #[test]
    fn stages_out_of_order_are_refused() {
        let mut spec = ErrorBudgetPolicySpec { stages: policy().stages };
        spec.stages.reverse();
        assert!(Policy::parse(&spec).unwrap_err().to_string().contains("order stages from mild to severe"));
    }

    proptest! {
        /// Whatever happens, a stage is never left before its hold, and what
        /// is not known changes nothing.
        #[test]
        fn no_stage_flaps(steps in prop::collection::vec((1i64..90, prop::option::of(-3_000i64..10_000)), 1..80)) {
            let policy = policy();
            let (mut held, mut minute): (Option<StageHeld>, i64) = (None, 0);
            for (wait, left) in steps {
                minute += wait;
                let step = policy.step(held.as_ref(), left, at(minute));
                if let Some(before) = &held {
                    let (was, is) = (policy.severity(&before.name), policy.severity(&step.stage.name));
                    if is < was {
                        let hold = policy.stage(was).unwrap().minimum_hold_minutes;
                        prop_assert!(at(minute).duration_since(before.since.0).as_mins() >= i64::from(hold));
                    }
                    prop_assert_eq!(step.changed, was != is);
                    prop_assert!(left.is_some() || !step.changed);
                    if !step.changed {
                        prop_assert_eq!(&step.stage, before);
                    }
                }
                held = Some(step.stage);
            }
        }
    }
}
