//! The rows of a batch, in each of the forms it may come in. A row that cannot
//! be read costs that row alone.

use hashinsight_mining::fleet::Kind;
use hashinsight_mining::import::{Accepted, ImportError, Refused, Sink, Summary, import};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::split::{self, Piece, Uncut};
use crate::api::amount::{Amount, given, in_query, of};
use crate::api::code::Code;
use crate::api::extract::shaped;
use crate::api::import::refused;
use crate::api::input::{Machine, MarketBody, SiteBody};
use crate::api::problem::Problem;

/// Characters of a row's id.
const ID_MAX: usize = 64;
/// Rows between two words about progress.
const STEP: usize = 1000;

/// Kinds of bodies.
pub const FORMS: [&str; 3] = ["application/json", "application/x-ndjson", "text/csv"];

/// A machine with an id of the sender's.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchMachine {
    /// Comes back with the row.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_length = 64)]
    pub id: Option<String>,
    /// See Machine.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_length = 120)]
    pub model: Option<String>,
    /// Hashrate, TH/s.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::terahash)]
    pub terahash_per_second: Option<Amount>,
    /// Power, W.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::watts)]
    pub watts: Option<Amount>,
    /// Price of its energy, USD/kWh, where it is not the site's.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::usd_per_kwh)]
    pub usd_per_kwh: Option<Amount>,
    /// How many, 1 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 1, maximum = 10_000_000)]
    pub count: Option<u32>,
}

/// A batch as a document. Each machine is read by itself: one that is not as
/// documented becomes a problem in its row, and the others are computed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"site": {"usd_per_kwh": "0.06"}, "machines": [{"id": "a1", "model": "Antminer S21 200T", "count": 40}]}))]
pub struct BatchBody {
    /// How they run.
    pub site: SiteBody,
    /// What is stated of the market.
    #[serde(default)]
    pub market: MarketBody,
    /// Other costs of all of them, USD a day; 0 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::other_usd_per_day)]
    pub other_usd_per_day: Option<Amount>,
    /// The machines, each as BatchMachine.
    pub machines: Vec<serde_json::Value>,
}

/// What a batch of lines or of CSV states besides its rows.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BatchQuery {
    /// Price of energy, USD/kWh. Lines and CSV need it; documents state these in
    /// their body.
    #[serde(default, deserialize_with = "given")]
    #[param(schema_with = in_query::usd_per_kwh)]
    pub usd_per_kwh: Option<Amount>,
    /// The pool's share.
    #[serde(default, deserialize_with = "given")]
    #[param(schema_with = in_query::pool_fee)]
    pub pool_fee: Option<Amount>,
    /// Share of the time machines run.
    #[serde(default, deserialize_with = "given")]
    #[param(schema_with = in_query::uptime)]
    pub uptime: Option<Amount>,
    /// Energy metered for each unit machines take.
    #[serde(default, deserialize_with = "given")]
    #[param(schema_with = in_query::meter_factor)]
    pub meter_factor: Option<Amount>,
    /// Other costs, USD a day.
    #[serde(default, deserialize_with = "given")]
    #[param(schema_with = in_query::other_usd_per_day)]
    pub other_usd_per_day: Option<Amount>,
    /// USD/BTC.
    #[serde(default, deserialize_with = "given")]
    #[param(schema_with = in_query::price_usd)]
    pub price_usd: Option<Amount>,
    /// Network difficulty.
    #[serde(default, deserialize_with = "given")]
    #[param(schema_with = in_query::difficulty)]
    pub difficulty: Option<Amount>,
    /// Subsidy of a block, BTC.
    #[serde(default, deserialize_with = "given")]
    #[param(schema_with = in_query::subsidy_btc)]
    pub subsidy_btc: Option<Amount>,
    /// Mean fees of a block, BTC.
    #[serde(default, deserialize_with = "given")]
    #[param(schema_with = in_query::fees_btc)]
    pub fees_btc: Option<Amount>,
}

/// A row that was read.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub id: Option<Box<str>>,
    /// Its machines, or why not.
    pub machine: Result<Kind, Problem>,
}

/// A batch that was read.
#[derive(Debug)]
pub struct Rows {
    /// How they run.
    pub site: SiteBody,
    /// What is stated of the market.
    pub market: MarketBody,
    /// Other costs.
    pub other_usd_per_day: Option<Amount>,
    /// The rows, in order.
    pub rows: Vec<Row>,
}

/// Told of rows read and refused.
pub type Told<'a> = &'a mut (dyn FnMut(usize, usize) + Send);

/// Reads a batch in one of the [`FORMS`]; more rows than `most` are refused.
pub fn read(
    form: &str,
    query: BatchQuery,
    bytes: &[u8],
    most: usize,
    threads: usize,
    told: Told<'_>,
) -> Result<Rows, Problem> {
    if form == "application/json" {
        return document(query, bytes, most, told);
    }
    let BatchQuery {
        usd_per_kwh,
        pool_fee,
        uptime,
        meter_factor,
        other_usd_per_day,
        price_usd,
        difficulty,
        subsidy_btc,
        fees_btc,
    } = query;
    let usd_per_kwh = usd_per_kwh.ok_or_else(|| {
        let problem =
            Problem::new(Code::InputRefused, "Say ?usd_per_kwh=… in the address.", "请在地址中填写 ?usd_per_kwh=…。");
        problem.at("usd_per_kwh")
    })?;
    let site = SiteBody { usd_per_kwh, pool_fee, uptime, meter_factor };
    let market = MarketBody { price_usd, difficulty, subsidy_btc, fees_btc, height: None };
    let rows = if form == "text/csv" { table(bytes, most, threads, told)? } else { lines(bytes, most, told)? };
    Ok(Rows { site, market, other_usd_per_day, rows })
}

fn document(query: BatchQuery, bytes: &[u8], most: usize, told: Told<'_>) -> Result<Rows, Problem> {
    let stated = [&query.usd_per_kwh, &query.pool_fee, &query.uptime, &query.meter_factor, &query.other_usd_per_day];
    let market = [&query.price_usd, &query.difficulty, &query.subsidy_btc, &query.fees_btc];
    if stated.into_iter().chain(market).any(Option::is_some) {
        return Err(Problem::new(
            Code::InputRefused,
            "A JSON document states these in its body.",
            "JSON 文档请在正文中填写这些参数。",
        ));
    }
    let uncut = |Uncut { line }| {
        // The reader says best what is wrong.
        let read = shaped::<serde::de::IgnoredAny>(bytes).err();
        read.unwrap_or_else(|| {
            Problem::new(Code::JsonSyntax, "An object is needed.", "需要一个 JSON 对象。").in_line(line)
        })
    };
    let members = split::members(bytes).map_err(uncut)?;
    let is_machines = |key: &Piece<'_>| key.text == b"\"machines\"";
    let machines = members.into_iter().find(|(key, _)| is_machines(key)).map(|(_, value)| value);
    let Some(machines) = machines.filter(|value| value.text.starts_with(b"[")) else {
        let problem =
            Problem::new(Code::JsonShape, "The member machines is needed: a list.", "需要成员 machines（列表）。");
        return Err(problem.at("machines"));
    };
    // The rest is read with an empty list in their place, and lines as they are.
    let (before, after) = around(bytes, machines.text);
    let lines = vec![b'\n'; memchr::memchr_iter(b'\n', machines.text).count()];
    let head = [before, b"[", &lines, b"]", after].concat();
    let BatchBody { site, market, other_usd_per_day, machines: _ } = shaped(&head)?;
    let pieces = split::elements(machines, most).map_err(uncut)?;
    let rows = each(pieces.into_iter(), most, told)?;
    Ok(Rows { site, market, other_usd_per_day, rows })
}

/// What stands before and after a piece of a document.
fn around<'a>(whole: &'a [u8], piece: &[u8]) -> (&'a [u8], &'a [u8]) {
    let from = (piece.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize).min(whole.len());
    let to = (from + piece.len()).min(whole.len());
    (&whole[..from], &whole[to..])
}

fn lines(bytes: &[u8], most: usize, told: Told<'_>) -> Result<Vec<Row>, Problem> {
    let numbered = (1..).zip(bytes.split(|byte| *byte == b'\n'));
    let pieces = numbered.map(|(line, text)| Piece { text: text.trim_ascii(), line });
    each(pieces.filter(|piece| !piece.text.is_empty()), most, told)
}

fn each<'a>(pieces: impl Iterator<Item = Piece<'a>>, most: usize, told: Told<'_>) -> Result<Vec<Row>, Problem> {
    let (mut rows, mut bad) = (Vec::new(), 0);
    for piece in pieces {
        if rows.len() >= most {
            return Err(too_many(most));
        }
        let row = row(piece);
        bad += usize::from(row.machine.is_err());
        rows.push(row);
        if rows.len().is_multiple_of(STEP) {
            told(rows.len(), bad);
        }
    }
    told(rows.len(), bad);
    Ok(rows)
}

fn row(piece: Piece<'_>) -> Row {
    let read = shaped::<BatchMachine>(piece.text);
    let id = read.as_ref().ok().and_then(|machine| machine.id.clone());
    let machine = read.and_then(|machine| {
        if machine.id.as_ref().is_some_and(|id| id.chars().count() > ID_MAX) {
            let problem = Problem::new(Code::InputRefused, "The id is too long.", "id 过长。");
            return Err(problem.at("id").limit(ID_MAX));
        }
        let BatchMachine { model, terahash_per_second, watts, usd_per_kwh, count, .. } = machine;
        Machine { model, terahash_per_second, watts, usd_per_kwh, count }.numbers()
    });
    let line = |problem: &Problem| piece.line + problem.line.map_or(0, |line| line.saturating_sub(1));
    let machine = machine.map(|numbers| numbers.kind).map_err(|problem| {
        let line = line(&problem);
        problem.in_line(line)
    });
    Row { id: id.filter(|id| id.chars().count() <= ID_MAX).map(String::into_boxed_str), machine }
}

fn too_many(most: usize) -> Problem {
    let problem = Problem::new(
        Code::TooManyMachines,
        format!("More than {most} rows: send fewer, or have the plan's limit raised."),
        format!("超过 {most} 行：请减少行数或提升套餐限额。"),
    );
    problem.at("machines").limit(most)
}

/// Rows of a table, in the order of the file.
struct Table<'a> {
    rows: Vec<Row>,
    bad: usize,
    most: usize,
    told: Told<'a>,
}

impl Table<'_> {
    fn push(&mut self, row: Row) -> std::io::Result<()> {
        if self.rows.len() >= self.most {
            return Err(std::io::Error::other("too many rows"));
        }
        self.rows.push(row);
        Ok(())
    }
}

impl Sink for Table<'_> {
    fn accepted(&mut self, row: Accepted) -> std::io::Result<()> {
        let length = row.serial.chars().count();
        if length > ID_MAX {
            let problem = Problem::new(Code::InputRefused, "The serial number is too long.", "序列号过长。");
            self.bad += 1;
            return self.push(Row { id: None, machine: Err(problem.at("serial").limit(ID_MAX)) });
        }
        let id = Some(row.serial).filter(|_| length > 0).map(String::into_boxed_str);
        self.push(Row { id, machine: Ok(row.kind) })
    }

    fn refused(&mut self, _: &[String], row: Refused) -> std::io::Result<()> {
        self.bad += 1;
        let words = row.problem.sentence();
        let problem =
            Problem::new(Code::InputRefused, words.en, words.zh).in_line(row.line).because(row.problem.code());
        let problem = match row.problem.column() {
            Some(column) => problem.at(column),
            None => problem,
        };
        self.push(Row { id: None, machine: Err(problem) })
    }

    fn progress(&mut self, _: &Summary) -> std::io::Result<()> {
        (self.told)(self.rows.len(), self.bad);
        Ok(())
    }
}

fn table(bytes: &[u8], most: usize, threads: usize, told: Told<'_>) -> Result<Vec<Row>, Problem> {
    let mut table = Table { rows: Vec::new(), bad: 0, most, told };
    match import(bytes, threads, &mut table) {
        Ok(_) => Ok(table.rows),
        Err(ImportError::Sink(_)) => Err(too_many(most)),
        Err(error) => Err(refused(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(form: &str, query: &str, body: &str) -> Result<Rows, Problem> {
        let query: BatchQuery = serde_json::from_str(query).unwrap();
        read(form, query, body.as_bytes(), 5, 2, &mut |_, _| ())
    }

    #[test]
    fn the_three_forms_say_the_same() {
        let document = r#"{"machines":[{"terahash_per_second":200,"watts":3500,"id":"a"},{"model":"S21"}],"site":{"usd_per_kwh":0.06}}"#;
        let lines = "{\"terahash_per_second\":\"200\",\"watts\":\"3500\",\"id\":\"a\"}\n\n{\"model\":\"S21\"}\n";
        let table = "serial,model,terahash_per_second,watts\na,,200,3500\n,S21,,\n";
        let query = r#"{"usd_per_kwh":"0.06"}"#;
        for (form, query, body) in [(FORMS[0], "{}", document), (FORMS[1], query, lines), (FORMS[2], query, table)] {
            let read = read_all(form, query, body).unwrap();
            assert_eq!(read.site.usd_per_kwh.text(), "0.06");
            assert_eq!(read.rows.len(), 2, "{form}");
            assert_eq!(read.rows[0].id.as_deref(), Some("a"));
            assert_eq!(read.rows[0].machine.as_ref().unwrap().watts.to_string(), "3500");
            // The S21 is sold in several bins.
            assert_eq!(read.rows[1].machine.as_ref().unwrap_err().reason, Some("AmbiguousBin"), "{form}");
        }
    }

    #[test]
    fn a_bad_row_has_its_line_and_its_field_and_the_rest_is_read() {
        let body = "{\"site\":{\"usd_per_kwh\":1},\"machines\":[\n{\"terahash_per_second\":1,\"watts\":5000},\n{\"terahash_per_second\":1,\"watts\":50x},\n{\"terahash_per_second\":9,\"watts\":\"0\"},\n{\"terahash_per_second\":1,\"watts\":30}]}";
        let rows = read_all(FORMS[0], "{}", body).unwrap().rows;
        let problems: Vec<_> =
            rows.iter().map(|row| row.machine.as_ref().err().map(|p| (p.code, p.line, p.field.clone()))).collect();
        assert_eq!(problems[0], None);
        assert_eq!(problems[1].as_ref().map(|(code, line, _)| (*code, *line)), Some((Code::JsonSyntax, Some(3))));
        assert_eq!(problems[2], Some((Code::InputRefused, Some(4), Some("watts".to_owned()))));
        assert_eq!(problems[3], None);
    }

    #[test]
    fn what_is_no_batch_is_refused_as_a_whole() {
        let code = |form: &str, query: &str, body: &str| read_all(form, query, body).unwrap_err().code;
        assert_eq!(code(FORMS[0], "{}", "{\"machines\":[1,2"), Code::JsonSyntax);
        assert_eq!(code(FORMS[0], "{}", "[]"), Code::JsonSyntax);
        assert_eq!(code(FORMS[0], "{}", "{\"machines\":[]}"), Code::JsonShape);
        assert_eq!(code(FORMS[0], "{}", "{\"site\":{\"usd_per_kwh\":1}}"), Code::JsonShape);
        assert_eq!(
            code(FORMS[0], "{}", "{\"site\":{\"usd_per_kwh\":1},\"machines\":{},\"tenant\":\"other\"}"),
            Code::JsonShape
        );
        assert_eq!(code(FORMS[0], "{\"uptime\":\"1\"}", "{}"), Code::InputRefused);
        let second = "{\"machines\":[],\n\"site\":{\"usd_per_kwh\":1},\"machines\":[]}";
        assert_eq!(read_all(FORMS[0], "{}", second).unwrap_err().line, Some(2));
        assert_eq!(code(FORMS[1], "{}", "{}"), Code::InputRefused);
        assert_eq!(code(FORMS[1], "{\"usd_per_kwh\":1}", &"{}\n".repeat(6)), Code::TooManyMachines);
        assert_eq!(
            code(FORMS[2], "{\"usd_per_kwh\":1}", &("watts\n".to_owned() + &"1\n".repeat(6))),
            Code::ImportRefused
        );
        let table = "terahash_per_second,watts\n".to_owned() + &"100,3000\n".repeat(6);
        assert_eq!(code(FORMS[2], "{\"usd_per_kwh\":1}", &table), Code::TooManyMachines);
    }
}
