//! Figures as people read them.

use hashinsight_crds::text::{Language, text};
use hashinsight_mining::{Exact, Pico, Sentence};

use crate::output::{Block, Columns};

/// The library's language for ours.
pub fn tongue(language: Language) -> hashinsight_mining::Language {
    match language {
        Language::English => hashinsight_mining::Language::English,
        Language::Chinese => hashinsight_mining::Language::Chinese,
    }
}

pub fn sentence(en: &str, zh: &str) -> Sentence {
    Sentence { en: en.to_owned(), zh: zh.to_owned() }
}

/// Names and values under each other.
pub fn pairs(rows: &[(Sentence, String)], language: Language) -> Block {
    let rows = rows.iter().map(|(name, value)| vec![name.to(tongue(language)), value.clone()]).collect();
    Block::Columns(Columns { headings: vec![text("FIGURE", "指标"), text("VALUE", "数值")], wide: 0, rows })
}

/// Both languages, for programs.
pub fn both(sentence: &Sentence) -> serde_json::Value {
    serde_json::json!({"en": sentence.en, "zh": sentence.zh})
}

/// A value that may be undefined.
pub fn cell(value: Option<Pico>, decimals: u32) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.text(decimals))
}

/// The same of an exact number.
pub fn exact_cell(value: Option<&Exact>, decimals: u32) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.text(decimals))
}

/// Micro-dollars as dollars.
pub fn dollars(micro: i128) -> String {
    Exact::scaled(micro.into(), 6).text(2)
}
