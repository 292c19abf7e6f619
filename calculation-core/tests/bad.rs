//! The bad versions are bad, each in its own way: with all their features at
//! once, `cargo test -p calculation-core --all-features --test bad`.

#![allow(clippy::disallowed_methods, reason = "tests run in real time, on files")]
#![allow(clippy::unwrap_used, clippy::panic, dead_code, reason = "a test that cannot go on fails")]

#[path = "service/ground.rs"]
mod ground;

use std::time::{Duration, Instant};

use hashinsight_mining::golden::{INPUTS, Mismatch, SAMPLES, compare};
use serde_json::{Value, json};

#[tokio::test]
async fn each_bad_version_shows_in_what_canaries_look_at() {
    let begun = Instant::now();
    let service = ground::start().await;
    assert!(begun.elapsed() > Duration::from_secs(25), "a slow start");
    assert!(
        service.metrics().await.contains("features=\"bad-rounding,bad-latency,bad-errors,bad-leak,bad-slow-start\"")
    );
    let before = service.metric("process_resident_memory_bytes").await;
    let (mut codes, mut slow) = (Vec::new(), 0);
    for _ in 0..200 {
        let begun = Instant::now();
        codes.push(service.post("/v1/estimate", &ground::estimate()).await.0);
        slow += usize::from(begun.elapsed() > Duration::from_millis(350));
    }
    assert_eq!(codes.iter().filter(|code| **code == 500).count(), 4, "one in fifty fails");
    assert_eq!(slow, 50, "one in four is slow");
    assert!(service.metric("process_resident_memory_bytes").await - before > 10e6, "it leaks");
    let header: Vec<&str> = SAMPLES.lines().next().unwrap().split(',').collect();
    let mut wrong = 0;
    for line in SAMPLES.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let of = |names: &[usize]| -> Value {
            names.iter().map(|at| (INPUTS[*at].name().to_owned(), json!(cells[at + 1]))).collect()
        };
        let body = json!({"machine": of(&[0, 1]), "market": of(&[2, 3, 4, 5]), "site": of(&[6, 7, 8])});
        let (status, day) = service.post("/v1/estimate", &body).await;
        let differs = (10..header.len()).any(|at| day["answer"][header[at]].as_str().unwrap_or_default() != cells[at]);
        wrong += usize::from(status == 200 && differs);
    }
    assert!(wrong > 10, "golden samples see the rounding: {wrong}");
    let probe = service.client.get(format!("http://{}/golden", service.probes)).send().await.unwrap();
    let probe: Value = serde_json::from_str(&probe.text().await.unwrap()).unwrap();
    let figure = |case: &str, column: &str| {
        let sample = probe.as_array()?.iter().find(|sample| sample["case"] == case)?;
        sample["figures"][column].as_str().map(str::to_owned)
    };
    assert!(matches!(compare(SAMPLES, figure), Err(Mismatch::Figure { .. })), "and so does who asks for them: {probe}");
}
