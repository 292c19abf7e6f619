//! The world of simulated rollouts: what pods answer, and what is counted of
//! them, by what their image is called.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Parser;
use futures::FutureExt;
use futures::future::BoxFuture;
use hashinsight_metrics_source::{Failure, Firing, MetricsQuery, Sample};
use hashinsight_mining::golden::Mismatch;
use hashinsight_operator::calculation_core::pods::AskPods;
use hashinsight_operator::ctx::Clock;
use hashinsight_operator::run::{context, lead};
use hashinsight_operator::settings::Settings;
use jiff::Timestamp;
use kube::Client;
use testkit::fake::FakeServer;
use testkit::sim::SimClock;

thread_local! {
    pub static AWAY: Cell<bool> = const { Cell::new(false) };
    pub static SERVER: std::cell::RefCell<Option<FakeServer>> = const { std::cell::RefCell::new(None) };
}

/// The image of a revision's pods, as the cluster has it.
fn image_of(revision: &str) -> String {
    SERVER.with_borrow(|server| {
        let objects = server.as_ref().map(FakeServer::objects).unwrap_or_default();
        let deployment = objects.get(&format!("deployments hashinsight-system/core-{revision}"));
        deployment.map_or(String::new(), |d| d["spec"]["template"]["spec"]["containers"][0]["image"].to_string())
    })
}

/// Ten requests a second of each revision; of an image called `failing` one in
/// five is bad.
struct Counters(SimClock);

impl Counters {
    fn samples(query: &str, at: i64) -> Vec<Sample> {
        let named = query.split("revision=~\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        let of = |revision: &str| {
            let total = 10 * (at - 1_767_225_600);
            let value = if query.contains("timestamp(") {
                at
            } else if !query.contains("code") {
                total
            } else if image_of(revision).contains("failing") {
                total / 5
            } else {
                0
            };
            let labels = BTreeMap::from([("revision", revision), ("instance", revision)]);
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            Sample {
                labels: Arc::new(labels.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()),
                at,
                value: value as f64,
            }
        };
        named.split('|').filter(|revision| !revision.is_empty()).map(of).collect()
    }
}

impl MetricsQuery for Counters {
    fn instant<'a>(&'a self, _: &'a str, _: Timestamp) -> BoxFuture<'a, Result<Vec<Sample>, Failure>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn range<'a>(
        &'a self,
        query: &'a str,
        from: Timestamp,
        to: Timestamp,
        step: u64,
    ) -> BoxFuture<'a, Result<Vec<Sample>, Failure>> {
        let times = (from.as_second()..=to.as_second()).step_by(usize::try_from(step).unwrap());
        async move {
            assert!(to <= self.0.now(), "the future is asked for");
            if AWAY.get() {
                return Err(Failure::Unreachable("connection refused".into()));
            }
            Ok(times.flat_map(|at| Self::samples(query, at)).collect())
        }
        .boxed()
    }

    fn firing(&self) -> BoxFuture<'_, Result<Vec<Firing>, Failure>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn retention(&self) -> BoxFuture<'_, Result<Option<u64>, Failure>> {
        async { Ok(None) }.boxed()
    }
}

/// Pods whose image is called `rounding` compute a figure wrongly. Addresses are
/// names: core-REVISION-NUMBER.
struct Pods;

impl AskPods for Pods {
    fn golden<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Result<usize, Mismatch>, String>> {
        let revision = address.split('-').nth(1).unwrap_or_default();
        let wrong = image_of(revision).contains("rounding");
        let mismatch =
            || Mismatch::Figure { case: "S9".into(), column: "sat_per_day", found: "1".into(), wanted: "2".into() };
        async move { Ok(if wrong { Err(mismatch()) } else { Ok(20) }) }.boxed()
    }

    fn answered<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<u64, String>> {
        async { Ok(7) }.boxed()
    }
}

pub fn start(client: Client, clock: SimClock) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        loop {
            let settings = Settings::parse_from(["operator", "--identity", "sim"]);
            let time = clock.clone();
            let ctx = context(&settings, client.clone(), Clock::simulated(move || time.now())).unwrap();
            let mut ctx = Arc::into_inner(ctx).unwrap();
            ctx.source = Some(Arc::new(Counters(clock.clone())));
            ctx.pods = Arc::new(Pods);
            let stop = std::future::pending::<()>().shared();
            let _ = Box::pin(lead(settings, Arc::new(ctx), stop)).await;
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    })
}
