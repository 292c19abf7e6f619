//! What an objective would have done over recorded history: when people would
//! have been told, and what a policy would have stopped.
//!
//! The alerts are those of the rendered rules, computed as often as Prometheus
//! would (`Stretch::interval`) but exactly and at once: a scrape, a step and
//! an evaluation of the rule come on top of every time told here.

use hashinsight_crds::objective::{Severity, StageHeld};
use jiff::Timestamp;

use crate::alerts::Alert;
use crate::book::Stretch as Span;
use crate::burn::{Row, Stretch};
use crate::counts::Counts;
use crate::evaluation::{Evaluation, Facts, evaluate};
use crate::history::History;
use crate::objective::{Objective, STEP};
use crate::policy::{NORMAL, Policy};
use crate::rules::{FEW, silence_told_after};
use crate::share::WHOLE;

/// Something people would have seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// An alert begins to fire; for burn rates, the row that made it.
    Fires(Alert, Option<Row>),
    /// It ends.
    Ends(Alert),
    /// The policy enters or leaves a stage, and why.
    Stage(StageHeld, String),
    /// Nothing is left of the budget.
    Exhausted,
    /// Something is left again.
    Restored,
}

/// What would have happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// When history begins.
    pub from: Timestamp,
    /// When it ends.
    pub to: Timestamp,
    /// What would have been seen, and when.
    pub seen: Vec<(Timestamp, Seen)>,
    /// Least that was ever left, in hundredths of a percent, and when.
    pub lowest: (i64, Timestamp),
    /// How it stood at the end.
    pub last: Evaluation,
}

impl Report {
    /// How often an alert would have begun.
    pub fn count(&self, alert: Alert) -> usize {
        self.seen.iter().filter(|(_, seen)| matches!(seen, Seen::Fires(fires, _) if *fires == alert)).count()
    }
}

/// Plays `history` through `objective` and `policy`. `None` when it is empty.
pub fn backtest(objective: &Objective, policy: Option<&Policy>, history: &History) -> Option<Report> {
    let (first, end) = history.ends()?;
    let at = |second: i64| Timestamp::from_second(second).ok();
    let mut told = Told::default();
    let mut report = Report {
        from: at(first)?,
        to: at(end)?,
        seen: Vec::new(),
        lowest: (i64::MAX, at(first)?),
        last: evaluated(objective, history, first)?,
    };
    let step = STEP.cast_signed();
    let mut second = first;
    while second <= end {
        let now = at(second)?;
        let evaluation = evaluated(objective, history, second)?;
        for seen in told.look(objective, policy, history, &evaluation) {
            report.seen.push((now, seen));
        }
        let left = evaluation.budget.remaining_share();
        if evaluation.standing.decides() && left < report.lowest.0 {
            report.lowest = (left, now);
        }
        report.last = evaluation;
        second += step;
    }
    Some(report)
}

/// The budget at `second`, as the operator would have computed it then.
pub fn evaluated(objective: &Objective, history: &History, second: i64) -> Option<Evaluation> {
    let now = Timestamp::from_second(second).ok()?;
    let bounds = objective.window.at(now);
    let facts = Facts {
        now,
        since: history.since().and_then(|since| Timestamp::from_second(since).ok()).filter(|since| *since <= now),
        counts: history.sum(Span::between(bounds.from, now)),
        recent: history.sum(Span { from: second - 3600, to: second }),
        ..Facts::default()
    };
    Some(evaluate(objective, &facts))
}

/// Whether what was counted in `stretch` burns faster than the row's factor;
/// fewer events than the objective's minimum are divided by it.
pub fn burns(objective: &Objective, counts: Counts, stretch: Stretch, row: &Row) -> bool {
    let events = u128::from(counts.total.max(objective.minimum.events).max(1));
    let burnt = u128::from(counts.bad) * u128::from(counts.measured.min(stretch.seconds())) * u128::from(WHOLE) * 1000;
    let allowed = u128::from(row.factor) * u128::from(objective.target.allowed());
    burnt > allowed * events * u128::from(stretch.seconds())
}

/// What people know already.
#[derive(Default)]
struct Told {
    firing: Vec<Alert>,
    stage: Option<StageHeld>,
    exhausted: bool,
    measured_at: Option<i64>,
    /// Burns as Prometheus last computed them: stretch, when, counts.
    sums: Vec<(Stretch, i64, Counts)>,
}

impl Told {
    fn look(
        &mut self,
        objective: &Objective,
        policy: Option<&Policy>,
        history: &History,
        now: &Evaluation,
    ) -> Vec<Seen> {
        let second = now.now.as_second();
        let mut seen = Vec::new();
        for (severity, alert) in
            [(Severity::Page, Alert::ErrorBudgetBurnsFast), (Severity::Ticket, Alert::ErrorBudgetBurnsSlowly)]
        {
            let rows = objective.rows.iter().filter(|row| row.severity == severity);
            let burning = rows.copied().find(|row| self.fires(objective, history, row, second));
            self.alert(alert, burning.is_some(), burning, &mut seen);
        }
        let lately = history.sum(Span { from: second - STEP.cast_signed(), to: second }).measured > 0;
        if lately || self.measured_at.is_none() {
            self.measured_at = Some(second);
        }
        let silent = self.measured_at.is_some_and(|at| second - at >= silence_told_after(objective).cast_signed());
        self.alert(Alert::ObjectiveNotMeasured, silent, None, &mut seen);
        let exhausted = now.standing.decides() && now.budget.exhausted();
        if exhausted != self.exhausted {
            self.exhausted = exhausted;
            seen.push(if exhausted { Seen::Exhausted } else { Seen::Restored });
        }
        if let Some(policy) = policy {
            // What is silent or says too little is not known: the stage is held.
            let left = (now.standing.decides() && !silent).then(|| now.budget.remaining_share());
            let step = policy.step(self.stage.as_ref(), left, now.now);
            let news = match &self.stage {
                None => step.stage.name != NORMAL,
                Some(_) => step.changed,
            };
            if news {
                seen.push(Seen::Stage(step.stage.clone(), step.why));
            }
            self.stage = Some(step.stage);
        }
        seen
    }

    fn alert(&mut self, alert: Alert, fires: bool, row: Option<Row>, seen: &mut Vec<Seen>) {
        let fired = self.firing.contains(&alert);
        if fires && !fired {
            self.firing.push(alert);
            seen.push(Seen::Fires(alert, row));
        } else if fired && !fires {
            self.firing.retain(|firing| *firing != alert);
            seen.push(Seen::Ends(alert));
        }
    }

    fn fires(&mut self, objective: &Objective, history: &History, row: &Row, second: i64) -> bool {
        let (long, short) = (self.sum(history, row.long, second), self.sum(history, row.short, second));
        let several = objective.slice.is_some() || long.bad >= FEW;
        several && burns(objective, long, row.long, row) && burns(objective, short, row.short, row)
    }

    /// What was counted in `stretch` when its burn rate was last computed.
    fn sum(&mut self, history: &History, stretch: Stretch, second: i64) -> Counts {
        let known = self.sums.iter_mut().find(|(of, ..)| *of == stretch);
        if let Some((_, at, counts)) = &known
            && second - at < stretch.interval().cast_signed()
        {
            return *counts;
        }
        let counts = history.sum(Span { from: second - stretch.seconds().cast_signed(), to: second });
        match known {
            Some(known) => *known = (stretch, second, counts),
            None => self.sums.push((stretch, second, counts)),
        }
        counts
    }
}
