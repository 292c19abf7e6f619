//! The service as it runs, on loopback, beside a stand-in for the providers and
//! an issuer of the test's own.

#![allow(clippy::disallowed_methods, reason = "tests run in real time, on files")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::float_cmp,
    clippy::unreadable_literal,
    reason = "a test that cannot go on fails"
)]

mod api;
mod batches;
mod ground;
mod hostile;
mod market;
mod operations;
mod tokens;
