//! Incidents: who has them, and every clock.

use hashinsight_crds::incident::{IncidentState, Missed};
use hashinsight_crds::text::text;
use hashinsight_crds::{Incident, IncidentStatus};
use jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use crate::arguments::Global;
use crate::cluster::Cluster;
use crate::output::{Answer, Block, Columns};
use crate::said::{ago, words};
use crate::slo::SYSTEM;
use crate::slo::arguments::Incident as Verb;
use crate::trouble::{Exit, Trouble};

pub async fn answer(verb: &Verb, global: &Global) -> Result<Answer, Trouble> {
    match verb {
        Verb::List { all } => list(*all, global).await,
        Verb::Acknowledge { name, note } => say("acknowledged", name, note.as_deref(), global).await,
        Verb::Resolve { name, note } => say("resolved", name, note.as_deref(), global).await,
    }
}

fn namespace(global: &Global) -> &str {
    global.namespace.as_deref().unwrap_or(SYSTEM)
}

async fn list(all: bool, global: &Global) -> Result<Answer, Trouble> {
    let cluster = Cluster::named(global).await?;
    let found = cluster.list(&ApiResource::erase::<Incident>(&()), Some(namespace(global))).await?;
    let readable = found.into_iter().filter_map(|object| serde_json::from_value::<Incident>(object).ok());
    let mut incidents: Vec<Incident> = readable.collect();
    let state =
        |incident: &Incident| incident.status.as_ref().and_then(|status| status.state).unwrap_or(IncidentState::Open);
    incidents.sort_by_key(|incident| (state(incident), incident.spec.started_at.0));
    let over = incidents.iter().filter(|incident| state(incident) == IncidentState::Resolved).count();
    if !all {
        incidents.retain(|incident| state(incident) != IncidentState::Resolved);
    }
    let now = Timestamp::now();
    let none = IncidentStatus::default();
    let rows: Vec<Vec<String>> = incidents
        .iter()
        .map(|incident| {
            let status = incident.status.as_ref().unwrap_or(&none);
            let clocks =
                status.clocks.iter().map(|clock| clock_told(clock, status, now)).collect::<Vec<_>>().join("  ");
            let mark = match (state(incident), status.clocks.iter().any(|clock| clock.missed != Missed::Nothing)) {
                (IncidentState::Resolved, _) => "✓",
                (_, true) => "✗",
                (_, false) => "…",
            };
            let by = incident.spec.acknowledged.as_ref().map_or("", |hand| &hand.by);
            [mark, &incident.name_any(), state(incident).as_str(), by, &ago(incident.spec.started_at.0, now), &clocks]
                .map(str::to_owned)
                .into_iter()
                .chain([incident.spec.summary.clone().unwrap_or_default()])
                .collect()
        })
        .collect();
    let headings = vec![
        text("", ""),
        text("INCIDENT", "事件"),
        text("STATE", "状态"),
        text("BY", "处理人"),
        text("SINCE", "持续"),
        text("CLOCKS", "时限"),
        text("SUMMARY", "摘要"),
    ];
    let mut blocks = Vec::new();
    if rows.is_empty() {
        let told =
            words(format!("No incident is open; {over} are over."), format!("没有未结束的事件；{over} 个已结束。"));
        blocks.push(Block::Line(told.to(global.language).to_owned()));
    } else {
        blocks.push(Block::Columns(Columns { headings, wide: 1, rows }));
    }
    let data = json!({"schemaVersion": 1, "over": over, "items": incidents});
    let names = incidents.iter().map(ResourceExt::name_any).collect();
    Ok(Answer { csv: None, exit: Exit::Ok, data, names, blocks })
}

/// `premium: respond in 12m` or `premium: recovery missed`.
fn clock_told(clock: &hashinsight_crds::incident::Clock, status: &IncidentStatus, now: Timestamp) -> String {
    let plan = &clock.plan;
    match clock.missed {
        Missed::Both => format!("{plan} ✗ response, recovery"),
        Missed::Response => format!("{plan} ✗ response"),
        Missed::Recovery => format!("{plan} ✗ recovery"),
        Missed::Nothing if status.resolved_at.is_some() => format!("{plan} ✓"),
        Missed::Nothing if status.acknowledged_at.is_some() => {
            format!("{plan} recover in {}", ago(now, clock.recover_by.0))
        }
        Missed::Nothing => format!("{plan} respond in {}", ago(now, clock.respond_by.0)),
    }
}

/// Puts your word on record, in the name the cluster knows you by.
async fn say(field: &str, name: &str, note: Option<&str>, global: &Global) -> Result<Answer, Trouble> {
    let cluster = Cluster::named(global).await?;
    let by = cluster.whoami().await?;
    let mut hand = json!({"by": by});
    if let Some(note) = note {
        hand["note"] = json!(note);
    }
    let incidents: Api<Incident> = Api::namespaced(cluster.client.clone(), namespace(global));
    let change = json!({"spec": {field: hand}});
    let changed = incidents.patch(name, &PatchParams::default(), &Patch::Merge(&change)).await;
    let changed = changed.map_err(|error| match error {
        kube::Error::Api(status) if status.code == 404 => {
            let what = text("there is no such incident", "没有这个事件");
            Trouble::new(Exit::Error, what, format!("{}/{name}", namespace(global)), "hashinsight incident list --all")
        }
        kube::Error::Api(status) if status.code == 422 => {
            let what = text("the cluster refused", "集群拒绝了请求");
            Trouble::new(Exit::Refused, what, status.message.clone(), "hashinsight incident list --all")
        }
        error => cluster.trouble(error, Some(&ApiResource::erase::<Incident>(&()))),
    })?;
    let told = match field {
        "acknowledged" => words(format!("{name}: {by} has it."), format!("{name}：由 {by} 处理。")),
        _ => words(format!("{name}: ended by {by}."), format!("{name}：已由 {by} 结束。")),
    };
    let kind = Incident::kind(&()).to_string();
    let data: Value = json!({"schemaVersion": 1, "kind": kind, "name": name, "spec": changed.spec});
    let blocks = vec![Block::Line(told.to(global.language).to_owned())];
    Ok(Answer { csv: None, exit: Exit::Ok, data, names: vec![name.to_owned()], blocks })
}
