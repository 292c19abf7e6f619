use std::time::Duration;

use market_stand_in::{Fault, Figures, PROVIDERS};
use serde_json::{Value, json};

use crate::ground::{Service, start, start_with};

async fn price(service: &Service) -> Value {
    service.get("/v1/market").await.1["price"].clone()
}

fn codes(part: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    part["rejected"].as_array().unwrap().iter().map(|one| (text(&one["source"]), text(&one["code"]))).collect()
}

#[tokio::test]
async fn what_all_say_is_verified_and_says_from_whom() {
    let service = start().await;
    let (status, market) = service.get("/v1/market").await;
    assert_eq!(status, 200, "{market}");
    assert_eq!(market["price"]["price_usd"], "92817");
    assert_eq!(market["price"]["label"]["state"], "fresh");
    assert_eq!(market["price"]["label"]["standing"], "verified");
    assert_eq!(market["price"]["label"]["from"].as_array().unwrap().len(), 3);
    assert_eq!(market["network"]["height"], 925_000);
    assert_eq!(market["network"]["fees_btc"], "0.03");
    assert_eq!(market["network"]["label"]["standing"], "verified");
    // A request that states nothing rests on both.
    let (_, day) = service
        .post(
            "/v1/estimate",
            &json!({"machine": {"terahash_per_second": 200, "watts": 3500}, "site": {"usd_per_kwh": 0.06}}),
        )
        .await;
    assert_eq!(day["market"]["standing"], "verified", "{day}");
    assert_eq!(day["market"]["subsidy_btc"], "3.125");
    let (_, half) = service
        .post(
            "/v1/estimate",
            &json!({"machine": {"terahash_per_second": 200, "watts": 3500}, "site": {"usd_per_kwh": 0.06}, "market": {"price_usd": 1}}),
        )
        .await;
    assert_eq!((&half["market"]["standing"], &half["market"]["given"][0]), (&json!("estimated"), &json!("price_usd")));
    assert_eq!(half["market"]["price"]["state"], "given");
}

#[tokio::test]
async fn every_failure_of_one_provider_is_named_and_the_others_decide() {
    for (fault, code) in [
        (Fault::Silent, "Timeout"),
        (Fault::Down, "Status"),
        (Fault::Throttled, "Status"),
        (Fault::Garbage, "Garbage"),
        (Fault::Endless, "TooLong"),
        (Fault::NotANumber, "Garbage"),
        (Fault::Negative, "OutOfRange"),
        (Fault::Jump, "Outlier"),
        (Fault::Ahead, "ClockAhead"),
        (Fault::Behind, "TooOld"),
    ] {
        let service = start().await;
        service.stand_in.fail("bitstamp", fault);
        service.stand_in.fail("esplora", fault);
        let (_, market) = service.get("/v1/market").await;
        let (price, network) = (&market["price"], &market["network"]);
        assert_eq!(price["price_usd"], "92817", "{fault:?}: {market}");
        assert_eq!(codes(price), [("bitstamp".to_owned(), code.to_owned())], "{fault:?}");
        assert_eq!(price["label"]["standing"], "verified", "two remain");
        if fault == Fault::Jump {
            // Two who contradict each other over one block, and nothing known
            // from before: nobody is believed.
            assert_eq!((&network["label"]["state"], codes(network).len()), (&json!("none"), 2), "{market}");
            continue;
        }
        assert_eq!(network["height"], 925_000, "{fault:?}: {market}");
        assert_eq!(codes(network).len(), 1, "{fault:?}: {market}");
    }
}

#[tokio::test]
async fn when_all_fail_the_last_good_value_is_stale_and_without_one_there_is_none() {
    let service = start().await;
    service.stand_in.fail_all(Fault::Down);
    let (status, refused) = service
        .post("/v1/estimate", &json!({"machine": {"terahash_per_second": 1, "watts": 30}, "site": {"usd_per_kwh": 0}}))
        .await;
    assert_eq!((status, &refused["code"]), (503, &json!("MarketUnavailable")), "{refused}");
    assert_eq!(refused["field"], "market.price_usd");
    assert_eq!(price(&service).await["label"]["state"], "none");

    let service = start().await;
    assert_eq!(price(&service).await["label"]["state"], "fresh");
    assert_eq!(service.get("/v1/market").await.1["network"]["label"]["state"], "fresh");
    for fault in [Fault::Silent, Fault::Down, Fault::Garbage] {
        service.stand_in.fail_all(fault);
        tokio::time::sleep(Duration::from_millis(1200)).await;
        // The kept value may be served once more while it is asked for anew.
        price(&service).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let now = price(&service).await;
        assert_eq!((&now["label"]["state"], &now["price_usd"]), (&json!("stale"), &json!("92817")), "{fault:?} {now}");
        assert!(now["label"]["age_seconds"].as_u64().unwrap() >= 1, "{now}");
        assert_eq!(now["label"]["standing"], "estimated");
    }
    let (status, day) = service
        .post(
            "/v1/estimate",
            &json!({"machine": {"terahash_per_second": 200, "watts": 3500}, "site": {"usd_per_kwh": 0.06}}),
        )
        .await;
    assert_eq!((status, &day["market"]["price"]["state"]), (200, &json!("stale")), "{day}");
    // Who fails again and again is left alone.
    assert!(service.metric("market_source_breaker_open{source=\"kraken\"}").await > 0.0);
    assert!(service.metric("market_state{feed=\"price\",state=\"stale\"}").await > 0.0);
}

#[tokio::test]
async fn a_jump_that_one_alone_tells_is_not_believed_and_one_that_all_tell_is() {
    let service = start().await;
    assert_eq!(price(&service).await["price_usd"], "92817");
    service.stand_in.fail("kraken", Fault::Down);
    service.stand_in.fail("bitstamp", Fault::Down);
    service.stand_in.set(Figures { price: 140_000.0, ..Figures::default() });
    tokio::time::sleep(Duration::from_millis(1100)).await;
    price(&service).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let now = price(&service).await;
    assert_eq!((&now["price_usd"], &now["label"]["state"]), (&json!("92817"), &json!("stale")), "{now}");
    assert!(codes(&now).contains(&("coinbase".to_owned(), "Jump".to_owned())), "{now}");
    service.stand_in.fail("bitstamp", Fault::Fine);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    price(&service).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let now = price(&service).await;
    assert_eq!((&now["price_usd"], &now["label"]["state"]), (&json!("140000"), &json!("fresh")), "{now}");
}

#[tokio::test]
async fn many_who_ask_at_once_cost_one_question() {
    let service = start().await;
    let asks: Vec<_> = (0..40).map(|_| service.get("/v1/market")).collect();
    for (status, _) in futures::future::join_all(asks).await {
        assert_eq!(status, 200);
    }
    for provider in PROVIDERS {
        let most = if provider == "mempool" { 2 } else { 1 };
        assert_eq!(service.stand_in.calls(provider), most, "{provider}");
    }
    assert!(service.metric("market_cache_requests_total{feed=\"price\",outcome=\"miss\"}").await >= 1.0);
}

#[tokio::test]
async fn manual_values_stand_above_all_and_change_while_running() {
    let service = start_with(&json!({"marketData": {"manual": {"priceUsd": "50000",
        "network": {"difficulty": "100000000000000", "height": 900_000, "feesBtc": "0.01"}}}}))
    .await;
    service.stand_in.fail_all(Fault::Silent);
    let (_, market) = service.get("/v1/market").await;
    assert_eq!(market["price"]["label"]["state"], "manual");
    assert_eq!((&market["price"]["price_usd"], &market["network"]["height"]), (&json!("50000"), &json!(900_000)));
    assert_eq!(market["price"]["label"]["standing"], "estimated");
    assert_eq!(service.stand_in.calls("kraken"), 0);
    let file = service.folder.path().join("core.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"50000\"", "\"60000\"")).unwrap();
    crate::ground::eventually("the new manual price", || async {
        service.get("/v1/market").await.1["price"]["price_usd"] == "60000"
    })
    .await;
    std::fs::write(&file, "marketData: {manual: {priceUsd: x}}").unwrap();
    crate::ground::eventually("the bad file is told of", || async {
        service.metric("reloads_total{outcome=\"failed\",what=\"settings\"}").await > 0.0
    })
    .await;
    assert_eq!(price(&service).await["price_usd"], "60000", "what was in force stays");
}
