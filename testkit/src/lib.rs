//! Test ground: real API servers with our kinds installed, a harness that
//! starts and ends them, and the operator as a process. Development only;
//! nothing that ships depends on it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests read files and clocks")]

pub mod fake;
mod ground;
mod harness;
mod operator;
pub mod sim;

pub use ground::{Ground, Objects};
pub use harness::{Afterwards, Body, eventually, main, main_and, stays};
pub use operator::Operator;
