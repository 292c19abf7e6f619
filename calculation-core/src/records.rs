//! Records of what was computed, as JSON lines in a folder: files of bounded
//! size, a bounded number of them, one writer.
//!
//! A line is with the operating system when its answer is sent. A file that
//! ends within a line, after a crash, is left as it is and a new one begun.

use std::io::Write;
use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};

use crate::metrics::Metrics;
use crate::settings::RecordSettings;

/// Lines that wait to be written.
const WAITING: usize = 64;

/// Why a record is not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritten {
    /// No folder is set.
    #[error("no folder for records is set")]
    NoFolder,
    /// It is longer than a file may be.
    #[error("the record is longer than a file may be")]
    TooLong,
    /// The folder does not take it.
    #[error("{0}")]
    Folder(String),
}

struct Line {
    text: String,
    done: oneshot::Sender<Result<(), Unwritten>>,
}

/// Where records go.
pub struct Records {
    lines: Option<mpsc::Sender<Line>>,
    metrics: Metrics,
}

impl Records {
    /// Into this folder, made if it is not there; nowhere without one.
    pub fn new(settings: Option<&RecordSettings>, instance: &str, metrics: &Metrics) -> std::io::Result<Self> {
        let Some(settings) = settings else { return Ok(Self { lines: None, metrics: metrics.clone() }) };
        let mut folder = Folder::open(settings.clone(), instance)?;
        let (lines, mut waiting) = mpsc::channel::<Line>(WAITING);
        std::thread::Builder::new().name("records".to_owned()).spawn(move || {
            while let Some(Line { text, done }) = waiting.blocking_recv() {
                // Whoever asked may have gone; the record stays.
                drop(done.send(folder.write(&text)));
            }
        })?;
        Ok(Self { lines: Some(lines), metrics: metrics.clone() })
    }

    /// Writes a line, and returns when the operating system has it.
    pub async fn write(&self, text: String) -> Result<(), Unwritten> {
        let gone = || Unwritten::Folder("the writer stopped".to_owned());
        let written = async {
            let lines = self.lines.as_ref().ok_or(Unwritten::NoFolder)?;
            let (done, written) = oneshot::channel();
            lines.send(Line { text, done }).await.map_err(|_| gone())?;
            written.await.map_err(|_| gone())?
        };
        let written = written.await;
        let outcome = match &written {
            Ok(()) => "written",
            Err(Unwritten::NoFolder) => "no_folder",
            Err(why) => {
                tracing::error!(%why, "a record is not written");
                "failed"
            }
        };
        self.metrics.records.with_label_values(&[outcome]).inc();
        written
    }
}

/// The folder, in the hands of one thread.
struct Folder {
    settings: RecordSettings,
    prefix: String,
    number: u64,
    file: Option<(std::fs::File, u64)>,
}

impl Folder {
    fn open(settings: RecordSettings, instance: &str) -> std::io::Result<Self> {
        std::fs::create_dir_all(&settings.directory)?;
        let mut folder = Self { settings, prefix: format!("records-{instance}-"), number: 0, file: None };
        folder.number = folder.numbers()?.last().copied().unwrap_or_default();
        // Said at start, not with the first customer's batch.
        folder.begin()?;
        Ok(folder)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.settings.directory.join(format!("{}{number:010}.jsonl", self.prefix))
    }

    /// Numbers of the files that are there, the oldest first.
    fn numbers(&self) -> std::io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&self.settings.directory)? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            let number = name.strip_prefix(&self.prefix).and_then(|rest| rest.strip_suffix(".jsonl"));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Opens the newest file, or the next where that one ends within a line.
    fn begin(&mut self) -> std::io::Result<()> {
        let mut path = self.path(self.number);
        if !ends_whole(&path) {
            self.number += 1;
            path = self.path(self.number);
        }
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        let length = file.metadata()?.len();
        self.file = Some((file, length));
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), Unwritten> {
        let line = format!("{text}\n");
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if length > self.settings.file_bytes {
            return Err(Unwritten::TooLong);
        }
        self.append(line.as_bytes(), length).map_err(|error| {
            // What is there may end within a line: the next begins a new file.
            self.file = None;
            Unwritten::Folder(error.to_string())
        })
    }

    fn append(&mut self, line: &[u8], length: u64) -> std::io::Result<()> {
        if self.file.is_none() {
            self.begin()?;
        }
        if self.file.as_ref().is_some_and(|(_, so_far)| so_far + length > self.settings.file_bytes) {
            self.number += 1;
            self.begin()?;
            let numbers = self.numbers()?;
            let surplus = numbers.len().saturating_sub(self.settings.files as usize);
            for number in numbers.iter().take(surplus) {
                // What cannot be removed is no reason not to write.
                if let Err(error) = std::fs::remove_file(self.path(*number)) {
                    tracing::warn!(%error, number, "an old file of records cannot be removed");
                }
            }
        }
        let Some((file, so_far)) = &mut self.file else { return Ok(()) };
        file.write_all(line)?;
        *so_far += length;
        Ok(())
    }
}

/// Whether the file is not there, empty, or ends with a whole line.
fn ends_whole(path: &std::path::Path) -> bool {
    use std::io::{Read, Seek, SeekFrom};
    let mut last = [0];
    let read = std::fs::OpenOptions::new().read(true).open(path).and_then(|mut file| {
        if file.metadata()?.len() == 0 {
            return Ok(true);
        }
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        Ok(last == *b"\n")
    });
    read.unwrap_or(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "tests look at files")]

    use super::*;

    fn settings(directory: &std::path::Path) -> RecordSettings {
        RecordSettings { directory: directory.to_owned(), file_bytes: 30, files: 2 }
    }

    fn all(directory: &std::path::Path) -> Vec<(String, String)> {
        let mut files: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    #[test]
    fn files_are_bounded_in_size_and_number_and_go_on_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(settings(directory.path()), "a").unwrap();
        for at in 0..7 {
            folder.write(&format!("line number {at}")).unwrap();
        }
        let files = all(directory.path());
        assert_eq!(files.len(), 2);
        assert_eq!(files[1].1, "line number 6\n");
        drop(folder);
        let mut folder = Folder::open(settings(directory.path()), "a").unwrap();
        folder.write("after restart").unwrap();
        assert_eq!(all(directory.path())[1].1, "line number 6\nafter restart\n");
        assert_eq!(folder.write(&"x".repeat(31)), Err(Unwritten::TooLong));
        // Another replica in the same folder keeps its own.
        Folder::open(settings(directory.path()), "b").unwrap().write("b").unwrap();
        assert_eq!(all(directory.path()).len(), 3);
    }

    #[test]
    fn a_line_cut_off_by_a_crash_stays_alone() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("records-a-0000000004.jsonl"), "whole\ncut o").unwrap();
        let mut folder = Folder::open(settings(directory.path()), "a").unwrap();
        folder.write("next").unwrap();
        let files = all(directory.path());
        assert_eq!(files[1], ("records-a-0000000005.jsonl".to_owned(), "next\n".to_owned()));
    }

    #[tokio::test]
    async fn a_folder_that_takes_nothing_more_is_an_outcome() {
        let metrics = Metrics::new().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("inside");
        let records = Records::new(Some(&settings(&inside)), "a", &metrics).unwrap();
        records.write("one line of text".to_owned()).await.unwrap();
        std::fs::remove_dir_all(&inside).unwrap();
        // The open file takes it; the next one cannot be begun.
        let refused = records.write("another one of text".to_owned()).await.unwrap_err();
        assert!(matches!(refused, Unwritten::Folder(_)), "{refused:?}");
        let nowhere = Records::new(None, "a", &metrics).unwrap();
        assert_eq!(nowhere.write("x".to_owned()).await, Err(Unwritten::NoFolder));
        assert!(metrics.render().unwrap().contains("records_total{outcome=\"failed\"} 1"));
    }
}
