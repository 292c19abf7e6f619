//! One machine over time.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use hashinsight_mining::picture::cash_flow;
use hashinsight_mining::projection::Plan;
use hashinsight_mining::record::{Answer, Request};
use hashinsight_mining::{Exact, Field};
use serde::Deserialize;
use utoipa::ToSchema;

use super::amount::{Amount, given, of};
use super::answer::{Answered, compute};
use super::course::CourseBody;
use super::extract::{Document, accepted};
use super::input::{Machine, MarketBody, SiteBody, or};
use super::picture::{FORMS, SVG, svg};
use super::problem::{Problem, language};
use crate::access::Caller;
use crate::core::Core;

/// What is asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectionBody {
    /// The machine.
    pub machine: Machine,
    /// How it runs.
    pub site: SiteBody,
    /// What is stated of the market on the first day.
    #[serde(default)]
    pub market: MarketBody,
    /// From when to when, and how things grow.
    #[serde(default)]
    pub course: CourseBody,
    /// What the machine costs, USD; 0 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::capex_usd)]
    pub capex_usd: Option<Amount>,
    /// Other costs, USD a day, also on days it rests; 0 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::other_usd_per_day)]
    pub other_usd_per_day: Option<Amount>,
    /// Discount a year, a fraction; 0 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::discount_per_year)]
    pub discount_per_year: Option<Amount>,
    /// Whether it rests on days its energy costs more than it earns; true when
    /// left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub rests: Option<bool>,
}

/// What one machine earns over months or years
///
/// With `Accept: image/svg+xml` the cash flow as a picture.
#[utoipa::path(post, path = "/v1/projection", request_body = ProjectionBody, tag = "estimates",
    responses((status = 200, description = "Entries day by day in micro-dollars and satoshi, totals, payback",
        content((Answered = "application/json"), (String = "image/svg+xml")))))]
pub async fn projection(
    State(core): State<Arc<Core>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Document(body): Document<ProjectionBody>,
) -> Result<Response, Problem> {
    let form = accepted(&headers, &FORMS)?;
    let numbers = body.machine.numbers().map_err(|problem| problem.below("machine"))?;
    let site = body.site.site(None)?;
    let course = body.course.course(&core.clock)?;
    let filled = body.market.fill(&core.markets, core.clock.now(), true).await?;
    let plan = Plan {
        case: numbers.case(site, &filled.market),
        start: course.start,
        height: filled.height()?,
        horizon: course.horizon,
        price_growth: course.price_growth,
        difficulty_growth: course.difficulty_growth,
        convention: course.convention,
        stop_when_negative: body.rests.unwrap_or(true),
        capex_usd: or(body.capex_usd.as_ref(), Field::CapexUsd, Exact::zero())?,
        other_usd_per_day: or(body.other_usd_per_day.as_ref(), Field::OtherUsdPerDay, Exact::zero())?,
        discount_per_year: or(body.discount_per_year.as_ref(), Field::DiscountPerYear, Exact::zero())?,
    };
    let tongue = language(&headers);
    let warnings = numbers.reason.into_iter().collect();
    core.compute
        .run(&caller, move |threads| {
            let answer = compute(&Request::Projection(Box::new(plan)), threads)?;
            let Answer::Projection(projection) = &answer else {
                return Err(Problem::internal(&"an answer of another kind"));
            };
            if form == SVG {
                return Ok(svg(cash_flow(projection, tongue)));
            }
            Ok(Answered::new(&filled, &answer, projection.sentence(), warnings)?.into_response())
        })
        .await
}
