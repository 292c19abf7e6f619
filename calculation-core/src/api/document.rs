//! The document of the API: OpenAPI 3.1 out of the handlers, with what all
//! routes have in common put in once.

use serde_json::{Value, json};
use utoipa::OpenApi;

use super::batch::{BatchAnswer, BatchMachine, BatchRow, BatchSummary};
use super::code::Code;
use super::problem::ProblemBody;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "HashInsight calculation core",
        description = "Mining economics: exact figures, every one with the market it rests on. Numbers go in as texts or \
            JSON numbers and come out as texts. Errors are RFC 9457 problems in English or Chinese, by Accept-Language.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ProblemBody, BatchMachine, BatchRow, BatchSummary, BatchAnswer))
)]
struct Base;

/// The document, pretty.
pub fn text() -> String {
    let mut document = Base::openapi();
    for (_, routes) in super::routes() {
        document.merge(routes.into_openapi());
    }
    let value = serde_json::to_value(&document).map(common).unwrap_or_default();
    serde_json::to_string_pretty(&value).unwrap_or_default() + "\n"
}

/// Adds what every route has: the token, and problems by status.
fn common(mut document: Value) -> Value {
    document["components"]["securitySchemes"]["token"] = json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "RS256 or EdDSA, with the claims iss, aud, exp, tenant and roles (Owner, Operations, Finance, Investor)."});
    document["security"] = json!([{"token": []}]);
    let mut by_status = std::collections::BTreeMap::<u16, Vec<String>>::new();
    for code in Code::all() {
        by_status.entry(code.status().as_u16()).or_default().push(format!("{code:?}"));
    }
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (_, methods) in paths {
        for (_, operation) in methods.as_object_mut().into_iter().flatten() {
            for (status, codes) in &by_status {
                operation["responses"][status.to_string()] = json!({"description": codes.join(", "),
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}});
            }
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_says_how_it_fails_and_has_a_summary() {
        let document: Value = serde_json::from_str(&text()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        assert_eq!(paths.len(), 11, "{:?}", paths.keys());
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().unwrap() {
                assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{method} {path}");
                for status in ["200", "401", "403", "429", "500", "503"] {
                    assert!(operation["responses"][status].is_object(), "{method} {path} {status}");
                }
            }
        }
        let problem = &document["components"]["schemas"]["ProblemBody"];
        assert!(problem["properties"]["code"].is_object());
    }
}
