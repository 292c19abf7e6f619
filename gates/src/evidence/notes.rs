//! Release notes in Markdown: what changes, what may go wrong, how to go back;
//! as front matter or as sections, in English or Chinese.

use std::collections::BTreeMap;

use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use serde::{Deserialize, Serialize};

use super::{Refusal, bounded};

/// What kind of change a release is. What a freeze lets through depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ChangeClass {
    /// Something new.
    Feature,
    /// Something mended.
    Fix,
    /// Something mended that could be abused.
    Security,
}

impl ChangeClass {
    /// All, mildest reason to release first.
    pub const ALL: [Self; 3] = [Self::Feature, Self::Fix, Self::Security];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Feature => "Feature",
            Self::Fix => "Fix",
            Self::Security => "Security",
        }
    }

    fn of_word(word: &str) -> Result<Self, Refusal> {
        Ok(match word.trim().to_lowercase().as_str() {
            "feature" | "功能" => Self::Feature,
            "fix" | "修复" => Self::Fix,
            "security" | "安全" => Self::Security,
            other => {
                let told = format!("the change class {other:?} is not known");
                return Err(Refusal::new(told)
                    .next(["write class: Feature, Fix or Security", "写 class: Feature、Fix 或 Security"]));
            }
        })
    }
}

/// What a release says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// What changes.
    pub change: String,
    /// What may go wrong.
    pub risk: String,
    /// How to go back.
    pub rollback: String,
    /// Why there are fewer tests than before, where there are.
    pub tests_removed: String,
    /// The class of the change, where it is said.
    pub class: Option<ChangeClass>,
}

/// What a heading or key stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Change,
    Risk,
    Rollback,
    TestsRemoved,
    Class,
}

fn part(word: &str) -> Option<Part> {
    let word = word.trim().to_lowercase().replace([' ', '_'], "-");
    Some(match word.as_str() {
        "change" | "changes" | "what-changes" | "变更" | "更改" | "变更内容" => Part::Change,
        "risk" | "risks" | "风险" => Part::Risk,
        "rollback" | "roll-back" | "回滚" | "回退" => Part::Rollback,
        "tests-removed" | "删除的测试" | "移除的测试" => Part::TestsRemoved,
        "class" | "change-class" | "类别" | "变更类别" => Part::Class,
        _ => return None,
    })
}

pub(super) fn read(text: &str) -> Result<Notes, Refusal> {
    let (front, body) = split(text)?;
    let mut parts: BTreeMap<Part, String> = BTreeMap::new();
    let front: BTreeMap<String, String> = match front {
        None => BTreeMap::new(),
        Some(front) => serde_saphyr::from_str(front).map_err(|error| {
            let next = ["write one key: text a line between the two ---", "在两个 --- 之间每行写一个“键: 文字”"];
            Refusal::new(format!("front matter: {error}")).next(next)
        })?,
    };
    for (key, value) in &front {
        if let Some(part) = part(key) {
            once(&mut parts, part, value)?;
        }
    }
    for (heading, words) in sections(body) {
        if let Some(part) = part(&heading) {
            once(&mut parts, part, &words)?;
        }
    }
    let mut take = |part| parts.remove(&part).unwrap_or_default();
    let class = take(Part::Class);
    let class = if class.trim().is_empty() { None } else { Some(ChangeClass::of_word(&class)?) };
    Ok(Notes {
        change: take(Part::Change),
        risk: take(Part::Risk),
        rollback: take(Part::Rollback),
        tests_removed: take(Part::TestsRemoved),
        class,
    })
}

fn once(parts: &mut BTreeMap<Part, String>, part: Part, words: &str) -> Result<(), Refusal> {
    if parts.insert(part, bounded(words.trim())).is_some() {
        return Err(Refusal::new("a section twice")
            .next(["keep one section each of Change, Risk and Rollback", "“变更”“风险”“回退”各保留一节"]));
    }
    Ok(())
}

/// Front matter, where there is any, and the rest.
fn split(text: &str) -> Result<(Option<&str>, &str), Refusal> {
    let text = text.trim_start();
    let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else {
        return Ok((None, text));
    };
    match rest.split_once("\n---") {
        Some((front, body)) => Ok((Some(front), body)),
        None => Err(Refusal::at(1, "the front matter that begins here has no second ---")),
    }
}

/// Headings and the words below them, to the next heading.
fn sections(body: &str) -> Vec<(String, String)> {
    let (mut sections, mut in_heading) = (Vec::<(String, String)>::new(), false);
    for event in Parser::new(body) {
        match event {
            Event::Start(Tag::Heading { .. }) => {
                in_heading = true;
                sections.push(Default::default());
            }
            Event::End(TagEnd::Heading(_)) => in_heading = false,
            Event::Text(words) | Event::Code(words) => match sections.last_mut() {
                Some((heading, _)) if in_heading => heading.push_str(&words),
                Some((_, text)) => text.push_str(&words),
                None => {}
            },
            Event::SoftBreak | Event::HardBreak | Event::End(_) => {
                if let Some((_, text)) = sections.last_mut() {
                    text.push(' ');
                }
            }
            _ => {}
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_and_sections_in_both_languages() {
        let english = "---\nclass: Fix\nrisk: Rows with no price are left out.\n---\n# 1.2\n\n## Change\nPrices are\nread anew.\n\n## Rollback\n`helm rollback hashinsight 3`\n";
        let notes = read(english).unwrap();
        assert_eq!((notes.class, notes.change.as_str()), (Some(ChangeClass::Fix), "Prices are read anew."));
        assert_eq!(notes.rollback, "helm rollback hashinsight 3");
        let chinese =
            "# 1.2\n## 变更\n重新读取价格。\n## 风险\n没有价格的行会被略去。\n## 回退\nhelm rollback\n## 类别\n安全\n";
        let notes = read(chinese).unwrap();
        assert_eq!((notes.class, notes.risk.as_str()), (Some(ChangeClass::Security), "没有价格的行会被略去。"));
    }

    #[test]
    fn what_is_said_twice_or_not_known_is_refused() {
        assert!(read("---\nrisk: a\n---\n## Risk\nb\n").is_err());
        assert!(read("---\nclass: Huge\n---\n").unwrap_err().what.contains("huge"));
        assert!(read("---\nclass: Fix\n").unwrap_err().what.contains("second"));
        assert!(read("---\nclass: Fix\nclass: Feature\n---\n").is_err());
        assert_eq!(read("# Notes\n```\n## Risk\n```\n").unwrap(), Notes::default());
    }
}
