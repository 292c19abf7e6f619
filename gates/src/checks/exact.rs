//! What must come out as before, to the last digit.

use super::{Answer, Seen};
use crate::evidence::{Evidence, Exactness};
use crate::policy::Exact;
use crate::verdict::{Finding, Level};
use crate::words::said;

pub fn golden(rule: &Exact, seen: &Seen<'_>) -> Answer {
    ask(rule, seen.golden().first().copied(), "golden samples", "黄金样本", "hashinsight golden -o json > golden.json")
}

pub fn replay(rule: &Exact, seen: &Seen<'_>) -> Answer {
    ask(
        rule,
        seen.replay().first().copied(),
        "recorded requests",
        "录制的请求",
        "hashinsight replay records/ -o json > replay.json",
    )
}

fn ask(rule: &Exact, found: Option<(&Evidence, &Exactness)>, what: &str, zh: &str, command: &str) -> Answer {
    let Some((evidence, exactness)) = found else {
        return Answer::missing(
            said(format!("no report of {what}"), format!("没有{zh}的报告")),
            said(command, command),
        );
    };
    let of = |finding: Finding| finding.of(evidence);
    let mut findings = Vec::new();
    if exactness.total < rule.minimum {
        let reason =
            said(format!("{} {what} were computed", exactness.total), format!("只计算了 {} 个{zh}", exactness.total));
        let finding = Finding::new(Level::Failure, "too-few", reason, said(command, command));
        findings.push(of(finding.measured(exactness.total, format!("at least {}", rule.minimum))));
    }
    if exactness.exact < exactness.total {
        let first = exactness.different.first().map_or("", String::as_str);
        let wrong = exactness.total - exactness.exact;
        let reason =
            said(format!("{wrong} {what} differ, such as: {first}"), format!("{wrong} 个{zh}不一致，例如：{first}"));
        let next = said("find what changed the figures; nothing excuses this", "查明数值变化的原因；此项不可豁免");
        let finding = Finding::new(Level::Failure, "different", reason, next);
        findings.push(of(finding.measured(exactness.exact, format!("all {}", exactness.total))));
    }
    let told = said(
        format!("{} of {} {what} exact ({})", exactness.exact, exactness.total, exactness.library),
        format!("{} 个{zh}中 {} 个完全一致（{}）", exactness.total, exactness.exact, exactness.library),
    );
    Answer::new(told, findings)
}
