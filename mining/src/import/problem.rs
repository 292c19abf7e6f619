//! What can be wrong with a row, or with a whole file.

use crate::Sentence;
use crate::catalogue::Unrecognized;
use crate::import::encoding::Encoding;
use crate::input::Refusal;

/// Why a file cannot be imported at all.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error("the file cannot be read: {0}")]
    Read(std::io::Error),
    /// What was imported cannot be written.
    #[error("the result cannot be written: {0}")]
    Sink(std::io::Error),
    /// It is empty.
    #[error("the file is empty; see hashinsight fleet template")]
    Empty,
    /// It is UTF-16.
    #[error("the file is UTF-16; save it as \"CSV UTF-8\"")]
    Utf16,
    /// Its first line names nothing that is known.
    #[error(
        "line 1: none of the columns is known: {0}; a model, or hashrate and power are needed (hashinsight fleet template)"
    )]
    NoKnownColumn(String),
    /// Two columns mean the same.
    #[error("line 1: the columns \"{0}\" and \"{1}\" mean the same; leave one")]
    TwiceTheSame(String, String),
    /// A quantity in a unit that is not known.
    #[error(
        "line 1: the unit of \"{0}\" is not known; hashrate in TH/s, GH/s or PH/s, power in W or kW, energy in USD/kWh or USD/MWh"
    )]
    UnknownUnit(String),
    /// Its lines end in a way of long ago.
    #[error("lines end in carriage returns alone; save the file with line ends of Windows or Unix")]
    CarriageReturns,
    /// It has more columns than are read.
    #[error("line 1: more than {0} columns; remove those that are not needed")]
    TooManyColumns(usize),
    /// Its first line is no header.
    #[error("line 1: longer than {0} bytes, which is no header")]
    LongHeader(usize),
    /// It has too many rows.
    #[error("more than {} rows; split the file", super::ROWS_MAX)]
    TooManyRows,
    /// A worker stopped.
    #[error("a worker stopped; this is a mistake of the program")]
    Worker,
}

/// Why a row cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It has more or fewer fields than the header.
    Ragged {
        /// Its fields.
        found: usize,
        /// The header's.
        wanted: usize,
    },
    /// The file ends within it.
    Truncated {
        /// Its fields.
        found: usize,
        /// The header's.
        wanted: usize,
    },
    /// A quote is opened and not closed on its line.
    UnclosedQuote,
    /// A field is far too long.
    TooLong {
        /// The column.
        field: String,
    },
    /// Bytes of another encoding than the file's.
    MixedEncoding {
        /// The column.
        field: String,
        /// The file's encoding.
        file: Encoding,
    },
    /// A number is none, or beyond its limits.
    Number {
        /// The column as the file names it.
        column: String,
        /// Why.
        refusal: Refusal,
    },
    /// The model is not known, or not enough of it.
    Model {
        /// The text.
        text: String,
        /// Why.
        why: Unrecognized,
    },
    /// Nothing says what it is.
    Nothing,
    /// The serial number was there before.
    Duplicate {
        /// On this line.
        first: u64,
    },
}

/// A row that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its line in the file.
    pub line: u64,
    /// Why.
    pub problem: Problem,
    /// Its fields as they were, in the order of the header.
    pub fields: Vec<String>,
}

impl Problem {
    /// A stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Ragged { .. } => "Ragged",
            Self::Truncated { .. } => "Truncated",
            Self::UnclosedQuote => "UnclosedQuote",
            Self::TooLong { .. } => "TooLong",
            Self::MixedEncoding { .. } => "MixedEncoding",
            Self::Number { refusal, .. } => refusal.code(),
            Self::Model { why, .. } => why.code(),
            Self::Nothing => "Nothing",
            Self::Duplicate { .. } => "Duplicate",
        }
    }

    /// The column it is in, as the file names it; none where it is in no one.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::TooLong { field } | Self::MixedEncoding { field, .. } => Some(field),
            Self::Number { column, .. } => Some(column),
            Self::Model { .. } => Some("model"),
            Self::Duplicate { .. } => Some("serial"),
            Self::Ragged { .. } | Self::Truncated { .. } | Self::UnclosedQuote | Self::Nothing => None,
        }
    }

    /// What it means and what to do.
    pub fn sentence(&self) -> Sentence {
        let (en, zh) = match self {
            Self::Ragged { found, wanted } => (
                format!("{found} fields where the header has {wanted}: check the delimiter and quotes"),
                format!("有 {found} 个字段，而表头有 {wanted} 个：请检查分隔符和引号"),
            ),
            Self::Truncated { found, wanted } => (
                format!("the file ends here, with {found} of {wanted} fields: export it again"),
                format!("文件在此处中断，只有 {found}/{wanted} 个字段：请重新导出"),
            ),
            Self::UnclosedQuote => (
                "a quote is opened and not closed: write a quote inside a field twice".to_owned(),
                "引号未闭合：字段内的引号请写两次".to_owned(),
            ),
            Self::TooLong { field } => (
                format!("{field}: far too long; it is cut here, the file has all of it"),
                format!("{field}：内容过长；此处已截断，原文件中保留全部内容"),
            ),
            Self::MixedEncoding { field, file } => (
                format!("{field}: not {} like the rest of the file: save the file in one encoding", file.name()),
                format!("{field}：编码与文件其余部分（{}）不同：请用同一种编码保存", file.name()),
            ),
            Self::Number { column, refusal } => {
                let named = format!("{column}: ");
                (format!("{named}{refusal}"), format!("{named}{}", refusal.sentence().zh))
            }
            Self::Model { text, why } => {
                let Sentence { en, zh } = why.sentence(text);
                (en, zh)
            }
            Self::Nothing => (
                "neither a model nor hashrate and power: fill in one of them".to_owned(),
                "既无型号，也无算力和功耗：请填写其一".to_owned(),
            ),
            Self::Duplicate { first } => (
                format!("this serial number stands on line {first} already: remove one of them"),
                format!("该序列号已在第 {first} 行出现：请删除其一"),
            ),
        };
        Sentence { en, zh }
    }
}
