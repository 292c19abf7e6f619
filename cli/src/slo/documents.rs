//! Files of YAML documents, read as objects.

use std::path::{Path, PathBuf};

use hashinsight_crds::text::text;
use hashinsight_crds::{ErrorBudgetPolicy, ServiceLevelObjective};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::calculate::files::{read, wrong};
use crate::trouble::{Exit, Trouble};

/// A megabyte of objectives is thousands of them.
const MOST: u64 = 4 << 20;

/// A document and where it was read: `objectives.yaml:12`.
#[derive(Debug)]
pub struct Document {
    pub place: String,
    pub value: Value,
}

/// Every document of `files`, lists taken apart.
pub fn documents(files: &[PathBuf]) -> Result<Vec<Document>, Trouble> {
    let mut all = Vec::new();
    for file in files {
        let bytes = read(file, MOST)?;
        let whole = std::str::from_utf8(&bytes).map_err(|error| wrong(file, error, ""))?;
        for (line, text) in split(whole) {
            let place = format!("{}:{line}", file.display());
            let value: Value = serde_saphyr::from_str(&text).map_err(|error| {
                let why = error.to_string();
                wrong(Path::new(&place), why.lines().next().unwrap_or_default(), "")
            })?;
            match value {
                Value::Null => {}
                Value::Object(ref fields) if fields.get("kind").is_some_and(|kind| kind == "List") => {
                    let items = fields.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
                    all.extend(items.into_iter().map(|value| Document { place: place.clone(), value }));
                }
                value => all.push(Document { place, value }),
            }
        }
    }
    if all.is_empty() {
        let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        let what = text("there is no document in what was given", "给出的文件中没有文档");
        return Err(Trouble::new(Exit::Error, what, names.join(", "), "hashinsight slo lint --help"));
    }
    Ok(all)
}

/// Documents of a file with the line each begins at.
fn split(whole: &str) -> Vec<(usize, String)> {
    let mut parts = vec![(1, String::new())];
    for (number, line) in (1..).zip(whole.lines()) {
        if line == "---" || line.starts_with("--- ") {
            parts.push((number + 1, String::new()));
        } else if let Some((_, part)) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    parts.retain(|(_, part)| part.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')));
    parts
}

/// The objectives and policies among `documents`; anything else is refused.
pub struct Ours {
    pub objectives: Vec<(String, ServiceLevelObjective)>,
    pub policies: Vec<(String, ErrorBudgetPolicy)>,
}

pub fn ours(documents: Vec<Document>) -> Result<Ours, Trouble> {
    let mut ours = Ours { objectives: Vec::new(), policies: Vec::new() };
    for Document { place, value } in documents {
        match value["kind"].as_str() {
            Some("ServiceLevelObjective") => ours.objectives.push((place.clone(), typed(&place, value)?)),
            Some("ErrorBudgetPolicy") => ours.policies.push((place.clone(), typed(&place, value)?)),
            other => {
                let kind = other.unwrap_or("no kind");
                let why = format!("{kind}: a ServiceLevelObjective or an ErrorBudgetPolicy is wanted");
                let next = if value["apiVersion"].as_str().is_some_and(|version| version.starts_with("openslo/")) {
                    "hashinsight slo import FILE"
                } else {
                    ""
                };
                return Err(wrong(Path::new(&place), why, next));
            }
        }
    }
    Ok(ours)
}

fn typed<T: DeserializeOwned>(place: &str, value: Value) -> Result<T, Trouble> {
    serde_json::from_value(value).map_err(|error| wrong(Path::new(place), error, "hashinsight slo lint --help"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_split_and_numbered() {
        let parts = split("# head\n---\na: 1\n---\n# nothing\n--- # with a word\nb: 2\n");
        assert_eq!(parts.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 7]);
    }
}
