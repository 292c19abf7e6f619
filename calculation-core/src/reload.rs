//! What may change while the service runs: keys of issuers, the file of limits,
//! manual market values. Everything else waits for a restart.

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
        (settings, limits.as_deref().map(LimitFile::read).transpose())
    });
    let Ok((settings, limits)) = read.await else {
        tracing::error!("settings could not be looked at");
        return;
    };
    let count = |outcome: &str| core.metrics.reloads.with_label_values(&["settings", outcome]).inc();
    let mut wrong = Vec::new();
    match limits {
        Ok(Some(limits)) if core.accounts.replace(limits.clone()) => {
            count("ok");
            tracing::info!("other limits are in force");
        }
        Ok(_) => {}
        Err(error) => wrong.push(error.to_string()),
    }
    match settings {
        Ok(settings) if core.markets.set_manual(&settings.market_data.manual) => {
            count("ok");
            tracing::info!("other manual market values are in force");
        }
        Ok(_) => {}
        Err(error) => wrong.push(error.to_string()),
    }
    let why = wrong.join("; ");
    if !why.is_empty() && *told != why {
        count("failed");
        tracing::warn!(why, "settings cannot be read again; those in force stay");
    }
    *told = why;
}
