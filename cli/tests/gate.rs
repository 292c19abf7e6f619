//! The release gate as it is typed: the same exit code in every format, bad
//! input with its place and what to do, snippets that work as they stand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests read files and run programs")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hashinsight");
const FORMATS: [&str; 12] =
    ["table", "wide", "json", "yaml", "name", "csv", "junit", "sarif", "github", "gitlab", "markdown", "html"];
const ANOTHER: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/release-gate")
}

/// A copy of the example that may be spoilt.
struct Copy(tempfile::TempDir);

impl Copy {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("evidence")).unwrap();
        for file in ["artifact", "release-policy.yaml"] {
            fs::copy(example().join(file), folder.path().join(file)).unwrap();
        }
        for entry in fs::read_dir(example().join("evidence")).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.path().join("evidence").join(path.file_name().unwrap())).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn replace(&self, file: &str, from: &str, to: &str) -> &Self {
        let text = fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        fs::write(self.path(file), text.replace(from, to)).unwrap();
        self
    }

    fn run(&self, words: &str) -> Output {
        Command::new(PROGRAM)
            .args(words.split_whitespace())
            .current_dir(self.0.path())
            .env_clear()
            .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)))
            .output()
            .unwrap()
    }

    fn check(&self, more: &str) -> Output {
        self.run(&format!("gate check --policy release-policy.yaml --at 2026-11-28T12:00:00Z {more}"))
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// Decisions with how they come about.
fn outcomes() -> [(&'static str, i32, &'static str, &'static str); 4] {
    [
        ("Allow", 0, "--artifact artifact", ""),
        ("Deny", 1, "--artifact artifact", "fewer"),
        ("Error", 2, "", ""),
        ("Defer", 3, "--artifact artifact --at 2026-12-25T00:00:00Z", ""),
    ]
}

#[test]
fn the_exit_code_is_the_same_in_every_format() {
    for (decision, exit, more, spoil) in outcomes() {
        let copy = Copy::new();
        if spoil == "fewer" {
            copy.replace("release-policy.yaml", "minimum: 8", "minimum: 9");
        }
        for format in FORMATS {
            let policy = "gate check --policy release-policy.yaml";
            let at = if more.contains("--at") { "" } else { "--at 2026-11-28T12:00:00Z" };
            let output = copy.run(&format!("{policy} {at} {more} -o {format}"));
            assert_eq!(code(&output), exit, "{decision} -o {format}: {}", text(&output));
            assert!(output.stderr.is_empty(), "{decision} -o {format}: {}", text(&output));
            let told = String::from_utf8(output.stdout).unwrap();
            assert!(format == "gitlab" || format == "csv" || told.contains(decision), "{decision} -o {format}: {told}");
        }
    }
}

#[test]
fn reports_are_written_beside_what_is_printed() {
    let copy = Copy::new();
    let forms = ["table", "json", "junit", "sarif", "github", "gitlab", "markdown", "html"];
    let reports: String = forms.iter().map(|form| format!(" --report {form}=out.{form}")).collect();
    let output = copy.check(&format!("--artifact artifact -o name{reports}"));
    assert_eq!((code(&output), text(&output).as_str()), (0, "Allow\n"));
    for form in forms {
        let printed = copy.check(&format!("--artifact artifact -o {form}"));
        assert_eq!(fs::read(copy.path(&format!("out.{form}"))).unwrap(), printed.stdout, "{form}");
    }
    let wrong = copy.check("--report pdf=out.pdf");
    assert!(code(&wrong) == 2 && text(&wrong).contains("markdown"), "{}", text(&wrong));
}

#[test]
fn bad_input_is_an_error_with_its_place_and_what_to_do() {
    let spoil = |change: &dyn Fn(&Copy), more: &str, words: &[&str]| {
        let copy = Copy::new();
        change(&copy);
        for format in ["table", "json", "junit", "github"] {
            let output = copy.check(&format!("--artifact artifact {more} -o {format}"));
            let told = text(&output);
            assert_eq!(code(&output), 2, "{words:?} -o {format}: {told}");
            for word in words {
                assert!(told.contains(word), "{word:?} is not in -o {format}: {told}");
            }
        }
    };
    let evidence = |copy: &Copy, name: &str, bytes: &[u8]| fs::write(copy.path("evidence").join(name), bytes).unwrap();
    spoil(&|c| fs::remove_dir_all(c.path("evidence")).unwrap(), "", &["evidence", "--evidence FOLDER"]);
    spoil(
        &|c| {
            fs::remove_dir_all(c.path("evidence")).unwrap();
            fs::create_dir(c.path("evidence")).unwrap();
        },
        "",
        &["no evidence at all", "--evidence FOLDER"],
    );
    spoil(&|c| evidence(c, "odd.bin", b"\x7fELF what"), "", &["odd.bin", "not a format of evidence"]);
    spoil(
        &|c| evidence(c, "tests.xml", b"<testsuites>\n<testsuite>\n</testsuites>"),
        "",
        &["tests.xml", "make the file again"],
    );
    spoil(&|c| evidence(c, "more.md", b"# Notes\n"), "", &["RELEASE.md", "more.md", "release notes"]);
    spoil(
        &|c| std::os::unix::fs::symlink("nowhere", c.path("evidence/gone.xml")).unwrap(),
        "",
        &["gone.xml", "may be read"],
    );
    spoil(
        &|c| fs::remove_file(c.path("release-policy.yaml")).unwrap(),
        "",
        &["release-policy.yaml", "gate explain --policy-text"],
    );
    spoil(
        &|c| {
            c.replace("release-policy.yaml", "  sbom: {", "  sbomb: {");
        },
        "",
        &["release-policy.yaml", "sbomb", "gate explain --policy-text"],
    );
    spoil(&|_| {}, "--baseline nowhere.json", &["nowhere.json"]);
    spoil(&|_| {}, "--waivers nowhere.yaml", &["nowhere.yaml"]);
    spoil(
        &|c| {
            let made =
                c.run("gate index evidence --commit 3f9c2d7a5e1b48860c9d4f27ab6e80315d2c7f94 --artifact artifact");
            assert_eq!(code(&made), 0, "{}", text(&made));
        },
        "--commit 0000000aaaaaaaabbbbbbbbccccccccdddddddde",
        &["0000000aaaaaaaabbbbbbbbccccccccdddddddde", "index it again"],
    );
}

#[test]
fn what_is_asked_wrongly_is_told_on_standard_error() {
    let copy = Copy::new();
    for (words, told) in [
        ("gate explain vulnerabilitys", "did you mean vulnerabilities?"),
        ("gate index evidence --commit main", "git rev-parse HEAD"),
        ("gate check --artifact latest", "--artifact sha256:"),
        ("gate check --sign-key key.pem", "--attestation"),
        ("slo explain x -o sarif", "gate check"),
    ] {
        let output = copy.run(words);
        assert_eq!(code(&output), 2, "{words}: {}", text(&output));
        assert!(text(&output).contains(told), "{words}: {}", text(&output));
    }
}

#[test]
fn a_verdict_is_signed_verified_and_used_as_a_baseline() {
    let copy = Copy::new();
    // Keys for tests, made of numbers anybody can read.
    fs::write(copy.path("key.pem"), "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n-----END PRIVATE KEY-----\n").unwrap();
    fs::write(copy.path("pub.pem"), "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=\n-----END PUBLIC KEY-----\n").unwrap();
    let signed = copy.check("--artifact artifact --sign-key key.pem --attestation verdict.json -o name");
    assert_eq!(code(&signed), 0, "{}", text(&signed));
    let verify =
        |more: &str| copy.run(&format!("gate verify verdict.json --key pub.pem --at 2026-11-28T13:00:00Z {more}"));
    let holds = verify("--artifact artifact --policy release-policy.yaml --evidence evidence");
    assert!(code(&holds) == 0 && text(&holds).contains("left to the cluster: objectives"), "{}", text(&holds));
    for (more, reason) in [
        (format!("--artifact {ANOTHER}"), "AnotherArtifact"),
        ("--artifact artifact --commit 0000000".to_owned(), "AnotherCommit"),
    ] {
        let output = verify(&more);
        assert!(code(&output) == 1 && text(&output).contains(reason), "{}", text(&output));
    }
    copy.replace("evidence/RELEASE.md", "helm rollback shop 13", "helm rollback shop 12");
    let other = verify("--artifact artifact --evidence evidence");
    assert!(code(&other) == 1 && text(&other).contains("RELEASE.md"), "{}", text(&other));
    let missing = copy.run("gate verify nowhere.json --key pub.pem --artifact artifact");
    assert_eq!(code(&missing), 2, "{}", text(&missing));
    let fewer = "<testcase classname=\"shop.prices\" name=\"reads_a_price\" time=\"0.01\"/>\n";
    copy.replace("evidence/tests.xml", &format!("    {fewer}"), "").replace(
        "evidence/tests.xml",
        "name=\"prices\" tests=\"3\"",
        "name=\"prices\" tests=\"2\"",
    );
    copy.replace("release-policy.yaml", "minimum: 8", "minimum: 7");
    let alone = copy.check("--artifact artifact");
    assert_eq!(code(&alone), 0, "{}", text(&alone));
    let held = copy.check("--artifact artifact --baseline verdict.json");
    assert!(code(&held) == 1 && text(&held).contains("7 tests ran, 8 did before"), "{}", text(&held));
    fs::write(copy.path("no.pem"), "no key").unwrap();
    let no_key = copy.check("--artifact artifact --sign-key no.pem --attestation verdict.json");
    assert!(code(&no_key) == 2 && text(&no_key).contains("openssl genpkey"), "{}", text(&no_key));
}

/// One pasted line, with what the platform sets.
#[test]
fn snippets_work_as_they_stand() {
    let copy = Copy::new();
    for (pipeline, begin) in [("github", "  run: "), ("gitlab", "  script: [")] {
        let snippet = String::from_utf8(copy.run(&format!("gate init {pipeline}")).stdout).unwrap();
        let line = snippet.lines().find_map(|line| line.strip_prefix(begin)).unwrap().trim_end_matches(']');
        let digest = copy.check("--artifact artifact -o json");
        let digest: serde_json::Value = serde_json::from_slice(&digest.stdout).unwrap();
        let path = Path::new(PROGRAM).parent().unwrap();
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(copy.path(""))
            .env("PATH", std::env::join_paths([path, Path::new("/usr/bin"), Path::new("/bin")]).unwrap())
            .env("IMAGE_DIGEST", format!("sha256:{}", digest["artifact"].as_str().unwrap()))
            .env("GITHUB_SHA", "3f9c2d7a5e1b48860c9d4f27ab6e80315d2c7f94")
            .env("CI_COMMIT_SHA", "3f9c2d7a5e1b48860c9d4f27ab6e80315d2c7f94")
            .env("GITHUB_STEP_SUMMARY", copy.path("summary.md"))
            .output()
            .unwrap();
        assert_eq!(code(&output), 0, "{pipeline}: {line}: {}", text(&output));
    }
    assert!(fs::read_to_string(copy.path("summary.md")).unwrap().starts_with("### ✓ Allow"));
    let notes = copy.run("gate init --notes --language zh");
    fs::write(copy.path("evidence/RELEASE.md"), &notes.stdout).unwrap();
    assert_eq!(code(&copy.check("--artifact artifact")), 0, "notes to fill in are whole");
}

#[test]
fn waivers_and_checks_are_explained() {
    let copy = Copy::new();
    let waivers = |at: &str| copy.run(&format!("gate waivers --policy release-policy.yaml --at {at}"));
    assert_eq!(code(&waivers("2026-12-01T00:00:00Z")), 0);
    let over = waivers("2027-04-01T00:00:00Z");
    assert!(code(&over) == 1 && text(&over).contains("✗ Expired"), "{}", text(&over));
    let all = copy.run("gate explain -o json");
    let all: serde_json::Value = serde_json::from_slice(&all.stdout).unwrap();
    assert_eq!(all["items"].as_array().unwrap().len(), 15);
    let policy = copy.run("gate explain --policy-text");
    fs::write(copy.path("own.yaml"), &policy.stdout).unwrap();
    let with = copy.run("gate check --policy own.yaml --artifact artifact -o name");
    assert_eq!((code(&with), text(&with).as_str()), (0, "Allow\n"));
}

#[test]
fn golden_samples_are_computed_and_compared() {
    let copy = Copy::new();
    let output = copy.run("golden -o json");
    assert_eq!(code(&output), 0);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["samples"].as_u64(), report["exact"].as_u64()), (Some(20), Some(20)));
    let mut document = Vec::new();
    let samples = include_str!("../../mining/data/golden-samples.csv");
    let header: Vec<&str> = samples.lines().next().unwrap().split(',').collect();
    for row in samples.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let figures: serde_json::Map<_, _> =
            header.iter().zip(&cells).skip(10).map(|(name, cell)| ((*name).to_owned(), (*cell).into())).collect();
        document.push(serde_json::json!({"case": cells[0], "figures": figures}));
    }
    fs::write(copy.path("core.json"), serde_json::to_string(&document).unwrap()).unwrap();
    assert_eq!(code(&copy.run("golden core.json")), 0);
    let figure = header[10];
    document[3]["figures"][figure] = "0".into();
    fs::write(copy.path("core.json"), serde_json::to_string(&document).unwrap()).unwrap();
    let wrong = copy.run("golden core.json");
    assert!(code(&wrong) == 1 && text(&wrong).contains("19 of 20"), "{}", text(&wrong));
    assert_eq!(code(&copy.run("golden artifact")), 2);
}
