//! LCOV tracefiles: `SF:` opens a source file, `DA:line,hits` tells of a line,
//! `LF:`/`LH:` sum up, and may not come to less than the lines, `end_of_record`
//! closes.

use std::collections::BTreeMap;

use super::super::Refusal;
use super::{Coverage, Gathered};

#[derive(Default)]
struct Record {
    path: String,
    line: u64,
    lines: Vec<(u64, bool)>,
    found: Option<u64>,
    hit: Option<u64>,
}

pub fn read(text: &str) -> Result<Coverage, Refusal> {
    let (mut gathered, mut open) = (Gathered::default(), None::<Record>);
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        let whole =
            |text: &str| text.parse::<u64>().map_err(|_| Refusal::at(number, format!("{text:?} is no whole number")));
        match (line.split_once(':'), &mut open) {
            (Some(("SF", path)), None) => {
                open = Some(Record { path: path.to_owned(), line: number, ..Record::default() });
            }
            (Some(("SF", _)), Some(record)) => {
                return Err(Refusal::at(record.line, "the record that begins here has no end_of_record"));
            }
            (Some(("DA", data)), Some(record)) => {
                let mut parts = data.split(',');
                let (at, hits) = (whole(parts.next().unwrap_or_default())?, whole(parts.next().unwrap_or_default())?);
                record.lines.push((at, hits > 0));
            }
            (Some(("LF", count)), Some(record)) => record.found = Some(whole(count)?),
            (Some(("LH", count)), Some(record)) => record.hit = Some(whole(count)?),
            (None, _) if line == "end_of_record" => {
                let record = open.take().ok_or_else(|| Refusal::at(number, "end_of_record without SF"))?;
                close(record, &mut gathered)?;
            }
            (None, _) if line.is_empty() || line.starts_with('#') => {}
            // Functions, branches, versions: understood, and not asked for.
            (Some(("TN", _)), None) => {}
            (Some((key, _)), Some(_)) if KNOWN.contains(&key) => {}
            _ => return Err(Refusal::at(number, format!("not a line of LCOV: {line:?}"))),
        }
    }
    match open {
        Some(record) => Err(Refusal::at(record.line, "the record that begins here has no end_of_record")),
        None => gathered.done(),
    }
}

const KNOWN: [&str; 16] =
    ["TN", "VER", "FN", "FNDA", "FNF", "FNH", "FNL", "FNA", "BRDA", "BRF", "BRH", "BA", "BF", "MCDC", "MCF", "MCH"];

fn close(record: Record, gathered: &mut Gathered) -> Result<(), Refusal> {
    let mut distinct: BTreeMap<u64, bool> = BTreeMap::new();
    for (line, hit) in &record.lines {
        *distinct.entry(*line).or_default() |= hit;
    }
    let (found, hit) = (distinct.len() as u64, distinct.values().filter(|hit| **hit).count() as u64);
    for (what, declared, counted) in [("LF", record.found, found), ("LH", record.hit, hit)] {
        if let Some(declared) = declared.filter(|declared| *declared < counted) {
            let told = format!("{}: {what}:{declared}, but its DA lines come to {counted}", record.path);
            return Err(Refusal::at(record.line, told));
        }
    }
    let kept = gathered.file(&record.path);
    for (line, hit) in distinct {
        *kept.entry(line).or_default() |= hit;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Lines;

    const ONE: &str = "TN:\nSF:src/a.rs\nFN:1,a\nFNDA:2,a\nDA:1,2\nDA:2,0\nLF:2\nLH:1\nend_of_record\n";

    #[test]
    fn lines_are_counted_and_sums_must_agree() {
        let coverage = read(ONE).unwrap();
        assert_eq!(coverage.files["src/a.rs"], Lines { total: 2, covered: 1 });
        // LLVM's sums hold lines that it does not tell of one by one, for each
        // time a generic function was made; what is told of counts.
        let llvm = read(&ONE.replace("LF:2\nLH:1", "LF:5\nLH:4")).unwrap();
        assert_eq!(llvm.files["src/a.rs"], Lines { total: 2, covered: 1 });
        for (from, to, why) in [
            ("LF:2", "LF:1", "come to 2"),
            ("LH:1", "LH:0", "come to 1"),
            ("end_of_record\n", "", "no end_of_record"),
            ("DA:2,0", "DA:2,99999999999999999999", "no whole number"),
            ("FN:1,a", "ZZ:1,a", "not a line"),
        ] {
            let refusal = read(&ONE.replace(from, to)).unwrap_err();
            assert!(refusal.what.contains(why), "{from}: {refusal}");
        }
    }
}
