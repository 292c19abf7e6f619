//! A request as the API server reads it: verb, kind, name and parameters from
//! method, path and query.

use std::collections::BTreeMap;

use http::{Method, Request as HttpRequest};
use serde_json::Value;

use super::refusal::Refusal;

/// What is asked of an object or a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// One object.
    Get,
    /// All objects of a kind.
    List,
    /// What happens to objects of a kind.
    Watch,
    /// A new object.
    Create,
    /// An object in place of another.
    Update,
    /// A JSON merge patch.
    Merge,
    /// Server-side apply.
    Apply,
    /// Removal of an object.
    Delete,
    /// Removal of all objects of a kind.
    DeleteCollection,
}

impl Verb {
    /// Whether it may change something.
    pub fn is_mutating(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch)
    }

    /// As RBAC names it.
    pub fn rbac(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Merge | Self::Apply => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked.
    pub verb: Verb,
    /// Group of the kind; empty for the core group.
    pub group: String,
    /// Plural of the kind.
    pub plural: String,
    /// Namespace, where there is one.
    pub namespace: Option<String>,
    /// Name; empty for lists.
    pub name: String,
    /// `status`, or empty.
    pub subresource: String,
    /// Parameters.
    pub query: BTreeMap<String, String>,
    /// Only metadata is wanted.
    pub metadata_only: bool,
    /// The body; null without one.
    pub body: Value,
}

impl Request {
    /// Reads a request with its body collected.
    pub(super) fn read(parts: &HttpRequest<()>, body: &[u8]) -> Result<Self, Refusal> {
        let unknown = || Refusal::unserved();
        let path = parts.uri().path().trim_matches('/').to_owned();
        let words: Vec<&str> = path.split('/').collect();
        let (group, rest) = match words.as_slice() {
            ["api", "v1", rest @ ..] => ("", rest),
            ["apis", group, _, rest @ ..] => (*group, rest),
            _ => return Err(unknown()),
        };
        let (namespace, rest) = match rest {
            // `namespaces/x` and `namespaces/x/status` are the namespace itself.
            ["namespaces", namespace, rest @ ..] if !matches!(rest, [] | ["status" | "finalize"]) => {
                (Some((*namespace).to_owned()), rest)
            }
            rest => (None, rest),
        };
        let (plural, name, subresource) = match *rest {
            [plural] => (plural, "", ""),
            [plural, name] => (plural, name, ""),
            [plural, name, subresource] => (plural, name, subresource),
            _ => return Err(unknown()),
        };
        let query: BTreeMap<String, String> =
            form_urlencoded::parse(parts.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
        let header = |name: &str| parts.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let content = header("content-type");
        let verb = match (parts.method(), name.is_empty()) {
            (&Method::GET, true) if query.get("watch").is_some_and(|v| v == "true" || v == "1") => Verb::Watch,
            (&Method::GET, true) => Verb::List,
            (&Method::GET, false) => Verb::Get,
            (&Method::POST, true) => Verb::Create,
            (&Method::PUT, false) => Verb::Update,
            (&Method::PATCH, false) if content.starts_with("application/merge-patch+json") => Verb::Merge,
            (&Method::PATCH, false) if content.starts_with("application/apply-patch+yaml") => Verb::Apply,
            (&Method::PATCH, false) => {
                return Err(Refusal::new(415, "UnsupportedMediaType", format!("the fake has no {content}")));
            }
            (&Method::DELETE, true) => Verb::DeleteCollection,
            (&Method::DELETE, false) => Verb::Delete,
            _ => return Err(Refusal::new(405, "MethodNotAllowed", "method not allowed")),
        };
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(body).map_err(|e| Refusal::bad_request(e.to_string()))?
        };
        Ok(Self {
            verb,
            group: group.to_owned(),
            plural: plural.to_owned(),
            namespace,
            name: name.to_owned(),
            subresource: subresource.to_owned(),
            metadata_only: header("accept").contains("as=PartialObjectMetadata"),
            query,
            body,
        })
    }

    /// A parameter, empty when it is not given.
    pub(super) fn parameter(&self, name: &str) -> &str {
        self.query.get(name).map(String::as_str).unwrap_or_default()
    }
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.verb, self.plural)?;
        if let Some(namespace) = &self.namespace {
            write!(f, " {namespace}")?;
        }
        write!(f, "/{}", self.name)?;
        if self.subresource.is_empty() { Ok(()) } else { write!(f, "/{}", self.subresource) }
    }
}
