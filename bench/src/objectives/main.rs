//! `make bench BENCH=objectives`: what a thousand objectives cost the operator
//! and the metrics system, and one objective that is partitioned by a thousand
//! tenants; on a real API server with a real Prometheus. Beside it, in the same
//! run: the same sums asked for one objective at a time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads clocks, files and the environment")]

#[path = "../program.rs"]
mod program;
mod service;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Parser;
use futures::{StreamExt, stream};
use localcluster::say;
use serde_json::{Value, json};
use testkit::Ground;

use program::Program;
use service::{Prometheus, get, serve};

const SYSTEM: &str = "hashinsight-system";
/// Seconds from one evaluation to the next.
const CYCLE: u64 = 15;
/// The operator's CPU a cycle of a thousand objectives may cost.
const LIMIT: f64 = 2.0;
/// Questions a cycle may ask, however many objectives there are; up to twenty
/// of them are about specs that were not looked at yet.
const QUESTIONS: f64 = 32.0;

/// Measure objectives at scale.
#[derive(Debug, Parser)]
struct Arguments {
    /// The operator's program, as it is shipped
    #[arg(long)]
    operator: PathBuf,
    /// Objectives, and tenants of the partitioned one
    #[arg(long, default_value = "1000")]
    objectives: usize,
    /// Cycles that are measured
    #[arg(long, default_value = "20")]
    cycles: u32,
    /// Leave the partitioned objective out
    #[arg(long)]
    alone: bool,
}

/// What a cycle cost.
struct Cost {
    what: String,
    cpu: f64,
    questions: f64,
    seconds: f64,
    memory: [f64; 2],
    /// The same sums in one question, and in one for each objective.
    asked: [Duration; 2],
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let count = arguments.objectives;
    let many = (0..count).map(|n| objective(&format!("o{n:04}"), &format!("n=\"{n}\""), Value::Null)).collect();
    let mut costs = vec![runtime.block_on(measure(&arguments, format!("{count} objectives"), many))];
    if !arguments.alone {
        let by = json!({"label": "n", "maxValues": 5000});
        let one = vec![objective("tenants", "job=\"core\"", by)];
        costs.push(runtime.block_on(measure(&arguments, format!("one objective, {count} tenants"), one)));
    }
    say(
        "\n| | CPU of the operator a cycle | questions a cycle | a cycle takes | memory now, at most | all sums in one question | one question each |\n|---|---|---|---|---|---|---|\n",
    );
    for cost in &costs {
        let [one, each] = cost.asked.map(|asked| asked.as_secs_f64() * 1000.0);
        say(&format!(
            "| {} | {:.3} s | {:.1} | {:.2} s | {:.0}, {:.0} MiB | {one:.0} ms | {each:.0} ms ({:.0} ×) |\n",
            cost.what,
            cost.cpu,
            cost.questions,
            cost.seconds,
            cost.memory[0],
            cost.memory[1],
            each / one
        ));
    }
    let over = costs.iter().any(|cost| cost.cpu > LIMIT || cost.questions > QUESTIONS);
    if over {
        say(&format!("more than {LIMIT} s of CPU or {QUESTIONS} questions a cycle\n"));
    }
    ExitCode::from(u8::from(over))
}

fn objective(name: &str, selector: &str, partition: Value) -> Value {
    let mut spec = json!({
        "service": "core", "objectivePercent": "99", "window": {"rollingDays": 1},
        "indicator": {"events": {
            "metric": "requests_total", "totalSelector": selector, "badSelector": format!("{selector},code=\"500\""),
        }},
    });
    if !partition.is_null() {
        spec["partitionBy"] = partition;
    }
    json!({
        "apiVersion": "hashinsight.net/v1alpha1", "kind": "ServiceLevelObjective",
        "metadata": {"name": name, "namespace": SYSTEM}, "spec": spec,
    })
}

async fn measure(arguments: &Arguments, what: String, objectives: Vec<Value>) -> Cost {
    let ground = Ground::with_kinds().await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}});
    ground.admin.apply(namespace).await.unwrap();
    let service = serve(arguments.objectives);
    let prometheus = Prometheus::start(service);
    let folder = tempfile::tempdir().unwrap();
    let address = service::free();
    let mut command = Command::new(&arguments.operator);
    command
        .args(["--identity", "bench", "--listen", &address.to_string(), "--prometheus-url", &prometheus.url()])
        .env("KUBECONFIG", ground.cluster.admin_kubeconfig())
        .env("NO_PROXY", "127.0.0.1");
    let operator = Program::start(command, &folder.path().join("operator.log"));
    let count = objectives.len();
    say(&format!("{what}: applying\n"));
    stream::iter(objectives)
        .for_each_concurrent(8, |object| async {
            ground.admin.create(object).await.unwrap();
        })
        .await;
    // Every objective's rules, brought to Prometheus as its sidecar does.
    let rules = until("the rules", || async {
        let all = ground.admin.list("ConfigMap", Some(SYSTEM)).await.unwrap();
        let rules: Vec<String> =
            all.iter().filter_map(|map| Some(map["data"]["rules.yaml"].as_str()?.to_owned())).collect();
        (rules.len() > count).then_some(rules)
    })
    .await;
    prometheus.load(&rules);
    say(&format!("{what}: {} files of rules; waiting for counts\n", rules.len()));
    until("every objective is evaluated", || async {
        let all = ground.admin.list("ServiceLevelObjective", Some(SYSTEM)).await.unwrap();
        let evaluated =
            all.iter().filter(|object| object["status"]["conditions"].to_string().contains("\"Evaluated\""));
        (evaluated.count() == count).then_some(())
    })
    .await;
    say(&format!("{what}: measuring {} cycles\n", arguments.cycles));
    let read = || {
        let told = get(address, "/metrics").unwrap();
        let sum = |name: &str| -> f64 {
            let lines = told.lines().filter(|line| line.starts_with(&format!("hashinsight_operator_{name}")));
            lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        [sum("source_queries_total"), sum("evaluation_duration_seconds_sum"), sum("evaluation_duration_seconds_count")]
    };
    let (before, cpu_before) = (read(), operator.cpu());
    tokio::time::sleep(Duration::from_secs(CYCLE * u64::from(arguments.cycles))).await;
    let (after, cpu_after) = (read(), operator.cpu());
    let cycles = after[2] - before[2];
    let asked = prometheus.both_ways(count);
    Cost {
        what,
        cpu: (cpu_after - cpu_before) / cycles,
        questions: (after[0] - before[0]) / cycles,
        seconds: (after[1] - before[1]) / cycles,
        memory: operator.memory(),
        asked,
    }
}

async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut probe: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(begun.elapsed() < Duration::from_secs(900), "not in time: {what}");
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}
