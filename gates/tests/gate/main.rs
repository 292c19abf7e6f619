//! The release gate, whole: a good release, every defect of it, tampering,
//! reports, signatures.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test says what it saw")]
#![allow(clippy::disallowed_methods, reason = "tests read files")]

mod defects;
mod forms;
mod large;
mod mutated;
mod shop;
mod signed;
mod tampered;
