//! `llvm-cov export`: lines by source file, as its summary has them.

use serde::Deserialize;

use super::super::{Refusal, bounded, json};
use super::{Coverage, Lines};

#[derive(Deserialize)]
struct Export {
    version: String,
    data: Vec<Data>,
}

#[derive(Deserialize)]
struct Data {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    summary: Summary,
}

#[derive(Deserialize)]
struct Summary {
    lines: Counted,
}

#[derive(Deserialize)]
struct Counted {
    count: u64,
    covered: u64,
}

pub fn read(text: &str) -> Result<Coverage, Refusal> {
    let export: Export = json::typed(text)?;
    if !export.version.starts_with("2.") && !export.version.starts_with("3.") {
        return Err(Refusal::new(format!("version {:?} of llvm-cov's export", export.version)));
    }
    let mut coverage = Coverage::default();
    for file in export.data.into_iter().flat_map(|data| data.files) {
        let Counted { count, covered } = file.summary.lines;
        if covered > count {
            return Err(Refusal::new(format!("{}: {covered} of {count} lines covered", file.filename)));
        }
        if coverage.files.insert(bounded(&file.filename), Lines { total: count, covered }).is_some() {
            return Err(Refusal::new(format!("{} twice", file.filename)));
        }
    }
    coverage.checked()
}
