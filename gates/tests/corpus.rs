//! What tools write, read: every file of the corpus comes out as is written in
//! `corpus/EXPECTED.tsv`, which people review. `UPDATE=1` writes it anew.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test reads files")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use hashinsight_gates::evidence::{self, Facts, Findings, Timing};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn told(facts: &Facts) -> String {
    match facts {
        Facts::Tests(tests) => {
            let names: Vec<&str> = tests.failing.iter().chain(&tests.flaking).map(String::as_str).collect();
            format!(
                "{} passed, {} failed, {} skipped, {} flaky: {}",
                tests.passed,
                tests.failed,
                tests.skipped,
                tests.flaky,
                names.join(" | ")
            )
        }
        Facts::Coverage(coverage) => {
            let files = coverage.files.iter().map(|(path, lines)| format!("{path} {}/{}", lines.covered, lines.total));
            files.collect::<Vec<_>>().join(", ")
        }
        Facts::Timing(Timing { measures, failures }) => {
            let measures =
                measures.iter().map(|(name, m)| format!("{name} n={} mean={:.3} p95={:?}", m.samples, m.mean, m.p95));
            format!("{} {failures:?}", measures.collect::<Vec<_>>().join(", "))
        }
        Facts::Findings(Findings { tool, scan, found, suppressed, .. }) => {
            let found = found.iter().map(|w| format!("{} {:?} in {}", w.id, w.severity, w.subject));
            format!("{tool} {scan:?}, {suppressed} suppressed: {}", found.collect::<Vec<_>>().join(", "))
        }
        Facts::Bill(bill) => {
            format!("{} components, {} named, of {:?}", bill.components, bill.names.len(), bill.artifacts)
        }
        Facts::Lock(lock) => format!("{} packages", lock.names.len()),
        Facts::Provenance(p) => {
            format!("{} of {:?} from {:?}, signed: {}", p.builder, p.artifacts, p.commits, p.envelope.is_some())
        }
        Facts::Notes(notes) => format!("{notes:?}"),
        Facts::Golden(exactness) | Facts::Replay(exactness) => format!("{exactness:?}"),
        Facts::Status(status) => format!("{} objects", status.items.len()),
        Facts::Index(index) => format!("{} files of {}", index.files.len(), index.commit),
        Facts::Companion => "nothing of its own".to_owned(),
    }
}

#[test]
fn every_file_comes_out_as_reviewed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let (mut found, mut text) = (Vec::new(), String::new());
    files(&root, &mut found);
    for path in found {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
        if path.extension().is_some_and(|end| end == "tsv") {
            continue;
        }
        let outcome = match evidence::read(name, &std::fs::read(&path).unwrap()) {
            Ok(evidence) => format!("{}\t{}", evidence.format.as_str(), told(&evidence.facts)),
            Err(unread) => {
                let line = unread.refusal.line.map_or_else(|| "-".to_owned(), |line| line.to_string());
                format!("refused\tline {line}: {} → {}", unread.refusal, unread.refusal.next[0])
            }
        };
        writeln!(text, "{name}\t{}", outcome.replace('\n', " ")).unwrap();
    }
    let expected = root.join("EXPECTED.tsv");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&expected, &text).unwrap();
    }
    let reviewed = std::fs::read_to_string(&expected).unwrap();
    for (now, then) in text.lines().zip(reviewed.lines()) {
        assert_eq!(now, then);
    }
    assert_eq!(text.lines().count(), reviewed.lines().count());
}

#[test]
fn every_file_of_the_corpus_says_where_it_is_from() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let index = std::fs::read_to_string(root.join("INDEX.tsv")).unwrap();
    let mut found = Vec::new();
    files(&root, &mut found);
    for path in found.iter().filter(|path| path.extension().is_none_or(|end| end != "tsv")) {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
        let row = index.lines().find(|row| row.split('\t').next() == Some(name));
        let row = row.unwrap_or_else(|| panic!("{name} is not in INDEX.tsv"));
        assert!(row.contains("tool output") || row.contains("hand-made"), "{row}");
    }
}
