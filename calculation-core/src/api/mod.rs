//! The HTTP API: routes, what stands before each of them, and their document.

pub mod amount;
pub mod answer;
pub mod batch;
mod catalogue;
pub mod code;
mod course;
mod curtailment;
mod document;
mod estimate;
pub mod extract;
pub mod golden;
mod heatmap;
pub mod import;
pub mod input;
mod layers;
mod market;
mod picture;
pub mod problem;
mod projection;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::Permission;
use crate::core::Core;
use code::Code;
use problem::{Problem, language};

pub use document::text as document;

/// Every route with a document, by what it needs.
fn routes() -> [(Permission, OpenApiRouter<Arc<Core>>); 3] {
    let read = OpenApiRouter::new()
        .routes(routes!(estimate::estimate))
        .routes(routes!(market::market))
        .routes(routes!(catalogue::rows))
        .routes(routes!(catalogue::recognition));
    let compute = OpenApiRouter::new()
        .routes(routes!(projection::projection))
        .routes(routes!(heatmap::heatmap))
        .routes(routes!(curtailment::curtailment))
        .routes(routes!(batch::send))
        .routes(routes!(batch::fetch))
        .routes(routes!(batch::follow));
    let import = OpenApiRouter::new().routes(routes!(import::import));
    [(Permission::Read, read), (Permission::Compute, compute), (Permission::Import, import)]
}

/// The API.
pub fn router(core: &Arc<Core>) -> Router {
    let open = Router::new()
        .route("/v1/openapi.json", get(openapi))
        .route("/problems", get(problems))
        .route_layer(from_fn_with_state(Arc::clone(core), layers::configured));
    let routes = routes().into_iter().fold(open, |router, (permission, routes)| {
        let admit = from_fn_with_state((Arc::clone(core), permission), layers::admit);
        router.merge(Router::from(routes).route_layer(admit))
    });
    let caught = Arc::clone(core);
    let panicked = move |_: Box<dyn std::any::Any + Send>| {
        caught.metrics.panics.inc();
        Problem::internal(&"a panic while answering").into_response()
    };
    routes
        .fallback(nothing)
        .method_not_allowed_fallback(no_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::clone(core), layers::in_time))
        .layer(from_fn(problem::render))
        .layer(from_fn_with_state(Arc::clone(core), layers::observe))
        .with_state(Arc::clone(core))
}

async fn openapi(State(core): State<Arc<Core>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], core.document.to_string()).into_response()
}

async fn problems(headers: HeaderMap) -> Html<String> {
    Html(code::page(language(&headers)))
}

async fn nothing() -> Problem {
    Problem::new(Code::RouteUnknown, "See /v1/openapi.json for what there is.", "可用地址见 /v1/openapi.json。")
}

async fn no_method() -> Problem {
    Problem::new(Code::MethodUnknown, "See the header Allow.", "可用方法见 Allow 响应头。")
}
