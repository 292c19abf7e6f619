//! Metrics systems that misbehave, on real sockets: what comes of each is named,
//! and bounded in time and size.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests read the clock")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hashinsight_metrics_source::{Access, Failure, MetricsQuery, Prometheus};
use jiff::Timestamp;

/// A server that does `answer` to each connection.
fn server(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> Prometheus {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                let mut stream = stream;
                let _ = stream.read(&mut [0; 4096]);
                answer(stream);
            });
        }
    });
    let access = Access { url, token: None, roots: None };
    Prometheus::new(&access, Arc::new(Timestamp::now), Arc::new(|_, _| ())).unwrap()
}

fn says(head: &'static str, body: String) -> impl Fn(TcpStream) + Send + Sync + 'static {
    move |mut stream| {
        let length = body.len();
        let _ = write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    }
}

async fn ask(prometheus: &Prometheus) -> Result<usize, Failure> {
    prometheus.instant("up", Timestamp::from_second(1_000).unwrap()).await.map(|samples| samples.len())
}

fn vector(samples: &str) -> String {
    format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"vector\",\"result\":[{samples}]}}}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs_is_left_after_its_time_and_one_more_try() {
    let hanging = server(|stream| {
        std::thread::sleep(Duration::from_secs(60));
        drop(stream);
    });
    let begun = Instant::now();
    assert!(matches!(ask(&hanging).await, Err(Failure::Slow(10) | Failure::Unreachable(_))));
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_drips_for_ever_is_left_too() {
    let dripping = server(|mut stream| {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let begun = Instant::now();
    assert!(ask(&dripping).await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_are_read_and_what_never_ends_is_not() {
    let sample = "{\"metric\":{\"job\":\"core\"},\"value\":[1000,\"1\"]}";
    let many = vec![sample; 240_000].join(",");
    assert!(many.len() > 10_000_000);
    let large = server(says("200 OK", vector(&many)));
    assert_eq!(ask(&large).await, Ok(240_000));
    let endless = server(|mut stream| {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        let spaces = vec![b' '; 65_536];
        while stream.write_all(&spaces).is_ok() {}
    });
    assert_eq!(ask(&endless).await, Err(Failure::Unusable("it is longer than 32 MiB".into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_lies_about_time_or_talks_of_something_else_is_refused() {
    for (head, body) in [
        ("200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT", vector("")),
        ("200 OK", vector("{\"metric\":{},\"value\":[999,\"1\"]}")),
        ("200 OK", "<html>sign in</html>".to_owned()),
        ("200 OK", "{\"status\":\"success\"}".to_owned()),
        ("200 OK", vector("{\"metric\":{},\"value\":[1000,\"many\"]}")),
        ("200 OK", "[".repeat(100_000)),
    ] {
        let found = ask(&server(says(head, body.clone()))).await;
        assert!(
            matches!(found, Err(Failure::Unusable(_))),
            "{head} {}: {found:?}",
            body.chars().take(80).collect::<String>()
        );
    }
    let refused = "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse error\"}".to_owned();
    let found = ask(&server(says("400 Bad Request", refused))).await;
    assert_eq!(found, Err(Failure::Refused("bad_data: parse error".into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_keeps_failing_is_left_alone_for_a_while() {
    let failing = server(says("503 Service Unavailable", String::new()));
    for _ in 0..5 {
        assert!(matches!(ask(&failing).await, Err(Failure::Unreachable(_))));
    }
    assert_eq!(ask(&failing).await, Err(Failure::Resting));
}
