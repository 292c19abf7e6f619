//! A public provider: where it is asked, and what its answers mean.

use bytes::Bytes;
use hashinsight_mining::{Exact, Field, Refusal};
use jiff::Timestamp;
use serde_json::Value;

/// A provider of prices, or of the network's state.
pub trait Source: Send + Sync + 'static {
    /// What it says.
    type Value: Clone + Send + Sync + 'static;
    /// Its name in settings, labels and answers.
    fn name(&self) -> &'static str;
    /// Paths that are asked, below the provider's address.
    fn paths(&self) -> &'static [&'static str];
    /// Reads the answers, one for each path. Judges nothing but their shape and
    /// the limits of their numbers.
    fn read(&self, answers: &[Bytes]) -> Result<Quote<Self::Value>, Unusable>;
}

/// What a provider said, and when, if it says when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote<V> {
    /// What.
    pub value: V,
    /// When, by its clock.
    pub at: Option<Timestamp>,
}

/// Why a provider's word is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It did not answer in time.
    #[error("no answer in time")]
    Timeout,
    /// It cannot be reached.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It answered with another status than 200.
    #[error("answered {0}")]
    Status(u16),
    /// Its answer is longer than is read.
    #[error("answered with more than {0} bytes")]
    TooLong(usize),
    /// Its answer has another shape than documented.
    #[error("answered in another shape: no usable {0}")]
    Garbage(&'static str),
    /// A number is beyond the limits of its field.
    #[error("{0}")]
    OutOfRange(Refusal),
    /// Its clock, or its figure, is too far ahead of ours.
    #[error("its clock is {0} s ahead")]
    Ahead(i64),
    /// Its figure is too old.
    #[error("its figure is {0} s old")]
    Old(i64),
    /// It failed too often and is left alone for a while.
    #[error("failed too often; left alone for a while")]
    Resting,
    /// It is far from what the others say.
    #[error("far from what the others say")]
    Outlier,
    /// It is far from the last good value, and no other provider says so too.
    #[error("far from the last good value, and nobody confirms it")]
    Jump,
}

impl Unusable {
    /// A stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Timeout => "Timeout",
            Self::Unreachable(_) => "Unreachable",
            Self::Status(_) => "Status",
            Self::TooLong(_) => "TooLong",
            Self::Garbage(_) => "Garbage",
            Self::OutOfRange(_) => "OutOfRange",
            Self::Ahead(_) => "ClockAhead",
            Self::Old(_) => "TooOld",
            Self::Resting => "Resting",
            Self::Outlier => "Outlier",
            Self::Jump => "Jump",
        }
    }

    /// Whether asking again at once may help.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Timeout | Self::Unreachable(_) | Self::Status(500..=599))
    }
}

/// A number in an answer, written as text or as a number.
pub(super) fn number(value: &Value, field: Field, what: &'static str) -> Result<Exact, Unusable> {
    let text = match value {
        Value::String(text) => text.clone(),
        // The shortest decimal of the double, without an exponent.
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), ..) => whole.to_string(),
            (_, Some(whole), _) => whole.to_string(),
            (.., Some(double)) => double.to_string(),
            _ => return Err(Unusable::Garbage(what)),
        },
        _ => return Err(Unusable::Garbage(what)),
    };
    field.read(&text).map_err(|refusal| match refusal {
        Refusal::OutOfRange { .. } => Unusable::OutOfRange(refusal),
        _ => Unusable::Garbage(what),
    })
}

/// A price: a number above zero.
pub(super) fn price(value: &Value) -> Result<Exact, Unusable> {
    let price = number(value, Field::PriceUsd, "price")?;
    if price.is_positive() { Ok(price) } else { Err(Unusable::Garbage("price")) }
}

/// JSON.
pub(super) fn json(answer: Option<&Bytes>) -> Result<Value, Unusable> {
    serde_json::from_slice(answer.map_or(&[], |bytes| bytes.as_ref())).map_err(|_| Unusable::Garbage("JSON"))
}
