//! Pictures as answers.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// The form of a picture.
pub const SVG: &str = "image/svg+xml";
/// Forms of answers that have a picture.
pub const FORMS: [&str; 2] = ["application/json", SVG];

/// A picture.
pub fn svg(picture: String) -> Response {
    ([(header::CONTENT_TYPE, SVG)], picture).into_response()
}
