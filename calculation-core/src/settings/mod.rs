//! What can be set: a file, and the environment over it. Everything is checked
//! before anything is begun.

mod read;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use hashinsight_mining::Exact;
use hashinsight_telemetry::{LogFormat, Telemetry};
use serde::Deserialize;

pub use read::{Error, PREFIX};

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Where the API is served.
    pub listen: SocketAddr,
    /// Where /metrics, /healthz and /readyz are served.
    pub probes: SocketAddr,
    /// Name of this replica in traces.
    pub instance: String,
    /// Certificates of the API; plain HTTP without.
    pub tls: Option<TlsSettings>,
    /// Whose tokens are accepted. With none, every request is refused.
    pub auth: AuthSettings,
    /// What tenants may do.
    pub limits: LimitSettings,
    /// Machines in one request at most.
    pub max_batch_miners: u32,
    /// What a request may cost.
    pub requests: RequestSettings,
    /// Threads that compute; 0 for as many as there are processors.
    pub threads: usize,
    /// Market data.
    pub market_data: MarketSettings,
    /// Where records go.
    pub records: Option<RecordSettings>,
    /// How the service ends.
    pub drain: DrainSettings,
    /// Logs and traces.
    pub logs: LogSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            probes: SocketAddr::from(([127, 0, 0, 1], 9090)),
            instance: "calculation-core".to_owned(),
            tls: None,
            auth: AuthSettings::default(),
            limits: LimitSettings::default(),
            max_batch_miners: 100_000,
            requests: RequestSettings::default(),
            threads: 0,
            market_data: MarketSettings::default(),
            records: None,
            drain: DrainSettings::default(),
            logs: LogSettings::default(),
        }
    }
}

/// Certificates of the API.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsSettings {
    /// Chain, PEM.
    pub certificate: PathBuf,
    /// Key, PEM.
    pub key: PathBuf,
    /// Who signs clients' certificates, PEM; with it, clients must show one.
    pub client_authority: Option<PathBuf>,
}

/// Whose tokens are accepted.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AuthSettings {
    /// Issuers.
    pub issuers: Vec<IssuerSettings>,
}

/// An issuer of tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerSettings {
    /// As tokens name it.
    pub issuer: String,
    /// Whom its tokens must be for.
    pub audience: String,
    /// Its keys, as a file.
    pub jwks_file: Option<PathBuf>,
    /// Its keys, as an address.
    pub jwks_url: Option<String>,
}

/// What tenants may do.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Limits tenant by tenant, read again when it changes.
    pub file: Option<PathBuf>,
    /// For tenants it does not name.
    pub default: Limits,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self { file: None, default: Limits { requests_per_minute: 600, miners: 10_000, concurrent: 4 } }
    }
}

/// Limits of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Requests in a minute; a tenth of them at once.
    pub requests_per_minute: u32,
    /// Machines in one request.
    pub miners: u32,
    /// Computations at the same time.
    pub concurrent: u32,
}

/// The file of limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitFile {
    /// By tenant.
    pub tenants: BTreeMap<String, Limits>,
}

/// What a request may cost.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RequestSettings {
    /// Bytes of a body.
    pub body_bytes: usize,
    /// Seconds until a body is there.
    pub body_seconds: u64,
    /// Seconds until an answer begins.
    pub answer_seconds: u64,
    /// Seconds a client may take to read what is waiting for it.
    pub write_seconds: u64,
    /// Requests at the same time, of all tenants.
    pub concurrent: usize,
    /// Connections at the same time.
    pub connections: usize,
    /// Bytes of batches kept for those who come back.
    pub kept_bytes: u64,
    /// Seconds they are kept.
    pub kept_seconds: u64,
}

impl Default for RequestSettings {
    fn default() -> Self {
        Self {
            body_bytes: 32 * 1024 * 1024,
            body_seconds: 30,
            answer_seconds: 30,
            write_seconds: 30,
            concurrent: 256,
            connections: 4096,
            kept_bytes: 64 * 1024 * 1024,
            kept_seconds: 900,
        }
    }
}

/// A provider we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Coinbase Exchange.
    Coinbase,
    /// Kraken.
    Kraken,
    /// Bitstamp.
    Bitstamp,
    /// mempool.space, or one's own.
    Mempool,
    /// Esplora, as Blockstream runs it, or one's own.
    Esplora,
}

/// A provider at an address.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderSettings {
    /// Which one.
    pub provider: Provider,
    /// Where.
    pub url: String,
}

/// Market data.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MarketSettings {
    /// Seconds a price is kept, 1 to 5.
    pub price_cache_seconds: u64,
    /// Seconds the network's state is kept, 5 minutes to 10.
    pub network_cache_seconds: u64,
    /// Milliseconds a provider has to answer.
    pub timeout_milliseconds: u64,
    /// Providers of prices.
    pub prices: Vec<ProviderSettings>,
    /// Providers of the network's state.
    pub networks: Vec<ProviderSettings>,
    /// Values set by hand, above all providers.
    pub manual: Manual,
    /// Who signs providers' certificates, PEM, instead of the bundled ones.
    pub authorities: Option<PathBuf>,
}

impl Default for MarketSettings {
    fn default() -> Self {
        let at = |provider, url: &str| ProviderSettings { provider, url: url.to_owned() };
        Self {
            price_cache_seconds: 3,
            network_cache_seconds: 300,
            timeout_milliseconds: 1000,
            prices: vec![
                at(Provider::Coinbase, "https://api.exchange.coinbase.com"),
                at(Provider::Kraken, "https://api.kraken.com"),
                at(Provider::Bitstamp, "https://www.bitstamp.net"),
            ],
            networks: vec![
                at(Provider::Mempool, "https://mempool.space"),
                at(Provider::Esplora, "https://blockstream.info"),
            ],
            manual: Manual::default(),
            authorities: None,
        }
    }
}

/// Values set by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Manual {
    /// USD/BTC.
    pub price_usd: Option<Exact>,
    /// The network.
    pub network: Option<ManualNetwork>,
}

/// The network's state, set by hand.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManualNetwork {
    /// Difficulty.
    pub difficulty: Exact,
    /// Height of the newest block.
    pub height: u64,
    /// Fees of a block, BTC.
    pub fees_btc: Exact,
}

/// Where records go.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordSettings {
    /// The folder.
    pub directory: PathBuf,
    /// Bytes of a file until the next is begun.
    #[serde(default = "RecordSettings::file_bytes")]
    pub file_bytes: u64,
    /// Files that are kept; the oldest goes.
    #[serde(default = "RecordSettings::files")]
    pub files: u32,
}

impl RecordSettings {
    const fn file_bytes() -> u64 {
        64 * 1024 * 1024
    }
    const fn files() -> u32 {
        16
    }
}

/// How the service ends.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DrainSettings {
    /// Seconds between being not ready and taking no more connections.
    pub delay_seconds: u64,
    /// Seconds that what is under way then has.
    pub seconds: u64,
}

impl Default for DrainSettings {
    fn default() -> Self {
        Self { delay_seconds: 3, seconds: 30 }
    }
}

/// Logs and traces.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LogSettings {
    /// One JSON object a line, or text for people.
    pub json: bool,
    /// Which lines, as `level` or `target=level,…`.
    pub filter: String,
    /// A collector of traces, OTLP over HTTP.
    pub otlp_endpoint: Option<String>,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { json: true, filter: "info".to_owned(), otlp_endpoint: None }
    }
}

impl Settings {
    /// What is logged and traced.
    pub fn telemetry(&self) -> Telemetry<'_> {
        Telemetry {
            service: "calculation-core",
            instance: &self.instance,
            format: if self.logs.json { LogFormat::Json } else { LogFormat::Text },
            filter: &self.logs.filter,
            filter_setting: "logs.filter",
            otlp_endpoint: self.logs.otlp_endpoint.as_deref(),
            traced: "calculation_core",
        }
    }
}
