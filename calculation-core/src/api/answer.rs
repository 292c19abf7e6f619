//! What every answer has besides its figures: the market it rests on, the
//! versions it came from, sentences in both languages, and its record.

use axum::response::{IntoResponse, Response};
use hashinsight_mining::catalogue::Catalogue;
use hashinsight_mining::record::{self, Answer, Request};
use hashinsight_mining::{Refusal, Sentence};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use utoipa::ToSchema;

use super::input::{Filled, MarketUsed};
use super::problem::Problem;
use crate::core::Core;
use crate::records::Unwritten;

/// A sentence in both languages.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Words {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

impl From<Sentence> for Words {
    fn from(Sentence { en, zh }: Sentence) -> Self {
        Self { en, zh }
    }
}

/// What became of an answer's record.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Recorded {
    /// SHA-256 of the record; `hashinsight replay` proves it.
    pub sha256: String,
    /// Whether it is written.
    pub written: bool,
}

/// An answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Answered {
    /// Version of the library.
    pub library: &'static str,
    /// Version of the catalogue.
    pub catalogue: &'static str,
    /// The market the figures rest on; none where they rest on none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub market: Option<MarketUsed>,
    /// The figures; those with decimals are texts with twelve of them.
    #[schema(value_type = Object)]
    pub answer: Box<RawValue>,
    /// The same in a sentence.
    pub sentence: Words,
    /// What is odd about the input.
    pub warnings: Vec<Words>,
    /// Its record, where one was asked for and is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub record: Option<Recorded>,
}

impl Answered {
    /// Of these figures.
    pub fn new<'a>(
        filled: impl Into<Option<&'a Filled>>,
        answer: &Answer,
        sentence: Sentence,
        warnings: Vec<Sentence>,
    ) -> Result<Self, Problem> {
        Ok(Self {
            library: record::LIBRARY,
            catalogue: Catalogue::shipped().version(),
            market: filled.into().map(|filled| filled.used.clone()),
            answer: figures(answer)?,
            sentence: sentence.into(),
            warnings: warnings.into_iter().map(Words::from).collect(),
            record: None,
        })
    }
}

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        json(&self)
    }
}

/// JSON, or a mistake of ours.
pub fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => ([(axum::http::header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(error) => Problem::internal(&error).into_response(),
    }
}

/// The figures without the name of their kind, as they are written: sums of
/// satoshi may be longer than a number in memory.
pub fn figures(answer: &Answer) -> Result<Box<RawValue>, Problem> {
    let written = match answer {
        Answer::Estimate(day) => to_raw_value(day),
        Answer::Projection(projection) => to_raw_value(projection),
        Answer::Fleet(estimate) => to_raw_value(estimate),
        Answer::Heatmap(map) => to_raw_value(map),
        Answer::Curtailment(back) => to_raw_value(back),
    };
    let written = written.map_err(|error| Problem::internal(&error))?;
    Ok(crate::bad::written(written))
}

/// Computes, or says which input is refused. The one place where the service has
/// figures computed.
pub fn compute(request: &Request, threads: usize) -> Result<Answer, Refusal> {
    request.answer(threads)
}

/// Keeps a record; none where no folder is set.
pub async fn keep(core: &Core, line: String) -> Option<Recorded> {
    let from = line.len().saturating_sub(66);
    let sha256 = line.get(from..from + 64).unwrap_or_default().to_owned();
    match core.records.write(line).await {
        Ok(()) => Some(Recorded { sha256, written: true }),
        Err(Unwritten::NoFolder) => None,
        Err(_) => Some(Recorded { sha256, written: false }),
    }
}
