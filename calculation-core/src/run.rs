//! Wires everything: listens, reads what may change, and ends in order.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::core::Core;
use crate::settings::{LimitFile, Settings};
use crate::{access, api, bad, core, listen, probes, reload};

pub use crate::reload::Origin;

/// How long the probes have to end.
const PROBES: Duration = Duration::from_secs(1);

/// Why the service ended, other than by request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be made.
    #[error(transparent)]
    Core(#[from] core::Error),
    /// Certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] listen::Error),
    /// The port cannot be had.
    #[error("cannot listen on {address}: {source}; choose another with listen or probes")]
    Listen {
        /// As set.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// Telemetry cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] hashinsight_telemetry::Error),
    /// Signals cannot be received, or the runtime cannot start.
    #[error("the runtime cannot start: {0}")]
    Runtime(#[from] std::io::Error),
}

/// Where the service can be found.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The API.
    pub api: SocketAddr,
    /// The probes.
    pub probes: SocketAddr,
}

/// Looks at the files that settings name.
pub fn check(settings: &Settings) -> Result<(), Error> {
    access::install();
    listen::acceptor(settings.tls.as_ref())?;
    if let Some(file) = &settings.limits.file {
        LimitFile::read(file).map_err(core::Error::from)?;
    }
    Ok(())
}

/// Runs the service until `stop` resolves; `found` is told where it is.
pub async fn run(
    settings: Settings,
    origin: Origin,
    clock: Clock,
    found: impl FnOnce(Addresses),
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    access::install();
    let acceptor = listen::acceptor(settings.tls.as_ref())?;
    let (api_listener, probe_listener) = (bind(settings.listen).await?, bind(settings.probes).await?);
    let addresses = Addresses { api: api_listener.local_addr()?, probes: probe_listener.local_addr()? };
    let core = Arc::new(Core::new(settings, clock, api::document().into())?);
    if !core.verifier.is_set() {
        tracing::warn!("no issuer is set in auth.issuers: every request is refused");
    }
    let router = api::router(&core);
    let (end_probes, probes_end) = oneshot::channel::<()>();
    let probes = axum::serve(probe_listener, probes::router(Arc::clone(&core)))
        .with_graceful_shutdown(async move { drop(probes_end.await) });
    let (requests, drain) = (core.settings.requests.clone(), core.settings.drain.clone());
    let ending = async {
        stop.await;
        core.drain();
        tracing::info!(seconds = drain.delay_seconds, "ending: not ready any more");
        tokio::time::sleep(Duration::from_secs(drain.delay_seconds)).await;
    };
    let serving = async {
        let rest = Duration::from_secs(drain.seconds);
        let since = listen::serve(api_listener, acceptor, router, &requests, ending, rest).await;
        core.tasks.close();
        // Connections and work behind them have one time together.
        drop(tokio::time::timeout_at(since + rest, core.tasks.wait()).await);
        let _ = end_probes.send(());
    };
    let starting = async {
        bad::start().await;
        // The first look decides whether tokens can be verified at all.
        core.verifier.refresh().await;
        core.started();
        let Addresses { api, probes } = addresses;
        tracing::info!(%api, %probes, version = env!("CARGO_PKG_VERSION"), features = bad::features(), "serving");
        found(addresses);
        reload::forever(&core, &origin).await;
    };
    let work = async {
        let mut probing = std::pin::pin!(async { probes.await });
        let early = tokio::select! {
            () = serving => None,
            served = &mut probing => Some(served),
        };
        match early {
            Some(served) => served,
            // Whoever asks the probes half a question keeps nobody waiting.
            None => tokio::time::timeout(PROBES, probing).await.unwrap_or(Ok(())),
        }
    };
    tokio::select! {
        served = work => served.map_err(Error::Runtime),
        () = starting => Ok(()),
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}
