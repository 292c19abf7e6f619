//! One machine on one day.

use std::sync::Arc;

use axum::extract::State;
use hashinsight_mining::record::{Answer, Request, record};
use serde::Deserialize;
use utoipa::ToSchema;

use super::amount::given;
use super::answer::{Answered, compute, keep};
use super::code::Code;
use super::extract::Document;
use super::input::{Machine, MarketBody, SiteBody};
use super::problem::Problem;
use crate::core::Core;

/// What is asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EstimateBody {
    /// The machine; one, so no count.
    pub machine: Machine,
    /// How it runs.
    pub site: SiteBody,
    /// What is stated of the market.
    #[serde(default)]
    pub market: MarketBody,
    /// Whether to keep a record.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub record: Option<bool>,
}

/// What one machine earns and costs a day
#[utoipa::path(post, path = "/v1/estimate", request_body = EstimateBody, tag = "estimates",
    responses((status = 200, description = "The day's figures: sat_per_day, revenue_usd_per_day, power_usd_per_day, \
        profit_usd_per_day, breakeven_usd_per_mwh, breakeven_btc_usd, btc_per_day, kwh_per_day, breakeven_difficulty", body = Answered)))]
pub async fn estimate(
    State(core): State<Arc<Core>>,
    Document(body): Document<EstimateBody>,
) -> Result<Answered, Problem> {
    if body.machine.count.is_some_and(|count| count != 1) {
        let problem = Problem::new(
            Code::InputRefused,
            "One machine is estimated here: leave count out, or use /v1/batches.",
            "此处只估算一台矿机：请去掉 count，或使用 /v1/batches。",
        );
        return Err(problem.at("machine.count").limit(1));
    }
    let numbers = body.machine.numbers().map_err(|problem| problem.below("machine"))?;
    let site = body.site.site(None)?;
    let filled = body.market.fill(&core.markets, core.clock.now(), false).await?;
    let case = numbers.case(site, &filled.market);
    let request = Request::Estimate(case.clone());
    let answer = compute(&request, 1)?;
    let Answer::Estimate(day) = &answer else { return Err(Problem::internal(&"an answer of another kind")) };
    let warnings = numbers.reason.into_iter().chain(case.odd_efficiency()).collect();
    let mut answered = Answered::new(&filled, &answer, day.sentence(&case), warnings)?;
    if body.record == Some(true) {
        answered.record = keep(&core, record(&request, &answer, &filled.source())).await;
    }
    Ok(answered)
}
