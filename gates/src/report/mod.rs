//! A verdict in the words of whoever reads it. Every form is made from the same
//! verdict, within what the platform it is for takes; what does not fit is
//! counted, never left out in silence.

mod github;
mod gitlab;
mod html;
mod json;
mod junit;
mod markdown;
mod sarif;
mod table;

use std::fmt::Write as _;

use crate::checks::CheckId;
use crate::verdict::{Checked, Decision, Finding, Level, Outcome, Verdict};
use crate::words::Tongue;

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For a terminal.
    Table,
    /// All of it.
    Json,
    /// A test a check.
    JUnit,
    /// SARIF 2.1.0.
    Sarif,
    /// Annotations of GitHub Actions.
    Github,
    /// GitLab's code quality.
    Gitlab,
    /// For a comment or a summary.
    Markdown,
    /// A page.
    Html,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Table, Self::Json, Self::JUnit, Self::Sarif, Self::Github, Self::Gitlab, Self::Markdown, Self::Html];

    /// As it is typed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::JUnit => "junit",
            Self::Sarif => "sarif",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Markdown => "markdown",
            Self::Html => "html",
        }
    }
}

/// Renders a verdict.
pub fn render(verdict: &Verdict, form: Form, tongue: Tongue) -> String {
    match form {
        Form::Table => table::render(verdict, tongue),
        Form::Json => json::render(verdict),
        Form::JUnit => junit::render(verdict, tongue),
        Form::Sarif => sarif::render(verdict, tongue),
        Form::Github => github::render(verdict, tongue),
        Form::Gitlab => gitlab::render(verdict, tongue),
        Form::Markdown => markdown::render(verdict, tongue),
        Form::Html => html::render(verdict, tongue),
    }
}

/// What a finding is called where one name has to do.
fn name(check: Option<CheckId>) -> &'static str {
    check.map_or("evidence", CheckId::as_str)
}

/// Stable from run to run: of the check, the finding and what it is in.
fn fingerprint(check: Option<CheckId>, finding: &Finding) -> String {
    let parts = [name(check), &finding.id, finding.file.as_deref().unwrap_or_default(), &finding.reason.en];
    crate::evidence::sha256(parts.join("\u{1f}").as_bytes())
}

/// The worst that a finding still does; nothing where it is waived.
fn level(finding: &Finding) -> Option<Level> {
    finding.stands().then_some(finding.level)
}

/// One line about a finding: why, figures, what to do.
fn line(finding: &Finding, tongue: Tongue) -> String {
    let mut line = finding.reason.to(tongue).to_owned();
    if let (Some(value), Some(threshold)) = (&finding.value, &finding.threshold) {
        let _ = write!(line, " [{value}; {threshold}]");
    }
    if let Some(waiver) = &finding.waived {
        let until = waiver.expires;
        let _ = match tongue {
            Tongue::En => write!(line, " (waived by {} until {until}: {})", waiver.owner, waiver.reason),
            Tongue::Zh => write!(line, "（由 {} 豁免至 {until}：{}）", waiver.owner, waiver.reason),
        };
    }
    line
}

/// `… and 3 more`.
fn more(count: usize, tongue: Tongue) -> String {
    match tongue {
        Tongue::En => format!("… and {count} more; all of them are in -o json"),
        Tongue::Zh => format!("… 另有 {count} 项；全部见 -o json"),
    }
}

/// Checks as rows: mark, name, outcome, summary.
fn rows(verdict: &Verdict, tongue: Tongue) -> Vec<[String; 3]> {
    let outcome = |checked: &Checked| {
        let weight = checked.weight.map(|weight| format!(" ({weight})")).unwrap_or_default();
        let is_waived = checked.findings.iter().any(|finding| !finding.stands());
        let waived = match (is_waived, tongue) {
            (false, _) => "",
            (true, Tongue::En) => ", waived",
            (true, Tongue::Zh) => "（豁免）",
        };
        format!("{}{waived}{weight}", checked.outcome.told().to(tongue))
    };
    let row = |checked: &Checked| {
        [
            format!("{} {}", checked.outcome.mark(), checked.check.as_str()),
            outcome(checked),
            checked.summary.to(tongue).to_owned(),
        ]
    };
    verdict.checks.iter().map(row).collect()
}

/// Where a verdict belongs: artifact, commit, policy, times.
fn facts(verdict: &Verdict, tongue: Tongue) -> Vec<(&'static str, String)> {
    let word = |en, zh| if tongue == Tongue::En { en } else { zh };
    let none = || "—".to_owned();
    let artifact = verdict.artifact.as_ref().map_or_else(none, |digest| format!("sha256:{digest}"));
    let mut facts = vec![
        (word("artifact", "制品"), artifact),
        (word("commit", "提交"), verdict.commit.clone().unwrap_or_else(none)),
        (word("change", "变更类别"), verdict.change_class.map_or_else(none, |class| class.as_str().to_owned())),
        (word("policy", "策略"), format!("{} (sha256:{})", verdict.policy.name, verdict.policy.sha256)),
        (word("decided", "裁决时间"), verdict.at.to_string()),
        (word("expires", "失效时间"), verdict.expires.to_string()),
    ];
    if let Some(score) = verdict.score_percent {
        facts.push((word("score", "得分"), format!("{score} %")));
    }
    facts
}

/// Waivers that do not hold, and those that do, a line each.
fn waivers(verdict: &Verdict, tongue: Tongue) -> Vec<String> {
    let line = |waived: &crate::verdict::Waived| {
        let unused = match (waived.used, tongue) {
            (true, _) => "",
            (false, Tongue::En) => "; it lets nothing through",
            (false, Tongue::Zh) => "；未起作用",
        };
        let w = &waived.waiver;
        format!(
            "{}: {}/{} {} {}, {}{unused}: {}",
            waived.standing.told().to(tongue),
            w.check.as_str(),
            w.finding,
            if tongue == Tongue::En { "by" } else { "—" },
            w.owner,
            waived.why.to(tongue),
            w.reason
        )
    };
    verdict.waivers.iter().map(line).collect()
}

/// Text in which XML and HTML mean nothing, without characters XML forbids.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Whether a decision lets a release go on.
fn is_good(decision: Decision) -> bool {
    decision == Decision::Allow
}

/// Whether an outcome stops a release.
fn is_bad(outcome: Outcome) -> bool {
    outcome >= Outcome::Deferred
}
