//! A fleet over price and network.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use hashinsight_mining::fleet::{Network, Plan, Rest, steps};
use hashinsight_mining::picture;
use hashinsight_mining::record::{Answer, Request};
use hashinsight_mining::{Exact, Field};
use serde::Deserialize;
use utoipa::ToSchema;

use super::amount::{Amount, at_most, given, of};
use super::answer::{Answered, compute};
use super::code::Code;
use super::course::{CourseBody, affordable};
use super::extract::{Document, accepted};
use super::input::{MACHINES_MAX, Machine, MarketBody, SiteBody, fleet, micro};
use super::picture::{FORMS, SVG, svg};
use super::problem::{Problem, language};
use crate::access::Caller;
use crate::core::Core;

/// Different machines times stretches of time that are computed in one request.
const WORK_MAX: u64 = 20_000_000;

/// Steps along an axis.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceAxis {
    /// The first, USD/BTC.
    #[schema(schema_with = of::price_usd)]
    pub first: Amount,
    /// The last.
    #[schema(schema_with = of::price_usd)]
    pub last: Amount,
    /// How many.
    #[schema(minimum = 1, maximum = 101)]
    pub count: u32,
}

/// Steps along the axis that is not the price.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkAxis {
    /// The first.
    #[schema(schema_with = of::difficulty)]
    pub first: Amount,
    /// The last.
    #[schema(schema_with = of::difficulty)]
    pub last: Amount,
    /// How many.
    #[schema(minimum = 1, maximum = 101)]
    pub count: u32,
    /// What they are; network hashrate in EH/s when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub unit: Option<NetworkUnit>,
}

/// What the axis that is not the price counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkUnit {
    /// Network hashrate, EH/s.
    Exahash,
    /// Difficulty.
    Difficulty,
}

/// What is stated of the market.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeatmapMarket {
    /// Mean fees of a block, BTC.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::fees_btc)]
    pub fees_btc: Option<Amount>,
    /// Height of the next block.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 0, maximum = 100_000_000)]
    pub height: Option<u64>,
}

/// What is asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeatmapBody {
    /// The machines.
    #[serde(deserialize_with = "at_most::<_, _, MACHINES_MAX>")]
    #[schema(min_items = 1, max_items = 100_000)]
    pub machines: Vec<Machine>,
    /// How they run.
    pub site: SiteBody,
    /// Other costs of all of them, USD a day; 0 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::other_usd_per_day)]
    pub other_usd_per_day: Option<Amount>,
    /// What is stated of the market; price and difficulty are the axes.
    #[serde(default)]
    pub market: HeatmapMarket,
    /// From when to when, and how things grow.
    #[serde(default)]
    pub course: CourseBody,
    /// Prices on the first day.
    pub prices: PriceAxis,
    /// The other axis on the first day.
    pub network: NetworkAxis,
    /// Whether machines rest when they lose money; true when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub rests: Option<bool>,
}

fn axis(name: &str, field: Field, first: &Amount, last: &Amount, count: u32) -> Result<Vec<Exact>, Problem> {
    let end = |amount: &Amount, end: &str| {
        amount.read(field).map_err(|refusal| Problem::from(refusal).at(format!("{name}.{end}")))
    };
    let (first, last) = (end(first, "first")?, end(last, "last")?);
    Field::Steps
        .check(&Exact::whole(count.into()))
        .map_err(|refusal| Problem::from(refusal).at(format!("{name}.count")))?;
    if last < first {
        let problem = Problem::new(Code::InputRefused, "The last is below the first.", "末值小于首值。");
        return Err(problem.at(format!("{name}.last")));
    }
    Ok(steps(&first, &last, count))
}

/// What a fleet earns over price and network
///
/// With `Accept: image/svg+xml` as a picture.
#[utoipa::path(post, path = "/v1/heatmap", request_body = HeatmapBody, tag = "fleets",
    responses((status = 200, description = "cells (a row for each price), zero_prices, zero_price_per_difficulty, days",
        content((Answered = "application/json"), (String = "image/svg+xml")))))]
pub async fn heatmap(
    State(core): State<Arc<Core>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Document(body): Document<HeatmapBody>,
) -> Result<Response, Problem> {
    let form = accepted(&headers, &FORMS)?;
    let course = body.course.course(&core.clock)?;
    let site = body.site.site(body.other_usd_per_day.as_ref())?;
    let prices = axis("prices", Field::PriceUsd, &body.prices.first, &body.prices.last, body.prices.count)?;
    let across = &body.network;
    let of = |field| axis("network", field, &across.first, &across.last, across.count);
    let network = match across.unit.unwrap_or(NetworkUnit::Exahash) {
        NetworkUnit::Exahash => Network::Exahash(of(Field::Exahash)?),
        NetworkUnit::Difficulty => Network::Difficulty(of(Field::Difficulty)?),
    };
    let (machines, most, account) = (body.machines, core.settings.max_batch_miners, caller.clone());
    // The axes stand for price and difficulty; what else is needed may come from
    // the feeds.
    let axes = MarketBody {
        price_usd: Some(body.prices.last.clone()),
        difficulty: Some(Amount::one()),
        subsidy_btc: None,
        fees_btc: body.market.fees_btc.clone(),
        height: body.market.height,
    };
    let filled = axes.fill(&core.markets, core.clock.now(), true).await?.without_axes();
    let (height, stretches) = (filled.height()?, course.stretches());
    let tongue = language(&headers);
    core.compute
        .run(&caller, move |threads| {
            let fleet = fleet(&machines, &account, most)?;
            affordable(fleet.kinds().len(), stretches, WORK_MAX, HINT)?;
            let plan = Plan {
                fleet,
                site,
                prices: prices.iter().map(micro).collect(),
                network,
                fees_btc: filled.market.fees_btc.clone(),
                start: course.start,
                height,
                horizon: course.horizon,
                price_growth: course.price_growth,
                difficulty_growth: course.difficulty_growth,
                convention: course.convention,
                rest: if body.rests.unwrap_or(true) { Rest::Unprofitable } else { Rest::Never },
            };
            let request = Request::Heatmap(plan);
            let answer = compute(&request, threads)?;
            let (Request::Heatmap(plan), Answer::Heatmap(map)) = (&request, &answer) else {
                return Err(Problem::internal(&"an answer of another kind"));
            };
            if form == SVG {
                return Ok(svg(picture::heatmap(plan, map, tongue)));
            }
            Ok(Answered::new(&filled, &answer, map.sentence(plan), Vec::new())?.into_response())
        })
        .await
}

const HINT: (&str, &str) = (
    "use fewer different machines, a shorter course, or the convention month-start",
    "请减少矿机种类、缩短期限，或使用 month-start 约定",
);
