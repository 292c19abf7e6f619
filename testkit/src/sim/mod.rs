//! Simulation: a controller under a real kube client, the fake server, and
//! time that passes only when everybody waits. The same every time.

mod campaign;
mod clock;
mod masked;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use kube::Client;
use serde_json::Value;

use crate::fake::{Call, Commit, Event, FakeServer, Fault};

pub use campaign::{Crash, Plan, Position, campaign};
pub use clock::SimClock;

/// Name of the controller's client.
pub const CONTROLLER: &str = "controller";
/// Nothing may have changed for this long before the world counts as settled.
const QUIET: Duration = Duration::from_secs(40);
/// The same where calls are refused: longer than any backoff and any resync.
const QUIET_AFTER_REFUSALS: Duration = Duration::from_secs(700);
/// A world that has not settled by then never will.
const PATIENCE: Duration = Duration::from_secs(20_000);
/// How often the world is looked at.
const STEP: Duration = Duration::from_secs(5);
/// How long a dead controller takes to come back.
const RESTART: Duration = Duration::from_secs(1);

type Life = Pin<Box<dyn Future<Output = ()>>>;
/// Makes the controller: everything it does is one future.
pub type Start = fn(Client, SimClock) -> Life;

/// What happens, in order; after each the world settles.
pub struct Scenario {
    /// Name, as in the command that runs it again.
    pub name: &'static str,
    /// What is there before the controller is.
    pub given: fn(&FakeServer),
    /// What people do then.
    pub acts: &'static [fn(&FakeServer)],
    /// What must be true in the end: complains if it is not.
    pub holds: fn(&FakeServer) -> Result<(), String>,
}

/// What came of a run.
pub struct Outcome {
    /// What there is in the end, without what no two runs have in common.
    pub end: Value,
    /// What happened to each object, in order.
    pub commits: std::collections::BTreeMap<String, Vec<Event>>,
    /// Calls of the controller that may change something, in order; leases and
    /// events left out.
    pub calls: Vec<String>,
    /// Commits and calls after a restart in the settled world.
    pub restless: Vec<String>,
    /// What is not as it must be in the end.
    pub complaint: Option<String>,
}

/// Plurals of the machinery, not of the matter.
const NOISE: [&str; 2] = ["leases", "events"];

fn is_noise(plural: &str) -> bool {
    NOISE.contains(&plural)
}

/// A run takes a fraction of a second; one that takes this long is a loop in
/// which no time passes, and nothing in it can end it.
const WATCHDOG: Duration = Duration::from_secs(120);

/// Ends the process when a run does not end.
fn watched<T>(name: &'static str, run: impl FnOnce() -> T) -> T {
    let (over, watching) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        if watching.recv_timeout(WATCHDOG) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            localcluster::say(&format!("{name}: an endless loop; no time passes in it\n"));
            std::process::exit(101);
        }
    });
    let result = run();
    drop(over);
    result
}

/// Runs the scenario with `fate` deciding over every call that may change
/// something, leases and events left out.
pub fn run(
    crds: &[Value],
    start: Start,
    scenario: &Scenario,
    fate: impl FnMut(usize, &Call<'_>) -> Fault + Send + 'static,
) -> Outcome {
    simulate(crds, start, scenario, QUIET, |_, _| {}, fate)
}

/// The same, in a world that `prepare` has made worse; settling takes as long
/// as backoffs may.
pub fn run_in(
    crds: &[Value],
    start: Start,
    scenario: &Scenario,
    prepare: impl FnOnce(&FakeServer, &SimClock),
    fate: impl FnMut(usize, &Call<'_>) -> Fault + Send + 'static,
) -> Outcome {
    simulate(crds, start, scenario, QUIET_AFTER_REFUSALS, prepare, fate)
}

fn simulate(
    crds: &[Value],
    start: Start,
    scenario: &Scenario,
    quiet: Duration,
    prepare: impl FnOnce(&FakeServer, &SimClock),
    fate: impl FnMut(usize, &Call<'_>) -> Fault + Send + 'static,
) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let local = tokio::task::LocalSet::new();
    watched(scenario.name, || local.block_on(&runtime, play(crds, start, scenario, quiet, prepare, fate)))
}

async fn play(
    crds: &[Value],
    start: Start,
    scenario: &Scenario,
    quiet: Duration,
    prepare: impl FnOnce(&FakeServer, &SimClock),
    mut fate: impl FnMut(usize, &Call<'_>) -> Fault + Send + 'static,
) -> Outcome {
    let clock = SimClock::new();
    let server = FakeServer::new(crds, clock.written());
    (scenario.given)(&server);
    prepare(&server, &clock);
    let calls = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = std::sync::Arc::clone(&calls);
    server.on_call(move |call| {
        if call.client != CONTROLLER || is_noise(&call.request.plural) {
            return Fault::None;
        }
        let mut all = told.lock().unwrap();
        all.push(call.request.to_string());
        fate(all.len() - 1, call)
    });
    let world = World { server: server.clone(), clock: clock.clone(), start };
    let living = tokio::task::spawn_local(world.keep_alive());
    settle(&server, scenario.name, quiet).await;
    for act in scenario.acts {
        act(&server);
        settle(&server, scenario.name, quiet).await;
    }
    let happened = server.history();
    let end = masked::end(&server);
    let calls = calls.lock().unwrap().clone();
    let complaint = (scenario.holds)(&server).err();
    // A settled world stays so, also under a controller that knows nothing.
    server.heal();
    let asked = server.audit().len();
    server.kill(CONTROLLER);
    settle(&server, scenario.name, quiet).await;
    let commits = server.history().split_off(happened.len()).into_iter().filter(|c| !is_noise(&c.plural));
    let called = server.audit().split_off(asked).into_iter().filter(|call| call.verb.is_mutating());
    let called = called.map(|call| call.request).filter(|request| !NOISE.iter().any(|noise| request.contains(noise)));
    let restless = commits.map(|commit| commit.of()).chain(called).collect();
    living.abort();
    Outcome { end, commits: masked::commits(&happened), calls, restless, complaint }
}

/// Who brings the controller up again whenever it dies.
struct World {
    server: FakeServer,
    clock: SimClock,
    start: Start,
}

impl World {
    async fn keep_alive(self) {
        loop {
            let life = tokio::task::spawn_local((self.start)(self.server.client(CONTROLLER), self.clock.clone()));
            self.server.death().await;
            life.abort();
            let _ = life.await;
            tokio::time::sleep(RESTART).await;
        }
    }
}

/// Lets everybody work until nothing changes any more.
async fn settle(server: &FakeServer, name: &str, quiet: Duration) {
    let begun = tokio::time::Instant::now();
    let (mut known, mut since) = (server.history().len(), begun);
    while since.elapsed() < quiet {
        server.control();
        tokio::time::sleep(STEP).await;
        let news = server.news(known);
        known += news.len();
        if news.iter().any(|commit| !is_noise(&commit.plural)) {
            since = tokio::time::Instant::now();
        }
        assert!(begun.elapsed() < PATIENCE, "{name} does not settle: {:?}", last(server));
    }
}

fn last(server: &FakeServer) -> Vec<String> {
    let all = server.history();
    all[all.len().saturating_sub(6)..].iter().map(Commit::of).collect()
}
