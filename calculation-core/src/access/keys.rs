//! Keys of issuers, from a file or an address. Keys that were good stay good
//! while their issuer cannot be reached; an unknown one is asked for anew, but
//! not more often than every ten seconds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::metrics::Metrics;
use crate::settings::IssuerSettings;

/// Bytes of a set of keys.
const SET_MAX: usize = 256 * 1024;
/// Keys in a set.
const KEYS_MAX: usize = 64;
/// The shortest time between two questions.
const AGAIN: Duration = Duration::from_secs(10);
/// How long an address has to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// A key and the one algorithm it is for.
#[derive(Clone)]
pub struct Key {
    /// The public key.
    pub key: DecodingKey,
    /// Its algorithm.
    pub algorithm: Algorithm,
}

enum Place {
    File(PathBuf),
    Address(String),
}

/// The keys of one issuer.
pub struct Keys {
    place: Place,
    known: ArcSwap<BTreeMap<String, Key>>,
    asked: Mutex<Option<Instant>>,
    client: reqwest::Client,
    metrics: Metrics,
}

/// Why keys cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// The address does not answer.
    #[error("{0}")]
    Address(String),
    /// It is no set of keys.
    #[error("no JSON Web Key Set: {0}")]
    Shape(String),
}

impl Keys {
    /// Of this issuer; empty until [`Keys::refresh`].
    pub fn new(of: &IssuerSettings, client: &reqwest::Client, metrics: &Metrics) -> Self {
        let place = match (&of.jwks_file, &of.jwks_url) {
            (Some(file), _) => Place::File(file.clone()),
            (None, address) => Place::Address(address.clone().unwrap_or_default()),
        };
        Self {
            place,
            known: ArcSwap::default(),
            asked: Mutex::new(None),
            client: client.clone(),
            metrics: metrics.clone(),
        }
    }

    /// Whether any key is known.
    pub fn any(&self) -> bool {
        !self.known.load().is_empty()
    }

    /// The key by that name; asked for anew when it is not known.
    pub async fn find(&self, name: &str) -> Option<Key> {
        if let Some(key) = self.known.load().get(name) {
            return Some(key.clone());
        }
        // Whoever finds another asking does not wait in line behind it.
        if let Ok(asked) = self.asked.try_lock() {
            self.read(asked).await;
        }
        self.known.load().get(name).cloned()
    }

    /// Reads the keys anew, unless that was done just now.
    pub async fn refresh(&self) {
        self.read(self.asked.lock().await).await;
    }

    async fn read(&self, mut asked: MutexGuard<'_, Option<Instant>>) {
        if asked.is_some_and(|asked| asked.elapsed() < AGAIN) {
            return;
        }
        self.read_now().await;
        *asked = Some(Instant::now());
    }

    async fn read_now(&self) {
        let read = match &self.place {
            Place::File(path) => {
                tokio::fs::read(path).await.map_err(|error| Error::File(path.display().to_string(), error))
            }
            Place::Address(address) => {
                let late = |_| Err(Error::Address("no answer in time".to_owned()));
                tokio::time::timeout(PATIENCE, self.get(address)).await.unwrap_or_else(late)
            }
        };
        match read.and_then(|bytes| usable(&bytes)) {
            Ok(keys) => {
                if keys.is_empty() {
                    tracing::warn!("the issuer has no usable key: RSA of 2048 bits for RS256, or Ed25519, with a kid");
                }
                self.metrics.reloads.with_label_values(&["keys", "ok"]).inc();
                self.known.store(Arc::new(keys));
            }
            Err(error) => {
                self.metrics.reloads.with_label_values(&["keys", "failed"]).inc();
                tracing::warn!(%error, "keys cannot be read; those known stay good");
            }
        }
    }

    async fn get(&self, address: &str) -> Result<Vec<u8>, Error> {
        let failed = |error: reqwest::Error| Error::Address(error.without_url().to_string());
        let mut response = self.client.get(address).send().await.map_err(failed)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(Error::Address(format!("answered {}", response.status())));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > SET_MAX {
                return Err(Error::Address(format!("answered with more than {SET_MAX} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// Keys for RS256 and EdDSA signatures; others in the set are not ours.
fn usable(bytes: &[u8]) -> Result<BTreeMap<String, Key>, Error> {
    let set: JwkSet = serde_json::from_slice(bytes).map_err(|error| Error::Shape(error.to_string()))?;
    let mut keys = BTreeMap::new();
    for jwk in set.keys.iter().take(KEYS_MAX) {
        let is_for_signatures =
            jwk.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
            _ => continue,
        };
        if let (true, Some(name), Ok(key)) = (is_for_signatures, &jwk.common.key_id, DecodingKey::from_jwk(jwk)) {
            keys.insert(name.clone(), Key { key, algorithm });
        }
    }
    // A set that was emptied takes its keys away.
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_for_our_two_signatures_are_used() {
        let set = r#"{"keys":[
            {"kty":"oct","k":"c2VjcmV0","kid":"secret"},
            {"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"curve"},
            {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"enc","kid":"enc"},
            {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
            {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"sig","kid":"good"}]}"#;
        let keys = usable(set.as_bytes()).unwrap();
        assert_eq!(keys.keys().collect::<Vec<_>>(), ["good"]);
        assert!(usable(br#"{"keys":[]}"#).unwrap().is_empty());
        assert!(matches!(usable(b"<html>"), Err(Error::Shape(_))));
    }
}
