//! An issuer of tokens for tests, demos and benchmarks, named so. Its key is made
//! when it is and lives as long as the program; it is never written anywhere.

#![allow(clippy::disallowed_methods, reason = "tokens hold for a time of day")]

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::error::Unspecified;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// The name the example's settings know.
pub const NAME: &str = "https://test-issuer.example";
/// Whom its tokens are for.
pub const AUDIENCE: &str = "calculation-core";
/// Seconds a token holds.
const HOLDS: u64 = 600;

/// An issuer with one key.
pub struct Issuer {
    pair: Ed25519KeyPair,
    name: String,
    key: String,
}

impl Issuer {
    /// With a new key by that name.
    pub fn new(name: &str, key: &str) -> Result<Self, Unspecified> {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())?;
        let pair = Ed25519KeyPair::from_pkcs8(made.as_ref()).map_err(|_| Unspecified)?;
        Ok(Self { pair, name: name.to_owned(), key: key.to_owned() })
    }

    /// Its public key as a JSON Web Key Set.
    pub fn keys(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.key, "x": x}]})
    }

    /// A token for an owner of the tenant `acme`, with `claims` over what it
    /// says of itself; null takes one away.
    pub fn token(&self, claims: &Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut all = json!({"iss": self.name, "aud": AUDIENCE, "sub": "ada", "tenant": "acme", "roles": ["Owner"],
            "nbf": now.saturating_sub(30), "exp": now + HOLDS});
        for (name, value) in claims.as_object().into_iter().flatten() {
            all[name.as_str()] = value.clone();
        }
        if let Some(all) = all.as_object_mut() {
            all.retain(|_, value| !value.is_null());
        }
        let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": self.key});
        let [header, claims] = [header, all].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_token_says_what_it_is_told_and_its_key_proves_it() {
        let issuer = Issuer::new(NAME, "first").unwrap();
        let token = issuer.token(&json!({"tenant": "borealis", "nbf": null}));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let claims = URL_SAFE_NO_PAD.decode(signed.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(
            (&claims["tenant"], &claims["iss"], &claims["nbf"]),
            (&json!("borealis"), &json!(NAME), &Value::Null)
        );
        let key = URL_SAFE_NO_PAD.decode(issuer.keys()["keys"][0]["x"].as_str().unwrap()).unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&ED25519, key).verify(signed.as_bytes(), &signature).unwrap();
    }
}
