//! One screen: every kind, worst first. With a namespace, what its people may
//! see.

use futures::future::try_join_all;
use hashinsight_crds::Reason;
use hashinsight_crds::conditions::READY;
use hashinsight_crds::health::{Health, condition};
use hashinsight_crds::names::tenant_of_namespace;
use hashinsight_crds::text::{Language, Text, text};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::arguments::Global;
use crate::cluster::{Cluster, Place, kinds};
use crate::output::{Answer, Block, Columns, paint::MARKS};
use crate::said::{Words, ago, words};
use crate::trouble::{Exit, Trouble};

/// Rows on the one screen, when not all are asked for.
const SCREEN: usize = 20;

/// What was asked and refused is a record, and nothing to mend.
const RECORD: &str = "RolloutAction";

/// How one object stands.
struct Standing {
    kind: String,
    namespace: Option<String>,
    name: String,
    health: Health,
    reason: String,
    message: String,
    since: Option<Timestamp>,
}

impl Standing {
    fn of(object: &Value) -> Self {
        let string = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let ready = condition(object, READY).cloned().unwrap_or_default();
        let (metadata, since) = (&object["metadata"], &ready["lastTransitionTime"]);
        Self {
            kind: string(&object["kind"]),
            namespace: metadata["namespace"].as_str().map(str::to_owned),
            name: string(&metadata["name"]),
            health: Health::of(object),
            reason: string(&ready["reason"]),
            message: string(&ready["message"]),
            since: since.as_str().and_then(|time| time.parse().ok()),
        }
    }

    /// `kind/name`, with the namespace where there is one.
    fn path(&self) -> String {
        let place = self.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        format!("{}/{place}{}", self.kind.to_lowercase(), self.name)
    }

    fn data(&self) -> Value {
        json!({
            "kind": self.kind, "namespace": self.namespace, "name": self.name, "health": self.health.as_str(),
            "reason": self.reason, "message": self.message, "since": self.since,
        })
    }

    fn row(&self, language: Language, now: Timestamp) -> Vec<String> {
        let mark = MARKS[self.health as usize];
        let known = Reason::ALL.iter().find(|reason| reason.as_str() == self.reason);
        let next = known.map_or("", |reason| reason.next().to(language));
        let since = self.since.map_or_else(String::new, |since| ago(since, now));
        [mark, &self.path(), &self.reason, &since, next, &self.message].map(str::to_owned).to_vec()
    }
}

pub async fn answer(global: &Global, all: bool) -> Result<Answer, Trouble> {
    let cluster = Cluster::named(global).await?;
    let namespace = global.namespace.as_deref();
    let asked: Vec<_> = kinds()
        .into_iter()
        .filter(|(_, place)| match (namespace, place) {
            (None, _) | (Some(_), Place::Anywhere) => true,
            (Some(_), Place::Cluster) => false,
            // A tenant's people may not even ask.
            (Some(namespace), Place::Operator) => tenant_of_namespace(namespace).is_none(),
        })
        .collect();
    let lists = try_join_all(asked.iter().map(|(kind, _)| cluster.list(kind, namespace))).await?;
    let mut found: Vec<Standing> = lists.iter().flatten().map(Standing::of).collect();
    found.sort_by_key(|standing| (standing.health, standing.since, standing.path()));
    let names: Vec<String> = asked.iter().map(|(kind, _)| kind.kind.clone()).collect();
    let counts = |kind: &str| Health::ALL.map(|h| found.iter().filter(|s| s.kind == kind && s.health == h).count());
    let data = json!({
        "schemaVersion": 1,
        "cluster": cluster.url,
        "kinds": names.iter().map(|kind| {
            let [stalled, working, ready] = counts(kind);
            json!({"kind": kind, "stalled": stalled, "working": working, "ready": ready})
        }).collect::<Vec<_>>(),
        "items": found.iter().map(Standing::data).collect::<Vec<_>>(),
    });
    let shown: Vec<&Standing> = if all {
        found.iter().collect()
    } else {
        found
            .iter()
            .filter(|standing| standing.health != Health::Ready && standing.kind != RECORD)
            .take(SCREEN)
            .collect()
    };
    let summary = names.iter().map(|kind| {
        let [stalled, working, ready] = counts(kind);
        vec![
            kind.clone(),
            (stalled + working + ready).to_string(),
            stalled.to_string(),
            working.to_string(),
            ready.to_string(),
        ]
    });
    let mut blocks = vec![Block::Line(format!("HashInsight, {}", cluster.url)), Block::Line(String::new())];
    blocks.push(Block::Columns(Columns { headings: SUMMARY.to_vec(), wide: 0, rows: summary.collect() }));
    blocks.extend(details(&found, &shown, global.language));
    Ok(Answer { csv: None, exit: Exit::Ok, data, names: found.iter().map(Standing::path).collect(), blocks })
}

const SUMMARY: [Text; 5] = [
    text("KIND", "类型"),
    text("TOTAL", "总数"),
    text("✗ STALLED", "✗ 停滞"),
    text("… WORKING", "… 进行中"),
    text("✓ READY", "✓ 就绪"),
];

fn details(found: &[Standing], shown: &[&Standing], language: Language) -> Vec<Block> {
    let line = |told: Words| Block::Line(told.to(language).to_owned());
    let hidden = found.len() - shown.len();
    let well = found.iter().filter(|standing| standing.health == Health::Ready).count();
    let mut blocks = vec![Block::Line(String::new())];
    if !shown.is_empty() {
        let headings = [
            text("", ""),
            text("OBJECT", "对象"),
            text("REASON", "原因"),
            text("SINCE", "持续"),
            text("NEXT", "下一步"),
            text("MESSAGE", "消息"),
        ];
        let now = Timestamp::now();
        let rows = shown.iter().map(|standing| standing.row(language, now)).collect();
        blocks.push(Block::Columns(Columns { headings: headings.to_vec(), wide: 1, rows }));
    }
    if found.is_empty() {
        blocks.push(line(words(
            "Nothing there yet. Next: kubectl apply -f tenant.yaml",
            "暂无对象。下一步：kubectl apply -f tenant.yaml",
        )));
    } else if well == found.len() {
        blocks.push(line(words(format!("All {well} are well."), format!("全部 {well} 个对象均正常。"))));
    } else if hidden > 0 {
        let unwell = hidden - well;
        blocks.push(line(words(
            format!("Not shown: {well} well, {unwell} not. All: hashinsight status --all"),
            format!("未列出：{well} 个正常，{unwell} 个异常。全部列出：hashinsight status --all"),
        )));
    }
    blocks
}
