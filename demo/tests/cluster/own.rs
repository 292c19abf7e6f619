//! The demo as `make demo` plays it: a cluster of its own, the whole list of
//! scenes, and nothing left behind.

use std::process::{Command, Output};
use std::sync::LazyLock;

use crate::stage::{IMAGE, root};

fn demo(name: &str, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_demo")).args(["--name", name]).args(more).output().unwrap()
}

pub fn plays_whole() {
    LazyLock::force(&IMAGE);
    let name = format!("own{}", std::process::id());
    let output = demo(&name, &["--built"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let drawn = |name: &str| std::fs::read_to_string(root().join("target/demo").join(name)).unwrap_or_default();
    let pictures = [drawn("heatmap.svg"), drawn("budget.svg")];
    let down = demo(&name, &["down"]);
    assert!(output.status.success(), "{told}");
    for line in [
        "5000 miners as CSV, priced in",
        "fresh by coinbase, kraken, bitstamp",
        "market data is INVENTED",
        "without a token: 401 TokenRefused",
        "calculationcore.hashinsight.net/core condition met",
        "\"state\":\"stale\"",
        "stage     Cautious: releases {\"allow\":\"All\",\"maxStepPercent\":10}",
        "incident  error-budget-burns-fast-",
        "premium   respond by",
        "runbook   served at /runbooks/ErrorBudgetBurnsFast",
        "failures; those who asked were answered",
        "Spent: ",
        "% is left",
        "changes of stage; ",
        "Cautious: ",
        "found by golden samples before any traffic: 0 of",
        "taken back: of ",
        "from the verdict on record to weight 0: ",
        "The same as on record.",
        "  AnalysisHeld",
        "it held, then went through: ",
        "none was lost by the rollouts themselves",
        "Allow: 8 checks passed",
        "vulnerabilities/CVE-2026-91007",
        "! coverage/missing: no report of coverage",
        "Defer until 2027-01-02T00:00:00Z",
        "verdict.dsse.json holds: Allow by the policy shop",
        "forged.dsse.json does not hold (Forged)",
        "All 9 scenes played",
    ] {
        assert!(told.contains(line), "{line:?} is not in {told}");
    }
    let of_revision = |line: &&str| line.contains("\"revision\":\"") && line.contains("\",\"tenant\":\"acme\"");
    assert!(told.lines().any(|line| of_revision(&line)), "requests of acme by revision are not in {told}");
    assert!(pictures.iter().all(|picture| picture.starts_with("<svg")), "the pictures are where they say");
    assert!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
}
