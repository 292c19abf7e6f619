//! Rounds into one table: medians, and the ratio to the raw writer of the same
//! round.

#![allow(clippy::cast_precision_loss, reason = "counts far below 2^53")]

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::stage::System;

/// One system in one round.
#[derive(Debug)]
pub struct Row {
    pub system: System,
    pub size: usize,
    pub writes: usize,
    /// Seconds from its first write to its last.
    pub writing: f64,
    /// Seconds from its start to its last write.
    pub whole: f64,
    pub held: Option<Held>,
}

/// What only a controller has.
#[derive(Debug)]
pub struct Held {
    /// MiB when all was quiet.
    pub steady: f64,
    /// MiB at most.
    pub peak: f64,
    /// Calls while nothing happened; leases and watches aside.
    pub idle: usize,
    /// Writes after a restart on what was settled.
    pub vain: usize,
    /// Milliseconds from the edit of a child to its repair.
    pub repair: Vec<f64>,
    /// Milliseconds from the edit of a tenant to its effect.
    pub follow: Vec<f64>,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get((values.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// The table for docs/benchmarks.md.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| tenants | system | writes per tenant | tenants/s | of the raw writer | start to last write | steady MiB | peak MiB | \
         idle calls | writes after a restart | repair p50, p99 | effect p50, p99 |\n|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    let keys: BTreeSet<(usize, System)> = rows.iter().map(|row| (row.size, row.system)).collect();
    for (size, system) in keys {
        let of = |wanted: System| rows.iter().filter(move |row| row.size == size && row.system == wanted);
        let speed = |row: &Row| row.size as f64 / row.writing;
        let ratios = of(system).zip(of(System::Raw)).map(|(row, raw)| speed(row) / speed(raw)).collect();
        let whole: Vec<f64> = of(system).map(|row| row.whole).collect();
        let _ = write!(
            text,
            "| {size} | {} | {:.1} | {:.0} | {:.0} % | {:.1} s ({:.1}–{:.1}) |",
            system.name(),
            median(of(system).map(|row| row.writes as f64 / size as f64).collect()),
            median(of(system).map(speed).collect()),
            100.0 * median(ratios),
            median(whole.clone()),
            percentile(&whole, 0),
            percentile(&whole, 100),
        );
        let held: Vec<&Held> = of(system).filter_map(|row| row.held.as_ref()).collect();
        if held.is_empty() {
            text.push_str(" – | – | – | – | – | – |\n");
            continue;
        }
        let all = |field: fn(&Held) -> &Vec<f64>| -> Vec<f64> { held.iter().flat_map(|h| field(h).clone()).collect() };
        let (repair, follow) = (all(|h| &h.repair), all(|h| &h.follow));
        let _ = writeln!(
            text,
            " {:.0} | {:.0} | {:.0} | {:.0} | {} | {} |",
            median(held.iter().map(|h| h.steady).collect()),
            median(held.iter().map(|h| h.peak).collect()),
            median(held.iter().map(|h| h.idle as f64).collect()),
            median(held.iter().map(|h| h.vain as f64).collect()),
            times(&repair),
            times(&follow),
        );
    }
    text
}

fn times(values: &[f64]) -> String {
    let lost = values.iter().filter(|value| value.is_infinite()).count();
    if lost > 0 {
        return format!("{lost} of {} never", values.len());
    }
    format!("{:.0}, {:.0} ms", percentile(values, 50), percentile(values, 99))
}

/// What our operator did in vain, or not at all.
pub fn faults(rows: &[Row]) -> Vec<String> {
    let mut faults = Vec::new();
    for row in rows.iter().filter(|row| row.system == System::Operator) {
        let Some(held) = &row.held else { continue };
        if held.vain > 0 {
            faults.push(format!("{} tenants: {} writes after a restart", row.size, held.vain));
        }
        let lost = held.repair.iter().chain(&held.follow).filter(|time| time.is_infinite()).count();
        if lost > 0 {
            faults.push(format!("{} tenants: {lost} edits without effect", row.size));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp, reason = "no arithmetic is done on them")]
    fn percentiles_are_of_what_was_measured() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!([0, 50, 99, 100].map(|p| percentile(&hundred, p)), [1.0, 50.0, 99.0, 100.0]);
        assert!(percentile(&[], 50).is_nan());
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
    }
}
