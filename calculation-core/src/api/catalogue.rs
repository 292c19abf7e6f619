//! Machines that are sold, and which one a text means.

use axum::response::Response;
use hashinsight_mining::Field;
use hashinsight_mining::catalogue::{Catalogue, Sighting};
use hashinsight_mining::{Micro, Sentence};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::amount::{Amount, given, in_query};
use super::answer::{Words, json};
use super::code::Code;
use super::extract::Query;
use super::input::NAME_MAX;
use super::problem::Problem;

/// Which rows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RowsQuery {
    /// Part of a vendor's or a model's name.
    #[serde(default, deserialize_with = "given")]
    #[param(nullable = false, max_length = 120)]
    pub name: Option<String>,
}

/// A row of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub struct CatalogueRow {
    /// Who makes it.
    pub vendor: String,
    /// Its model.
    pub model: String,
    /// `air`, `hydro`, `immersion` or `unknown`.
    pub cooling: String,
    /// Nominal hashrate, TH/s.
    pub terahash_per_second: String,
    /// Nominal power at the wall, W.
    pub watts: String,
    /// Efficiency as the source prints it, J/TH.
    pub joules_per_terahash: String,
    /// What the source adds.
    pub note: String,
    /// Where it was read.
    pub source: String,
}

/// Rows of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rows {
    /// SHA-256 of the catalogue.
    pub version: &'static str,
    /// The rows.
    pub rows: Vec<CatalogueRow>,
}

/// The catalogue of machines, each row with its source
#[utoipa::path(get, path = "/v1/catalogue", params(RowsQuery), tag = "catalogue",
    responses((status = 200, description = "Rows", body = Rows)))]
pub async fn rows(Query(query): Query<RowsQuery>) -> Result<Response, Problem> {
    let name = short("name", &query.name.unwrap_or_default())?.to_lowercase();
    let catalogue = Catalogue::shipped();
    let all =
        catalogue.rows().iter().filter(|row| format!("{} {}", row.vendor, row.model).to_lowercase().contains(&name));
    let rows = all.map(|row| CatalogueRow {
        vendor: row.vendor.clone(),
        model: row.model.clone(),
        cooling: row.cooling.clone(),
        terahash_per_second: row.terahash.to_string(),
        watts: row.watts.to_string(),
        joules_per_terahash: row.joules_per_terahash.to_string(),
        note: row.note.clone(),
        source: row.source.clone(),
    });
    Ok(json(&Rows { version: catalogue.version(), rows: rows.collect() }))
}

/// A text of at most so many characters as names have.
fn short<'a>(field: &str, text: &'a str) -> Result<&'a str, Problem> {
    if text.chars().count() <= NAME_MAX {
        return Ok(text);
    }
    Err(Problem::new(Code::InputRefused, "The text is too long.", "文本过长。").at(field).limit(NAME_MAX))
}

/// What is known of a machine.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RecognitionQuery {
    /// Its name, firmware string or type code.
    #[param(min_length = 1, max_length = 120)]
    pub text: String,
    /// Hashrate, TH/s.
    #[serde(default, deserialize_with = "given")]
    #[param(schema_with = in_query::terahash)]
    pub terahash_per_second: Option<Amount>,
    /// Power, W.
    #[serde(default, deserialize_with = "given")]
    #[param(schema_with = in_query::watts)]
    pub watts: Option<Amount>,
}

/// A machine that was recognized.
#[derive(Debug, Serialize, ToSchema)]
pub struct Recognized {
    /// Who makes it.
    pub vendor: String,
    /// Its model.
    pub model: String,
    /// Hashrate to compute with, TH/s.
    pub terahash_per_second: String,
    /// Power to compute with, W.
    pub watts: String,
    /// `high`, `medium` or `low`.
    pub confidence: &'static str,
    /// Why.
    pub reason: Words,
    /// Where the row was read.
    pub source: String,
}

/// Which machine a text means, and how sure that is
#[utoipa::path(get, path = "/v1/catalogue/recognition", params(RecognitionQuery), tag = "catalogue",
    responses((status = 200, description = "The machine", body = Recognized)))]
pub async fn recognition(Query(query): Query<RecognitionQuery>) -> Result<Response, Problem> {
    let micro = |amount: &Option<Amount>, field| -> Result<Option<Micro>, Problem> {
        Ok(amount.as_ref().map(|amount| amount.read_micro(field)).transpose()?)
    };
    let terahash = micro(&query.terahash_per_second, Field::TerahashPerSecond)?;
    let watts = micro(&query.watts, Field::Watts)?;
    short("text", &query.text)?;
    let found = Catalogue::shipped().recognize(Sighting { text: &query.text, terahash, watts }).map_err(|why| {
        let Sentence { en, zh } = why.sentence(&query.text);
        Problem::new(Code::MachineUnclear, en, zh).at("text").because(why.code())
    })?;
    Ok(json(&Recognized {
        vendor: found.row.vendor.clone(),
        model: found.row.model.clone(),
        terahash_per_second: found.terahash.to_string(),
        watts: found.watts.to_string(),
        confidence: found.confidence.name(),
        reason: found.reason().into(),
        source: found.row.source.clone(),
    }))
}
