//! `golden`: the golden samples, computed here or by a calculation core, held
//! against what is shipped. The JSON is evidence for the release gate.

use std::collections::BTreeMap;
use std::path::Path;

use hashinsight_mining::golden::{Mismatch, SAMPLES, computed, each};
use hashinsight_mining::record::LIBRARY;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::calculate::files::{read, wrong};
use crate::output::{Answer, Block};
use crate::trouble::{Exit, Trouble};

/// A document has twenty samples.
const LARGEST: u64 = 4 << 20;

#[derive(Deserialize)]
struct Sample {
    case: String,
    figures: BTreeMap<String, Value>,
}

pub fn golden(document: Option<&Path>) -> Result<Answer, Trouble> {
    let samples = match document {
        None => computed(SAMPLES).map_err(unreadable)?,
        Some(path) => {
            let next = "curl -s http://CORE:PROBES/golden | hashinsight golden -";
            let found: Vec<Sample> =
                serde_json::from_slice(&read(path, LARGEST)?).map_err(|error| wrong(path, error, next))?;
            let figures: BTreeMap<String, BTreeMap<String, Value>> =
                found.into_iter().map(|sample| (sample.case, sample.figures)).collect();
            each(SAMPLES, |case, column| match figures.get(case)?.get(column)? {
                Value::String(figure) => Some(figure.clone()),
                other => Some(other.to_string()),
            })
            .map_err(unreadable)?
        }
    };
    let different: Vec<String> = samples.iter().flatten().map(ToString::to_string).collect();
    let (total, exact) = (samples.len(), samples.len() - different.len());
    let head = format!("{exact} of {total} golden samples exact ({LIBRARY})");
    let lines = different.iter().map(|told| format!("✗ {told}")).chain([head]);
    Ok(Answer {
        exit: if different.is_empty() && total > 0 { Exit::Ok } else { Exit::Refused },
        data: json!({
            "schemaVersion": 1, "kind": "GoldenSamples", "library": LIBRARY, "samples": total, "exact": exact,
            "different": different,
        }),
        names: different.clone(),
        csv: None,
        blocks: lines.map(Block::Line).collect(),
    })
}

fn unreadable(mismatch: Mismatch) -> Trouble {
    let what = hashinsight_crds::text::text("the golden samples cannot be read", "无法读取黄金样本");
    Trouble::new(Exit::Error, what, mismatch.to_string(), "hashinsight version")
}
