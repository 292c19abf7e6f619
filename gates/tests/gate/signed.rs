//! Signed verdicts: they hold for what they are of, and for nothing else.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use hashinsight_gates::attestation::{Expected, PublicKey, Refused, SecretKey, attest, verify};
use hashinsight_gates::evidence::sha256;
use hashinsight_gates::policy::Policy;
use hashinsight_gates::verdict::Decision;
use serde_json::{Value, json};

use crate::shop::{COMMIT, DAY, Release};

/// Keys for tests, made of numbers anybody can read.
pub fn keys() -> [SecretKey; 3] {
    let newline = ed25519_dalek::pkcs8::spki::der::pem::LineEnding::LF;
    let edwards = |seed: u8| ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).to_pkcs8_pem(newline).unwrap();
    let curve = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let curve = p256::SecretKey::from(curve).to_pkcs8_pem(newline).unwrap();
    [
        SecretKey::of_pem(&edwards(1)).unwrap(),
        SecretKey::of_pem(&curve).unwrap(),
        SecretKey::of_pem(&edwards(2)).unwrap(),
    ]
}

pub fn digests(release: &Release) -> BTreeMap<String, String> {
    release.files.iter().map(|(name, bytes)| (name.clone(), sha256(bytes))).collect()
}

struct Asked {
    keys: Vec<PublicKey>,
    artifact: String,
    policy: String,
    commit: String,
    evidence: BTreeMap<String, String>,
    at: String,
}

impl Asked {
    fn of(release: &Release, key: &SecretKey) -> Self {
        Self {
            keys: vec![key.public()],
            artifact: release.artifact.clone().unwrap(),
            policy: Policy::read(&release.policy).unwrap().digest,
            commit: COMMIT.to_owned(),
            evidence: digests(release),
            at: DAY.to_owned(),
        }
    }

    fn verify(&self, envelope: &str) -> Result<(), Refused> {
        let expected = Expected {
            keys: &self.keys,
            artifact: &self.artifact,
            policy: Some(&self.policy),
            commit: Some(&self.commit),
            evidence: Some(&self.evidence),
            at: self.at.parse().unwrap(),
        };
        verify(envelope, &expected).map(drop)
    }
}

fn refused(result: Result<(), Refused>) -> &'static str {
    result.unwrap_err().as_str()
}

#[test]
fn a_signed_verdict_holds_for_what_it_is_of() {
    let release = Release::good();
    let [edwards, curve, stranger] = keys();
    for key in [&edwards, &curve] {
        let envelope = attest(&release.verdict(), key).unwrap();
        assert_eq!(attest(&release.verdict(), key).unwrap(), envelope, "the same again");
        let asked = || Asked::of(&release, key);
        assert_eq!(asked().verify(&envelope), Ok(()));
        let changed = |change: &dyn Fn(&mut Asked)| {
            let mut other = asked();
            change(&mut other);
            refused(other.verify(&envelope))
        };
        assert_eq!(changed(&|a| a.keys = vec![stranger.public()]), "Forged");
        assert_eq!(changed(&|a| a.keys.clear()), "Forged");
        assert_eq!(changed(&|a| a.artifact = "00".repeat(32)), "AnotherArtifact");
        assert_eq!(changed(&|a| a.policy = "00".repeat(32)), "AnotherPolicy");
        assert_eq!(changed(&|a| a.commit = "0000000".to_owned()), "AnotherCommit");
        assert_eq!(changed(&|a| a.at = "2026-12-01T12:00:00Z".to_owned()), "Expired");
        assert_eq!(changed(&|a| a.at = "2026-11-28T11:54:59Z".to_owned()), "FromTheFuture");
        assert_eq!(changed(&|a| drop(a.evidence.remove("tests.xml"))), "AnotherEvidence");
        assert_eq!(changed(&|a| drop(a.evidence.insert("tests.xml".into(), sha256(b"other")))), "AnotherEvidence");
        assert_eq!(changed(&|a| drop(a.evidence.insert("more.xml".into(), sha256(b"other")))), "AnotherEvidence");
    }
}

#[test]
fn what_was_changed_or_says_no_does_not_hold() {
    let release = Release::good();
    let [key, other, _] = keys();
    let envelope: Value = serde_json::from_str(&attest(&release.verdict(), &key).unwrap()).unwrap();
    let asked = Asked::of(&release, &key);
    let payload: Value =
        serde_json::from_slice(&STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap()).unwrap();
    let with = |payload: &Value| {
        let mut forged = envelope.clone();
        forged["payload"] = json!(STANDARD.encode(payload.to_string()));
        refused(asked.verify(&forged.to_string()))
    };
    for (pointer, value) in [
        ("/predicate/decision", json!("Deny")),
        ("/predicate/expires", json!("2036-01-01T00:00:00Z")),
        ("/subject/0/digest/sha256", json!("00".repeat(32))),
        ("/predicate/policy/sha256", json!("00".repeat(32))),
    ] {
        let mut forged = payload.clone();
        *forged.pointer_mut(pointer).unwrap() = value;
        assert_eq!(with(&forged), "Forged", "{pointer}");
    }
    let mut by_type = envelope.clone();
    by_type["payloadType"] = json!("text/plain");
    assert_eq!(refused(asked.verify(&by_type.to_string())), "Forged");
    assert_eq!(refused(asked.verify("{}")), "Unreadable");
    assert_eq!(refused(asked.verify("")), "Unreadable");
    // The signature of another verdict does not fit.
    let elsewhere: Value =
        serde_json::from_str(&attest(&release.clone().at("2026-11-28T13:00:00Z").verdict(), &key).unwrap()).unwrap();
    let mut swapped = envelope.clone();
    swapped["signatures"] = elsewhere["signatures"].clone();
    assert_eq!(refused(asked.verify(&swapped.to_string())), "Forged");
    // A key of the other kind signs, and is not trusted.
    assert_eq!(refused(asked.verify(&attest(&release.verdict(), &other).unwrap())), "Forged");
    let denied = release.clone().policy("minimum: 8", "minimum: 9").verdict();
    assert_eq!(denied.decision, Decision::Deny);
    let mut no = Asked::of(&release, &key);
    no.policy = denied.policy.sha256.clone();
    assert_eq!(refused(no.verify(&attest(&denied, &key).unwrap())), "NotAllowed");
    let mut unbound = release;
    unbound.artifact = None;
    assert!(attest(&unbound.verdict(), &key).is_err());
}

#[test]
fn provenance_must_be_signed_by_a_trusted_key_where_one_is_named() {
    use hashinsight_gates::evidence::{Envelope, provenance::IN_TOTO};
    let [key, _, stranger] = keys();
    let release = Release::good().indexed();
    let index = sha256(&release.files["evidence-index.json"]);
    let statement = |artifact: &str, commit: &str, index: &str| {
        json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "shop", "digest": {"sha256": artifact}}],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {"buildType": "x", "externalParameters": {}, "resolvedDependencies": [{"uri": "git+https://acme.example/shop", "digest": {"gitCommit": commit}}]},
                "runDetails": {"builder": {"id": "https://builder.acme.example/1"}, "byproducts": [{"name": "evidence-index.json", "digest": {"sha256": index}}]},
            },
        })
        .to_string()
    };
    let sealed = |statement: &str, by: &SecretKey| Envelope::sign(IN_TOTO, statement.as_bytes(), by);
    let pem = {
        use ed25519_dalek::pkcs8::EncodePublicKey as _;
        let line = ed25519_dalek::pkcs8::spki::der::pem::LineEnding::LF;
        ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key().to_public_key_pem(line).unwrap()
    };
    let indented: String = pem.lines().map(|line| format!("      {line}\n")).collect();
    let rule = format!(
        "  provenance:\n    builders: [https://builder.acme.example/1]\n    keys:\n    - |\n{indented}  releaseNotes: {{}}"
    );
    let asked = release.policy("  releaseNotes: {}", &rule);
    let artifact = asked.artifact.clone().unwrap();
    let ends = |text: String| {
        let verdict = asked.clone().with("provenance.dsse.json", text).verdict();
        let standing = verdict.findings().into_iter().find(|(_, f)| f.stands()).map(|(_, f)| f.id.clone());
        (verdict.decision, standing.unwrap_or_default())
    };
    let good = statement(&artifact, COMMIT, &index);
    assert_eq!(ends(sealed(&good, &key)).0, Decision::Allow, "{:?}", ends(sealed(&good, &key)));
    assert_eq!(ends(sealed(&good, &stranger)), (Decision::Deny, "signature".into()));
    assert_eq!(ends(good.clone()), (Decision::Deny, "signature".into()), "not signed at all");
    assert_eq!(ends(sealed(&statement(&"00".repeat(32), COMMIT, &index), &key)).1, "another-artifact");
    assert_eq!(ends(sealed(&statement(&artifact, &"0".repeat(40), &index), &key)).1, "another-commit");
    assert_eq!(ends(sealed(&statement(&artifact, COMMIT, &"0".repeat(64)), &key)).1, "another-index");
    assert_eq!(ends(sealed(&good.replace("builder.acme", "elsewhere.acme"), &key)), (Decision::Deny, "builder".into()));
    assert_eq!(asked.verdict().decision, Decision::Error, "none");
}
