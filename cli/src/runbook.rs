//! Runbooks, where there is no network too.

use hashinsight_crds::text::{Language, text};
use hashinsight_runbooks::Runbook;
use serde_json::json;

use crate::output::{Answer, Block, Columns};
use crate::said::did_you_mean;
use crate::trouble::{Exit, Trouble};

pub fn answer(name: Option<&str>, language: Language) -> Result<Answer, Trouble> {
    match name {
        Some(name) => page(name, language),
        None => Ok(list(language)),
    }
}

fn page(name: &str, language: Language) -> Result<Answer, Trouble> {
    let found = Runbook::named(name).ok_or_else(|| {
        let guess = did_you_mean(name, Runbook::ALL.iter().map(|page| page.name()));
        let what = text("there is no such runbook", "没有这个运行手册");
        Trouble::new(Exit::Error, what, format!("\"{name}\"{guess}"), "hashinsight runbook")
    })?;
    Ok(Answer {
        csv: None,
        exit: Exit::Ok,
        data: json!({
            "schemaVersion": 1, "name": found.name(), "commands": found.commands(language), "rehearsed": found.rehearsed(),
            "text": {"en": found.text(Language::English), "zh": found.text(Language::Chinese)},
        }),
        names: vec![found.name().to_owned()],
        blocks: vec![Block::Line(found.text(language).trim_end().to_owned())],
    })
}

fn list(language: Language) -> Answer {
    let rows = Runbook::ALL.iter().map(|page| vec![page.name().to_owned(), page.about(language).to_owned()]);
    let headings = vec![text("RUNBOOK", "运行手册"), text("ABOUT", "内容")];
    let item =
        |page: &Runbook| json!({"name": page.name(), "about": page.about(language), "rehearsed": page.rehearsed()});
    Answer {
        csv: None,
        exit: Exit::Ok,
        data: json!({"schemaVersion": 1, "items": Runbook::ALL.iter().map(item).collect::<Vec<_>>()}),
        names: Runbook::ALL.iter().map(|page| page.name().to_owned()).collect(),
        blocks: vec![Block::Columns(Columns { headings, wide: 0, rows: rows.collect() })],
    }
}
