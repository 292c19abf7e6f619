//! The first line: which column means what, in which unit.

use csv_core::ReadRecordResult;

use super::encoding::{BOM, Encoding};
use super::problem::ImportError;

/// A header with example rows, in English.
pub const TEMPLATE_EN: &str = "serial,model,terahash_per_second,watts,firmware,count,usd_per_kwh\n\
    SN-0001,Antminer S21 200T,,,stock,1,\n\
    SN-0002,WhatsMiner M60S 186T,,,,1,0.055\n\
    ,,110,3250,Braiins OS,20,\n";
/// The same in Chinese.
pub const TEMPLATE_ZH: &str = "序列号,型号,算力(TH/s),功耗(W),固件,数量,电价(USD/kWh)\n\
    SN-0001,蚂蚁 S21 200T,,,原厂,1,\n\
    SN-0002,神马 M60S 186T,,,,1,0.055\n\
    ,,110,3250,Braiins OS,20,\n";

/// Fields of a row at most.
pub(super) const FIELDS_MAX: usize = 200;

/// What a column means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// What tells one machine from another.
    Serial,
    /// Name, type code or any text with the model in it.
    Model,
    /// Hashrate.
    Terahash,
    /// Power at the wall.
    Watts,
    /// Firmware.
    Firmware,
    /// How many machines the row stands for.
    Count,
    /// Price of energy.
    Price,
}

impl Column {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Serial, Self::Model, Self::Terahash, Self::Watts, Self::Firmware, Self::Count, Self::Price];

    const fn is_text(self) -> bool {
        matches!(self, Self::Serial | Self::Model | Self::Firmware)
    }
}

/// Names of columns, squeezed to letters and digits.
const NAMES: [(Column, &[&str]); 7] = [
    (
        Column::Serial,
        &["serial", "serialnumber", "serialno", "sn", "assetid", "minerid", "序列号", "编号", "资产编号", "机号"],
    ),
    (
        Column::Model,
        &[
            "model",
            "miner",
            "minermodel",
            "minertype",
            "machine",
            "type",
            "型号",
            "矿机型号",
            "机型",
            "矿机",
            "设备型号",
        ],
    ),
    (
        Column::Terahash,
        &[
            "terahashpersecond",
            "terahash",
            "hashrate",
            "hashratenominal",
            "ths",
            "th",
            "ratedhashrate",
            "算力",
            "额定算力",
        ],
    ),
    (
        Column::Watts,
        &["watts", "watt", "power", "powerdraw", "powerw", "wallpower", "w", "功耗", "功率", "额定功率", "额定功耗"],
    ),
    (Column::Firmware, &["firmware", "fw", "固件", "固件版本"]),
    (Column::Count, &["count", "quantity", "qty", "units", "数量", "台数"]),
    (
        Column::Price,
        &["usdperkwh", "usdkwh", "powerprice", "electricityprice", "energyprice", "电价", "usdpermwh", "usdmwh"],
    ),
];

/// Columns that a failed-rows file has of ours.
pub(super) const OURS: [&str; 4] = ["line", "code", "message_en", "message_zh"];

/// How many of ours a unit is: times the first, over the second.
pub(super) type Unit = (i64, i64);

/// Units that a heading or a cell may name, with how many of ours they are:
/// times the first, over the second.
pub(super) const UNITS: [(Column, &str, i64, i64); 19] = [
    (Column::Terahash, "ghs", 1, 1000),
    (Column::Terahash, "gh", 1, 1000),
    (Column::Terahash, "ths", 1, 1),
    (Column::Terahash, "th", 1, 1),
    (Column::Terahash, "t", 1, 1),
    (Column::Terahash, "phs", 1000, 1),
    (Column::Terahash, "ph", 1000, 1),
    (Column::Terahash, "mhs", 1, 1_000_000),
    (Column::Watts, "watts", 1, 1),
    (Column::Watts, "watt", 1, 1),
    (Column::Watts, "kw", 1000, 1),
    (Column::Watts, "w", 1, 1),
    (Column::Price, "usdkwh", 1, 1),
    (Column::Price, "kwh", 1, 1),
    (Column::Price, "usdmwh", 1, 1000),
    (Column::Price, "mwh", 1, 1000),
    (Column::Count, "pcs", 1, 1),
    (Column::Count, "units", 1, 1),
    (Column::Count, "台", 1, 1),
];

/// The header of a file.
#[derive(Debug)]
pub(super) struct Header {
    /// The delimiter.
    pub(super) delimiter: u8,
    /// Bytes it takes, with what stands before it.
    pub(super) bytes: usize,
    /// Lines it takes.
    pub(super) lines: u64,
    /// How many fields a row must have.
    pub(super) width: usize,
    /// Meaning and unit, by position.
    pub(super) columns: Vec<Option<(Column, Unit)>>,
    names: Vec<String>,
    /// Headings of the columns that are kept in a failed-rows file.
    pub(super) kept: Vec<String>,
    positions_kept: Vec<usize>,
    encoding: Encoding,
}

impl Header {
    /// Reads the first line of `head`.
    pub(super) fn read(head: &[u8], encoding: Encoding) -> Result<Self, ImportError> {
        if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
            return Err(ImportError::Utf16);
        }
        let mark = if head.starts_with(BOM) { BOM.len() } else { 0 };
        let text = head.get(mark..).unwrap_or_default();
        let blank = text.iter().take_while(|byte| b"\r\n".contains(byte)).count();
        let line = text.get(blank..).unwrap_or_default();
        if line.is_empty() {
            return Err(ImportError::Empty);
        }
        let candidates = [b',', b';', b'\t'].map(|delimiter| (delimiter, fields(line, delimiter)));
        let known = |fields: &[Vec<u8>]| {
            fields.iter().filter(|field| !matches!(meaning(&encoding.shown(field)), Meaning::Nothing)).count()
        };
        // The first of the best.
        if !head.contains(&b'\n') && line.contains(&b'\r') {
            return Err(ImportError::CarriageReturns);
        }
        let (delimiter, (fields, length)) = candidates
            .into_iter()
            .rev()
            .max_by_key(|(_, (fields, _))| (known(fields), fields.len()))
            .ok_or(ImportError::Empty)?;
        if length > HEADER_MAX {
            return Err(ImportError::LongHeader(HEADER_MAX));
        }
        if fields.len() >= FIELDS_MAX {
            return Err(ImportError::TooManyColumns(FIELDS_MAX - 1));
        }
        let names: Vec<String> = fields.iter().map(|field| encoding.shown(field).trim().to_owned()).collect();
        let columns = columns(&names)?;
        let has = |column: Column| columns.iter().flatten().any(|(known, _)| *known == column);
        let enough = has(Column::Model) || (has(Column::Terahash) && has(Column::Watts));
        if !enough {
            let shown: String = names.join(" | ").chars().take(200).collect();
            return Err(ImportError::NoKnownColumn(shown));
        }
        // A failed-rows file of ours ends with these; anywhere else they are the
        // user's own.
        let ours = if names.ends_with(&OURS.map(str::to_owned)) { OURS.len() } else { 0 };
        let positions_kept: Vec<usize> = (0..names.len() - ours).collect();
        let kept = positions_kept.iter().map(|at| names[*at].clone()).collect();
        let before = blank_lines(&text[..blank]);
        let lines = before + memchr::memchr_iter(b'\n', &line[..length]).count() as u64;
        Ok(Self {
            delimiter,
            bytes: mark + blank + length,
            lines,
            width: names.len(),
            columns,
            names,
            kept,
            positions_kept,
            encoding,
        })
    }

    /// Headings of columns that mean nothing here.
    pub(super) fn unused(&self) -> Vec<String> {
        let known = |at: &usize| self.columns.get(*at).is_some_and(Option::is_some);
        self.positions_kept.iter().filter(|at| !known(at)).map(|at| self.name(*at)).collect()
    }

    /// The original fields of a row, without ours.
    pub(super) fn original(&self, row: &[u8]) -> Vec<String> {
        let (fields, _) = fields(row, self.delimiter);
        // Each as what it is: one of them may be of another encoding.
        let text = |field: &Vec<u8>| {
            let own = self.encoding.text(field).map(std::borrow::Cow::into_owned);
            own.unwrap_or_else(|| self.encoding.other().shown(field))
        };
        let mut kept: Vec<String> =
            self.positions_kept.iter().map(|at| fields.get(*at).map_or_else(String::new, text)).collect();
        // Nothing is lost: what has no heading stays behind the last field.
        if let (Some(rest), Some(last)) = (fields.get(self.width..), kept.last_mut()) {
            for field in rest {
                last.push(char::from(self.delimiter));
                last.push_str(&text(field));
            }
        }
        kept
    }

    /// The heading at a position.
    pub(super) fn name(&self, at: usize) -> String {
        self.names.get(at).cloned().unwrap_or_else(|| format!("field {}", at + 1))
    }
}

/// Bytes a header may have.
const HEADER_MAX: usize = 32 * 1024;

fn blank_lines(blank: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', blank).count() as u64
}

/// The fields of the first record in `text`, and the bytes it takes.
pub(super) fn fields(text: &[u8], delimiter: u8) -> (Vec<Vec<u8>>, usize) {
    let mut reader = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
    let (mut output, mut ends) = (vec![0; text.len()], vec![0; FIELDS_MAX]);
    let (result, read, written, mut count) = reader.read_record(text, &mut output, &mut ends);
    if result == ReadRecordResult::InputEmpty {
        // The text ends without a line end.
        count += reader.read_record(&[], &mut output[written..], &mut ends[count..]).3;
    }
    let mut from = 0;
    let mut fields = Vec::with_capacity(count);
    for end in &ends[..count] {
        fields.push(output[from..*end].to_vec());
        from = *end;
    }
    (fields, read)
}

/// Meaning and unit of each column. Where several are texts of one
/// meaning, the one that says so best counts.
fn columns(names: &[String]) -> Result<Vec<Option<(Column, Unit)>>, ImportError> {
    let meanings: Vec<_> = names.iter().map(|name| meaning(name)).collect();
    if let Some(at) = meanings.iter().position(|meaning| matches!(meaning, Meaning::UnknownUnit)) {
        return Err(ImportError::UnknownUnit(names[at].clone()));
    }
    let meanings: Vec<_> = meanings.into_iter().map(Meaning::known).collect();
    let mut columns: Vec<_> = vec![None; names.len()];
    for column in Column::ALL {
        let means =
            |at: usize| meanings[at].filter(|(known, ..)| *known == column).map(|(_, unit, rank)| (rank, at, unit));
        let mut same: Vec<_> = (0..names.len()).filter_map(means).collect();
        same.sort_unstable();
        match same.as_slice() {
            [(_, first, _), (_, second, _), ..] if !column.is_text() => {
                return Err(ImportError::TwiceTheSame(names[*first].clone(), names[*second].clone()));
            }
            [(_, best, unit), ..] => columns[*best] = Some((column, *unit)),
            [] => {}
        }
    }
    Ok(columns)
}

/// What a heading means.
enum Meaning {
    /// The column, the unit it names, and how well it says so.
    Known(Column, Unit, usize),
    /// A quantity in a unit that is not known: cents, another currency.
    UnknownUnit,
    Nothing,
}

impl Meaning {
    fn known(self) -> Option<(Column, Unit, usize)> {
        match self {
            Self::Known(column, unit, rank) => Some((column, unit, rank)),
            Self::UnknownUnit | Self::Nothing => None,
        }
    }
}

/// A unit without what only separates its parts; other signs stay, so that what
/// they mean is not lost.
pub(super) fn unit_of(text: &str) -> String {
    text.replace('$', "usd")
        .chars()
        .filter(|c| !c.is_whitespace() && !"/._-()[]（）".contains(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Words about a quantity that do not change what it is.
const ABOUT: [&str; 6] = ["average", "avg", "nominal", "rated", "stated", "total"];

fn meaning(heading: &str) -> Meaning {
    let heading = heading.trim().to_lowercase();
    let (name, rest) = heading.split_once(['(', '（', '[']).unwrap_or((heading.as_str(), ""));
    let (unit, behind) = rest.split_once([')', '）', ']']).unwrap_or((rest, ""));
    let squeeze = |text: &str| unit_of(text).chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let (mut name, unit) = (squeeze(name) + &squeeze(behind), unit_of(unit));
    for word in ABOUT {
        name = name.strip_prefix(word).or(name.strip_suffix(word)).map_or(name.clone(), str::to_owned);
    }
    let factor = |column: Column, unit: &str| {
        let known = UNITS.into_iter().find(|(of, known, ..)| *of == column && *known == unit);
        known.map(|(.., times, over)| (times, over))
    };
    for (column, names) in NAMES {
        for (rank, known) in names.iter().enumerate() {
            // The unit stands behind the name, or in brackets, or nowhere.
            let Some(behind) = name.strip_prefix(known) else { continue };
            let named = if *known == "usdpermwh" {
                "usdmwh"
            } else if unit.is_empty() {
                behind
            } else {
                unit.as_str()
            };
            match factor(column, named) {
                Some(unit) if behind.is_empty() || behind == named => return Meaning::Known(column, unit, rank),
                None if behind.is_empty() && (named.is_empty() || column.is_text()) => {
                    return Meaning::Known(column, (1, 1), rank);
                }
                None if behind.is_empty() => return Meaning::UnknownUnit,
                _ => {}
            }
        }
    }
    Meaning::Nothing
}
