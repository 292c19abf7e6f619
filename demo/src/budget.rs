//! A minute of failures: what is left of the budget, the stage it leads to, the
//! page, its runbook, and the clocks of the incident. What the operator counts
//! is held against what those who asked were answered.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use localcluster::say;
use serde_json::{Value, json};

use crate::edge::{Answer, Edge};
use crate::stage::{root, told};
use crate::{Stage, Trouble};

const NAMESPACE: &str = "hashinsight-system";
/// One day of 99 % is 14.4 minutes; the policy turns Cautious below 97 % of it.
const OBJECTIVE: &str = "\
apiVersion: hashinsight.net/v1alpha1
kind: ServiceLevelObjective
metadata: {name: demo, namespace: hashinsight-system}
spec:
  service: calculation-core
  team: demo
  description: Requests of the demo are answered
  objectivePercent: '99'
  indicator:
    events:
      metric: http_requests_total
      totalSelector: job=\"core\"
      badSelector: job=\"core\",code=~\"5..\"
  window: {rollingDays: 1}
  alerts: [{severity: Page, budgetPercent: 5, longWindow: 1h, shortWindow: 5m}]
  budgetPolicyRef: {name: demo}
---
apiVersion: hashinsight.net/v1alpha1
kind: ErrorBudgetPolicy
metadata: {name: demo, namespace: hashinsight-system}
spec:
  stages:
  - {name: Cautious, enterAtOrBelowPercent: 97, leaveAtOrAbovePercent: 98, minimumHoldMinutes: 1, releases: {allow: All, maxStepPercent: 10}, page: false}
";
/// How long failures are injected.
const FAILING: Duration = Duration::from_secs(60);
/// From one request to the next: below the tenant's rate.
const PAUSE: Duration = Duration::from_millis(120);
const WITHIN: Duration = Duration::from_secs(180);
/// Seconds of whole outage after which 5 % of the budget burnt within an hour,
/// and how much later it may be known: a scrape, a count, a rule, each at its
/// pace.
const PREDICTED: Duration = Duration::from_secs(43);
const LATER: Duration = Duration::from_secs(50);

/// Those who ask, and what they were answered.
struct Load<'a> {
    edge: &'a Edge,
    token: &'a str,
    good: u64,
    bad: u64,
}

impl Load<'_> {
    /// An answer is noted, and must be of that status.
    fn note(&mut self, path: &str, answer: &Answer, expected: u16) -> Result<(), Trouble> {
        if answer.status >= 500 {
            self.bad += 1;
        } else {
            self.good += 1;
        }
        if answer.status != expected {
            return Err(Trouble::Wrong(format!("{path}: {} instead of {expected}: {}", answer.status, answer.text)));
        }
        std::thread::sleep(PAUSE);
        Ok(())
    }

    fn good(&mut self) -> Result<(), Trouble> {
        let path = "/v1/catalogue";
        let answer = self.edge.get(path, Some(self.token))?;
        self.note(path, &answer, 200)
    }

    /// A machine is to be priced, and there is no price.
    fn bad(&mut self) -> Result<(), Trouble> {
        let path = "/v1/batches?usd_per_kwh=0.062";
        let machine = "serial,terahash_per_second,watts\nHI0,200,3500\n";
        let answer = self.edge.post(path, self.token, ["text/csv", "application/json"], machine)?;
        self.note(path, &answer, 503)
    }

    /// Good requests until `probe` gives a value.
    fn until<T>(&mut self, what: &str, look: &str, mut probe: impl FnMut() -> Result<T, String>) -> Result<T, Trouble> {
        let begun = Instant::now();
        loop {
            match probe() {
                Ok(value) => return Ok(value),
                Err(seen) if begun.elapsed() > WITHIN => {
                    let (what, look) = (what.to_owned(), look.to_owned());
                    return Err(Trouble::NotInTime { what, seconds: WITHIN.as_secs(), seen, look });
                }
                Err(_) => (0..8).try_for_each(|_| self.good())?,
            }
        }
    }
}

pub(crate) fn play(stage: &Stage) -> Result<(), Trouble> {
    let edge = Edge::to(stage)?;
    let token = stage.issuer()?.token(&json!({}));
    let mut load = Load { edge: &edge, token: &token, good: 0, bad: 0 };
    defaults(stage)?;
    cold_caches(stage)?;
    let file = root().join("target/demo/objective.yaml");
    std::fs::write(&file, OBJECTIVE).map_err(|error| Trouble::Wrong(format!("{}: {error}", file.display())))?;
    stage.kubectl(&["apply", "-f", &file.display().to_string()])?;
    let look = "kubectl describe slo demo -n hashinsight-system";
    load.until("the objective is not measured", look, || {
        let bad = counted(stage, "total").map_err(|trouble| trouble.to_string())?;
        let slo = object(stage, "slo", "demo")?;
        let ready = slo["status"]["conditions"].to_string().contains("\"Evaluated\"");
        if bad.is_some_and(|count| count > 0.0) && ready { Ok(()) } else { Err(slo["status"].to_string()) }
    })?;
    stage.kubectl(&["get", "slo", "-n", NAMESPACE])?;

    say(&format!(
        "   for {} s every request needs the market, and no provider is left: 503 MarketUnavailable\n",
        FAILING.as_secs()
    ));
    let (failing, before) = (Instant::now(), load.bad);
    while failing.elapsed() < FAILING {
        load.bad()?;
    }
    say(&format!("   {} requests failed\n", load.bad - before));
    stage.kubectl(&["scale", "deployment/market-stand-in", "--replicas=1", "-n", NAMESPACE])?;
    the_page(stage, &mut load, failing)?;
    the_stage(stage, &mut load)?;
    the_incident(stage, &mut load)?;
    runbook(stage)?;
    as_counted(stage, &load)?;
    on_screen(stage)
}

/// The objectives the core is shipped with.
fn defaults(stage: &Stage) -> Result<(), Trouble> {
    let (chart, values) = stage.chart("hashinsight-defaults");
    let chart = chart.display().to_string();
    let mut arguments = vec!["upgrade", "hashinsight-defaults", &chart, "--namespace", NAMESPACE];
    arguments.extend(values.iter().map(String::as_str));
    arguments.extend(["--reuse-values", "--set=objectivesEnabled=true"]);
    stage.helm(&arguments).map(drop)
}

/// Cores that have never heard of a market, and no provider to tell them.
fn cold_caches(stage: &Stage) -> Result<(), Trouble> {
    stage.kubectl(&["scale", "deployment/market-stand-in", "--replicas=0", "-n", NAMESPACE])?;
    let core = "-lhashinsight.net/core=core";
    stage.kubectl(&["rollout", "restart", "deployment", core, "-n", NAMESPACE])?;
    stage.kubectl(&["rollout", "status", "deployment", core, "-n", NAMESPACE, "--timeout=90s"])?;
    Ok(())
}

/// An object as JSON.
fn object(stage: &Stage, kind: &str, name: &str) -> Result<Value, String> {
    let told = stage.ask("kubectl", &["get", kind, name, "-n", NAMESPACE, "-o", "json"]);
    let told = told.map_err(|trouble| trouble.to_string())?;
    serde_json::from_str(&told).map_err(|error| error.to_string())
}

/// Asks the cluster's Prometheus.
fn query(stage: &Stage, query: &str) -> Result<Value, Trouble> {
    let plain: String = query
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    let path = format!("/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query?query={plain}");
    let told = stage.ask("kubectl", &["get", "--raw", &path])?;
    serde_json::from_str(&told).map_err(|error| Trouble::Wrong(format!("{query}: {error}: {told}")))
}

/// What was counted of the demo's objective so far.
fn counted(stage: &Stage, count: &str) -> Result<Option<f64>, Trouble> {
    let sum = format!("sum(sum_over_time(hashinsight_slo:counted{{slo=\"demo\",count=\"{count}\"}}[1h]))");
    let answer = query(stage, &sum)?;
    Ok(answer["data"]["result"][0]["value"][1].as_str().and_then(|text| text.parse().ok()))
}

fn the_page(stage: &Stage, load: &mut Load<'_>, failing: Instant) -> Result<(), Trouble> {
    let look = "kubectl get incidents -n hashinsight-system";
    let active = "ALERTS_FOR_STATE{alertname=\"ErrorBudgetBurnsFast\",slo=\"demo\"}";
    let began = load.until("nobody is paged", look, || {
        let answer = query(stage, active).map_err(|trouble| trouble.to_string())?;
        let second = answer["data"]["result"][0]["value"][1].as_str().and_then(|text| text.parse::<f64>().ok());
        second.ok_or_else(|| answer.to_string())
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
    let after = failing.elapsed().as_secs_f64() - (now - began);
    let (soonest, latest) = (PREDICTED.as_secs(), (PREDICTED + LATER).as_secs());
    let path = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/alerts";
    let told: Value = serde_json::from_str(&stage.ask("kubectl", &["get", "--raw", path])?).unwrap_or_default();
    let mut all = told["data"]["alerts"].as_array().into_iter().flatten();
    let is_ours = |alert: &&Value| alert["labels"]["slo"] == "demo" && alert["labels"]["severity"] == "page";
    let text = |alert: &Value, field: &str| alert["annotations"][field].as_str().unwrap_or_default().to_owned();
    if let Some(alert) = all.find(is_ours) {
        say(&format!("   page      {}\n", text(alert, "summary")));
        say(&format!("             {}\n", text(alert, "description")));
        say(&format!("             runbook {}\n", text(alert, "runbook_url")));
    }
    say(&format!("             {after:.0} s after the first failure; by the arithmetic {soonest} s at the soonest\n"));
    if after > (PREDICTED + LATER).as_secs_f64() {
        return Err(Trouble::Wrong(format!(
            "the page came {after:.0} s after the first failure, not within {latest} s"
        )));
    }
    Ok(())
}

fn the_stage(stage: &Stage, load: &mut Load<'_>) -> Result<(), Trouble> {
    let look = "kubectl describe errorbudgetpolicy demo -n hashinsight-system";
    let policy = load.until("the policy is not Cautious", look, || {
        let policy = object(stage, "errorbudgetpolicy", "demo")?;
        if policy["status"]["stage"]["name"] == "Cautious" { Ok(policy) } else { Err(policy["status"].to_string()) }
    })?;
    say(&format!("   stage     Cautious: releases {}\n", policy["status"]["releases"]));
    stage.kubectl(&["get", "slo,errorbudgetpolicies", "-n", NAMESPACE])?;
    let budget = query(stage, "hashinsight_slo:burn{slo=\"demo\"}")?;
    let rates: Vec<String> = budget["data"]["result"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| format!("{} {}", one["metric"]["window"].as_str().unwrap_or("?"), short(&one["value"][1])))
        .collect();
    say(&format!("   burn rate {}\n", rates.join(", ")));
    Ok(())
}

/// A number of Prometheus's with two decimals.
fn short(value: &Value) -> String {
    let number: f64 = value.as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
    format!("{number:.2}")
}

fn the_incident(stage: &Stage, load: &mut Load<'_>) -> Result<(), Trouble> {
    let look = "kubectl get incidents -n hashinsight-system";
    let incident = load.until("there is no incident", look, || {
        let told = stage.ask("kubectl", &["get", "incidents", "-n", NAMESPACE, "-o", "json"]);
        let told: Value = serde_json::from_str(&told.map_err(|trouble| trouble.to_string())?).unwrap_or_default();
        let all = told["items"].as_array().cloned().unwrap_or_default();
        let found = all.into_iter().find(|incident| {
            incident["spec"]["objective"] == format!("{NAMESPACE}/demo") && incident["status"]["clocks"].is_array()
        });
        found.ok_or_else(|| told.to_string())
    })?;
    let name = incident["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    say(&format!("   incident  {name}\n"));
    for clock in incident["status"]["clocks"].as_array().into_iter().flatten() {
        let text = |field: &str| clock[field].as_str().unwrap_or_default().to_owned();
        say(&format!("     {:<9} respond by {}, recover by {}\n", text("plan"), text("respondBy"), text("recoverBy")));
    }
    stage.hashinsight(&["incident", "acknowledge", &name, "--note", "the demo has it"], told)?;
    load.until("the incident is not taken", look, || {
        let incident = object(stage, "incident", &name)?;
        let state = incident["status"]["state"].clone();
        if state == "Acknowledged" { Ok(()) } else { Err(state.to_string()) }
    })?;
    stage.hashinsight(&["incident", "list"], told)?;
    Ok(())
}

/// The page the alert leads to, as the operator serves it.
fn runbook(stage: &Stage) -> Result<(), Trouble> {
    let name = "ErrorBudgetBurnsFast";
    let path = format!("/api/v1/namespaces/{NAMESPACE}/services/hashinsight-operator:http/proxy/runbooks/{name}");
    let page = stage.ask("kubectl", &["get", "--raw", &path])?;
    if !page.contains("<h2>Mitigation</h2>") {
        return Err(Trouble::Wrong(format!("no runbook at {path}: {page}")));
    }
    say(&format!("   runbook   served at /runbooks/{name}; in the terminal:\n"));
    let mut lines = Vec::new();
    stage.hashinsight(&["runbook", name], |line| lines.push(line.to_owned()))?;
    lines.iter().skip_while(|line| *line != "## Mitigation").take(4).for_each(|line| told(line));
    Ok(())
}

/// What was counted is what was answered, once all is scraped.
fn as_counted(stage: &Stage, load: &Load<'_>) -> Result<(), Trouble> {
    let look = "hashinsight slo explain demo -n hashinsight-system";
    let counted = stage.eventually("failures are not counted as they were answered", WITHIN, look, || {
        let counted = counted(stage, "bad").map_err(|trouble| trouble.to_string())?.unwrap_or(0.0);
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        if (counted - load.bad as f64).abs() < 0.5 { Ok(counted) } else { Err(format!("{counted} of {}", load.bad)) }
    })?;
    say(&format!("   counted   {counted} failures; those who asked were answered {} times with 503\n", load.bad));
    Ok(())
}

fn on_screen(stage: &Stage) -> Result<(), Trouble> {
    let prometheus = Edge::to_service(stage, "monitoring", "service/prometheus", 9090)?;
    let (url, file, picture) =
        (prometheus.url(), root().join("target/demo/objective.yaml"), root().join("target/demo/budget.svg"));
    let (file, picture) = (file.display().to_string(), picture.display().to_string());
    for arguments in [
        &["slo", "explain", "demo", "-n", NAMESPACE][..],
        &["slo", "budget", "demo", "-n", NAMESPACE, "--prometheus-url", &url, "--svg", &picture],
        &["slo", "backtest", "-f", &file, "--prometheus-url", &url, "--days", "1"],
        &["status"],
    ] {
        stage.hashinsight(arguments, told)?;
    }
    Ok(())
}
