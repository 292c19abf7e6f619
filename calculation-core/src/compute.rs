//! Where figures are computed: on threads of their own, as many at once as there
//! are processors, and never all of them for one tenant.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::access::Caller;
use crate::api::code::Code;
use crate::api::problem::Problem;

/// Places to compute.
pub struct Compute {
    /// Threads one computation may use.
    threads: usize,
    places: Arc<Semaphore>,
}

impl Compute {
    /// With so many threads; 0 for as many as there are processors.
    pub fn new(threads: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = if threads == 0 { processors } else { threads };
        Self { threads, places: Arc::new(Semaphore::new(threads.max(2))) }
    }

    /// Does the work in its turn. Whoever stops waiting gives its turn away; work
    /// that has begun is done to its end and holds its place until then.
    pub async fn run<T: Send + 'static>(
        &self,
        caller: &Caller,
        work: impl FnOnce(usize) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let account = Arc::clone(&caller.account);
        let at_once = account.limits.concurrent;
        let admitted = account.compute().ok_or_else(|| {
            Problem::new(
                Code::TooManyAtOnce,
                format!("{at_once} computations are under way for this tenant; try again when one is done."),
                format!("该租户已有 {at_once} 个计算正在进行；请在其完成后重试。"),
            )
            .limit(at_once)
            .again(1)
        })?;
        let closed = |_| Problem::internal(&"the places to compute are closed");
        let own = account.turn().await.map_err(closed)?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(closed)?;
        let (threads, span) = (self.threads, tracing::Span::current());
        let done = tokio::task::spawn_blocking(move || {
            let _held = (admitted, own, place);
            span.in_scope(|| work(threads))
        });
        done.await.unwrap_or_else(|error| Err(Problem::internal(&error)))
    }
}
