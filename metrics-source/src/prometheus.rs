//! The Prometheus HTTP API: a few questions at once, each with a deadline, one
//! more try for what may pass, an answer of bounded size, and a rest when it
//! keeps failing.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use reqwest::Url;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};
use tower_resilience_circuitbreaker::{CircuitBreakerError, CircuitBreakerLayer};

use super::answer::{clock, firing, retention, samples};
use super::{Failure, Firing, MetricsQuery, Now, Sample, Told};

/// Questions at once; the rest wait.
const AT_ONCE: usize = 4;
/// Longest one question may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Largest answer that is read.
const ANSWER_MAX: usize = 32 << 20;
/// Wait before another try.
const PAUSE: Duration = Duration::from_millis(200);
/// Failures in a row until it is left alone.
const FAILURES: usize = 5;
/// For how long.
const REST: Duration = Duration::from_secs(15);

/// How the source is reached.
#[derive(Clone, Debug)]
pub struct Access {
    /// Where the API is, without `/api/v1`.
    pub url: Url,
    /// A file with a bearer token, read anew for each question.
    pub token: Option<std::path::PathBuf>,
    /// A file with the certificates of who signed the server's.
    pub roots: Option<std::path::PathBuf>,
}

/// A question.
struct Question {
    path: &'static str,
    parameters: Vec<(&'static str, String)>,
}

/// A Prometheus, or what speaks its query API.
pub struct Prometheus {
    service: BoxCloneSyncService<Question, Vec<u8>, Failure>,
    now: Now,
    told: Told,
}

impl Prometheus {
    /// A source at `access`. The error says what about it cannot be used.
    pub fn new(access: &Access, now: Now, told: Told) -> Result<Self, String> {
        // The one provider of the process; somebody else may have set it before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Roots are given, so that nothing is read of the machine it runs on.
        let mut roots = vec![];
        if let Some(file) = &access.roots {
            let pem = read(file)?;
            roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| format!("{}: {e}", file.display()))?;
        }
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(3))
            .timeout(DEADLINE)
            .pool_max_idle_per_host(AT_ONCE)
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only(roots)
            .build()
            .map_err(|e| e.to_string())?;
        let asked = Arc::new(Asked {
            client,
            access: access.clone(),
            now: Arc::clone(&now),
            turns: tokio::sync::Semaphore::new(AT_ONCE),
        });
        let question = service_fn(move |question: Question| {
            let asked = Arc::clone(&asked);
            async move {
                match asked.ask(&question).await {
                    Err(failure) if failure.passes() => {
                        tokio::time::sleep(PAUSE).await;
                        asked.ask(&question).await
                    }
                    answered => answered,
                }
            }
        });
        let breaker = CircuitBreakerLayer::builder()
            .name("metrics-source")
            .consecutive_failures(FAILURES)
            .wait_duration_in_open(REST)
            .permitted_calls_in_half_open(1)
            // A question that is wrong says nothing about the source.
            .failure_classifier(|result: &Result<Vec<u8>, Failure>| result.as_ref().is_err_and(Failure::passes))
            .build();
        let guarded = breaker.map_err(|e| e.to_string())?.layer(question).map_err(|error| match error {
            CircuitBreakerError::OpenCircuit => Failure::Resting,
            CircuitBreakerError::Inner(why) => why,
        });
        Ok(Self { service: BoxCloneSyncService::new(guarded), now, told })
    }

    async fn ask(&self, path: &'static str, parameters: Vec<(&'static str, String)>) -> Result<Vec<u8>, Failure> {
        let begun = (self.now)();
        let answer = self.service.clone().oneshot(Question { path, parameters }).await;
        let outcome = answer.as_ref().map_or_else(Failure::name, |_| "ok");
        let seconds = (self.now)().duration_since(begun).as_secs_f64().max(0.0);
        (self.told)(outcome, seconds);
        answer
    }
}

fn read(file: &std::path::Path) -> Result<Vec<u8>, String> {
    #[expect(clippy::disallowed_methods, reason = "the two files of Access are read here and nowhere else")]
    std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))
}

struct Asked {
    client: reqwest::Client,
    access: Access,
    now: Now,
    turns: tokio::sync::Semaphore,
}

impl Asked {
    async fn ask(&self, Question { path, parameters }: &Question) -> Result<Vec<u8>, Failure> {
        let _turn = self.turns.acquire().await.map_err(|e| Failure::Unreachable(e.to_string()))?;
        let within = async {
            let address = format!("{}/api/v1/{path}", self.access.url.as_str().trim_end_matches('/'));
            // As a form: queries are longer than addresses may be.
            let mut request = if parameters.is_empty() {
                self.client.get(address)
            } else {
                self.client.post(address).form(parameters)
            };
            if let Some(file) = &self.access.token {
                let token = read(file).map_err(Failure::Unreachable)?;
                request = request.bearer_auth(String::from_utf8_lossy(&token).trim());
            }
            // Told without its address, where a password might be.
            let failed = |error: reqwest::Error| Failure::Unreachable(innermost(&error.without_url()));
            let mut response = request.send().await.map_err(failed)?;
            let date = response.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
            let status = response.status();
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(failed)? {
                if body.len() + chunk.len() > ANSWER_MAX {
                    return Err(Failure::Unusable(format!("it is longer than {} MiB", ANSWER_MAX >> 20)));
                }
                body.extend_from_slice(&chunk);
            }
            clock(date.as_deref(), (self.now)())?;
            // Refused questions come as 400 or 422, with a body that says why.
            if status.is_success() || [400, 422].contains(&status.as_u16()) {
                return Ok(body);
            }
            Err(Failure::Unreachable(format!("it answers {status}")))
        };
        tokio::time::timeout(DEADLINE, within).await.unwrap_or(Err(Failure::Slow(DEADLINE.as_secs())))
    }
}

/// The last cause, which says most: `connection refused`.
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

impl MetricsQuery for Prometheus {
    fn instant<'a>(&'a self, query: &'a str, at: Timestamp) -> BoxFuture<'a, Result<Vec<Sample>, Failure>> {
        async move {
            let second = at.as_second();
            let parameters = vec![("query", query.to_owned()), ("time", second.to_string())];
            samples(&self.ask("query", parameters).await?, second, second, 1)
        }
        .boxed()
    }

    fn range<'a>(
        &'a self,
        query: &'a str,
        from: Timestamp,
        to: Timestamp,
        step: u64,
    ) -> BoxFuture<'a, Result<Vec<Sample>, Failure>> {
        async move {
            let (from, to) = (from.as_second(), to.as_second());
            let parameters = vec![
                ("query", query.to_owned()),
                ("start", from.to_string()),
                ("end", to.to_string()),
                ("step", step.to_string()),
            ];
            let step = i64::try_from(step).unwrap_or(i64::MAX).max(1);
            samples(&self.ask("query_range", parameters).await?, from, to, step)
        }
        .boxed()
    }

    fn firing(&self) -> BoxFuture<'_, Result<Vec<Firing>, Failure>> {
        async move { firing(&self.ask("alerts", Vec::new()).await?, (self.now)()) }.boxed()
    }

    fn retention(&self) -> BoxFuture<'_, Result<Option<u64>, Failure>> {
        async move { retention(&self.ask("status/runtimeinfo", Vec::new()).await?) }.boxed()
    }
}
