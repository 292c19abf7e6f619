//! A running service, its stand-in, and a client.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use calculation_core::clock::Clock;
use calculation_core::run::{Addresses, Origin, run};
use calculation_core::settings::Settings;
use market_stand_in::StandIn;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_issuer::{AUDIENCE, Issuer, NAME};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub struct Service {
    pub api: SocketAddr,
    pub probes: SocketAddr,
    pub stand_in: StandIn,
    pub issuer: Issuer,
    pub folder: TempDir,
    pub client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    pub work: JoinHandle<Result<(), calculation_core::run::Error>>,
    _market: oneshot::Sender<()>,
}

pub async fn start() -> Service {
    start_with(&json!({})).await
}

/// A service with these settings over the usual ones.
pub async fn start_with(settings: &Value) -> Service {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::new(NAME, "first").unwrap();
    std::fs::write(folder.path().join("jwks.json"), issuer.keys().to_string()).unwrap();
    let stand_in = StandIn::default();
    let (stop_market, market_stops) = oneshot::channel::<()>();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (market, serving) =
        market_stand_in::serve(stand_in.clone(), any, async move { drop(market_stops.await) }).await.unwrap();
    tokio::spawn(serving);
    let file = folder.path().join("core.yaml");
    std::fs::write(&file, merged(usual(folder.path(), market), settings).to_string()).unwrap();
    let origin = Origin { file: Some(file.clone()), environment: Vec::new() };
    let settings = Settings::read(Some(&file), []).unwrap();
    let (found, finds) = oneshot::channel();
    let (stop, stops) = oneshot::channel::<()>();
    let work = tokio::spawn(async move {
        let found = |addresses: Addresses| found.send(addresses).unwrap();
        Box::pin(run(settings, origin, Clock::system(), found, async move { drop(stops.await) })).await
    });
    let addresses = tokio::time::timeout(Duration::from_secs(60), finds).await.unwrap().unwrap();
    Service {
        api: addresses.api,
        probes: addresses.probes,
        stand_in,
        issuer,
        folder,
        client: reqwest::Client::builder().no_proxy().build().unwrap(),
        stop: Some(stop),
        work,
        _market: stop_market,
    }
}

fn usual(folder: &Path, market: SocketAddr) -> Value {
    let at = |provider: &str| json!({"provider": provider, "url": format!("http://{market}/{provider}")});
    json!({
        "listen": "127.0.0.1:0", "probes": "127.0.0.1:0", "instance": "test",
        "auth": {"issuers": [{"issuer": NAME, "audience": AUDIENCE, "jwksFile": folder.join("jwks.json")}]},
        "limits": {"default": {"requestsPerMinute": 60000, "miners": 20000, "concurrent": 8}},
        "marketData": {"priceCacheSeconds": 1, "timeoutMilliseconds": 300,
            "prices": [at("coinbase"), at("kraken"), at("bitstamp")], "networks": [at("mempool"), at("esplora")]},
        "records": {"directory": folder.join("records")},
        "drain": {"delaySeconds": 0, "seconds": 5},
    })
}

fn merged(mut base: Value, over: &Value) -> Value {
    match (&mut base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                let below = base.remove(name).unwrap_or_default();
                base.insert(name.clone(), merged(below, value));
            }
        }
        (base, over) => *base = over.clone(),
    }
    base
}

impl Service {
    pub fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.ask_as(method, path, &json!({}))
    }

    pub fn ask_as(&self, method: Method, path: &str, claims: &Value) -> RequestBuilder {
        let token = self.issuer.token(claims);
        self.client
            .request(method, format!("http://{}{path}", self.api))
            .header("authorization", format!("Bearer {token}"))
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.ask(Method::POST, path).header("content-type", "application/json").body(body.to_string());
        answer(request.send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.ask(Method::GET, path).send().await.unwrap()).await
    }

    pub async fn metrics(&self) -> String {
        let response = self.client.get(format!("http://{}/metrics", self.probes)).send().await.unwrap();
        response.text().await.unwrap()
    }

    /// The value of the series that begins so.
    pub async fn metric(&self, series: &str) -> f64 {
        let text = self.metrics().await;
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
    }

    pub async fn ready(&self) -> (u16, String) {
        let response = self.client.get(format!("http://{}/readyz", self.probes)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Asks it to end.
    pub fn stop(&mut self) {
        drop(self.stop.take());
    }
}

pub async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// An estimate that states everything.
pub fn estimate() -> Value {
    json!({"machine": {"terahash_per_second": "200", "watts": "3500"},
        "site": {"usd_per_kwh": "0.06", "pool_fee": "0.01"},
        "market": {"price_usd": "92817", "difficulty": "109000000000000", "subsidy_btc": "3.125", "fees_btc": "0.03"}})
}

/// Tries until it holds, for at most ten seconds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never: {what}");
}
