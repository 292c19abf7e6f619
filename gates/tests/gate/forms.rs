//! Reports: the same verdict in every form, within what platforms take, at 0, 1,
//! 11 and 30,000 findings.

use hashinsight_gates::checks::CheckId;
use hashinsight_gates::evidence::{self, Facts};
use hashinsight_gates::report::{Form, render};
use hashinsight_gates::verdict::{Decision, Finding, Level, Verdict};
use hashinsight_gates::words::{Tongue, said};
use serde_json::Value;

use crate::shop::Release;

const NASTY: &str = "<script>alert('1')</script> & | `x` \u{7} %0A ::error:: @all\nsecond line, 100 %: \"quoted\"";

/// A verdict with so many findings that stop it.
fn with(findings: usize) -> Verdict {
    let mut verdict = Release::good().verdict();
    let checked = verdict.checks.iter_mut().find(|checked| checked.check == CheckId::Vulnerabilities).unwrap();
    checked.findings = (0..findings)
        .map(|number| Finding {
            file: Some("audit report.json".to_owned()),
            line: Some(number as u64),
            ..Finding::new(
                Level::Failure,
                format!("CVE-2026-{number}"),
                said(format!("{number} {NASTY}"), format!("{number} {NASTY}")),
                said("mend it", "修复"),
            )
        })
        .collect();
    if findings > 0 {
        checked.outcome = hashinsight_gates::verdict::Outcome::Failed;
        verdict.decision = Decision::Deny;
    }
    verdict
}

const SIZES: [usize; 4] = [0, 1, 11, 30_000];

#[test]
fn every_form_says_how_it_ended_and_what_is_left_out() {
    for findings in SIZES {
        let verdict = with(findings);
        for form in Form::ALL {
            for tongue in [Tongue::En, Tongue::Zh] {
                let text = render(&verdict, form, tongue);
                let told = verdict.decision.told();
                let says = text.contains(told.to(tongue)) || text.contains(verdict.decision.as_str());
                // A list of issues has no place for the verdict; an empty one is a good one.
                assert!(says || form == Form::Gitlab, "{form:?} {findings}");
                let whole = form == Form::Json || findings < 10;
                let counts = text.contains(" more; all of them are in") || text.contains("另有");
                let small = matches!(
                    form,
                    Form::Table | Form::JUnit | Form::Sarif | Form::Gitlab | Form::Markdown | Form::Html
                ) && findings < 40;
                assert_eq!(counts, !whole && !small, "{form:?} {findings}");
            }
        }
    }
}

#[test]
fn the_json_is_as_the_published_schema_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/gate-verdict.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let refused = Verdict::refused(
        crate::shop::DAY.parse().unwrap(),
        Finding::new(Level::Error, "policy", said("none", "无"), said("name one", "指明")),
    );
    let frozen = Release::good().indexed().at("2026-12-25T00:00:00Z").verdict();
    for verdict in [with(0), with(1), with(11), refused, frozen] {
        let value: Value = serde_json::from_str(&render(&verdict, Form::Json, Tongue::En)).unwrap();
        let wrong: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(serde_json::from_value::<Verdict>(value).unwrap(), verdict, "and can be read again");
    }
}

#[test]
fn github_shows_ten_of_a_level_so_nine_and_a_count_are_written() {
    for findings in SIZES {
        let text = render(&with(findings), Form::Github, Tongue::En);
        let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("::error")).collect();
        assert_eq!(errors.len(), findings.min(10), "{findings}");
        assert!(text.lines().all(|line| line.starts_with("::")), "one command a line: {text}");
        if findings == 1 {
            let (head, words) = errors[0].split_once("::0 ").unwrap();
            assert_eq!(head, "::error title=vulnerabilities/CVE-2026-0,file=audit report.json,line=0");
            assert!(
                words.contains("%250A") && words.contains("%0Asecond line") && words.contains("100 %25"),
                "{words}"
            );
        }
    }
}

#[test]
fn markdown_fits_into_a_comment() {
    for findings in SIZES {
        let text = render(&with(findings), Form::Markdown, Tongue::En);
        assert!(text.len() <= 64 << 10, "{findings}: {}", text.len());
        assert!(text.starts_with("### ") && !text.contains("<script>") && !text.contains("\n# "));
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }
}

#[test]
fn sarif_and_code_quality_have_fingerprints_of_their_own() {
    for findings in SIZES {
        let verdict = with(findings);
        let log: Value = serde_json::from_str(&render(&verdict, Form::Sarif, Tongue::En)).unwrap();
        let results = log["runs"][0]["results"].as_array().unwrap();
        assert_eq!((log["version"].as_str(), results.len()), (Some("2.1.0"), findings.min(5_000)));
        let rules: Vec<&str> = log["runs"][0]["tool"]["driver"]["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["id"].as_str().unwrap())
            .collect();
        for result in results {
            assert!(rules.contains(&result["ruleId"].as_str().unwrap()));
            assert!(result["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64() >= Some(1));
        }
        let issues: Vec<Value> = serde_json::from_str(&render(&verdict, Form::Gitlab, Tongue::En)).unwrap();
        let mut prints: Vec<&str> = issues.iter().map(|issue| issue["fingerprint"].as_str().unwrap()).collect();
        prints.sort_unstable();
        prints.dedup();
        assert_eq!((prints.len(), issues.len()), (issues.len(), findings.min(5_001)));
        for issue in &issues {
            assert!(["info", "minor", "major", "critical", "blocker"].contains(&issue["severity"].as_str().unwrap()));
            assert!(issue["location"]["lines"]["begin"].as_u64() >= Some(1) && issue["check_name"].is_string());
        }
    }
}

#[test]
fn junit_is_junit_and_no_data_is_an_error_in_it() {
    for findings in SIZES {
        let text = render(&with(findings), Form::JUnit, Tongue::En);
        let Facts::Tests(tests) = evidence::read("gate.xml", text.as_bytes()).unwrap().facts else {
            panic!("no tests")
        };
        assert_eq!((tests.failed, tests.skipped), (u64::from(findings > 0), 1), "{text}");
    }
    let missing = render(&Release::good().without("audit.json").verdict(), Form::JUnit, Tongue::En);
    assert!(missing.contains("<error type=\"Error\""), "{missing}");
}

#[test]
fn the_page_holds_no_markup_of_others() {
    let page = render(&with(11), Form::Html, Tongue::Zh);
    assert!(page.contains("lang=\"zh-CN\"") && !page.contains("<script") && !page.contains("http"), "{page}");
}

#[test]
fn waived_findings_are_shown_as_such() {
    let none = "{\n  \"found\": false,\n  \"count\": 0,\n  \"list\": []\n }";
    let list = r#"{"found": true, "count": 1, "list": [{"advisory": {"id": "CVE-2026-91003", "title": "reads", "aliases": [], "cvss": null}, "package": {"name": "bytes", "version": "1.11.1"}}]}"#;
    let verdict = Release::good().replaced("audit.json", none, list).verdict();
    assert_eq!(verdict.decision, Decision::Allow);
    for form in Form::ALL.into_iter().filter(|form| !matches!(form, Form::Github | Form::Gitlab)) {
        let text = render(&verdict, form, Tongue::En);
        assert!(text.contains("ada@acme.example") || text.contains("ada\\@acme.example"), "{form:?}: {text}");
    }
    let log: Value = serde_json::from_str(&render(&verdict, Form::Sarif, Tongue::En)).unwrap();
    assert_eq!(log["runs"][0]["results"][0]["suppressions"][0]["status"], "accepted");
}
