//! Asking one provider: a time limit, one more try after a short random wait,
//! and a rest when it keeps failing. The layers are tower's.

use std::future::Ready;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tower::retry::backoff::{Backoff, ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff};
use tower::retry::{Policy, RetryLayer};
use tower::timeout::error::Elapsed;
use tower::util::{BoxCloneSyncService, rng::HasherRng};
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_resilience_circuitbreaker::{CircuitBreakerError, CircuitBreakerHandle, CircuitBreakerLayer};

use super::judge::Heard;
use super::source::{Quote, Source, Unusable};
use crate::clock::Clock;
use crate::metrics::Metrics;

/// Bytes of an answer that are read.
const ANSWER_MAX: usize = 512 * 1024;
/// Tries besides the first.
const RETRIES: usize = 1;
/// Wait before another try: at least, at most, and how random.
const WAIT: (Duration, Duration, f64) = (Duration::from_millis(50), Duration::from_millis(250), 0.9);
/// Failures in a row until a provider is left alone.
const FAILURES: usize = 3;
/// How long it is left alone; then one question is tried.
const REST: Duration = Duration::from_secs(30);

/// One provider, ready to be asked.
pub struct Ask<V> {
    name: &'static str,
    service: BoxCloneSyncService<(), Quote<V>, Unusable>,
    breaker: CircuitBreakerHandle,
    metrics: Metrics,
    clock: Clock,
}

impl<V: Clone + Send + Sync + 'static> Ask<V> {
    pub fn new(
        source: Box<dyn Source<Value = V>>,
        address: &str,
        client: &reqwest::Client,
        timeout: Duration,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Self {
        let name = source.name();
        let paths = source.paths().iter().map(|path| format!("{}{path}", address.trim_end_matches('/'))).collect();
        let asked = Arc::new(Asked { source, paths, client: client.clone() });
        let question = service_fn(move |()| {
            let asked = Arc::clone(&asked);
            async move { asked.ask().await }
        });
        let limited = ServiceBuilder::new().timeout(timeout).service(question).map_err(unusable);
        let retried = RetryLayer::new(Tries { left: RETRIES, backoff: backoff() }).layer(limited);
        let breaker = CircuitBreakerLayer::builder()
            .name(name)
            .consecutive_failures(FAILURES)
            .wait_duration_in_open(REST)
            .permitted_calls_in_half_open(1)
            .build_with_handle();
        let (layer, breaker) = breaker.unwrap_or_else(|_| unreachable!("its settings are constants"));
        let guarded = layer.layer(retried).map_err(|error| match error {
            CircuitBreakerError::OpenCircuit => Unusable::Resting,
            CircuitBreakerError::Inner(why) => why,
        });
        Self {
            name,
            service: BoxCloneSyncService::new(guarded),
            breaker,
            metrics: metrics.clone(),
            clock: clock.clone(),
        }
    }

    /// Asks once, with all that belongs to it.
    pub async fn ask(&self) -> Heard<V> {
        let begun = self.clock.now();
        let heard = self.service.clone().oneshot(()).await;
        let outcome = heard.as_ref().map_or_else(Unusable::code, |_| "Ok");
        let took = self.clock.now().duration_since(begun);
        self.metrics.asked(self.name, outcome, took, self.breaker.is_open());
        if let Err(why) = &heard {
            tracing::debug!(source = self.name, code = why.code(), %why, "a provider's word is not used");
        }
        (self.name, heard)
    }
}

struct Asked<V> {
    source: Box<dyn Source<Value = V>>,
    paths: Vec<String>,
    client: reqwest::Client,
}

impl<V: Clone + Send + Sync + 'static> Asked<V> {
    async fn ask(&self) -> Result<Quote<V>, Unusable> {
        let answers = self.paths.iter().map(|path| self.get(path));
        let answers = futures::future::try_join_all(answers).await?;
        self.source.read(&answers)
    }

    async fn get(&self, path: &str) -> Result<Bytes, Unusable> {
        // The address is told without its query, where a key might be.
        let failed = |error: reqwest::Error| Unusable::Unreachable(innermost(&error.without_url()));
        let mut response = self.client.get(path).send().await.map_err(failed)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(Unusable::Status(response.status().as_u16()));
        }
        let mut answer = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if answer.len() + chunk.len() > ANSWER_MAX {
                return Err(Unusable::TooLong(ANSWER_MAX));
            }
            answer.extend_from_slice(&chunk);
        }
        Ok(answer.freeze())
    }
}

/// The last cause, which says most: `connection refused`.
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

/// What the time limit makes of an error, back to ours.
fn unusable(error: BoxError) -> Unusable {
    if error.is::<Elapsed>() {
        return Unusable::Timeout;
    }
    error.downcast::<Unusable>().map_or_else(|other| Unusable::Unreachable(other.to_string()), |why| *why)
}

fn backoff() -> ExponentialBackoff {
    let (least, most, jitter) = WAIT;
    let maker = ExponentialBackoffMaker::new(least, most, jitter, HasherRng::default());
    maker.unwrap_or_else(|_| unreachable!("its settings are constants")).make_backoff()
}

/// Another try for what may pass.
#[derive(Clone)]
struct Tries {
    left: usize,
    backoff: ExponentialBackoff,
}

impl<V> Policy<(), Quote<V>, Unusable> for Tries {
    type Future = futures::future::Either<tokio::time::Sleep, Ready<()>>;

    fn retry(&mut self, (): &mut (), result: &mut Result<Quote<V>, Unusable>) -> Option<Self::Future> {
        if self.left == 0 || !result.as_ref().is_err_and(Unusable::is_passing) {
            return None;
        }
        self.left -= 1;
        Some(futures::future::Either::Left(self.backoff.next_backoff()))
    }

    fn clone_request(&mut self, (): &()) -> Option<()> {
        Some(())
    }
}
