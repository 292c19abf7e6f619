//! The program itself: exit codes, traces, and what its logs never hold.

#![allow(clippy::disallowed_methods, reason = "tests run programs and wait in real time")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_issuer::{AUDIENCE, Issuer, NAME};

const PROGRAM: &str = env!("CARGO_BIN_EXE_calculation-core");
/// What only a request says, and no log may.
const CANARY: &str = "canary-in-a-body";

fn core(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

#[test]
fn settings_are_judged_before_anything_begins() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("core.yaml");
    let path = file.display().to_string();
    std::fs::write(&file, "listen: 127.0.0.1:0\n").unwrap();
    let good = core(&["--config", &path, "--check"]);
    assert!(good.status.success() && String::from_utf8_lossy(&good.stdout).contains("good"), "{good:?}");
    for (text, told) in [
        ("requests: {bodyBytes: 5}", "requests.bodyBytes: 5 is not between"),
        ("wrong: 1", "unknown field `wrong`"),
        ("tls: {certificate: /nowhere.crt, key: /nowhere.key}", "/nowhere"),
        ("limits: {file: /nowhere.yaml}", "/nowhere.yaml cannot be read"),
        ("records: {directory: /proc/records}", "records.directory"),
        ("listen: 192.0.2.1:80\nprobes: 127.0.0.1:0", "cannot listen on 192.0.2.1:80"),
    ] {
        std::fs::write(&file, text).unwrap();
        let refused = core(&["--config", &path]);
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{text}: {error}");
        assert!(error.contains(told), "{text}: {error}");
    }
}

/// A collector that passes on the first request it gets.
fn collector() -> (SocketAddr, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (send, received) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let mut request = Vec::new();
            drop(stream.read_to_end(&mut request));
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
            if send.send(request).is_err() {
                return;
            }
        }
    });
    (address, received)
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn ask(address: SocketAddr, token: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let head = format!(
        "POST /v1/estimate HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{trace}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn stop(mut process: Child) -> Output {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(process.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let begun = Instant::now();
    while process.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    process.wait_with_output().unwrap()
}

#[test]
fn requests_are_logged_and_traced_and_nothing_secret_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::new(NAME, "first").unwrap();
    std::fs::write(folder.path().join("jwks.json"), issuer.keys().to_string()).unwrap();
    let (collects, traces) = collector();
    let api = free();
    let settings = json!({"listen": api, "probes": free(), "instance": "replica-7",
        "auth": {"issuers": [{"issuer": NAME, "audience": AUDIENCE, "jwksFile": folder.path().join("jwks.json")}]},
        "logs": {"filter": "trace", "otlpEndpoint": format!("http://{collects}")}, "drain": {"delaySeconds": 0, "seconds": 5}});
    let file = folder.path().join("core.yaml");
    std::fs::write(&file, settings.to_string()).unwrap();
    let process = Command::new(PROGRAM)
        .arg("--config")
        .arg(&file)
        .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
        .spawn()
        .unwrap();
    let token = issuer.token(&json!({}));
    let body = json!({"machine": {"terahash_per_second": 200, "watts": 3500, "model": CANARY}, "site": {"usd_per_kwh": "0.06"},
        "market": {"price_usd": 1, "difficulty": 1e14, "subsidy_btc": 3, "fees_btc": 0}})
    .to_string();
    let begun = Instant::now();
    let answer = loop {
        match ask(api, &token, &body) {
            Some(answer) if answer.starts_with("HTTP/1.1 200") => break answer,
            other => assert!(begun.elapsed() < Duration::from_secs(20), "{other:?}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap().trim().to_owned();
    assert!(ask(api, &format!("{token}x"), &body).unwrap().starts_with("HTTP/1.1 401"));
    let output = stop(process);
    assert!(output.status.success(), "{output:?}");
    let logs = std::fs::read_to_string(folder.path().join("log")).unwrap();
    for secret in [token.as_str(), token.rsplit('.').next().unwrap(), CANARY] {
        assert!(!logs.contains(secret), "{secret} is in the logs");
    }
    let lines: Vec<Value> =
        BufReader::new(logs.as_bytes()).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    let line = lines.iter().find(|line| line["message"] == "answered" && line["id"] == id.as_str()).unwrap();
    assert_eq!((&line["tenant"], &line["route"], &line["code"]), (&json!("acme"), &json!("/v1/estimate"), &json!(200)));
    let trace = traces.recv_timeout(Duration::from_secs(10)).unwrap();
    let text = String::from_utf8_lossy(&trace);
    for word in ["POST /v1/traces", "calculation-core", "replica-7", "/v1/estimate", "acme"] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    // Whose trace it continues, as the bytes of its id.
    let parent: Vec<u8> = (0..16)
        .map(|at| u8::from_str_radix(&"0af7651916cd43dd8448eb211c80319c"[at * 2..at * 2 + 2], 16).unwrap())
        .collect();
    assert!(trace.windows(16).any(|bytes| bytes == parent), "the caller's trace is not continued");
    assert!(!text.contains(CANARY) && !text.contains(&token));
}
