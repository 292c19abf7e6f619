//! Batches: many machines at once, followed while they are computed, kept for a
//! while for whoever comes back with the same key.
//!
//! A batch belongs to its tenant. Its body is read whole, then its rows one by
//! one; it is computed once, recorded, and written out as the client reads. A
//! client that does not read holds nobody up: events tell the newest step alone.

mod job;
mod render;
mod rows;
mod split;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{FutureExt, StreamExt};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use tokio_stream::wrappers::WatchStream;
use tracing::Instrument;
use utoipa::ToSchema;

use super::answer::{json, keep};
use super::code::Code;
use super::extract::{Query, accepted, kind, whole};
use super::problem::{Details, Problem, language};
use crate::access::Caller;
use crate::compute::Compute;
use crate::core::Core;
use crate::metrics::Metrics;
use crate::settings::RequestSettings;
use job::Job;
pub use job::{BatchSummary, Done, Phase, Progress};
pub use render::{BatchAnswer, BatchRow};
pub use rows::{BatchBody, BatchMachine, BatchQuery, Rows, read};

/// Characters of a key.
const KEY_MAX: usize = 64;
/// A quiet event stream says this often that it lives.
const ALIVE: Duration = Duration::from_secs(15);

type Key = (Arc<str>, String);

/// Batches by tenant and key: those under way, as many as there are requests
/// for them, and those done, in bounded memory, from which the least recently
/// used go first.
pub struct Batches {
    under_way: Mutex<BTreeMap<Key, Arc<Job>>>,
    done: Cache<Key, Arc<Job>>,
    metrics: Metrics,
}

impl Batches {
    /// None yet.
    pub fn new(settings: &RequestSettings, metrics: &Metrics) -> Self {
        let weigh = |_: &Key, job: &Arc<Job>| {
            let done = job.outcome().and_then(|outcome| outcome.as_ref().ok());
            done.map_or(0, |done| u32::try_from(done.weight()).unwrap_or(u32::MAX))
        };
        let done = Cache::builder()
            .eviction_policy(EvictionPolicy::lru())
            .max_capacity(settings.kept_bytes)
            .weigher(weigh)
            .time_to_live(Duration::from_secs(settings.kept_seconds))
            .build();
        Self { under_way: Mutex::default(), done, metrics: metrics.clone() }
    }

    fn under_way(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Job>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, caller: &Caller, key: &str) -> Option<Arc<Job>> {
        let at = (Arc::clone(&caller.tenant), key.to_owned());
        let under_way = self.under_way().get(&at).cloned();
        under_way.or_else(|| self.done.get(&at))
    }

    /// The batch of that key, and whether it begins now.
    fn begin(&self, caller: &Caller, key: &str) -> (Arc<Job>, bool) {
        let at = (Arc::clone(&caller.tenant), key.to_owned());
        // Held from the look to the entry: two who come at once are one batch.
        let mut under_way = self.under_way();
        if let Some(job) = under_way.get(&at).cloned().or_else(|| self.done.get(&at)) {
            return (job, false);
        }
        let job = Arc::new(Job::new());
        under_way.insert(at, Arc::clone(&job));
        (job, true)
    }

    /// Forgets that this batch is under way, and none that took its place.
    fn forget(&self, caller: &Caller, key: &str, job: &Arc<Job>) {
        let at = (Arc::clone(&caller.tenant), key.to_owned());
        let mut under_way = self.under_way();
        if under_way.get(&at).is_some_and(|kept| Arc::ptr_eq(kept, job)) {
            under_way.remove(&at);
        }
    }

    /// Keeps what it came to; what failed may be sent again under its key.
    fn ended(&self, caller: &Caller, key: &str, job: &Arc<Job>) {
        if let Some(Ok(_)) = job.outcome() {
            self.done.insert((Arc::clone(&caller.tenant), key.to_owned()), Arc::clone(job));
        }
        self.forget(caller, key, job);
        self.done.run_pending_tasks();
        self.metrics.batch_bytes.set(i64::try_from(self.done.weighted_size()).unwrap_or(i64::MAX));
    }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if is_key(text) {
        return Ok(Some(text.to_owned()));
    }
    let problem = Problem::new(
        Code::HeaderShape,
        format!("Letters, digits, - and _, at most {KEY_MAX} of them."),
        format!("仅限字母、数字、- 和 _，最多 {KEY_MAX} 个字符。"),
    );
    Err(problem.at("Idempotency-Key").limit(KEY_MAX))
}

fn is_key(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=KEY_MAX).contains(&text.len()) && text.bytes().all(fits)
}

/// Computes many machines in one market
///
/// The body is a document, lines of JSON, or CSV; the answer, as the client
/// accepts, a document, lines, CSV, or events that tell how far it is. With an
/// `Idempotency-Key` the batch is computed once, however often it is sent, and
/// can be fetched again at `/v1/batches/{key}` for a while.
#[utoipa::path(post, path = "/v1/batches", tag = "fleets", params(BatchQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Names the batch; needed for events", nullable = false,
            min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    request_body(content((BatchBody = "application/json"), (String = "application/x-ndjson"), (String = "text/csv"))),
    responses((status = 200, description = "The batch", content((BatchAnswer = "application/json"),
        (String = "application/x-ndjson"), (String = "text/csv"), (BatchEvent = "text/event-stream")))))]
pub async fn send(
    State(core): State<Arc<Core>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    uri: axum::http::Uri,
    Query(query): Query<BatchQuery>,
    body: Body,
) -> Result<Response, Problem> {
    let form = accepted(&headers, &render::FORMS)?;
    let sent = kind(&headers, &rows::FORMS)?.to_owned();
    let key = key(&headers)?;
    if form == "text/event-stream" && key.is_none() {
        return Err(Problem::new(
            Code::IdempotencyKeyNeeded,
            "Events lead to a result that is fetched by its key: send Idempotency-Key.",
            "事件流的结果须凭键获取：请发送 Idempotency-Key。",
        ));
    }
    let context = format!("{sent}\n{}\n", uri.query().unwrap_or_default());
    let (mut job, mut is_new) = match &key {
        Some(key) => core.batches.begin(&caller, key),
        None => (Arc::new(Job::new()), true),
    };
    let mut body = body;
    if !is_new {
        let bytes = whole(&core, body, |_| ()).await?;
        while !is_new {
            match job.content().await {
                Some(first) if first == digest(&context, &bytes) => break,
                Some(_) => return Err(reused()),
                // The first one's body never came; this one takes its place.
                None => {
                    let key = key.as_deref().unwrap_or_default();
                    core.batches.forget(&caller, key, &job);
                    (job, is_new) = core.batches.begin(&caller, key);
                }
            }
        }
        body = Body::from(bytes);
    }
    if is_new {
        let work = Work { core: Arc::clone(&core), caller, job: Arc::clone(&job), key: key.clone() };
        core.tasks.spawn(work.run(sent, query, context, body).in_current_span());
    }
    answer(&job, form, &headers, key.as_deref()).await
}

/// A key that comes again with other content.
fn reused() -> Problem {
    let problem = Problem::new(
        Code::IdempotencyKeyReused,
        "Its first content was another: use a new key for a new batch.",
        "首次内容与此不同：新批次请使用新的键。",
    );
    problem.at("Idempotency-Key")
}

fn digest(context: &str, bytes: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(context).chain_update(bytes).finalize().into()
}

async fn answer(job: &Arc<Job>, form: &str, headers: &HeaderMap, key: Option<&str>) -> Result<Response, Problem> {
    let language = language(headers);
    let mut response = if form == "text/event-stream" {
        events(job, key.unwrap_or_default())
    } else {
        render::response(&job.wait().await?, form, language)
    };
    if let Some(at) = key.and_then(|key| format!("/v1/batches/{key}").parse().ok()) {
        response.headers_mut().insert(header::CONTENT_LOCATION, at);
    }
    Ok(response)
}

/// A server-sent event.
#[derive(ToSchema)]
#[allow(dead_code, reason = "a document")]
pub struct BatchEvent {
    /// Counts up.
    id: String,
    /// `progress`, `done` or `failed`.
    event: String,
    /// JSON: Progress, or where the result is and its summary, or what failed.
    data: String,
}

/// How far it is, step by step; the last event says how it ended. Steps that
/// come faster than the client reads are left out.
fn events(job: &Arc<Job>, key: &str) -> Response {
    let (ended, key) = (Arc::clone(job), key.to_owned());
    let steps = WatchStream::new(job.follow()).map(move |progress| {
        let event = Event::default().id(progress.step.to_string());
        let (name, data) = match (progress.phase, ended.outcome()) {
            (Phase::Done, Some(Ok(done))) => {
                ("done", format!("{{\"location\":\"/v1/batches/{key}\",\"summary\":{}}}", render::summary(done)))
            }
            (Phase::Failed, Some(Err(problem))) => ("failed", failed(problem)),
            _ => ("progress", serde_json::to_string(&progress).unwrap_or_default()),
        };
        (matches!(name, "done" | "failed"), event.event(name).data(data))
    });
    // Over with its last event: nothing follows that.
    let until_end = futures::stream::unfold(Some(Box::pin(steps)), |steps| async {
        let mut steps = steps?;
        let (is_last, event) = steps.next().await?;
        Some((Ok::<_, Infallible>(event), if is_last { None } else { Some(steps) }))
    });
    Sse::new(until_end).keep_alive(KeepAlive::new().interval(ALIVE)).into_response()
}

fn failed(problem: &Problem) -> String {
    let Details { code, reason, detail, field, line, limit, .. } = &**problem;
    serde_json::json!({"code": code, "reason": reason, "detail": {"en": detail.en, "zh": detail.zh}, "field": field,
        "line": line, "limit": limit})
    .to_string()
}

fn unknown() -> Problem {
    Problem::new(
        Code::BatchUnknown,
        "Not sent by this tenant, or kept no longer: send it again.",
        "该租户未发送过此批次，或已过保留期：请重新发送。",
    )
    .at("key")
}

/// A batch that was sent before
///
/// While it is under way, how far it is.
#[utoipa::path(get, path = "/v1/batches/{key}", tag = "fleets", params(("key" = String, Path, description = "Its Idempotency-Key")),
    responses((status = 200, description = "The batch", content((BatchAnswer = "application/json"),
        (String = "application/x-ndjson"), (String = "text/csv"))), (status = 202, description = "It is under way", body = Progress)))]
pub async fn fetch(
    State(core): State<Arc<Core>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    key: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let form = accepted(&headers, &render::FORMS[..3])?;
    let Path(key) = key.map_err(|_| unknown())?;
    let job = core.batches.find(&caller, &key).ok_or_else(unknown)?;
    match job.outcome() {
        Some(Ok(done)) => Ok(render::response(done, form, language(&headers))),
        Some(Err(problem)) => Err(problem.clone()),
        None => Ok((StatusCode::ACCEPTED, [(header::RETRY_AFTER, "1")], json(&job.now())).into_response()),
    }
}

/// How far a batch is, as server-sent events
///
/// `progress` while it is under way, then `done` or `failed`. Whoever lost the
/// connection asks again and is told the newest step.
#[utoipa::path(get, path = "/v1/batches/{key}/events", tag = "fleets", params(("key" = String, Path, description = "Its Idempotency-Key")),
    responses((status = 200, description = "Events", body = BatchEvent, content_type = "text/event-stream")))]
pub async fn follow(
    State(core): State<Arc<Core>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    key: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    accepted(&headers, &["text/event-stream"])?;
    let Path(key) = key.map_err(|_| unknown())?;
    let job = core.batches.find(&caller, &key).ok_or_else(unknown)?;
    Ok(events(&job, &key))
}

/// A batch's work, which goes on when its client goes.
struct Work {
    core: Arc<Core>,
    caller: Caller,
    job: Arc<Job>,
    key: Option<String>,
}

impl Work {
    async fn run(self, form: String, query: BatchQuery, context: String, body: Body) {
        let work = std::panic::AssertUnwindSafe(self.work(form, query, context, body)).catch_unwind();
        let outcome = work.await.unwrap_or_else(|_| {
            self.core.metrics.panics.inc();
            Err(Problem::internal(&"a batch panicked"))
        });
        self.job.end(outcome.map(Arc::new));
        if let Some(key) = &self.key {
            self.core.batches.ended(&self.caller, key, &self.job);
        }
    }

    async fn work(&self, form: String, query: BatchQuery, context: String, body: Body) -> Result<Done, Problem> {
        let core = &self.core;
        let bytes = whole(core, body, |bytes| self.job.tell(|progress| progress.bytes = bytes)).await?;
        self.job.came(digest(&context, &bytes));
        let most = self.caller.account.limits.miners.min(core.settings.max_batch_miners);
        let told = Arc::clone(&self.job);
        // One admission for all of its parts: it is not refused halfway.
        let admitted = Arc::new(Compute::admit(&self.caller)?);
        let read = core.compute.admitted(&self.caller, &admitted, move |threads| {
            let mut tell = |rows, refused| told.tell(|progress| (progress.rows, progress.refused) = (rows, refused));
            rows::read(&form, query, &bytes, most as usize, threads, &mut tell)
        });
        let rows = read.await?;
        self.job.tell(|progress| progress.phase = Phase::Computing);
        let filled = rows.market.fill(&core.markets, core.clock.now(), false).await?;
        let caller = self.caller.clone();
        let computed = core.compute.admitted(&self.caller, &admitted, move |_| job::done(rows, &filled, &caller, most));
        let (mut done, line) = computed.await?;
        let bad: usize = done.summary.refused.values().sum();
        let counted = |outcome: &str, rows: usize| {
            core.metrics.batch_rows.with_label_values(&[outcome]).inc_by(u64::try_from(rows).unwrap_or_default());
        };
        counted("computed", done.summary.rows - bad);
        counted("refused", bad);
        done.summary.record = keep(core, line).await;
        Ok(done)
    }
}
