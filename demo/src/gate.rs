//! Releases at the gate: a good one is allowed, three others are not, each with
//! the reason and what to do; the signed verdict is verified, then tampered with.
//! The releases are the example's; the day is stated, so that it is always the
//! same one.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use localcluster::say;

use crate::stage::{root, told};
use crate::{Stage, Trouble};

const DAY: &str = "2026-11-28T12:00:00Z";
const IN_A_FREEZE: &str = "2026-12-25T12:00:00Z";
/// What the scanner of the second release found.
const FOUND: &str = r#"{"found": true, "count": 1, "list": [{"advisory": {"id": "CVE-2026-91007", "title": "a header of 64 KiB is read past its end", "aliases": [], "cvss": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}, "versions": {"patched": [">=1.5.0"]}, "package": {"name": "http", "version": "1.4.2"}}]}"#;

pub(crate) fn play(stage: &Stage) -> Result<(), Trouble> {
    let folder = root().join("target/demo/release");
    prepare(&folder)?;
    let verdict = folder.join("verdict.dsse.json");
    let sign = [
        "--commit".to_owned(),
        "3f9c2d7a5e1b48860c9d4f27ab6e80315d2c7f94".to_owned(),
        "--sign-key".to_owned(),
        path(&folder.join("gate.key")),
        "--attestation".to_owned(),
        path(&verdict),
    ];
    say("   a good release\n");
    check(stage, &folder, DAY, &sign, 0)?;

    say("   one with a weakness of high severity\n");
    let audit = folder.join("evidence/audit.json");
    let clean = read(&audit)?;
    let begin = clean.find("\"vulnerabilities\": ").map_or(0, |at| at + "\"vulnerabilities\": ".len());
    let end = clean.find(",\n \"warnings\"").unwrap_or(clean.len());
    write(&audit, &format!("{}{FOUND}{}", &clean[..begin], &clean[end..]))?;
    check(stage, &folder, DAY, &[], 1)?;
    write(&audit, &clean)?;

    say("   one whose coverage nobody kept\n");
    let coverage = folder.join("evidence/coverage.lcov");
    let kept = read(&coverage)?;
    fs::remove_file(&coverage).map_err(|error| wrong(&coverage, &error))?;
    check(stage, &folder, DAY, &[], 2)?;
    write(&coverage, &kept)?;

    say("   the good one again, inside of a freeze\n");
    check(stage, &folder, IN_A_FREEZE, &[], 3)?;

    say("   two days later, without a network: the signed verdict\n");
    verify(stage, &folder, &verdict, 0)?;
    let signed = read(&verdict)?;
    let forged = folder.join("forged.dsse.json");
    // One letter of what was signed.
    let at = signed.find("\"payload\": \"").map_or(0, |at| at + 200);
    let letter = if signed.as_bytes()[at] == b'A' { "B" } else { "A" };
    write(&forged, &format!("{}{letter}{}", &signed[..at], &signed[at + 1..]))?;
    verify(stage, &folder, &forged, 1)
}

/// The example, where it may be spoilt, and a key that lives as long.
fn prepare(folder: &Path) -> Result<(), Trouble> {
    let example = root().join("examples/release-gate");
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| wrong(folder, &error))?;
    }
    let evidence = folder.join("evidence");
    fs::create_dir_all(&evidence).map_err(|error| wrong(&evidence, &error))?;
    let copy = |from: PathBuf, to: PathBuf| fs::copy(&from, to).map(drop).map_err(|error| wrong(&from, &error));
    for file in ["artifact", "release-policy.yaml"] {
        copy(example.join(file), folder.join(file))?;
    }
    let listed = fs::read_dir(example.join("evidence")).map_err(|error| wrong(&example, &error))?;
    for entry in listed.filter_map(Result::ok) {
        copy(entry.path(), evidence.join(entry.file_name()))?;
    }
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256);
    let key = key.map_err(|error| Trouble::Wrong(format!("no key can be made: {error}")))?;
    let secret = folder.join("gate.key");
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&secret);
    let mut file = file.map_err(|error| wrong(&secret, &error))?;
    std::io::Write::write_all(&mut file, key.serialize_pem().as_bytes()).map_err(|error| wrong(&secret, &error))?;
    write(&folder.join("gate.pub"), &key.public_key_pem())
}

/// Asks the gate; the verdict must be the one with that exit code.
fn check(stage: &Stage, folder: &Path, at: &str, more: &[String], exit: i32) -> Result<(), Trouble> {
    let (policy, evidence, artifact) =
        (path(&folder.join("release-policy.yaml")), path(&folder.join("evidence")), path(&folder.join("artifact")));
    let mut arguments =
        vec!["gate", "check", "--policy", &policy, "--evidence", &evidence, "--artifact", &artifact, "--at", at];
    arguments.extend(more.iter().map(String::as_str));
    let code = stage.hashinsight(&arguments, |line| {
        let findings = ["✗", "!", "…", "    →"].iter().any(|mark| line.starts_with(mark));
        let verdict = ["Allow", "Deny", "Error", "Defer"].iter().any(|word| line.starts_with(word));
        if findings || verdict {
            told(line);
        }
    })?;
    ended(code, exit, "gate check")
}

fn verify(stage: &Stage, folder: &Path, envelope: &Path, exit: i32) -> Result<(), Trouble> {
    let (envelope, key) = (path(envelope), path(&folder.join("gate.pub")));
    let (artifact, policy) = (path(&folder.join("artifact")), path(&folder.join("release-policy.yaml")));
    let arguments = [
        "gate",
        "verify",
        &envelope,
        "--key",
        &key,
        "--artifact",
        &artifact,
        "--policy",
        &policy,
        "--at",
        "2026-11-30T12:00:00Z",
    ];
    let code = stage.hashinsight(&arguments, told)?;
    ended(code, exit, "gate verify")
}

fn ended(code: i32, exit: i32, what: &str) -> Result<(), Trouble> {
    if code == exit {
        return Ok(());
    }
    Err(Trouble::Wrong(format!("hashinsight {what} ended with {code}, not {exit}")))
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn read(path: &Path) -> Result<String, Trouble> {
    fs::read_to_string(path).map_err(|error| wrong(path, &error))
}

fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    fs::write(path, text).map_err(|error| wrong(path, &error))
}

fn wrong(path: &Path, error: &std::io::Error) -> Trouble {
    Trouble::Wrong(format!("{}: {error}", path.display()))
}
