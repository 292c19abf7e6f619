//! Stopping for the price of energy.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use hashinsight_mining::curtailment::{Curve, Plan, Profile, Profiles, Run, Terms};
use hashinsight_mining::record::{Answer, Request};
use hashinsight_mining::{Exact, Field, Micro, Sentence, picture};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use utoipa::ToSchema;

use super::amount::{Amount, at_most, given, of};
use super::answer::{Answered, compute};
use super::code::Code;
use super::course::affordable;
use super::extract::{Document, accepted};
use super::input::{MACHINES_MAX, Machine, MarketBody, fleet, or};
use super::picture::{FORMS, SVG, svg};
use super::problem::{Problem, language};
use crate::access::Caller;
use crate::core::Core;

/// Different machines times intervals that are computed in one request.
const WORK_MAX: u64 = 2_000_000_000;
/// Intervals: ten years of five minutes.
const INTERVALS_MAX: usize = 1_060_000;
/// Profiles of models.
const PROFILES_MAX: usize = 10_000;

/// Prices of energy, one after the other.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"start": "2026-01-01T00:00:00Z", "minutes": 60, "usd_per_mwh": ["31.2", "28", null, "-4"]}))]
pub struct Prices {
    /// Start of the first interval, with its offset from UTC.
    #[schema(format = DateTime, min_length = 20, max_length = 40)]
    pub start: String,
    /// Length of an interval, minutes: a whole part of an hour.
    #[schema(minimum = 1, maximum = 60)]
    pub minutes: u32,
    /// Prices, USD/MWh; null where there is none.
    #[serde(deserialize_with = "at_most::<_, _, INTERVALS_MAX>")]
    #[schema(schema_with = price_list)]
    pub usd_per_mwh: Vec<Option<Amount>>,
}

fn price_list() -> utoipa::openapi::schema::Schema {
    use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};
    let none = ObjectBuilder::new().schema_type(Type::Null);
    let item = OneOfBuilder::new().item(of::usd_per_mwh()).item(none);
    ArrayBuilder::new().items(item).min_items(Some(2)).max_items(Some(INTERVALS_MAX)).into()
}

/// Another way a model can run.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileBody {
    /// The model, as the machines bear it.
    #[schema(max_length = 120)]
    pub model: String,
    /// Hashrate, TH/s.
    #[schema(schema_with = of::terahash)]
    pub terahash_per_second: Amount,
    /// Power, W.
    #[schema(schema_with = of::watts)]
    pub watts: Amount,
}

/// What is asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CurtailmentBody {
    /// The machines.
    #[serde(deserialize_with = "at_most::<_, _, MACHINES_MAX>")]
    #[schema(min_items = 1, max_items = 100_000)]
    pub machines: Vec<Machine>,
    /// The prices to try the rule on.
    pub prices: Prices,
    /// Revenue after the pool's share, USD/PH/day; out of the market when left
    /// out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::usd_per_petahash_day)]
    pub usd_per_petahash_day: Option<Amount>,
    /// What is stated of the market.
    #[serde(default)]
    pub market: MarketBody,
    /// The pool's share, where revenue comes out of the market; 0 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::pool_fee)]
    pub pool_fee: Option<Amount>,
    /// Energy metered for each unit machines take; 1 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::meter_factor)]
    pub meter_factor: Option<Amount>,
    /// What comes on top of the prices, USD/MWh; 0 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::usd_per_mwh)]
    pub adder_usd_per_mwh: Option<Amount>,
    /// Power of a machine that is stopped, W; 0 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::standby_watts)]
    pub standby_watts: Option<Amount>,
    /// Wear with each stop, USD a machine; 0 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::wear_usd)]
    pub wear_usd: Option<Amount>,
    /// Minutes until a machine that comes back has its full hashrate.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, maximum = 10_080)]
    pub ramp_minutes: Option<u32>,
    /// A machine stays off for so many minutes.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, maximum = 10_080)]
    pub min_off_minutes: Option<u32>,
    /// A machine stays on for so many minutes.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, maximum = 10_080)]
    pub min_on_minutes: Option<u32>,
    /// Intervals until a price is known to whoever switches.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, maximum = 10_080)]
    pub lag: Option<u32>,
    /// Other ways the models can run.
    #[serde(default, deserialize_with = "at_most::<_, _, PROFILES_MAX>")]
    #[schema(max_items = 10_000)]
    pub profiles: Vec<ProfileBody>,
}

impl Prices {
    fn curve(&self) -> Result<Curve, Problem> {
        let wrong =
            |field: &str, en: &str, zh: &str| Problem::new(Code::InputRefused, en, zh).at(format!("prices.{field}"));
        let mut at: Timestamp = self.start.parse().map_err(|_| {
            wrong("start", "No such time; write 2026-01-01T00:00:00Z.", "没有这个时间；请写成 2026-01-01T00:00:00Z。")
        })?;
        if self.minutes == 0 || !60_u32.is_multiple_of(self.minutes) {
            return Err(wrong("minutes", "Must be a whole part of an hour.", "必须整除一小时。").limit(60));
        }
        if !(2..=INTERVALS_MAX).contains(&self.usd_per_mwh.len()) {
            let problem =
                wrong("usd_per_mwh", "Between 2 and 1060000 prices are needed.", "需要 2 至 1060000 个价格。");
            return Err(problem.limit(INTERVALS_MAX));
        }
        let step = SignedDuration::from_mins(self.minutes.into());
        let (mut runs, mut run): (Vec<Run>, Option<Run>) = (Vec::new(), None);
        for (index, price) in self.usd_per_mwh.iter().enumerate() {
            match price {
                Some(price) => {
                    let value = price.read_micro(Field::UsdPerMwh);
                    let value =
                        value.map_err(|refusal| Problem::from(refusal).at(format!("prices.usd_per_mwh[{index}]")))?;
                    run.get_or_insert_with(|| Run { start: at, prices: Vec::new() }).prices.push(value);
                }
                None => runs.extend(run.take()),
            }
            at = at
                .checked_add(step)
                .map_err(|_| wrong("start", "The prices leave the calendar.", "价格超出日历范围。"))?;
        }
        runs.extend(run);
        if runs.is_empty() {
            return Err(wrong("usd_per_mwh", "None of them is a price.", "没有任何价格。"));
        }
        Ok(Curve { minutes: self.minutes, runs })
    }
}

fn profiles(bodies: &[ProfileBody]) -> Result<Profiles, Problem> {
    let profile = |body: &ProfileBody| -> Result<Profile, Problem> {
        Ok(Profile {
            model: body.model.clone(),
            terahash: body.terahash_per_second.read_micro(Field::TerahashPerSecond)?,
            watts: body.watts.read_micro(Field::Watts)?,
        })
    };
    Ok(Profiles(bodies.iter().map(profile).collect::<Result<_, _>>()?))
}

fn amount(amount: Option<&Amount>, field: Field) -> Result<Micro, Problem> {
    Ok(amount.map(|amount| amount.read_micro(field)).transpose()?.unwrap_or_default())
}

/// When a fleet should stop for the price of energy
///
/// Profit under the rule, beside never stopping and perfect foresight. With
/// `Accept: image/svg+xml` as a picture.
#[utoipa::path(post, path = "/v1/curtailment", request_body = CurtailmentBody, tag = "fleets",
    responses((status = 200, description = "lines (a rule for each kind), totals, whole_site, days, intervals, missing",
        content((Answered = "application/json"), (String = "image/svg+xml")))))]
pub async fn curtailment(
    State(core): State<Arc<Core>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Document(body): Document<CurtailmentBody>,
) -> Result<Response, Problem> {
    let form = accepted(&headers, &FORMS)?;
    let curve = body.prices.curve()?;
    let profiles = profiles(&body.profiles)?;
    // Each profile is tried for each kind of its model; at most all of them.
    let intervals = u64::try_from(body.prices.usd_per_mwh.len()).unwrap_or(u64::MAX);
    let tries = intervals.saturating_mul(1 + u64::try_from(profiles.0.len()).unwrap_or(u64::MAX - 1));
    let (machines, most, account) = (body.machines, core.settings.max_batch_miners, caller.clone());
    let pool_fee = or(body.pool_fee.as_ref(), Field::PoolFee, Exact::zero())?;
    // The figures rest on revenue; where it is stated the market is not asked.
    let revenue = amount(body.usd_per_petahash_day.as_ref(), Field::UsdPerPetahashDay)?;
    let filled = match body.usd_per_petahash_day {
        Some(_) => None,
        None => Some(body.market.fill(&core.markets, core.clock.now(), false).await?),
    };
    let revenue = filled.as_ref().map_or(Ok(revenue), |filled| Terms::revenue(&filled.market, &pool_fee))?;
    let terms = Terms {
        usd_per_petahash_day: revenue,
        meter_factor: or(body.meter_factor.as_ref(), Field::MeterFactor, Exact::one())?,
        adder_usd_per_mwh: amount(body.adder_usd_per_mwh.as_ref(), Field::UsdPerMwh)?,
        standby_watts: amount(body.standby_watts.as_ref(), Field::StandbyWatts)?,
        ramp_minutes: body.ramp_minutes.unwrap_or_default(),
        wear_usd: amount(body.wear_usd.as_ref(), Field::WearUsd)?,
        min_off_minutes: body.min_off_minutes.unwrap_or_default(),
        min_on_minutes: body.min_on_minutes.unwrap_or_default(),
        lag: body.lag.unwrap_or_default(),
    };
    let tongue = language(&headers);
    core.compute
        .run(&caller, move |threads| {
            let fleet = fleet(&machines, &account, most)?;
            affordable(fleet.kinds().len(), tries, WORK_MAX, HINT)?;
            let request = Request::Curtailment(Plan { fleet, terms, profiles, curve });
            let answer = compute(&request, threads)?;
            let (Request::Curtailment(plan), Answer::Curtailment(back)) = (&request, &answer) else {
                return Err(Problem::internal(&"an answer of another kind"));
            };
            if form == SVG {
                return Ok(svg(picture::curtailment(back, tongue)));
            }
            let why: Vec<Sentence> = back.whole_site.iter().map(|(rule, _)| rule.sentence(&plan.terms)).collect();
            Ok(Answered::new(filled.as_ref(), &answer, back.sentence(), why)?.into_response())
        })
        .await
}

const HINT: (&str, &str) =
    ("use fewer different machines, intervals or profiles", "请减少矿机种类、价格时段或运行档位");

#[cfg(test)]
mod tests {
    use super::*;

    fn prices(json: &str) -> Result<Curve, Problem> {
        serde_json::from_str::<Prices>(json).unwrap().curve()
    }

    #[test]
    fn gaps_part_the_curve_and_times_go_on_over_them() {
        let text = r#"{"start":"2026-03-29T00:30:00+01:00","minutes":30,"usd_per_mwh":[1,"2.5",null,null,-3]}"#;
        let curve = prices(text).unwrap();
        let starts: Vec<String> = curve.runs.iter().map(|run| run.start.to_string()).collect();
        assert_eq!(starts, ["2026-03-28T23:30:00Z", "2026-03-29T01:30:00Z"]);
        assert_eq!(curve.runs[0].prices, [Micro::whole(1), Micro::of(2_500_000)]);
    }

    #[test]
    fn what_is_no_curve_is_named() {
        for (text, field) in [
            (r#"{"start":"yesterday","minutes":30,"usd_per_mwh":[1,2]}"#, "prices.start"),
            (r#"{"start":"2026-01-01T00:00:00","minutes":30,"usd_per_mwh":[1,2]}"#, "prices.start"),
            (r#"{"start":"2026-01-01T00:00:00Z","minutes":7,"usd_per_mwh":[1,2]}"#, "prices.minutes"),
            (r#"{"start":"2026-01-01T00:00:00Z","minutes":60,"usd_per_mwh":[1]}"#, "prices.usd_per_mwh"),
            (r#"{"start":"2026-01-01T00:00:00Z","minutes":60,"usd_per_mwh":[null,null]}"#, "prices.usd_per_mwh"),
            (r#"{"start":"2026-01-01T00:00:00Z","minutes":60,"usd_per_mwh":[1,1e9]}"#, "prices.usd_per_mwh[1]"),
            (r#"{"start":"9999-12-30T21:59:59Z","minutes":60,"usd_per_mwh":[1,2,3,4]}"#, "prices.start"),
        ] {
            assert_eq!(prices(text).unwrap_err().field.as_deref(), Some(field), "{text}");
        }
    }
}
