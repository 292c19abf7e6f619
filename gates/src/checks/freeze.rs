//! Freezes: what may not be released now may be later.

use jiff::Timestamp;

use super::{Answer, Seen};
use crate::policy::{FreezeRule, Let};
use crate::verdict::{Finding, Level};
use crate::words::said;

/// Freezes that follow one another without a gap.
const MOST: usize = 100;

pub fn ask(rule: &FreezeRule, seen: &Seen<'_>) -> Answer {
    let mut findings = Vec::new();
    for window in &rule.windows {
        let Some(until) = window.until(seen.case.at) else { continue };
        if window.allow.passes(seen.class) {
            let reason =
                said(format!("{} lets this change through", window.title), format!("{} 放行此类变更", window.title));
            findings.push(Finding::new(Level::Note, format!("freeze:{}", window.title), reason, said("", "")));
            continue;
        }
        let until = until.map(|_| over(rule, seen, seen.case.at));
        let end = until.map_or_else(|| "—".to_owned(), |until| until.to_string());
        let allows = match window.allow {
            Let::Nothing => said("nothing", "任何变更都不"),
            Let::Fixes => said("fixes alone", "仅修复类"),
            Let::Security => said("security fixes alone", "仅安全修复"),
        };
        let level = if until.is_some() { Level::Deferral } else { Level::Error };
        findings.push(Finding {
            until,
            ..Finding::new(
                level,
                format!("freeze:{}", window.title),
                said(
                    format!("{}: {} may be released until {end}", window.title, allows.en),
                    format!("{}：{end} 之前{}放行", window.title, allows.zh),
                ),
                said(
                    "wait, or release a fix by itself and call it one: class: Fix",
                    "等待；或单独发布修复并注明 class: Fix",
                ),
            )
            .measured(seen.case.at, format!("not before {end}"))
        });
    }
    let on = findings.iter().filter(|finding| finding.level != Level::Note).count();
    Answer::new(
        said(
            format!("{on} of {} freezes are on", rule.windows.len()),
            format!("{} 个冻结窗口中 {on} 个生效", rule.windows.len()),
        ),
        findings,
    )
}

/// When this change would be let through: freezes may follow one another.
fn over(rule: &FreezeRule, seen: &Seen<'_>, at: Timestamp) -> Timestamp {
    let mut free = at;
    for _ in 0..MOST {
        let on = rule.windows.iter().filter(|window| !window.allow.passes(seen.class));
        match on.filter_map(|window| window.until(free).flatten()).max() {
            Some(end) if end > free => free = end,
            _ => break,
        }
    }
    free
}
