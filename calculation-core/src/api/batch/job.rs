//! A batch under way: how far it is, and what it came to.

use std::sync::{Arc, OnceLock};

use hashinsight_mining::Pico;
use hashinsight_mining::fleet::{Estimate, Fleet, Kind, Outcome};
use hashinsight_mining::record::{Answer, FleetDay, Request, record};
use serde::Serialize;
use std::collections::BTreeMap;
use tokio::sync::watch;
use utoipa::ToSchema;

use super::rows::{Row, Rows};
use crate::access::Caller;
use crate::api::answer::{Recorded, compute};
use crate::api::input::{Filled, MarketUsed, within};
use crate::api::problem::Problem;

/// Where a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Its body comes in.
    Receiving,
    /// Its rows are read.
    Reading,
    /// It is computed.
    Computing,
    /// It is done.
    Done,
    /// It failed as a whole.
    Failed,
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Progress {
    /// Where it is.
    pub phase: Phase,
    /// Bytes that came.
    pub bytes: usize,
    /// Rows that were read.
    pub rows: usize,
    /// Rows that were refused among them.
    pub refused: usize,
    /// Counts up with each step.
    #[serde(skip)]
    pub step: u64,
}

/// A batch under way.
pub struct Job {
    /// SHA-256 of what was sent; set once it is there.
    content: OnceLock<[u8; 32]>,
    progress: watch::Sender<Progress>,
    outcome: OnceLock<Result<Arc<Done>, Problem>>,
}

impl Job {
    /// One that has just begun.
    pub fn new() -> Self {
        let first = Progress { phase: Phase::Receiving, bytes: 0, rows: 0, refused: 0, step: 0 };
        Self { content: OnceLock::new(), progress: watch::Sender::new(first), outcome: OnceLock::new() }
    }

    /// Tells how far it is; whoever does not listen misses nothing but that.
    pub fn tell(&self, change: impl FnOnce(&mut Progress)) {
        self.progress.send_modify(|progress| {
            change(progress);
            progress.step += 1;
        });
    }

    /// What was sent is there.
    pub fn came(&self, content: [u8; 32]) {
        let _ = self.content.set(content);
        self.tell(|progress| progress.phase = Phase::Reading);
    }

    /// It is over.
    pub fn end(&self, outcome: Result<Arc<Done>, Problem>) {
        let phase = if outcome.is_ok() { Phase::Done } else { Phase::Failed };
        drop(self.outcome.set(outcome));
        self.tell(|progress| progress.phase = phase);
    }

    /// To follow it.
    pub fn follow(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// How far it is now.
    pub fn now(&self) -> Progress {
        *self.progress.borrow()
    }

    /// What it came to; none while it is under way.
    pub fn outcome(&self) -> Option<&Result<Arc<Done>, Problem>> {
        self.outcome.get()
    }

    /// What it comes to.
    pub async fn wait(&self) -> Result<Arc<Done>, Problem> {
        let mut follow = self.follow();
        drop(follow.wait_for(|_| self.outcome.get().is_some()).await);
        self.outcome.get().cloned().unwrap_or_else(|| Err(Problem::internal(&"a batch ended without a word")))
    }

    /// What was sent, once it is there; none when it never comes.
    pub async fn content(&self) -> Option<[u8; 32]> {
        let mut follow = self.follow();
        let known = || self.content.get().is_some() || self.outcome.get().is_some();
        drop(follow.wait_for(|_| known()).await);
        self.content.get().copied()
    }
}

/// What a batch comes to, in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BatchSummary {
    /// Version of the library.
    pub library: &'static str,
    /// The market it rests on.
    pub market: MarketUsed,
    /// Rows.
    pub rows: usize,
    /// Rows that were refused, by reason.
    pub refused: BTreeMap<String, usize>,
    /// Machines in the others.
    pub machines: u64,
    /// Every machine running: machines, terahash, kilowatt_hours and day.
    #[schema(value_type = Object)]
    pub all: Outcome,
    /// Those that lose money at rest.
    #[schema(value_type = Object)]
    pub best: Outcome,
    /// Price of a bitcoin at which the fleet, with rest, makes nothing.
    #[schema(value_type = Option<String>)]
    pub breakeven_btc_usd: Option<Pico>,
    /// The record, where records are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub record: Option<Recorded>,
}

/// A row of the answer.
#[derive(Debug)]
pub struct Entry {
    /// Its id.
    pub id: Option<Box<str>>,
    /// Where its figures are, or why it has none.
    pub figures: Result<u32, Problem>,
    /// How many machines.
    pub count: u32,
}

/// A batch that is done.
#[derive(Debug)]
pub struct Done {
    /// In short.
    pub summary: BatchSummary,
    /// The rows, in order.
    pub entries: Vec<Entry>,
    /// The figures.
    pub estimate: Estimate,
}

impl Done {
    /// Bytes it holds, roughly.
    pub fn weight(&self) -> u64 {
        let entries = self.entries.len() * size_of::<Entry>();
        let problems = self.entries.iter().filter(|entry| entry.figures.is_err()).count() * 400;
        let lines = self.estimate.lines.len() * 320;
        u64::try_from(entries + problems + lines).unwrap_or(u64::MAX)
    }
}

/// Computes a batch that was read. Returns it, and the line of its record.
pub fn done(rows: Rows, filled: &Filled, caller: &Caller, most: u32) -> Result<(Done, String), Problem> {
    let site = rows.site.site(rows.other_usd_per_day.as_ref())?;
    let kinds = || rows.rows.iter().filter_map(|row| row.machine.as_ref().ok());
    within(kinds().map(|kind| u64::from(kind.count)).sum(), caller, most)?;
    let fleet = Fleet::of(kinds().cloned())?;
    let request = Request::Fleet(FleetDay { fleet, market: filled.market.clone(), site });
    let answer = compute(&request, 1)?;
    let line = record(&request, &answer, &filled.source());
    let Answer::Fleet(estimate) = answer else { return Err(Problem::internal(&"an answer of another kind")) };
    let mut places = BTreeMap::new();
    for (at, line) in (0_u32..).zip(&estimate.lines) {
        places.insert(Kind { count: 0, ..line.kind.clone() }, at);
    }
    let (mut entries, mut refused) = (Vec::with_capacity(rows.rows.len()), BTreeMap::new());
    for Row { id, machine } in rows.rows {
        let count = machine.as_ref().map_or(0, |kind| kind.count);
        let figures = machine.and_then(|kind| {
            let missing = || Problem::internal(&"a machine without figures");
            places.get(&Kind { count: 0, ..kind }).copied().ok_or_else(missing)
        });
        if let Err(problem) = &figures {
            let reason = problem.reason.map_or_else(|| format!("{:?}", problem.code), str::to_owned);
            *refused.entry(reason).or_default() += 1;
        }
        entries.push(Entry { id, figures, count });
    }
    let summary = BatchSummary {
        library: hashinsight_mining::record::LIBRARY,
        market: filled.used.clone(),
        rows: entries.len(),
        refused,
        machines: estimate.all.machines,
        all: estimate.all.clone(),
        best: estimate.best.clone(),
        breakeven_btc_usd: estimate.breakeven_btc_usd,
        record: None,
    };
    Ok((Done { summary, entries, estimate }, line))
}
