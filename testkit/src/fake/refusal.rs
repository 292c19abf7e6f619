//! What the server says when it says no: a `Status` with code and reason.

use serde_json::{Value, json};

/// Reason of a path nothing is served at.
pub(super) const UNSERVED: &str = "unserved";

/// A request that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status code.
    pub code: u16,
    /// Reason as in `metav1.StatusReason`.
    pub reason: &'static str,
    /// One sentence.
    pub message: String,
    /// Seconds after which to try again, for 429 and 503.
    pub retry_after: Option<u32>,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), retry_after: None }
    }

    /// A path nothing is served at: no `Status`, but a line of text.
    pub(super) fn unserved() -> Self {
        Self::new(404, UNSERVED, "404 page not found")
    }

    pub(super) fn not_found(plural: &str, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{plural} {name:?} not found"))
    }

    pub(super) fn already_exists(plural: &str, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{plural} {name:?} already exists"))
    }

    pub(super) fn conflict(plural: &str, name: &str, why: &str) -> Self {
        Self::new(409, "Conflict", format!("Operation cannot be fulfilled on {plural} {name:?}: {why}"))
    }

    pub(super) fn invalid(kind: &str, name: &str, why: &str) -> Self {
        Self::new(422, "Invalid", format!("{kind} {name:?} is invalid: {why}"))
    }

    pub(super) fn bad_request(why: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", why)
    }

    pub(super) fn expired() -> Self {
        Self::new(410, "Expired", "too old resource version")
    }

    /// The body of the answer.
    pub fn body(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if let Some(seconds) = self.retry_after {
            status["details"] = json!({"retryAfterSeconds": seconds});
        }
        status
    }
}
