//! Who built the artifact, and from what: in-toto statements with SLSA
//! provenance, alone or in a DSSE envelope. Whether a signature holds is judged
//! where keys are known.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::Deserialize;

use super::{Refusal, bounded, json};

/// What an in-toto statement in an envelope is called.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";
/// Signatures of one envelope.
const MOST_SIGNATURES: usize = 16;

/// A statement, signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is.
    pub payload_type: String,
    /// The statement's bytes.
    pub payload: Vec<u8>,
    /// Identifier of the key, where it is told, and signature.
    pub signatures: Vec<(Option<String>, Vec<u8>)>,
}

/// What a builder says of an artifact.
#[derive(Clone, Debug, Default)]
pub struct Provenance {
    /// Who built it.
    pub builder: String,
    /// SHA-256 of what was built.
    pub artifacts: BTreeSet<String>,
    /// Commits it was built from.
    pub commits: BTreeSet<String>,
    /// SHA-256 of what else the build left, by name: such as the evidence.
    pub byproducts: BTreeMap<String, String>,
    /// The envelope it came in.
    pub envelope: Option<Envelope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    keyid: Option<String>,
    sig: String,
}

impl Envelope {
    /// Reads an envelope.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let wire: Wire = json::read(text)?;
        if wire.signatures.is_empty() || wire.signatures.len() > MOST_SIGNATURES {
            return Err(Refusal::new(format!("an envelope with {} signatures", wire.signatures.len())));
        }
        let bytes = |text: &str| {
            let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
            decoded.map_err(|error| Refusal::new(format!("not base64: {error}")))
        };
        let signatures = wire.signatures.into_iter().map(|signature| {
            let keyid = signature.keyid.filter(|id| !id.is_empty());
            Ok((keyid.map(|id| bounded(&id)), bytes(&signature.sig)?))
        });
        Ok(Self {
            payload: bytes(&wire.payload)?,
            payload_type: wire.payload_type,
            signatures: signatures.collect::<Result<_, Refusal>>()?,
        })
    }

    /// The payload as text.
    pub fn text(&self) -> Result<&str, Refusal> {
        if self.payload_type != IN_TOTO {
            return Err(Refusal::new(format!("an envelope of {:?}; {IN_TOTO} is read", bounded(&self.payload_type))));
        }
        std::str::from_utf8(&self.payload).map_err(|_| Refusal::new("the payload is not UTF-8"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Resource>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Default, Deserialize)]
struct Resource {
    #[serde(default)]
    name: String,
    #[serde(default)]
    uri: String,
    #[serde(default)]
    digest: BTreeMap<String, String>,
}

/// Of version 1, or of 0.2.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    build_definition: Option<Definition>,
    run_details: Option<Details>,
    builder: Option<Builder>,
    #[serde(default)]
    materials: Vec<Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Definition {
    #[serde(default)]
    resolved_dependencies: Vec<Resource>,
}

#[derive(Deserialize)]
struct Details {
    builder: Builder,
    #[serde(default)]
    byproducts: Vec<Resource>,
}

#[derive(Deserialize)]
struct Builder {
    id: String,
}

const TYPES: [&str; 2] = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];

/// A statement alone.
pub(super) fn statement(text: &str) -> Result<Provenance, Refusal> {
    let statement: Statement = json::read(text)?;
    if !TYPES.contains(&statement.kind.as_str()) {
        return Err(Refusal::new(format!("a statement of the type {:?}", bounded(&statement.kind))));
    }
    let predicate = statement.predicate;
    let (builder, materials, byproducts) = match statement.predicate_type.as_str() {
        "https://slsa.dev/provenance/v1" => {
            let (Some(definition), Some(details)) = (predicate.build_definition, predicate.run_details) else {
                return Err(Refusal::new("provenance without buildDefinition or runDetails"));
            };
            (details.builder, definition.resolved_dependencies, details.byproducts)
        }
        "https://slsa.dev/provenance/v0.2" => {
            let builder = predicate.builder.ok_or_else(|| Refusal::new("provenance without a builder"))?;
            (builder, predicate.materials, Vec::new())
        }
        other => return Err(Refusal::new(format!("a statement of {:?}; SLSA provenance is read", bounded(other)))),
    };
    let hex = |resource: &Resource, algorithm: &str| resource.digest.get(algorithm).map(|hex| hex.to_ascii_lowercase());
    let commits = materials.iter().flat_map(|material| [hex(material, "gitCommit"), hex(material, "sha1")]);
    Ok(Provenance {
        builder: bounded(&builder.id),
        artifacts: statement.subject.iter().filter_map(|subject| hex(subject, "sha256")).collect(),
        commits: commits.flatten().collect(),
        byproducts: byproducts
            .iter()
            .filter_map(|resource| {
                let name = if resource.name.is_empty() { &resource.uri } else { &resource.name };
                Some((bounded(name), hex(resource, "sha256")?))
            })
            .collect(),
        envelope: None,
    })
}

/// A statement in an envelope.
pub(super) fn envelope(text: &str) -> Result<Provenance, Refusal> {
    let envelope = Envelope::read(text)?;
    let inner = statement(envelope.text()?)?;
    Ok(Provenance { envelope: Some(envelope), ..inner })
}
