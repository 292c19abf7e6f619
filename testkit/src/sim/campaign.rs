//! Crash at every write: a run without faults is the reference; then one run
//! for every call that may change something and every position of a crash at
//! it, and for pairs of them. Each must end as the reference did, with no more
//! commits per object, and in a world that stays settled.

use serde_json::Value;

use super::{Outcome, Scenario, Start, run};
use crate::fake::{Event, Fault};

/// Where a crash is, at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The request never left.
    BeforeSend,
    /// The server has it, the answer never came.
    AfterCommit,
    /// The answer came, and nothing after it.
    AfterReply,
}

impl Position {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::BeforeSend, Self::AfterCommit, Self::AfterReply];

    /// Reads `call:position`, as the command that runs a crash again has it.
    pub fn read(text: &str) -> Option<Crash> {
        let (call, position) = text.split_once(':')?;
        let position = Self::ALL.into_iter().find(|one| format!("{one:?}") == position)?;
        Some((call.parse().ok()?, position))
    }

    /// As the server is told of it.
    pub fn fault(self) -> Fault {
        match self {
            Self::BeforeSend => Fault::CrashBeforeSend,
            Self::AfterCommit => Fault::CrashAfterCommit,
            Self::AfterReply => Fault::CrashAfterReply,
        }
    }
}

/// A crash at the call of that number, counted over all lives.
pub type Crash = (usize, Position);

/// How much of a campaign is run, and by whose rules.
pub struct Plan {
    /// Only these crashes; all of them for `None`.
    pub only: Option<Vec<Crash>>,
    /// Every how many of the pairs of crashes are run.
    pub nth_pair: usize,
    /// Plurals whose status repeats what another object's status has on record:
    /// there each crash may cost one more write.
    pub mirrors: &'static [&'static str],
    /// The command that runs given crashes again.
    pub again: fn(&Scenario, &[Crash]) -> String,
}

/// Runs every single crash, and some of the pairs. Returns how many runs there
/// were.
pub fn campaign(crds: &[Value], start: Start, scenario: &Scenario, plan: &Plan) -> usize {
    let reference = run(crds, start, scenario, |_, _| Fault::None);
    assert_eq!(reference.complaint, None, "{}", scenario.name);
    assert!(reference.restless.is_empty(), "{}: not settled by itself: {:?}", scenario.name, reference.restless);
    let writes = reference.calls.len();
    assert!(writes > 0, "{}: nothing is written", scenario.name);
    let every: Vec<Crash> = (0..writes).flat_map(|call| Position::ALL.map(|position| (call, position))).collect();
    let singles = every.iter().map(|crash| vec![*crash]);
    let pairs = every.iter().flat_map(|first| {
        every.iter().filter(move |second| second.0 > first.0).map(move |second| vec![*first, *second])
    });
    let all: Vec<Vec<Crash>> = match &plan.only {
        Some(crashes) => vec![crashes.clone()],
        None => singles.chain(pairs.step_by(plan.nth_pair)).collect(),
    };
    for crashes in &all {
        let outcome = crashed(crds, start, scenario, crashes);
        if let Some(difference) = differs(&reference, &outcome, |object| {
            // What was told but not yet on record is told again by the next life.
            if plan.mirrors.iter().any(|plural| object.starts_with(*plural)) { crashes.len() } else { 0 }
        }) {
            panic!(
                "{} crashed at {crashes:?}: {difference}\nagain: {}",
                scenario.name,
                (plan.again)(scenario, crashes)
            );
        }
    }
    all.len() + 1
}

fn crashed(crds: &[Value], start: Start, scenario: &Scenario, crashes: &[Crash]) -> Outcome {
    let crashes = crashes.to_vec();
    run(crds, start, scenario, move |number, _| {
        let due = crashes.iter().find(|(call, _)| *call == number);
        due.map_or(Fault::None, |(_, position)| position.fault())
    })
}

fn differs(reference: &Outcome, outcome: &Outcome, spare: impl Fn(&str) -> usize) -> Option<String> {
    if reference.end != outcome.end {
        let mut found = Vec::new();
        paths("", &reference.end, &outcome.end, &mut found);
        return Some(format!("another end:{}", found.concat()));
    }
    for (object, commits) in &reference.commits {
        let now = outcome.commits.get(object);
        if !now.is_some_and(|now| is_no_more(now, commits, spare(object))) {
            return Some(format!("{object}: {commits:?} in the reference, {now:?} here; calls: {:#?}", outcome.calls));
        }
    }
    if let Some(object) = outcome.commits.keys().find(|object| !reference.commits.contains_key(*object)) {
        return Some(format!("{object} came and is not in the reference"));
    }
    if outcome.restless.is_empty() { None } else { Some(format!("not settled: {:?}", outcome.restless)) }
}

/// The same comings and goings, and between them no more changes: a controller
/// that comes back late may see in one what the reference saw in two, and write
/// once. What is missing in the end shows in the end.
fn is_no_more(now: &[Event], reference: &[Event], spare: usize) -> bool {
    let spans = |events: &[Event]| -> Vec<(Event, usize)> {
        let mut spans: Vec<(Event, usize)> = Vec::new();
        for event in events {
            match (event, spans.last_mut()) {
                (Event::Modified, Some((_, changes))) => *changes += 1,
                _ => spans.push((*event, 0)),
            }
        }
        spans
    };
    let (now, reference) = (spans(now), spans(reference));
    now.len() == reference.len() && now.iter().zip(&reference).all(|(a, b)| a.0 == b.0 && a.1 <= b.1 + spare)
}

fn paths(path: &str, reference: &Value, now: &Value, found: &mut Vec<String>) {
    match (reference, now) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                paths(&format!("{path}.{key}"), &reference[key], &now[key], found);
            }
        }
        _ if reference == now => {}
        _ => found.push(format!("\n  {path}\n    reference {reference}\n    now       {now}")),
    }
}
