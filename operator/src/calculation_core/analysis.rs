//! Requests of the canary and the stable revision, counted from the pods' own
//! counters as the metrics system has them, at every fifth second since the
//! canary was first asked. What is counted is handed to `gates::canary`, and
//! nothing is judged here. An operator that begins anew reads the same history
//! and comes to the same knowledge.

use std::collections::{BTreeMap, BTreeSet};

use hashinsight_gates::canary::{Counted, Known, Look, Plan, Requests, Verdict};
use hashinsight_metrics_source::{MetricsQuery, Sample};
use hashinsight_slo::counts::{Counts, Reading, Tally, whole};
use hashinsight_slo::objective::{Indicator, Objective};
use hashinsight_slo::rules::at_threshold;
use hashinsight_slo::selector::Selector;
use jiff::Timestamp;
use serde_json::json;

use super::durations::{self, Buckets, ByBound, Durations, by_bound};
use super::seen::Judged;
use hashinsight_crds::names::REVISION_LABEL;

/// Seconds between two looks.
pub const LOOK: u64 = 5;
const EVERY: i64 = LOOK.cast_signed();
/// Seconds until a scrape is surely stored.
const SETTLED: i64 = 1;
/// Age of a sample, in seconds, from which on it tells nothing of now.
const FRESH: i64 = 60;
/// Seconds of history in one question.
const STRETCH: i64 = 3600;

/// Whether counts of `objective` can be narrowed to a revision; why not
/// otherwise.
pub fn usable(objective: &Objective) -> Result<(), String> {
    let names = |selector: &Selector| selector.names(REVISION_LABEL);
    let named = match &objective.indicator {
        Indicator::Events { total, bad, .. } => names(total) || names(bad),
        Indicator::Latency { selector, .. } => names(selector),
        Indicator::Expression { .. } => {
            return Err(format!("objective {}: an expression cannot be narrowed to a revision", objective.name));
        }
    };
    if named {
        return Err(format!("objective {}: its selector names the label {REVISION_LABEL} already", objective.name));
    }
    Ok(())
}

/// The questions of an objective: all events, bad ones (or good ones, of a
/// histogram), and when they were scraped.
fn questions(objective: &Objective, revisions: &str) -> [String; 3] {
    let sum = |series: String| format!("sum by ({REVISION_LABEL}, instance) ({series})");
    let stamp = |series: String| format!("max by ({REVISION_LABEL}, instance) (timestamp({series}))");
    let of = |selector: &Selector| selector.clone().matching(REVISION_LABEL, revisions);
    match &objective.indicator {
        Indicator::Events { metric, total, bad } => {
            let all = format!("{metric}{}", of(total));
            [sum(all.clone()), sum(format!("{metric}{}", of(bad))), stamp(all)]
        }
        Indicator::Latency { histogram, selector, threshold } => {
            let all = format!("{histogram}_count{}", of(selector));
            let fast = format!("{histogram}_bucket{}", at_threshold(&of(selector), threshold));
            [sum(all.clone()), sum(fast), stamp(all)]
        }
        Indicator::Expression { .. } => [String::new(), String::new(), String::new()],
    }
}

/// Revision, instance, second.
pub type At = (String, String, i64);

fn by_time(samples: Vec<Sample>) -> BTreeMap<At, u64> {
    let label = |sample: &Sample, label: &str| sample.labels.get(label).cloned().unwrap_or_default();
    let keyed = samples.into_iter().filter_map(|sample| {
        let value = whole(sample.value.floor()).ok()?;
        Some(((label(&sample, REVISION_LABEL), label(&sample, "instance"), sample.at), value))
    });
    keyed.collect()
}

/// What each process of a revision showed at a second.
type Readings = BTreeMap<(i64, String), BTreeMap<String, Reading>>;

/// What was read of one objective.
struct Read {
    counts: Readings,
    buckets: Buckets,
}

/// The answers to an objective's questions, those that were scraped lately.
fn readings(objective: &Objective, [total, other, stamp]: [BTreeMap<At, u64>; 3], durations: Vec<Sample>) -> Read {
    let is_latency = matches!(objective.indicator, Indicator::Latency { .. });
    let mut all = Readings::new();
    let mut fresh = BTreeSet::new();
    for (key, total) in total {
        let scraped = stamp.get(&key).map(|at| i64::try_from(*at).unwrap_or(0));
        let other = other.get(&key).copied().unwrap_or(0);
        let (revision, instance, second) = key;
        if scraped.is_some_and(|at| second - at <= FRESH) {
            fresh.insert((revision.clone(), instance.clone(), second));
            let bad = if is_latency { total.saturating_sub(other) } else { other };
            all.entry((second, revision)).or_default().insert(instance, Reading { total, bad });
        }
    }
    Read { counts: all, buckets: by_bound(durations, &fresh) }
}

/// What grew: events, and durations by bucket.
type Grown = (Option<Counts>, Vec<u64>);

/// What is known of one canary.
pub struct Tracker {
    canary: String,
    stable: String,
    objectives: Vec<String>,
    from: i64,
    upto: i64,
    stepped: i64,
    /// Of each objective, of the canary and of the stable revision.
    tallies: Vec<[(Tally, Durations); 2]>,
    known: Known,
    /// The last second of which something was known.
    heard: i64,
}

impl Tracker {
    /// Of a canary that is asked since `from`.
    pub fn new(canary: &str, stable: &str, objectives: &[Objective], from: Timestamp) -> Self {
        let from = from.as_second() / EVERY * EVERY;
        Self {
            canary: canary.to_owned(),
            stable: stable.to_owned(),
            objectives: objectives.iter().map(|objective| objective.id.clone()).collect(),
            from,
            upto: from - EVERY,
            stepped: 0,
            tallies: objectives.iter().map(|_| Default::default()).collect(),
            known: Known::default(),
            heard: from,
        }
    }

    /// Whether this is about that canary and those objectives.
    pub fn is_of(&self, canary: &str, stable: &str, objectives: &[Objective], from: Timestamp) -> bool {
        self.canary == canary
            && self.stable == stable
            && self.from == from.as_second() / EVERY * EVERY
            && self.objectives.iter().eq(objectives.iter().map(|objective| &objective.id))
    }

    /// Whether it has read of times that are not yet: the clock was set back.
    pub fn is_ahead(&self, now: Timestamp) -> bool {
        self.upto > now.as_second()
    }

    /// Takes what was counted up to now, and says what follows. `step` is when
    /// the state began whose requests count towards passing.
    pub async fn look(
        &mut self,
        source: &dyn MetricsQuery,
        objectives: &[Objective],
        step: Timestamp,
        now: Timestamp,
    ) -> Judged {
        let allowed: Vec<u32> =
            objectives.iter().map(|o| u32::try_from(o.target.allowed()).unwrap_or(u32::MAX)).collect();
        let plan = Plan::of(&allowed);
        let last = (now.as_second() - SETTLED) / EVERY * EVERY;
        while self.upto < last {
            let (first, end) = (self.upto + EVERY, last.min(self.upto + STRETCH));
            match self.read(source, objectives, first, end).await {
                Ok(read) => self.fold(&plan, &read, step.as_second(), (first, end)),
                Err(why) => {
                    self.known = std::mem::take(&mut self.known).take(&plan, &Look::Failed { why });
                    break;
                }
            }
        }
        if self.upto >= last {
            // All that was counted came before the state: what passed the one
            // before passes nothing in this one.
            self.enter(step.as_second());
        }
        self.judged(&plan, now)
    }

    /// Counts towards passing begin anew, once for each state.
    fn enter(&mut self, step: i64) {
        if self.stepped != step {
            self.stepped = step;
            self.known = std::mem::take(&mut self.known).next_step();
        }
    }

    async fn read(
        &self,
        source: &dyn MetricsQuery,
        objectives: &[Objective],
        first: i64,
        end: i64,
    ) -> Result<Vec<Read>, String> {
        let time = |second| Timestamp::from_second(second).map_err(|error| error.to_string());
        let revisions = format!("{}|{}", self.canary, self.stable);
        let mut all = Vec::new();
        for objective in objectives {
            let mut answers = Vec::new();
            for question in questions(objective, &revisions) {
                let answer = source.range(&question, time(first)?, time(end)?, LOOK).await;
                answers.push(by_time(answer.map_err(|failure| failure.to_string())?));
            }
            let answers = <[_; 3]>::try_from(answers).map_err(|_| "three answers to three questions".to_owned())?;
            let durations = match durations::question(objective, &revisions) {
                // A second opinion: without it the first one stands.
                Some(question) => source.range(&question, time(first)?, time(end)?, LOOK).await.unwrap_or_default(),
                None => Vec::new(),
            };
            all.push(readings(objective, answers, durations));
        }
        Ok(all)
    }

    fn fold(&mut self, plan: &Plan, read: &[Read], step: i64, (first, end): (i64, i64)) {
        let mut second = first;
        while second <= end {
            if second > step {
                self.enter(step);
            }
            let counted = self.count(read, second);
            let heard = counted.iter().any(|[(canary, _), _]| canary.is_some());
            let look = if heard {
                let requests = |counts: Option<Counts>| {
                    let counts = counts.unwrap_or_default();
                    Requests { total: counts.total, bad: counts.bad }
                };
                let objectives = counted.into_iter().map(|[(canary, canary_buckets), (stable, stable_buckets)]| {
                    Counted { canary: requests(canary), stable: requests(stable), canary_buckets, stable_buckets }
                });
                Look::Counted { seconds: LOOK, objectives: objectives.collect() }
            } else {
                Look::Failed { why: "nothing was scraped of the canary's pods lately".to_owned() }
            };
            if second > self.from {
                self.known = std::mem::take(&mut self.known).take(plan, &look);
            }
            if heard && !matches!(self.known.judge(plan).verdict, Verdict::NoData | Verdict::Error) {
                self.heard = second;
            }
            self.upto = second;
            second += EVERY;
        }
    }

    /// What grew until `second`, of each objective: of the canary and of the
    /// stable revision, and in each bucket of durations.
    fn count(&mut self, read: &[Read], second: i64) -> Vec<[Grown; 2]> {
        let (nothing, nowhere) = (BTreeMap::new(), ByBound::new());
        let revisions = [&self.canary, &self.stable].map(|revision| (second, revision.clone()));
        let mut all = Vec::new();
        for (tallies, read) in self.tallies.iter_mut().zip(read) {
            let [ours, theirs] = tallies;
            let of = |(tally, durations): &mut (Tally, Durations), at: &(i64, String)| {
                let counts = tally.take(second, LOOK, read.counts.get(at).unwrap_or(&nothing));
                (counts, durations.take(second, LOOK, read.buckets.get(at).unwrap_or(&nowhere)))
            };
            all.push([of(ours, &revisions[0]), of(theirs, &revisions[1])]);
        }
        all
    }

    fn judged(&self, plan: &Plan, now: Timestamp) -> Judged {
        let judgement = self.known.judge(plan);
        let most = |of: fn(Requests) -> u64| self.known.cases.iter().map(|case| of(case.canary)).max().unwrap_or(0);
        let without = matches!(judgement.verdict, Verdict::NoData | Verdict::Error);
        Judged {
            requests: most(|requests| requests.total),
            bad: most(|requests| requests.bad),
            observed: self.known.observed,
            without_data_since: without.then(|| Timestamp::from_second(self.heard).unwrap_or(now)),
            record: json!({"plan": plan, "known": self.known, "judgement": judgement}),
            judgement,
        }
    }
}
