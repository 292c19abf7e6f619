//! What only a cluster knows. An export may tell how things stood when it was
//! made; that is shown and decides nothing.

use super::{Answer, CheckId, Seen};
use crate::evidence::own::Standing;
use crate::verdict::{Finding, Level};
use crate::words::said;

/// Objects that are told of.
const TOLD: usize = 20;

pub fn ask(id: CheckId, seen: &Seen<'_>) -> Answer {
    let kinds: &[&str] = match id {
        CheckId::Objectives => &["ServiceLevelObjective", "ErrorBudgetPolicy"],
        CheckId::Recovery => &["RecoveryPolicy", "RecoveryPoint"],
        _ => &["RecoveryDrill", "DependencyDrill"],
    };
    let mut findings = Vec::new();
    for (evidence, status) in seen.statuses() {
        let of = |item: &&Standing| kinds.contains(&item.kind.as_str());
        for item in status.items.iter().filter(of).take(TOLD) {
            let level = if item.health == "Ready" { Level::Note } else { Level::Warning };
            let told = format!("{}/{}: {} ({})", item.kind, item.name, item.health, item.reason);
            findings.push(
                Finding::new(
                    level,
                    format!("{}:{}", item.kind, item.name),
                    said(&told, &told),
                    said("the cluster decides when the release arrives", "发布到达时由集群判断"),
                )
                .of(evidence),
            );
        }
    }
    Answer::new(said("only the cluster can tell", "只有集群才能判断"), findings)
}
