//! Watches: followed with backoff, their errors counted and shown to the
//! probes; a refusal is told to the index that depends on the watch.

use futures::{Stream, StreamExt};
use kube::runtime::{WatchStreamExt, watcher};
use tracing::warn;

use crate::ctx::Ctx;
use crate::driver::chain;
use crate::kinds::Kind;

/// What a watch tells.
#[derive(Debug)]
pub enum News<K> {
    /// An event.
    Event(watcher::Event<K>),
    /// The watch is refused for want of a permission.
    Refused(String),
}

/// The watch of `kind` as news, for ever: errors are counted, waited out and
/// reported to the probes.
pub fn follow<K: Send>(
    stream: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send,
    kind: &'static Kind,
    ctx: &Ctx,
) -> impl Stream<Item = News<K>> + Send {
    let what = format!("watch of {}", kind.plural);
    let mut failing = false;
    stream.default_backoff().filter_map(move |item| {
        let news = match item {
            Ok(event) => {
                if failing {
                    failing = false;
                    ctx.health.missing(&what, false);
                }
                Some(News::Event(event))
            }
            Err(error) => {
                ctx.metrics.watch_errors.with_label_values(&[kind.plural]).inc();
                warn!(kind = kind.plural, error = chain(&error), "watch failed; will be taken up again");
                failing = true;
                ctx.health.missing(&what, true);
                is_forbidden(&error)
                    .then(|| News::Refused(format!("may not list and watch {}.{}", kind.plural, kind.group_or_core())))
            }
        };
        async move { news }
    })
}

fn is_forbidden(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status.code == 403,
        _ => false,
    }
}
