//! The mining arithmetic. Every figure is exact until it is printed, says under
//! which convention it was computed, and comes out the same on every machine
//! and in every year: no floating point, no clock, no randomness, no file.
//!
//! # The contract of a day
//!
//! A day has 86,400 seconds. A block takes `D · 2^32` hashes on average, so a
//! machine of `h` hashes a second earns
//!
//! ```text
//! BTC/day = h · 86400 / (D · 2^32) · (S + F) · (1 − pool fee) · uptime
//! ```
//!
//! with subsidy `S` and fees `F` a block. (Difficulty 1 is really
//! `2^48 / 65535` hashes, 0.0015 % more: the custom of the trade is 2^32 and
//! it is this contract's.) Network hashrate is `D · 2^32 / 600`, from the
//! header's difficulty, never from counted blocks. Energy is
//! `W · 0.024 · meter factor · uptime` kWh a day. Results are rounded half
//! away from zero at 12 decimals, once, at the end.

pub mod catalogue;
pub mod curtailment;

pub mod daily;
pub mod depreciation;
pub mod exact;
pub mod fleet;
pub mod golden;
pub mod growth;
pub mod import;
pub mod input;
pub mod micro;
pub mod payback;
pub mod picture;
pub mod projection;
pub mod protocol;
pub mod record;
pub mod schemes;
pub mod staged;

pub use daily::{Case, Daily};
pub use exact::Exact;
pub use fleet::Fleet;
pub use input::{Field, Refusal};
pub use micro::Micro;
pub use staged::Pico;

/// One plain sentence in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// English.
    pub en: String,
    /// Chinese, simplified.
    pub zh: String,
}

impl Sentence {
    /// In one language.
    pub fn to(&self, language: Language) -> String {
        language.pick(&self.en, &self.zh).clone()
    }
}

/// A language people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Chinese, simplified.
    Chinese,
}

impl Language {
    /// The one of two that is in this language.
    pub fn pick<T>(self, english: T, chinese: T) -> T {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }
}
