//! Fleets: every byte is accounted for, one worker finds what three find, and
//! what fails can be imported again.
#![no_main]

use std::io::Result;

use hashinsight_mining::import::{Accepted, FailedRows, Refused, Sink, Summary, import};

struct Kept {
    accepted: Vec<Accepted>,
    failed: FailedRows<Vec<u8>>,
}

impl Sink for Kept {
    fn accepted(&mut self, row: Accepted) -> Result<()> {
        self.accepted.push(row);
        Ok(())
    }
    fn refused(&mut self, header: &[String], row: Refused) -> Result<()> {
        self.failed.add(header, &row)
    }
    fn progress(&mut self, _: &Summary) -> Result<()> {
        Ok(())
    }
}

fn read(bytes: &[u8], workers: usize) -> Option<(Summary, Vec<Accepted>, Vec<u8>)> {
    let mut kept = Kept { accepted: Vec::new(), failed: FailedRows::new(Vec::new()) };
    let summary = import(bytes, workers, &mut kept).ok()?;
    assert_eq!(summary.bytes, bytes.len() as u64);
    Some((summary, kept.accepted, kept.failed.into_inner()))
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let one = read(bytes, 1);
    assert_eq!(one, read(bytes, 3));
    if let Some((summary, _, failed)) = one
        && summary.refused_rows() > 0
    {
        assert!(read(&failed, 1).is_some(), "the failed rows are no file");
    }
});
