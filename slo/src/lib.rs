//! Objectives, windows, burn rates, budgets and their policies; renders the
//! rules Prometheus evaluates and the dashboards people look at.
//!
//! This crate never reads a clock and does no I/O: counts and times come in,
//! numbers and text go out. The same functions serve the controllers, the
//! command line and the tests.

pub mod alerts;
pub mod backtest;
pub mod book;
pub mod budget;
pub mod burn;
pub mod burndown;
pub mod counts;
pub mod dashboard;
pub mod evaluation;
pub mod history;
pub mod ledger;
pub mod objective;
pub mod openslo;
pub mod policy;
pub mod rules;
pub mod selector;
pub mod series;
pub mod share;
pub mod window;
