//! Logs as structured lines, and traces by OTLP when a collector is named: the
//! same for every program of ours that runs in a cluster.

use std::io::IsTerminal;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, filter};

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// What is logged and traced, and as whom.
#[derive(Clone, Debug)]
pub struct Telemetry<'a> {
    /// Name of the program.
    pub service: &'static str,
    /// Which one of several.
    pub instance: &'a str,
    /// How log lines are written.
    pub format: LogFormat,
    /// Which log lines are written, as `level` or `target=level,…`.
    pub filter: &'a str,
    /// The setting that holds it, as people know it.
    pub filter_setting: &'static str,
    /// A collector of traces.
    pub otlp_endpoint: Option<&'a str>,
    /// Spans of this target are traced: those of libraries would drown them.
    pub traced: &'static str,
}

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log filter cannot be read.
    #[error("{setting} {filter:?} cannot be read: {source}; use a level, or target=level pairs")]
    Filter {
        /// The setting.
        setting: &'static str,
        /// As given.
        filter: String,
        /// Why.
        source: filter::ParseError,
    },
    /// The trace exporter cannot be built.
    #[error("traces cannot be sent to {endpoint:?}: {source}")]
    Exporter {
        /// As given.
        endpoint: String,
        /// Why.
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// A subscriber is set already.
    #[error("telemetry was set up twice")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Flushes traces when dropped.
pub struct Guard(Option<SdkTracerProvider>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(provider) = self.0.take()
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "traces may be incomplete");
        }
    }
}

impl Telemetry<'_> {
    /// Sets up logs, and traces where an endpoint is named. Must run outside an
    /// async runtime: the exporter has a thread of its own.
    pub fn init(&self) -> Result<Guard, Error> {
        let filter = EnvFilter::try_new(self.filter).map_err(|source| Error::Filter {
            setting: self.filter_setting,
            filter: self.filter.to_owned(),
            source,
        })?;
        let lines =
            tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
        let lines: Box<dyn Layer<Registry> + Send + Sync> = match self.format {
            LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).with_filter(filter).boxed(),
            LogFormat::Text => lines.with_filter(filter).boxed(),
        };
        let provider = self.otlp_endpoint.map(|endpoint| self.tracer(endpoint)).transpose()?;
        let ours = filter::Targets::new().with_target(self.traced, tracing::Level::INFO);
        let traces = provider.as_ref().map(|provider| {
            tracing_opentelemetry::layer().with_tracer(provider.tracer(self.service)).with_filter(ours)
        });
        Registry::default().with(lines).with(traces).try_init()?;
        Ok(Guard(provider))
    }

    fn tracer(&self, endpoint: &str) -> Result<SdkTracerProvider, Error> {
        // The exporter's client wants one, whatever else in the program has TLS;
        // an earlier one stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()
            .map_err(|source| Error::Exporter { endpoint: endpoint.to_owned(), source })?;
        let resource = Resource::builder()
            .with_service_name(self.service)
            .with_attribute(opentelemetry::KeyValue::new("service.instance.id", self.instance.to_owned()))
            .build();
        Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
    }
}
