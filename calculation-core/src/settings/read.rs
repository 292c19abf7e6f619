//! Settings out of a file and the environment, checked.

use std::path::{Path, PathBuf};

use hashinsight_mining::{Exact, Field};
use serde_json::{Map, Value};

use super::{LimitFile, Limits, MarketSettings, Provider, Settings};

/// What an environment variable that sets something begins with; below it, two
/// underscores go one level down.
pub const PREFIX: &str = "CALCULATION_CORE__";

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
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if !(1..=253).contains(&self.instance.len()) || !self.instance.bytes().all(is_name) {
            let why = "letters, digits, - . and _ alone: it is part of files' names".to_owned();
            return Err(Error::Wrong { field: "instance".to_owned(), why });
        }
        for issuer in &self.auth.issuers {
            if issuer.jwks_file.is_some() == issuer.jwks_url.is_some() {
                let why = "name its keys once: jwksFile or jwksUrl".to_owned();
                return Err(Error::Wrong { field: format!("auth.issuers[{}]", issuer.issuer), why });
            }
        }
        let mut addresses = self.auth.issuers.iter().filter_map(|issuer| issuer.jwks_url.as_ref());
        if let Some(wrong) = addresses.find(|address| !address.starts_with("http")) {
            let why = format!("{wrong:?} is no address; https://… is");
            return Err(Error::Wrong { field: "auth.issuers.jwksUrl".to_owned(), why });
        }
        market.check()
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
        for (field, all) in [("prices", &self.prices), ("networks", &self.networks)] {
            let names: Vec<String> = all.iter().map(|at| format!("{:?}", at.provider)).collect();
            if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
                return Err(wrong(field, format!("{} stands there twice, and is one witness", twice.1)));
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
            let height = Exact::whole(network.height.into());
            Field::Height.check(&height).map_err(|refusal| refused("manual.network", refusal))?;
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
            (
                "marketData: {prices: [{provider: kraken, url: 'http://a'}, {provider: kraken, url: 'http://b'}]}",
                "stands there twice",
            ),
            ("instance: a/b", "part of files' names"),
            ("auth: {issuers: [{issuer: i, audience: a, jwksUrl: nonsense}]}", "is no address"),
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
