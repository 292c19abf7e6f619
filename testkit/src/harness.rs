//! Runs test bodies in parallel on one runtime; each says what ground it
//! needs, and all grounds are ended before the process is.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use libtest_mimic::{Arguments, Trial};

/// A test on ground `G`.
pub type Body<G> = fn(Arc<G>) -> BoxFuture<'static, ()>;

/// Tests mostly wait for the cluster, so more of them run than there are cores.
const THREADS: usize = 6;

/// The `main` of a test binary: runs `tests` on ground that is made once, when
/// the first of them begins, and dropped after the last.
pub fn main<G: Send + Sync + 'static>(
    make: impl Fn() -> BoxFuture<'static, G> + Send + Sync + 'static,
    tests: &[(&str, Body<G>)],
) -> ExitCode {
    if run(&Arguments::from_args(), make, tests) { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

/// What must be true of all tests together: its name, and the check.
pub type Afterwards = (&'static str, fn() -> Result<String, String>);

/// The same; then a check over all tests together, when all were run.
pub fn main_and<G: Send + Sync + 'static>(
    (name, check): Afterwards,
    make: impl Fn() -> BoxFuture<'static, G> + Send + Sync + 'static,
    tests: &[(&str, Body<G>)],
) -> ExitCode {
    let arguments = Arguments::from_args();
    let all = arguments.filter.is_none() && arguments.skip.is_empty() && !arguments.list;
    let passed = run(&arguments, make, tests);
    if !(passed && all) {
        return if passed { ExitCode::SUCCESS } else { ExitCode::from(101) };
    }
    // A run of its own, so that it is counted.
    let trial = Trial::test(name, move || match check() {
        Ok(told) => {
            localcluster::say(&format!("{name}: {told}\n"));
            Ok(())
        }
        Err(complaint) => Err(complaint.into()),
    });
    libtest_mimic::run(&arguments, vec![trial]).exit_code()
}

fn run<G: Send + Sync + 'static>(
    arguments: &Arguments,
    make: impl Fn() -> BoxFuture<'static, G> + Send + Sync + 'static,
    tests: &[(&str, Body<G>)],
) -> bool {
    let mut arguments = arguments.clone();
    arguments.test_threads.get_or_insert(THREADS);
    let runtime = Arc::new(tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());
    let ground: Arc<tokio::sync::OnceCell<Arc<G>>> = Arc::default();
    let make = Arc::new(make);
    let trials = tests
        .iter()
        .map(|(name, body)| {
            let (runtime, ground, make, body) = (Arc::clone(&runtime), Arc::clone(&ground), Arc::clone(&make), *body);
            Trial::test(*name, move || {
                runtime.block_on(async {
                    let ground = ground.get_or_init(|| async { Arc::new(make().await) }).await;
                    body(Arc::clone(ground)).await;
                });
                Ok(())
            })
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    runtime.block_on(async { drop(ground) });
    !conclusion.has_failed()
}

/// Polls `probe` until it gives a value; panics with its last complaint when
/// it has not within `limit`.
pub async fn eventually<T, F: Future<Output = Result<T, String>>>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> F,
) -> T {
    let begun = Instant::now();
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(complaint) if begun.elapsed() > limit => panic!("{what}: not within {limit:?}: {complaint}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Polls `probe` for `span`; panics at once when it complains.
pub async fn stays<F: Future<Output = Result<(), String>>>(what: &str, span: Duration, mut probe: impl FnMut() -> F) {
    let begun = Instant::now();
    while begun.elapsed() < span {
        if let Err(complaint) = probe().await {
            panic!("{what}: {complaint}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
