//! The service around the mining library: market data, batches, an HTTP API and
//! its metrics. It computes no figure itself: every one comes out of
//! `hashinsight_mining::record::Request::answer`, which a record replays.

pub mod access;
pub mod api;
pub mod bad;
mod client;
pub mod clock;
mod compute;
pub mod core;
mod listen;
pub mod market;
pub mod metrics;
mod probes;
mod records;
mod reload;
pub mod run;
pub mod settings;
