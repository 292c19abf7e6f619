//! Fleets from the files people have: UTF-8 or GB18030, commas, semicolons or
//! tabs, headings in English or Chinese, any number of rows in bounded memory.
//!
//! The file is cut at line ends into shards; workers read shards side by side;
//! what they found is taken up in the order of the file. A row that cannot be
//! read costs that row alone, with a code, its line and its field. What grows
//! with the file is one entry for each serial number, to find it again.

mod encoding;
mod failed;
mod header;
mod problem;
mod row;
mod shard;
mod split;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Read;
use std::sync::mpsc::sync_channel;

use sha2::{Digest, Sha256};

pub use failed::{FailedRows, neutral, write_row};
pub use header::{Column, TEMPLATE_EN, TEMPLATE_ZH};
pub use problem::{ImportError, Problem, Refused};
pub use row::{ACCEPTED_COLUMNS, Accepted};

use encoding::Encoding;
use header::Header;
use row::Reader;
use shard::{Found, Outcome, Shard};
use split::Splitter;

/// Rows that are read at most.
pub const ROWS_MAX: u64 = 5_000_000;
/// Shards a worker may have waiting, and as many that wait behind it.
const WAITING: usize = 1;

/// Where rows go, in the order of the file.
pub trait Sink {
    /// A machine, or several of the same numbers.
    fn accepted(&mut self, row: Accepted) -> std::io::Result<()>;
    /// A row that cannot be used.
    fn refused(&mut self, header: &[String], row: Refused) -> std::io::Result<()>;
    /// So much of the file is done.
    fn progress(&mut self, summary: &Summary) -> std::io::Result<()>;
}

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Bytes read.
    pub bytes: u64,
    /// Rows that were accepted.
    pub accepted: u64,
    /// Machines in them.
    pub machines: u64,
    /// Rows with a warning among them.
    pub warned: u64,
    /// Refused rows, by code.
    pub refused: BTreeMap<&'static str, u64>,
    /// How the file is written: encoding and delimiter.
    pub format: (&'static str, char),
    /// Headings of columns that mean nothing here.
    pub unused: Vec<String>,
}

impl Summary {
    /// Rows that were refused.
    pub fn refused_rows(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// Imports `input` with so many workers; their number changes nothing.
pub fn import(input: impl Read + Send, workers: usize, sink: &mut impl Sink) -> Result<Summary, ImportError> {
    let mut splitter = Splitter::new(input);
    let head = splitter.head()?;
    let encoding = Encoding::of(&head);
    let header = Header::read(&head, encoding)?;
    splitter.begin(header.bytes, header.lines);
    let mut taker = Taker {
        sink,
        summary: Summary {
            format: (encoding.name(), char::from(header.delimiter)),
            unused: header.unused(),
            ..Summary::default()
        },
        serials: BTreeMap::new(),
        header: &header,
    };
    std::thread::scope(|scope| {
        let (mut to_workers, mut from_workers) = (Vec::new(), Vec::new());
        for _ in 0..workers.max(1) {
            let (send_shard, shards) = sync_channel::<Shard>(WAITING);
            let (send_found, found) = sync_channel::<Found>(WAITING);
            let header = &header;
            scope.spawn(move || {
                let mut reader = Reader::new(header, encoding);
                // The taker has gone when nobody wants more.
                shards.iter().map(|shard| shard.read(&mut reader)).try_for_each(|found| send_found.send(found).ok())
            });
            to_workers.push(send_shard);
            from_workers.push(found);
        }
        let splitting = scope.spawn(move || {
            for worker in (0..to_workers.len()).cycle() {
                let Some(shard) = splitter.next()? else { break };
                if to_workers[worker].send(shard).is_err() {
                    break;
                }
            }
            Ok::<(), ImportError>(())
        });
        for worker in (0..from_workers.len()).cycle() {
            // The first that has no more was given no more: all are done.
            let Ok(found) = from_workers[worker].recv() else { break };
            taker.take(found)?;
        }
        drop(from_workers);
        splitting.join().unwrap_or(Err(ImportError::Worker))
    })?;
    Ok(taker.summary)
}

/// Takes up what workers found, in the order of the file.
struct Taker<'a, S: Sink> {
    sink: &'a mut S,
    summary: Summary,
    /// Line of each serial number, by the first eight bytes of its SHA-256.
    serials: BTreeMap<u64, u64>,
    header: &'a Header,
}

impl<S: Sink> Taker<'_, S> {
    fn take(&mut self, found: Found) -> Result<(), ImportError> {
        let Found { rows, bytes, text, .. } = found;
        for (line, range, outcome) in rows {
            let outcome = match outcome {
                Outcome::Accepted(row) => match self.duplicate(&row, line) {
                    None => {
                        self.accept(*row)?;
                        continue;
                    }
                    Some(first) => Problem::Duplicate { first },
                },
                Outcome::Refused(problem) => problem,
            };
            *self.summary.refused.entry(outcome.code()).or_default() += 1;
            let fields = self.header.original(&text[range]);
            let refused = Refused { line, problem: outcome, fields };
            self.sink.refused(&self.header.kept, refused).map_err(ImportError::Sink)?;
        }
        self.summary.bytes += bytes;
        if self.summary.accepted + self.summary.refused_rows() > ROWS_MAX {
            return Err(ImportError::TooManyRows);
        }
        self.sink.progress(&self.summary).map_err(ImportError::Sink)
    }

    fn accept(&mut self, row: Accepted) -> Result<(), ImportError> {
        self.summary.accepted += 1;
        self.summary.machines += u64::from(row.kind.count);
        self.summary.warned += u64::from(row.warning.is_some());
        self.sink.accepted(row).map_err(ImportError::Sink)
    }

    /// The line on which the serial number was seen already.
    fn duplicate(&mut self, row: &Accepted, line: u64) -> Option<u64> {
        if row.serial.is_empty() {
            return None;
        }
        let digest = Sha256::digest(row.serial.as_bytes());
        let mut short = [0; 8];
        short.copy_from_slice(&digest[..8]);
        match self.serials.entry(u64::from_le_bytes(short)) {
            Entry::Occupied(first) => Some(*first.get()),
            Entry::Vacant(place) => {
                place.insert(line);
                None
            }
        }
    }
}
