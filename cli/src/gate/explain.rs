//! What checks ask, what is built in, and how waivers stand.

use hashinsight_crds::text::{Text, text};
use hashinsight_gates::checks::{CheckId, about};
use hashinsight_gates::policy::{BUILT_IN, Standing, Waiver};
use hashinsight_gates::words::Said;
use serde_json::{Value, json};

use super::arguments::Asked;
use super::{files, now, tongue};
use crate::arguments::Global;
use crate::output::{Answer, Block, Columns};
use crate::said::{did_you_mean, words};
use crate::trouble::{Exit, Trouble};

pub fn answer(name: Option<&str>, global: &Global) -> Result<Answer, Trouble> {
    let found: Vec<CheckId> = match name {
        None => CheckId::ALL.to_vec(),
        Some(name) => CheckId::ALL.into_iter().filter(|check| check.as_str().eq_ignore_ascii_case(name)).collect(),
    };
    if let (true, Some(name)) = (found.is_empty(), name) {
        let what = text("no check is called that", "没有这项检查");
        let near = did_you_mean(name, CheckId::ALL.iter().map(|check| check.as_str()));
        return Err(Trouble::new(Exit::Error, what, format!("{name}{near}"), "hashinsight gate explain"));
    }
    let labels = [words("asks", "要求"), words("reads", "读取"), words("made by", "生成方法"), words("then", "处理")];
    let [asks, reads, made_by, then] = labels.map(|label| label.to(global.language).to_owned());
    let mut blocks = Vec::new();
    for check in &found {
        let about = about(*check);
        let tongue = tongue(global.language);
        blocks.push(Block::Line(check.as_str().to_owned()));
        for (label, words) in [
            (&asks, about.asks.to(tongue)),
            (&reads, about.reads),
            (&made_by, about.made_by),
            (&then, about.then.to(tongue)),
        ] {
            blocks.push(Block::Line(format!("  {label}: {words}")));
        }
    }
    let item = |check: &CheckId| -> Value {
        let about = about(*check);
        json!({"check": check, "live": check.is_live(), "waivable": check.is_waivable(), "asks": about.asks,
            "reads": about.reads, "madeBy": about.made_by, "then": about.then})
    };
    Ok(Answer {
        exit: Exit::Ok,
        data: json!({"schemaVersion": 1, "items": found.iter().map(item).collect::<Vec<_>>()}),
        names: found.iter().map(|check| check.as_str().to_owned()).collect(),
        csv: None,
        blocks,
    })
}

/// The policy that is built in, as it stands.
pub fn policy() -> Answer {
    Answer {
        exit: Exit::Ok,
        data: json!({"schemaVersion": 1, "text": BUILT_IN}),
        names: vec!["hashinsight".to_owned()],
        csv: None,
        blocks: vec![Block::Line(BUILT_IN.trim_end().to_owned())],
    }
}

pub fn waivers(asked: &Asked, global: &Global) -> Result<Answer, Trouble> {
    let policy = files::policy(asked).map_err(|finding| files::unusable(*finding))?;
    let (at, tongue) = (now(asked.at), tongue(global.language));
    let standings: Vec<Stands<'_>> =
        policy.waivers.iter().map(|waiver| (waiver, waiver.standing(at))).map(|(w, (s, why))| (w, s, why)).collect();
    let row = |(waiver, standing, why): &Stands<'_>| {
        let mark = if *standing == Standing::Holds { "✓" } else { "✗" };
        vec![
            format!("{mark} {}", standing.told().to(tongue)),
            name(waiver),
            waiver.owner.clone(),
            waiver.expires.to_string(),
            why.to(tongue).to_owned(),
            waiver.reason.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = standings.iter().map(row).collect();
    let well = standings.iter().all(|(_, standing, _)| *standing == Standing::Holds);
    let none = words("no waiver: nothing is let through", "没有豁免").to(global.language).to_owned();
    let blocks = if rows.is_empty() {
        vec![Block::Line(none)]
    } else {
        vec![Block::Columns(Columns { headings: HEADINGS.to_vec(), wide: 0, rows })]
    };
    let item = |(waiver, standing, why): &Stands<'_>| json!({"waiver": waiver, "standing": standing, "why": why});
    Ok(Answer {
        exit: if well { Exit::Ok } else { Exit::Refused },
        data: json!({"schemaVersion": 1, "items": standings.iter().map(item).collect::<Vec<_>>()}),
        names: policy.waivers.iter().map(name).collect(),
        csv: None,
        blocks,
    })
}

/// A waiver, how it stands, and why.
type Stands<'a> = (&'a Waiver, Standing, Said);

const HEADINGS: [Text; 6] = [
    text("STANDING", "状态"),
    text("FINDING", "结果"),
    text("OWNER", "负责人"),
    text("EXPIRES", "到期"),
    text("WHY", "说明"),
    text("REASON", "理由"),
];

fn name(waiver: &Waiver) -> String {
    format!("{}/{}", waiver.check.as_str(), waiver.finding)
}
