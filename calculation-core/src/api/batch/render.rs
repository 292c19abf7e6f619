//! A batch as JSON, as lines, as CSV: written piece by piece as the client reads.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hashinsight_mining::fleet::Figures;
use hashinsight_mining::import::write_row;
use hashinsight_mining::{Language, Pico};
use serde::Serialize;
use utoipa::ToSchema;

use super::job::{Done, Entry};
use crate::api::code::Code;
use crate::api::problem::Problem;

/// Rows in a piece.
const PIECE: usize = 256;

/// Forms of the answer.
pub const FORMS: [&str; 4] = ["application/json", "application/x-ndjson", "text/csv", "text/event-stream"];

const COLUMNS: [&str; 15] = [
    "row",
    "id",
    "model",
    "terahash_per_second",
    "watts",
    "count",
    "sat_per_day",
    "revenue_usd_per_day",
    "power_usd_per_day",
    "profit_usd_per_day",
    "breakeven_usd_per_mwh",
    "breakeven_btc_usd",
    "runs",
    "code",
    "message",
];

/// A row: figures of one of its machines, or what is wrong with it.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchRow<'a> {
    /// Its place, from 1.
    pub row: usize,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub id: Option<&'a str>,
    /// Figures of one machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub day: Option<BatchDay<'a>>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub problem: Option<RowProblem<'a>>,
}

/// A machine's day.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchDay<'a> {
    /// Its model; empty when nobody said.
    pub model: &'a str,
    /// Hashrate, TH/s.
    pub terahash_per_second: String,
    /// Power, W.
    pub watts: String,
    /// How many.
    pub count: u32,
    /// Satoshi of one.
    pub sat_per_day: String,
    /// Revenue of one, USD.
    pub revenue_usd_per_day: String,
    /// Energy of one, USD.
    pub power_usd_per_day: String,
    /// Revenue less energy of one, USD.
    pub profit_usd_per_day: String,
    /// Price of energy at which its profit is zero, USD/MWh.
    pub breakeven_usd_per_mwh: Option<String>,
    /// Price of a bitcoin at which its profit is zero, USD.
    pub breakeven_btc_usd: Option<String>,
    /// Whether it earns more than its energy costs.
    pub runs: bool,
}

/// What is wrong with a row.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowProblem<'a> {
    /// A stable code.
    pub code: Code,
    /// A finer code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<&'static str>,
    /// What and what to do.
    pub detail: String,
    /// The field.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<&'a str>,
    /// The line of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub line: Option<u64>,
    /// The limit that was passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub limit: Option<&'a str>,
}

/// A batch as a document.
#[derive(Serialize, ToSchema)]
pub struct BatchAnswer<'a> {
    /// In short.
    pub summary: &'a super::job::BatchSummary,
    /// Row by row.
    pub rows: Vec<BatchRow<'a>>,
}

/// A figure as it is served.
fn figure(value: Pico) -> String {
    let mut value = serde_json::Value::String(value.to_string());
    crate::bad::round(&mut value);
    if let serde_json::Value::String(text) = value { text } else { String::new() }
}

impl Done {
    fn row(&self, at: usize, entry: &Entry, language: Language) -> BatchRow<'_> {
        let (id, row) = (self.entries.get(at).and_then(|entry| entry.id.as_deref()), at + 1);
        let line = entry.figures.as_ref().ok().and_then(|place| self.estimate.lines.get(*place as usize));
        let day = line.map(|line| {
            let Figures { satoshi, revenue_usd, power_usd, profit_usd } = line.day;
            BatchDay {
                model: &line.kind.model,
                terahash_per_second: line.kind.terahash.to_string(),
                watts: line.kind.watts.to_string(),
                count: entry.count,
                sat_per_day: figure(satoshi),
                revenue_usd_per_day: figure(revenue_usd),
                power_usd_per_day: figure(power_usd),
                profit_usd_per_day: figure(profit_usd),
                breakeven_usd_per_mwh: line.breakeven_usd_per_mwh.map(figure),
                breakeven_btc_usd: line.breakeven_btc_usd.map(figure),
                runs: line.runs,
            }
        });
        let problem = self.entries.get(at).and_then(|entry| entry.figures.as_ref().err());
        BatchRow { row, id, day, problem: problem.map(|problem| shown(problem, language)) }
    }

    fn json(&self, at: usize, language: Language) -> String {
        self.entries
            .get(at)
            .and_then(|entry| serde_json::to_string(&self.row(at, entry, language)).ok())
            .unwrap_or_default()
    }

    fn csv(&self, at: usize, language: Language, out: &mut Vec<u8>) {
        let Some(entry) = self.entries.get(at) else { return };
        let BatchRow { row, id, day, problem } = self.row(at, entry, language);
        let mut cells: Vec<String> = vec![row.to_string(), id.unwrap_or_default().to_owned()];
        match day {
            Some(day) => cells.extend([
                day.model.to_owned(),
                day.terahash_per_second,
                day.watts,
                day.count.to_string(),
                day.sat_per_day,
                day.revenue_usd_per_day,
                day.power_usd_per_day,
                day.profit_usd_per_day,
                day.breakeven_usd_per_mwh.unwrap_or_default(),
                day.breakeven_btc_usd.unwrap_or_default(),
                day.runs.to_string(),
            ]),
            None => cells.extend(vec![String::new(); 11]),
        }
        let (code, message) = problem.map_or_else(Default::default, |problem| {
            let code = problem.reason.map_or_else(|| format!("{:?}", problem.code), str::to_owned);
            (code, problem.line.map_or_else(String::new, |line| format!("line {line}: ")) + &problem.detail)
        });
        cells.extend([code, message]);
        drop(write_row(out, cells.iter().map(String::as_str)));
    }
}

fn shown(problem: &Problem, language: Language) -> RowProblem<'_> {
    RowProblem {
        code: problem.code,
        reason: problem.reason,
        detail: problem.detail.to(language),
        field: problem.field.as_deref(),
        line: problem.line,
        limit: problem.limit.as_deref(),
    }
}

/// The batch in one of the [`FORMS`] but events.
pub fn response(done: &Arc<Done>, form: &str, language: Language) -> Response {
    let head = match form {
        "text/csv" => {
            let mut head = b"\xef\xbb\xbf".to_vec();
            drop(write_row(&mut head, COLUMNS));
            head
        }
        "application/x-ndjson" => format!("{{\"summary\":{}}}\n", summary(done)).into_bytes(),
        _ => format!("{{\"summary\":{},\"rows\":[", summary(done)).into_bytes(),
    };
    let (rows, form) = (Arc::clone(done), form.to_owned());
    let media = if form == "text/csv" { "text/csv; charset=utf-8".to_owned() } else { form.clone() };
    let count = done.entries.len();
    let pieces = (0..count.div_ceil(PIECE)).map(move |piece| {
        let (from, to) = (piece * PIECE, (piece * PIECE + PIECE).min(count));
        let mut out = Vec::new();
        for at in from..to {
            match form.as_str() {
                "text/csv" => rows.csv(at, language, &mut out),
                "application/x-ndjson" => out.extend((rows.json(at, language) + "\n").into_bytes()),
                _ => {
                    let comma = if at == 0 { "" } else { "," };
                    out.extend((comma.to_owned() + &rows.json(at, language)).into_bytes());
                }
            }
        }
        out
    });
    let tail = if media == "application/json" { b"]}".to_vec() } else { Vec::new() };
    let all = std::iter::once(head).chain(pieces).chain(std::iter::once(tail));
    let body = Body::from_stream(futures::stream::iter(all.map(|piece| Ok::<_, Infallible>(Bytes::from(piece)))));
    ([(header::CONTENT_TYPE, media)], body).into_response()
}

/// The summary as JSON.
pub fn summary(done: &Done) -> String {
    let mut value = serde_json::to_value(&done.summary).unwrap_or_default();
    crate::bad::round(&mut value);
    value.to_string()
}
