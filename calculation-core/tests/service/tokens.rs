use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use reqwest::Method;
use serde_json::{Value, json};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use test_issuer::{Issuer, NAME};

use crate::ground::{Service, answer, start, start_with};

async fn with(service: &Service, authorization: Option<&str>) -> (u16, Value) {
    let mut request = service.client.get(format!("http://{}/v1/market", service.api));
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    answer(request.send().await.unwrap()).await
}

#[tokio::test]
async fn every_token_that_does_not_hold_is_refused_with_its_reason() {
    let service = start().await;
    let now = jiff::Timestamp::now().as_second();
    let bearer = |claims: Value| format!("Bearer {}", service.issuer.token(&claims));
    let good = service.issuer.token(&json!({}));
    let foreign = Issuer::new(NAME, "first").unwrap();
    let stranger = Issuer::new("https://elsewhere.example", "first").unwrap();
    let unknown = Issuer::new(NAME, "second").unwrap();
    let mut flipped = good.clone();
    let at = flipped.len() - 10;
    let other = if flipped.as_bytes()[at] == b'A' { "B" } else { "A" };
    flipped.replace_range(at..=at, other);
    let [_, claims, _]: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let header = |alg: &str| URL_SAFE_NO_PAD.encode(format!("{{\"alg\":\"{alg}\",\"kid\":\"first\"}}"));
    for (authorization, status, reason) in [
        (None, 401, "missing"),
        (Some("Basic YTpi".to_owned()), 401, "malformed"),
        (Some("Bearer x".to_owned()), 401, "malformed"),
        (Some(format!("Bearer {}", "x".repeat(9000))), 401, "malformed"),
        (Some(format!("Bearer {}.{claims}.", header("none"))), 401, "algorithm"),
        (Some(format!("Bearer {}.{claims}.c2ln", header("HS256"))), 401, "algorithm"),
        (Some(format!("Bearer {}.{claims}.c2ln", header("RS256"))), 401, "algorithm"),
        (Some(format!("Bearer {flipped}")), 401, "signature"),
        (Some(format!("Bearer {}", foreign.token(&json!({})))), 401, "signature"),
        (Some(format!("Bearer {}", unknown.token(&json!({})))), 401, "signature"),
        (Some(format!("Bearer {}", stranger.token(&json!({})))), 401, "issuer"),
        (Some(bearer(json!({"exp": now - 60}))), 401, "expired"),
        (Some(bearer(json!({"exp": null}))), 401, "expired"),
        (Some(bearer(json!({"nbf": now + 600}))), 401, "early"),
        (Some(bearer(json!({"aud": "another"}))), 401, "audience"),
        (Some(bearer(json!({"aud": null}))), 401, "audience"),
        (Some(bearer(json!({"tenant": null}))), 403, "tenant"),
        (Some(bearer(json!({"tenant": "../other"}))), 403, "tenant"),
        (Some(bearer(json!({"roles": []}))), 403, "role"),
        (Some(bearer(json!({"roles": ["owner"]}))), 403, "role"),
    ] {
        let (found, problem) = with(&service, authorization.as_deref()).await;
        assert_eq!((found, problem["reason"].as_str()), (status, Some(reason)), "{authorization:?} {problem}");
    }
    assert_eq!(with(&service, Some(&format!("Bearer {good}"))).await.0, 200);
    assert!(service.metric("tokens_refused_total{code=\"signature\"}").await >= 3.0);
}

#[tokio::test]
async fn roles_reach_as_far_as_they_do() {
    let service = start().await;
    let may = async |role: &str, method: Method, path: &str| {
        let request = service.ask_as(method, path, &json!({"roles": [role]}));
        request.send().await.unwrap().status().as_u16() != 403
    };
    for (role, wanted) in [
        ("Investor", [true, true, false, false, false]),
        ("Finance", [true, true, true, true, false]),
        ("Operations", [true, true, true, true, true]),
        ("Owner", [true, true, true, true, true]),
    ] {
        let found = [
            may(role, Method::GET, "/v1/market").await,
            may(role, Method::POST, "/v1/estimate").await,
            may(role, Method::POST, "/v1/heatmap").await,
            may(role, Method::POST, "/v1/batches").await,
            may(role, Method::POST, "/v1/import").await,
        ];
        assert_eq!(found, wanted, "{role}");
    }
}

#[tokio::test]
async fn without_an_issuer_everything_is_refused_but_health() {
    let service = start_with(&json!({"auth": {"issuers": []}})).await;
    for path in ["/v1/market", "/v1/catalogue", "/v1/openapi.json", "/problems"] {
        let (status, problem) = service.get(path).await;
        assert_eq!((status, problem["code"].as_str()), (503, Some("AuthNotConfigured")), "{path}");
    }
    assert_eq!(service.ready().await.0, 200);
    let health = service.client.get(format!("http://{}/healthz", service.probes)).send().await.unwrap();
    assert_eq!(health.status().as_u16(), 200);
}

/// A server of one document that can be changed or taken away.
async fn keys_at(document: std::sync::Arc<std::sync::Mutex<Option<String>>>) -> std::net::SocketAddr {
    use axum::response::IntoResponse;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().route(
        "/jwks",
        axum::routing::get(move || {
            let document = document.lock().unwrap().clone();
            async move {
                document.map_or_else(
                    || axum::http::StatusCode::SERVICE_UNAVAILABLE.into_response(),
                    IntoResponse::into_response,
                )
            }
        }),
    );
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn keys_of_an_address_outlive_it_and_are_waited_for() {
    let document = std::sync::Arc::new(std::sync::Mutex::new(None));
    let address = keys_at(std::sync::Arc::clone(&document)).await;
    let issuer = Issuer::new("https://far.example", "far").unwrap();
    let service = start_with(&json!({"auth": {"issuers": [
        {"issuer": "https://far.example", "audience": "calculation-core", "jwksUrl": format!("http://{address}/jwks")}]}}))
    .await;
    let token = format!("Bearer {}", issuer.token(&json!({})));
    let (status, problem) = with(&service, Some(&token)).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("KeysUnavailable")), "{problem}");
    let (ready, why) = service.ready().await;
    assert!(ready == 503 && why.contains("keys"), "{why}");
    *document.lock().unwrap() = Some(issuer.keys().to_string());
    let mut status = 0;
    for _ in 0..150 {
        status = with(&service, Some(&token)).await.0;
        if status == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!((status, service.ready().await.0), (200, 200));
    // The issuer goes away; what was known holds.
    *document.lock().unwrap() = None;
    assert_eq!(with(&service, Some(&token)).await.0, 200);
}

/// RFC 7515, appendix A.2: a key, and a token it signed with RS256.
#[tokio::test]
async fn rs256_holds_for_the_published_example() {
    calculation_core::access::install();
    let jwk: Jwk = serde_json::from_value(json!({"kty": "RSA", "kid": "rsa", "e": "AQAB",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}))
    .unwrap();
    assert!(matches!(jwk.algorithm, AlgorithmParameters::RSA(_)));
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
    let message = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let holds = |message: &str| {
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, jsonwebtoken::Algorithm::RS256).unwrap()
    };
    assert!(holds(message) && !holds(&message.replace("eyJpc3", "eyJpc2")));
    assert!(jsonwebtoken::crypto::verify(signature, b"", &key, jsonwebtoken::Algorithm::EdDSA).is_err());
}
