//! Where figures are computed: on threads of their own, as many at once as there
//! are processors, and never all of them for one tenant.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::access::Caller;
use crate::api::code::Code;
use crate::api::problem::Problem;
use crate::metrics::Metrics;

/// Places to compute.
pub struct Compute {
    /// Threads one computation may use.
    threads: usize,
    places: Arc<Semaphore>,
    metrics: Metrics,
}

impl Compute {
    /// With so many threads; 0 for as many as there are processors.
    pub fn new(threads: usize, metrics: &Metrics) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = if threads == 0 { processors } else { threads };
        Self { threads, places: Arc::new(Semaphore::new(threads.max(2))), metrics: metrics.clone() }
    }

    /// One of the tenant's computations, given back when dropped.
    pub fn admit(caller: &Caller) -> Result<OwnedSemaphorePermit, Problem> {
        caller.account.compute().ok_or_else(|| {
            let at_once = caller.account.limits.concurrent;
            Problem::new(
                Code::TooManyAtOnce,
                format!("{at_once} computations are under way for this tenant; try again when one is done."),
                format!("该租户已有 {at_once} 个计算正在进行；请在其完成后重试。"),
            )
            .limit(at_once)
            .again(1)
        })
    }

    /// Does the work in its turn, if the tenant may have one more.
    pub async fn run<T: Send + 'static>(
        &self,
        caller: &Caller,
        work: impl FnOnce(usize) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.admitted(caller, &Arc::new(Self::admit(caller)?), work).await
    }

    /// Does admitted work in its turn. Whoever stops waiting gives its turn away;
    /// work that has begun is done to its end and holds its place until then.
    pub async fn admitted<T: Send + 'static>(
        &self,
        caller: &Caller,
        admitted: &Arc<OwnedSemaphorePermit>,
        work: impl FnOnce(usize) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let closed = |_| Problem::internal(&"the places to compute are closed");
        let own = caller.account.turn().await.map_err(closed)?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(closed)?;
        let (threads, span, admitted) = (self.threads, tracing::Span::current(), Arc::clone(admitted));
        let done = tokio::task::spawn_blocking(move || {
            let _held = (admitted, own, place);
            span.in_scope(|| work(threads))
        });
        done.await.unwrap_or_else(|error| {
            self.metrics.panics.inc();
            Err(Problem::internal(&error))
        })
    }
}
