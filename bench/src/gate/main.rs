//! `make bench BENCH=gate`: a large release and a small one through the release
//! gate, beside conftest with the same checks as far as it can express them; and
//! what both say of evidence that is spoilt.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark that cannot go on says where")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark reads clocks and files, and prints")]

#[path = "../peak.rs"]
mod peak;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use peak::peak;

/// What the gate may hold while it reads the large release, KiB.
const MEMORY_KIB: u64 = 128 * 1024;
const COMMIT: &str = "3f9c2d7a5e1b48860c9d4f27ab6e80315d2c7f94";
const DAY: &str = "2026-11-28T12:00:00Z";

/// Measure the release gate.
#[derive(Debug, Parser)]
struct Arguments {
    /// The command line, as it is shipped
    #[arg(long)]
    program: PathBuf,
    /// conftest; without it only ours runs
    #[arg(long)]
    conftest: Option<PathBuf>,
    /// Rounds; the middle one counts
    #[arg(long, default_value = "7")]
    rounds: usize,
    /// Size of the large bill of materials, MiB
    #[arg(long, default_value = "50")]
    mebibytes: usize,
    /// Tests of the large report
    #[arg(long, default_value = "100000")]
    tests: usize,
}

struct Ran {
    took: Duration,
    kib: u64,
    code: i32,
    told: String,
}

/// Runs a program to its end.
fn run(mut command: Command) -> Ran {
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let watched = peak(child.id());
    let mut told = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut told).unwrap();
    let code = child.wait().unwrap().code().unwrap_or(-1);
    Ran { took: begun.elapsed(), kib: watched.join().unwrap(), code, told }
}

/// A folder of evidence, and how both programs are asked about it.
struct Release<'a> {
    folder: PathBuf,
    artifact: String,
    arguments: &'a Arguments,
}

impl Release<'_> {
    fn ours(&self) -> Command {
        let mut command = Command::new(&self.arguments.program);
        command.args(["gate", "check", "--at", DAY, "--commit", COMMIT, "-o", "name"]);
        command.args(["--artifact", &format!("sha256:{}", self.artifact)]);
        command.arg("--policy").arg(self.folder.join("policy.yaml"));
        command.arg("--evidence").arg(self.folder.join("evidence"));
        command
    }

    fn peer(&self) -> Option<Command> {
        let mut command = Command::new(self.arguments.conftest.as_ref()?);
        command.args(["test", "--combine", "--no-color", "--policy"]).arg(self.folder.join("policy.rego"));
        command.arg("--data").arg(self.folder.join("data.json"));
        let files = ["tests.xml", "audit.json", "sbom.json"].map(|name| self.folder.join("evidence").join(name));
        // What it is not told of, it does not miss.
        command.args(files.iter().filter(|file| file.exists()));
        Some(command)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.folder.join(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap()
    }
}

fn middle(runs: &mut [Ran]) -> &Ran {
    runs.sort_by_key(|run| run.took);
    &runs[runs.len() / 2]
}

/// The example, with the checks that both can express.
fn small<'a>(root: &Path, arguments: &'a Arguments) -> Release<'a> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/release-gate");
    let folder = root.join("small");
    fs::create_dir_all(folder.join("evidence")).unwrap();
    for file in ["tests.xml", "audit.json", "sbom.json"] {
        fs::copy(example.join("evidence").join(file), folder.join("evidence").join(file)).unwrap();
    }
    let bill = fs::read_to_string(folder.join("evidence/sbom.json")).unwrap();
    let bill: serde_json::Value = serde_json::from_str(&bill).unwrap();
    let artifact = bill["metadata"]["component"]["hashes"][0]["content"].as_str().unwrap().to_owned();
    furnished(Release { folder, artifact, arguments })
}

fn furnished(release: Release<'_>) -> Release<'_> {
    let checks = "tests: {minimum: 2}, vulnerabilities: {atMost: {critical: 0, high: 0}}, sbom: {minimumComponents: 5}";
    release.write("policy.yaml", format!("schemaVersion: 1\nname: both\nchecks: {{{checks}}}\n"));
    release.write("policy.rego", include_str!("policy.rego"));
    release.write("data.json", format!("{{\"artifact\": \"{}\"}}", release.artifact));
    release
}

/// A bill of so many mebibytes and a report of so many tests.
fn large<'a>(root: &Path, arguments: &'a Arguments) -> Release<'a> {
    let folder = root.join("large");
    fs::create_dir_all(folder.join("evidence")).unwrap();
    let artifact = "ab".repeat(32);
    let mut bill = format!(
        "{{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"version\":1,\"metadata\":{{\"component\":{{\"type\":\"container\",\"name\":\"shop\",\"hashes\":[{{\"alg\":\"SHA-256\",\"content\":\"{artifact}\"}}]}}}},\"components\":["
    );
    let mut number = 0;
    while bill.len() < arguments.mebibytes << 20 {
        let comma = if number == 0 { "" } else { "," };
        write!(
            bill,
            "{comma}{{\"type\":\"library\",\"bom-ref\":\"pkg:cargo/crate-{number}@1.{number}.0\",\"name\":\"crate-{number}\",\"version\":\"1.{number}.0\",\"purl\":\"pkg:cargo/crate-{number}@1.{number}.0\",\"licenses\":[{{\"license\":{{\"id\":\"MIT\"}}}}],\"hashes\":[{{\"alg\":\"SHA-256\",\"content\":\"{number:064x}\"}}],\"externalReferences\":[{{\"type\":\"vcs\",\"url\":\"https://forge.example/crate-{number}\"}}]}}"
        )
        .unwrap();
        number += 1;
    }
    bill.push_str("]}");
    let mut tests = format!("<testsuites><testsuite name=\"shop\" tests=\"{}\" failures=\"0\">", arguments.tests);
    for number in 0..arguments.tests {
        write!(tests, "<testcase classname=\"shop.part{}\" name=\"test_{number}\" time=\"0.001\"/>", number % 97)
            .unwrap();
    }
    tests.push_str("</testsuite></testsuites>");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/release-gate/evidence/audit.json");
    fs::copy(example, folder.join("evidence/audit.json")).unwrap();
    let release = furnished(Release { folder, artifact, arguments });
    release.write("evidence/sbom.json", bill);
    release.write("evidence/tests.xml", tests);
    release
}

type Spoil = fn(&Release<'_>);
const SPOILT: [(&str, Spoil); 9] = [
    ("nothing: the release as it is", |_| {}),
    ("a test failed", |r| {
        let tests = r.read("evidence/tests.xml");
        r.write("evidence/tests.xml", tests.replacen("time=\"0.01\"/>", "time=\"0.01\"><failure/></testcase>", 1));
    }),
    ("a bill of another artifact", |r| {
        let bill = r.read("evidence/sbom.json");
        r.write("evidence/sbom.json", bill.replace(&r.artifact, &"0".repeat(64)));
    }),
    ("no report of tests", |r| fs::remove_file(r.folder.join("evidence/tests.xml")).unwrap()),
    ("no scan for weaknesses", |r| fs::remove_file(r.folder.join("evidence/audit.json")).unwrap()),
    ("a scan against an empty database", |r| {
        let audit = r.read("evidence/audit.json");
        r.write("evidence/audit.json", audit.replace("812", "0"));
    }),
    ("tests cut out of their report", |r| {
        let tests = r.read("evidence/tests.xml");
        let kept = tests.lines().filter(|line| !line.contains("refuses_")).collect::<Vec<_>>().join("\n");
        r.write("evidence/tests.xml", kept);
    }),
    ("a key twice: count 1, then count 0", |r| {
        let audit = r.read("evidence/audit.json");
        r.write("evidence/audit.json", audit.replace("\"count\": 0", "\"count\": 1, \"count\": 0"));
    }),
    ("a bill that is cut off", |r| {
        let bill = r.read("evidence/sbom.json");
        r.write("evidence/sbom.json", &bill[..bill.len() / 2]);
    }),
];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let root = tempfile::tempdir().unwrap();
    let mut faults = Vec::new();
    let side = |release: &Release<'_>| {
        let mut ours: Vec<Ran> = (0..arguments.rounds).map(|_| run(release.ours())).collect();
        let mut peer: Vec<Ran> = (0..arguments.rounds.min(3)).filter_map(|_| release.peer()).map(run).collect();
        let ours = middle(&mut ours);
        let told = |ran: &Ran| format!("{:.0} ms, {} MiB", ran.took.as_secs_f64() * 1e3, ran.kib / 1024);
        let ratio = |ran: &Ran| format!("{:.1} ×", ran.took.as_secs_f64() / ours.took.as_secs_f64());
        let [peer_told, peer_ratio] = if peer.is_empty() {
            ["–", "–"].map(str::to_owned)
        } else {
            [told(middle(&mut peer)), ratio(middle(&mut peer))]
        };
        (told(ours), peer_told, peer_ratio, ours.kib, ours.code)
    };
    println!("| job | bound | hashinsight | conftest | it takes |\n|---|---|--:|--:|--:|");
    let big = large(root.path(), &arguments);
    let (ours, peer, ratio, kib, code) = side(&big);
    let job = format!("a bill of {} MiB and {} tests", arguments.mebibytes, arguments.tests);
    println!("| {job} | ≤ 1 s, ≤ 128 MiB | {ours} | {peer} | {ratio} |");
    if code != 0 {
        faults.push(format!("the large release ended with {code}: {}", run(big.ours()).told));
    }
    if kib > MEMORY_KIB {
        faults.push(format!("{kib} KiB are held, more than {MEMORY_KIB}"));
    }
    let (ours, peer, ratio, ..) = side(&small(root.path(), &arguments));
    println!("| the example's release, from start to end | – | {ours} | {peer} | {ratio} |");
    println!("\n| what is spoilt | hashinsight | conftest |\n|---|---|---|");
    for (what, spoil) in SPOILT {
        let release = small(root.path(), &arguments);
        spoil(&release);
        let ours = run(release.ours());
        let peer = release.peer().map_or("–", |peer| if run(peer).code == 0 { "passes" } else { "fails" });
        println!("| {what} | {} (exit code {}) | {peer} |", ours.told.trim(), ours.code);
        if (ours.code == 0) != what.starts_with("nothing") {
            faults.push(format!("{what}: {}", ours.told));
        }
    }
    for fault in &faults {
        println!("✗ {fault}");
    }
    ExitCode::from(u8::from(!faults.is_empty()))
}
