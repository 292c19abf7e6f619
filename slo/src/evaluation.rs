//! All that is said of an objective at one time, from what was counted.

use hashinsight_crds::Time;
use hashinsight_crds::objective::{Budget as BudgetStatus, Cause, LedgerEntry, Partition};
use jiff::Timestamp;

use crate::budget::{Account, Budget, Standing, minutes};
use crate::counts::Counts;
use crate::ledger::{Claim, apportion};
use crate::objective::Objective;
use crate::share::hundredths;
use crate::window::Bounds;

/// Partitions that are told.
const WORST: usize = 20;

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// When the counting ended.
    pub now: Timestamp,
    /// Since when the indicator is counted.
    pub since: Option<Timestamp>,
    /// In the window.
    pub counts: Counts,
    /// In its excluded part.
    pub excluded: Counts,
    /// In the last hour.
    pub recent: Counts,
    /// In the time of each cause, disjoint.
    pub claimed: Vec<(Claim, Counts)>,
    /// In the window, by value of the partition's label.
    pub partitions: Vec<(String, Counts)>,
}

/// All that is said of an objective.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The window.
    pub bounds: Bounds,
    /// When it was made.
    pub now: Timestamp,
    /// Its budget.
    pub budget: Budget,
    /// What the budget is good for.
    pub standing: Standing,
    /// When nothing will be left, if the last hour goes on.
    pub exhausts_at: Option<Timestamp>,
    /// Since when it is measured.
    pub since: Option<Timestamp>,
    /// Who spent it; the shares add up to what was consumed.
    pub ledger: Vec<LedgerEntry>,
    /// The partitions with the least left, worst first.
    pub worst: Vec<Partition>,
    /// More bad events than events were counted: the selectors disagree.
    pub more_bad_than_all: bool,
}

/// Evaluates `objective`.
pub fn evaluate(objective: &Objective, facts: &Facts) -> Evaluation {
    let bounds = objective.window.at(facts.now);
    let account = |counts, excluded| Account {
        target: objective.target,
        bounds,
        now: facts.now,
        since: facts.since.unwrap_or(facts.now),
        counts,
        excluded,
    };
    let budget = account(facts.counts, facts.excluded).budget();
    let standing = Standing::of(&budget, objective.minimum);
    let mut worst: Vec<(i64, Partition)> = facts
        .partitions
        .iter()
        .map(|(value, counts)| {
            // A tenant's time is the objective's: it was measured all along.
            let counts = Counts { measured: facts.counts.measured, ..*counts };
            let left = account(counts, Counts::default()).budget().remaining_share();
            let partition = Partition {
                value: value.chars().take(253).collect(),
                remaining_percent: hundredths(left),
                total_events: signed(counts.total),
                bad_events: signed(counts.bad),
            };
            (left, partition)
        })
        .collect();
    worst.sort_by(|(left, a), (right, b)| left.cmp(right).then_with(|| a.value.cmp(&b.value)));
    worst.truncate(WORST);
    Evaluation {
        bounds,
        now: facts.now,
        budget,
        standing,
        exhausts_at: budget.exhausts_at(facts.recent, facts.now, &bounds),
        since: facts.since,
        ledger: ledger(&budget, facts),
        worst: worst.into_iter().map(|(_, partition)| partition).collect(),
        more_bad_than_all: facts.counts.bad > facts.counts.total,
    }
}

fn ledger(budget: &Budget, facts: &Facts) -> Vec<LedgerEntry> {
    let claimed: u64 = facts.claimed.iter().map(|(_, counts)| counts.bad).sum();
    let unknown = budget.counts.bad.saturating_sub(claimed);
    let weights: Vec<u64> = facts.claimed.iter().map(|(_, counts)| counts.bad).chain([unknown]).collect();
    let whole = u64::try_from(budget.consumed_share()).unwrap_or(0);
    let shares = apportion(whole, &weights);
    let percent = |share: &u64| hundredths(signed(*share));
    let of_claims = facts.claimed.iter().zip(&shares).map(|((claim, counts), share)| LedgerEntry {
        cause: claim.cause,
        name: Some(claim.name.chars().take(253).collect()),
        from: Some(Time(claim.from)),
        to: Some(Time(claim.to)),
        bad_events: signed(counts.bad),
        consumed_percent: percent(share),
    });
    let mut entries: Vec<LedgerEntry> = of_claims.filter(|entry| entry.bad_events > 0).collect();
    if unknown > 0 {
        entries.push(LedgerEntry {
            cause: Cause::Unknown,
            name: None,
            from: None,
            to: None,
            bad_events: signed(unknown),
            consumed_percent: shares.last().map(percent).unwrap_or_default(),
        });
    }
    entries
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Evaluation {
    /// As it stands in status. `before` is what stood there, which knows since
    /// when nothing is left.
    pub fn status(&self, before: Option<&BudgetStatus>) -> BudgetStatus {
        let budget = &self.budget;
        let whole_second = |time: Timestamp| Time(Timestamp::from_second(time.as_second()).unwrap_or(time));
        let since = before.and_then(|before| before.exhausted_at.clone());
        let (percent, left) = (hundredths(budget.remaining_share()), minutes(budget.remaining()));
        BudgetStatus {
            as_of: whole_second(self.now),
            window_from: whole_second(self.bounds.from),
            total_minutes: minutes(signed(budget.total)),
            consumed_percent: hundredths(budget.consumed_share()),
            remaining: format!("{percent} % ({left} min)"),
            remaining_percent: percent,
            remaining_minutes: left,
            coverage_percent: hundredths(signed(budget.coverage)),
            total_events: signed(budget.counts.total),
            bad_events: signed(budget.counts.bad.min(budget.counts.total)),
            exhausted_at: budget.exhausted().then(|| since.unwrap_or_else(|| whole_second(self.now))),
            exhausts_at: self.exhausts_at.map(whole_second),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objective::tests::{AVAILABILITY, spec};
    use crate::objective::{Objective, Reach};
    use proptest::prelude::*;

    fn objective() -> Objective {
        Objective::parse("ns", "o", &spec(AVAILABILITY), &Reach::Everything).unwrap()
    }

    fn claim(name: &str, cause: Cause) -> Claim {
        Claim { from: Timestamp::UNIX_EPOCH, to: Timestamp::UNIX_EPOCH, cause, name: name.into() }
    }

    proptest! {
        #[test]
        fn the_ledger_adds_up_to_what_was_consumed(
            total in 1u64..1 << 30, bads in prop::collection::vec(0u64..10_000, 0..19), unknown in 0u64..10_000,
        ) {
            let bad: u64 = bads.iter().sum::<u64>() + unknown;
            let now: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
            let facts = Facts {
                now,
                since: Some(Timestamp::UNIX_EPOCH),
                counts: Counts { total: total + bad, bad, measured: 2_592_000 },
                claimed: bads
                    .iter()
                    .map(|bad| (claim("c", Cause::Release), Counts { bad: *bad, ..Counts::default() }))
                    .collect(),
                ..Facts::default()
            };
            let evaluation = evaluate(&objective(), &facts);
            let cents = |text: &str| text.replace('.', "").parse::<i64>().unwrap();
            let sum: i64 = evaluation.ledger.iter().map(|entry| cents(&entry.consumed_percent)).sum();
            prop_assert_eq!(sum, evaluation.budget.consumed_share());
            let events: i64 = evaluation.ledger.iter().map(|entry| entry.bad_events).sum();
            prop_assert_eq!(events, i64::try_from(bad).unwrap());
        }
    }

    #[test]
    fn status_keeps_since_when_nothing_is_left() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let facts = |now: &str, bad| Facts {
            now: at(now),
            since: Some(at("2026-01-01T00:00:00Z")),
            counts: Counts { total: 1_000_000, bad, measured: 2_592_000 },
            ..Facts::default()
        };
        let first = evaluate(&objective(), &facts("2026-11-23T10:00:00Z", 600)).status(None);
        assert_eq!(first.exhausted_at, Some(Time(at("2026-11-23T10:00:00Z"))));
        assert_eq!((first.remaining.as_str(), first.remaining_percent.as_str()), ("-20.00 % (-4.32 min)", "-20.00"));
        let second = evaluate(&objective(), &facts("2026-11-23T11:00:00Z", 700)).status(Some(&first));
        assert_eq!(second.exhausted_at, first.exhausted_at);
        let third = evaluate(&objective(), &facts("2026-11-23T12:00:00Z", 100)).status(Some(&second));
        assert_eq!(third.exhausted_at, None);
    }

    #[test]
    fn the_worst_partitions_come_first() {
        let now: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        let count = |total, bad| Counts { total, bad, measured: 0 };
        let facts = Facts {
            now,
            since: Some(Timestamp::UNIX_EPOCH),
            counts: Counts { total: 10_000, bad: 3, measured: 2_592_000 },
            partitions: (0..40).map(|n| (format!("t{n}"), count(10_000, n % 7))).collect(),
            ..Facts::default()
        };
        let worst = evaluate(&objective(), &facts).worst;
        assert_eq!(worst.len(), 20);
        assert_eq!(
            (worst[0].value.as_str(), worst[0].bad_events, worst[0].remaining_percent.as_str()),
            ("t13", 6, "-20.00")
        );
    }
}
