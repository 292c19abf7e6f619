//! `gate check`: whatever goes wrong on the way is a verdict, too, so that every
//! format and the exit code say the same.

use std::path::Path;

use hashinsight_crds::text::text;
use hashinsight_gates::attestation::{SecretKey, attest};
use hashinsight_gates::checks::{Case, decide};
use hashinsight_gates::evidence::{ChangeClass, Envelope};
use hashinsight_gates::report::{Form, render};
use hashinsight_gates::verdict::{Finding, Level, Measured, Verdict};
use hashinsight_gates::words::{Said, said};
use serde_json::Value;

use super::arguments::{Check, Class};
use super::{files, now, tongue};
use crate::arguments::{Format, Global};
use crate::calculate::files::{read, write, wrong};
use crate::output::to_stdout;
use crate::trouble::{Exit, Trouble};

/// Bytes of a baseline or a key.
const LARGEST: u64 = 64 << 20;

pub fn perform(asked: &Check, global: &Global) -> Result<Exit, Trouble> {
    let reports = reports(asked)?;
    let at = now(asked.asked.at);
    let verdict = verdict(asked).unwrap_or_else(|problem| Verdict::refused(at, *problem));
    let tongue = tongue(global.language);
    for (form, path) in &reports {
        write(path, render(&verdict, *form, tongue).as_bytes())?;
    }
    let printed = match form(global.output) {
        Some(form) => render(&verdict, form, tongue),
        None => plain(&verdict, global),
    };
    to_stdout(printed.as_bytes())?;
    if let (Some(key), Some(path)) = (&asked.sign_key, &asked.attestation)
        && !verdict.policy.sha256.is_empty()
    {
        sign(&verdict, key, path)?;
    }
    Ok(match verdict.decision.exit_code() {
        0 => Exit::Ok,
        1 => Exit::Refused,
        3 => Exit::Deferred,
        _ => Exit::Error,
    })
}

fn form(format: Format) -> Option<Form> {
    Some(match format {
        Format::Table | Format::Wide => Form::Table,
        Format::Json => Form::Json,
        Format::Junit => Form::JUnit,
        Format::Sarif => Form::Sarif,
        Format::Github => Form::Github,
        Format::Gitlab => Form::Gitlab,
        Format::Markdown => Form::Markdown,
        Format::Html => Form::Html,
        Format::Yaml | Format::Name | Format::Csv => return None,
    })
}

/// What the program prints of everything.
fn plain(verdict: &Verdict, global: &Global) -> String {
    let name = |check: Option<_>| check.map_or("evidence", hashinsight_gates::checks::CheckId::as_str);
    match global.output {
        Format::Yaml => serde_saphyr::to_string(verdict).unwrap_or_default(),
        Format::Csv => {
            let mut text = Vec::new();
            let rows = verdict.findings().into_iter().map(|(check, finding)| {
                let reason = finding.reason.to(tongue(global.language)).to_owned();
                [
                    name(check).to_owned(),
                    finding.id.clone(),
                    format!("{:?}", finding.level),
                    finding.stands().to_string(),
                    reason,
                ]
            });
            let header = ["check", "finding", "level", "stands", "reason"].map(str::to_owned);
            for row in std::iter::once(header).chain(rows) {
                // Into memory, which never refuses.
                let _ = hashinsight_mining::import::write_row(&mut text, row.iter().map(String::as_str));
            }
            String::from_utf8_lossy(&text).into_owned()
        }
        _ => format!("{}\n", verdict.decision.as_str()),
    }
}

/// Reports that are asked for beside the printed one.
fn reports(asked: &Check) -> Result<Vec<(Form, std::path::PathBuf)>, Trouble> {
    let one = |typed: &String| {
        let parts = typed.split_once('=');
        let found =
            parts.and_then(|(name, path)| Some((Form::ALL.into_iter().find(|form| form.as_str() == name)?, path)));
        found.map(|(form, path)| (form, path.into())).ok_or_else(|| {
            let what = text("a report is FORMAT=FILE", "报告写作 格式=文件");
            let known = Form::ALL.map(Form::as_str).join(", ");
            Trouble::new(Exit::Error, what, format!("{typed}; formats: {known}"), "--report junit=gate.xml")
        })
    };
    asked.report.iter().map(one).collect()
}

/// The verdict, or the one problem that made it impossible.
fn verdict(asked: &Check) -> Result<Verdict, Box<Finding>> {
    let policy = files::policy(&asked.asked)?;
    let folder = files::folder(&asked.evidence).map_err(|trouble| {
        problem(
            "evidence",
            &trouble,
            said(
                "name the folder the build wrote its reports to: --evidence FOLDER",
                "用 --evidence 指明构建写入报告的文件夹",
            ),
        )
    })?;
    let artifact = asked.artifact.as_deref().map(files::artifact).transpose();
    let artifact = artifact.map_err(|trouble| problem("artifact", &trouble, said(&trouble.next, &trouble.next)))?;
    let baseline = asked.baseline.as_deref().map(baseline).transpose();
    let baseline = baseline.map_err(|trouble| {
        problem(
            "baseline",
            &trouble,
            said("name the JSON or the signed verdict of the release before", "指明上一版本的 JSON 裁决或已签名裁决"),
        )
    })?;
    let class = asked.change_class.map(|class| match class {
        Class::Feature => ChangeClass::Feature,
        Class::Fix => ChangeClass::Fix,
        Class::Security => ChangeClass::Security,
    });
    Ok(decide(
        &policy,
        &Case {
            at: now(asked.asked.at),
            commit: asked.commit.as_deref(),
            artifact: artifact.as_deref(),
            class,
            evidence: &folder.evidence,
            unread: &folder.unread,
            baseline: baseline.as_ref(),
        },
    ))
}

fn problem(id: &str, trouble: &Trouble, next: Said) -> Box<Finding> {
    let reason = said(format!("{}: {}", trouble.what.en, trouble.why), format!("{}：{}", trouble.what.zh, trouble.why));
    Box::new(Finding::new(Level::Error, id, reason, next))
}

/// What was measured of the release before.
fn baseline(path: &Path) -> Result<Measured, Trouble> {
    let bytes = read(path, LARGEST)?;
    let bad = |why: &dyn std::fmt::Display| wrong(path, why, "hashinsight gate check … -o json");
    let text = String::from_utf8(bytes).map_err(|error| bad(&error))?;
    let measured = match Envelope::read(&text) {
        Ok(envelope) => {
            let statement: Value = serde_json::from_slice(&envelope.payload).map_err(|error| bad(&error))?;
            statement["predicate"]["measured"].clone()
        }
        Err(_) => serde_json::from_str::<Value>(&text).map_err(|error| bad(&error))?["measured"].clone(),
    };
    serde_json::from_value(measured).map_err(|error| bad(&format_args!("no verdict: measured: {error}")))
}

fn sign(verdict: &Verdict, key: &Path, path: &Path) -> Result<(), Trouble> {
    let pem = String::from_utf8(read(key, 1 << 16)?).map_err(|_| wrong(key, "no PEM", ""))?;
    let secret = SecretKey::of_pem(&pem)
        .map_err(|error| wrong(key, error, "openssl genpkey -algorithm ed25519 -out gate.key"))?;
    let envelope = attest(verdict, &secret).map_err(|unbound| {
        let what = text("the verdict cannot be signed", "裁决无法签署");
        Trouble::new(Exit::Error, what, unbound.to_string(), "--artifact sha256:…")
    })?;
    write(path, envelope.as_bytes())
}
