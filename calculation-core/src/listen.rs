//! Connections: bounded in number, patient with slow networks and not with
//! clients that send no header or read no answer, encrypted where certificates
//! are set, ended in order.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures::future::Future;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

use crate::settings::{RequestSettings, TlsSettings};

/// How long a client may take to send its headers, or to shake hands.
const GREETING: Duration = Duration::from_secs(10);
/// Bytes of headers.
const HEADERS_MAX: usize = 32 * 1024;

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("{0}: {1}")]
    File(String, String),
    /// They do not fit together.
    #[error("tls: {0}")]
    Tls(String),
}

/// Encryption as it is set; none when it is not.
pub fn acceptor(settings: Option<&TlsSettings>) -> Result<Option<TlsAcceptor>, Error> {
    let Some(settings) = settings else { return Ok(None) };
    let tls = |error: &dyn std::fmt::Display| Error::Tls(error.to_string());
    let builder = ServerConfig::builder();
    let builder = match &settings.client_authority {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| tls(&error))?;
            }
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().map_err(|error| tls(&error))?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::from_pem_file(&settings.key)
        .map_err(|error| Error::File(settings.key.display().to_string(), error.to_string()))?;
    let chain = certificates(&settings.certificate)?;
    let mut config = builder.with_single_cert(chain, key).map_err(|error| tls(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let failed = |error: rustls::pki_types::pem::Error| Error::File(path.display().to_string(), error.to_string());
    CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
}

/// Serves until `stop` resolves; then what is under way has `drain`. Returns when
/// that time began.
pub async fn serve(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    settings: &RequestSettings,
    stop: impl Future<Output = ()>,
    drain: Duration,
) -> Instant {
    let places = Arc::new(Semaphore::new(settings.connections));
    let (graceful, mut connections) = (GracefulShutdown::new(), JoinSet::new());
    let write = Duration::from_secs(settings.write_seconds);
    let mut stop = std::pin::pin!(stop);
    loop {
        let place = tokio::select! {
            () = &mut stop => break,
            // A full house waits in the kernel's queue.
            Ok(place) = Arc::clone(&places).acquire_owned() => place,
        };
        let stream = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection is not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        while connections.try_join_next().is_some() {}
        let (acceptor, router, watcher) = (acceptor.clone(), router.clone(), graceful.watcher());
        connections.spawn(async move {
            let _held = place;
            let Some(stream) = greeted(stream, acceptor, write).await else { return };
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(GREETING).max_buf_size(HEADERS_MAX);
            let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
            // A client that goes away is no mistake of ours.
            drop(watcher.watch(connection).await);
        });
    }
    drop(listener);
    let since = Instant::now();
    let ended = async {
        graceful.shutdown().await;
        while connections.join_next().await.is_some() {}
    };
    if tokio::time::timeout(drain, ended).await.is_err() {
        let connections = settings.connections - places.available_permits();
        tracing::warn!(connections, "what was under way took too long and is cut off");
    }
    since
}

trait Stream: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// The stream, encrypted where that is set, that gives up on a client that
/// reads nothing.
async fn greeted(stream: TcpStream, acceptor: Option<TlsAcceptor>, write: Duration) -> Option<Pin<Box<dyn Stream>>> {
    stream.set_nodelay(true).ok()?;
    let mut timed = TimeoutStream::new(stream);
    timed.set_write_timeout(Some(write));
    let timed = Box::pin(timed);
    match acceptor {
        None => Some(timed),
        Some(acceptor) => {
            let shaken = tokio::time::timeout(GREETING, acceptor.accept(timed)).await.ok()?.ok()?;
            Some(Box::pin(shaken))
        }
    }
}
