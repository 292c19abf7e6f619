//! Keys: Ed25519, or ECDSA on P-256 with SHA-256. Signatures are deterministic
//! (RFC 8032, RFC 6979), so the same verdict gives the same envelope.

use std::fmt;

use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePublicKey as _};
use p256::ecdsa::signature::Verifier as _;
use serde::{Deserialize, Deserializer};

use crate::evidence::sha256;

/// Why text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither of the two kinds.
    #[error(
        "no private key: PKCS#8 PEM of an Ed25519 or P-256 key is read, such as `openssl genpkey -algorithm ed25519` writes"
    )]
    Secret,
    /// Neither of the two kinds.
    #[error("no public key: SPKI PEM of an Ed25519 or P-256 key is read, such as `openssl pkey -pubout` writes")]
    Public,
}

/// A private key. It has no `Debug`, and is wiped when it goes.
pub struct SecretKey(Secret);

enum Secret {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    P256(Box<p256::ecdsa::SigningKey>),
}

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: Public,
    id: String,
}

#[derive(Clone, PartialEq, Eq)]
enum Public {
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
    P256(Box<p256::ecdsa::VerifyingKey>),
}

impl SecretKey {
    /// Reads PKCS#8 PEM.
    pub fn of_pem(pem: &str) -> Result<Self, KeyError> {
        if let Ok(key) = ed25519_dalek::SigningKey::from_pkcs8_pem(pem) {
            return Ok(Self(Secret::Ed25519(Box::new(key))));
        }
        let key = p256::ecdsa::SigningKey::from_pkcs8_pem(pem).map_err(|_| KeyError::Secret)?;
        Ok(Self(Secret::P256(Box::new(key))))
    }

    /// The public one to it.
    pub fn public(&self) -> PublicKey {
        PublicKey::new(match &self.0 {
            Secret::Ed25519(key) => Public::Ed25519(Box::new(key.verifying_key())),
            Secret::P256(key) => Public::P256(Box::new(*key.verifying_key())),
        })
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Secret::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Secret::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_der().as_bytes().to_vec()
            }
        }
    }
}

impl PublicKey {
    fn new(key: Public) -> Self {
        let der = match &key {
            Public::Ed25519(key) => key.to_public_key_der(),
            Public::P256(key) => key.to_public_key_der(),
        };
        let id = der.map(|der| sha256(der.as_bytes())).unwrap_or_default();
        Self { key, id }
    }

    /// Reads SPKI PEM.
    pub fn of_pem(pem: &str) -> Result<Self, KeyError> {
        if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_pem(pem) {
            return Ok(Self::new(Public::Ed25519(Box::new(key))));
        }
        let key = p256::ecdsa::VerifyingKey::from_public_key_pem(pem).map_err(|_| KeyError::Public)?;
        Ok(Self::new(Public::P256(Box::new(key))))
    }

    /// SHA-256 of its SPKI DER, in hexadecimal.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Public::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Public::P256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::of_pem(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}
