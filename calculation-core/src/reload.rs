//! What may change while the service runs: keys of issuers, limits of tenants,
//! manual market values. Everything else is told of and waits for a restart.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::core::Core;
use crate::settings::{LimitFile, Settings};

/// How often files are looked at.
const FILES: Duration = Duration::from_secs(5);
/// How often keys are read anew, in those looks.
const KEYS_EVERY: u32 = 60;
/// How often keys are tried while none is known.
const KEYS_FIRST: Duration = Duration::from_secs(1);

/// Where settings came from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The file.
    pub file: Option<PathBuf>,
    /// Variables of the environment that set something.
    pub environment: Vec<(String, String)>,
}

/// Looks again and again.
pub async fn forever(core: &Arc<Core>, origin: &Origin) {
    let keys = async {
        loop {
            core.verifier.refresh().await;
            let wait = if core.verifier.without_keys().is_empty() { FILES * KEYS_EVERY } else { KEYS_FIRST };
            tokio::time::sleep(wait).await;
        }
    };
    let files = async {
        let mut told = String::new();
        loop {
            tokio::time::sleep(FILES).await;
            look(core, origin, &mut told).await;
        }
    };
    tokio::join!(keys, files);
}

/// One look. What cannot be read leaves what is in force, and is told once.
async fn look(core: &Arc<Core>, origin: &Origin, told: &mut String) {
    let (origin, limits) = (origin.clone(), core.settings.limits.file.clone());
    let read = tokio::task::spawn_blocking(move || {
        let settings = Settings::read(origin.file.as_deref(), origin.environment);
        let limits = limits.as_deref().map(LimitFile::read).transpose();
        settings.and_then(|settings| Ok((settings, limits?)))
    });
    let count = |outcome: &str| core.metrics.reloads.with_label_values(&["settings", outcome]).inc();
    match read.await {
        Ok(Ok((settings, limits))) => {
            told.clear();
            if limits.is_some_and(|limits| core.accounts.replace(limits)) {
                count("ok");
                tracing::info!("other limits are in force");
            }
            if core.markets.set_manual(&settings.market_data.manual) {
                count("ok");
                tracing::info!("other manual market values are in force");
            }
        }
        Ok(Err(error)) => {
            let why = error.to_string();
            if *told != why {
                count("failed");
                tracing::warn!(why, "settings cannot be read again; those in force stay");
                *told = why;
            }
        }
        Err(error) => tracing::error!(%error, "settings could not be looked at"),
    }
}
