//! Verdicts. This crate never reads a clock and does no I/O: what was counted
//! comes in, a verdict with its reasons goes out, and the same input gives the
//! same verdict. The same functions serve controllers, the command line and
//! the tests.

pub mod canary;
