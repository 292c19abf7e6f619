//! Every defect of a release ends as it must, by the finding that names it.

use hashinsight_gates::verdict::{Decision, Level, Measured, Outcome, Verdict};

use crate::shop::{COMMIT, Release};

/// Findings that still do something, as `check/id`.
fn standing(verdict: &Verdict) -> Vec<String> {
    let all = verdict.findings().into_iter().filter(|(_, f)| f.stands() && f.level > Level::Warning);
    all.map(|(check, f)| format!("{}/{}", check.map_or("evidence", |c| c.as_str()), f.id)).collect()
}

fn ends(release: &Release, decision: Decision, finding: &str) {
    let verdict = release.verdict();
    let standing = standing(&verdict);
    assert_eq!(verdict.decision, decision, "{finding}: {standing:?}");
    assert!(standing.iter().any(|found| found == finding), "{finding} is not in {standing:?}");
    for (_, found) in verdict.findings().iter().filter(|(_, f)| f.level > Level::Warning) {
        let has_figures = found.value.is_some() && found.threshold.is_some();
        let of_check = verdict.checks.iter().any(|checked| checked.findings.contains(found));
        assert!(has_figures || !of_check || found.level == Level::Error, "{found:?} tells no figures");
        assert!(!found.next.en.is_empty() && !found.next.zh.is_empty(), "{found:?} does not say what to do");
    }
}

#[test]
fn a_good_release_is_allowed_and_leaves_the_rest_to_the_cluster() {
    for release in [Release::good(), Release::good().indexed()] {
        let verdict = release.verdict();
        assert_eq!(verdict.decision, Decision::Allow, "{:?}", standing(&verdict));
        let live = verdict.checks.iter().find(|checked| checked.check.is_live()).unwrap();
        assert_eq!(live.outcome, Outcome::NotEvaluatedHere);
        assert_eq!(verdict.measured.tests, Some(8));
        assert_eq!(release.verdict(), verdict, "the same again");
    }
}

#[test]
fn tests_that_fail_or_are_missing() {
    let good = Release::good;
    let fails = "name=\"sums_up_a_fleet\" time=\"0.01\"><failure message=\"wrong\"/></testcase>";
    let failing = good().replaced("tests.xml", "name=\"sums_up_a_fleet\" time=\"0.01\"/>", fails);
    ends(&failing, Decision::Deny, "tests/failed:fleet shop.fleet sums_up_a_fleet");
    let flaky = fails.replace("failure", "flakyFailure");
    let flaking = good().replaced("tests.xml", "name=\"sums_up_a_fleet\" time=\"0.01\"/>", &flaky);
    ends(&flaking, Decision::Deny, "tests/flaky:fleet shop.fleet sums_up_a_fleet");
    let tolerated = flaking.policy("flakyAtMost: 0", "flakyAtMost: 1").verdict();
    assert_eq!(tolerated.decision, Decision::Allow);
    assert!(
        tolerated.findings().iter().any(|(_, f)| f.level == Level::Warning && f.id.starts_with("flaky:")),
        "visible"
    );
    ends(&good().without("tests.xml"), Decision::Error, "tests/missing");
    ends(&good().policy("minimum: 8", "minimum: 9"), Decision::Deny, "tests/too-few");
    let mut fewer = good();
    fewer.baseline = Some(Measured { tests: Some(9), ..Measured::default() });
    ends(&fewer, Decision::Deny, "tests/fewer");
    let noted =
        fewer.replaced("RELEASE.md", "## Risk", "## Tests removed\n\nThe old parser is gone, and its test.\n\n## Risk");
    assert_eq!(noted.verdict().decision, Decision::Allow, "{:?}", standing(&noted.verdict()));
    let twice = good().with("again.xml", good().files["tests.xml"].clone());
    ends(&twice, Decision::Error, "evidence/claimed-twice");
    let other = String::from_utf8(good().files["tests.xml"].clone()).unwrap().replace("time=\"0.01\"", "time=\"0.02\"");
    ends(&good().with("again.xml", other), Decision::Error, "evidence/claimed-twice");
}

#[test]
fn coverage_that_is_low_or_missing() {
    let good = Release::good;
    ends(&good().policy("linesPercent: \"85\"", "linesPercent: \"95\""), Decision::Deny, "coverage/area:all");
    let hole = good().replaced("coverage.lcov", "DA:1,3\nDA:2,3\nDA:3,3\nDA:4,3\nDA:5,3\nDA:6,3\nDA:7,3\nDA:8,3\nDA:9,3\nDA:10,3\nDA:11,3\nDA:12,3\nDA:13,3\nDA:14,3\nDA:15,3\nDA:16,3\nDA:17,3\nDA:18,3\nDA:19,3\nDA:20,3\nDA:21,3\nDA:22,3\nDA:23,3\nDA:24,3\nDA:25,3\nDA:26,3\nDA:27,3\nDA:28,3\nDA:29,3\nDA:30,3\nLF:30\nLH:30", "DA:1,0\nDA:2,3\nLF:2\nLH:1");
    ends(&hole, Decision::Deny, "coverage/area:formulas");
    ends(&good().without("coverage.lcov"), Decision::Error, "coverage/missing");
    let gone = good().policy("src/formulas/**", "src/gone/**");
    ends(&gone, Decision::Error, "coverage/area:formulas:missing");
    let left_out = gone.policy("linesPercent: \"100\"}", "linesPercent: \"100\", ifPresent: true}");
    assert_eq!(left_out.verdict().decision, Decision::Allow);
    let mut half = good();
    half.baseline = Some(Measured { covered_files: [("all".to_owned(), 9)].into(), ..Measured::default() });
    ends(&half, Decision::Deny, "coverage/area:all:shrunk");
}

#[test]
fn what_is_slow_or_was_not_measured() {
    let good = Release::good;
    ends(
        &good().policy("requestsP95Milliseconds: 250", "requestsP95Milliseconds: 6"),
        Decision::Deny,
        "performance/p95:estimate",
    );
    ends(
        &good().replaced("latency.json", "\"failed\": 0", "\"failed\": 3"),
        Decision::Deny,
        "performance/failed:3 requests failed",
    );
    ends(
        &good().replaced("latency.json", "\"requests\": true", "\"requests\": false"),
        Decision::Error,
        "performance/requests:missing",
    );
    ends(&good().without("latency.json"), Decision::Error, "performance/missing");
    let mut slower = good();
    let mut before = good().verdict().measured;
    for measure in before.durations.values_mut() {
        measure.mean /= 2.0;
    }
    slower.baseline = Some(before);
    ends(&slower, Decision::Deny, "performance/slower:estimate");
    slower.baseline = Some(good().verdict().measured);
    assert_eq!(slower.verdict().decision, Decision::Allow, "the same speed");
}

#[test]
fn known_weaknesses_and_what_excuses_them() {
    let good = Release::good;
    let list = r#"{"found": true, "count": 1, "list": [{"advisory": {"id": "CVE-2026-91003", "title": "reads past the end", "aliases": [], "cvss": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}, "versions": {"patched": [">=2.0"]}, "package": {"name": "bytes", "version": "1.11.1"}}]}"#;
    let none = "{\n  \"found\": false,\n  \"count\": 0,\n  \"list\": []\n }";
    let found = good().replaced("audit.json", none, list);
    let waived = found.verdict();
    assert_eq!(waived.decision, Decision::Allow);
    assert!(waived.waivers[0].used && waived.findings().iter().any(|(_, f)| f.waived.is_some()), "and is told of");
    ends(&found.clone().at("2027-04-01T00:00:00Z"), Decision::Deny, "vulnerabilities/CVE-2026-91003");
    ends(
        &found.clone().policy("finding: CVE-2026-91003", "finding: CVE-2026-*"),
        Decision::Deny,
        "vulnerabilities/CVE-2026-91003",
    );
    ends(&found.clone().policy("ada@acme.example", "' '"), Decision::Deny, "vulnerabilities/CVE-2026-91003");
    let unknown = found
        .clone()
        .replaced("audit.json", "\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"", "null")
        .replaced("audit.json", "91003", "91004");
    ends(&unknown, Decision::Deny, "vulnerabilities/CVE-2026-91004");
    // One more is one too many where one may be; the waived one is not counted.
    let more = found.clone().replaced("audit.json", "\"list\": [{", "\"list\": [{\"advisory\": {\"id\": \"CVE-2026-91005\", \"title\": \"t\", \"aliases\": [], \"cvss\": \"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"}, \"package\": {\"name\": \"http\", \"version\": \"1.4.2\"}}, {").replaced("audit.json", "\"count\": 1", "\"count\": 2");
    ends(&more, Decision::Deny, "vulnerabilities/CVE-2026-91005");
    assert_eq!(more.policy("critical: 0", "critical: 1").verdict().decision, Decision::Allow);
    ends(&good().without("audit.json"), Decision::Error, "vulnerabilities/missing");
    ends(&good().replaced("audit.json", "812", "0"), Decision::Error, "evidence/unreadable");
    let analysis =
        good().policy("  releaseNotes: {}", "  analysis: {tools: [ruff], atMost: {high: 0}}\n  releaseNotes: {}");
    ends(&analysis, Decision::Error, "analysis/missing");
    let clean = include_bytes!("../corpus/sarif/ruff-clean.sarif");
    assert_eq!(analysis.clone().with("ruff.sarif", clean.to_vec()).verdict().decision, Decision::Allow);
    let findings = include_bytes!("../corpus/sarif/ruff-findings.sarif");
    ends(&analysis.clone().with("ruff.sarif", findings.to_vec()), Decision::Deny, "analysis/F401");
    let other = include_bytes!("../corpus/sarif/bandit-clean.sarif");
    ends(&analysis.with("bandit.sarif", other.to_vec()), Decision::Error, "analysis/missing:ruff");
}

/// A scan for something else is no scan for weaknesses.
#[test]
fn what_looked_for_something_else_proves_nothing() {
    let unscanned = Release::good().without("audit.json");
    let secrets = r#"{"SchemaVersion": 2, "ArtifactName": "shop", "ArtifactType": "container_image", "Results": [{"Target": "app.env", "Class": "secret"}]}"#;
    ends(&unscanned.clone().with("trivy.json", secrets), Decision::Error, "evidence/unreadable");
    let sarif =
        r#"{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "Trivy", "rules": []}}, "results": []}]}"#;
    ends(&unscanned.clone().with("trivy.sarif", sarif), Decision::Error, "vulnerabilities/missing");
    let failed = sarif.replace("\"results\"", "\"invocations\": [{\"executionSuccessful\": false}], \"results\"");
    ends(
        &unscanned.clone().with("grype.sarif", failed.replace("Trivy", "grype")),
        Decision::Error,
        "evidence/unreadable",
    );
    assert_eq!(unscanned.with("grype.sarif", sarif.replace("Trivy", "grype")).verdict().decision, Decision::Allow);
}

#[test]
fn the_bill_is_of_this_artifact_and_plausible() {
    let good = Release::good;
    let mut other = good();
    other.artifact = Some("00".repeat(32));
    ends(&other, Decision::Error, "sbom/another-artifact");
    other.artifact = None;
    ends(&other, Decision::Error, "sbom/artifact");
    ends(&good().without("sbom.json"), Decision::Error, "sbom/missing");
    ends(&good().policy("minimumComponents: 5", "minimumComponents: 9"), Decision::Deny, "sbom/too-few");
    ends(&good().policy("lockPercent: \"50\"", "lockPercent: \"90\""), Decision::Deny, "sbom/not-plausible");
    ends(&good().replaced("sbom.json", "pkg:cargo/", "pkg:cargo/not-"), Decision::Deny, "sbom/strangers");
    ends(&good().replaced("sbom.json", "SHA-256", "SHA-1"), Decision::Error, "sbom/artifact");
}

#[test]
fn notes_classes_and_freezes() {
    let good = Release::good;
    ends(&good().without("RELEASE.md"), Decision::Error, "releaseNotes/missing");
    ends(&good().replaced("RELEASE.md", "## Rollback", "## Elsewhere"), Decision::Deny, "releaseNotes/rollback");
    ends(
        &good().replaced("RELEASE.md", "Estimates take the price of energy by the hour.", "TODO"),
        Decision::Deny,
        "releaseNotes/change",
    );
    ends(&good().replaced("RELEASE.md", "class: Feature\n", ""), Decision::Error, "changeClass/missing");
    ends(
        &good().policy("allowed: [Feature, Fix, Security]", "allowed: [Security]"),
        Decision::Deny,
        "changeClass/class",
    );
    let frozen = good().at("2026-12-25T00:00:00Z");
    ends(&frozen, Decision::Defer, "freeze/freeze:Year's end");
    assert_eq!(frozen.verdict().until.unwrap().to_string(), "2027-01-02T00:00:00Z");
    let fix = frozen.clone().replaced("RELEASE.md", "class: Feature", "class: Fix");
    assert_eq!(fix.verdict().decision, Decision::Allow, "a freeze lets fixes through");
    let weekend = "weekly: {from: Fri 18:00, to: Mon 06:00}, timeZone: Asia/Shanghai, title: Weekend, allow: Security}\n    - {title: Year";
    let both = good().policy("{title: Year", &format!("{{{weekend}")).at("2027-01-01T12:00:00Z");
    // The weekend that follows the year's end is frozen, too.
    assert_eq!(both.verdict().until.unwrap().to_string(), "2027-01-03T22:00:00Z");
}

#[test]
fn what_must_be_exact() {
    let golden = |exact: u64| {
        let different = if exact == 20 { "[]" } else { "[\"s19x: revenue_usd is 1, must be 2\"]" };
        format!(
            "{{\"schemaVersion\":1,\"kind\":\"GoldenSamples\",\"library\":\"m 1\",\"samples\":20,\"exact\":{exact},\"different\":{different}}}"
        )
    };
    let asked = Release::good()
        .policy("  releaseNotes: {}", "  goldenSamples: {minimum: 20}\n  replay: {}\n  releaseNotes: {}");
    let replay = r#"{"schemaVersion":1,"library":"m 1","records":30,"good":30,"bad":[],"largest_difference":null}"#;
    let whole = asked.clone().with("golden.json", golden(20)).with("replay.json", replay);
    assert_eq!(whole.verdict().decision, Decision::Allow);
    ends(&whole.clone().with("golden.json", golden(19)), Decision::Deny, "goldenSamples/different");
    ends(&asked.with("replay.json", replay), Decision::Error, "goldenSamples/missing");
    let lies = golden(19).replace("[\"s19x: revenue_usd is 1, must be 2\"]", "[]");
    ends(&whole.with("golden.json", lies), Decision::Error, "evidence/unreadable");
}

#[test]
fn evidence_of_another_build() {
    let good = || Release::good().indexed();
    let mut other = good();
    other.commit = Some("0000000aaaaaaaabbbbbbbbccccccccdddddddde".to_owned());
    ends(&other, Decision::Error, "evidence/another-commit");
    other.commit = Some(COMMIT[..10].to_owned());
    assert_eq!(other.verdict().decision, Decision::Allow, "a short name of the same");
    ends(&good().at("2026-11-28T10:00:00Z"), Decision::Error, "evidence/clock");
    let aged = good().policy("checks:\n", "evidence: {index: Required, maxAgeHours: 24}\nchecks:\n");
    assert_eq!(aged.verdict().decision, Decision::Allow);
    ends(&aged.clone().at("2026-11-30T12:00:00Z"), Decision::Error, "evidence/too-old");
    ends(&aged.without("evidence-index.json"), Decision::Error, "evidence/index");
    ends(&good().replaced("tests.xml", "0.01", "0.02"), Decision::Error, "evidence/changed");
    ends(&good().without("tests.xml"), Decision::Error, "evidence/gone");
    ends(&good().with("more.json", r#"{"schemaVersion":1,"kind":"Benchmark","failed":0,"measures":[{"name":"x","requests":true,"milliseconds":[1]}]}"#), Decision::Error, "evidence/changed");
    ends(&good().with("odd.txt", "what is this"), Decision::Error, "evidence/unreadable");
    let mut empty = Release::good();
    empty.files.clear();
    ends(&empty, Decision::Error, "evidence/empty");
    let needs = Release::good().policy("checks:\n", "baseline: Required\nchecks:\n");
    ends(&needs, Decision::Error, "evidence/baseline");
}

#[test]
fn weights_excuse_failures_and_never_questions_without_an_answer() {
    let weighed = |percent: u32| {
        Release::good()
            .policy("checks:\n", &format!("passAtPercent: {percent}\nchecks:\n"))
            .policy("slowerPercent: \"10\"}", "slowerPercent: \"10\", weight: 1}")
            .policy("lockPercent: \"50\"}", "lockPercent: \"50\", weight: 3}")
            .policy("requestsP95Milliseconds: 250", "requestsP95Milliseconds: 6")
    };
    let verdict = weighed(75).verdict();
    assert_eq!((verdict.decision, verdict.score_percent), (Decision::Allow, Some(75)));
    assert_eq!(weighed(76).verdict().decision, Decision::Deny);
    ends(&weighed(1).without("latency.json"), Decision::Error, "performance/missing");
}
