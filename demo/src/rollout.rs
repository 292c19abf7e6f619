//! Four versions under load: the first serves, the second computes wrongly, the
//! third is slow and fails, and during the fourth nobody counts for a while.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use localcluster::say;
use serde_json::{Value, json};

use crate::Trouble;
use crate::edge::Edge;
use crate::stage::{Stage, root, told};
use crate::traffic::{Tally, under_load};

const NAMESPACE: &str = "hashinsight-system";
const WITHIN: Duration = Duration::from_secs(90);
/// From the verdict to no traffic at all.
const BACK_WITHIN: Duration = Duration::from_secs(2);
/// What a rollout is held to, and its steps, short enough to be looked at.
const OBJECTIVES: &str = "\
apiVersion: hashinsight.net/v1alpha1
kind: ServiceLevelObjective
metadata: {name: rollout-answers, namespace: hashinsight-system}
spec:
  service: calculation-core
  description: Requests are answered without a failure
  objectivePercent: '99.9'
  indicator: {events: {metric: http_requests_total, totalSelector: 'job=\"core\"', badSelector: 'job=\"core\",code=~\"5..\"'}}
  window: {rollingDays: 30}
---
apiVersion: hashinsight.net/v1alpha1
kind: ServiceLevelObjective
metadata: {name: rollout-fast, namespace: hashinsight-system}
spec:
  service: calculation-core
  description: Requests are answered within a quarter of a second
  objectivePercent: '99'
  indicator: {latency: {histogram: http_request_duration_seconds, selector: 'job=\"core\"', thresholdSeconds: '0.25'}}
  window: {rollingDays: 30}
";

/// Steps, watch and deadlines of the demo.
fn brisk() -> Value {
    json!({"rollout": {
        "steps": [{"weightPercent": 10, "holdSeconds": 10}, {"weightPercent": 50, "holdSeconds": 10}],
        "watchSeconds": 10, "progressDeadlineSeconds": 120,
        "analysis": {"objectiveRefs": [{"name": "rollout-answers"}, {"name": "rollout-fast"}], "noDataDeadlineSeconds": 30},
    }})
}

pub(crate) fn play(stage: &Stage) -> Result<(), Trouble> {
    prepare(stage)?;
    let edge = Edge::to(stage)?;
    let counts = under_load(stage, &edge, |tally| {
        std::thread::sleep(Duration::from_secs(5));
        say(&format!("   version 1 serves {} customers' requests\n", tally.counts().asked));
        wrong_figures(stage, tally)?;
        slow_and_failing(stage, tally)?;
        without_metrics(stage, tally)?;
        tally.none_lost()?;
        Ok(tally.counts())
    })?;
    say(&format!("   {} requests in all; none was lost by the rollouts themselves\n", counts.asked));
    Ok(())
}

/// Healthy versions, one after the other.
pub(crate) fn healthy(stage: &Stage, count: u64) -> Result<(), Trouble> {
    prepare(stage)?;
    let edge = Edge::to(stage)?;
    let begun = Instant::now();
    let counts = under_load(stage, &edge, |tally| {
        for number in 1..=count {
            let (begun, before) = (Instant::now(), tally.counts());
            release(stage, &good(number)?)?;
            let code = stage.hashinsight(&["canary", "watch", "core", "-n", NAMESPACE], |_| ())?;
            let (took, since) = (begun.elapsed().as_secs(), tally.counts() - before);
            say(&format!(
                "   rollout {number} of {count}: {took} s, {} requests, {} failed, {} late, {} lost\n",
                since.asked, since.failed, since.slow, since.lost
            ));
            if code != 0 {
                return Err(Trouble::Wrong(format!("a healthy version was taken back: {}", status(stage)?)));
            }
        }
        Ok(tally.counts())
    })?;
    let seconds = begun.elapsed().as_secs();
    say(&format!("   {count} rollouts in {seconds} s: {counts:?}\n"));
    if counts.failed + counts.lost > 0 { Err(Trouble::Wrong("requests failed".to_owned())) } else { Ok(()) }
}

/// The objectives, and brisk steps.
fn prepare(stage: &Stage) -> Result<(), Trouble> {
    let file = root().join("target/demo/rollout.yaml");
    std::fs::write(&file, OBJECTIVES).map_err(|error| Trouble::Wrong(format!("{}: {error}", file.display())))?;
    stage.kubectl(&["apply", "-f", &file.display().to_string()])?;
    release(stage, &brisk())
}

/// Applies a change of the core's spec.
fn release(stage: &Stage, change: &Value) -> Result<(), Trouble> {
    let patch = json!({"spec": change}).to_string();
    stage.kubectl(&["patch", "calculationcore", "core", "-n", NAMESPACE, "--type=merge", "-p", &patch]).map(drop)
}

fn status(stage: &Stage) -> Result<Value, Trouble> {
    let told = stage.ask("kubectl", &["get", "calculationcore", "core", "-n", NAMESPACE, "-o", "json"])?;
    let core: Value = serde_json::from_str(&told).map_err(|error| Trouble::Wrong(format!("core: {error}")))?;
    Ok(core["status"].clone())
}

/// Follows the rollout to its end, which must be that exit code.
fn followed(stage: &Stage, end: i32) -> Result<(), Trouble> {
    let code = stage.hashinsight(&["canary", "watch", "core", "-n", NAMESPACE], told)?;
    if code == end { Ok(()) } else { Err(Trouble::Wrong(format!("the rollout ended with {code}, not {end}"))) }
}

fn image(name: &str) -> Result<Value, Trouble> {
    let file = root().join("target/dist/calculation-core").join(format!("{name}.image"));
    let read = std::fs::read_to_string(&file);
    read.map(|image| json!({"image": image})).map_err(|error| Trouble::Wrong(format!("{}: {error}", file.display())))
}

/// The reason the last revision is held for.
fn held_for(stage: &Stage, wanted: &str) -> Result<Value, Trouble> {
    let status = status(stage)?;
    let reason = &status["quarantined"][0]["reason"];
    if reason == wanted {
        Ok(status)
    } else {
        Err(Trouble::Wrong(format!("held for {reason}, not {wanted}: {status}")))
    }
}

fn wrong_figures(stage: &Stage, tally: &Tally) -> Result<(), Trouble> {
    say("   version 2 cuts figures off instead of rounding them\n");
    let before = tally.counts();
    release(stage, &image("rounding")?)?;
    followed(stage, 1)?;
    let status = held_for(stage, "GoldenSamplesDiffer")?;
    if !status["canary"]["countedSince"].is_null() {
        return Err(Trouble::Wrong(format!("customers asked it: {status}")));
    }
    let since = tally.counts() - before;
    say(&format!(
        "   found by golden samples before any traffic: 0 of {} requests reached it, {} failed\n",
        since.asked, since.failed
    ));
    if since.failed > 0 { Err(Trouble::Wrong(format!("{since:?}"))) } else { Ok(()) }
}

fn slow_and_failing(stage: &Stage, tally: &Tally) -> Result<(), Trouble> {
    say("   version 3 takes 0.4 s longer for every fourth request, and fails every fiftieth\n");
    let before = tally.counts();
    let states = Seen::follow(stage, "calculationcore", "{.status.state}")?;
    let routes = Seen::follow(stage, "httproute", "{.spec.rules[0].backendRefs}")?;
    release(stage, &image("slow-and-failing")?)?;
    followed(stage, 1)?;
    let since = tally.counts() - before;
    let status = held_for(stage, "ObjectivesBroken")?;
    say(&format!(
        "   taken back: of {} requests {} were answered late and {} with a failure\n",
        since.asked, since.slow, since.failed
    ));
    if since.failed + since.slow == 0 {
        return Err(Trouble::Wrong("a bad version answered nothing badly: it was never asked".to_owned()));
    }
    let revision = status["canary"]["revision"].as_str().unwrap_or_default().to_owned();
    let verdict = states.first(|text| text.contains("\"rollingBack\""), None);
    let gone = verdict
        .and_then(|verdict| routes.first(|text| weight_of(text, &format!("core-{revision}")) == 0, Some(verdict)));
    let (Some(verdict), Some(gone)) = (verdict, gone) else {
        return Err(Trouble::Wrong("the verdict or the weight after it was not seen".to_owned()));
    };
    let took = gone.duration_since(verdict);
    say(&format!("   from the verdict on record to weight 0: {} ms\n", took.as_millis()));
    if took > BACK_WITHIN {
        return Err(Trouble::Wrong(format!("that is more than {} s", BACK_WITHIN.as_secs())));
    }
    explained(stage, &revision)
}

/// The share of a service by a route's backends; 0 when it has none.
fn weight_of(backends: &str, service: &str) -> i64 {
    let backends: Value = serde_json::from_str(backends).unwrap_or_default();
    let mut all = backends.as_array().into_iter().flatten();
    all.find(|backend| backend["name"] == service).map_or(0, |backend| backend["weight"].as_i64().unwrap_or(1))
}

/// What the verdict rests on, computed again.
fn explained(stage: &Stage, revision: &str) -> Result<(), Trouble> {
    let map = format!("core-{revision}-verdict");
    let kept =
        stage.ask("kubectl", &["get", "configmap", &map, "-n", NAMESPACE, "-o", "jsonpath={.data.verdict\\.json}"])?;
    let file = root().join("target/demo/verdict.json");
    std::fs::write(&file, kept).map_err(|error| Trouble::Wrong(format!("{}: {error}", file.display())))?;
    let code = stage.hashinsight(&["canary", "explain", &file.display().to_string()], told)?;
    if code == 0 { Ok(()) } else { Err(Trouble::Wrong("the verdict comes out otherwise".to_owned())) }
}

fn without_metrics(stage: &Stage, tally: &Tally) -> Result<(), Trouble> {
    say("   version 4 is good, and meanwhile Prometheus is stopped\n");
    let before = tally.counts();
    stage.kubectl(&["scale", "deployment/prometheus", "-n", "monitoring", "--replicas=0"])?;
    release(stage, &good(1)?)?;
    let look = "hashinsight canary watch core --once";
    stage.eventually("the rollout is not held", WITHIN, look, || {
        let status = status(stage).map_err(|trouble| trouble.to_string())?;
        let ready = status["conditions"].as_array().into_iter().flatten().find(|c| c["type"] == "Ready").cloned();
        let is_held = ready.is_some_and(|ready| ready["reason"] == "AnalysisHeld");
        if is_held && status["canary"]["weightPercent"] == 10 { Ok(()) } else { Err(status.to_string()) }
    })?;
    stage.hashinsight(&["canary", "watch", "core", "--once", "-n", NAMESPACE], told)?;
    stage.kubectl(&["scale", "deployment/prometheus", "-n", "monitoring", "--replicas=1"])?;
    followed(stage, 0)?;
    let since = tally.counts() - before;
    say(&format!("   it held, then went through: {} requests, {} failed\n", since.asked, since.failed));
    if since.failed > 0 { Err(Trouble::Wrong(format!("{since:?}"))) } else { Ok(()) }
}

/// A good version: the shipped image, and a setting of its own.
fn good(number: u64) -> Result<Value, Trouble> {
    let file = root().join("target/dist/calculation-core/core.yaml");
    let text =
        std::fs::read_to_string(&file).map_err(|error| Trouble::Wrong(format!("{}: {error}", file.display())))?;
    let image = text.lines().find_map(|line| line.trim().strip_prefix("image: "));
    let image = image.ok_or_else(|| Trouble::Wrong(format!("{}: no image", file.display())))?;
    Ok(json!({"image": image, "config": {"maxBatchMiners": 20_000 + number}}))
}

/// What an object of the core's said, and when, until dropped.
struct Seen {
    watch: Child,
    lines: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Seen {
    fn follow(stage: &Stage, kind: &str, path: &str) -> Result<Self, Trouble> {
        let mut command = stage.command("kubectl")?;
        let output = format!("jsonpath={path}{{\"\\n\"}}");
        command.args(["get", kind, "core", "-n", NAMESPACE, "-w", "-o", &output]).stdout(Stdio::piped());
        let spawned = command.stdin(Stdio::null()).spawn();
        let mut watch = spawned.map_err(|source| Trouble::Spawn { program: "kubectl".to_owned(), source })?;
        let lines: Arc<Mutex<Vec<(Instant, String)>>> = Arc::default();
        if let Some(out) = watch.stdout.take() {
            let lines = Arc::clone(&lines);
            std::thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    lines.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), line));
                }
            });
        }
        Ok(Self { watch, lines })
    }

    /// When the first line came for which `holds`, not before `after`.
    fn first(&self, holds: impl Fn(&str) -> bool, after: Option<Instant>) -> Option<Instant> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |(at, line): &&(Instant, String)| after.is_none_or(|after| *at >= after) && holds(line);
        lines.iter().find(fits).map(|(at, _)| *at)
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        drop(self.watch.kill());
        drop(self.watch.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_by_service() {
        let backends = r#"[{"name":"core-a","weight":90},{"name":"core-b","weight":10}]"#;
        assert_eq!((weight_of(backends, "core-b"), weight_of(backends, "core-c")), (10, 0));
        assert_eq!(weight_of(r#"[{"name":"core-a"}]"#, "core-a"), 1);
    }
}
