//! Versions: this program's, the cluster's, the kinds', the operator's.

use hashinsight_crds::text::text;
use serde_json::{Value, json};

use crate::arguments::Global;
use crate::cluster::Cluster;
use crate::installed;
use crate::output::{Answer, Block, Columns};
use crate::trouble::{Exit, Trouble};

/// This program's version.
pub const OWN: &str = env!("CARGO_PKG_VERSION");

/// This program alone.
pub fn client() -> Answer {
    answer_of(vec![("client", Some(OWN.to_owned()))])
}

/// This program and what it finds.
pub async fn answer(global: &Global) -> Result<Answer, Trouble> {
    let cluster = Cluster::named(global).await?;
    let kubernetes = installed::kubernetes(&cluster).await?;
    let kinds = installed::kinds(&cluster).await?;
    let operator = installed::operator(&cluster, global.namespace.as_deref()).await?;
    let versions = kinds.iter().filter_map(|kind| kind.version.clone()).collect::<std::collections::BTreeSet<_>>();
    Ok(answer_of(vec![
        ("client", Some(OWN.to_owned())),
        ("operator", operator.map(|operator| operator.version)),
        ("kinds", (!versions.is_empty()).then(|| versions.into_iter().collect::<Vec<_>>().join(", "))),
        ("kubernetes", Some(kubernetes.to_string())),
    ]))
}

fn answer_of(found: Vec<(&'static str, Option<String>)>) -> Answer {
    let versions: serde_json::Map<String, Value> =
        found.iter().map(|(part, version)| ((*part).to_owned(), json!(version))).collect();
    let rows =
        found.iter().map(|(part, version)| vec![(*part).to_owned(), version.clone().unwrap_or_else(|| "-".to_owned())]);
    Answer {
        csv: None,
        exit: Exit::Ok,
        data: json!({"schemaVersion": 1, "versions": versions}),
        names: found.iter().filter_map(|(part, version)| Some(format!("{part}/{}", version.as_ref()?))).collect(),
        blocks: vec![Block::Columns(Columns {
            headings: vec![text("PART", "组件"), text("VERSION", "版本")],
            wide: 0,
            rows: rows.collect(),
        })],
    }
}
