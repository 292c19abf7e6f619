//! A piece of a file, read by itself.

use std::ops::Range;

use csv_core::ReadRecordResult;

use super::header::FIELDS_MAX;
use super::problem::Problem;
use super::row::{Accepted, Reader};
use super::split::RECORD_MAX;

/// Whole lines of a file.
pub(super) struct Shard {
    pub(super) text: Vec<u8>,
    /// Line of its first byte.
    pub(super) line: u64,
    /// Bytes of the file it stands for.
    pub(super) bytes: u64,
    /// Whether the file ends with it.
    pub(super) last: bool,
    /// Whether it is the beginning of one line that is far too long.
    pub(super) long: bool,
}

pub(super) enum Outcome {
    Accepted(Box<Accepted>),
    Refused(Problem),
}

/// What was found in a shard.
pub(super) struct Found {
    pub(super) text: Vec<u8>,
    pub(super) bytes: u64,
    /// Line, place in the text, and what it is.
    pub(super) rows: Vec<(u64, Range<usize>, Outcome)>,
}

impl Shard {
    pub(super) fn read(self, reader: &mut Reader<'_>) -> Found {
        let Self { text, line, bytes, last, long } = self;
        let mut rows = Vec::new();
        if long {
            let field = reader.field_at_end(&text);
            rows.push((line, 0..text.len(), Outcome::Refused(Problem::TooLong { field })));
            return Found { text, bytes, rows };
        }
        let (mut output, mut ends) = (vec![0; text.len()], vec![0; FIELDS_MAX]);
        let mut csv = csv_core::ReaderBuilder::new().delimiter(reader.delimiter()).build();
        let (mut at, mut line) = (0, line);
        while at < text.len() {
            let blank = text[at..].iter().take_while(|byte| b"\r\n".contains(byte)).count();
            line += newlines(&text[at..at + blank]);
            at += blank;
            if at == text.len() {
                break;
            }
            csv.reset();
            let (result, mut read, written, mut count) = csv.read_record(&text[at..], &mut output, &mut ends);
            if result == ReadRecordResult::InputEmpty {
                count += csv.read_record(&[], &mut output[written..], &mut ends[count..]).3;
            }
            let first = memchr::memchr(b'\n', &text[at..]).map_or(text.len() - at, |end| end + 1);
            let wrong = count != reader.width() || result == ReadRecordResult::OutputEndsFull || read > RECORD_MAX;
            let several = read > first;
            let wrong = wrong || (several && !well_quoted(&text[at..at + read], reader.delimiter()));
            let outcome = if wrong && (several || result == ReadRecordResult::OutputEndsFull) {
                // What opened a quote is one line; the next is read anew.
                read = first;
                let problem = if several { Problem::UnclosedQuote } else { reader.ragged(FIELDS_MAX, false) };
                Outcome::Refused(problem)
            } else if read > RECORD_MAX {
                Outcome::Refused(Problem::TooLong { field: reader.field_at_end(&text[at..at + RECORD_MAX]) })
            } else if wrong {
                let cut_off = last && at + read == text.len() && !text.ends_with(b"\n");
                Outcome::Refused(reader.ragged(count, cut_off))
            } else {
                match reader.row(&output, &ends[..count]) {
                    Ok(Some(row)) => Outcome::Accepted(Box::new(row)),
                    Ok(None) => {
                        line += newlines(&text[at..at + read]);
                        at += read;
                        continue;
                    }
                    Err(problem) => Outcome::Refused(problem),
                }
            };
            let kept = if matches!(outcome, Outcome::Refused(Problem::TooLong { .. })) { read.min(1000) } else { read };
            rows.push((line, at..at + kept, outcome));
            line += newlines(&text[at..at + read]);
            at += read;
        }
        Found { text, bytes, rows }
    }
}

fn newlines(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

/// Whether each field that begins with a quote ends with one.
fn well_quoted(record: &[u8], delimiter: u8) -> bool {
    let (mut quoted, mut begins) = (false, true);
    let mut bytes = record.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if quoted && byte == b'"' {
            match bytes.peek() {
                Some(b'"') => drop(bytes.next()),
                Some(next) if *next != delimiter && !b"\r\n".contains(next) => return false,
                _ => quoted = false,
            }
        } else if !quoted {
            quoted = begins && byte == b'"';
            begins = byte == delimiter;
        }
    }
    !quoted
}
