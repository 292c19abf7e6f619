//! How the operator begins, and what it says when it cannot.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use testkit::{Ground, Operator, eventually};

use crate::stage::{BINARY, Stage};

pub async fn readiness_names_a_missing_crd(_: Arc<Stage>) {
    let ground = Ground::bare().await;
    ground
        .admin
        .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "hashinsight-system"}}))
        .await
        .unwrap();
    let operator = Operator::start(BINARY, ground.cluster.admin_kubeconfig(), "early", &[]);
    eventually("the missing CRD", Duration::from_secs(10), || async {
        let (code, body) = operator.get("/readyz").ok_or("no answer")?;
        if code == 503 && body.contains("tenants.hashinsight.net") && body.contains("kubectl apply") {
            Ok(())
        } else {
            Err(body)
        }
    })
    .await;
    assert_eq!(operator.get("/healthz").unwrap().0, 200, "waiting is no reason to be killed");
    ground.install_kinds().await;
    eventually("readiness", Duration::from_secs(15), || async {
        let (code, body) = operator.get("/readyz").ok_or("no answer")?;
        if code == 200 { Ok(()) } else { Err(body) }
    })
    .await;
}

pub async fn bad_settings_are_refused_in_one_sentence(stage: Arc<Stage>) {
    let run = |arguments: &[&str], kubeconfig: &str| {
        let output = Command::new(BINARY)
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .env("HOME", "/nonexistent")
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = run(&[], "/nonexistent/kubeconfig");
    assert_eq!(code, Some(2));
    assert!(text.contains("no cluster to talk to") && text.contains("set KUBECONFIG"), "{text}");
    let (code, text) = run(&["--log-filter", "loud=="], "");
    assert_eq!(code, Some(2));
    assert!(text.contains("--log-filter"), "{text}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, text) = run(&["--listen", &address], stage.kubeconfig().to_str().unwrap());
    assert_eq!(code, Some(2));
    assert!(text.contains(&address) && text.contains("choose another with --listen"), "{text}");
}

/// Answers every request with an empty 200 and keeps what was sent.
fn collector() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let received = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&received);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let mut chunk = [0; 8192];
            while let Ok(read @ 1..) = stream.read(&mut chunk) {
                keep.lock().unwrap().extend_from_slice(&chunk[..read]);
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (endpoint, received)
}

pub async fn traces_reach_the_collector_that_is_named(_: Arc<Stage>) {
    let (endpoint, received) = collector();
    let stage = Stage::own(&["--otlp-endpoint", &endpoint]).await;
    stage.tenant("traced", json!({}), "Provisioned").await;
    eventually("a span", Duration::from_secs(20), || async {
        let bytes = received.lock().unwrap().clone();
        let text = String::from_utf8_lossy(&bytes);
        let all = ["POST /v1/traces", "hashinsight-operator", "reconcile", "traced"];
        if all.iter().all(|word| text.contains(word)) { Ok(()) } else { Err(format!("{} bytes", bytes.len())) }
    })
    .await;
}
