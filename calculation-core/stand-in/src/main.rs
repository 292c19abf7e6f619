//! `market-stand-in`: invented market data in the providers' shapes.

use std::net::SocketAddr;

use clap::Parser;
use market_stand_in::{StandIn, serve};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(
    version,
    about = "Invented market data in the shapes of public providers, for tests and demos",
    after_help = "Examples:\n  \
        market-stand-in                                          on loopback\n  \
        curl http://127.0.0.1:9700/kraken/0/public/Ticker\n  \
        curl -X POST http://127.0.0.1:9700/faults/kraken/silent  make one fail; `fine` mends it"
)]
struct Arguments {
    /// Where it listens
    #[arg(long, default_value = "127.0.0.1:9700")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        let _ = terminate.recv().await;
    };
    let (_, serving) = serve(StandIn::default(), Arguments::parse().listen, stop).await?;
    serving.await
}
