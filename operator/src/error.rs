//! What a call to the API server can fail with, classified once.

use std::fmt;
use std::time::Duration;

use crate::kinds::Kind;

/// What to do about a failure; a bounded label for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Somebody else wrote first: look again at once.
    Conflict,
    /// Expected to pass: retry with growing delay.
    Transient,
    /// The server asks for patience.
    Throttled(Option<Duration>),
    /// A permission is missing: retry slowly, it heals from outside.
    Forbidden,
    /// The request itself is wrong: wait for a change.
    Terminal,
}

impl Class {
    /// Bounded name for metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Transient => "transient",
            Self::Throttled(_) => "throttled",
            Self::Forbidden => "forbidden",
            Self::Terminal => "terminal",
        }
    }
}

/// What was asked of the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read and follow all objects of a kind.
    List,
    /// Create; fails if it exists.
    Create,
    /// Server-side apply.
    Apply,
    /// JSON patch with tests.
    Patch,
    /// Replace at a resource version.
    Update,
    /// Delete one object.
    Delete,
    /// Delete all objects of a kind in a namespace.
    DeleteCollection,
}

impl Verb {
    /// Bounded name for metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Create => "create",
            Self::Apply => "apply",
            Self::Patch => "patch",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }

    /// The verb that RBAC knows it by.
    pub const fn permission(self) -> &'static str {
        match self {
            Self::Apply => "patch",
            Self::List => "list and watch",
            other => other.name(),
        }
    }
}

/// A failed call to the API server.
#[derive(Debug, thiserror::Error)]
#[error("cannot {} {}{}: {cause}", .verb.name(), .kind.plural, Named(.name))]
pub struct Error {
    /// What was asked.
    pub verb: Verb,
    /// Of which kind.
    pub kind: &'static Kind,
    /// Of which object; empty for a collection.
    pub name: String,
    /// Why it failed; part of the message, so not a source to be told again.
    pub cause: Cause,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The API server or the way to it said no.
    #[error("{}", brief(.0))]
    Client(Box<kube::Error>),
    /// No answer within the bound of one call.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// Our own object could not be written as JSON.
    #[error("the object cannot be written as JSON: {0}")]
    Json(serde_json::Error),
}

impl Error {
    /// What to do about it. The one place where failures are classified.
    pub fn class(&self) -> Class {
        let Cause::Client(error) = &self.cause else {
            return if matches!(self.cause, Cause::Json(_)) { Class::Terminal } else { Class::Transient };
        };
        let kube::Error::Api(status) = error.as_ref() else {
            return Class::Transient;
        };
        match status.code {
            409 => Class::Conflict,
            429 => {
                Class::Throttled(status.details.as_ref().map(|d| Duration::from_secs(u64::from(d.retry_after_seconds))))
            }
            401 => Class::Forbidden,
            // RBAC says who cannot do what; other refusals (a quota that is
            // full or not counted yet, an admission policy) pass by themselves.
            403 if status.message.contains(" cannot ") => Class::Forbidden,
            // A 404 on a write means its namespace is not there yet or no longer.
            400 | 405 | 406 | 413 | 415 | 422 => Class::Terminal,
            _ => Class::Transient,
        }
    }

    /// The object, or what it would live in, is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(&self.cause, Cause::Client(e) if matches!(e.as_ref(), kube::Error::Api(s) if s.code == 404))
    }

    /// An object of that name exists already.
    pub fn is_already_exists(&self) -> bool {
        matches!(&self.cause, Cause::Client(e) if matches!(e.as_ref(), kube::Error::Api(s) if s.is_already_exists()))
    }

    /// One clause for a condition: verb, resource and reason.
    pub fn clause(&self) -> String {
        match self.class() {
            Class::Forbidden => {
                format!("may not {} {}.{}", self.verb.permission(), self.kind.plural, self.kind.group_or_core())
            }
            _ => format!("cannot {} {}: {}", self.verb.name(), self.kind.plural, self.stable_cause()),
        }
    }

    /// The cause in words that do not vary from one try to the next: what the
    /// server says of the request, but not what it says of itself.
    fn stable_cause(&self) -> String {
        match &self.cause {
            Cause::Client(error) => match error.as_ref() {
                kube::Error::Api(status) if (400..500).contains(&status.code) => brief(error),
                kube::Error::Api(status) => format!("the API server answered {}", status.code),
                _ => "the API server cannot be reached".to_owned(),
            },
            other => other.to_string(),
        }
    }
}

/// The server's own sentence, without the debug dump kube appends.
fn brief(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        other => other.to_string(),
    }
}

struct Named<'a>(&'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " {:?}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::QUOTAS;
    use kube::core::Status;

    fn api(code: u16) -> Error {
        refused(code, "said the server")
    }

    fn refused(code: u16, message: &str) -> Error {
        let status = Status { code, message: message.into(), ..Status::default() };
        Error {
            verb: Verb::Apply,
            kind: &QUOTAS,
            name: "acme".into(),
            cause: Cause::Client(Box::new(kube::Error::Api(Box::new(status)))),
        }
    }

    #[test]
    fn every_code_has_its_class() {
        for (code, class) in [
            (409, Class::Conflict),
            (401, Class::Forbidden),
            (422, Class::Terminal),
            (500, Class::Transient),
            (503, Class::Transient),
            (404, Class::Transient),
            (429, Class::Throttled(None)),
        ] {
            assert_eq!(api(code).class(), class, "{code}");
        }
    }

    #[test]
    fn a_missing_permission_names_verb_and_resource() {
        let rbac = "resourcequotas is forbidden: User \"u\" cannot patch resource \"resourcequotas\"";
        assert_eq!(refused(403, rbac).clause(), "may not patch resourcequotas.core");
        assert_eq!(refused(403, "is forbidden: exceeded quota: pods").class(), Class::Transient);
        assert_eq!(api(500).clause(), "cannot apply resourcequotas: the API server answered 500");
        assert_eq!(api(422).clause(), "cannot apply resourcequotas: said the server (422)");
        assert_eq!(api(500).to_string(), "cannot apply resourcequotas \"acme\": said the server (500)");
    }
}
