//! Objectives on a real API server with a real Prometheus that scrapes a
//! program of ours, whose counters are the truth.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hashinsight_slo::dashboard;
use localcluster::{fetch_monitoring_kinds, fetch_prometheus};
use serde_json::{Value, json};
use testkit::{Operator, eventually};

use crate::incidents;
use crate::stage::{BINARY, SYSTEM, Stage, condition};

/// How long anything that waits for a few counts may take.
const WITHIN: Duration = Duration::from_secs(120);

/// A service with counters, ten requests a second.
struct Service {
    good: AtomicU64,
    bad: AtomicU64,
    failing: AtomicBool,
    serving: AtomicBool,
    address: SocketAddr,
}

impl Service {
    fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = Arc::new(Self {
            good: AtomicU64::new(0),
            bad: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            serving: AtomicBool::new(true),
            address: listener.local_addr().unwrap(),
        });
        let (scraped, served) = (Arc::clone(&service), Arc::downgrade(&service));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer);
                let body = format!(
                    "# TYPE requests_total counter\nrequests_total{{code=\"200\"}} {}\nrequests_total{{code=\"500\"}} {}\n",
                    scraped.good.load(Ordering::SeqCst),
                    scraped.bad.load(Ordering::SeqCst)
                );
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        std::thread::spawn(move || {
            while let Some(service) = served.upgrade() {
                if service.serving.load(Ordering::SeqCst) {
                    let counter = if service.failing.load(Ordering::SeqCst) { &service.bad } else { &service.good };
                    counter.fetch_add(1, Ordering::SeqCst);
                }
                drop(service);
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        service
    }
}

/// A Prometheus that scrapes `service` every second, and reads rules from a
/// folder.
struct Prometheus {
    folder: tempfile::TempDir,
    address: SocketAddr,
    child: Mutex<Option<Child>>,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Prometheus {
    fn start(service: &Service) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("rules")).unwrap();
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 15s}}\nrule_files: [rules/*.yaml]\n\
             scrape_configs: [{{job_name: core, static_configs: [{{targets: ['{}']}}]}}, \
             {{job_name: operator, file_sd_configs: [{{files: [operator.json], refresh_interval: 5s}}]}}]\n",
            service.address
        );
        std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let prometheus = Self { folder, address, child: Mutex::new(None) };
        prometheus.go();
        prometheus
    }

    fn go(&self) {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let child = Command::new(fetch_prometheus().unwrap().server)
            .arg(format!("--config.file={}", path("prometheus.yml")))
            .arg(format!("--storage.tsdb.path={}", path("data")))
            .arg(format!("--web.listen-address={}", self.address))
            .args(["--web.enable-lifecycle", "--log.level=warn"])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        *self.child.lock().unwrap() = Some(child);
    }

    fn stop(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Scrapes the operator from now on.
    fn scrape(&self, operator: &Operator) {
        let targets = json!([{"targets": [operator.address().to_string()]}]);
        std::fs::write(self.folder.path().join("operator.json"), targets.to_string()).unwrap();
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes the rules of an object, and what it says of them.
    async fn load(&self, rules: &Value) {
        std::fs::write(self.folder.path().join("rules/rules.yaml"), rules["data"]["rules.yaml"].as_str().unwrap())
            .unwrap();
        eventually("the rules are loaded", WITHIN, || async {
            let (code, body) = http(self.address, "POST", "/-/reload").ok_or("no answer")?;
            if code == 200 { Ok(()) } else { Err(body) }
        })
        .await;
    }

    /// The one value of a query.
    fn value(&self, query: &str) -> Option<f64> {
        let plain: String = query
            .bytes()
            .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
            .collect();
        let (_, body) = http(self.address, "GET", &format!("/api/v1/query?query={plain}"))?;
        let answer: Value = serde_json::from_str(&body).ok()?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

fn http(address: SocketAddr, verb: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "{verb} {path} HTTP/1.0\r\nHost: p\r\nContent-Length: 0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn objective(name: &str, more: Value) -> Value {
    let mut spec = json!({
        "service": "core",
        "objectivePercent": "99",
        "indicator": {"events": {
            "metric": "requests_total", "totalSelector": "job=\"core\"", "badSelector": "job=\"core\",code=~\"5..\"",
        }},
        "window": {"rollingDays": 1},
        // A hundredth of 14.4 minutes.
        "alerts": [{"severity": "Page", "budgetPercent": 1, "longWindow": "30m", "shortWindow": "5m"}],
        "minimumEvents": 10,
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "apiVersion": "hashinsight.net/v1alpha1", "kind": "ServiceLevelObjective",
        "metadata": {"name": name, "namespace": SYSTEM}, "spec": spec,
    })
}

fn policy() -> Value {
    json!({
        "apiVersion": "hashinsight.net/v1alpha1", "kind": "ErrorBudgetPolicy",
        "metadata": {"name": "production", "namespace": SYSTEM},
        "spec": {"stages": [{
            "name": "Cautious", "enterAtOrBelowPercent": 98, "leaveAtOrAbovePercent": 99, "minimumHoldMinutes": 1,
            "releases": {"allow": "All", "maxStepPercent": 10}, "page": true,
        }]},
    })
}

pub fn is(object: &Value, type_: &str, status: &str, reason: &str) -> bool {
    let found = condition(object, type_);
    found["status"] == status && found["reason"] == reason
}

/// Waits until the object, or null where none is, is as it should be.
pub async fn until(stage: &Stage, path: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let last = Mutex::new(Value::Null);
    eventually(what, WITHIN * 2, || async {
        let object = stage.admin().get(path).await.ok().flatten().unwrap_or_default();
        let done = holds(&object);
        let told = format!("{path}: {}", object["status"]);
        *last.lock().unwrap() = object;
        if done { Ok(()) } else { Err(told) }
    })
    .await;
    last.into_inner().unwrap()
}

pub async fn a_burnt_budget_is_counted_staged_and_alerted_and_survives_the_metrics_source(_: Arc<Stage>) {
    let service = Service::start();
    let prometheus = Prometheus::start(&service);
    let url = prometheus.url();
    let mut stage = Stage::own(&["--prometheus-url", &url]).await;
    prometheus.scrape(stage.operator());
    incidents::promises(&stage).await;
    let path = format!("ServiceLevelObjective/{SYSTEM}/availability");
    stage.admin().apply(policy()).await.unwrap();
    let freeze = json!({
        "apiVersion": "hashinsight.net/v1alpha1", "kind": "ChangeNotice", "metadata": {"name": "holidays", "namespace": SYSTEM},
        "spec": {
            "title": "Holidays", "kind": "Freeze", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z",
            "freezeReleases": {"allow": "FixesOnly"},
        },
    });
    stage.admin().apply(freeze).await.unwrap();
    stage.admin().apply(objective("availability", json!({"budgetPolicyRef": {"name": "production"}}))).await.unwrap();
    let config = format!("ConfigMap/{SYSTEM}/slo.{SYSTEM}.availability");
    let rules = until(&stage, &config, "the rules", |object| object["data"]["rules.yaml"].is_string()).await;
    prometheus.load(&rules).await;
    until(&stage, &path, "the objective is measured", |object| {
        is(object, "Ready", "True", "Evaluated") && is(object, "DataFresh", "True", "DataIsFresh")
    })
    .await;
    until(&stage, &format!("ChangeNotice/{SYSTEM}/holidays"), "the freeze is over", |o| o["status"]["state"] == "Over")
        .await;

    // Thirty seconds of failing everything, of 14.4 minutes.
    service.failing.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(30)).await;
    service.failing.store(false, Ordering::SeqCst);
    let burnt = until(&stage, &path, "the stage", |object| object["status"]["stage"]["name"] == "Cautious").await;
    assert!(is(&burnt, "BudgetHealthy", "True", "BudgetAvailable"), "{burnt}");
    let ledger = &burnt["status"]["ledger"];
    let cents = |value: &Value| value.as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
    let entries = ledger.as_array().unwrap();
    let sum: i64 = entries.iter().map(|entry| cents(&entry["consumedPercent"])).sum();
    assert_eq!(sum, cents(&burnt["status"]["budget"]["consumedPercent"]), "{ledger}");
    let policy = until(&stage, &format!("ErrorBudgetPolicy/{SYSTEM}/production"), "the policy's stage", |object| {
        object["status"]["stage"]["name"] == "Cautious"
    })
    .await;
    assert_eq!(policy["status"]["releases"], json!({"allow": "All", "maxStepPercent": 10}));
    eventually("the page fires", WITHIN, || async {
        let firing = prometheus
            .value("count(ALERTS{alertname=\"ErrorBudgetBurnsFast\",alertstate=\"firing\",severity=\"page\"})");
        if firing == Some(1.0) { Ok(()) } else { Err(format!("{firing:?}")) }
    })
    .await;

    incidents::the_page_is_put_on_record_taken_and_ended(&stage).await;
    every_panel_shows_something(&prometheus).await;

    // With the traffic stopped, what was counted is what the service says.
    service.serving.store(false, Ordering::SeqCst);
    let truth = service.bad.load(Ordering::SeqCst);
    eventually("every bad request is counted", WITHIN, || async {
        let counted =
            prometheus.value("sum(sum_over_time(hashinsight_slo:counted{count=\"bad\"}[1h]))").unwrap_or(-1.0);
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        if (counted - truth as f64).abs() < 0.5 { Ok(()) } else { Err(format!("{counted} of {truth}")) }
    })
    .await;
    let told = stage.operator().get("/metrics").unwrap().1;
    assert!(
        told.contains("hashinsight_slo_policy_stage{page=\"true\",policy=\"production\",stage=\"Cautious\"} 1"),
        "{told}"
    );
    assert!(told.contains("hashinsight_slo_budget_remaining_ratio{slo=\"availability\""), "{told}");

    outages(&mut stage, &prometheus, (&rules, &burnt)).await;
}

async fn every_panel_shows_something(prometheus: &Prometheus) {
    for panel in dashboard::objectives::panels() {
        let query = panel.asked(&[("namespace", SYSTEM), ("objective", "availability")]);
        eventually(&format!("the panel {} shows something", panel.title), WITHIN, || async {
            prometheus.value(&query).map(drop).ok_or_else(|| query.clone())
        })
        .await;
    }
}

/// Somebody empties the rules; the source goes away and the operator with it;
/// the Prometheus Operator's kind comes; the objective goes.
async fn outages(stage: &mut Stage, prometheus: &Prometheus, (rules, burnt): (&Value, &Value)) {
    let url = prometheus.url();
    let path = format!("ServiceLevelObjective/{SYSTEM}/availability");
    let config = format!("ConfigMap/{SYSTEM}/slo.{SYSTEM}.availability");
    // Somebody empties the rules: they are put back.
    stage.admin().merge(&config, json!({"data": {"rules.yaml": "groups: []"}})).await.unwrap();
    until(stage, &config, "the rules are back", |object| object["data"]["rules.yaml"] == rules["data"]["rules.yaml"])
        .await;

    // The source goes away, and the operator is restarted: stage and budget stand.
    prometheus.stop();
    stage.operator = None;
    stage.operator = Some(stage.start("own", &["--prometheus-url", &url]));
    let dark = until(stage, &path, "old data is named", |o| is(o, "DataFresh", "False", "SourceUnreachable")).await;
    assert_eq!(dark["status"]["stage"], burnt["status"]["stage"]);
    assert!(is(&dark, "Ready", "True", "Evaluated"), "{dark}");
    let share = |object: &Value| object["status"]["budget"]["badEvents"].as_i64().unwrap();
    assert!(share(&dark) >= share(burnt), "nothing is restored");

    // It comes back, and with it the kind of the Prometheus Operator.
    prometheus.go();
    let kind = fetch_monitoring_kinds().unwrap().join("monitoring.coreos.com_prometheusrules.yaml");
    stage.ground.kubectl(&["apply", "--server-side", "-f", kind.to_str().unwrap()]);
    until(stage, &path, "fresh again", |object| is(object, "DataFresh", "True", "DataIsFresh")).await;
    let better = format!("PrometheusRule/{SYSTEM}/slo.{SYSTEM}.availability");
    until(stage, &better, "the better kind of rules", |object| object["spec"]["groups"].is_array()).await;
    until(stage, &config, "the other kind is gone", Value::is_null).await;
    stage.admin().delete(&path).await.unwrap();
    until(stage, &better, "the rules of what is gone are gone", Value::is_null).await;
}

pub async fn what_cannot_be_measured_says_why(stage: Arc<Stage>) {
    // The shared operator has no metrics source.
    stage.admin().apply(objective("sourceless", json!({}))).await.unwrap();
    until(&stage, &format!("ServiceLevelObjective/{SYSTEM}/sourceless"), "no source", |o| {
        is(o, "Stalled", "True", "SourceNotSet")
    })
    .await;
    stage
        .admin()
        .apply(objective(
            "refused",
            json!({
                "indicator": {"events": {"metric": "m", "totalSelector": "job=core", "badSelector": "job=\"core\""}},
            }),
        ))
        .await
        .unwrap();
    let refused = until(&stage, &format!("ServiceLevelObjective/{SYSTEM}/refused"), "refused", |o| {
        is(o, "Stalled", "True", "SpecRefused")
    })
    .await;
    let message = condition(&refused, "Ready")["message"].as_str().unwrap();
    assert!(message.starts_with("spec.indicator.events.totalSelector: expected a value in quotes"), "{message}");
    let absent = json!({"budgetPolicyRef": {"name": "nowhere"}});
    stage.admin().apply(objective("unpoliced", absent)).await.unwrap();
    until(&stage, &format!("ServiceLevelObjective/{SYSTEM}/unpoliced"), "policy missing", |o| {
        is(o, "Stalled", "True", "PolicyMissing")
    })
    .await;
    assert!(
        Operator::start(BINARY, &stage.kubeconfig(), "x", &["--prometheus-url", "nonsense"])
            .wait(WITHIN)
            .is_some_and(|status| status.code() == Some(2))
    );
}
