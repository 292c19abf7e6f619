//! A real Kubernetes on this one machine, for tests and demos.
//!
//! Size *api*: etcd, kube-apiserver and kube-controller-manager on loopback
//! ports in a temporary folder; ready in seconds, many at once, gone with the
//! process that started them. Programs are built from pinned Go modules or
//! unpacked from Debian packages into the user's cache; nothing is installed
//! on the system and no system service is touched.
//!
//! Size *node*: all of Kubernetes with one node, DNS, Prometheus and a gateway,
//! in namespaces of its own; see [`node`].
//!
//! This crate holds no product knowledge and must never be needed in production.

#![allow(clippy::disallowed_methods, reason = "a launcher works on files, processes and time")]

mod api;
mod cache;
mod certificates;
mod components;
mod control_plane;
mod credentials;
mod debian;
mod error;
mod golang;
mod image;
mod leftovers;
pub mod node;
mod processes;
mod progress;
mod pypi;
mod step;

pub use api::Cluster;
pub use cache::cache_root;
pub use components::{
    Capsule, Gitops, NodeParts, Programs, Prometheus, fetch, fetch_capsule, fetch_conftest, fetch_debootstrap,
    fetch_gateway_kinds, fetch_gitops, fetch_helm, fetch_monitoring_kinds, fetch_node, fetch_prometheus,
};
pub use error::Error;
pub use image::Image;
pub use progress::{Progress, say};
