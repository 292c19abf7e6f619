//! The way to the metrics system: what is asked of it, and what may come of
//! it. It is asked and read here, and judged nowhere here.

mod answer;
mod prometheus;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::Timestamp;

pub use prometheus::{Access, Prometheus};

/// What tells the time.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Who is told how each question ended, and after how many seconds.
pub type Told = Arc<dyn Fn(&'static str, f64) + Send + Sync>;

/// A series and its value at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its labels, shared with its other values.
    pub labels: Arc<BTreeMap<String, String>>,
    /// When, in seconds.
    pub at: i64,
    /// How much.
    pub value: f64,
}

/// An alert that fires or is about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// Its labels, `alertname` among them.
    pub labels: BTreeMap<String, String>,
    /// What it says.
    pub annotations: BTreeMap<String, String>,
    /// Since when its expression has held.
    pub since: Timestamp,
}

/// Why there is no answer to use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The operator was started without a source.
    #[error("the operator was started without --prometheus-url")]
    NotSet,
    /// The way is closed, or it answers that it cannot.
    #[error("the metrics source cannot be asked: {0}")]
    Unreachable(String),
    /// It takes too long.
    #[error("the metrics source did not answer within {0} s")]
    Slow(u64),
    /// It failed too often; it is left alone for a while.
    #[error("the metrics source failed several times and is left alone for a moment")]
    Resting,
    /// It says the question is wrong.
    #[error("the metrics source refuses the question: {0}")]
    Refused(String),
    /// It answers what cannot be used.
    #[error("the metrics source's answer cannot be used: {0}")]
    Unusable(String),
}

impl Failure {
    /// Whether it may be otherwise the next time.
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Slow(_))
    }

    /// Bounded name for metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotSet => "not_set",
            Self::Unreachable(_) => "unreachable",
            Self::Slow(_) => "slow",
            Self::Resting => "resting",
            Self::Refused(_) => "refused",
            Self::Unusable(_) => "unusable",
        }
    }
}

/// What a metrics system can be asked.
pub trait MetricsQuery: Send + Sync {
    /// The value of every series of `query` at `at`.
    fn instant<'a>(&'a self, query: &'a str, at: Timestamp) -> BoxFuture<'a, Result<Vec<Sample>, Failure>>;

    /// The same at `from`, and every `step` seconds up to `to`.
    fn range<'a>(
        &'a self,
        query: &'a str,
        from: Timestamp,
        to: Timestamp,
        step: u64,
    ) -> BoxFuture<'a, Result<Vec<Sample>, Failure>>;

    /// The alerts that fire now.
    fn firing(&self) -> BoxFuture<'_, Result<Vec<Firing>, Failure>>;

    /// For how many seconds it keeps what it has; `None` when it does not say.
    fn retention(&self) -> BoxFuture<'_, Result<Option<u64>, Failure>>;
}

/// Any metrics system.
pub type Source = Arc<dyn MetricsQuery>;
