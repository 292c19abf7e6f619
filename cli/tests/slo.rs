//! Objectives and runbooks on the command line, as people and pipelines run
//! them: no cluster.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that reads and writes its files")]

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn run(at: &TempDir, words: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hashinsight"))
        .args(words)
        .current_dir(at)
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .env_remove("LANG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn said(at: &TempDir, words: &[&str]) -> String {
    let output = run(at, words, "");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Exit code, and both outputs together.
fn ended(at: &TempDir, words: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = run(at, words, "");
    (status.code().unwrap(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

const OBJECTIVE: &str = r#"
apiVersion: hashinsight.net/v1alpha1
kind: ServiceLevelObjective
metadata: {name: core, namespace: hashinsight-system}
spec:
  service: core
  objectivePercent: "99"
  indicator: {events: {metric: requests_total, totalSelector: 'job="core"', badSelector: 'job="core",code=~"5.."'}}
  window: {rollingDays: 1}
  budgetPolicyRef: {name: production}
"#;

const POLICY: &str = r"
apiVersion: hashinsight.net/v1alpha1
kind: ErrorBudgetPolicy
metadata: {name: production, namespace: hashinsight-system}
spec:
  stages:
  - {name: Cautious, enterAtOrBelowPercent: 97, leaveAtOrAbovePercent: 98, minimumHoldMinutes: 1, releases: {allow: All, maxStepPercent: 10}, page: false}
";

/// Two days of ten requests a second, and a minute after a day in which all
/// fail.
fn counters() -> String {
    let mut text = "time,total,bad\n".to_owned();
    let (mut total, mut bad) = (5_000, 40);
    for step in 0..2 * 5_760 + 40 {
        let second = 1_800_000_000 + step * 15;
        let _ = writeln!(text, "{second},{total},{bad}");
        total += 150;
        bad += if (5_760..5_764).contains(&step) { 150 } else { 0 };
    }
    text
}

fn stage() -> TempDir {
    let at = TempDir::new().unwrap();
    fs::write(at.path().join("slo.yaml"), OBJECTIVE).unwrap();
    fs::write(at.path().join("both.yaml"), format!("{OBJECTIVE}---{POLICY}")).unwrap();
    fs::write(at.path().join("counters.csv"), counters()).unwrap();
    at
}

#[test]
fn history_tells_when_it_would_have_paged_and_frozen() {
    let at = stage();
    let words = ["slo", "backtest", "-f", "both.yaml", "--history", "counters.csv", "-o", "json"];
    let report: Value = serde_json::from_str(&said(&at, &words)).unwrap();
    assert_eq!(report["pages"], 0, "a minute is 6.9 %, and a page asks for 20 %: {report}");
    assert_eq!(report["stages"], serde_json::json!(["Cautious", "Normal"]));
    // A minute of 14.4.
    assert_eq!(report["lowest"]["percent"], "93.06");
    let told = said(&at, &["slo", "backtest", "-f", "both.yaml", "--history", "counters.csv"]);
    assert!(told.contains("0 pages, 0 tickets, 2 changes of stage") && told.contains("Cautious: "), "{told}");
    // With an alert that asks for less, somebody is woken within the minute.
    let quick =
        OBJECTIVE.to_owned() + "  alerts: [{severity: Page, budgetPercent: 5, longWindow: 1h, shortWindow: 5m}]\n";
    fs::write(at.path().join("quick.yaml"), quick).unwrap();
    let report = said(&at, &["slo", "backtest", "-f", "quick.yaml", "--history", "counters.csv", "-o", "json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["pages"], 1);
    let page = report["items"][0].clone();
    assert_eq!((page["kind"].as_str(), page["at"].as_str()), (Some("Page"), Some("2027-01-16T08:00:45Z")), "{report}");
    let none = said(&at, &["slo", "backtest", "-f", "slo.yaml", "--history", "counters.csv"]);
    assert!(none.contains("no policy was given"), "{none}");
}

#[test]
fn a_budget_is_drawn_and_explained() {
    let at = stage();
    let words = ["slo", "budget", "-f", "slo.yaml", "--history", "counters.csv", "--svg", "budget.svg"];
    let told = said(&at, &words);
    assert!(told.contains("100.00 % │") && told.contains("% is left"), "{told}");
    let picture = fs::read_to_string(at.path().join("budget.svg")).unwrap();
    assert!(picture.starts_with("<svg ") && picture.contains("hashinsight-system/core"), "{picture}");
    let told = said(&at, &["slo", "explain", "-f", "slo.yaml"]);
    for words in [
        "99 % of events are good over the last day",
        "requests_total{job=\"core\",code=~\"5..\"}",
        "Budget: 0.01 × 1440.00 min = 14.40 min.",
        "after 173 s of a whole outage",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let told = said(&at, &["slo", "explain", "-f", "slo.yaml", "--language", "zh"]);
    assert!(told.contains("预算：0.01 × 1440.00 分钟 = 14.40 分钟。"), "{told}");
}

#[test]
fn lint_says_where_and_what() {
    let at = stage();
    let (code, told) = ended(&at, &["slo", "lint", "-f", "both.yaml"]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("both.yaml:1") && told.contains("1 stages"), "{told}");
    let bad = OBJECTIVE.replace("\"99\"", "\"100\"") + "---" + &OBJECTIVE.replace("'job=\"core\"'", "'job=core'");
    fs::write(at.path().join("bad.yaml"), bad).unwrap();
    let (code, told) = ended(&at, &["slo", "lint", "-f", "bad.yaml"]);
    assert_eq!(code, 1);
    assert!(told.contains("bad.yaml:1") && told.contains("at 100 there is no budget to spend"), "{told}");
    assert!(told.contains("bad.yaml:12") && told.contains("expected a value in quotes"), "{told}");
    let tenant = OBJECTIVE.replace("hashinsight-system", "tenant-acme").replace("job=\"core\"'", "tenant=\"other\"'");
    fs::write(at.path().join("tenant.yaml"), tenant).unwrap();
    let (code, told) = ended(&at, &["slo", "lint", "-f", "tenant.yaml"]);
    assert!(code == 1 && told.contains("the label tenant is set by the operator"), "{told}");
}

#[test]
fn the_charts_own_objectives_pass() {
    let at = stage();
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/hashinsight-defaults");
    let rendered = Command::new(localcluster::fetch_helm().unwrap())
        .args(["template", "x", chart, "-n", "hashinsight-system", "--set=objectivesEnabled=true"])
        .output()
        .unwrap();
    assert!(rendered.status.success());
    let all = String::from_utf8(rendered.stdout).unwrap();
    let measured =
        all.split("---\n").filter(|text| !text.contains("kind: TenantPlan")).collect::<Vec<_>>().join("---\n");
    fs::write(at.path().join("defaults.yaml"), measured).unwrap();
    let (code, told) = ended(&at, &["slo", "lint", "-f", "defaults.yaml"]);
    assert!(code == 0 && told.matches('✓').count() == 4 && !told.contains('!'), "{told}");
}

#[test]
fn openslo_goes_in_and_out() {
    let at = stage();
    let document = said(&at, &["slo", "export", "slo.yaml"]);
    assert!(document.contains("openslo/v1") && document.contains("targetPercent: 99"), "{document}");
    let back = run(&at, &["slo", "import", "-"], &document);
    let back: Value =
        serde_saphyr::from_str(String::from_utf8(back.stdout).unwrap().trim_start_matches("---\n")).unwrap();
    let first: Value = serde_saphyr::from_str(OBJECTIVE).unwrap();
    assert_eq!(back["spec"], first["spec"]);
    let strange = document.replace("isRolling: true", "isRolling: true\n    surprise: 1");
    let refused = run(&at, &["slo", "import", "-"], &strange);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stdout.is_empty(), "nothing is written");
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("SLO/core: spec.timeWindow[0].surprise: not known"), "{told}");
}

#[test]
fn bad_input_is_named_with_its_place() {
    let at = stage();
    for (text, told) in [
        ("time,total\n1,2\n", "no column bad"),
        ("time,total,bad\n1,2,3\n", "counters.csv:2: bad: 3 of 2 events"),
        ("time,total,bad\n1,NaN,3\n", "counters.csv:2: total: NaN is no number to count with"),
        ("time,total,bad\n1,-5,3\n", "counters.csv:2: total: -5 is below zero"),
        ("time,total,bad\nyesterday,5,3\n", "is neither seconds nor RFC 3339"),
        ("time,total,bad\n1,5,3\n", "two readings of the counters are needed"),
    ] {
        fs::write(at.path().join("counters.csv"), text).unwrap();
        let (code, said) = ended(&at, &["slo", "backtest", "-f", "slo.yaml", "--history", "counters.csv"]);
        assert!(code == 2 && said.contains(told), "{told}: {said}");
    }
    let (code, told) = ended(&at, &["slo", "backtest", "-f", "slo.yaml"]);
    assert!(code == 2 && told.contains("no history is named"), "{told}");
    let (code, told) = ended(&at, &["slo", "budget", "-f", "slo.yaml", "--prometheus-url", "http://127.0.0.1:1"]);
    assert!(code == 4 && told.contains("the Prometheus cannot be asked"), "{told}");
    let (code, told) = ended(&at, &["slo", "lint", "-f", "nowhere.yaml"]);
    assert!(code == 2 && told.contains("nowhere.yaml"), "{told}");
}

#[test]
fn runbooks_are_read_without_a_network() {
    let at = stage();
    let list = said(&at, &["runbook"]);
    assert!(list.contains("ErrorBudgetBurnsFast") && list.contains("ScaleCalculationCore"), "{list}");
    let page = said(&at, &["runbook", "errorbudgetburnsfast"]);
    assert!(page.starts_with("# ErrorBudgetBurnsFast") && page.contains("## Mitigation"), "{page}");
    let page = said(&at, &["runbook", "PlanMissing", "--language", "zh"]);
    assert!(page.contains("## 处置"), "{page}");
    let (code, told) = ended(&at, &["runbook", "PlanMising"]);
    assert!(code == 2 && told.contains("did you mean PlanMissing?"), "{told}");
}

#[test]
fn a_canary_s_verdict_is_computed_again() {
    use hashinsight_gates::canary::{Counted, Known, Look, Plan, Requests};
    let at = stage();
    let plan = Plan::of(&[500]);
    let counted = Counted {
        canary: Requests { total: 100, bad: 9 },
        stable: Requests { total: 900, bad: 0 },
        ..Counted::default()
    };
    let known = Known::default().take(&plan, &Look::Counted { seconds: 5, objectives: vec![counted] });
    let mut record = serde_json::json!({"plan": plan, "known": known, "judgement": known.judge(&plan)});
    fs::write(at.path().join("verdict.json"), record.to_string()).unwrap();
    let told = said(&at, &["canary", "explain", "verdict.json"]);
    assert!(
        told.contains("Fail: it is rolled back.") && told.contains("9 of 100 requests of the canary were bad"),
        "{told}"
    );
    assert!(told.contains("The same as on record."), "{told}");
    record["judgement"]["verdict"] = serde_json::json!("Pass");
    fs::write(at.path().join("verdict.json"), record.to_string()).unwrap();
    let (code, told) = ended(&at, &["canary", "explain", "verdict.json"]);
    assert!(code == 1 && told.contains("NOT the same as on record, which says Pass."), "{told}");
    fs::write(at.path().join("verdict.json"), "{}").unwrap();
    assert_eq!(ended(&at, &["canary", "explain", "verdict.json"]).0, 2);
}
