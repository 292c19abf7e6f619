//! Release notes and the class of the change.

use super::{Answer, Seen};
use crate::policy::{ChangeClasses, NotesRule};
use crate::verdict::{Finding, Level};
use crate::words::said;

/// What people write when they have nothing to say.
const NOTHING: [&str; 9] = ["todo", "tbd", "n/a", "none", "...", "…", "待定", "无", "待补充"];

pub fn ask(rule: &NotesRule, seen: &Seen<'_>) -> Answer {
    let found = seen.notes();
    let Some((evidence, notes)) = found.first() else {
        return Answer::missing(
            said("no release notes", "没有发布说明"),
            said(
                "write a Markdown file with the sections Change, Risk and Rollback",
                "编写 Markdown 文件，包含“变更”“风险”“回退”三节",
            ),
        );
    };
    let mut findings = Vec::new();
    for (id, zh, words) in
        [("Change", "变更", &notes.change), ("Risk", "风险", &notes.risk), ("Rollback", "回退", &notes.rollback)]
    {
        let words = words.trim();
        // A Chinese character says about what three letters do.
        let length: u64 = words.chars().map(|c| if c.is_ascii() { 1 } else { 3 }).sum();
        let is_empty = NOTHING.contains(&words.to_lowercase().trim_end_matches(['.', '。']));
        if is_empty || length < rule.minimum_characters {
            findings.push(
                Finding::new(
                    Level::Failure,
                    id.to_lowercase(),
                    said(format!("the section {id} says nothing"), format!("“{zh}”一节没有内容")),
                    said(format!("write one sentence at least under {id}"), format!("在“{zh}”下至少写一句话")),
                )
                .measured(length, format!("at least {} characters", rule.minimum_characters))
                .of(evidence),
            );
        }
    }
    Answer::new(said(evidence.file.clone(), evidence.file.clone()), findings)
}

pub fn class(rule: &ChangeClasses, seen: &Seen<'_>) -> Answer {
    let Some(class) = seen.class else {
        return Answer::missing(
            said("nobody says what kind of change this is", "没有说明变更类别"),
            said(
                "write class: Feature, Fix or Security into the notes, or give --change-class",
                "在发布说明中写 class: Feature、Fix 或 Security，或使用 --change-class",
            ),
        );
    };
    let allowed: Vec<&str> = rule.allowed.iter().map(|class| class.as_str()).collect();
    let mut findings = Vec::new();
    if !rule.allowed.contains(&class) {
        let reason =
            said(format!("a {} may not be released", class.as_str()), format!("不允许发布 {} 类变更", class.as_str()));
        let next =
            said(format!("release what is {}", allowed.join(" or ")), format!("仅可发布 {}", allowed.join("、")));
        findings.push(Finding::new(Level::Failure, "class", reason, next).measured(class.as_str(), allowed.join(", ")));
    }
    Answer::new(said(class.as_str(), class.as_str()), findings)
}
