//! What stands before every route: an id, a span, counts, a time limit, and who
//! may pass.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Instrument, field, info, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::code::Code;
use super::problem::Problem;
use crate::access::{Caller, Permission, Refused};
use crate::core::Core;

/// The header of a request's id.
const ID: HeaderName = HeaderName::from_static("x-request-id");
/// Characters of an id that a client may send.
const ID_MAX: usize = 64;
/// The code of requests whose client went away.
const GONE: u16 = 499;
/// The label of addresses that lead nowhere.
const NOWHERE: &str = "_unknown";

/// Who asked, told from the inner layers to the outer ones, however the request
/// ends.
#[derive(Clone, Default)]
struct Tenant(Arc<OnceLock<Arc<str>>>);

/// Gives each request an id and a span, counts it, and refuses more at once than
/// the service bears.
pub async fn observe(State(core): State<Arc<Core>>, mut request: Request, next: Next) -> Response {
    let number = core.number();
    let id = sent_id(&request).unwrap_or_else(|| derived_id(&core, number));
    let route = request.extensions().get::<MatchedPath>().map_or(NOWHERE, MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let span = info_span!("request", %method, route, id, tenant = field::Empty, code = field::Empty);
    // Without a collector there is no parent to set, which is no mistake.
    drop(span.set_parent(TraceContextPropagator::new().extract(&Headers(request.headers()))));
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(ID, value);
    }
    let who = Tenant::default();
    request.extensions_mut().insert(who.clone());
    let mut under_way = UnderWay::begin(&core, &route, &who);
    let is_too_many =
        core.metrics.in_flight.get() > i64::try_from(core.settings.requests.concurrent).unwrap_or(i64::MAX);
    let answered = async {
        if is_too_many {
            let most = core.settings.requests.concurrent;
            let problem = Problem::new(
                Code::Overloaded,
                format!("More than {most} requests at the same time; try again in a moment."),
                format!("同时请求超过 {most} 个；请稍后重试。"),
            );
            return super::problem::rendered(problem.limit(most).again(1), request.headers());
        }
        if crate::bad::request(number).await {
            return super::problem::rendered(Problem::internal(&"a bad version on purpose"), request.headers());
        }
        next.run(request).await
    };
    let mut response = answered.instrument(span.clone()).await;
    let tenant = who.0.get().cloned();
    let (code, seconds) = (response.status().as_u16(), under_way.begun.elapsed().as_secs_f64());
    span.record("code", code);
    if let Some(tenant) = &tenant {
        span.record("tenant", tenant.as_ref());
    }
    under_way.is_answered = true;
    core.metrics.answered(code, &route, tenant.as_deref(), seconds);
    let tenant = tenant.as_deref().unwrap_or_default();
    info!(%method, route, id, tenant, code, seconds, "answered");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(ID, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A request under way. One that is dropped before it is answered, because its
/// client went away, is counted as 499, as proxies do.
struct UnderWay<'a> {
    core: &'a Core,
    route: &'a str,
    who: &'a Tenant,
    begun: tokio::time::Instant,
    is_answered: bool,
}

impl<'a> UnderWay<'a> {
    fn begin(core: &'a Core, route: &'a str, who: &'a Tenant) -> Self {
        core.metrics.in_flight.inc();
        Self { core, route, who, begun: tokio::time::Instant::now(), is_answered: false }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.core.metrics.in_flight.dec();
        if !self.is_answered {
            let tenant = self.who.0.get().map(AsRef::as_ref);
            self.core.metrics.answered(GONE, self.route, tenant, self.begun.elapsed().as_secs_f64());
        }
    }
}

/// An id that the client or the edge gave.
fn sent_id(request: &Request) -> Option<String> {
    let id = request.headers().get(&ID)?.to_str().ok()?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    ((1..=ID_MAX).contains(&id.len()) && id.bytes().all(fits)).then(|| id.to_owned())
}

fn derived_id(core: &Core, number: u64) -> String {
    format!("{}-{:x}-{number:x}", core.settings.instance, core.clock.now().as_millisecond())
}

struct Headers<'a>(&'a axum::http::HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// Ends what takes too long.
pub async fn in_time(State(core): State<Arc<Core>>, request: Request, next: Next) -> Response {
    // A body has its own time before the answer's begins.
    let seconds = core.settings.requests.answer_seconds + core.settings.requests.body_seconds;
    tokio::time::timeout(Duration::from_secs(seconds), next.run(request)).await.unwrap_or_else(|_| {
        let problem = Problem::new(
            Code::TimedOut,
            format!(
                "Not done within {seconds} s: send a batch with an Idempotency-Key and fetch it later, or ask for less."
            ),
            format!("{seconds} 秒内未完成：请用 Idempotency-Key 发送批次并稍后获取，或减少计算量。"),
        );
        problem.limit(seconds).again(10).into_response()
    })
}

/// Refuses everything while no issuer is set.
pub async fn configured(State(core): State<Arc<Core>>, request: Request, next: Next) -> Response {
    if core.verifier.is_set() { next.run(request).await } else { Problem::from(Refused::NotSet).into_response() }
}

/// Lets pass who proves a tenant with the permission and is within its limits.
pub async fn admit(
    State((core, permission)): State<(Arc<Core>, Permission)>,
    mut request: Request,
    next: Next,
) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let said = match core.verifier.verify(authorization).await {
        Ok(said) => said,
        Err(refused) => return Problem::from(refused).into_response(),
    };
    let tenant: Arc<str> = said.tenant.into();
    if let Some(Tenant(who)) = request.extensions().get::<Tenant>() {
        // Once: a request has one token.
        let _ = who.set(Arc::clone(&tenant));
    }
    let account = core.accounts.of(&tenant);
    let Some(place) = account.under_way() else { return crowded().into_response() };
    let caller = Caller { tenant, roles: said.roles, account, under_way: Arc::new(place) };
    if let Some(problem) = refuse(&caller, permission) {
        return problem.into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

fn crowded() -> Problem {
    let problem = Problem::new(
        Code::TooManyAtOnce,
        "Too many requests of this tenant are under way; try again when one is answered.",
        "该租户正在进行的请求过多；请在其完成后重试。",
    );
    problem.again(1)
}

fn refuse(caller: &Caller, permission: Permission) -> Option<Problem> {
    if !caller.may(permission) {
        let roles: Vec<String> = permission.roles().iter().map(|role| format!("{role:?}")).collect();
        let roles = roles.join(", ");
        let problem = Problem::new(
            Code::RoleMissing,
            format!("One of these roles is needed: {roles}."),
            format!("需要以下角色之一：{roles}。"),
        );
        return Some(problem.limit(roles));
    }
    let seconds = caller.account.request().err()?;
    let most = caller.account.limits.requests_per_minute;
    let problem = Problem::new(
        Code::RateLimited,
        format!("{most} requests a minute are allowed; the next in {seconds} s."),
        format!("每分钟允许 {most} 个请求；请在 {seconds} 秒后重试。"),
    );
    Some(problem.limit(most).again(seconds))
}
