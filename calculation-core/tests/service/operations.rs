use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::Method;
use serde_json::{Value, json};

use crate::ground::{Service, answer, estimate, start, start_with};

#[tokio::test]
async fn what_is_under_way_is_finished_when_the_service_ends() {
    let mut service = start_with(&json!({"drain": {"delaySeconds": 1}})).await;
    service.stand_in.fail_all(market_stand_in::Fault::Silent);
    // This one waits for providers that say nothing.
    let slow = service.ask(Method::GET, "/v1/market").send();
    let slow = tokio::spawn(slow);
    tokio::time::sleep(Duration::from_millis(100)).await;
    service.stop();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (ready, why) = service.ready().await;
    assert!(ready == 503 && why.contains("drain"), "{why}");
    assert_eq!(service.post("/v1/estimate", &estimate()).await.0, 200, "new ones are still served at first");
    assert_eq!(slow.await.unwrap().unwrap().status().as_u16(), 200);
    tokio::time::timeout(Duration::from_secs(10), &mut service.work).await.unwrap().unwrap().unwrap();
    assert!(service.client.get(format!("http://{}/v1/market", service.api)).send().await.is_err());
}

#[tokio::test]
async fn requests_are_counted_by_code_route_and_tenant() {
    let service = start().await;
    service.post("/v1/estimate", &estimate()).await;
    service.post("/v1/estimate", &json!({})).await;
    service.get("/v1/batches/no-such").await;
    service.client.get(format!("http://{}/v1/market", service.api)).send().await.unwrap();
    service.client.get(format!("http://{}/some/where", service.api)).send().await.unwrap();
    for (series, wanted) in [
        ("http_requests_total{code=\"200\",route=\"/v1/estimate\",tenant=\"acme\"}", 1.0),
        ("http_requests_total{code=\"422\",route=\"/v1/estimate\",tenant=\"acme\"}", 1.0),
        ("http_requests_total{code=\"404\",route=\"/v1/batches/{key}\",tenant=\"acme\"}", 1.0),
        ("http_requests_total{code=\"401\",route=\"/v1/market\",tenant=\"_none\"}", 1.0),
        ("http_requests_total{code=\"404\",route=\"_unknown\",tenant=\"_none\"}", 1.0),
        ("http_request_duration_seconds_count{route=\"/v1/estimate\"}", 2.0),
    ] {
        assert_eq!(service.metric(series).await, wanted, "{series}");
    }
    assert!(service.metrics().await.contains("le=\"0.25\""));
    assert_eq!(service.metric("http_requests_in_flight").await, 0.0);
}

#[tokio::test]
async fn a_full_house_says_so_and_an_id_goes_through() {
    let service = start_with(&json!({"requests": {"concurrent": 1}})).await;
    service.stand_in.fail_all(market_stand_in::Fault::Silent);
    let first = tokio::spawn(service.ask(Method::GET, "/v1/market").send());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let response =
        service.ask(Method::GET, "/v1/catalogue").header("x-request-id", "from-the-edge-7").send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "from-the-edge-7");
    assert_eq!(response.headers()["retry-after"], "1");
    let (status, problem) = answer(response).await;
    assert_eq!(
        (status, &problem["code"], &problem["instance"]),
        (503, &json!("Overloaded"), &json!("from-the-edge-7"))
    );
    assert_eq!(first.await.unwrap().unwrap().status().as_u16(), 200);
    assert_eq!(service.get("/v1/catalogue").await.0, 200);
}

struct Tls {
    service: Service,
    authority: String,
    client: String,
}

/// A service that asks for clients' certificates.
async fn encrypted() -> Tls {
    let authority = |name: &str| {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (server_authority, client_authority) = (authority("servers"), authority("clients"));
    let signed = |name: &str, by: &CertifiedIssuer<KeyPair>| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, by).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    let (certificate, key) = signed("127.0.0.1", &server_authority);
    let (client, client_key) = signed("edge", &client_authority);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let tls = json!({"certificate": write("tls.crt", &certificate), "key": write("tls.key", &key),
        "clientAuthority": write("ca.crt", &client_authority.pem())});
    let service = start_with(&json!({"tls": tls})).await;
    Tls { service, authority: server_authority.pem(), client: client + &client_key }
}

#[tokio::test]
async fn with_a_clients_authority_only_its_clients_get_in() {
    let Tls { service, authority, client } = encrypted().await;
    let builder = || {
        let root = reqwest::Certificate::from_pem(authority.as_bytes()).unwrap();
        reqwest::Client::builder().no_proxy().tls_certs_only([root])
    };
    let ask = async |client: reqwest::Client| {
        let request = client.get(format!("https://{}/v1/catalogue?name=s21", service.api));
        let token = service.issuer.token(&json!({}));
        request
            .header("authorization", format!("Bearer {token}"))
            .send()
            .await
            .map(|response| response.status().as_u16())
    };
    assert!(ask(builder().build().unwrap()).await.is_err(), "no certificate, no answer");
    let known = builder().identity(reqwest::Identity::from_pem(client.as_bytes()).unwrap()).build().unwrap();
    assert_eq!(ask(known).await.unwrap(), 200);
    assert_eq!(service.ready().await.0, 200, "probes need none");
}

#[tokio::test]
async fn the_document_is_the_committed_one() {
    let service = start().await;
    let (status, served) = service.get("/v1/openapi.json").await;
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json")).unwrap();
    assert_eq!((status, served), (200, serde_json::from_str::<Value>(&committed).unwrap()));
    let page = service
        .client
        .get(format!("http://{}/problems", service.api))
        .header("accept-language", "zh")
        .send()
        .await
        .unwrap();
    assert!(page.text().await.unwrap().contains("错误代码"));
}
