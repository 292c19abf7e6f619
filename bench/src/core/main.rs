//! The calculation core over HTTP, beside a FastAPI service with NumPy that does
//! the same: start, a fleet from end to end, single estimates at a steady rate,
//! memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark that cannot go on says where")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark reads clocks and files, and prints")]

mod load;
mod side;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};
use side::Side;

/// Measure the calculation core.
#[derive(Debug, Parser)]
struct Arguments {
    /// The service, as it is shipped
    #[arg(long)]
    core: PathBuf,
    /// A Python with FastAPI and NumPy; without one only ours runs
    #[arg(long)]
    python: Option<PathBuf>,
    /// oha, for load at a steady rate; without it there is none
    #[arg(long)]
    oha: Option<PathBuf>,
    /// Rounds; the middle one counts
    #[arg(long, default_value = "15")]
    rounds: usize,
    /// Machines of the fleet
    #[arg(long, default_value = "5000")]
    machines: usize,
    /// Single estimates a second
    #[arg(long, default_value = "1000")]
    rate: u32,
    /// Seconds of that
    #[arg(long, default_value = "20")]
    seconds: u32,
    /// Also ask a thousand single estimates, one after the other, and write how
    /// long each took: evidence for the release gate
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
}

/// Single estimates that are evidence, after as many that warm up.
const ESTIMATES: usize = 1_000;

/// What the service may hold while 10,000 rows are in flight.
const MEMORY_KIB: u64 = 128 * 1024;
/// Rows in flight, and in how many requests.
const IN_FLIGHT: (usize, usize) = (10_000, 10);

/// What one side was seen to do.
struct Seen {
    name: &'static str,
    start: Duration,
    fleet: Duration,
    load: Option<load::Load>,
    loaded_kib: u64,
    in_flight_kib: u64,
    profit: f64,
}

fn machines(count: usize) -> Vec<Value> {
    // Every machine is another, so that nothing is saved by counting alike ones
    // together.
    (0..count).map(|at| json!({"terahash_per_second": 90 + at % 150, "watts": 2800 + at})).collect()
}

fn market() -> Value {
    json!({"price_usd": 92_817, "difficulty": 109_000_000_000_000_u64, "subsidy_btc": 3.125, "fees_btc": 0.03})
}

fn fleet(count: usize) -> String {
    json!({"machines": machines(count), "site": {"usd_per_kwh": 0.06, "pool_fee": 0.01}, "market": market()})
        .to_string()
}

fn one() -> String {
    let machine = json!({"terahash_per_second": 200, "watts": 3500});
    json!({"machine": machine, "site": {"usd_per_kwh": 0.06, "pool_fee": 0.01}, "market": market()}).to_string()
}

fn measure(arguments: &Arguments, start: impl Fn() -> Side) -> Seen {
    let starts = arguments.rounds.min(10);
    let mut times: Vec<Duration> = (1..starts).map(|_| start().took).collect();
    let side = start();
    times.push(side.took);
    let body = fleet(arguments.machines);
    let mut profit = 0.0;
    let rounds = (0..arguments.rounds).map(|_| {
        let (took, answer) = side.post("/v1/batches", &body);
        profit = total(&answer, arguments.machines);
        took
    });
    let mut fleets: Vec<Duration> = rounds.collect();
    let load = arguments.oha.as_ref().map(|oha| load::run(oha, &side, &one(), arguments.rate, arguments.seconds));
    let loaded_kib = side.memory("VmHWM");
    let (rows, requests) = IN_FLIGHT;
    let part = fleet(rows / requests);
    std::thread::scope(|scope| {
        for _ in 0..requests {
            scope.spawn(|| side.post("/v1/batches", &part));
        }
    });
    let in_flight_kib = side.memory("VmHWM");
    Seen {
        name: side.name,
        start: middle(&mut times),
        fleet: middle(&mut fleets),
        load,
        loaded_kib,
        in_flight_kib,
        profit,
    }
}

/// Samples as the release gate reads them. A request that fails ends the run.
fn evidence(side: &Side) -> String {
    let body = one();
    let times = (0..2 * ESTIMATES).map(|_| side.post("/v1/estimate", &body).0.as_secs_f64() * 1000.0);
    let samples: Vec<f64> = times.skip(ESTIMATES).collect();
    let measure = json!({"name": "single estimate", "requests": true, "milliseconds": samples});
    json!({"schemaVersion": 1, "kind": "Benchmark", "failed": 0, "measures": [measure]}).to_string()
}

/// The sum of all machines' profit; every row must be there.
fn total(answer: &str, count: usize) -> f64 {
    let answer: Value = serde_json::from_str(answer).unwrap();
    let rows = answer["rows"].as_array().unwrap();
    assert_eq!(rows.len(), count, "rows");
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    rows.iter().map(|row| number(&row["day"]["profit_usd_per_day"]).expect("a profit")).sum()
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir().unwrap();
    let place = side::Place::new(folder.path());
    let ours = measure(&arguments, || place.core(&arguments.core));
    let peer = arguments.python.as_ref().map(|python| measure(&arguments, || place.peer(python)));
    print(&arguments, &ours, peer.as_ref());
    if let Some(file) = &arguments.evidence {
        std::fs::write(file, evidence(&place.core(&arguments.core))).unwrap();
    }
    let mut wrong = Vec::new();
    if let Some(peer) = &peer
        && (ours.profit - peer.profit).abs() > ours.profit.abs() * 1e-6
    {
        wrong.push(format!("profit: {} and {}", ours.profit, peer.profit));
    }
    if ours.in_flight_kib > MEMORY_KIB {
        wrong.push(format!("{} KiB are held, more than {MEMORY_KIB}", ours.in_flight_kib));
    }
    println!(
        "{}",
        if wrong.is_empty() { "answers: all rows, the same to a millionth".to_owned() } else { wrong.join("\n") }
    );
    ExitCode::from(u8::from(!wrong.is_empty()))
}

fn print(arguments: &Arguments, ours: &Seen, peer: Option<&Seen>) {
    let milliseconds = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    let mib = |kib: u64| format!("{} MiB", kib / 1024);
    let other = |show: &dyn Fn(&Seen) -> String, ratio: &dyn Fn(&Seen) -> f64| {
        peer.map_or("– | –".to_owned(), |peer| {
            format!("{}: {} | {:.1} ×", peer.name, show(peer), ratio(peer) / ratio(ours))
        })
    };
    let line = |job: &str, bound: &str, show: &dyn Fn(&Seen) -> String, ratio: &dyn Fn(&Seen) -> f64| {
        println!("| {job} | {bound} | {} | {} |", show(ours), other(show, ratio));
    };
    println!("| job | bound | {} | peer | the peer takes |\n|---|---|--:|---|--:|", ours.name);
    line("start to ready", "≤ 100 ms", &|s| milliseconds(s.start), &|s| s.start.as_secs_f64());
    let job = format!("{} machines, JSON in and out, from end to end", arguments.machines);
    line(&job, "≤ 50 ms", &|s| milliseconds(s.fleet), &|s| s.fleet.as_secs_f64());
    if ours.load.is_some() {
        let of = |s: &Seen| s.load.clone().unwrap_or_default();
        let job = format!("single estimates at {}/s for {} s: p95", arguments.rate, arguments.seconds);
        let show = |s: &Seen| {
            let load = of(s);
            let rest = format!(
                "p50 {}, p99 {}, {:.0}/s, {:.2} % good",
                milliseconds(load.p50),
                milliseconds(load.p99),
                load.rate,
                load.good * 100.0
            );
            format!("{} ({rest})", milliseconds(load.p95))
        };
        line(&job, "≤ 2 ms", &show, &|s| of(s).p95.as_secs_f64());
        #[allow(clippy::cast_precision_loss, reason = "memory in KiB")]
        line("memory at most under that load", "–", &|s| mib(s.loaded_kib), &|s| s.loaded_kib as f64);
    }
    #[allow(clippy::cast_precision_loss, reason = "memory in KiB")]
    line("memory at most with 10,000 rows in flight", "≤ 128 MiB", &|s| mib(s.in_flight_kib), &|s| {
        s.in_flight_kib as f64
    });
}
