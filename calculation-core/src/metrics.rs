//! Metrics with bounded labels. The names of requests are those that
//! objectives and canaries read: `http_requests_total{code,route,tenant}` and
//! `http_request_duration_seconds`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::SignedDuration;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::market::State;

/// Boundaries of request durations, seconds. 0.25 is the bound of the service's
/// objective and must be one of them.
pub const BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Tenants that have a label of their own.
pub const TENANTS_MAX: usize = 1000;
/// The label of all others, and of requests without a tenant.
const OTHER: &str = "_other";
const NOBODY: &str = "_none";

/// All metrics of the service.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    tenants: Arc<Mutex<BTreeSet<String>>>,
    /// Requests that are being answered.
    pub in_flight: IntGauge,
    source_requests: IntCounterVec,
    source_durations: HistogramVec,
    breakers: IntGaugeVec,
    cached: IntCounterVec,
    states: IntGaugeVec,
    ages: IntGaugeVec,
    /// Tokens that were refused, by code.
    pub refused_tokens: IntCounterVec,
    /// Records that were written, and that could not be.
    pub records: IntCounterVec,
    /// Settings that were read again, by what and outcome.
    pub reloads: IntCounterVec,
    /// Rows of batches, by outcome.
    pub batch_rows: IntCounterVec,
    /// Bytes of batches that are kept for those who come back.
    pub batch_bytes: IntGauge,
    /// Panics that were caught.
    pub panics: IntCounter,
}

impl Metrics {
    /// A registry of its own with every metric in it.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| -> Result<IntGaugeVec, prometheus::Error> {
            let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let histogram = |name: &str, help: &str, label: &str| -> Result<HistogramVec, prometheus::Error> {
            let histogram = HistogramVec::new(HistogramOpts::new(name, help).buckets(BUCKETS.to_vec()), &[label])?;
            registry.register(Box::new(histogram.clone()))?;
            Ok(histogram)
        };
        let build = gauge("build_info", "1, with the version and features of this build.", &["version", "features"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), &crate::bad::features()]).set(1);
        let process = prometheus::process_collector::ProcessCollector::for_self();
        registry.register(Box::new(process))?;
        let in_flight = IntGauge::new("http_requests_in_flight", "Requests that are being answered.")?;
        let batch_bytes = IntGauge::new("batches_kept_bytes", "Bytes of batches kept for those who come back.")?;
        let panics = IntCounter::new("panics_total", "Panics while answering a request.")?;
        registry.register(Box::new(in_flight.clone()))?;
        registry.register(Box::new(batch_bytes.clone()))?;
        registry.register(Box::new(panics.clone()))?;
        Ok(Self {
            requests: counter("http_requests_total", "Requests that were answered.", &["code", "route", "tenant"])?,
            durations: histogram("http_request_duration_seconds", "Time to the head of an answer.", "route")?,
            tenants: Arc::default(),
            in_flight,
            source_requests: counter(
                "market_source_requests_total",
                "Questions to providers.",
                &["source", "outcome"],
            )?,
            source_durations: histogram("market_source_duration_seconds", "Time a provider took.", "source")?,
            breakers: gauge("market_source_breaker_open", "Whether a provider is left alone.", &["source"])?,
            cached: counter("market_cache_requests_total", "Readings of market data.", &["feed", "outcome"])?,
            states: gauge(
                "market_state",
                "1 for the state market data was in when it was read last.",
                &["feed", "state"],
            )?,
            ages: gauge("market_age_seconds", "Seconds since the last good value was heard.", &["feed"])?,
            refused_tokens: counter("tokens_refused_total", "Tokens that were refused.", &["code"])?,
            records: counter("records_total", "Records, by outcome.", &["outcome"])?,
            reloads: counter("reloads_total", "Settings read again while running.", &["what", "outcome"])?,
            batch_rows: counter("batch_rows_total", "Rows of batches.", &["outcome"])?,
            batch_bytes,
            panics,
            registry,
        })
    }

    /// A request was answered.
    pub fn answered(&self, code: u16, route: &str, tenant: Option<&str>, seconds: f64) {
        let tenant = tenant.map_or(NOBODY, |tenant| if self.knows(tenant) { tenant } else { OTHER });
        self.requests.with_label_values(&[code.to_string().as_str(), route, tenant]).inc();
        self.durations.with_label_values(&[route]).observe(seconds);
    }

    /// Whether the tenant has a label of its own; the first so many have.
    fn knows(&self, tenant: &str) -> bool {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.contains(tenant) || (tenants.len() < TENANTS_MAX && tenants.insert(tenant.to_owned()))
    }

    /// A provider was asked.
    pub fn asked(&self, source: &str, outcome: &str, took: SignedDuration, is_resting: bool) {
        self.source_requests.with_label_values(&[source, outcome]).inc();
        self.source_durations.with_label_values(&[source]).observe(took.as_secs_f64().max(0.0));
        self.breakers.with_label_values(&[source]).set(i64::from(is_resting));
    }

    /// Market data was looked up.
    pub fn cache(&self, feed: &str, outcome: &str) {
        self.cached.with_label_values(&[feed, outcome]).inc();
    }

    /// Market data was read, and how it stood.
    pub fn read(&self, feed: &str, state: State) {
        for other in State::ALL {
            self.states.with_label_values(&[feed, other.name()]).set(i64::from(other == state));
        }
    }

    /// How old the last good value is now; no series where there is none.
    pub fn age(&self, feed: &str, age: Option<u64>) {
        match age.and_then(|age| i64::try_from(age).ok()) {
            Some(age) => self.ages.with_label_values(&[feed]).set(age),
            // Nothing to take away is no mistake.
            None => drop(self.ages.remove_label_values(&[feed])),
        }
    }

    /// The text exposition format.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_objective_s_bound_is_a_bucket_and_tenants_are_bounded() {
        let metrics = Metrics::new().unwrap();
        for at in 0..TENANTS_MAX + 5 {
            metrics.answered(200, "/v1/estimate", Some(&format!("t{at:04}")), 0.2);
        }
        metrics.answered(401, "/v1/estimate", None, 0.001);
        metrics.answered(200, "/v1/estimate", Some("t0003"), 0.3);
        let text = metrics.render().unwrap();
        assert!(
            text.contains("http_request_duration_seconds_bucket{route=\"/v1/estimate\",le=\"0.25\"} 1006"),
            "{text}"
        );
        let tenants = text.lines().filter(|line| line.starts_with("http_requests_total{code=\"200\"")).count();
        assert_eq!(tenants, TENANTS_MAX + 1);
        assert!(text.contains("http_requests_total{code=\"200\",route=\"/v1/estimate\",tenant=\"_other\"} 5"));
        assert!(text.contains("http_requests_total{code=\"200\",route=\"/v1/estimate\",tenant=\"t0003\"} 2"));
        assert!(text.contains("http_requests_total{code=\"401\",route=\"/v1/estimate\",tenant=\"_none\"} 1"));
        assert!(text.contains("process_resident_memory_bytes") && text.contains("build_info{"));
    }
}
