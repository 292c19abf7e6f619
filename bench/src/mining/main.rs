//! The mining library beside NumPy and pandas: the same four jobs on the same
//! inputs, in the same run, and the answers compared.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark that cannot go on says where")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark reads clocks and files, and prints")]

mod jobs;
#[path = "../peak.rs"]
mod peak;
mod peer;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use jobs::Inputs;
use peer::{Peer, Told};

/// Measure the mining library.
#[derive(Debug, Parser)]
struct Arguments {
    /// The command line, as it is shipped
    #[arg(long)]
    program: PathBuf,
    /// A Python with NumPy and pandas; without one only the library runs
    #[arg(long)]
    python: Option<PathBuf>,
    /// Rounds; the middle one counts
    #[arg(long, default_value = "5")]
    rounds: usize,
    /// Machines
    #[arg(long, default_value = "5000")]
    machines: i64,
    /// Rows of the file that is imported
    #[arg(long, default_value = "1000000")]
    rows: u64,
}

/// What the import may hold, however long the file.
const MEMORY_KIB: u64 = 64 * 1024;

/// A line of the table.
struct Row {
    job: &'static str,
    bound: &'static str,
    ours: Duration,
    more: String,
    peers: Vec<(&'static str, Told)>,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    arguments.program = std::path::absolute(&arguments.program).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let inputs = Inputs::new(arguments.machines, arguments.rows);
    inputs.write(folder.path());
    let peer = arguments.python.as_deref().map(|python| Peer::new(python, folder.path(), arguments.rounds));
    let rounds = arguments.rounds;
    let asked = |names: &[(&'static str, &str)]| -> Vec<(&'static str, Told)> {
        let told = |(name, job): &(&'static str, &str)| peer.as_ref().map(|peer| (*name, peer.ask(job)));
        names.iter().filter_map(told).collect()
    };
    let (estimate, profit) = middle(rounds, || inputs.estimate());
    let (heatmap, cells) = middle(rounds, || inputs.heatmap());
    let (backtest, sums) = middle(rounds, || inputs.backtest());
    let (import, (accepted, refused, kib)) = middle(rounds.min(3), || jobs::import(&arguments.program, folder.path()));
    let rows = [
        Row {
            job: "estimate, every figure of every machine",
            bound: "≤ 5 ms",
            ours: estimate,
            more: "1 thread".to_owned(),
            peers: asked(&[("NumPy", "estimate")]),
        },
        Row {
            job: "heatmap 41 × 41 over 60 months, machines at rest when they lose",
            bound: "≤ 100 ms",
            ours: heatmap,
            more: "2 threads".to_owned(),
            peers: asked(&[("NumPy, sorted sums", "heatmap"), ("NumPy, each machine", "heatmap-plain")]),
        },
        Row {
            job: "a year of 5-minute prices: never, rule, foresight",
            bound: "≤ 1 s",
            ours: backtest,
            more: "2 threads".to_owned(),
            peers: asked(&[("NumPy", "backtest")]),
        },
        Row {
            job: "import, whole program",
            bound: "≤ 3 s, ≤ 64 MiB",
            ours: import,
            more: format!("{} MiB", kib / 1024),
            peers: asked(&[("pandas", "import")]),
        },
    ];
    print(&rows, &arguments);
    let mut wrong = Vec::new();
    let mut compare = |job: &str, ours: &[f64], row: &Row| {
        for (name, told) in &row.peers {
            let apart = ours.iter().zip(&told.check).map(|(a, b)| (a - b).abs() / a.abs().max(1.0));
            if ours.len() != told.check.len() || apart.fold(0.0, f64::max) > 1e-6 {
                wrong.push(format!("{job}: {ours:?}, {name} says {:?}", told.check));
            }
        }
    };
    compare("estimate", &[profit], &rows[0]);
    compare("heatmap", &[cells], &rows[1]);
    compare("backtest", &sums, &rows[2]);
    compare("import", &[accepted, refused], &rows[3]);
    if kib > MEMORY_KIB {
        wrong.push(format!("import held {kib} KiB, more than {MEMORY_KIB}"));
    }
    println!("{}", if wrong.is_empty() { "answers: the same to a millionth".to_owned() } else { wrong.join("\n") });
    ExitCode::from(u8::from(!wrong.is_empty()))
}

/// The middle of so many times, and what came out.
fn middle<T>(rounds: usize, mut work: impl FnMut() -> T) -> (Duration, T) {
    let mut times = Vec::new();
    loop {
        let begun = Instant::now();
        let answer = work();
        times.push(begun.elapsed());
        if times.len() >= rounds.max(1) {
            times.sort_unstable();
            return (times[times.len() / 2], answer);
        }
    }
}

fn print(rows: &[Row], arguments: &Arguments) {
    println!("{} machines, {} rows, middle of {} rounds\n", arguments.machines, arguments.rows, arguments.rounds);
    println!("| job | bound | hashinsight | peer | the peer takes |\n|---|---|--:|---|--:|");
    let milliseconds = |seconds: f64| format!("{:.1} ms", seconds * 1000.0);
    for row in rows {
        let ours = row.ours.as_secs_f64();
        let mine = format!("| {} | {} | {}, {} |", row.job, row.bound, milliseconds(ours), row.more);
        if row.peers.is_empty() {
            println!("{mine} – | – |");
        }
        for (at, (name, told)) in row.peers.iter().enumerate() {
            let begin = if at == 0 { mine.clone() } else { "| | | |".to_owned() };
            let memory = told.kib.map_or_else(String::new, |kib| format!(", {} MiB", kib / 1024));
            println!("{begin} {name}: {}{memory} | {:.2} × |", milliseconds(told.seconds), told.seconds / ours);
        }
    }
    if let Some((_, told)) = rows.first().and_then(|row| row.peers.first()) {
        println!("\nNumPy {}, pandas {}", told.numpy, told.pandas);
    }
}
