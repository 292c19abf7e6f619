//! A row: numbers as they are stated, the rest from the catalogue.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::encoding::Encoding;
use super::header::{Column, Header, UNITS, fields, unit_of};
use super::problem::Problem;
use crate::Sentence;
use crate::catalogue::{Catalogue, Firmware, Named, Recognition, Unrecognized};
use crate::exact::NotANumber;
use crate::fleet::Kind;
use crate::input::{Field, Refusal};
use crate::micro::Micro;

/// Names whose meaning is kept, so that the same one is not looked up again.
const NAMES_MAX: usize = 4096;
/// Characters of a name that are kept when it is not in the catalogue.
const NAME_MAX: usize = 60;

/// Columns of [`Accepted::cells`].
pub const ACCEPTED_COLUMNS: [&str; 11] = [
    "serial",
    "model",
    "terahash_per_second",
    "watts",
    "firmware",
    "count",
    "usd_per_kwh",
    "confidence",
    "reason_en",
    "reason_zh",
    "warning",
];

/// A row that can be computed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its serial number; empty when none is given.
    pub serial: String,
    /// Its numbers, and how many of them.
    pub kind: Kind,
    /// Its firmware.
    pub firmware: Option<Firmware>,
    /// What the catalogue says; none when it knows nothing of it.
    pub recognition: Option<Recognition<'static>>,
    /// What is odd about it.
    pub warning: Option<Sentence>,
}

impl Accepted {
    /// The row as it is written out.
    pub fn cells(&self) -> [String; 11] {
        let reason = self.recognition.map(|known| known.reason());
        let (en, zh) = reason.map_or_else(Default::default, |reason| (reason.en, reason.zh));
        [
            self.serial.clone(),
            self.kind.model.clone(),
            self.kind.terahash.to_string(),
            self.kind.watts.to_string(),
            self.firmware.map_or_else(String::new, |firmware| firmware.name().to_owned()),
            self.kind.count.to_string(),
            self.kind.usd_per_kwh.map_or_else(String::new, |price| price.to_string()),
            self.recognition.map_or_else(String::new, |known| known.confidence.name().to_owned()),
            en,
            zh,
            self.warning.clone().map_or_else(String::new, |warning| format!("{} / {}", warning.en, warning.zh)),
        ]
    }
}

/// Reads rows under one header.
pub(super) struct Reader<'a> {
    header: &'a Header,
    encoding: Encoding,
    names: BTreeMap<String, Option<Rc<Named<'static>>>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(header: &'a Header, encoding: Encoding) -> Self {
        Self { header, encoding, names: BTreeMap::new() }
    }

    pub(super) fn delimiter(&self) -> u8 {
        self.header.delimiter
    }

    pub(super) fn width(&self) -> usize {
        self.header.width
    }

    pub(super) fn ragged(&self, found: usize, cut_off: bool) -> Problem {
        let wanted = self.width();
        if cut_off { Problem::Truncated { found, wanted } } else { Problem::Ragged { found, wanted } }
    }

    /// The heading of the field that `text` ends in.
    pub(super) fn field_at_end(&self, text: &[u8]) -> String {
        self.header.name(fields(text, self.delimiter()).0.len().saturating_sub(1))
    }

    /// The row whose unquoted fields end in `text` at `ends`; none when all are
    /// empty.
    pub(super) fn row(&mut self, text: &[u8], ends: &[usize]) -> Result<Option<Accepted>, Problem> {
        let mut cells: [(Cow<'_, str>, usize); 7] = std::array::from_fn(|_| (Cow::Borrowed(""), 0));
        let (mut from, mut empty) = (0, true);
        for (at, end) in ends.iter().enumerate() {
            let field = text.get(from..*end).unwrap_or_default();
            from = *end;
            empty &= field.iter().all(u8::is_ascii_whitespace);
            let wrong = || Problem::MixedEncoding { field: self.header.name(at), file: self.encoding };
            let decoded = self.encoding.text(field).ok_or_else(wrong)?;
            if let Some((column, _)) = self.header.columns.get(at).and_then(Option::as_ref) {
                cells[*column as usize] = (decoded, at);
            }
        }
        if empty {
            return Ok(None);
        }
        let cell = |column: Column| original(cells[column as usize].0.trim());
        let number = |column: Column, field: Field| self.number(column, field, cell(column), cells[column as usize].1);
        let (terahash, watts) =
            (number(Column::Terahash, Field::TerahashPerSecond)?, number(Column::Watts, Field::Watts)?);
        let usd_per_kwh = number(Column::Price, Field::UsdPerKwh)?;
        let count = number(Column::Count, Field::Count)?.unwrap_or(Micro::whole(1));
        let whole =
            u32::try_from(count.units() / 1_000_000).ok().filter(|whole| Micro::whole((*whole).into()) == count);
        let fraction = Refusal::NotANumber { field: Field::Count, text: count.to_string(), why: NotANumber::Spelling };
        let count = whole.ok_or_else(|| self.refused(cells[Column::Count as usize].1, fraction))?;
        let (model, firmware, serial) = (cell(Column::Model), cell(Column::Firmware), cell(Column::Serial));
        let named = self.named(model);
        let stated = if firmware.is_empty() { None } else { Firmware::of(firmware) };
        let firmware = stated.or(named.as_ref().and_then(|named| named.firmware));
        let serial = serial.to_owned();
        let kind = |terahash, watts, model: &str| Kind { terahash, watts, usd_per_kwh, model: model.to_owned(), count };
        let settled = named.map(|named| named.settle(firmware, terahash, watts));
        let (kind, recognition) = match (settled, terahash, watts) {
            (Some(Ok(found)), ..) => (kind(found.terahash, found.watts, &found.row.model), Some(found)),
            (_, Some(terahash), Some(watts)) => {
                (kind(terahash, watts, &model.chars().take(NAME_MAX).collect::<String>()), None)
            }
            (Some(Err(why)), ..) => return Err(unrecognized(model, why)),
            (None, ..) if model.is_empty() => return Err(Problem::Nothing),
            (None, ..) => return Err(unrecognized(model, Unrecognized::Unknown)),
        };
        let warning = odd(&kind).or_else(|| unlike(&kind, recognition?.row.joules_per_terahash));
        // What came from a file of ours or from the catalogue is within limits
        // as well: the fleet would refuse it later, without its line.
        for (field, value) in [(Field::TerahashPerSecond, kind.terahash), (Field::Watts, kind.watts)] {
            field.check_micro(value).map_err(|refusal| self.refused(cells[Column::Model as usize].1, refusal))?;
        }
        Ok(Some(Accepted { serial, kind, firmware, recognition, warning }))
    }

    fn named(&mut self, model: &str) -> Option<Rc<Named<'static>>> {
        if let Some(known) = self.names.get(model) {
            return known.clone();
        }
        if self.names.len() >= NAMES_MAX {
            self.names.clear();
        }
        let named = Catalogue::shipped().name(model).map(Rc::new);
        self.names.insert(model.to_owned(), named.clone());
        named
    }

    fn refused(&self, at: usize, refusal: Refusal) -> Problem {
        Problem::Number { column: self.header.name(at), refusal }
    }

    /// A number with its unit, in ours; none where the cell is empty.
    fn number(&self, column: Column, field: Field, cell: &str, at: usize) -> Result<Option<Micro>, Problem> {
        if cell.is_empty() {
            return Ok(None);
        }
        let heading = self.header.columns.get(at).and_then(Option::as_ref).map_or((1, 1), |(_, unit)| *unit);
        let digits = cell.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-').unwrap_or(cell.len());
        let (digits, unit) = cell.split_at(digits);
        let unit = unit_of(unit);
        let own = UNITS.iter().find(|(of, known, ..)| !unit.is_empty() && *of == column && *known == unit);
        let (times, over) = own.map_or(heading, |(.., times, over)| (*times, *over));
        // What is no unit is part of something that is no number.
        let digits = if own.is_none() && !unit.is_empty() { cell } else { digits };
        let refuse = |why| self.refused(at, Refusal::NotANumber { field, text: cell.chars().take(40).collect(), why });
        let value = Micro::parse(digits).map_err(refuse)?;
        let scaled = value.units().checked_mul(times).ok_or_else(|| refuse(NotANumber::Long))?;
        if scaled % over != 0 {
            return Err(refuse(NotANumber::Precise));
        }
        let value = Micro::of(scaled / over);
        field.check_micro(value).map_err(|refusal| self.refused(at, refusal))?;
        Ok(Some(value))
    }
}

/// The cell without the mark that keeps a spreadsheet from computing it.
fn original(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@'])).unwrap_or(cell)
}

fn unrecognized(model: &str, why: Unrecognized) -> Problem {
    Problem::Model { text: model.chars().take(NAME_MAX).collect(), why }
}

/// A warning for an efficiency no machine is known to have.
fn odd(kind: &Kind) -> Option<Sentence> {
    let (watts, terahash) = (kind.watts.wide(), kind.terahash.wide());
    (watts < 5 * terahash || watts > 150 * terahash).then(|| Sentence {
        en: "efficiency is outside 5 to 150 J/TH: check hashrate and power".to_owned(),
        zh: "能效超出 5 至 150 J/TH：请核对算力和功耗".to_owned(),
    })
}

/// A warning for an efficiency that is far from the catalogue's.
fn unlike(kind: &Kind, catalogue: Micro) -> Option<Sentence> {
    let (stated, nominal) = (kind.watts.wide() * 1_000_000, catalogue.wide() * kind.terahash.wide());
    ((stated - nominal).abs() * 5 > nominal).then(|| Sentence {
        en: format!("efficiency is more than a fifth from the catalogue's {catalogue} J/TH"),
        zh: format!("能效与目录中的 {catalogue} J/TH 相差超过五分之一"),
    })
}
