//! What tools write, spoilt at random: read or refused, judged and rendered,
//! and never a panic. The fuzz targets do the same for longer.

use std::path::Path;

use hashinsight_gates::checks::{Case, decide};
use hashinsight_gates::evidence::{self, Evidence, Unread};
use hashinsight_gates::policy::Policy;
use hashinsight_gates::report::{Form, render};
use hashinsight_gates::verdict::Decision;
use hashinsight_gates::words::Tongue;

const MUTATIONS: u64 = 40;

fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn mutated(bytes: &[u8], mut random: u64) -> Vec<u8> {
    let mut next = |bound: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % bound.max(1) as u64).unwrap()
    };
    let mut bytes = bytes.to_vec();
    for _ in 0..=next(4) {
        let (at, length) = (next(bytes.len()), next(24));
        let end = (at + length).min(bytes.len());
        match next(4) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let copied = bytes[at..end].to_vec();
                let to = next(bytes.len());
                bytes.splice(to..to, copied);
            }
            2 if at < bytes.len() => bytes[at] = u8::try_from(next(256)).unwrap(),
            _ => {
                let piece: &[&[u8]] =
                    &[b"9999999999999999999999", b"\"", b"{", b"]", b"<", b"\xff", b"-1", b"null", b"\n"];
                let piece = piece[next(piece.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
    bytes
}

fn case<'a>(evidence: &'a [Evidence], unread: &'a [Unread]) -> Case<'a> {
    let at = crate::shop::DAY.parse().unwrap();
    Case { at, commit: None, artifact: None, class: None, evidence, unread, baseline: None }
}

#[test]
fn spoilt_evidence_and_policies_never_panic_or_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, built_in) = (Vec::new(), Policy::built_in().unwrap());
    files(&root.join("tests/corpus"), &mut found);
    found.sort();
    for (number, path) in (1..).zip(&found) {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        let bytes = std::fs::read(path).unwrap();
        for seed in 1..=MUTATIONS {
            let read = evidence::read(name, &mutated(&bytes, number * 7_919 + seed));
            let verdict = match &read {
                Ok(evidence) => decide(&built_in, &case(std::slice::from_ref(evidence), &[])),
                Err(unread) => decide(&built_in, &case(&[], std::slice::from_ref(unread))),
            };
            assert_eq!(verdict.decision, Decision::Error, "{name} {seed}: one file is no release");
            assert!(!render(&verdict, Form::ALL[usize::try_from(seed).unwrap() % 8], Tongue::Zh).is_empty());
        }
    }
    let example = std::fs::read(root.join("../examples/release-gate/release-policy.yaml")).unwrap();
    for seed in 1..400 {
        let text = String::from_utf8_lossy(&mutated(&example, seed * 104_729)).into_owned();
        if let Ok(policy) = Policy::read(&text) {
            assert_eq!(decide(&policy, &case(&[], &[])).decision, Decision::Error, "{text}");
        }
    }
}
