//! Cuts a stream at line ends into shards of bounded size.
//!
//! A line end within quotes is no end of a record, so shards are cut where the
//! quotes before are even in number. A stray quote would put that off for
//! ever: after [`RECORD_MAX`] bytes any line end will do.

use std::io::Read;

use super::problem::ImportError;
use super::shard::Shard;

/// Bytes of a shard, more or less.
const SHARD: usize = 256 * 1024;
/// Bytes of a record at most.
pub(super) const RECORD_MAX: usize = 64 * 1024;
/// Bytes that are kept of a line that is longer than a shard.
const KEPT: usize = 1000;

pub(super) struct Splitter<R> {
    input: R,
    buffer: Vec<u8>,
    line: u64,
    ended: bool,
    /// Bytes that belong to the next shard but are not in its text.
    skipped: u64,
}

impl<R: Read> Splitter<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: Vec::with_capacity(2 * SHARD), line: 1, ended: false, skipped: 0 }
    }

    /// Reads on until so many bytes are there or the stream has ended.
    fn fill(&mut self, wanted: usize) -> Result<(), ImportError> {
        while !self.ended && self.buffer.len() < wanted {
            let missing = (wanted - self.buffer.len()) as u64;
            let read = self.input.by_ref().take(missing).read_to_end(&mut self.buffer).map_err(ImportError::Read)?;
            self.ended = read == 0;
        }
        Ok(())
    }

    /// The beginning of the stream.
    pub(super) fn head(&mut self) -> Result<Vec<u8>, ImportError> {
        self.fill(RECORD_MAX)?;
        Ok(self.buffer.clone())
    }

    /// Leaves out the header.
    pub(super) fn begin(&mut self, bytes: usize, lines: u64) {
        self.buffer.drain(..bytes);
        self.skipped = bytes as u64;
        self.line += lines;
    }

    /// The next shard; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Shard>, ImportError> {
        self.fill(SHARD)?;
        if self.buffer.is_empty() && self.skipped == 0 {
            return Ok(None);
        }
        let Some(cut) = self.cut() else { return self.long_line().map(Some) };
        let rest = self.buffer.split_off(cut);
        let text = std::mem::replace(&mut self.buffer, rest);
        let last = self.ended && self.buffer.is_empty();
        Ok(Some(self.shard(text, last, false)))
    }

    fn shard(&mut self, text: Vec<u8>, last: bool, long: bool) -> Shard {
        let (line, bytes) = (self.line, text.len() as u64 + std::mem::take(&mut self.skipped));
        self.line += memchr::memchr_iter(b'\n', &text).count() as u64;
        Shard { text, line, bytes, last, long }
    }

    /// Where to cut the buffer; none when it is one line without an end.
    fn cut(&self) -> Option<usize> {
        if self.ended {
            return Some(self.buffer.len());
        }
        let (mut quotes, mut even, mut any) = (0_u32, None, None);
        for at in memchr::memchr2_iter(b'"', b'\n', &self.buffer) {
            if self.buffer[at] == b'"' {
                quotes += 1;
            } else {
                any = Some(at + 1);
                if quotes.is_multiple_of(2) {
                    even = any;
                }
            }
        }
        even.filter(|even| self.buffer.len() - even <= RECORD_MAX).or(any)
    }

    /// A line that is longer than a shard: its beginning, and the rest dropped.
    fn long_line(&mut self) -> Result<Shard, ImportError> {
        let text = self.buffer[..KEPT].to_vec();
        self.skipped += (self.buffer.len() - KEPT) as u64;
        self.buffer.clear();
        loop {
            self.fill(SHARD)?;
            let end = memchr::memchr(b'\n', &self.buffer).map_or(self.buffer.len(), |at| at + 1);
            let found = end > 0 && self.buffer[end - 1] == b'\n';
            self.buffer.drain(..end);
            self.skipped += end as u64;
            if found || self.ended {
                let shard = self.shard(text, false, true);
                self.line += 1;
                return Ok(shard);
            }
        }
    }
}
