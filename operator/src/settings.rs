//! What can be set when the operator is started.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use clap::Parser;
use hashinsight_telemetry::{LogFormat, Telemetry};

/// Settings of the operator.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "hashinsight-operator",
    version,
    about = "Turns Tenants and TenantPlans into isolated, policed namespaces",
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

    /// The served regions as a set.
    pub fn region_set(&self) -> BTreeSet<String> {
        self.regions.iter().cloned().collect()
    }
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
