//! The dashboard of rollouts of the calculation core.

use super::{Dashboard, Look, Panel, lines, stat};
use crate::series::{CORE_REQUESTS, CORE_ROLLBACKS, CORE_STATE, CORE_VERDICT, CORE_WEIGHT};

/// All panels, in order.
pub fn panels() -> Vec<Panel> {
    let chosen = "core=\"$core\"";
    let now = |title, description, query: String, legend| Panel {
        legend,
        look: Look::Table,
        size: (8, 5),
        nothing: "nothing under way",
        ..stat(title, description, query, "none")
    };
    vec![
        now("State", "Where the rollout is.", format!("{CORE_STATE}{{{chosen}}} == 1"), "{{state}}"),
        now(
            "Verdict",
            "What the counted requests say of the new revision.",
            format!("{CORE_VERDICT}{{{chosen}}} == 1"),
            "{{verdict}}",
        ),
        now(
            "Rolled back in a week",
            "Revisions that were taken back since the operator began, by why.",
            format!("increase({CORE_ROLLBACKS}{{{chosen}}}[7d]) > 0"),
            "{{reason}}",
        ),
        Panel {
            legend: "{{revision}} ({{role}})",
            ..lines("Weight", "Share of traffic each revision is meant to have.", format!("{CORE_WEIGHT}{{{chosen}}}"), "percent")
        },
        Panel {
            legend: "{{count}}",
            ..lines(
                "Counted requests",
                "Of the new revision since it was first asked: all of them, and the bad ones.",
                format!("{CORE_REQUESTS}{{{chosen}}}"),
                "short",
            )
        },
        Panel {
            legend: "{{revision}} {{code}}",
            ..lines(
                "Requests by revision",
                "What the pods themselves count, where scraping tells revisions apart.",
                "sum by (revision, code) (rate(http_requests_total{revision!=\"\"}[2m]))".to_owned(),
                "reqps",
            )
        },
        Panel {
            legend: "{{revision}}",
            ..lines(
                "Slowest twentieth",
                "How long it takes at least, by revision.",
                "histogram_quantile(0.95, sum by (revision, le) (rate(http_request_duration_seconds_bucket{revision!=\"\"}[2m])))"
                    .to_owned(),
                "s",
            )
        },
    ]
}

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "hashinsight-rollouts",
        title: "HashInsight rollouts",
        description: "Which revision is on its way, how far, what its requests say, and what was taken back.",
        tag: "rollouts",
        variables: vec![("core", "Core", format!("label_values({CORE_STATE}, core)"))],
        panels: panels(),
    }
}
