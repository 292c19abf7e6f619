//! What error budgets leave a rollout: whether it may go on at all, and how
//! large its next step may be. A rollback never asks.

use hashinsight_crds::budget_policy::{Allow, Releases};
use hashinsight_crds::{ErrorBudgetPolicy, ServiceLevelObjective};
use hashinsight_gates::canary::UNSEEN;
use hashinsight_slo::policy::stricter;
use kube::ResourceExt;

use super::traffic::CONTROL;
use super::valid::{ChangeClass, ValidCore};

/// What is left to a rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leave {
    /// Why nothing but fixes may be released now, if that is so and this is
    /// none.
    pub frozen: Option<String>,
    /// Largest share of traffic a step may add, and whose word that is.
    pub added: Option<(i32, String)>,
    /// Largest share of traffic that risks no more of a budget than the spec
    /// allows, and whose budget that is.
    pub at_risk: Option<(i32, String)>,
}

impl Leave {
    /// Of the objectives a core names and the policies those steer.
    pub fn of(core: &ValidCore, objectives: &[&ServiceLevelObjective], policies: &[&ErrorBudgetPolicy]) -> Self {
        let mut leave = Self::default();
        for objective in objectives {
            let named = objective.spec.budget_policy_ref.as_ref().map(|policy| policy.name.as_str());
            let policy = policies.iter().find(|policy| Some(policy.name_any().as_str()) == named);
            if let Some((policy, releases)) =
                policy.and_then(|policy| Some((policy, policy.status.as_ref()?.releases.as_ref()?)))
            {
                leave.take(core, policy, releases);
            }
            let left = objective.status.as_ref().and_then(|status| status.budget.as_ref());
            if let Some(left) = left.and_then(|budget| thousandths(&budget.remaining_minutes)) {
                let share = i64::from(core.rollout.risk);
                let most = i32::try_from((left * 60 * share / (1000 * UNSEEN)).clamp(1, 100)).unwrap_or(100);
                let is_less = leave.at_risk.as_ref().is_none_or(|(other, _)| most < *other);
                leave.at_risk = if is_less { Some((most, objective.name_any())) } else { leave.at_risk };
            }
        }
        leave
    }

    fn take(&mut self, core: &ValidCore, policy: &ErrorBudgetPolicy, releases: &Releases) {
        let name = policy.name_any();
        let stage = policy.status.as_ref().and_then(|status| status.stage.as_ref()).map_or("Normal", |s| &s.name);
        if releases.allow == Allow::FixesOnly && core.change_class == ChangeClass::Feature {
            self.frozen.get_or_insert_with(|| format!("policy {name}, stage {stage}: only fixes may be released"));
        }
        let before = Releases { allow: Allow::All, max_step_percent: self.added.as_ref().map(|(most, _)| *most) };
        let both = stricter(&before, releases);
        if both.max_step_percent != before.max_step_percent {
            self.added = both.max_step_percent.map(|most| (most, format!("policy {name}, stage {stage}")));
        }
    }

    /// The share of traffic a canary that has `now` may have next, on its way
    /// to `wanted`; and why it is less, if it is.
    pub fn next(&self, now: i32, wanted: i32) -> (i32, Option<String>) {
        let mut next = (wanted, None);
        if let Some((most, who)) = self.added.as_ref().filter(|(most, _)| now + most < wanted) {
            next = (now + most, Some(format!("{who}: a step may add {most} %")));
        }
        // What it has already is risked already; it may always serve alone once
        // every step was passed.
        if let Some((most, who)) = self.at_risk.as_ref().filter(|(most, _)| (*most).max(now + 1) < next.0) {
            let most = (*most).max(now + 1);
            next = (most, Some(format!("what is left of the budget of {who} risks no more than {most} %")));
        }
        (next.0.clamp(1, 100 - CONTROL).min(wanted), next.1)
    }
}

/// A decimal number of minutes in thousandths.
fn thousandths(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let decimals: String = decimals.chars().chain("000".chars()).take(3).collect();
    let magnitude =
        whole.trim_start_matches('-').parse::<i64>().ok()?.checked_mul(1000)? + decimals.parse::<i64>().ok()?;
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leave(added: Option<i32>, at_risk: Option<i32>) -> Leave {
        let said = |most: Option<i32>| most.map(|most| (most, "w".to_owned()));
        Leave { frozen: None, added: said(added), at_risk: said(at_risk) }
    }

    #[test]
    fn steps_are_upper_limits_and_the_way_still_ends() {
        assert_eq!(leave(None, None).next(5, 25), (25, None));
        assert_eq!(leave(Some(10), None).next(5, 25).0, 15);
        assert_eq!(leave(Some(10), Some(8)).next(5, 25).0, 8);
        // With nothing left it creeps, and never stands still or goes back.
        let (mut now, mut steps) = (0, 0);
        while now < 99 {
            let (next, _) = leave(Some(10), Some(1)).next(now, 99);
            assert!(next > now && next <= now + 10, "{now} to {next}");
            (now, steps) = (next, steps + 1);
        }
        assert_eq!(steps, 99);
        assert_eq!(leave(Some(10), None).next(50, 55), (55, None));
    }

    #[test]
    fn minutes_are_read_to_the_thousandth() {
        assert_eq!(thousandths("21.6"), Some(21_600));
        assert_eq!(thousandths("-0.25"), Some(-250));
        assert_eq!(thousandths("7"), Some(7_000));
        assert_eq!(thousandths("x"), None);
    }
}
