//! Fleets out of the files people have.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use hashinsight_mining::import::ImportError;
use hashinsight_mining::import::{Accepted, FailedRows, Refused, Sink, Summary, import as read};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

use super::answer::{Words, json};
use super::code::Code;
use super::extract::{accepted, kind, whole};
use super::input::within;
use super::problem::Problem;
use crate::access::Caller;
use crate::core::Core;

/// Refused rows that are told one by one; the file of failed rows has all.
const TOLD_MAX: usize = 1000;

/// A machine out of the file.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportedMachine {
    /// Its serial number; empty when none is given.
    pub serial: String,
    /// Its model.
    pub model: String,
    /// Hashrate, TH/s.
    pub terahash_per_second: String,
    /// Power, W.
    pub watts: String,
    /// Price of its energy, USD/kWh, where the file has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub usd_per_kwh: Option<String>,
    /// How many.
    pub count: u32,
    /// How sure the catalogue is; none where it knows nothing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub confidence: Option<&'static str>,
    /// What is odd about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub warning: Option<Words>,
}

/// A row that cannot be used.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusedRow {
    /// Its line in the file.
    pub line: u64,
    /// A stable code.
    pub code: &'static str,
    /// What it means and what to do.
    pub message: Words,
}

/// What became of a file.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Imported {
    /// Rows that were accepted.
    pub accepted: u64,
    /// Machines in them.
    pub machines: u64,
    /// Rows that were refused, by code.
    pub refused: BTreeMap<&'static str, u64>,
    /// The file's encoding.
    pub encoding: &'static str,
    /// Headings that mean nothing here.
    pub unused: Vec<String>,
    /// The accepted rows.
    pub rows: Vec<ImportedMachine>,
    /// The first refused rows.
    pub refused_rows: Vec<RefusedRow>,
}

/// Takes rows, or leaves only those that failed.
struct Taken {
    imported: Imported,
    failed: Option<FailedRows<Vec<u8>>>,
    most: u32,
}

impl Sink for Taken {
    fn accepted(&mut self, row: Accepted) -> std::io::Result<()> {
        if self.imported.rows.len() >= self.most as usize {
            return Err(std::io::Error::other("too many rows"));
        }
        self.imported.rows.push(ImportedMachine {
            serial: row.serial,
            model: row.kind.model.clone(),
            terahash_per_second: row.kind.terahash.to_string(),
            watts: row.kind.watts.to_string(),
            usd_per_kwh: row.kind.usd_per_kwh.map(|price| price.to_string()),
            count: row.kind.count,
            confidence: row.recognition.map(|known| known.confidence.name()),
            warning: row.warning.map(Words::from),
        });
        Ok(())
    }

    fn refused(&mut self, header: &[String], row: Refused) -> std::io::Result<()> {
        if let Some(failed) = &mut self.failed {
            failed.add(header, &row)?;
        }
        if self.imported.refused_rows.len() < TOLD_MAX {
            let (line, code, message) = (row.line, row.problem.code(), row.problem.sentence().into());
            self.imported.refused_rows.push(RefusedRow { line, code, message });
        }
        Ok(())
    }

    fn progress(&mut self, _: &Summary) -> std::io::Result<()> {
        Ok(())
    }
}

/// A file that cannot be imported at all.
pub fn refused(error: &ImportError) -> Problem {
    let why = error.to_string();
    Problem::new(Code::ImportRefused, why.clone(), format!("文件无法导入：{why}")).at("body")
}

/// Reads a fleet out of a CSV file
///
/// UTF-8 or GB18030, commas, semicolons or tabs, headings in English or Chinese.
/// With `Accept: text/csv` the answer is the rows that failed, ready to be
/// mended and sent again.
#[utoipa::path(post, path = "/v1/import", request_body(content = String, content_type = "text/csv"), tag = "fleets",
    responses((status = 200, description = "What became of the file", content((Imported = "application/json"), (String = "text/csv")))))]
pub async fn import(
    State(core): State<Arc<Core>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let form = accepted(&headers, &["application/json", "text/csv"])?;
    kind(&headers, &["text/csv"])?;
    let bytes = whole(&core, body, |_| ()).await?;
    let most = caller.account.limits.miners.min(core.settings.max_batch_miners);
    let account = caller.clone();
    core.compute
        .run(&caller, move |threads| {
            let failed = (form == "text/csv").then(|| FailedRows::new(Vec::new()));
            let mut taken = Taken { imported: Imported::default(), failed, most };
            let summary = match read(bytes.as_ref(), threads, &mut taken) {
                Err(ImportError::Sink(_)) => {
                    return within(u64::from(most) + 1, &account, most).map(|()| String::new().into_response());
                }
                read => read.map_err(|error| refused(&error))?,
            };
            within(summary.machines, &account, most)?;
            if let Some(failed) = taken.failed {
                return Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], failed.into_inner()).into_response());
            }
            let Summary { accepted, machines, refused, format, unused, .. } = summary;
            let encoding = format.0;
            Ok(json(&Imported { accepted, machines, refused, encoding, unused, ..taken.imported }))
        })
        .await
}
