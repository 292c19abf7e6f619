//! /metrics, /healthz and /readyz.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::ctx::Ctx;

/// Routes of the probes and metrics.
pub fn router(ctx: Arc<Ctx>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|State(ctx): State<Arc<Ctx>>| async move { probe(ctx.health.live(ctx.clock.now())) }))
        .route("/readyz", get(|State(ctx): State<Arc<Ctx>>| async move { probe(ctx.health.ready()) }))
        .with_state(ctx)
}

fn probe(result: Result<(), String>) -> (StatusCode, String) {
    match result {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(problems) => (StatusCode::SERVICE_UNAVAILABLE, problems + "\n"),
    }
}

async fn metrics(State(ctx): State<Arc<Ctx>>) -> axum::response::Response {
    match ctx.metrics.render(ctx.clock.now()) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("metrics cannot be rendered: {error}\n")).into_response()
        }
    }
}
