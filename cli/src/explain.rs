//! What a reason means, from the one table of reasons.

use hashinsight_crds::Reason;
use hashinsight_crds::text::{Language, text};
use hashinsight_runbooks::Runbook;
use serde_json::{Value, json};

use crate::output::{Answer, Block, Columns};
use crate::said::did_you_mean;
use crate::trouble::{Exit, Trouble};

pub fn answer(typed: Option<&str>, all: bool, language: Language) -> Result<Answer, Trouble> {
    let found: Vec<Reason> = match typed {
        Some(typed) if !all => vec![find(typed)?],
        _ => Reason::ALL.to_vec(),
    };
    let item = |reason: &Reason| -> Value {
        let (what, next) = (reason.meaning(), reason.next());
        json!({
            "reason": reason.as_str(),
            "meaning": {"en": what.en, "zh": what.zh},
            "next": {"en": next.en, "zh": next.zh},
            "runbook": Runbook::of_reason(*reason).map(Runbook::name),
        })
    };
    let blocks = match &found[..] {
        [one] => {
            let (what, next) = (one.meaning(), one.next());
            let next_label = text("Next", "下一步").to(language);
            let mut lines = vec![
                Block::Line(one.to_string()),
                Block::Line(format!("  {}", what.to(language))),
                Block::Line(format!("  {next_label}: {}", next.to(language))),
            ];
            lines.extend(Runbook::of_reason(*one).map(|page| {
                let label = text("Runbook", "运行手册").to(language);
                Block::Line(format!("  {label}: hashinsight runbook {}", page.name()))
            }));
            lines
        }
        many => {
            let rows = many.iter().map(|reason| {
                let (what, next) = (reason.meaning(), reason.next());
                vec![reason.to_string(), what.to(language).to_owned(), next.to(language).to_owned()]
            });
            let headings = vec![text("REASON", "原因"), text("MEANING", "含义"), text("NEXT", "下一步")];
            vec![Block::Columns(Columns { headings, wide: 0, rows: rows.collect() })]
        }
    };
    Ok(Answer {
        csv: None,
        exit: Exit::Ok,
        data: json!({"schemaVersion": 1, "items": found.iter().map(item).collect::<Vec<_>>()}),
        names: found.iter().map(ToString::to_string).collect(),
        blocks,
    })
}

fn find(typed: &str) -> Result<Reason, Trouble> {
    Reason::ALL.iter().copied().find(|reason| reason.as_str().eq_ignore_ascii_case(typed)).ok_or_else(|| {
        let guess = did_you_mean(typed, Reason::ALL.iter().map(|reason| reason.as_str()));
        let what = text("there is no such reason", "没有这个原因代码");
        Trouble::new(Exit::Error, what, format!("\"{typed}\"{guess}"), "hashinsight explain --all")
    })
}
