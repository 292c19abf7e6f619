//! /metrics, /healthz, /readyz and /golden, on an address of their own: they
//! need no token and no certificate.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::api::golden::golden;
use crate::core::Core;

/// The probes.
pub fn router(core: Arc<Core>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/golden", get(|| async { golden() }))
        .route("/readyz", get(|State(core): State<Arc<Core>>| async move { ready(core.readiness()) }))
        .with_state(core)
}

fn ready(readiness: Result<(), BTreeMap<&'static str, String>>) -> (StatusCode, String) {
    match readiness {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(missing) => {
            let lines = missing.iter().map(|(part, why)| format!("{part}: {why}\n"));
            (StatusCode::SERVICE_UNAVAILABLE, lines.collect())
        }
    }
}

async fn metrics(State(core): State<Arc<Core>>) -> Response {
    core.markets.show_ages(&core.metrics, core.clock.now());
    match core.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("metrics cannot be rendered: {error}\n")).into_response()
        }
    }
}
