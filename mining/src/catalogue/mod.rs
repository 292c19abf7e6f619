//! Machines that are sold, with where each was read. A name does not determine
//! power: the key is vendor, model, hashrate bin, efficiency and cooling, and
//! where sources disagree both rows stay.

mod firmware;
mod recognition;
mod spelling;

use std::sync::LazyLock;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::input::Field;
use crate::micro::Micro;

pub use firmware::Firmware;
pub use recognition::{Confidence, Named, Recognition, Sighting, Unrecognized};

/// The catalogue as it is shipped.
pub const ROWS: &str = include_str!("../../data/asic-models.csv");

static SHIPPED: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(ROWS));

/// One row, as its source has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Who makes it.
    pub vendor: String,
    /// Its model.
    pub model: String,
    /// `air`, `hydro`, `immersion` or `unknown`.
    pub cooling: String,
    /// Nominal hashrate, TH/s.
    pub terahash: Micro,
    /// Nominal power at the wall, W. No source states a tolerance; vendors
    /// usually mean 3 to 10 %.
    pub watts: Micro,
    /// Efficiency as the source prints it, J/TH.
    pub joules_per_terahash: Micro,
    /// What the source adds.
    pub note: String,
    /// Where it was read.
    pub source: String,
}

/// All rows, and which version of them.
#[derive(Debug)]
pub struct Catalogue {
    rows: Vec<Row>,
    keys: Vec<String>,
    version: String,
}

impl Catalogue {
    /// The one that is shipped.
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// Rows that can be read; a test insists that of the shipped ones all can.
    fn read(text: &str) -> Self {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<Row> = reader.records().filter_map(|record| row(&record.ok()?)).collect();
        let keys = rows.iter().map(|row| spelling::key(&row.model)).collect();
        let version = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { rows, keys, version }
    }

    /// The rows, by vendor and model.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// SHA-256 of the file.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Rows of the model that is spelled so, when squeezed.
    fn of_key(&self, key: &str) -> impl Iterator<Item = &Row> {
        self.keys.iter().zip(&self.rows).filter(move |(known, _)| *known == key).map(|(_, row)| row)
    }
}

fn row(record: &csv::StringRecord) -> Option<Row> {
    let text = |at: usize| record.get(at).map(str::to_owned);
    let number = |at: usize, field: Field| field.read_micro(record.get(at)?).ok();
    Some(Row {
        vendor: text(0)?,
        model: text(1)?,
        cooling: text(2)?,
        terahash: number(3, Field::TerahashPerSecond)?,
        watts: number(4, Field::Watts)?,
        joules_per_terahash: Micro::parse(record.get(5)?).ok()?,
        note: text(6)?,
        source: text(7)?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_is_there_with_its_key_its_source_and_its_arithmetic() {
        let catalogue = Catalogue::shipped();
        assert_eq!(catalogue.rows().len(), ROWS.lines().count() - 1);
        let mut keys = BTreeSet::new();
        for row in catalogue.rows() {
            assert!(!row.source.is_empty(), "{row:?}");
            assert!(["air", "hydro", "immersion", "unknown"].contains(&row.cooling.as_str()), "{row:?}");
            let key = (&row.vendor, &row.model, row.terahash, row.joules_per_terahash, &row.cooling);
            assert!(keys.insert(key), "twice: {row:?}");
            // Printed efficiencies are rounded; none is off by more than half a percent.
            let power = row.joules_per_terahash.wide() * row.terahash.wide() / 1_000_000;
            assert!((power - row.watts.wide()).abs() * 200 <= row.watts.wide(), "{row:?}");
        }
        assert_eq!(catalogue.version().len(), 64);
        assert_eq!(Catalogue::read("vendor\nx\n").rows().len(), 0);
    }

    #[test]
    fn one_spelling_is_one_model_of_one_vendor() {
        let catalogue = Catalogue::shipped();
        for row in catalogue.rows() {
            let key = spelling::key(&row.model);
            let models: BTreeSet<_> = catalogue.of_key(&key).map(|row| (&row.vendor, &row.model)).collect();
            assert_eq!(models.len(), 1, "{key}: {models:?}");
        }
    }
}
