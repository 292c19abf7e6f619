//! The stable codes of problems, each with its status and its words.

use std::fmt::Write;

use axum::http::StatusCode;
use hashinsight_mining::{Language, Sentence};
use serde::Serialize;
use utoipa::ToSchema;

/// A stable code; the status and the title belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the table below says what each means")]
pub enum Code {
    TokenRefused,
    RoleMissing,
    KeysUnavailable,
    AuthNotConfigured,
    RouteUnknown,
    BatchUnknown,
    MethodUnknown,
    NotAcceptable,
    MediaTypeUnknown,
    BodyTooLarge,
    BodyTooSlow,
    BodyTruncated,
    JsonSyntax,
    JsonShape,
    QueryShape,
    HeaderShape,
    IdempotencyKeyNeeded,
    IdempotencyKeyReused,
    InputRefused,
    MachineUnclear,
    ImportRefused,
    TooManyMachines,
    TooMuchWork,
    MarketUnavailable,
    RateLimited,
    TooManyAtOnce,
    Overloaded,
    TimedOut,
    Internal,
}

/// Code, status, title in English and in Chinese.
type Row = (Code, u16, &'static str, &'static str);

const TABLE: [Row; 29] = [
    (Code::TokenRefused, 401, "The token is refused", "令牌被拒绝"),
    (Code::RoleMissing, 403, "The token's roles do not allow this", "令牌的角色不允许此操作"),
    (Code::KeysUnavailable, 503, "No key of the token's issuer is known yet", "尚无该签发者的密钥"),
    (
        Code::AuthNotConfigured,
        503,
        "The service accepts no tokens: no issuer is set",
        "服务未配置签发者，不接受任何令牌",
    ),
    (Code::RouteUnknown, 404, "There is nothing at this address", "该地址不存在"),
    (Code::BatchUnknown, 404, "There is no such batch", "没有这个批次"),
    (Code::MethodUnknown, 405, "This method is not offered here", "此处不支持该方法"),
    (Code::NotAcceptable, 406, "The answer is not offered in this form", "不提供该格式的答复"),
    (Code::MediaTypeUnknown, 415, "The body is of a kind that is not understood", "不支持该正文类型"),
    (Code::BodyTooLarge, 413, "The body is too large", "正文过大"),
    (Code::BodyTooSlow, 408, "The body did not come in time", "正文未及时到达"),
    (Code::BodyTruncated, 400, "The body ended early", "正文提前中断"),
    (Code::JsonSyntax, 400, "The body is not JSON", "正文不是 JSON"),
    (Code::JsonShape, 422, "The body has another shape than documented", "正文结构与文档不符"),
    (Code::QueryShape, 400, "The query has another shape than documented", "查询参数与文档不符"),
    (Code::HeaderShape, 400, "A header has another shape than documented", "请求头与文档不符"),
    (Code::IdempotencyKeyNeeded, 400, "This needs a header Idempotency-Key", "需要请求头 Idempotency-Key"),
    (
        Code::IdempotencyKeyReused,
        422,
        "This Idempotency-Key was used for something else",
        "该 Idempotency-Key 已用于其他内容",
    ),
    (Code::InputRefused, 422, "A value is refused", "数值被拒绝"),
    (Code::MachineUnclear, 422, "Which machine is meant is not clear", "无法确定是哪种矿机"),
    (Code::ImportRefused, 422, "The file cannot be imported", "文件无法导入"),
    (Code::TooManyMachines, 422, "Too many machines for one request", "单次请求的矿机过多"),
    (Code::TooMuchWork, 422, "Too much work for one request", "单次请求的计算量过大"),
    (Code::MarketUnavailable, 503, "Market data is needed and none can be had", "需要行情数据，但无法获取"),
    (Code::RateLimited, 429, "Too many requests", "请求过于频繁"),
    (Code::TooManyAtOnce, 429, "Too many computations at the same time", "同时进行的计算过多"),
    (Code::Overloaded, 503, "The service is busy", "服务繁忙"),
    (Code::TimedOut, 503, "The answer did not come in time", "未能及时得出答复"),
    (Code::Internal, 500, "A mistake of the service", "服务内部错误"),
];

impl Code {
    /// All of them, as documentation shows them.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(code, ..)| *code)
    }

    fn row(self) -> &'static Row {
        TABLE.iter().find(|(code, ..)| *code == self).unwrap_or(&TABLE[28])
    }

    /// Its status.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Its title.
    pub fn title(self) -> Sentence {
        let (.., en, zh) = self.row();
        Sentence { en: (*en).to_owned(), zh: (*zh).to_owned() }
    }
}

/// All codes on a page for people, and for the `type` of problems.
pub fn page(language: Language) -> String {
    let title = language.pick("Problems", "错误代码");
    let mut rows = String::new();
    for code in Code::all() {
        let _ = write!(
            rows,
            "<tr id=\"{code:?}\"><td><code>{code:?}</code></td><td>{}</td><td>{}</td></tr>",
            code.status().as_u16(),
            code.title().to(language)
        );
    }
    format!(
        "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title}</title></head><body><h1>{title}</h1><table>{rows}</table></body></html>\n",
        language.pick("en", "zh-Hans")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_table_once_and_has_words_in_both_languages() {
        let mut codes: Vec<Code> = Code::all().collect();
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), TABLE.len());
        for code in codes {
            assert_eq!(code.row().0, code);
            assert!(code.status().is_client_error() || code.status().is_server_error());
            assert!(code.title().zh.chars().any(|letter| letter > '\u{2e80}'), "{code:?}");
            assert!(page(Language::Chinese).contains(&format!("id=\"{code:?}\"")));
        }
    }
}
