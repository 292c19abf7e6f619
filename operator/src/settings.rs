//! What can be set when the operator is started.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use hashinsight_slo::rules::Links;
use hashinsight_telemetry::{LogFormat, Telemetry};

use hashinsight_metrics_source::Access;

/// Settings of the operator.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "hashinsight-operator",
    version,
    about = "Turns Tenants into isolated, policed namespaces, and objectives into error budgets",
    after_help = "Examples:\n  \
        hashinsight-operator                                     inside a cluster\n  \
        KUBECONFIG=… hashinsight-operator --namespace default    against the cluster of a kubeconfig\n  \
        hashinsight-operator --region eu-west-1 --region us-west-2\n\n\
        Exit codes: 0 asked to stop, 2 error (settings, cluster unreachable), 3 the lease was lost to another replica."
)]
pub struct Settings {
    /// Namespace the operator runs in; its lease lives there
    #[arg(long, env = "POD_NAMESPACE", default_value = "hashinsight-system")]
    pub namespace: String,
    /// Name of this replica in the lease; must differ between replicas
    #[arg(long, env = "POD_NAME", default_value = "hashinsight-operator")]
    pub identity: String,
    /// Where /metrics, /healthz and /readyz are served
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// A region this cluster serves; may be repeated. With none, nodes alone tell
    #[arg(long = "region")]
    pub regions: Vec<String>,
    /// Reconciles of one kind that may run at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub concurrency: u16,
    /// The metrics system objectives are measured by, such as
    /// http://prometheus.monitoring:9090; anything that speaks Prometheus's API
    #[arg(long, env = "PROMETHEUS_URL")]
    pub prometheus_url: Option<reqwest::Url>,
    /// A file with the bearer token for it, read anew for each question
    #[arg(long, requires = "prometheus_url")]
    pub prometheus_token_file: Option<PathBuf>,
    /// A file with the certificates (PEM) of who signed its certificate
    #[arg(long, requires = "prometheus_url")]
    pub prometheus_ca_file: Option<PathBuf>,
    /// A label rules carry so that Prometheus finds them; may be repeated
    #[arg(long = "rule-label", value_name = "KEY=VALUE", value_parser = label)]
    pub rule_labels: Vec<(String, String)>,
    /// Where runbooks are served; the name of an alert is appended
    #[arg(long, default_value = "https://calc.hashinsight.net/runbooks")]
    pub runbooks_url: String,
    /// Where dashboards are served; /d/ and the dashboard's uid are appended
    #[arg(long, default_value = "https://calc.hashinsight.net/grafana")]
    pub dashboards_url: String,
    /// How log lines are written
    #[arg(long, value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
    /// Which log lines are written, as `level` or `target=level,…`
    #[arg(long, default_value = "info,kube_runtime=warn,kube_client=warn")]
    pub log_filter: String,
    /// Send traces by OTLP over HTTP to this collector, such as http://127.0.0.1:4318
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
}

impl Settings {
    /// What is logged and traced.
    pub fn telemetry(&self) -> Telemetry<'_> {
        Telemetry {
            service: "hashinsight-operator",
            instance: &self.identity,
            format: self.log_format,
            filter: &self.log_filter,
            filter_setting: "--log-filter",
            otlp_endpoint: self.otlp_endpoint.as_deref(),
            traced: "hashinsight",
        }
    }

    /// How the metrics system is reached, if there is one.
    pub fn metrics_source(&self) -> Option<Access> {
        let url = self.prometheus_url.clone()?;
        Some(Access { url, token: self.prometheus_token_file.clone(), roots: self.prometheus_ca_file.clone() })
    }

    /// Where people are led from alerts.
    pub fn links(&self) -> Links {
        let bare = |url: &str| url.trim_end_matches('/').to_owned();
        Links { runbooks: bare(&self.runbooks_url), dashboards: bare(&self.dashboards_url) }
    }

    /// The served regions as a set.
    pub fn region_set(&self) -> BTreeSet<String> {
        self.regions.iter().cloned().collect()
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write a label as key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Settings::command().debug_assert();
        assert!(Settings::try_parse_from(["o", "--concurrency", "0"]).is_err());
        let settings = Settings::try_parse_from(["o", "--region", "a", "--region", "b"]).unwrap();
        assert_eq!(settings.region_set().len(), 2);
    }
}
