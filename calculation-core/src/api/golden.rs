//! The golden samples, computed by this very process: what is asked of a new
//! version before any customer asks it something.

use axum::response::{IntoResponse, Response};
use hashinsight_mining::golden;
use hashinsight_mining::record::Request;
use serde::Serialize;
use serde_json::value::RawValue;

use super::answer::{compute, figures, json};
use super::problem::Problem;

/// A sample and what it comes to.
#[derive(Serialize)]
struct Sample {
    case: &'static str,
    figures: Box<RawValue>,
}

/// All samples, the same way as customers' estimates.
pub fn golden() -> Response {
    match samples() {
        Ok(samples) => json(&samples),
        Err(problem) => problem.into_response(),
    }
}

fn samples() -> Result<Vec<Sample>, Problem> {
    let cases = golden::cases().map_err(|mismatch| Problem::internal(&mismatch))?;
    let sample = |(name, case)| Ok(Sample { case: name, figures: figures(&compute(&Request::Estimate(case), 1)?)? });
    cases.into_iter().map(sample).collect()
}
