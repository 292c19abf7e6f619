//! Market data as it stands.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use hashinsight_mining::Exact;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::json;
use super::input::Label;
use crate::core::Core;
use crate::market::{Network, Reading, Unusable};

/// Whose word is not used.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rejected {
    /// Who.
    pub source: &'static str,
    /// A stable code.
    pub code: &'static str,
    /// Why.
    pub why: String,
}

/// The price.
#[derive(Debug, Serialize, ToSchema)]
pub struct PriceNow {
    /// USD/BTC; none when nobody says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub price_usd: Option<String>,
    /// What it rests on.
    pub label: Label,
    /// Whose word is not used.
    pub rejected: Vec<Rejected>,
}

/// The network.
#[derive(Debug, Serialize, ToSchema)]
pub struct NetworkNow {
    /// Difficulty; none when nobody says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub difficulty: Option<String>,
    /// Height of the newest block.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub height: Option<u64>,
    /// Mean fees of a block over the last 144, BTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub fees_btc: Option<String>,
    /// What they rest on.
    pub label: Label,
    /// Whose word is not used.
    pub rejected: Vec<Rejected>,
}

/// Market data.
#[derive(Debug, Serialize, ToSchema)]
pub struct MarketNow {
    /// The price.
    pub price: PriceNow,
    /// The network.
    pub network: NetworkNow,
}

fn rejected<V>(reading: &Reading<V>) -> Vec<Rejected> {
    let one = |(source, why): &(&'static str, Unusable)| Rejected { source, code: why.code(), why: why.to_string() };
    reading.rejected.iter().map(one).collect()
}

/// Price and network as they stand
#[utoipa::path(get, path = "/v1/market", tag = "market",
    responses((status = 200, description = "With what they rest on", body = MarketNow)))]
pub async fn market(State(core): State<Arc<Core>>) -> Response {
    let (price, network) = tokio::join!(core.markets.price.read(), core.markets.network.read());
    let now = core.clock.now();
    let known: Option<&Network> = network.value.as_ref();
    json(&MarketNow {
        price: PriceNow {
            price_usd: price.value.as_ref().map(Exact::canonical),
            label: Label::of(&price, now),
            rejected: rejected(&price),
        },
        network: NetworkNow {
            difficulty: known.map(|network| network.difficulty.canonical()),
            height: known.map(|network| network.height),
            fees_btc: known.and_then(|network| network.fees.as_ref().map(|fees| fees.btc.canonical())),
            label: Label::of(&network, now),
            rejected: rejected(&network),
        },
    })
}
