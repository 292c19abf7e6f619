//! The release gate on the project itself: real evidence of this very run, the
//! project's policy, a verdict that is signed, checked by a program of others,
//! and refused wherever it was tampered with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Error, cargo, output, root, step};
use crate::{dist, tools};

/// What stops a release of this project.
const POLICY: &str = "release-policy.yaml";
/// Lines of launchers and test ground are no product.
const NO_PRODUCT: &str = "(bench|calculation-core/(stand-in|test-issuer)|demo|fuzz|localcluster|testkit|xtask)/";

/// The folder of evidence of this run.
pub(crate) fn folder() -> PathBuf {
    root().join("target/evidence")
}

/// Begins anew: what an earlier run left is of another build.
pub(crate) fn begin() -> Result<(), Error> {
    let folder = folder();
    let failed = |source| Error::File { path: folder.clone(), source };
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    fs::create_dir_all(&folder).map_err(failed)
}

/// Gathers what is left to gather, and asks the gate; after the tests and the
/// benchmarks, which wrote theirs.
pub(crate) fn run() -> Result<(), Error> {
    let image = read(&root().join("target/dist/image"))?;
    coverage()?;
    exactness()?;
    analysis()?;
    bill(&image)?;
    for (from, to) in [("Cargo.lock", "Cargo.lock"), ("RELEASE.md", "RELEASE.md")] {
        copy(&root().join(from), &folder().join(to))?;
    }
    let commit = commit()?;
    let mut index = hashinsight();
    index.args(["gate", "index"]).arg(folder()).args(["--commit", &commit, "--artifact", &image]);
    step("release gate: the index of the evidence", index)?;
    let [secret, public] = keys()?;
    let signed = root().join("target/verdict.dsse.json");
    let mut check = hashinsight();
    check.args(["gate", "check", "--policy", POLICY, "--commit", &commit, "--artifact", &image, "--evidence"]);
    check.arg(folder()).arg("--sign-key").arg(secret).arg("--attestation").arg(&signed);
    for (form, file) in [("html", "gate.html"), ("sarif", "gate.sarif"), ("junit", "gate.xml"), ("json", "gate.json")] {
        check.arg("--report").arg(format!("{form}={}", root().join("target").join(file).display()));
    }
    step("release gate: this very build", check)?;
    verified(&signed, &public, &image, &commit)
}

/// The verdict holds, also by a program of others, and does not once anything
/// about it was changed.
fn verified(signed: &Path, public: &Path, image: &str, commit: &str) -> Result<(), Error> {
    let verify = |file: &Path, artifact: &str, more: &[&str]| {
        let mut verify = hashinsight();
        verify.args(["gate", "verify"]).arg(file).arg("--key").arg(public).args(["--artifact", artifact]).args(more);
        verify
    };
    let evidence = folder().display().to_string();
    let whole = ["--policy", POLICY, "--commit", commit, "--evidence", &evidence];
    step("release gate: the signed verdict holds", verify(signed, image, &whole))?;
    let mut other = Command::new(tools::python(tools::CONTRACT)?);
    other.arg("gates/tests/another-verifier.py").arg(public).arg(signed).current_dir(root());
    step("release gate: it holds for another verifier, too", other)?;
    let text = read(signed)?;
    let tampered = root().join("target/verdict-tampered.dsse.json");
    let payload = text.find("\"payload\": \"").map_or(0, |at| at + 40);
    let letter = if text.as_bytes().get(payload) == Some(&b'A') { "B" } else { "A" };
    let changed =
        text.get(..payload).unwrap_or_default().to_owned() + letter + text.get(payload + 1..).unwrap_or_default();
    write(&tampered, &changed)?;
    let none = format!("sha256:{}", "0".repeat(64));
    for (what, mut command) in [
        ("a letter of it was changed", verify(&tampered, image, &whole)),
        ("it is of another artifact", verify(signed, &none, &[])),
        (
            "another policy is asked for",
            verify(signed, image, &["--policy", "examples/release-gate/release-policy.yaml"]),
        ),
        ("it is of other evidence", verify(signed, image, &["--evidence", "examples/release-gate/evidence"])),
        ("it is over", verify(signed, image, &["--at", "2036-01-01T00:00:00Z"])),
    ] {
        let ended = command.output().map_err(|source| Error::Spawn { program: "hashinsight".into(), source })?;
        if ended.status.code() != Some(1) {
            return Err(Error::Check(format!("a verdict passes although {what}: {:?}", ended.status)));
        }
        println!("{}", String::from_utf8_lossy(&ended.stdout).lines().next().unwrap_or_default());
    }
    Ok(())
}

fn hashinsight() -> Command {
    let mut command = Command::new(root().join("target/dist/cli/hashinsight"));
    command.current_dir(root());
    command
}

fn coverage() -> Result<(), Error> {
    let mut report = tools::COVERAGE.command()?;
    report.args(["report", "--lcov", "--ignore-filename-regex"]).arg(format!("^{}/{NO_PRODUCT}", root().display()));
    report.arg("--output-path").arg(folder().join("coverage.lcov"));
    step("release gate: coverage", report)
}

fn exactness() -> Result<(), Error> {
    let mut golden = hashinsight();
    golden.args(["golden", "-o", "json"]);
    write(&folder().join("golden.json"), &output(golden)?)?;
    let mut replay = hashinsight();
    replay.args(["replay", "mining/tests/records.jsonl", "-o", "json"]);
    write(&folder().join("replay.json"), &output(replay)?)
}

/// Bans, licences and sources. It ends with an error where it complains, and
/// what it complains about is in the report.
fn analysis() -> Result<(), Error> {
    let mut deny = tools::DENY.command()?;
    deny.args(["--format", "sarif", "check", "bans", "licenses", "sources"]);
    let ended = deny.output().map_err(|source| Error::Spawn { program: "cargo-deny".into(), source })?;
    let report = folder().join("cargo-deny.sarif");
    fs::write(&report, if ended.stdout.is_empty() { &ended.stderr } else { &ended.stdout })
        .map_err(|source| Error::File { path: report, source })
}

/// The bill of materials of the operator's image, with the image's digest in it.
fn bill(image: &str) -> Result<(), Error> {
    let name = "sbom-of-this-build";
    let mut cyclonedx = tools::CYCLONEDX.command()?;
    cyclonedx.args(["--manifest-path", "operator/Cargo.toml", "--format", "json", "--spec-version", "1.5"]);
    cyclonedx.args(["--target", dist::TARGET, "--override-filename", name]);
    let made = root().join(format!("operator/{name}.json"));
    step("release gate: bill of materials", cyclonedx)?;
    let text = read(&made)?;
    // It is written beside every member of the workspace.
    for member in
        output(cargo(&["metadata", "--no-deps", "--format-version", "1"]))?.split("\"manifest_path\":\"").skip(1)
    {
        let manifest = member.split('"').next().unwrap_or_default();
        let _ = fs::remove_file(Path::new(manifest).with_file_name(format!("{name}.json")));
    }
    let mut bill: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| Error::Render { what: "the bill of materials", why: e.to_string() })?;
    let digest = image.rsplit_once("sha256:").map_or("", |(_, digest)| digest);
    bill["metadata"]["component"]["hashes"] = serde_json::json!([{"alg": "SHA-256", "content": digest}]);
    write(&folder().join("sbom.json"), &format!("{bill:#}\n"))
}

/// A key that lives as long as the run's folder. Releases are signed with one
/// that is kept elsewhere.
fn keys() -> Result<[PathBuf; 2], Error> {
    let folder = root().join("target");
    let [secret, public] = ["gate.key", "gate.pub"].map(|name| folder.join(name));
    let mut make = Command::new(tools::python(tools::CONTRACT)?);
    make.arg("gates/tests/another-verifier.py").arg("--make").arg(&secret).arg(&public).current_dir(root());
    step("release gate: a key for this run", make)?;
    Ok([secret, public])
}

/// The commit that is checked out, read without git, which need not be there.
fn commit() -> Result<String, Error> {
    let git = root().join(".git");
    let head = read(&git.join("HEAD"))?;
    let Some(name) = head.trim().strip_prefix("ref: ") else { return Ok(head.trim().to_owned()) };
    if let Ok(commit) = read(&git.join(name)) {
        return Ok(commit.trim().to_owned());
    }
    let packed = read(&git.join("packed-refs"))?;
    let of_name = |line: &str| line.split_once(' ').filter(|(_, of)| *of == name).map(|(commit, _)| commit.to_owned());
    packed.lines().find_map(of_name).ok_or_else(|| Error::Check(format!("no commit is known of {name}")))
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|source| Error::File { path: path.to_owned(), source })
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    write(to, &read(from)?)
}
