//! A canary's verdict, computed again from what is on record of it, in words.

use std::path::Path;

use hashinsight_crds::text::{Language, text};
use hashinsight_gates::canary::{Judgement, Known, Plan, Reason, Verdict};
use serde::Deserialize;
use serde_json::json;

use crate::arguments::Global;
use crate::calculate::files::{read, wrong};
use crate::output::{Answer, Block};
use crate::said::{Words, words};
use crate::trouble::{Exit, Trouble};

/// A record is a few kilobytes.
const MOST: u64 = 1 << 20;

/// A verdict as it is kept: what was asked, what was known, what was said.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    plan: Plan,
    known: Known,
    judgement: Judgement,
}

pub fn explain(file: &Path, global: &Global) -> Result<Answer, Trouble> {
    let next = "hashinsight canary explain --help";
    let record: Record = serde_json::from_slice(&read(file, MOST)?).map_err(|error| wrong(file, error, next))?;
    let again = record.known.judge(&record.plan);
    let same = again == record.judgement;
    let mut told = vec![verdict(&again)];
    for ((allowed, case), (verdict, reason)) in
        record.plan.allowed.iter().zip(&record.known.cases).zip(&again.objectives)
    {
        let limit = record.plan.limit(*allowed);
        let (en, zh) = because(*reason);
        let (total, bad) = (case.canary.total, case.canary.bad);
        let (stable_total, stable_bad) = (case.stable.total, case.stable.bad);
        told.push(words(
            format!(
                "{verdict:?}: {bad} of {total} requests of the canary were bad, {stable_bad} of {stable_total} of the stable revision; {allowed} in a million are allowed, {limit} are a fast burn. {en}"
            ),
            format!(
                "{verdict:?}：金丝雀 {total} 个请求中 {bad} 个坏，稳定版 {stable_total} 个中 {stable_bad} 个坏；每百万允许 {allowed} 个，{limit} 个即为快速消耗。{zh}"
            ),
        ));
    }
    if again.verdict == Verdict::NeedMore {
        let needed = again.clean_requests_needed;
        told.push(words(
            format!("{needed} clean requests more would pass this step."),
            format!("再有 {needed} 个正常请求即可通过本步。"),
        ));
    }
    told.push(if same {
        words("The same as on record.", "与记录一致。")
    } else {
        words(
            format!("NOT the same as on record, which says {:?}.", record.judgement.verdict),
            format!("与记录不符，记录为 {:?}。", record.judgement.verdict),
        )
    });
    let data = json!({"schemaVersion": 1, "recomputed": again, "recorded": record.judgement, "same": same});
    let line = |told: &Words, language: Language| Block::Line(told.to(language).to_owned());
    Ok(Answer {
        csv: None,
        exit: if same { Exit::Ok } else { Exit::Refused },
        data,
        names: vec![format!("{:?}", again.verdict)],
        blocks: told.iter().map(|told| line(told, global.language)).collect(),
    })
}

fn verdict(judgement: &Judgement) -> Words {
    let told = match judgement.verdict {
        Verdict::Pass => text("Pass: it may go on.", "通过：可以继续。"),
        Verdict::Fail => text("Fail: it is rolled back.", "失败：应回退。"),
        Verdict::NeedMore => {
            text("NeedMore: it stays where it is until more is known.", "数据不足：保持现状，等待更多数据。")
        }
        Verdict::NoData => {
            text("NoData: nobody asks it anything; it stays where it is.", "无数据：没有请求，保持现状。")
        }
        Verdict::Error => text(
            "Error: the metrics system does not answer; it stays where it is.",
            "错误：指标系统没有响应，保持现状。",
        ),
    };
    words(told.en, told.zh)
}

fn because(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::Clean => ("That makes a fast burn unlikely.", "快速消耗的可能性很小。"),
        Reason::Burns => ("It burns fast, and the stable revision does not.", "它消耗很快，而稳定版没有。"),
        Reason::WorseThanStable => {
            ("It fails more often than the stable revision in the same time.", "同一时间内失败多于稳定版。")
        }
        Reason::SharedCause => ("Both burn: the cause is shared.", "两者都在消耗：原因相同。"),
        Reason::Undecided => ("That decides nothing yet.", "尚不能得出结论。"),
        Reason::Slower => {
            ("Its requests take longer, so twice the evidence is asked for.", "其请求更慢，因此需要两倍证据。")
        }
        Reason::Silent => ("Nobody asked it anything lately.", "近来没有请求。"),
        Reason::NotAnswered => ("The metrics system does not answer.", "指标系统没有响应。"),
    }
}
