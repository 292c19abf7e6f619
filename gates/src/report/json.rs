//! All of it, with the schema that is published as `gate-verdict.schema.json`.

use crate::verdict::Verdict;

pub fn render(verdict: &Verdict) -> String {
    serde_json::to_string_pretty(verdict).unwrap_or_default() + "\n"
}
