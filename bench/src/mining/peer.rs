//! The peer: a Python process for each job.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Where the peer is and what it is given.
pub struct Peer {
    python: PathBuf,
    folder: PathBuf,
    rounds: usize,
}

/// What it says of one job.
pub struct Told {
    pub seconds: f64,
    pub check: Vec<f64>,
    pub kib: Option<u64>,
    pub numpy: String,
    pub pandas: String,
}

impl Peer {
    pub fn new(python: &Path, folder: &Path, rounds: usize) -> Self {
        std::fs::write(folder.join("peer.py"), include_str!("peer.py")).unwrap();
        Self { python: python.to_owned(), folder: folder.to_owned(), rounds }
    }

    pub fn ask(&self, job: &str) -> Told {
        // What takes minutes is run once.
        let rounds = if ["backtest", "heatmap-plain"].contains(&job) { 1 } else { self.rounds.min(5) };
        let output = Command::new(&self.python)
            .arg(self.folder.join("peer.py"))
            .arg(&self.folder)
            .args([job, &rounds.to_string()])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "{job}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let check = match &told["check"] {
            Value::Array(values) => values.iter().map(|value| value.as_f64().unwrap()).collect(),
            value => vec![value.as_f64().unwrap()],
        };
        let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        Told {
            seconds: told["seconds"].as_f64().unwrap(),
            check,
            kib: told["kib"].as_u64(),
            numpy: text("numpy"),
            pandas: text("pandas"),
        }
    }
}
