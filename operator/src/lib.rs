//! The controllers: the only crate that holds a cluster-wide Kubernetes
//! client. A controller observes, plans purely, applies Kubernetes objects and
//! writes status; it holds no arithmetic of the domains and reads no Secret.
//!
//! Reading order: [`run`](run::run) wires everything, `driver` runs one
//! reconcile, `tenant` is the controller to learn from.

pub mod admission;
pub mod api;
pub mod backoff;
pub mod budget_policy;
pub mod calculation_core;
pub mod change_notice;
pub mod ctx;
pub mod digest;
pub mod driver;
pub mod error;
pub mod health;
pub mod http;
pub mod incident;
pub mod index;
pub mod kinds;
pub mod lease;
pub mod metrics;
pub mod objective;
pub mod publish;
pub mod rbac;
pub mod rollout_action;
pub mod run;
pub mod settings;
pub mod tenant;
pub mod tenant_plan;
pub mod watch;
