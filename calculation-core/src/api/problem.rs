//! What can go wrong, as RFC 9457 problems: a stable code, what happened, what
//! to do, in English or Chinese as the client prefers.

use std::ops::Deref;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hashinsight_mining::{Language, Refusal, Sentence};
use serde::Serialize;
use utoipa::ToSchema;

use super::code::Code;
use super::extract::is_refused;
use crate::access::Refused;

/// Something went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(Box<Details>);

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// Its code.
    pub code: Code,
    /// A finer code, where a library below gave one.
    pub reason: Option<&'static str>,
    /// What happened, and what to do.
    pub detail: Sentence,
    /// The field.
    pub field: Option<String>,
    /// The line of the body.
    pub line: Option<u64>,
    /// The limit that was passed.
    pub limit: Option<String>,
    /// Seconds after which another try makes sense.
    pub retry_after: Option<u64>,
}

/// A problem as it is sent, `application/problem+json`.
#[derive(Serialize, ToSchema)]
pub struct ProblemBody {
    /// Where the code is explained.
    #[schema(example = "/problems#InputRefused")]
    pub r#type: String,
    /// What the code means, in the language asked for.
    pub title: String,
    /// The status.
    pub status: u16,
    /// A stable code for programs.
    pub code: Code,
    /// A finer code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<&'static str>,
    /// What happened and what to do, in the language asked for.
    pub detail: String,
    /// The request's id, as in the header `x-request-id`.
    pub instance: String,
    /// The field.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<String>,
    /// The line of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub line: Option<u64>,
    /// The limit that was passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub limit: Option<String>,
}

/// Shorthand for a sentence.
pub fn sentence(en: impl Into<String>, zh: impl Into<String>) -> Sentence {
    Sentence { en: en.into(), zh: zh.into() }
}

impl Deref for Problem {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl Problem {
    /// With a code and what happened.
    pub fn new(code: Code, en: impl Into<String>, zh: impl Into<String>) -> Self {
        let detail = sentence(en, zh);
        Self(Box::new(Details { code, reason: None, detail, field: None, line: None, limit: None, retry_after: None }))
    }

    /// A mistake of ours; what it is goes to the log.
    pub fn internal(why: &dyn std::fmt::Display) -> Self {
        tracing::error!(%why, "a request failed by a mistake of the service");
        Self::new(Code::Internal, "Tell us the request's id.", "请告知我们请求编号。")
    }

    /// With a finer code.
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.0.reason = Some(reason);
        self
    }

    /// About this field.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// About a field below this one.
    #[must_use]
    pub fn below(self, parent: &str) -> Self {
        let field = self.field.as_ref().map_or_else(|| parent.to_owned(), |field| format!("{parent}.{field}"));
        self.at(field)
    }

    /// In this line.
    #[must_use]
    pub fn in_line(mut self, line: u64) -> Self {
        self.0.line = Some(line);
        self
    }

    /// Beyond this limit.
    #[must_use]
    pub fn limit(mut self, limit: impl ToString) -> Self {
        self.0.limit = Some(limit.to_string());
        self
    }

    /// Worth another try after so many seconds.
    #[must_use]
    pub fn again(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    fn body(&self, language: Language, instance: &str) -> ProblemBody {
        ProblemBody {
            r#type: format!("/problems#{:?}", self.code),
            title: self.code.title().to(language),
            status: self.code.status().as_u16(),
            code: self.code,
            reason: self.reason,
            detail: self.detail.to(language),
            instance: instance.to_owned(),
            field: self.field.clone(),
            line: self.line,
            limit: self.limit.clone(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let Sentence { en, zh } = refusal.sentence();
        let problem = Self::new(Code::InputRefused, en, zh).because(refusal.code());
        let problem = match refusal.field() {
            Some(field) => problem.at(field.name()),
            None => problem,
        };
        match refusal {
            Refusal::OutOfRange { least, most, .. } => problem.limit(format!("{least} to {most}")),
            _ => problem,
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let (code, en, zh) = match refused {
            Refused::Missing => (
                Code::TokenRefused,
                "Send a header Authorization: Bearer TOKEN.",
                "请发送请求头 Authorization: Bearer 令牌。",
            ),
            Refused::Malformed => {
                (Code::TokenRefused, "What was sent is no JSON Web Token.", "发送的内容不是 JSON Web Token。")
            }
            Refused::Algorithm => (
                Code::TokenRefused,
                "Only signatures RS256 and EdDSA count, each with a key of its kind.",
                "仅接受 RS256 与 EdDSA 签名及对应类型的密钥。",
            ),
            Refused::Issuer => {
                (Code::TokenRefused, "The token's issuer is not known here.", "此处不认识该令牌的签发者。")
            }
            Refused::Audience => {
                (Code::TokenRefused, "The token is meant for another service.", "该令牌面向其他服务。")
            }
            Refused::Expired => (
                Code::TokenRefused,
                "The token has expired or never does: get a new one.",
                "令牌已过期或没有有效期：请重新获取。",
            ),
            Refused::Early => (
                Code::TokenRefused,
                "The token is not valid yet: check the issuer's clock.",
                "令牌尚未生效：请检查签发者的时钟。",
            ),
            Refused::Signature => (
                Code::TokenRefused,
                "The token's signature does not hold under a key of its issuer.",
                "令牌签名与签发者的密钥不符。",
            ),
            Refused::Tenant => (Code::RoleMissing, "The token names no tenant.", "令牌未指明租户。"),
            Refused::Role => (
                Code::RoleMissing,
                "The token gives no role: Owner, Operations, Finance or Investor.",
                "令牌未授予角色：Owner、Operations、Finance 或 Investor。",
            ),
            Refused::NoKeys => (
                Code::KeysUnavailable,
                "The issuer's keys could not be read yet; try again.",
                "尚未能读取签发者的密钥，请重试。",
            ),
            Refused::NotSet => (
                Code::AuthNotConfigured,
                "Whoever runs the service must set auth.issuers.",
                "服务运营者须配置 auth.issuers。",
            ),
        };
        let problem = Self::new(code, en, zh).because(refused.name());
        if code.status() == StatusCode::SERVICE_UNAVAILABLE { problem.again(5) } else { problem }
    }
}

impl IntoResponse for Problem {
    /// The body comes later, when the client's language is known.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The language a client prefers: Chinese where it says so before English.
pub fn language(headers: &HeaderMap) -> Language {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let tags = accepted.split(',').map(|tag| tag.split_once(';').unwrap_or((tag, "")));
    let mut wanted = tags.filter(|(_, weight)| !is_refused(weight)).map(|(tag, _)| tag.trim().to_ascii_lowercase());
    let first = wanted.find(|tag| tag.starts_with("zh") || tag.starts_with("en"));
    if first.is_some_and(|tag| tag.starts_with("zh")) { Language::Chinese } else { Language::English }
}

/// Gives problems their body. What failed below without a word gets one, too.
pub async fn render(request: Request, next: Next) -> Response {
    let asked = request.headers().clone();
    let mut response = next.run(request).await;
    let problem = response.extensions_mut().remove::<Problem>();
    match problem.or_else(|| wordless(response.status())) {
        Some(problem) => with_body(response, &problem, &asked),
        None => response,
    }
}

/// The problem as it is sent to whoever asked.
pub fn rendered(problem: Problem, asked: &HeaderMap) -> Response {
    with_body(problem.code.status().into_response(), &problem, asked)
}

fn with_body(mut response: Response, problem: &Problem, asked: &HeaderMap) -> Response {
    let language = language(asked);
    let instance = asked.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let body = serde_json::to_vec(&problem.body(language, instance)).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.pick("en", "zh")));
    headers.remove(header::CONTENT_LENGTH);
    if let Some(seconds) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    *response.body_mut() = Body::from(body);
    response
}

/// A problem for an error that came from a layer of axum's or tower's.
fn wordless(status: StatusCode) -> Option<Problem> {
    let code = match status {
        StatusCode::NOT_FOUND => Code::RouteUnknown,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodUnknown,
        StatusCode::REQUEST_TIMEOUT => Code::BodyTooSlow,
        StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
        StatusCode::SERVICE_UNAVAILABLE => Code::Overloaded,
        _ if status.is_server_error() => Code::Internal,
        _ => return None,
    };
    let Sentence { en, zh } = code.title();
    Some(Problem::new(code, format!("{en}: see /v1/openapi.json."), format!("{zh}：见 /v1/openapi.json。")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_first_of_ours() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_str(text).unwrap());
            language(&headers)
        };
        assert_eq!(of("zh-CN,zh;q=0.9,en;q=0.8"), Language::Chinese);
        assert_eq!(of("fr, en, zh"), Language::English);
        assert_eq!(of("en;q=0, ZH-CN"), Language::Chinese);
        assert_eq!(language(&HeaderMap::new()), Language::English);
    }
}
