//! Digests: what the caches keep of an object instead of its body.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// 128 bits of a SHA-256 over a canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest([u8; 16]);

impl Digest {
    /// Digest of `value` with object keys in order, and nulls and empty lists
    /// left out as the API server leaves them out, so that two spellings of one
    /// object agree.
    pub fn of(value: &Value) -> Self {
        let mut text = String::new();
        canonical(value, &mut text);
        let full = Sha256::digest(text.as_bytes());
        let mut short = [0; 16];
        short.iter_mut().zip(full.iter()).for_each(|(to, from)| *to = *from);
        Self(short)
    }

    /// As 32 hexadecimal digits.
    pub fn hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            out.push('{');
            let sorted: BTreeMap<_, _> = map.iter().filter(|(_, v)| !v.is_null() && **v != json!([])).collect();
            for (key, value) in sorted {
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// Sixteen hexadecimal digits over `parts`, each delimited; for derived names
/// and jitter.
pub fn short_hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_matter_and_content_does() {
        let a = Digest::of(&json!({"b": [1, {"y": 2, "x": null}], "a": "t"}));
        assert_eq!(a, Digest::of(&json!({"a": "t", "b": [1, {"y": 2}], "c": []})));
        assert_ne!(a, Digest::of(&json!({"a": "t", "b": [{"y": 2}, 1]})));
        assert_ne!(Digest::of(&json!(["a,b"])), Digest::of(&json!(["a", "b"])));
    }
}
