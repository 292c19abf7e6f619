//! Verdicts, each by one pure function: whether a canary may go on, and whether
//! a release may. What goes in is told, what comes out can be computed again;
//! no clock is read, nothing is fetched.

pub mod attestation;
pub mod canary;
pub mod checks;
pub mod evidence;
pub mod policy;
pub mod report;
pub mod verdict;
pub mod words;
