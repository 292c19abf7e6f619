//! A client's way to the server: a tower service that reads a request, lets
//! faults decide, and answers.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use http::{Request as HttpRequest, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::client::Body;
use serde_json::Value;
use tower::Service;

use super::faults::{Call, Fault};
use super::read::Watch;
use super::refusal::{self, Refusal};
use super::request::{Request, Verb};
use super::{Answered, Shared, lock};

/// One client's way to the server.
pub(super) struct Way {
    pub(super) shared: Arc<Shared>,
    pub(super) client: String,
}

type Reply = Response<BoxBody<Bytes, Infallible>>;

impl Service<HttpRequest<Body>> for Way {
    type Response = Reply;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Reply, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let (shared, client) = (Arc::clone(&self.shared), self.client.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            Ok(match Request::read(&HttpRequest::from_parts(parts, ()), &body) {
                Ok(request) => answer(&shared, &client, request).await,
                Err(refusal) => refused(&refusal),
            })
        }
        .boxed()
    }
}

async fn answer(shared: &Arc<Shared>, client: &str, request: Request) -> Reply {
    if !shared.is_alive(client) {
        return never().await;
    }
    let permitted = shared.faults().permit(client, &request);
    if let Err(refusal) = permitted {
        note(shared, client, &request, refusal.code, 0);
        return refused(&refusal);
    }
    if request.verb == Verb::Watch {
        let begun = Watch::begin(Arc::clone(shared), client, request.clone());
        note(shared, client, &request, begun.as_ref().map_or_else(|refusal| refusal.code, |_| 200), 0);
        return match begun {
            Ok(watch) => events(watch),
            Err(refusal) => refused(&refusal),
        };
    }
    let fault = if request.verb.is_mutating() { decide(shared, client, &request) } else { Fault::None };
    match &fault {
        Fault::CrashBeforeSend => {
            note(shared, client, &request, 0, 0);
            shared.kill(client);
            return never().await;
        }
        Fault::Refused(refusal) => {
            note(shared, client, &request, refusal.code, 0);
            return refused(refusal);
        }
        _ => {}
    }
    let before = shared.store().revision;
    let result = match request.verb {
        Verb::Get => shared.store().get(&request),
        Verb::List => {
            let frozen = shared.faults().frozen.get(&request.plural).copied();
            let store = shared.store();
            let newest = frozen.unwrap_or(store.revision);
            store.list(&request, newest)
        }
        _ => {
            let now = (shared.now)();
            shared.store().write(&request, &now)
        }
    };
    let revision = shared.store().revision;
    note(
        shared,
        client,
        &request,
        result.as_ref().map_or_else(|refusal| refusal.code, |(code, _)| *code),
        revision - before,
    );
    shared.revision.send_replace(revision);
    match fault {
        Fault::CrashAfterCommit => {
            shared.kill(client);
            never().await
        }
        Fault::LostReply(refusal) => refused(&refusal),
        Fault::CrashAfterReply => {
            shared.kill(client);
            reply(&result)
        }
        _ => reply(&result),
    }
}

fn decide(shared: &Shared, client: &str, request: &Request) -> Fault {
    let number = {
        let mut calls = lock(&shared.calls);
        let number = calls.entry(client.to_owned()).or_default();
        *number += 1;
        *number - 1
    };
    // The decision may look at the server, so nothing is held meanwhile.
    let decide = shared.faults().on_call.take();
    let Some(mut decide) = decide else { return Fault::None };
    let fault = decide(&Call { client, number, request });
    shared.faults().on_call.get_or_insert(decide);
    fault
}

fn note(shared: &Shared, client: &str, request: &Request, code: u16, spent: u64) {
    let revision = shared.store().revision;
    lock(&shared.audit).push(Answered {
        client: client.to_owned(),
        request: request.to_string(),
        verb: request.verb,
        code,
        revisions: (revision - spent, revision),
    });
}

/// The dead get no answer.
async fn never() -> Reply {
    std::future::pending().await
}

fn reply(result: &Result<(u16, Value), Refusal>) -> Reply {
    match result {
        Ok((code, body)) => json_reply(*code, body),
        Err(refusal) => refused(refusal),
    }
}

fn refused(refusal: &Refusal) -> Reply {
    if refusal.reason == refusal::UNSERVED {
        let mut reply = Response::new(Full::new(Bytes::from(refusal.message.clone())).boxed());
        *reply.status_mut() = http::StatusCode::NOT_FOUND;
        return reply;
    }
    let mut reply = json_reply(refusal.code, &refusal.body());
    if let Some(seconds) = refusal.retry_after {
        reply.headers_mut().insert("retry-after", seconds.into());
    }
    reply
}

fn json_reply(code: u16, body: &Value) -> Reply {
    let body = Full::new(Bytes::from(body.to_string())).boxed();
    let mut reply = Response::new(body);
    *reply.status_mut() = http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    reply.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    reply
}

fn events(watch: Watch) -> Reply {
    let lines = stream::unfold(watch, |mut watch| async { Some((watch.next().await?, watch)) });
    let frames = lines.map(|event| Ok(http_body::Frame::data(Bytes::from(format!("{event}\n")))));
    Response::new(BodyExt::boxed(StreamBody::new(frames)))
}
