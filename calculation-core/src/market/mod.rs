//! What a bitcoin costs and how hard it is to mine: asked of several public
//! providers, judged, kept for a short while, and always labelled with what it
//! rests on.
//!
//! A source reads; [`judge`] decides, without a clock or a network; a [`Feed`]
//! keeps. What cannot be had anew is the last good value, labelled stale with
//! its age; what never was had is nothing, which is an outcome of its own.

mod ask;
pub mod feed;
pub mod judge;
mod providers;
pub mod source;

use std::sync::Arc;
use std::time::Duration;

use hashinsight_mining::Exact;
use jiff::Timestamp;
use serde::Serialize;
use tokio_util::task::TaskTracker;
use utoipa::ToSchema;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::settings::{Manual, MarketSettings};

use ask::Ask;
pub use feed::{Feed, Reading};
pub use providers::{networks, prices};
pub use source::{Quote, Source, Unusable};

/// How hard mining is, and what a block pays besides its subsidy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Of the newest block.
    pub difficulty: Exact,
    /// Height of the newest block.
    pub height: u64,
    /// Mean fees of a block over the last 144; none when no provider says.
    pub fees: Option<Fees>,
}

/// Mean fees of a block. One provider is enough for them, so they carry their
/// own witness and age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fees {
    /// BTC.
    pub btc: Exact,
    /// Who says so.
    pub from: &'static str,
    /// When it was heard.
    pub heard: Timestamp,
}

/// Where a value stands in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Heard just now, or within the time it may be kept.
    Fresh,
    /// The last good one: nothing newer can be had.
    Stale,
    /// Set by whoever runs the service.
    Manual,
    /// Stated in the request.
    Given,
    /// There is none.
    None,
}

/// How much a value may be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// At least two providers said the same, just now.
    Verified,
    /// Everything else.
    Estimated,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Fresh, Self::Stale, Self::Manual, Self::Given, Self::None];

    /// Its name in labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Manual => "manual",
            Self::Given => "given",
            Self::None => "none",
        }
    }
}

/// Both feeds.
pub struct Markets {
    /// USD/BTC.
    pub price: Arc<Feed<Exact>>,
    /// The network.
    pub network: Arc<Feed<Network>>,
}

impl Markets {
    /// Of the providers that are set. Nothing is asked yet.
    pub fn new(
        settings: &MarketSettings,
        client: &reqwest::Client,
        clock: &Clock,
        metrics: &Metrics,
        tasks: &TaskTracker,
    ) -> Self {
        let timeout = Duration::from_millis(settings.timeout_milliseconds);
        let price_asks = settings.prices.iter().filter_map(|at| {
            let source = prices(at.provider)?;
            Some(Ask::new(source, &at.url, client, timeout, clock, metrics))
        });
        let network_asks = settings.networks.iter().filter_map(|at| {
            let source = networks(at.provider)?;
            Some(Ask::new(source, &at.url, client, timeout, clock, metrics))
        });
        let feed = feed::Parts { clock: clock.clone(), metrics: metrics.clone(), tasks: tasks.clone() };
        let seconds = Duration::from_secs;
        let price =
            Feed::new("price", seconds(settings.price_cache_seconds), judge::price, price_asks.collect(), &feed);
        let network = Feed::new(
            "network",
            seconds(settings.network_cache_seconds),
            judge::network,
            network_asks.collect(),
            &feed,
        );
        let markets = Self { price, network };
        markets.set_manual(&settings.manual);
        markets
    }

    /// Sets or lifts the manual values. Returns whether that changed anything.
    pub fn set_manual(&self, manual: &Manual) -> bool {
        // A manual value has no age; this one is never shown.
        let heard = Timestamp::UNIX_EPOCH;
        let price = self.price.set_manual(manual.price_usd.clone());
        let network = self.network.set_manual(manual.network.as_ref().map(|network| Network {
            difficulty: network.difficulty.clone(),
            height: network.height,
            fees: Some(Fees { btc: network.fees_btc.clone(), from: "manual", heard }),
        }));
        price || network
    }

    /// Shows how old the last good values are.
    pub fn show_ages(&self, metrics: &Metrics, now: Timestamp) {
        metrics.age("price", self.price.age(now));
        metrics.age("network", self.network.age(now));
    }
}
