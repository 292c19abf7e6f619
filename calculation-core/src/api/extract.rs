//! Bodies: of the right kind, within their size and time, and of the right
//! shape; and the headers and queries around them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::code::Code;
use super::problem::Problem;
use crate::core::Core;

/// The media type of a header, without parameters.
pub fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a weight says never: `q=0`.
pub fn is_refused(weight: &str) -> bool {
    let q = weight.split(';').find_map(|part| part.trim().strip_prefix("q="));
    q.is_some_and(|q| q.trim().trim_end_matches(['0', '.']).is_empty())
}

/// The first of `offered` that the client accepts; the first of all where it
/// does not say.
pub fn accepted<'a>(headers: &HeaderMap, offered: &[&'a str]) -> Result<&'a str, Problem> {
    let first = offered.first().copied().unwrap_or_default();
    let Some(value) = headers.get(header::ACCEPT) else { return Ok(first) };
    let wanted = value.to_str().unwrap_or_default();
    for one in wanted.split(',') {
        let (one, weight) = one.split_once(';').unwrap_or((one, ""));
        let one = one.trim().to_ascii_lowercase();
        if is_refused(weight) {
            continue;
        }
        let fits = |name: &&&str| {
            one == "*/*"
                || one == **name
                || one.strip_suffix("/*").is_some_and(|kind| name.starts_with(&format!("{kind}/")))
        };
        if let Some(name) = offered.iter().find(fits) {
            return Ok(name);
        }
    }
    let list = offered.join(", ");
    Err(Problem::new(Code::NotAcceptable, format!("Accept one of {list}."), format!("请接受以下之一：{list}。"))
        .at("Accept"))
}

/// Refuses a body of another kind.
pub fn kind<'a>(headers: &HeaderMap, understood: &[&'a str]) -> Result<&'a str, Problem> {
    let found = media_type(headers);
    understood.iter().copied().find(|kind| *kind == found).ok_or_else(|| {
        let list = understood.join(", ");
        Problem::new(
            Code::MediaTypeUnknown,
            format!("Send Content-Type {list}."),
            format!("请使用 Content-Type {list}。"),
        )
        .at("Content-Type")
    })
}

/// The whole body, told about as it comes; too long or too slow is refused.
pub async fn whole(core: &Core, body: Body, came: impl FnMut(usize)) -> Result<Bytes, Problem> {
    within(core, body, usize::MAX, came).await
}

async fn within(core: &Core, mut body: Body, most: usize, mut came: impl FnMut(usize)) -> Result<Bytes, Problem> {
    let most = most.min(core.settings.requests.body_bytes);
    let seconds = core.settings.requests.body_seconds;
    let read = async {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| {
                Problem::new(Code::BodyTruncated, "The connection ended before the body did.", "连接在正文结束前中断。")
            })?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > most {
                let problem = Problem::new(
                    Code::BodyTooLarge,
                    format!("More than {most} bytes: send less at once."),
                    format!("超过 {most} 字节：请分批发送。"),
                );
                return Err(problem.limit(most));
            }
            bytes.extend_from_slice(&data);
            came(bytes.len());
        }
        Ok(Bytes::from(bytes))
    };
    tokio::time::timeout(Duration::from_secs(seconds), read).await.unwrap_or_else(|_| {
        let problem = Problem::new(
            Code::BodyTooSlow,
            format!("Not there within {seconds} s: send faster, or less at once."),
            format!("{seconds} 秒内未收完：请加快发送或分批发送。"),
        );
        Err(problem.limit(seconds))
    })
}

/// JSON of this shape.
pub fn shaped<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let field = Some(error.path().to_string()).filter(|path| path != ".");
        let inner = error.inner();
        let line = u64::try_from(inner.line()).unwrap_or_default();
        let code = if inner.is_data() { Code::JsonShape } else { Code::JsonSyntax };
        // The line has a member of its own.
        let why: String = inner.to_string().chars().take(300).collect();
        let why = why.split(" at line ").next().unwrap_or_default();
        let problem = Problem::new(code, why, format!("{}：{why}", code.title().zh)).in_line(line);
        match field {
            Some(field) => problem.at(field),
            None => problem,
        }
    })?;
    deserializer.end().map_err(|error| {
        let why = error.to_string();
        Problem::new(Code::JsonSyntax, why.clone(), format!("JSON 之后还有内容：{why}"))
    })?;
    Ok(value)
}

/// A JSON body.
pub struct Document<T>(pub T);

/// Bytes of a document that is no batch.
const DOCUMENT_MAX: usize = 8 * 1024 * 1024;
/// Bytes that are read in passing; more are read where one may block.
const SHORT: usize = 64 * 1024;

impl<T: DeserializeOwned + Send + 'static> FromRequest<Arc<Core>> for Document<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, core: &Arc<Core>) -> Result<Self, Problem> {
        kind(request.headers(), &["application/json"])?;
        let bytes = within(core, request.into_body(), DOCUMENT_MAX, |_| ()).await?;
        if bytes.len() <= SHORT {
            return shaped(&bytes).map(Self);
        }
        let read = tokio::task::spawn_blocking(move || shaped(&bytes).map(Self));
        read.await.unwrap_or_else(|error| Err(Problem::internal(&error)))
    }
}

/// The query.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri).map(|axum::extract::Query(query)| Self(query)).map_err(|error| {
            let why: String = error.body_text().chars().take(300).collect();
            Problem::new(Code::QueryShape, why.clone(), format!("查询参数有误：{why}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn forms_are_chosen_by_the_client_s_order() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(text));
            accepted(&headers, &["application/json", "text/csv"]).ok()
        };
        assert_eq!(of("text/csv;q=0.9, application/json"), Some("text/csv"));
        assert_eq!(of("text/csv;q=0, Application/JSON"), Some("application/json"));
        assert_eq!(of("text/*"), Some("text/csv"));
        assert_eq!(of("*/*"), Some("application/json"));
        assert_eq!(of("image/png"), None);
        assert_eq!(accepted(&HeaderMap::new(), &["a/b"]).ok(), Some("a/b"));
    }

    #[test]
    fn a_wrong_shape_is_told_with_its_place() {
        #[derive(Debug, serde::Deserialize)]
        struct Inner {
            #[allow(dead_code, reason = "only read")]
            watts: u32,
        }
        #[derive(Debug, serde::Deserialize)]
        struct Outer {
            #[allow(dead_code, reason = "only read")]
            machines: Vec<Inner>,
        }
        let problem = shaped::<Outer>(b"{\"machines\":[\n{\"watts\":1},\n{\"watts\":\"x\"}]}").unwrap_err();
        assert_eq!((problem.code, problem.line), (Code::JsonShape, Some(3)));
        assert_eq!(problem.field.as_deref(), Some("machines[1].watts"));
        assert_eq!(shaped::<Outer>(b"{\"machines\":[").unwrap_err().code, Code::JsonSyntax);
        assert_eq!(shaped::<Outer>(b"{\"machines\":[]} x").unwrap_err().code, Code::JsonSyntax);
    }
}
