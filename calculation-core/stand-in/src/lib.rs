//! Stands in for public market data in tests and demos. It speaks the shapes
//! that the providers document, with invented figures, and fails on request in
//! every way they might. It is a mock and nothing else: no public provider can
//! be reached from where the tests run.

#![allow(clippy::disallowed_methods, reason = "a stand-in answers with the time it is")]

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Who is stood in for; each has a folder of its own.
pub const PROVIDERS: [&str; 5] = ["coinbase", "kraken", "bitstamp", "mempool", "esplora"];
/// How long a silent provider says nothing.
const SILENCE: Duration = Duration::from_secs(60);
/// Difficulty that [`Figures::bits`] stands for by default, as providers round
/// it.
const DIFFICULTY: f64 = 126_411_437_451_912.23;

/// The invented market.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Price, USD.
    pub price: f64,
    /// The tip's compact target.
    pub bits: u32,
    /// The tip's height.
    pub height: u64,
    /// Fees of a block, satoshi.
    pub fees: u64,
}

impl Default for Figures {
    fn default() -> Self {
        Self { price: 92_817.0, bits: 0x1702_3a04, height: 925_000, fees: 3_000_000 }
    }
}

/// A way to fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// None.
    #[default]
    Fine,
    /// Accepts and never answers.
    Silent,
    /// Answers with 503.
    Down,
    /// Answers with 429.
    Throttled,
    /// Answers with something else than its shape.
    Garbage,
    /// Answers without an end.
    Endless,
    /// Says its number is none.
    NotANumber,
    /// Says a number below zero.
    Negative,
    /// Half as much again as everybody else.
    Jump,
    /// Its clock is an hour ahead.
    Ahead,
    /// Its clock is a day behind.
    Behind,
}

impl Fault {
    /// By its name in the address.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "fine" => Self::Fine,
            "silent" => Self::Silent,
            "down" => Self::Down,
            "throttled" => Self::Throttled,
            "garbage" => Self::Garbage,
            "endless" => Self::Endless,
            "not-a-number" => Self::NotANumber,
            "negative" => Self::Negative,
            "jump" => Self::Jump,
            "ahead" => Self::Ahead,
            "behind" => Self::Behind,
            _ => return None,
        })
    }
}

#[derive(Default)]
struct Inner {
    figures: Figures,
    faults: BTreeMap<String, Fault>,
    calls: BTreeMap<String, u64>,
}

/// All providers at once.
#[derive(Clone, Default)]
pub struct StandIn(Arc<Mutex<Inner>>);

impl StandIn {
    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the market.
    pub fn set(&self, figures: Figures) {
        self.with(|inner| inner.figures = figures);
    }

    /// Makes a provider fail, or stop failing.
    pub fn fail(&self, provider: &str, fault: Fault) {
        self.with(|inner| inner.faults.insert(provider.to_owned(), fault));
    }

    /// Makes every provider fail, or stop failing.
    pub fn fail_all(&self, fault: Fault) {
        for provider in PROVIDERS {
            self.fail(provider, fault);
        }
    }

    /// How often a provider was asked.
    pub fn calls(&self, provider: &str) -> u64 {
        self.with(|inner| inner.calls.get(provider).copied().unwrap_or_default())
    }

    /// The providers' routes, each below its own folder.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(|| async { "A stand-in for public market data: its figures are invented.\n" }))
            .route("/faults/{provider}/{fault}", post(order))
            .route("/coinbase/products/BTC-USD/ticker", get(|State(s): State<Self>| s.answer("coinbase", coinbase)))
            .route("/kraken/0/public/Ticker", get(|State(s): State<Self>| s.answer("kraken", kraken)))
            .route("/bitstamp/api/v2/ticker/btcusd/", get(|State(s): State<Self>| s.answer("bitstamp", bitstamp)))
            .route("/mempool/api/v1/blocks", get(|State(s): State<Self>| s.answer("mempool", blocks)))
            .route("/mempool/api/v1/mining/reward-stats/144", get(|State(s): State<Self>| s.answer("mempool", rewards)))
            .route("/esplora/api/blocks", get(|State(s): State<Self>| s.answer("esplora", blocks)))
            .with_state(self.clone())
    }

    async fn answer(self, provider: &'static str, shape: fn(&Told) -> Value) -> Response {
        let (figures, fault) = self.with(|inner| {
            *inner.calls.entry(provider.to_owned()).or_default() += 1;
            (inner.figures.clone(), inner.faults.get(provider).copied().unwrap_or_default())
        });
        match fault {
            Fault::Silent => {
                tokio::time::sleep(SILENCE).await;
                StatusCode::GATEWAY_TIMEOUT.into_response()
            }
            Fault::Down => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Fault::Throttled => StatusCode::TOO_MANY_REQUESTS.into_response(),
            Fault::Garbage => "<html>maintenance</html>".into_response(),
            Fault::Endless => vec![b' '; 16 * 1024 * 1024].into_response(),
            _ => Json(shape(&Told::of(&figures, fault))).into_response(),
        }
    }
}

async fn order(State(stand_in): State<StandIn>, Path((provider, fault)): Path<(String, String)>) -> StatusCode {
    match Fault::named(&fault).filter(|_| PROVIDERS.contains(&provider.as_str())) {
        Some(fault) => {
            stand_in.fail(&provider, fault);
            StatusCode::NO_CONTENT
        }
        None => StatusCode::NOT_FOUND,
    }
}

/// What a provider is about to say, with its fault in it.
struct Told {
    price: Value,
    difficulty: Value,
    bits: u32,
    height: u64,
    fees: u64,
    at: Timestamp,
}

impl Told {
    fn of(figures: &Figures, fault: Fault) -> Self {
        let at = Timestamp::now();
        let moved = |by: i64| at.checked_add(SignedDuration::from_secs(by)).unwrap_or(at);
        let times = |value: f64| json!(value * 1.5);
        let mut told = Self {
            price: json!(format!("{:.2}", figures.price)),
            difficulty: json!(DIFFICULTY),
            bits: figures.bits,
            height: figures.height,
            fees: figures.fees,
            at,
        };
        match fault {
            Fault::NotANumber => (told.price, told.difficulty, told.bits) = (json!("NaN"), json!("NaN"), 0),
            Fault::Negative => (told.price, told.difficulty, told.bits) = (json!("-1.00"), json!(-1), 0x1782_3a04),
            Fault::Jump => {
                told.price = json!(format!("{:.2}", figures.price * 1.5));
                (told.difficulty, told.bits) = (times(DIFFICULTY), 0x1701_7c02);
            }
            Fault::Ahead => told.at = moved(3 * 3600),
            Fault::Behind => told.at = moved(-24 * 3600),
            _ => {}
        }
        told
    }
}

/// As `GET /products/BTC-USD/ticker` of Coinbase Exchange.
fn coinbase(told: &Told) -> Value {
    json!({"ask": told.price, "bid": told.price, "volume": "5360.20394015", "trade_id": 86_326_522, "price": told.price,
        "size": "0.00698254", "time": told.at.to_string(), "rfq_volume": "123.122"})
}

/// As `GET /0/public/Ticker?pair=XBTUSD` of Kraken, which names no time.
fn kraken(told: &Told) -> Value {
    json!({"error": [], "result": {"XXBTZUSD": {"a": [told.price, "1", "1.000"], "b": [told.price, "1", "1.000"],
        "c": [told.price, "0.00067643"], "v": ["4083.67", "4412.73"], "p": ["92706.77", "92689.13"],
        "t": [34_619, 38_907], "l": ["92000.00", "91000.00"], "h": ["93631.00", "93631.00"], "o": "92502.80"}}})
}

/// As `GET /api/v2/ticker/btcusd/` of Bitstamp.
fn bitstamp(told: &Told) -> Value {
    json!({"timestamp": told.at.as_second().to_string(), "open": "92211.00", "high": "93811.00", "low": "91188.97",
        "last": told.price, "volume": "2132.26801100", "vwap": "92189.80", "bid": told.price, "ask": told.price,
        "side": "0", "open_24": "92211.00", "percent_change_24": "1.57"})
}

/// As `GET /api/v1/blocks` of mempool.space and `GET /api/blocks` of Esplora:
/// the newest blocks first.
fn blocks(told: &Told) -> Value {
    let block = |back: u64| {
        json!({"id": format!("{:064x}", told.height - back), "height": told.height - back, "version": 0x2000_0000,
            "timestamp": told.at.as_second() - i64::try_from(back * 600).unwrap_or_default(), "tx_count": 3000,
            "size": 1_600_000, "weight": 3_993_000, "merkle_root": "00", "previousblockhash": "00",
            "mediantime": told.at.as_second() - 3600, "nonce": 1, "bits": told.bits, "difficulty": told.difficulty})
    };
    (0..10).map(block).collect()
}

/// As `GET /api/v1/mining/reward-stats/144` of mempool.space.
fn rewards(told: &Told) -> Value {
    let reward = 144 * (312_500_000 + told.fees);
    json!({"startBlock": told.height - 143, "endBlock": told.height, "totalReward": reward.to_string(),
        "totalFee": (144 * told.fees).to_string(), "totalTx": "500000"})
}

/// Serves until `stop` resolves. Returns the address, and the work.
pub async fn serve(
    stand_in: StandIn,
    address: SocketAddr,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<(SocketAddr, impl Future<Output = std::io::Result<()>>)> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let server = axum::serve(listener, stand_in.router()).with_graceful_shutdown(stop);
    Ok((address, async move { server.await }))
}
