//! How a file is written, told by what is in it. A name decides only what the
//! content cannot: Markdown.

use super::json::{self, Outline};
use super::{Facts, Refusal, coverage, findings, notes, own, provenance, sbom, tests, timing, xml};

/// A way to write evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// `JUnit` XML, in any of its dialects.
    JUnit,
    /// What `cargo test` prints.
    CargoTest,
    /// The same as JSON lines, as cargo-nextest also writes it.
    LibTest,
    /// Schemathesis's JSON report.
    Schemathesis,
    /// `go test -json`.
    GoTest,
    /// LCOV tracefile.
    Lcov,
    /// Cobertura XML.
    Cobertura,
    /// `llvm-cov export`.
    LlvmCov,
    /// k6: `--summary-export` or `handleSummary`.
    K6,
    /// Criterion's `sample.json`.
    Criterion,
    /// Criterion's files beside `sample.json`.
    CriterionCompanion,
    /// `oha --output-format json`.
    Oha,
    /// Samples of our own benchmarks.
    Benchmark,
    /// SARIF 2.1.0.
    Sarif,
    /// osv-scanner.
    Osv,
    /// cargo-audit.
    CargoAudit,
    /// Trivy.
    Trivy,
    /// Grype.
    Grype,
    /// `npm audit`, report version 2.
    NpmAudit,
    /// CycloneDX JSON.
    CycloneDx,
    /// SPDX 2.x JSON.
    Spdx,
    /// `Cargo.lock`.
    CargoLock,
    /// `package-lock.json`.
    PackageLock,
    /// in-toto statement with SLSA provenance.
    Statement,
    /// The same in a DSSE envelope.
    Dsse,
    /// Release notes in Markdown.
    ReleaseNotes,
    /// `hashinsight golden`.
    Golden,
    /// `hashinsight replay`.
    Replay,
    /// `hashinsight status`.
    Status,
    /// `hashinsight gate index`.
    Index,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 30] = [
        Self::JUnit,
        Self::CargoTest,
        Self::LibTest,
        Self::Schemathesis,
        Self::GoTest,
        Self::Lcov,
        Self::Cobertura,
        Self::LlvmCov,
        Self::K6,
        Self::Criterion,
        Self::CriterionCompanion,
        Self::Oha,
        Self::Benchmark,
        Self::Sarif,
        Self::Osv,
        Self::CargoAudit,
        Self::Trivy,
        Self::Grype,
        Self::NpmAudit,
        Self::CycloneDx,
        Self::Spdx,
        Self::CargoLock,
        Self::PackageLock,
        Self::Statement,
        Self::Dsse,
        Self::ReleaseNotes,
        Self::Golden,
        Self::Replay,
        Self::Status,
        Self::Index,
    ];

    /// As people call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JUnit => "JUnit XML",
            Self::CargoTest => "cargo test",
            Self::LibTest => "libtest JSON",
            Self::Schemathesis => "schemathesis JSON",
            Self::GoTest => "go test JSON",
            Self::Lcov => "LCOV",
            Self::Cobertura => "Cobertura XML",
            Self::LlvmCov => "llvm-cov JSON",
            Self::K6 => "k6 summary",
            Self::Criterion => "Criterion samples",
            Self::CriterionCompanion => "Criterion",
            Self::Oha => "oha JSON",
            Self::Benchmark => "benchmark samples",
            Self::Sarif => "SARIF",
            Self::Osv => "osv-scanner JSON",
            Self::CargoAudit => "cargo-audit JSON",
            Self::Trivy => "Trivy JSON",
            Self::Grype => "Grype JSON",
            Self::NpmAudit => "npm audit JSON",
            Self::CycloneDx => "CycloneDX JSON",
            Self::Spdx => "SPDX JSON",
            Self::CargoLock => "Cargo.lock",
            Self::PackageLock => "package-lock.json",
            Self::Statement => "in-toto statement",
            Self::Dsse => "DSSE envelope",
            Self::ReleaseNotes => "release notes",
            Self::Golden => "golden samples",
            Self::Replay => "replay report",
            Self::Status => "status export",
            Self::Index => "index of evidence",
        }
    }

    /// The format of a file, and the outline of its JSON.
    pub(super) fn of(file: &str, text: &str) -> Result<(Self, Outline), Refusal> {
        let plain = |format| Ok((format, Outline::default()));
        let begin = text.trim_start();
        match begin.bytes().next() {
            _ if is_markdown(file) => plain(Self::ReleaseNotes),
            Some(b'<') => match xml::root(text)?.as_str() {
                "testsuites" | "testsuite" => plain(Self::JUnit),
                "coverage" => plain(Self::Cobertura),
                other => Err(unknown(&format!("XML whose root is <{other}>"))),
            },
            Some(b'{' | b'[') => of_json(begin, file),
            _ if begin.starts_with("TN:") || begin.starts_with("SF:") => plain(Self::Lcov),
            _ if sbom::lock::is_cargo_lock(begin) => plain(Self::CargoLock),
            _ if tests::cargo::is_cargo_test(text) => plain(Self::CargoTest),
            _ => Err(unknown("neither JSON, XML, LCOV, Cargo.lock, output of cargo test nor Markdown")),
        }
    }

    pub(super) fn read(self, file: &str, text: &str, outline: &Outline) -> Result<Facts, Refusal> {
        Ok(match self {
            Self::JUnit => Facts::Tests(tests::junit::read(text)?),
            Self::CargoTest => Facts::Tests(tests::cargo::read(text)?),
            Self::LibTest => Facts::Tests(tests::libtest::read(file, text)?),
            Self::Schemathesis => Facts::Tests(tests::schemathesis::read(file, text)?),
            Self::GoTest => Facts::Tests(tests::go::read(text)?),
            Self::Lcov => Facts::Coverage(coverage::lcov::read(text)?),
            Self::Cobertura => Facts::Coverage(coverage::cobertura::read(text)?),
            Self::LlvmCov => Facts::Coverage(coverage::llvm::read(text)?),
            Self::K6 => Facts::Timing(timing::k6::read(text)?),
            Self::Criterion => Facts::Timing(timing::criterion::read(file, text)?),
            Self::CriterionCompanion => Facts::Companion,
            Self::Oha => Facts::Timing(timing::oha::read(file, text)?),
            Self::Benchmark => Facts::Timing(timing::own::read(text)?),
            Self::Sarif => Facts::Findings(findings::sarif::read(text)?),
            Self::Osv => Facts::Findings(findings::osv::read(text)?),
            Self::CargoAudit => Facts::Findings(findings::cargo_audit::read(text)?),
            Self::Trivy => Facts::Findings(findings::trivy::read(text)?),
            Self::Grype => Facts::Findings(findings::grype::read(text)?),
            Self::NpmAudit => Facts::Findings(findings::npm::read(text)?),
            Self::CycloneDx => Facts::Bill(sbom::cyclonedx::read(text)?),
            Self::Spdx => Facts::Bill(sbom::spdx::read(text, outline)?),
            Self::CargoLock => Facts::Lock(sbom::lock::cargo(text)?),
            Self::PackageLock => Facts::Lock(sbom::lock::npm(text)?),
            Self::Statement => Facts::Provenance(provenance::statement(text)?),
            Self::Dsse => Facts::Provenance(provenance::envelope(text)?),
            Self::ReleaseNotes => Facts::Notes(notes::read(text)?),
            Self::Golden => Facts::Golden(own::golden(text)?),
            Self::Replay => Facts::Replay(own::replay(text)?),
            Self::Status => Facts::Status(own::status(text)?),
            Self::Index => Facts::Index(own::index(text)?),
        })
    }
}

fn is_markdown(file: &str) -> bool {
    file.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case("md") || end.eq_ignore_ascii_case("markdown"))
}

fn unknown(what: &str) -> Refusal {
    Refusal::new(format!("not a format of evidence: {what}")).next([
        "keep only evidence in the folder; `hashinsight gate explain` lists what each check reads",
        "文件夹中只保留证据；hashinsight gate explain 列出各检查读取的内容",
    ])
}

fn of_json(text: &str, file: &str) -> Result<(Format, Outline), Refusal> {
    let outline = match json::outline(text) {
        Ok(outline) => outline,
        // Lines of JSON, when the first line is a whole value and not the only one.
        Err(refusal) => {
            let first = text.lines().next().unwrap_or_default();
            return match json::outline(first) {
                Ok(first) if text.trim_end().contains('\n') => of_lines(&first),
                _ => Err(refusal),
            };
        }
    };
    let (has, says) = (|key: &str| outline.has(key), |key: &str, value: &str| outline.text(key) == Some(value));
    let is = |condition: bool, format: Format| condition.then_some(format);
    let ours = own::kind(&outline);
    if has("results") && has("config") && has("metadata") {
        let next = [
            "let k6 write --summary-export without --new-machine-readable-summary, which has no thresholds",
            "让 k6 使用 --summary-export 且不加 --new-machine-readable-summary（后者没有阈值）",
        ];
        return Err(Refusal::new("k6's machine-readable summary").next(next));
    }
    let format = ours
        .or(is(has("schemathesis_version"), Format::Schemathesis))
        .or(is(says("bomFormat", "CycloneDX"), Format::CycloneDx))
        .or(is(has("spdxVersion") || has("@graph"), Format::Spdx))
        .or(is(has("payloadType") && has("payload") && has("signatures"), Format::Dsse))
        .or(is(outline.text("_type").is_some_and(|kind| kind.starts_with("https://in-toto.io/")), Format::Statement))
        .or(is(says("type", "llvm.coverage.json.export"), Format::LlvmCov))
        .or(is(has("runs") && has("version"), Format::Sarif))
        .or(is(has("auditReportVersion"), Format::NpmAudit))
        .or(is(has("SchemaVersion") && (has("ArtifactName") || has("Results")), Format::Trivy))
        .or(is(has("matches") && has("descriptor"), Format::Grype))
        .or(is(has("database") && has("lockfile") && has("vulnerabilities"), Format::CargoAudit))
        .or(is(has("results") && !has("runs") && !has("metrics"), Format::Osv))
        .or(is(has("lockfileVersion"), Format::PackageLock))
        .or(is(has("latencyPercentiles") && has("summary"), Format::Oha))
        .or(is(has("metrics") && !has("results"), Format::K6))
        .or(is(has("iters") && has("times"), Format::Criterion))
        .or(is(has("median_abs_dev") && has("mean") || has("full_id"), Format::CriterionCompanion))
        .or(is(file.ends_with("/tukey.json"), Format::CriterionCompanion))
        .or(is(has("Action") && has("Package"), Format::GoTest))
        .or(is(has("event") && has("type"), Format::LibTest));
    match format {
        Some(format) => Ok((format, outline)),
        None => Err(unknown("JSON of no known kind")),
    }
}

fn of_lines(first: &Outline) -> Result<(Format, Outline), Refusal> {
    let format = if first.has("Action") {
        Format::GoTest
    } else if first.has("type") && first.has("event") {
        Format::LibTest
    } else {
        return Err(unknown("lines of JSON of no known kind"));
    };
    Ok((format, Outline::default()))
}
