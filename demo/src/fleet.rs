//! A fleet is priced through the edge: with a token of a test issuer, and market
//! data from a stand-in that says so.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use localcluster::say;
use serde_json::{Value, json};

use test_issuer::{Issuer, NAME};

use crate::edge::{Answer, Edge};
use crate::stage::root;
use crate::{Stage, Trouble};

const NAMESPACE: &str = "hashinsight-system";
const MINERS: usize = 5000;
/// Hashrate and power of the fleet's kinds.
const KINDS: [(u32, u32); 6] = [(200, 3500), (234, 3510), (186, 3441), (140, 3010), (110, 3250), (95, 3250)];
const WITHIN: Duration = Duration::from_secs(60);
/// The revision that serves.
const REVISION: &str = "jsonpath={.status.stable.revision}";

pub(crate) fn play(stage: &Stage) -> Result<(), Trouble> {
    let folder = root().join("target/demo");
    std::fs::create_dir_all(&folder).map_err(|error| Trouble::Wrong(format!("{}: {error}", folder.display())))?;
    let issuer = stage.issuer()?;
    install(stage, issuer, &folder)?;
    let edge = Edge::to(stage)?;
    let token = issuer.token(&json!({}));
    let wait = || match edge.get("/v1/market", Some(&token)) {
        Ok(Answer { status: 200, text }) => Ok(text),
        Ok(Answer { status, text }) => Err(format!("{status} {text}")),
        Err(trouble) => Err(trouble.to_string()),
    };
    let look = "kubectl -n hashinsight-system logs -l hashinsight.net/core=core";
    stage.eventually("the core did not answer through the edge", WITHIN, look, wait)?;
    price(&edge, &token)?;
    picture(&edge, &token, &folder)?;
    let refused = edge.get("/v1/market", None)?;
    if refused.status != 401 {
        return Err(Trouble::Wrong(format!("without a token: {} {}", refused.status, refused.text)));
    }
    say("   without a token: 401 TokenRefused\n");
    counted(stage)?;
    goes_on_without_market(stage, &edge, &token)
}

/// Installs core, stand-in and gateway, with the key of the test issuer.
fn install(stage: &Stage, issuer: &Issuer, folder: &Path) -> Result<(), Trouble> {
    let keys = folder.join("core-issuer.json");
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "core-issuer", "namespace": NAMESPACE},
        "data": {"jwks.json": issuer.keys().to_string()}});
    write(&keys, &map.to_string())?;
    say(&format!("   tokens of {NAME}, a test issuer whose key lives as long as this demo\n"));
    let example = root().join("target/dist/calculation-core");
    let path = |path: PathBuf| path.display().to_string();
    // What an earlier demo left has another issuer's key, and versions of its own.
    stage.ask("kubectl", &["delete", "calculationcore", "core", "-n", NAMESPACE, "--ignore-not-found"])?;
    let (keys, gateway, market) =
        (path(keys), path(example.join("gateway.yaml")), path(example.join("market-stand-in.yaml")));
    for file in [&keys, &gateway, &market] {
        stage.kubectl(&["apply", "-n", NAMESPACE, "-f", file])?;
    }
    stage.ask("kubectl", &["scale", "deployment/market-stand-in", "--replicas=1", "-n", NAMESPACE])?;
    stage.kubectl(&["rollout", "status", "deployment/market-stand-in", "-n", NAMESPACE, "--timeout=90s"])?;
    stage.kubectl(&["wait", "calculationcore/core", "-n", NAMESPACE, "--for=condition=Ready", "--timeout=120s"])?;
    stage.kubectl(&["wait", "gateway/edge", "-n", NAMESPACE, "--for=condition=Programmed", "--timeout=90s"])?;
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    std::fs::write(path, text).map_err(|error| Trouble::Wrong(format!("{}: {error}", path.display())))
}

/// A fleet as a file: each machine its own row.
fn file() -> String {
    let mut rows = "serial,terahash_per_second,watts\n".to_owned();
    for (at, (terahash, watts)) in KINDS.iter().cycle().take(MINERS).enumerate() {
        let _ = writeln!(rows, "HI{at:05},{terahash},{}", watts + u32::try_from(at % 37).unwrap_or(0));
    }
    rows
}

fn price(edge: &Edge, token: &str) -> Result<(), Trouble> {
    let begun = Instant::now();
    let path = "/v1/batches?usd_per_kwh=0.062&pool_fee=0.01&meter_factor=1.05";
    let answer = edge.post(path, token, ["text/csv", "application/json"], &file())?;
    let took = begun.elapsed();
    let found = answer.json();
    let summary = &found["summary"];
    if answer.status != 200 || summary["machines"] != MINERS {
        return Err(Trouble::Wrong(format!(
            "{path}: {} {}",
            answer.status,
            answer.text.chars().take(500).collect::<String>()
        )));
    }
    let market = &summary["market"];
    let text = |value: &Value| value.as_str().unwrap_or("–").to_owned();
    let usd = |value: &Value| {
        let text = text(value);
        text.split_once('.').map_or(text.clone(), |(whole, part)| format!("{whole}.{}", &part[..part.len().min(2)]))
    };
    let sources = |label: &Value| {
        let names: Vec<String> = label["from"].as_array().into_iter().flatten().map(&text).collect();
        format!("{} by {}", text(&label["state"]), names.join(", "))
    };
    say(&format!(
        "   {MINERS} miners as CSV, priced in {} ms from end to end\n     \
         market      {} USD/BTC ({}), difficulty {} ({}): {}\n     \
         market data is INVENTED: a stand-in speaks for the providers\n     \
         all run     {} USD a day\n     \
         the best    {} USD a day, with {} at rest\n     \
         break-even  {} USD/BTC\n     \
         record      {}\n",
        took.as_millis(),
        text(&market["price_usd"]),
        sources(&market["price"]),
        text(&market["difficulty"]),
        sources(&market["network"]),
        text(&market["standing"]),
        usd(&summary["all"]["day"]["profit_usd"]),
        usd(&summary["best"]["day"]["profit_usd"]),
        MINERS - usize::try_from(summary["best"]["machines"].as_u64().unwrap_or(0)).unwrap_or(0),
        usd(&summary["breakeven_btc_usd"]),
        text(&summary["record"]["sha256"]),
    ));
    Ok(())
}

fn picture(edge: &Edge, token: &str, folder: &Path) -> Result<(), Trouble> {
    let machines: Vec<Value> = KINDS
        .iter()
        .map(
            |(terahash, watts)| json!({"terahash_per_second": terahash, "watts": watts, "count": MINERS / KINDS.len()}),
        )
        .collect();
    let body = json!({"machines": machines, "site": {"usd_per_kwh": "0.062", "pool_fee": "0.01", "meter_factor": "1.05"},
        "course": {"months": 36, "convention": "month-start", "difficulty_growth": "0.02"},
        "prices": {"first": 40_000, "last": 200_000, "count": 41}, "network": {"first": 600, "last": 1400, "count": 41}});
    let answer = edge.post("/v1/heatmap", token, ["application/json", "image/svg+xml"], &body.to_string())?;
    if answer.status != 200 {
        return Err(Trouble::Wrong(format!("/v1/heatmap: {} {}", answer.status, answer.text)));
    }
    let path = folder.join("heatmap.svg");
    write(&path, &answer.text)?;
    say(&format!("   profit over price and network, as a picture: {}\n", path.display()));
    Ok(())
}

/// Prometheus has the requests, by code and revision.
fn counted(stage: &Stage) -> Result<(), Trouble> {
    let revision = stage.ask("kubectl", &["get", "calculationcore", "core", "-n", NAMESPACE, "-o", REVISION])?;
    let query = "sum%20by%20(code,revision,tenant)(http_requests_total%7Bjob=%22core%22%7D)";
    let path = format!("/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query?query={query}");
    let series =
        stage.eventually("Prometheus has no requests of the core", WITHIN, "kubectl -n monitoring get pods", || {
            let told = stage.ask("kubectl", &["get", "--raw", &path]).map_err(|trouble| trouble.to_string())?;
            let found: Value = serde_json::from_str(&told).map_err(|error| error.to_string())?;
            let series = found["data"]["result"].as_array().cloned().unwrap_or_default();
            let is_there = series
                .iter()
                .any(|one| one["metric"]["tenant"] == "acme" && one["metric"]["revision"] == revision.as_str());
            if is_there { Ok(series) } else { Err(told) }
        })?;
    say("   what Prometheus has of them:\n");
    for one in series {
        say(&format!("     {} {}\n", one["metric"], one["value"][1].as_str().unwrap_or_default()));
    }
    Ok(())
}

/// The providers go away, and answers go on, labelled.
fn goes_on_without_market(stage: &Stage, edge: &Edge, token: &str) -> Result<(), Trouble> {
    stage.kubectl(&["scale", "deployment/market-stand-in", "--replicas=0", "-n", NAMESPACE])?;
    let look = "kubectl -n hashinsight-system get pods";
    let label = stage.eventually("the price is not labelled stale", WITHIN, look, || {
        // Replicas keep what they heard each for itself; this asks both in turn.
        let answer = edge.get("/v1/market", Some(token)).map_err(|trouble| trouble.to_string())?;
        let price = &answer.json()["price"];
        let is_stale = price["label"]["state"] == "stale" && price["price_usd"].is_string();
        if answer.status == 200 && is_stale { Ok(price.to_string()) } else { Err(answer.text) }
    })?;
    say(&format!("   no provider is left, and the price is the last good one: {label}\n"));
    stage.kubectl(&["scale", "deployment/market-stand-in", "--replicas=1", "-n", NAMESPACE])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_a_row_for_each_miner() {
        let file = file();
        assert_eq!(file.lines().count(), MINERS + 1);
        assert_eq!(file.lines().nth(1), Some("HI00000,200,3500"));
    }
}
