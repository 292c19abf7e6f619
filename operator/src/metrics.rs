//! Metrics with bounded labels: controllers, kinds, verbs, classes and states
//! are enumerations. Names of objects are labels in the two files `told.rs` alone,
//! of objectives, policies and cores, which are bounded by what people apply.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::calculation_core::told::Rollouts;
use crate::objective::told::Budgets;

/// Where one object stands, for the gauges that count objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Workflow state, from its enumeration.
    pub state: &'static str,
    /// Since when the object has not been Ready; `None` while it is.
    pub not_ready_since: Option<Timestamp>,
}

/// All metrics of the operator.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    /// Reconciles by controller and outcome.
    pub reconciles: IntCounterVec,
    /// Time one reconcile took.
    pub duration: HistogramVec,
    /// Calls to the API server by kind, verb and outcome.
    pub api_calls: IntCounterVec,
    /// Requeues after trouble by controller and class.
    pub requeues: IntCounterVec,
    /// Errors on watches by kind.
    pub watch_errors: IntCounterVec,
    /// Drift undone, by kind.
    pub repairs: IntCounterVec,
    /// Status writes by controller.
    pub status_writes: IntCounterVec,
    /// Whether this replica leads.
    pub leader: IntGauge,
    /// Questions to the metrics source, by outcome.
    pub source_queries: IntCounterVec,
    /// Time a question took.
    pub source_duration: Histogram,
    /// Time one evaluation of all objectives took.
    pub evaluation_duration: Histogram,
    /// What is told of objectives and policies, by name.
    pub budgets: Budgets,
    /// What is told of cores, by name.
    pub rollouts: Rollouts,
    tenants: IntGaugeVec,
    oldest_stuck: Gauge,
    standings: Arc<Mutex<BTreeMap<String, Standing>>>,
}

impl Metrics {
    /// A registry of its own with every metric in it.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("hashinsight_operator".to_owned()), None)?;
        let counter = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let duration = HistogramVec::new(
            HistogramOpts::new("reconcile_duration_seconds", "Time one reconcile took.")
                .buckets(vec![0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0, 60.0]),
            &["controller"],
        )?;
        let leader = IntGauge::new("leader", "Whether this replica leads.")?;
        let tenants = IntGaugeVec::new(Opts::new("tenants", "Tenants by workflow state."), &["state"])?;
        let oldest_stuck = Gauge::new("oldest_stuck_seconds", "How long the tenant longest not Ready has not been.")?;
        registry.register(Box::new(duration.clone()))?;
        registry.register(Box::new(leader.clone()))?;
        registry.register(Box::new(tenants.clone()))?;
        registry.register(Box::new(oldest_stuck.clone()))?;
        let timed = |name: &str, help: &str| -> Result<Histogram, prometheus::Error> {
            let buckets = vec![0.005, 0.025, 0.1, 0.5, 2.0, 10.0, 60.0];
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok(histogram)
        };
        let build = IntGaugeVec::new(Opts::new("build_info", "1, with the version of this build."), &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(build))?;
        Ok(Self {
            reconciles: counter("reconciles_total", "Reconciles.", &["controller", "outcome"])?,
            api_calls: counter("api_calls_total", "Calls to the API server.", &["kind", "verb", "outcome"])?,
            requeues: counter("requeues_total", "Requeues after trouble.", &["controller", "class"])?,
            watch_errors: counter("watch_errors_total", "Errors on watches.", &["kind"])?,
            repairs: counter("repairs_total", "Drift undone.", &["kind"])?,
            status_writes: counter("status_writes_total", "Status writes.", &["controller"])?,
            source_queries: counter("source_queries_total", "Questions to the metrics source.", &["outcome"])?,
            source_duration: timed("source_query_duration_seconds", "Time a question to the metrics source took.")?,
            evaluation_duration: timed("evaluation_duration_seconds", "Time an evaluation of all objectives took.")?,
            budgets: Budgets::new()?,
            rollouts: Rollouts::new()?,
            duration,
            leader,
            tenants,
            oldest_stuck,
            standings: Arc::default(),
            registry,
        })
    }

    /// Notes where the tenant with `uid` stands; `None` forgets it.
    pub fn stand(&self, uid: &str, standing: Option<Standing>) {
        let mut standings = self.standings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match standing {
            Some(standing) => standings.insert(uid.to_owned(), standing),
            None => standings.remove(uid),
        };
    }

    /// The text exposition format, as of `now`.
    pub fn render(&self, now: Timestamp) -> Result<String, prometheus::Error> {
        {
            let standings = self.standings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            self.tenants.reset();
            for standing in standings.values() {
                self.tenants.with_label_values(&[standing.state]).inc();
            }
            let oldest = standings.values().filter_map(|s| s.not_ready_since).min();
            self.oldest_stuck.set(oldest.map_or(0.0, |since| now.duration_since(since).as_secs_f64().max(0.0)));
        }
        let mut text = TextEncoder::new().encode_to_string(&self.registry.gather())?;
        text.push_str(&self.budgets.render()?);
        text.push_str(&self.rollouts.render()?);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standings_are_counted_by_state_and_forgotten() {
        let metrics = Metrics::new().unwrap();
        let at = |s| Timestamp::from_second(s).unwrap();
        metrics.stand("a", Some(Standing { state: "active", not_ready_since: None }));
        metrics.stand("b", Some(Standing { state: "provisioning", not_ready_since: Some(at(40)) }));
        let text = metrics.render(at(100)).unwrap();
        assert!(text.contains("hashinsight_operator_tenants{state=\"active\"} 1"), "{text}");
        assert!(text.contains("hashinsight_operator_oldest_stuck_seconds 60"), "{text}");
        metrics.stand("b", None);
        let text = metrics.render(at(100)).unwrap();
        assert!(!text.contains("provisioning"), "{text}");
        assert!(text.contains("hashinsight_operator_oldest_stuck_seconds 0"), "{text}");
    }
}
