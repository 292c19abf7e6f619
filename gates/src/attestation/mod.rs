//! A verdict, signed: an in-toto statement in a DSSE envelope, bound to the
//! artifact, the policy, the evidence, the class of the change and an end. It
//! is checked without a network.

mod keys;
mod statement;
mod verify;

pub use keys::{KeyError, PublicKey, SecretKey};
pub use statement::{PREDICATE, Predicate, Unbound, attest};
pub use verify::{Expected, Refused, verify};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::evidence::Envelope;

impl Envelope {
    /// What is signed: the payload with its type and both lengths (DSSE v1, the
    /// pre-authentication encoding).
    fn signed(payload_type: &str, payload: &[u8]) -> Vec<u8> {
        let mut signed = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
        signed.extend_from_slice(payload);
        signed
    }

    /// Signs a payload. Returns the envelope's JSON.
    pub fn sign(payload_type: &str, payload: &[u8], key: &SecretKey) -> String {
        let signature = key.sign(&Self::signed(payload_type, payload));
        let envelope = json!({
            "payloadType": payload_type,
            "payload": STANDARD.encode(payload),
            "signatures": [{"keyid": key.public().id(), "sig": STANDARD.encode(signature)}],
        });
        serde_json::to_string_pretty(&envelope).unwrap_or_default() + "\n"
    }

    /// Whether a key signed it as it is.
    pub(crate) fn is_by(&self, key: &PublicKey) -> bool {
        let message = Self::signed(&self.payload_type, &self.payload);
        self.signatures.iter().any(|(_, signature)| key.verifies(&message, signature))
    }
}
