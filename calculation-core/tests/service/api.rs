use hashinsight_mining::golden::{INPUTS, SAMPLES, compare};
use hashinsight_mining::record::replay;
use reqwest::Method;
use serde_json::{Value, json};

use crate::ground::{answer, estimate, start, start_with};

#[tokio::test]
async fn the_golden_samples_come_out_exact() {
    let service = start().await;
    let header: Vec<&str> = SAMPLES.lines().next().unwrap().split(',').collect();
    for line in SAMPLES.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |name: &str| cells[header.iter().position(|column| *column == name).unwrap()];
        let of = |names: &[usize]| -> Value {
            names.iter().map(|at| (INPUTS[*at].name().to_owned(), json!(cell(INPUTS[*at].name())))).collect()
        };
        let body = json!({"machine": of(&[0, 1]), "market": of(&[2, 3, 4, 5]), "site": of(&[6, 7, 8])});
        let (status, day) = service.post("/v1/estimate", &body).await;
        assert_eq!(status, 200, "{day}");
        for column in &header[10..] {
            let found = day["answer"][*column].as_str().unwrap_or_default();
            assert_eq!(found, cell(column), "{} {column}", cells[0]);
        }
    }
}

#[tokio::test]
async fn the_probes_show_the_golden_samples_without_a_token() {
    let service = start().await;
    let answer = service.client.get(format!("http://{}/golden", service.probes)).send().await.unwrap();
    let found: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let figure = |case: &str, column: &str| {
        let sample = found.as_array()?.iter().find(|sample| sample["case"] == case)?;
        sample["figures"][column].as_str().map(str::to_owned)
    };
    assert_eq!(compare(SAMPLES, figure), Ok(20), "{found}");
}

#[tokio::test]
async fn an_estimate_is_recorded_on_request_and_its_record_replays() {
    let service = start().await;
    let mut body = estimate();
    assert!(service.post("/v1/estimate", &body).await.1["record"].is_null());
    body["record"] = json!(true);
    let (_, day) = service.post("/v1/estimate", &body).await;
    assert_eq!(day["record"]["written"], true, "{day}");
    let file = service.folder.path().join("records/records-test-0000000000.jsonl");
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().next().unwrap();
    assert!(line.contains(day["record"]["sha256"].as_str().unwrap()));
    assert!(line.contains("price given; network given; fees given; stated"), "{line}");
    replay(line, 1).unwrap();
    // A folder that takes nothing any more does not keep answers back.
    std::fs::remove_dir_all(service.folder.path().join("records")).unwrap();
    let (status, day) = service.post("/v1/estimate", &body).await;
    assert_eq!(status, 200, "{day}");
}

#[tokio::test]
async fn each_computation_has_its_answer_and_its_picture() {
    let service = start().await;
    let machines = json!([{"terahash_per_second": 200, "watts": 3500, "count": 40}, {"terahash_per_second": 110, "watts": 3250, "usd_per_kwh": 0.04}]);
    let bodies = [
        (
            "/v1/projection",
            json!({"machine": {"terahash_per_second": 200, "watts": 3500}, "site": {"usd_per_kwh": "0.06"}, "course": {"start": "2026-11-23", "months": 24, "convention": "month-start", "difficulty_growth": 0.02}, "capex_usd": 2500}),
        ),
        (
            "/v1/heatmap",
            json!({"machines": machines, "site": {"usd_per_kwh": "0.06"}, "course": {"months": 12, "convention": "month-middle"}, "prices": {"first": 50000, "last": 150000, "count": 11}, "network": {"first": 600, "last": 1200, "count": 7}}),
        ),
        (
            "/v1/curtailment",
            json!({"machines": machines, "prices": {"start": "2026-01-01T00:00:00Z", "minutes": 60, "usd_per_mwh": [20, 30, null, 500, 600, -10, 20, 30]}, "standby_watts": 25, "min_off_minutes": 60}),
        ),
    ];
    for (path, body) in &bodies {
        let (status, found) = service.post(path, body).await;
        assert_eq!(status, 200, "{path}: {found}");
        assert_eq!(found["market"]["standing"], "verified", "{path}: {found}");
        assert!(found["sentence"]["zh"].as_str().unwrap().contains("USD"), "{path}: {found}");
        let request = service.ask(Method::POST, path).header("content-type", "application/json");
        let response = request.header("accept", "image/svg+xml").body(body.to_string()).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "image/svg+xml");
        assert!(response.text().await.unwrap().starts_with("<svg"), "{path}");
    }
    let (_, map) = service.post(bodies[1].0, &bodies[1].1).await;
    assert_eq!(
        (map["answer"]["cells"].as_array().unwrap().len(), map["answer"]["cells"][0].as_array().unwrap().len()),
        (11, 7)
    );
    assert!(map["market"]["price_usd"].is_null(), "an axis: {}", map["market"]);
    let (_, cut) = service.post(bodies[2].0, &bodies[2].1).await;
    assert_eq!((&cut["answer"]["missing"], &cut["answer"]["intervals"]), (&json!(1), &json!(7)), "{cut}");
}

#[tokio::test]
async fn the_catalogue_is_searched_and_recognizes() {
    let service = start().await;
    let (_, all) = service.get("/v1/catalogue").await;
    let (_, some) = service.get("/v1/catalogue?name=whatsminer").await;
    let count = |rows: &Value| rows["rows"].as_array().unwrap().len();
    assert!(count(&all) == 199 && count(&some) > 5 && count(&some) < 199);
    let (status, found) = service.get("/v1/catalogue/recognition?text=Antminer%20S21%20200T").await;
    assert_eq!((status, &found["terahash_per_second"]), (200, &json!("200")), "{found}");
    let (status, refused) = service.get("/v1/catalogue/recognition?text=toaster").await;
    assert_eq!((status, &refused["reason"]), (422, &json!("UnknownModel")), "{refused}");
    let (status, refused) = service.get("/v1/catalogue?vendor=x").await;
    assert_eq!((status, &refused["code"]), (400, &json!("QueryShape")), "{refused}");
}

#[tokio::test]
async fn files_are_imported_and_their_failed_rows_come_back() {
    let service = start().await;
    let file = "型号,算力(TH/s),功耗(W),台数\nS21,200,3500,3\n,100,0,1\n";
    let send = |accept: &'static str| {
        let request =
            service.ask(Method::POST, "/v1/import").header("content-type", "text/csv").header("accept", accept);
        request.body(file).send()
    };
    let (status, found) = answer(send("application/json").await.unwrap()).await;
    assert_eq!((status, &found["accepted"], &found["machines"]), (200, &json!(1), &json!(3)), "{found}");
    assert_eq!(found["refused_rows"][0]["line"], 3);
    assert_eq!(found["refused_rows"][0]["code"], "OutOfRange");
    let failed = send("text/csv").await.unwrap().text().await.unwrap();
    assert!(failed.contains(",100,0,1,3,OutOfRange") && failed.lines().count() == 2, "{failed}");
    let (status, refused) = answer(
        service
            .ask(Method::POST, "/v1/import")
            .header("content-type", "text/csv")
            .body("a,b\n1,2\n")
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!((status, &refused["code"]), (422, &json!("ImportRefused")), "{refused}");
}

#[tokio::test]
async fn bad_input_names_field_line_and_limit_in_both_languages() {
    let service = start().await;
    let mut watts = estimate();
    watts["machine"]["watts"] = json!("0");
    let (status, problem) = service.post("/v1/estimate", &watts).await;
    assert_eq!(status, 422);
    assert_eq!((&problem["field"], &problem["limit"]), (&json!("machine.watts"), &json!("1 to 100000")), "{problem}");
    let chinese = service.ask(Method::POST, "/v1/estimate").header("content-type", "application/json");
    let response = chinese.header("accept-language", "zh-CN").body(watts.to_string()).send().await.unwrap();
    assert_eq!(response.headers()["content-language"], "zh");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert!(response.text().await.unwrap().contains("不在 1 至 100000 之间"));
    let (_, problem) =
        service.post("/v1/estimate", &json!({"machine": {"wattz": 1}, "site": {"usd_per_kwh": 1}})).await;
    assert_eq!((&problem["code"], &problem["field"]), (&json!("JsonShape"), &json!("machine.wattz")), "{problem}");
    let mut tenant = estimate();
    tenant["tenant"] = json!("other");
    assert_eq!(service.post("/v1/estimate", &tenant).await.0, 422, "a tenant is never taken from a body");
    let (status, problem) = service.post("/v1/nothing", &json!({})).await;
    assert_eq!((status, &problem["code"]), (404, &json!("RouteUnknown")));
    let response = service.ask(Method::DELETE, "/v1/estimate").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 405);
    assert_eq!(response.headers()["allow"], "POST");
    let (status, _) = answer(service.ask(Method::POST, "/v1/estimate").body("x").send().await.unwrap()).await;
    assert_eq!(status, 415);
    let rich = json!({"machine": {"terahash_per_second": 5000, "watts": 30000}, "site": {"usd_per_kwh": 0}, "market": {"difficulty": 1}});
    let (status, found) = service.post("/v1/projection", &rich).await;
    assert_eq!(status, 200, "sums longer than 64 bits: {found}");
    let endless = json!({"machine": {"terahash_per_second": 1, "watts": 30}, "site": {"usd_per_kwh": 0}, "course": {"months": 4294967295_u32}});
    let (status, problem) = service.post("/v1/projection", &endless).await;
    assert_eq!(
        (status, &problem["field"], &problem["limit"]),
        (422, &json!("months"), &json!("1 to 240")),
        "{problem}"
    );
    let work = json!({"machines": (0..9000).map(|at| json!({"terahash_per_second": 100 + at % 900, "watts": 3000 + at})).collect::<Vec<_>>(), "site": {"usd_per_kwh": 0.05}, "course": {"days": 7305}, "prices": {"first": 1, "last": 2, "count": 2}, "network": {"first": 1, "last": 2, "count": 2}});
    let (status, problem) = service.post("/v1/heatmap", &work).await;
    assert_eq!(
        (status, &problem["code"], &problem["limit"]),
        (422, &json!("TooMuchWork"), &json!("20000000")),
        "{problem}"
    );
}

#[tokio::test]
async fn limits_are_each_tenant_s_own_and_change_while_running() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("limits.yaml");
    std::fs::write(&file, "tenants:\n  small: {requestsPerMinute: 20, miners: 3, concurrent: 1}\n").unwrap();
    let service = start_with(&json!({"limits": {"file": file}})).await;
    let ask = |tenant: &str| service.ask_as(Method::GET, "/v1/catalogue?name=x", &json!({"tenant": tenant})).send();
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(ask("small").await.unwrap().status().as_u16());
    }
    assert_eq!(codes, [200, 200, 429, 429]);
    let refused = ask("small").await.unwrap();
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 4);
    assert_eq!(ask("large").await.unwrap().status().as_u16(), 200);
    std::fs::write(&file, "tenants:\n  small: {requestsPerMinute: 60000, miners: 3, concurrent: 1}\n").unwrap();
    crate::ground::eventually("the new limits", || async {
        // One might come back by itself; three at once do not.
        let asked = futures::future::join_all([ask("small"), ask("small"), ask("small")]).await;
        asked.into_iter().all(|response| response.unwrap().status().as_u16() == 200)
    })
    .await;
    let batch = json!({"machines": [{"terahash_per_second": 1, "watts": 30, "count": 4}], "site": {"usd_per_kwh": 0}, "market": {"price_usd": 1, "difficulty": 1e14, "subsidy_btc": 3.125, "fees_btc": 0}});
    let request = service
        .ask_as(Method::POST, "/v1/batches", &json!({"tenant": "small"}))
        .header("content-type", "application/json");
    let (status, problem) = answer(request.body(batch.to_string()).send().await.unwrap()).await;
    assert_eq!(
        (status, &problem["code"], &problem["limit"]),
        (422, &json!("TooManyMachines"), &json!("3")),
        "{problem}"
    );
}
