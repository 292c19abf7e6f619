//! `make bench-canary`: fault traces and thousands of healthy rollouts, played
//! through the decision engine and through models of what Argo Rollouts and
//! Flagger document. Simulated: nothing is timed, the same every time.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints its table")]
#![allow(clippy::cast_precision_loss, reason = "shares for people")]

mod policies;
mod traces;

use std::process::ExitCode;

use hashinsight_gates::canary::Requests;

use policies::{Act, Argo, Flagger, Ours, Policy, STEPS, Second};
use traces::{Trace, WHOLE};

/// A rollout that is undecided by then stays where it is.
const PATIENCE: u64 = 3_600;
/// Healthy plays by which a policy is called calm.
const CALM_PLAYS: u64 = 200;
/// Plays of each trace.
const PLAYS: u64 = 20;

/// xorshift: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn among(&mut self, total: u64, share: u64) -> u64 {
        (0..total).filter(|_| self.next() % WHOLE < share).count() as u64
    }
}

/// How a rollout ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Promoted,
    RolledBack,
    Undecided,
}

/// End, bad answers of the new version within the hour, seconds to the decision.
fn play(trace: &Trace, policy: &mut dyn Policy, random: &mut Random) -> (End, u64, u64) {
    let (mut step, mut bad) = (0, 0);
    for second in 0..PATIENCE {
        let weight = STEPS[step].0;
        let canary = random.among(trace.rate, weight * WHOLE / 100);
        let stable = trace.rate - canary;
        let failed = random.among(canary, trace.fails_at(second));
        let seen = Second {
            canary: Requests { total: canary, bad: failed },
            stable: Requests { total: stable, bad: random.among(stable, trace.stable) },
            slow: Requests { total: canary, bad: random.among(canary, trace.slow) },
            stable_slow: Requests { total: stable, bad: random.among(stable, 10_000) },
            metrics: !(trace.away.0..trace.away.1).contains(&second),
        };
        bad += failed;
        match policy.second(seen) {
            Act::Stay => {}
            Act::Step => step += 1,
            // What was promoted serves everybody for the rest of the hour.
            Act::Promote => {
                let left: u64 = (second + 1..PATIENCE).map(|second| trace.fails_at(second)).sum();
                return (End::Promoted, bad + left * trace.rate / WHOLE, second + 1);
            }
            Act::RollBack => return (End::RolledBack, bad, second + 1),
        }
    }
    (End::Undecided, bad, PATIENCE)
}

type Make = fn() -> Box<dyn Policy>;
const POLICIES: [Make; 5] = [
    || Box::new(Ours::new()),
    || Box::new(Argo::default_settings()),
    || Box::new(Argo::tuned()),
    || Box::new(Flagger::default_settings()),
    || Box::new(Flagger::tuned()),
];

/// Of one policy on one trace, over all plays.
#[derive(Clone, Copy, Default)]
struct Row {
    promoted: u64,
    rolled_back: u64,
    bad: u64,
    seconds: u64,
}

fn row(trace: &Trace, make: Make, plays: u64) -> Row {
    let mut row = Row::default();
    for play_ in 1..=plays {
        let mut random = Random(0x9E37_79B9 * play_ + trace.rate + trace.fails);
        let (end, bad, seconds) = play(trace, make().as_mut(), &mut random);
        row.promoted += u64::from(end == End::Promoted);
        row.rolled_back += u64::from(end == End::RolledBack);
        row.bad += bad;
        row.seconds += seconds;
    }
    row
}

/// Wilson's interval of a share, 95 %.
fn interval(hits: u64, of: u64) -> (f64, f64) {
    let (n, p, z) = (of as f64, hits as f64 / of as f64, 1.96_f64);
    let (middle, half) = (p + z * z / (2.0 * n), z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt());
    let by = 1.0 + z * z / n;
    (((middle - half) / by).max(0.0), (middle + half) / by)
}

/// At each traffic, which policies roll back at most one healthy canary in a
/// hundred. One that does not is quick there for no merit of its own: it is
/// told, and not measured against.
fn calm(traces: &[Trace]) -> Vec<(u64, Vec<bool>)> {
    let is_calm = |rate: u64, make: Make| {
        let healthy = traces.iter().find(|trace| trace.name == format!("healthy at {rate}/s")).unwrap();
        row(healthy, make, CALM_PLAYS).rolled_back * 100 <= CALM_PLAYS
    };
    [1, 10, 100, 1000].map(|rate| (rate, POLICIES.iter().map(|make| is_calm(rate, *make)).collect())).into()
}

fn main() -> ExitCode {
    let healthy: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let traces = traces::all();
    let names: Vec<&str> = POLICIES.iter().map(|make| make().name()).collect();
    println!(
        "{} traces, {PLAYS} plays each: bad answers within the hour, seconds to the decision, rolled back ÷ promoted\n",
        traces.len()
    );
    println!("| trace | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    let (mut faults, mut more) = (Vec::new(), Vec::new());
    let calm = calm(&traces);
    let (mut above, mut fewer, mut fewest) = (0, 0, 0);
    let mut wrong_promotions = [0; POLICIES.len()];
    let mut wrong_on_outage = [0; POLICIES.len()];
    for trace in &traces {
        let rows = POLICIES.map(|make| row(trace, make, PLAYS));
        let cells =
            rows.map(|r| format!("{}, {} s, {} ÷ {}", r.bad / PLAYS, r.seconds / PLAYS, r.rolled_back, r.promoted));
        println!("| {} | {} |", trace.name, cells.join(" | "));
        for (at, row) in rows.iter().enumerate() {
            wrong_promotions[at] += if trace.is_above() { row.promoted } else { 0 };
            wrong_on_outage[at] += if trace.has_outage() && trace.is_healthy() { row.rolled_back } else { 0 };
        }
        if trace.is_above() {
            above += 1;
            let calm = &calm.iter().find(|(rate, _)| *rate == trace.rate).unwrap().1;
            let least = rows.iter().zip(calm).skip(1).filter(|(_, calm)| **calm).map(|(row, _)| row.bad).min();
            fewer += u32::from(least.is_none_or(|least| rows[0].bad < least));
            fewest += u32::from(rows[1..].iter().all(|row| rows[0].bad < row.bad));
            if let Some(least) = least.filter(|least| rows[0].bad > *least) {
                more.push(format!("{}: {} bad answers in {PLAYS} plays, a peer {least}", trace.name, rows[0].bad));
            }
        }
    }
    println!(
        "\nabove the threshold: fewer bad answers than every peer that rolls back at most 1 % of healthy canaries at \
         that traffic on {fewer} of {above} traces; than every peer on {fewest}"
    );
    for told in &more {
        println!("- more on {told}");
    }
    for (rate, calm) in &calm {
        let hasty: Vec<&str> = names.iter().zip(calm).filter(|(_, calm)| !**calm).map(|(name, _)| *name).collect();
        println!(
            "- at {rate}/s these roll back more than 1 % of healthy canaries: {}",
            if hasty.is_empty() { "none".to_owned() } else { hasty.join("; ") }
        );
    }
    println!("\n| | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    println!("| wrong promotions | {} |", wrong_promotions.map(|n| n.to_string()).join(" | "));
    println!("| rolled back while metrics were away | {} |", wrong_on_outage.map(|n| n.to_string()).join(" | "));
    let quiet = traces.iter().find(|trace| trace.name == "healthy at 100/s").unwrap();
    // Exactly what the objective allows fails: the hardest healthy canary.
    let edge = Trace { fails: u64::from(traces::ALLOWED), ..quiet.clone() };
    for (what, trace) in [("a fifth of what is allowed fails", quiet), ("all that is allowed fails", &edge)] {
        let cells = POLICIES.map(|make| {
            let row = row(trace, make, healthy);
            let (low, high) = interval(row.rolled_back, healthy);
            if make().name() == "hashinsight" && low > 0.001 {
                faults.push(format!("{what}: {} of {healthy} healthy rollouts were rolled back", row.rolled_back));
            }
            format!("{} ({:.2}–{:.2} %)", row.rolled_back, low * 100.0, high * 100.0)
        });
        println!("| rolled back of {healthy} healthy, {what} | {} |", cells.join(" | "));
    }
    if wrong_promotions[0] + wrong_on_outage[0] > 0 || u64::from(fewer) * 10 < above * 9 {
        faults.push("a target was missed".to_owned());
    }
    for fault in &faults {
        println!("\n✗ {fault}");
    }
    ExitCode::from(u8::from(!faults.is_empty()))
}
