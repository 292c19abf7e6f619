//! What is known of every objective between one evaluation and the next: the
//! evaluator writes it, the controller reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use hashinsight_crds::Reason;
use hashinsight_slo::evaluation::Evaluation;
use hashinsight_slo::objective::Objective;
use jiff::{SignedDuration, Timestamp};

use hashinsight_metrics_source::Failure;

/// How long the source may fail until what it told last counts as old: one
/// failed question is no news.
const PATIENCE: SignedDuration = SignedDuration::from_secs(90);

/// What the source says of a spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lint {
    /// Why nothing can be counted.
    pub blocking: Option<(Reason, String)>,
    /// What may not be as it was meant.
    pub remarks: Vec<String>,
}

/// What is known of one objective.
#[derive(Clone, Debug)]
pub struct Known {
    /// The objective it is about.
    pub objective: Arc<Objective>,
    /// The last evaluation.
    pub evaluation: Option<Evaluation>,
    /// Nothing was counted lately.
    pub silent: bool,
    /// Why its counts cannot be used.
    pub spoiled: Option<String>,
    /// What the source says of its spec; `None` before it was asked.
    pub lint: Option<Lint>,
}

/// How recent an objective's counts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// `DataIsFresh`, or why not.
    pub reason: Reason,
    /// In words.
    pub message: String,
}

impl Freshness {
    /// Whether a policy may act on them.
    pub fn is_fresh(&self) -> bool {
        self.reason == Reason::DataIsFresh
    }
}

#[derive(Default)]
struct Inner {
    known: BTreeMap<String, Known>,
    answered: Option<Timestamp>,
    failure: Option<Failure>,
}

/// What is known of every objective, by `namespace/name`.
#[derive(Default)]
pub struct Board(Mutex<Inner>);

impl Board {
    /// What is known of the objective, and how recent it is.
    pub fn seen(&self, key: &str, now: Timestamp) -> (Option<Known>, Freshness) {
        self.with(|inner| {
            let known = inner.known.get(key).cloned();
            let freshness = freshness(known.as_ref(), inner, now);
            (known, freshness)
        })
    }

    /// The source answered everything at `now`.
    pub fn answered(&self, now: Timestamp) {
        self.with(|inner| (inner.answered, inner.failure) = (Some(now), None));
    }

    /// The source did not answer.
    pub fn failed(&self, failure: Failure) {
        self.with(|inner| inner.failure = Some(failure));
    }

    /// Notes what is known of an objective now.
    pub fn note(&self, key: String, known: Known) {
        self.with(|inner| inner.known.insert(key, known));
    }

    /// What the source said of the spec of that identity, if it was asked.
    pub fn lint(&self, key: &str, id: &str) -> Option<Lint> {
        self.with(|inner| inner.known.get(key).filter(|known| known.objective.id == id)?.lint.clone())
    }

    /// Forgets every objective but `keys`; those that were forgotten.
    pub fn retain(&self, keys: &BTreeSet<String>) -> Vec<Arc<Objective>> {
        self.with(|inner| {
            let (kept, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
                std::mem::take(&mut inner.known).into_iter().partition(|(key, _)| keys.contains(key));
            inner.known = kept;
            gone.into_values().map(|known| known.objective).collect()
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn freshness(known: Option<&Known>, inner: &Inner, now: Timestamp) -> Freshness {
    let of = |reason: Reason, message: String| Freshness { reason, message };
    if let Some(failure) = &inner.failure {
        let lately = inner.answered.is_some_and(|answered| now.duration_since(answered) < PATIENCE);
        let reason = match failure {
            Failure::NotSet => Reason::SourceNotSet,
            Failure::Unreachable(_) | Failure::Slow(_) | Failure::Resting => Reason::SourceUnreachable,
            Failure::Refused(_) | Failure::Unusable(_) => Reason::SourceRefused,
        };
        if !lately {
            // A source that rests is one that failed; telling both would flap.
            let message = match failure {
                Failure::Resting => Failure::Unreachable("it failed several times".to_owned()).to_string(),
                other => other.to_string(),
            };
            return of(reason, message + "; the last budget stands, and the stage is held");
        }
    }
    let Some(known) = known else {
        return of(Reason::NotMeasuredYet, "the objective waits for its first evaluation".to_owned());
    };
    if let Some(why) = &known.spoiled {
        return of(Reason::SourceRefused, format!("its counts cannot be used: {why}"));
    }
    match &known.evaluation {
        None => of(Reason::CatchingUp, "counts of earlier hours are being read".to_owned()),
        Some(evaluation) if evaluation.since.is_none() => {
            of(Reason::NotMeasuredYet, "nothing was counted yet".to_owned())
        }
        Some(_) if known.silent => of(
            Reason::NotMeasured,
            "nothing was counted for a while: the service is gone, or its metrics are".to_owned(),
        ),
        Some(_) => of(Reason::DataIsFresh, "counts are recent".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_question_is_no_news_and_several_are() {
        let (board, at) = (Board::default(), |second| Timestamp::from_second(second).unwrap());
        let reason = |now| board.seen("a/b", at(now)).1.reason;
        assert_eq!(reason(0), Reason::NotMeasuredYet);
        board.failed(Failure::Slow(10));
        assert_eq!(reason(1), Reason::SourceUnreachable);
        board.answered(at(100));
        assert_eq!(reason(100), Reason::NotMeasuredYet);
        board.failed(Failure::Unusable("lies".into()));
        assert_eq!(reason(150), Reason::NotMeasuredYet);
        assert_eq!(reason(200), Reason::SourceRefused);
        board.failed(Failure::NotSet);
        assert_eq!(reason(300), Reason::SourceNotSet);
    }
}
