//! /metrics, /healthz, /readyz, and the runbooks, which are read when much
//! else is down.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;

use hashinsight_crds::text::Language;
use hashinsight_runbooks::Runbook;
use serde::Deserialize;

use crate::ctx::Ctx;

/// Routes of probes, metrics and runbooks.
pub fn router(ctx: Arc<Ctx>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|State(ctx): State<Arc<Ctx>>| async move { probe(ctx.health.live(ctx.clock.now())) }))
        .route("/readyz", get(|State(ctx): State<Arc<Ctx>>| async move { probe(ctx.health.ready()) }))
        .route("/runbooks", get(|| async { Redirect::permanent("runbooks/") }))
        .route("/runbooks/", get(runbooks))
        .route("/runbooks/{name}", get(runbook))
        .with_state(ctx)
}

fn probe(result: Result<(), String>) -> (StatusCode, String) {
    match result {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(problems) => (StatusCode::SERVICE_UNAVAILABLE, problems + "\n"),
    }
}

#[derive(Deserialize)]
struct Asked {
    lang: Option<String>,
}

/// The language asked for in the address, else by the browser.
fn language(asked: &Asked, headers: &HeaderMap) -> Language {
    let browser = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    asked.lang.as_deref().or(browser).map_or(Language::English, Language::of_locale)
}

async fn runbooks(Query(asked): Query<Asked>, headers: HeaderMap) -> Html<String> {
    Html(hashinsight_runbooks::index(language(&asked, &headers)))
}

async fn runbook(Path(name): Path<String>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    let language = language(&asked, &headers);
    match Runbook::named(&name) {
        Some(page) => Html(page.html(language)).into_response(),
        None => (StatusCode::NOT_FOUND, Html(hashinsight_runbooks::index(language))).into_response(),
    }
}

async fn metrics(State(ctx): State<Arc<Ctx>>) -> Response {
    match ctx.metrics.render(ctx.clock.now()) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("metrics cannot be rendered: {error}\n")).into_response()
        }
    }
}
