//! Watches: followed with backoff, their errors counted and shown to the
//! probes; a refusal is told to the index that depends on the watch.

use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use kube::runtime::{WatchStreamExt, watcher};
use tracing::warn;

use crate::driver::chain;
use crate::health::Health;
use crate::kinds::Kind;
use crate::metrics::Metrics;

/// What a watch tells.
#[derive(Debug)]
pub enum News<K> {
    /// An event.
    Event(watcher::Event<K>),
    /// The watch is refused for want of a permission.
    Refused(String),
}

/// How long to wait before a refused watch is tried again: at first, at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// The watch of `kind` as news, for ever. Errors are counted. A watch that is
/// refused, or whose kind is not served, shows in the probes and is begun anew
/// after a while: begun anew it lists, and the list tells that it is healed.
/// kube by itself would take it up where it was, and tell nothing. All other
/// errors are waited out by kube.
pub fn follow<'a, K: Send + 'a>(
    make: impl Fn() -> BoxStream<'a, watcher::Result<watcher::Event<K>>> + Send + 'a,
    kind: &'static Kind,
    (health, metrics): (&'a Health, &'a Metrics),
) -> impl Stream<Item = News<K>> + Send + 'a {
    let state = Follow { stream: None, make, kind, health, metrics, wait: Duration::ZERO };
    stream::unfold(state, |mut follow| async { Some((follow.next().await, follow)) })
}

struct Follow<'a, K, F> {
    stream: Option<BoxStream<'a, watcher::Result<watcher::Event<K>>>>,
    make: F,
    kind: &'static Kind,
    health: &'a Health,
    metrics: &'a Metrics,
    wait: Duration,
}

impl<'a, K: Send + 'a, F: Fn() -> BoxStream<'a, watcher::Result<watcher::Event<K>>>> Follow<'a, K, F> {
    async fn next(&mut self) -> News<K> {
        let (what, kind) = (format!("watch of {}", self.kind.plural), self.kind);
        loop {
            let Some(stream) = &mut self.stream else {
                tokio::time::sleep(self.wait).await;
                self.wait = (self.wait * 2).clamp(RETRY.0, RETRY.1);
                self.stream = Some((self.make)().default_backoff().boxed());
                continue;
            };
            match stream.next().await {
                Some(Ok(event)) => {
                    if matches!(event, watcher::Event::InitDone) {
                        self.health.missing(&what, false);
                        self.wait = Duration::ZERO;
                    }
                    return News::Event(event);
                }
                Some(Err(error)) => {
                    self.metrics.watch_errors.with_label_values(&[kind.plural]).inc();
                    warn!(kind = kind.plural, error = chain(&error), "watch failed; will be taken up again");
                    let Some(refusal) = refusal(&error, kind) else { continue };
                    self.health.missing(&what, true);
                    self.stream = None;
                    return News::Refused(refusal);
                }
                None => self.stream = None,
            }
        }
    }
}

/// What is missing, if the API server refused the watch or does not know the
/// kind.
fn refusal(error: &watcher::Error, kind: &Kind) -> Option<String> {
    let code = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status.code,
        _ => return None,
    };
    let kind = format!("{}.{}", kind.plural, kind.group_or_core());
    match code {
        401 | 403 => Some(format!("may not list and watch {kind}")),
        404 => Some(format!("finds no {kind} served")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use kube::core::Status;
    use kube::runtime::watcher::Event;

    use super::*;
    use crate::kinds::QUOTAS;

    fn refused(code: u16) -> watcher::Error {
        let status = Status { code, message: "no".into(), ..Status::default() };
        watcher::Error::WatchStartFailed(kube::Error::Api(Box::new(status)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_watch_is_begun_anew_and_a_failed_one_is_not() {
        let (health, metrics, made) = (Health::default(), Metrics::new().unwrap(), AtomicUsize::new(0));
        health.started();
        let make = || {
            let events: Vec<watcher::Result<Event<u8>>> = match made.fetch_add(1, Ordering::SeqCst) {
                0 => vec![
                    Ok(Event::Init),
                    Ok(Event::InitDone),
                    Err(watcher::Error::NoResourceVersion),
                    Ok(Event::Apply(1)),
                    Err(refused(403)),
                ],
                1 => vec![Err(refused(404))],
                _ => vec![Ok(Event::Init), Ok(Event::InitApply(2)), Ok(Event::InitDone)],
            };
            stream::iter(events).chain(stream::pending()).boxed()
        };
        let mut news = Box::pin(follow(make, &QUOTAS, (&health, &metrics)));
        let mut told = Vec::new();
        for ready in [true, true, true, false, false, false, false, true] {
            told.push(match news.next().await.unwrap() {
                News::Event(Event::Apply(n) | Event::InitApply(n)) => format!("object {n}"),
                News::Event(event) => format!("{event:?}"),
                News::Refused(missing) => missing,
            });
            assert_eq!(health.ready().is_ok(), ready, "after {told:?}");
        }
        let missing = ["may not list and watch resourcequotas.core", "finds no resourcequotas.core served"];
        assert_eq!(told, ["Init", "InitDone", "object 1", missing[0], missing[1], "Init", "object 2", "InitDone"]);
        assert_eq!(made.load(Ordering::SeqCst), 3);
    }
}
