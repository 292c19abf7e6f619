//! The evaluator: every fifteen seconds it reads the counts of all objectives
//! back, with as many questions as there are different times, not objectives,
//! and notes what comes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use hashinsight_crds::{ChangeNotice, ServiceLevelObjective};
use hashinsight_slo::book::{Book, Missing, Stretch};
use hashinsight_slo::counts::{Counts, whole};
use hashinsight_slo::evaluation::{Facts, evaluate};
use hashinsight_slo::ledger::{Claim, deal};
use hashinsight_slo::objective::Objective;
use hashinsight_slo::series::{
    BAD, COUNT_LABEL, COUNTED, COUNTED_BY, INDICATOR_LABEL, MEASURED, NAME_LABEL, NAMESPACE_LABEL, TOTAL,
};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::board::{Board, Known, Lint};
use super::lint::lint;
use super::rendering::{Rendering, name_of};
use super::status::{Seen, conclude};
use super::{Objectives, Policies, parse, policy_of};
use crate::change_notice::{affects, claim, excluded};
use crate::ctx::Ctx;
use crate::incident::{self, Incidents};
use hashinsight_metrics_source::{Failure, Sample, Source};

/// From one evaluation to the next.
pub const EVERY: Duration = Duration::from_secs(15);
/// Evaluations from one look at the rules in place to the next.
const SWEEP_EVERY: u64 = 4;
/// What the probes know the evaluator by.
const BEAT: &str = "evaluator";
/// Questions at once.
const AT_ONCE: usize = 4;
/// Specs the source is asked about in one evaluation.
const LINTS: usize = 20;
/// Evaluations after which a spec is asked about anew.
const LINT_AGAIN: u64 = 240;
/// Stretches an objective may exclude; the newest are kept.
const EXCLUSIONS: usize = 50;

/// The key of an objective's series.
fn key(objective: &Objective) -> String {
    format!("{}/{}/{}", objective.namespace, objective.name, objective.id)
}

/// What evaluates objectives.
pub struct Evaluator {
    /// Everything a reconcile has.
    pub ctx: Arc<Ctx>,
    /// The metrics system.
    pub source: Source,
    /// Where it is noted.
    pub board: Arc<Board>,
    /// The rules in place.
    pub rendering: Arc<Rendering>,
    /// All objectives.
    pub objectives: Objectives,
    /// All policies.
    pub policies: Policies,
    /// All notices.
    pub notices: Store<DeserializeGuard<ChangeNotice>>,
    /// All incidents, for the ledger.
    pub incidents: Incidents,
    /// Where the operator lives.
    pub system_namespace: String,
    /// Names objectives that want to be looked at: (namespace, name).
    pub wake: mpsc::Sender<(String, String)>,
}

/// What is kept from one evaluation to the next.
#[derive(Default)]
struct Kept {
    book: Book<String>,
    by_partition: Book<(String, String)>,
    lints: BTreeMap<String, (u64, Lint)>,
    retention: Option<u64>,
    turn: u64,
}

/// An objective with the times that matter to it.
struct Wanted {
    object: Arc<DeserializeGuard<ServiceLevelObjective>>,
    objective: Arc<Objective>,
    window: Stretch,
    excluded: Vec<Stretch>,
    claims: Vec<Claim>,
}

impl Evaluator {
    /// Evaluates for ever.
    pub async fn run(self) {
        let mut kept = Kept::default();
        // At first with everything listed, or all rules would look orphaned.
        let _ = futures::join!(
            self.objectives.wait_until_ready(),
            self.policies.wait_until_ready(),
            self.notices.wait_until_ready(),
            self.incidents.wait_until_ready()
        );
        loop {
            let begun = self.ctx.clock.now();
            self.ctx.health.beat(BEAT, begun);
            if kept.turn.is_multiple_of(SWEEP_EVERY) {
                self.sweep().await;
            }
            let wanted = self.wanted(begun);
            match self.evaluate(&wanted, &mut kept, begun).await {
                Ok(()) => self.board.answered(begun),
                Err(failure) => {
                    warn!(%failure, "objectives are not evaluated; budgets and stages stand");
                    self.board.failed(failure);
                }
            }
            self.tell(&wanted, begun).await;
            kept.turn += 1;
            let now = self.ctx.clock.now();
            self.ctx.health.beat(BEAT, now);
            let took = now.duration_since(begun);
            self.ctx.metrics.evaluation_duration.observe(took.as_secs_f64().max(0.0));
            tokio::time::sleep(EVERY.saturating_sub(Duration::try_from(took).unwrap_or_default())).await;
        }
    }

    /// Removes rules of what is gone, and puts back what was changed.
    async fn sweep(&self) {
        let all = self.objectives.state();
        let names: BTreeMap<String, (String, String)> = all
            .iter()
            .map(|object| (object.namespace().unwrap_or_default(), object.name_any()))
            .map(|(namespace, name)| (name_of(&namespace, &name), (namespace, name)))
            .collect();
        match self.rendering.sweep(&names.keys().cloned().collect(), &self.ctx).await {
            Ok(changed) => {
                for name in changed.iter().filter_map(|name| names.get(name)) {
                    let _ = self.wake.send(name.clone()).await;
                }
            }
            Err(error) => warn!(%error, "the rules in place cannot be looked at"),
        }
    }

    /// Every objective that can be measured, with the times that matter to it.
    fn wanted(&self, now: Timestamp) -> Vec<Wanted> {
        let notices = self.notices.state();
        let notices: Vec<&ChangeNotice> = notices.iter().filter_map(|notice| notice.0.as_ref().ok()).collect();
        let incidents = self.incidents.state();
        let incidents: Vec<_> = incidents.iter().filter_map(|incident| incident.0.as_ref().ok()).collect();
        let mut wanted = Vec::new();
        for object in self.objectives.state() {
            let Ok(readable) = object.0.as_ref() else { continue };
            let Ok(objective) = parse(readable, &self.system_namespace) else { continue };
            let bounds = objective.window.at(now);
            let window = Stretch::between(bounds.from, now);
            let touching = || notices.iter().filter(|notice| affects(&notice.spec, &objective.service));
            let spans = touching().filter_map(|notice| excluded(notice));
            let spans = spans.map(|(from, to)| Stretch::between(from.max(bounds.from), to.min(now)));
            let about = incidents.iter().filter(|incident| incident.spec.service == objective.service);
            let during = about.map(|incident| incident::claim(incident, now));
            let claims: Vec<Claim> = touching().filter_map(|notice| claim(notice)).chain(during).collect();
            let mut claims = deal(&claims, &bounds);
            claims.retain(|claim| claim.from < now);
            for claim in &mut claims {
                claim.to = claim.to.min(now);
            }
            let excluded = union(spans.collect());
            wanted.push(Wanted { objective: Arc::new(objective), window, excluded, claims, object });
        }
        wanted
    }

    async fn evaluate(&self, wanted: &[Wanted], kept: &mut Kept, now: Timestamp) -> Result<(), Failure> {
        let keys: BTreeSet<String> = wanted.iter().map(|wanted| wanted.objective.key()).collect();
        for gone in self.board.retain(&keys) {
            self.ctx.metrics.budgets.forget(&gone.namespace, &gone.name);
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let second = now.as_second();
        let recent = Stretch { from: second - 3600, to: second };
        let mut stretches = BTreeSet::from([recent]);
        for wanted in wanted {
            stretches.insert(lately(&wanted.objective, now));
            stretches.insert(wanted.window);
            stretches.extend(&wanted.excluded);
            stretches.extend(wanted.claims.iter().map(|claim| Stretch::between(claim.from, claim.to)));
        }
        let stretches: Vec<Stretch> = stretches.into_iter().collect();
        let approximate: BTreeSet<String> = wanted
            .iter()
            .filter(|wanted| wanted.objective.is_approximate())
            .map(|wanted| key(&wanted.objective))
            .collect();
        let mut spoiled = BTreeMap::new();
        let of_objective = |labels: &BTreeMap<String, String>| Some(identity(labels));
        let reading = Reading { series: COUNTED, by: "", key: &of_objective, approximate: &approximate };
        self.read(&reading, &stretches, second, &mut kept.book, &mut spoiled).await?;
        let partitioned: Vec<&Wanted> = wanted.iter().filter(|wanted| wanted.objective.partition.is_some()).collect();
        if !partitioned.is_empty() {
            let labels: BTreeMap<String, String> = partitioned
                .iter()
                .filter_map(|wanted| Some((key(&wanted.objective), wanted.objective.partition.as_ref()?.label.clone())))
                .collect();
            let of_partition = |series: &BTreeMap<String, String>| {
                let key = identity(series);
                let value = series.get(labels.get(&key)?)?.clone();
                Some((key, value))
            };
            let by: BTreeSet<&str> = labels.values().map(String::as_str).collect();
            let by = by.into_iter().fold(String::new(), |by, label| by + ", " + label);
            let windows: BTreeSet<Stretch> = partitioned.iter().map(|wanted| wanted.window).collect();
            let none = BTreeSet::new();
            let reading = Reading { series: COUNTED_BY, by: &by, key: &of_partition, approximate: &none };
            let windows: Vec<Stretch> = windows.into_iter().collect();
            self.read(&reading, &windows, second, &mut kept.by_partition, &mut BTreeMap::new()).await?;
        }
        self.lints(wanted, kept, now).await?;
        for wanted in wanted {
            self.note(wanted, kept, &spoiled, recent, now);
        }
        Ok(())
    }

    /// Reads what the book has not.
    async fn read<K: Ord + Clone>(
        &self,
        reading: &Reading<'_, K>,
        stretches: &[Stretch],
        now: i64,
        book: &mut Book<K>,
        spoiled: &mut BTreeMap<K, String>,
    ) -> Result<(), Failure> {
        let missing = book.missing(stretches, now);
        debug!(questions = missing.len(), series = reading.series, "reading counts");
        let answers: Vec<(Missing, Vec<Sample>)> = stream::iter(missing)
            .map(|question| async move { Ok((question, self.ask(reading, question).await?)) })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        for (question, samples) in answers {
            let mut rows: BTreeMap<(K, i64), Counts> = BTreeMap::new();
            for sample in &samples {
                let Some(key) = (reading.key)(&sample.labels) else { continue };
                let rounded = reading.approximate.contains(&identity(&sample.labels));
                let count = match whole(if rounded { sample.value.round() } else { sample.value }) {
                    Ok(count) => count,
                    Err(why) => {
                        spoiled.insert(key, why.to_string());
                        continue;
                    }
                };
                let row = rows.entry((key, sample.at)).or_default();
                match sample.labels.get(COUNT_LABEL).map(String::as_str) {
                    Some(TOTAL) => row.total = count,
                    Some(BAD) => row.bad = count,
                    Some(MEASURED) => row.measured = count,
                    _ => {}
                }
            }
            book.take(question, rows.into_iter().map(|((key, at), counts)| (key, at, counts)));
        }
        Ok(())
    }

    /// One question for all objectives. Several metrics systems behind one
    /// address tell the same thing several times: the largest is taken.
    async fn ask<K>(&self, reading: &Reading<'_, K>, question: Missing) -> Result<Vec<Sample>, Failure> {
        // Catching up takes many questions: each is a sign of life.
        self.ctx.health.beat(BEAT, self.ctx.clock.now());
        let by = format!("{NAMESPACE_LABEL}, {NAME_LABEL}, {INDICATOR_LABEL}, {COUNT_LABEL}{}", reading.by);
        let sum = |seconds: u64| format!("max by ({by}) (sum_over_time({}[{seconds}s]))", reading.series);
        let at = |second: i64| Timestamp::from_second(second).unwrap_or_default();
        match question {
            Missing::Sum(stretch) => self.source.instant(&sum(stretch.seconds()), at(stretch.to)).await,
            Missing::Hours(stretch) => {
                self.source.range(&sum(3600), at(stretch.from + 3600), at(stretch.to), 3600).await
            }
        }
    }

    /// Asks the source about specs it was not asked about, or long ago.
    async fn lints(&self, wanted: &[Wanted], kept: &mut Kept, now: Timestamp) -> Result<(), Failure> {
        if kept.turn.is_multiple_of(LINT_AGAIN) {
            kept.retention = self.source.retention().await.unwrap_or_default();
        }
        let keys: BTreeSet<String> = wanted.iter().map(|wanted| key(&wanted.objective)).collect();
        kept.lints.retain(|key, _| keys.contains(key));
        let turn = kept.turn;
        let old = |key: &String| {
            kept.lints.get(key).is_none_or(|(asked, found)| {
                // What was found wanting may be mended: it is asked about sooner.
                let again = if *found == Lint::default() { LINT_AGAIN } else { LINT_AGAIN / 20 };
                turn.saturating_sub(*asked) >= again
            })
        };
        let due: Vec<&Wanted> = wanted.iter().filter(|wanted| old(&key(&wanted.objective))).take(LINTS).collect();
        for wanted in due {
            let found = lint(&wanted.objective, &self.source, kept.retention, now).await?;
            kept.lints.insert(key(&wanted.objective), (turn, found));
        }
        Ok(())
    }

    /// Evaluates one objective and notes it.
    fn note(&self, wanted: &Wanted, kept: &Kept, spoiled: &BTreeMap<String, String>, recent: Stretch, now: Timestamp) {
        let (objective, key) = (&wanted.objective, key(&wanted.objective));
        let facts = facts(wanted, &kept.book, &kept.by_partition, recent, now);
        let evaluation = facts.map(|facts| evaluate(objective, &facts));
        let silent = kept.book.sum(&key, lately(objective, now)).is_some_and(|counts| counts.measured == 0);
        if let Some(evaluation) = &evaluation
            && evaluation.since.is_some()
        {
            self.ctx.metrics.budgets.tell(objective, evaluation);
        }
        let known = Known {
            objective: Arc::clone(objective),
            evaluation,
            silent,
            spoiled: spoiled.get(&key).cloned(),
            lint: kept.lints.get(&key).map(|(_, lint)| lint.clone()),
        };
        self.board.note(objective.key(), known);
    }

    /// Wakes the controller for every objective whose status is worth a write.
    async fn tell(&self, wanted: &[Wanted], now: Timestamp) {
        let mut woken = 0;
        for Wanted { object, objective, .. } in wanted {
            let Ok(readable) = object.0.as_ref() else { continue };
            let (known, freshness) = self.board.seen(&objective.key(), now);
            let before = readable.status.clone().unwrap_or_default();
            let conclusion = conclude(&Seen {
                objective: Ok(objective),
                known: known.as_ref(),
                freshness: &freshness,
                policy: &policy_of(readable, &self.policies, &self.system_namespace),
                rules: None,
                before: &before,
                generation: readable.metadata.generation.unwrap_or_default(),
                now,
            });
            if conclusion.due {
                woken += 1;
                let _ = self.wake.send((objective.namespace.clone(), objective.name.clone())).await;
            }
        }
        if woken > 0 {
            info!(objectives = woken, "status is worth a write");
        }
    }
}

/// What is read, and whose it is.
struct Reading<'a, K> {
    series: &'static str,
    /// Labels beside those of every series of ours.
    by: &'a str,
    key: &'a (dyn Fn(&BTreeMap<String, String>) -> Option<K> + Send + Sync),
    approximate: &'a BTreeSet<String>,
}

fn identity(labels: &BTreeMap<String, String>) -> String {
    let of = |label| labels.get(label).map_or("", String::as_str);
    format!("{}/{}/{}", of(NAMESPACE_LABEL), of(NAME_LABEL), of(INDICATOR_LABEL))
}

/// The stretch in which nothing must not be counted.
fn lately(objective: &Objective, now: Timestamp) -> Stretch {
    let second = now.as_second();
    Stretch { from: second - objective.silent_after().cast_signed(), to: second }
}

/// What was counted of one objective; `None` while part of it was not read.
fn facts(
    wanted: &Wanted,
    book: &Book<String>,
    by_partition: &Book<(String, String)>,
    recent: Stretch,
    now: Timestamp,
) -> Option<Facts> {
    let (objective, key) = (&wanted.objective, key(&wanted.objective));
    let sum = |stretch: Stretch| book.sum(&key, stretch);
    let claimed = wanted.claims.iter().map(|claim| {
        let counts = sum(Stretch::between(claim.from, claim.to))?;
        Some((claim.clone(), counts))
    });
    // Since when it is measured is on record as soon as it is known: what the
    // book knows may begin later, when the source has forgotten the rest.
    let recorded = wanted.object.0.as_ref().ok().and_then(|object| object.status.as_ref());
    let recorded = recorded.filter(|status| status.indicator.as_ref() == Some(&objective.id));
    let recorded = recorded.and_then(|status| status.measured_since.as_ref()).map(|since| since.0);
    let found = book.first(&key).and_then(|second| Timestamp::from_second(second).ok());
    let partitions = objective.partition.as_ref().map(|_| {
        let keys = by_partition.keys();
        let own = keys.into_iter().filter(|(of, _)| *of == key);
        own.filter_map(|own| Some((own.1.clone(), by_partition.sum(own, wanted.window)?))).collect()
    });
    Some(Facts {
        now,
        since: recorded.into_iter().chain(found).min(),
        counts: sum(wanted.window)?,
        excluded: wanted.excluded.iter().map(|stretch| sum(*stretch)).sum::<Option<Counts>>()?,
        recent: sum(recent)?,
        claimed: claimed.collect::<Option<Vec<_>>>()?,
        partitions: partitions.unwrap_or_default(),
    })
}

/// Stretches without overlap that cover the same; the newest when they are
/// many.
fn union(mut all: Vec<Stretch>) -> Vec<Stretch> {
    all.retain(|stretch| stretch.from < stretch.to);
    all.sort_unstable();
    let mut merged: Vec<Stretch> = Vec::new();
    for stretch in all {
        match merged.last_mut() {
            Some(last) if stretch.from <= last.to => last.to = last.to.max(stretch.to),
            _ => merged.push(stretch),
        }
    }
    let surplus = merged.len().saturating_sub(EXCLUSIONS);
    merged.drain(..surplus);
    merged
}
