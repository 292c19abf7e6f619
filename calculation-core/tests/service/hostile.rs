use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ground::{Service, estimate, start_with};

async fn raw(service: &Service, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(service.api).await.unwrap();
    let token = service.issuer.token(&json!({}));
    let head = format!("{head}\r\nhost: x\r\nauthorization: Bearer {token}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn told(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    drop(tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut text)).await);
    String::from_utf8_lossy(&text).into_owned()
}

/// Asks as another tenant until the end of `during`, and returns the longest
/// time an answer took.
async fn others(service: &Service, during: impl Future<Output = ()>) -> Duration {
    let longest = std::cell::Cell::new(Duration::ZERO);
    let ask = async {
        loop {
            let begun = Instant::now();
            let request = service.ask_as(Method::POST, "/v1/estimate", &json!({"tenant": "borealis"}));
            let request = request.header("content-type", "application/json").body(estimate().to_string());
            assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
            longest.set(longest.get().max(begun.elapsed()));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = ask => {}
        () = during => {}
    }
    longest.get()
}

#[tokio::test]
async fn oversized_truncated_slow_and_endless_bodies_are_refused_and_nobody_else_notices() {
    let service = start_with(&json!({"requests": {"bodyBytes": 65536, "bodySeconds": 1}})).await;
    let json_kind = "content-type: application/json";
    let hostile = async {
        let large = service.ask(Method::POST, "/v1/batches").header("content-type", "application/json");
        let (status, problem) = crate::ground::answer(large.body("x".repeat(70_000)).send().await.unwrap()).await;
        assert_eq!(
            (status, &problem["code"], &problem["limit"]),
            (413, &json!("BodyTooLarge"), &json!("65536")),
            "{problem}"
        );

        let mut slow = raw(&service, "POST /v1/estimate HTTP/1.1").await;
        slow.write_all(format!("{json_kind}\r\ncontent-length: 1000\r\n\r\n{{").as_bytes()).await.unwrap();
        assert!(told(&mut slow).await.contains("BodyTooSlow"));

        let mut cut = raw(&service, "POST /v1/estimate HTTP/1.1").await;
        cut.write_all(format!("{json_kind}\r\ncontent-length: 1000\r\n\r\n{{\"machine\":").as_bytes()).await.unwrap();
        cut.shutdown().await.unwrap();
        let said = told(&mut cut).await;
        assert!(said.is_empty() || said.contains("BodyTruncated"), "{said}");

        let mut endless = raw(&service, "POST /v1/batches HTTP/1.1").await;
        endless.write_all(format!("{json_kind}\r\ntransfer-encoding: chunked\r\n\r\n").as_bytes()).await.unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
            if endless.write_all(chunk.as_bytes()).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(begun.elapsed() < Duration::from_secs(3), "it is cut off");

        let mut silent = TcpStream::connect(service.api).await.unwrap();
        silent.write_all(b"POST /v1/estimate HTTP/1.1\r\nhost:").await.unwrap();
        assert!(!told(&mut silent).await.contains("200"), "a head that never ends is cut off");
    };
    let longest = others(&service, hostile).await;
    assert!(longest > Duration::ZERO && longest < Duration::from_millis(500), "{longest:?}");
}

#[tokio::test]
async fn a_client_that_never_reads_holds_nobody_up_and_is_cut_off() {
    let service = start_with(&json!({"requests": {"writeSeconds": 1}})).await;
    let machines: Vec<Value> =
        (0..20_000).map(|at| json!({"terahash_per_second": 100 + at % 900, "watts": 3000 + at % 1000})).collect();
    let body = json!({"machines": machines, "site": {"usd_per_kwh": 0.05}, "market": {"price_usd": 1, "difficulty": 1e14, "subsidy_btc": 3, "fees_btc": 0}}).to_string();
    let unread = async {
        let mut stream = raw(&service, "POST /v1/batches HTTP/1.1").await;
        let head = format!(
            "content-type: application/json\r\nidempotency-key: unread\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        // Events of it are not read either.
        let mut follower = raw(&service, "GET /v1/batches/unread/events HTTP/1.1").await;
        follower.write_all(b"\r\n").await.unwrap();
        crate::ground::eventually("the batch is done", || async {
            service.get("/v1/market").await;
            service.metric("batch_rows_total{outcome=\"computed\"}").await >= 20_000.0
        })
        .await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        // What the kernel had taken comes, then the end.
        let (mut rest, mut read) = (vec![0; 1 << 16], 0);
        while let Ok(more) = stream.read(&mut rest).await
            && more > 0
        {
            read += more;
        }
        assert!(read < 6_000_000, "all of it came: {read} bytes");
    };
    let longest = others(&service, unread).await;
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    assert_eq!(service.get("/v1/batches/unread").await.0, 200, "it is there for whoever reads");
}

#[tokio::test]
async fn one_tenant_s_heavy_work_leaves_room_for_others() {
    let service =
        start_with(&json!({"limits": {"default": {"requestsPerMinute": 60000, "miners": 20000, "concurrent": 2}}}))
            .await;
    let machines: Vec<Value> =
        (0..400).map(|at| json!({"terahash_per_second": 100 + at, "watts": 3000 + at})).collect();
    let heavy = json!({"machines": machines, "site": {"usd_per_kwh": 0.05}, "market": {"fees_btc": 0.03, "height": 925_000}, "course": {"days": 1500}, "prices": {"first": 1e4, "last": 2e5, "count": 60}, "network": {"first": 500, "last": 900, "count": 60}});
    let all = async {
        let asks: Vec<_> = (0..6).map(|_| service.post("/v1/heatmap", &heavy)).collect();
        let answers = futures::future::join_all(asks).await;
        let refused =
            answers.iter().filter(|(status, problem)| *status == 429 && problem["code"] == "TooManyAtOnce").count();
        assert!(
            refused >= 1 && answers.iter().any(|(status, _)| *status == 200),
            "{:?}",
            answers.iter().map(|(status, _)| status).collect::<Vec<_>>()
        );
    };
    let longest = others(&service, all).await;
    assert!(longest < Duration::from_secs(2), "{longest:?}");
}

#[tokio::test]
async fn a_client_that_goes_away_is_counted_and_leaves_nothing_behind() {
    let service = start_with(&json!({})).await;
    service.stand_in.fail_all(market_stand_in::Fault::Silent);
    let mut stream = raw(&service, "GET /v1/market HTTP/1.1").await;
    stream.write_all(b"\r\n").await.unwrap();
    crate::ground::eventually("it is under way", || async { service.metric("http_requests_in_flight").await == 1.0 })
        .await;
    drop(stream);
    crate::ground::eventually("it is counted", || async {
        service.metric("http_requests_total{code=\"499\",route=\"/v1/market\",tenant=\"acme\"}").await == 1.0
    })
    .await;
    assert_eq!(service.metric("http_requests_in_flight").await, 0.0);
}

#[tokio::test]
async fn who_comes_with_the_key_of_a_body_that_never_came_takes_its_place() {
    let service = start_with(&json!({})).await;
    let mut cut = raw(&service, "POST /v1/batches HTTP/1.1").await;
    let head = "content-type: application/json\r\nidempotency-key: cut\r\ncontent-length: 1000\r\n\r\n{\"machines\":";
    cut.write_all(head.as_bytes()).await.unwrap();
    crate::ground::eventually("it has begun", || async { service.get("/v1/batches/cut").await.0 == 202 }).await;
    let body = json!({"machines": [{"terahash_per_second": 1, "watts": 30}], "site": {"usd_per_kwh": 0},
        "market": {"price_usd": 1, "difficulty": 1e14, "subsidy_btc": 3, "fees_btc": 0}});
    let request = service.ask(Method::POST, "/v1/batches").header("content-type", "application/json");
    let second = request.header("idempotency-key", "cut").body(body.to_string()).send();
    let second = tokio::spawn(second);
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(cut);
    let (status, found) = crate::ground::answer(second.await.unwrap().unwrap()).await;
    assert_eq!((status, &found["summary"]["machines"]), (200, &json!(1)), "{found}");
    assert_eq!(service.get("/v1/batches/cut").await.0, 200);
}
