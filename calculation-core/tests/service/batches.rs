use std::fmt::Write;

use futures::StreamExt as _;
use hashinsight_mining::record::replay;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::ground::{Service, answer, start};

fn market() -> Value {
    json!({"price_usd": "92817", "difficulty": "109000000000000", "subsidy_btc": "3.125", "fees_btc": "0.03"})
}

fn machines(count: usize) -> Vec<Value> {
    (0..count)
        .map(|at| json!({"id": format!("m{at}"), "terahash_per_second": 100 + at % 150, "watts": 3000 + at % 700}))
        .collect()
}

fn batch(count: usize) -> Value {
    json!({"machines": machines(count), "site": {"usd_per_kwh": "0.06", "pool_fee": "0.01"}, "market": market()})
}

async fn send(service: &Service, body: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = service.ask(Method::POST, "/v1/batches").body(body.to_owned());
    if headers.iter().all(|(name, _)| *name != "content-type") {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_batch_is_its_machines_one_by_one_and_its_record_replays() {
    let service = start().await;
    let (status, found) = answer(send(&service, &batch(300).to_string(), &[]).await).await;
    assert_eq!(status, 200, "{found}");
    let rows = found["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &found["summary"]["machines"], &rows[7]["id"]), (300, &json!(300), &json!("m7")));
    for at in [0, 7, 299] {
        let mut machine = machines(300)[at].clone();
        machine.as_object_mut().unwrap().remove("id");
        let one = json!({"machine": machine, "site": {"usd_per_kwh": "0.06", "pool_fee": "0.01"}, "market": market()});
        let (_, day) = service.post("/v1/estimate", &one).await;
        for figure in ["sat_per_day", "profit_usd_per_day", "breakeven_usd_per_mwh", "breakeven_btc_usd"] {
            assert_eq!(rows[at]["day"][figure], day["answer"][figure], "{at} {figure}");
        }
    }
    let record = &found["summary"]["record"];
    assert_eq!(record["written"], true, "always: {found}");
    let text = std::fs::read_to_string(service.folder.path().join("records/records-test-0000000000.jsonl")).unwrap();
    assert!(text.contains(record["sha256"].as_str().unwrap()));
    replay(text.lines().next().unwrap(), 2).unwrap();
}

#[tokio::test]
async fn forms_in_and_out_say_the_same() {
    let service = start().await;
    let query =
        "usd_per_kwh=0.06&pool_fee=0.01&price_usd=92817&difficulty=109000000000000&subsidy_btc=3.125&fees_btc=0.03";
    let (_, document) = answer(send(&service, &batch(20).to_string(), &[]).await).await;
    let lines: String = machines(20).iter().map(|machine| format!("{machine}\n")).collect();
    let mut table = "serial,terahash_per_second,watts\n".to_owned();
    for machine in machines(20) {
        let id = machine["id"].as_str().unwrap();
        writeln!(table, "{id},{},{}", machine["terahash_per_second"], machine["watts"]).unwrap();
    }
    for (kind, body) in [("application/x-ndjson", lines), ("text/csv", table)] {
        let request =
            service.ask(Method::POST, &format!("/v1/batches?{query}")).header("content-type", kind).body(body);
        let (status, found) = answer(request.send().await.unwrap()).await;
        assert_eq!(status, 200, "{found}");
        assert_eq!(found["rows"], document["rows"], "{kind}");
        assert_eq!(found["summary"]["best"], document["summary"]["best"], "{kind}");
    }
    let told =
        send(&service, &batch(20).to_string(), &[("accept", "application/x-ndjson")]).await.text().await.unwrap();
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((told.len(), &told[1]), (21, &document["rows"][0]));
    let csv = send(&service, &batch(20).to_string(), &[("accept", "text/csv")]).await.text().await.unwrap();
    assert_eq!(csv.lines().count(), 21);
    let profit = document["rows"][0]["day"]["profit_usd_per_day"].as_str().unwrap();
    assert!(csv.lines().nth(1).unwrap().contains(profit), "{csv}");
}

#[tokio::test]
async fn bad_json_at_row_4999_costs_that_row() {
    let service = start().await;
    let mut lines: Vec<String> = machines(5000).iter().map(Value::to_string).collect();
    lines[4998] = "{\"terahash_per_second\": 100, \"watts\": 30x0}".to_owned();
    lines[4999] = "{\"terahash_per_second\": 100, \"watts\": \"0\", \"id\": \"zero\"}".to_owned();
    let head = format!("{{\"site\":{{\"usd_per_kwh\":\"0.06\"}},\"market\":{},\"machines\":[\n", market());
    let document = head + &lines.join(",\n") + "]}";
    let (status, found) = answer(send(&service, &document, &[]).await).await;
    assert_eq!((status, &found["summary"]["machines"]), (200, &json!(4998)), "{}", found["summary"]);
    let problem = &found["rows"][4998]["problem"];
    assert_eq!((&problem["code"], &problem["line"]), (&json!("JsonSyntax"), &json!(5000)), "{problem}");
    let row = &found["rows"][4999];
    assert_eq!(
        (&row["id"], &row["problem"]["field"], &row["problem"]["limit"]),
        (&json!("zero"), &json!("watts"), &json!("1 to 100000"))
    );
    let request =
        service.ask(Method::POST, "/v1/batches?usd_per_kwh=0.06&price_usd=1&difficulty=1&subsidy_btc=1&fees_btc=0");
    let request = request.header("content-type", "application/x-ndjson").body(lines.join("\n"));
    let (_, found) = answer(request.send().await.unwrap()).await;
    assert_eq!(found["rows"][4998]["problem"]["line"], 4999);
    assert_eq!(found["summary"]["refused"], json!({"JsonSyntax": 1, "OutOfRange": 1}));
}

#[tokio::test]
async fn a_key_is_computed_once_and_fetched_again_by_its_tenant_alone() {
    let service = start().await;
    let key = [("idempotency-key", "night-1")];
    let (_, first) = answer(send(&service, &batch(50).to_string(), &key).await).await;
    service.stand_in.set(market_stand_in::Figures { price: 1.0, ..Default::default() });
    let again = send(&service, &batch(50).to_string(), &key).await;
    assert_eq!(again.headers()["content-location"], "/v1/batches/night-1");
    assert_eq!(answer(again).await.1, first);
    assert_eq!(service.metric("batch_rows_total{outcome=\"computed\"}").await, 50.0, "once");
    assert_eq!(service.get("/v1/batches/night-1").await, (200, first));
    let (status, refused) = answer(send(&service, &batch(51).to_string(), &key).await).await;
    assert_eq!((status, &refused["code"]), (422, &json!("IdempotencyKeyReused")), "{refused}");
    let other = service.ask_as(Method::GET, "/v1/batches/night-1", &json!({"tenant": "borealis"}));
    let (status, refused) = answer(other.send().await.unwrap()).await;
    assert_eq!((status, &refused["code"]), (404, &json!("BatchUnknown")), "another tenant's: {refused}");
    // The same key of another tenant is another batch.
    let theirs = service
        .ask_as(Method::POST, "/v1/batches", &json!({"tenant": "borealis"}))
        .header("content-type", "application/json");
    let (status, _) =
        answer(theirs.header("idempotency-key", "night-1").body(batch(3).to_string()).send().await.unwrap()).await;
    assert_eq!(status, 200);
    // What failed as a whole may be sent again.
    let key = [("idempotency-key", "night-2")];
    assert_eq!(send(&service, "{\"machines\":[", &key).await.status().as_u16(), 400);
    assert_eq!(send(&service, &batch(3).to_string(), &key).await.status().as_u16(), 200);
    assert_eq!(send(&service, "{}", &[("idempotency-key", "a b")]).await.status().as_u16(), 400);
}

async fn events(response: Response) -> Vec<(String, Value)> {
    let text = response.text().await.unwrap();
    let of = |event: &str, name: &str| {
        event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
    };
    let all = text.split("\n\n").filter(|event| event.contains("event:"));
    all.map(|event| (of(event, "event:"), serde_json::from_str(&of(event, "data:")).unwrap())).collect()
}

#[tokio::test]
async fn events_lead_to_the_result_and_can_be_taken_up_again() {
    let service = start().await;
    let stream = ("accept", "text/event-stream");
    let refused = send(&service, &batch(5).to_string(), &[stream]).await;
    assert_eq!(answer(refused).await.1["code"], "IdempotencyKeyNeeded");
    let told = events(send(&service, &batch(5000).to_string(), &[stream, ("idempotency-key", "e1")]).await).await;
    let (name, data) = told.last().unwrap();
    assert_eq!((name.as_str(), &data["summary"]["machines"]), ("done", &json!(5000)), "{told:?}");
    let (status, found) = service.get(data["location"].as_str().unwrap()).await;
    assert_eq!((status, found["rows"].as_array().unwrap().len()), (200, 5000));
    let again = service.ask(Method::GET, "/v1/batches/e1/events").header("last-event-id", "1").send().await.unwrap();
    assert_eq!(events(again).await.last().unwrap().0, "done");
    let failed = events(send(&service, "[", &[stream, ("idempotency-key", "e2")]).await).await;
    assert_eq!(
        (failed.last().unwrap().0.as_str(), &failed.last().unwrap().1["code"]),
        ("failed", &json!("JsonSyntax"))
    );
    assert_eq!(service.get("/v1/batches/e2").await.0, 404, "and is not kept");
}

#[tokio::test]
async fn a_client_that_goes_away_finds_its_batch_done() {
    let service = start().await;
    let body = batch(5000).to_string();
    let request = service.ask(Method::POST, "/v1/batches").header("content-type", "application/json");
    let request = request.header("accept", "text/event-stream").header("idempotency-key", "gone").body(body);
    let mut stream = request.send().await.unwrap().bytes_stream();
    // The first word is enough to know that it began.
    drop(stream.next().await);
    drop(stream);
    crate::ground::eventually("the batch is done", || async {
        let (status, found) = service.get("/v1/batches/gone").await;
        // Cut off while it was sent, it may be gone; then it was never begun.
        status == 200 && found["rows"].as_array().is_some_and(|rows| rows.len() == 5000)
    })
    .await;
}
