//! What can be set: a file, and the environment over it. Everything is checked
//! before anything is begun.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hashinsight_mining::{Exact, Field};
use hashinsight_telemetry::{LogFormat, Telemetry};
use serde::Deserialize;
use serde_json::{Map, Value};

/// What an environment variable that sets something begins with; below it, two
/// underscores go one level down.
pub const PREFIX: &str = "CALCULATION_CORE__";

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

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no YAML.
    #[error("{} is not readable as YAML: {why}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A setting has the wrong shape.
    #[error("{field}: {why}")]
    Shape {
        /// Its path.
        field: String,
        /// Why.
        why: String,
    },
    /// A setting is beyond its limits.
    #[error("{field}: {found} is not between {least} and {most}")]
    Range {
        /// Its path.
        field: &'static str,
        /// What it is.
        found: u64,
        /// The least it may be.
        least: u64,
        /// The most it may be.
        most: u64,
    },
    /// A setting makes no sense.
    #[error("{field}: {why}")]
    Wrong {
        /// Its path.
        field: String,
        /// Why, and what to do.
        why: String,
    },
}

impl Settings {
    /// From the file, if one is named, and from `environment` over it.
    pub fn read(file: Option<&Path>, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let mut tree = match file {
            Some(path) => parse(path, &text(path)?)?,
            None => Value::Object(Map::new()),
        };
        for (name, value) in environment {
            if let Some(path) = name.strip_prefix(PREFIX) {
                set(&mut tree, path, &value)?;
            }
        }
        let settings: Self = shaped(tree)?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), Error> {
        let (requests, market) = (&self.requests, &self.market_data);
        let wide = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let ranges = [
            ("maxBatchMiners", u64::from(self.max_batch_miners), 1, 1_000_000),
            ("threads", wide(self.threads), 0, 256),
            ("requests.bodyBytes", wide(requests.body_bytes), 1024, 1024 * 1024 * 1024),
            ("requests.bodySeconds", requests.body_seconds, 1, 600),
            ("requests.answerSeconds", requests.answer_seconds, 1, 600),
            ("requests.writeSeconds", requests.write_seconds, 1, 600),
            ("requests.concurrent", wide(requests.concurrent), 1, 100_000),
            ("requests.connections", wide(requests.connections), 1, 1_000_000),
            ("requests.keptBytes", requests.kept_bytes, 0, 1 << 40),
            ("requests.keptSeconds", requests.kept_seconds, 1, 86_400),
            ("marketData.priceCacheSeconds", market.price_cache_seconds, 1, 5),
            ("marketData.networkCacheSeconds", market.network_cache_seconds, 300, 600),
            ("marketData.timeoutMilliseconds", market.timeout_milliseconds, 50, 10_000),
            ("drain.delaySeconds", self.drain.delay_seconds, 0, 300),
            ("drain.seconds", self.drain.seconds, 1, 600),
            ("records.fileBytes", self.records.as_ref().map_or(1 << 20, |r| r.file_bytes), 4096, 1 << 40),
            ("records.files", self.records.as_ref().map_or(2, |r| u64::from(r.files)), 1, 100_000),
        ];
        for (field, found, least, most) in ranges {
            if !(least..=most).contains(&found) {
                return Err(Error::Range { field, found, least, most });
            }
        }
        self.limits.default.check("limits.default")?;
        for issuer in &self.auth.issuers {
            if issuer.jwks_file.is_some() == issuer.jwks_url.is_some() {
                let why = "name its keys once: jwksFile or jwksUrl".to_owned();
                return Err(Error::Wrong { field: format!("auth.issuers[{}]", issuer.issuer), why });
            }
        }
        market.check()
    }

    /// What is logged and traced.
    pub fn telemetry(&self) -> Telemetry<'_> {
        Telemetry {
            service: "calculation-core",
            instance: &self.instance,
            format: if self.logs.json { LogFormat::Json } else { LogFormat::Text },
            filter: &self.logs.filter,
            otlp_endpoint: self.logs.otlp_endpoint.as_deref(),
            traced: "calculation_core",
        }
    }
}

impl Limits {
    fn check(&self, at: &str) -> Result<(), Error> {
        let zero =
            [("requestsPerMinute", self.requests_per_minute), ("miners", self.miners), ("concurrent", self.concurrent)];
        match zero.into_iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => {
                Err(Error::Wrong { field: format!("{at}.{name}"), why: "must be at least 1".to_owned() })
            }
            None => Ok(()),
        }
    }
}

impl LimitFile {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let file: Self = shaped(parse(path, &text(path)?)?)?;
        file.tenants.iter().try_for_each(|(tenant, limits)| limits.check(&format!("tenants.{tenant}")))?;
        Ok(file)
    }
}

impl MarketSettings {
    fn check(&self) -> Result<(), Error> {
        let wrong = |field: &str, why: String| Error::Wrong { field: format!("marketData.{field}"), why };
        for at in &self.prices {
            if !matches!(at.provider, Provider::Coinbase | Provider::Kraken | Provider::Bitstamp) {
                return Err(wrong("prices", format!("{:?} has no prices", at.provider)));
            }
        }
        for at in &self.networks {
            if !matches!(at.provider, Provider::Mempool | Provider::Esplora) {
                return Err(wrong("networks", format!("{:?} says nothing of the network", at.provider)));
            }
        }
        if let Some(at) = self.prices.iter().chain(&self.networks).find(|at| !at.url.starts_with("http")) {
            return Err(wrong("url", format!("{:?} is no address; https://… is", at.url)));
        }
        let refused = |field: &str, refusal: hashinsight_mining::Refusal| wrong(field, refusal.to_string());
        if let Some(price) = &self.manual.price_usd {
            Field::PriceUsd.check(price).map_err(|refusal| refused("manual", refusal))?;
        }
        if let Some(network) = &self.manual.network {
            Field::Difficulty.check(&network.difficulty).map_err(|refusal| refused("manual.network", refusal))?;
            Field::FeesBtc.check(&network.fees_btc).map_err(|refusal| refused("manual.network", refusal))?;
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "settings are read here")]
fn text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

fn parse(path: &Path, text: &str) -> Result<Value, Error> {
    let yaml = |why: String| Error::Yaml { path: path.to_owned(), why };
    // A file of comments alone says nothing, which is allowed.
    let value: Option<Value> = serde_saphyr::from_str(text).map_err(|error| yaml(error.to_string()))?;
    match value {
        None | Some(Value::Null) => Ok(Value::Object(Map::new())),
        Some(Value::Object(map)) => Ok(Value::Object(map)),
        Some(_) => Err(yaml("settings are a map".to_owned())),
    }
}

fn shaped<T: serde::de::DeserializeOwned>(tree: Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(tree)
        .map_err(|error| Error::Shape { field: error.path().to_string(), why: error.inner().to_string() })
}

/// Sets what `REQUESTS__BODY_BYTES` names to a scalar or a JSON value.
fn set(tree: &mut Value, path: &str, value: &str) -> Result<(), Error> {
    let mut at = tree;
    for part in path.split("__") {
        let map = at.as_object_mut().ok_or_else(|| Error::Wrong {
            field: format!("{PREFIX}{path}"),
            why: "goes below something that is no map".to_owned(),
        })?;
        at = map.entry(camel(part)).or_insert_with(|| Value::Object(Map::new()));
    }
    *at = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok(())
}

/// `BODY_BYTES` as `bodyBytes`.
fn camel(name: &str) -> String {
    let lower = name.to_lowercase();
    let mut parts = lower.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| {
        let mut letters = part.chars();
        name + &letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default() + letters.as_str()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        #[allow(clippy::disallowed_methods, reason = "a test's file")]
        std::fs::write(file.path(), text).unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::read(Some(file.path()), environment).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_stands_over_the_file_and_the_file_over_defaults() {
        let settings = read(
            "maxBatchMiners: 7\nrequests: {concurrent: 9}\n",
            &[
                ("CALCULATION_CORE__REQUESTS__BODY_BYTES", "4096"),
                ("CALCULATION_CORE__LISTEN", "127.0.0.1:1"),
                ("CALCULATION_CORE__MARKET_DATA__MANUAL", r#"{"priceUsd": "90000.5"}"#),
                ("OTHER", "x"),
            ],
        )
        .unwrap();
        assert_eq!((settings.max_batch_miners, settings.requests.concurrent), (7, 9));
        assert_eq!((settings.requests.body_bytes, settings.listen.port()), (4096, 1));
        assert_eq!(settings.market_data.manual.price_usd.unwrap().canonical(), "90000.5");
        assert_eq!(settings.market_data.price_cache_seconds, 3);
        assert!(read("# nothing\n", &[]).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, told) in [
            ("requests: {bodyByte: 5}", "requests.bodyByte: unknown field `bodyByte`"),
            ("listen: nowhere", "listen: invalid socket address"),
            ("marketData: {priceCacheSeconds: 6}", "marketData.priceCacheSeconds: 6 is not between 1 and 5"),
            (
                "marketData: {prices: [{provider: esplora, url: 'https://x'}]}",
                "marketData.prices: Esplora has no prices",
            ),
            ("marketData: {manual: {priceUsd: '-1'}}", "marketData.manual: price_usd: -1"),
            ("auth: {issuers: [{issuer: i, audience: a}]}", "auth.issuers[i]: name its keys once"),
            (
                "limits: {default: {requestsPerMinute: 0, miners: 1, concurrent: 1}}",
                "requestsPerMinute: must be at least 1",
            ),
            ("- 1", "settings are a map"),
            ("a: [", "not readable as YAML"),
        ] {
            let error = read(text, &[]).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
        let error = read("", &[("CALCULATION_CORE__REQUEST__BODY_BYTES", "1")]).unwrap_err();
        assert!(error.contains("unknown field `request`"), "{error}");
        assert!(Settings::read(Some(Path::new("/nowhere")), []).unwrap_err().to_string().contains("/nowhere"));
    }
}
