//! The dashboard of objectives. Alerts link to it.

use super::{Dashboard, Look, Panel, lines, stat};
use crate::rules::DASHBOARD;
use crate::series::{
    BAD, BURN, COUNT_LABEL, COUNTED, COVERAGE_RATIO, EVALUATED, EXHAUSTION_SECONDS, NAME_LABEL, NAMESPACE_LABEL,
    REMAINING_MINUTES, REMAINING_RATIO, STAGE, TARGET_RATIO, TOTAL,
};

/// Selects the objective that the variables name.
fn chosen() -> String {
    format!("{NAMESPACE_LABEL}=\"$namespace\",{NAME_LABEL}=\"$objective\"")
}

/// All panels, in order.
pub fn panels() -> Vec<Panel> {
    let chosen = chosen();
    [numbers(&chosen), courses(&chosen)].concat()
}

/// How the objective stands now.
fn numbers(chosen: &str) -> Vec<Panel> {
    vec![
        Panel {
            steps: &[0.0, 0.5],
            ..stat(
                "Budget left",
                "Share of the error budget that is left in the window.",
                format!("{REMAINING_RATIO}{{{chosen}}}"),
                "percentunit",
            )
        },
        Panel {
            steps: &[0.0],
            ..stat(
                "Minutes left",
                "What may still go wrong in the window.",
                format!("{REMAINING_MINUTES}{{{chosen}}}"),
                "m",
            )
        },
        Panel {
            nothing: "beyond the window",
            ..stat(
                "Exhausted in",
                "If the last hour goes on as it was.",
                format!("{EXHAUSTION_SECONDS}{{{chosen}}}"),
                "s",
            )
        },
        Panel {
            steps: &[0.9],
            ..stat(
                "Measured",
                "Share of the time that was measured. The rest is neither good nor bad.",
                format!("{COVERAGE_RATIO}{{{chosen}}}"),
                "percentunit",
            )
        },
        stat("Promised", "The objective.", format!("{TARGET_RATIO}{{{chosen}}}"), "percentunit"),
        Panel {
            ..stat(
                "Evaluated",
                "How long ago the operator computed this.",
                format!("time() - {EVALUATED}{{{chosen}}}"),
                "s",
            )
        },
    ]
}

/// How it came to that, and how all others stand.
fn courses(chosen: &str) -> Vec<Panel> {
    vec![
        Panel {
            legend: "left",
            ..lines(
                "Budget over time",
                "It falls while more goes wrong than leaves the window.",
                format!("{REMAINING_RATIO}{{{chosen}}}"),
                "percentunit",
            )
        },
        Panel {
            legend: "{{window}}",
            ..lines(
                "Burn rate",
                "1 spends the budget of the window in exactly the window. Alerts fire when a long and a short stretch both exceed their factor.",
                format!("{BURN}{{{chosen}}}"),
                "none",
            )
        },
        Panel {
            legend: "{{count}}",
            ..lines(
                "Events",
                "What was counted in each step: all events, and the bad ones among them.",
                format!("sum by ({COUNT_LABEL}) ({COUNTED}{{{chosen},{COUNT_LABEL}=~\"{TOTAL}|{BAD}\"}})"),
                "short",
            )
        },
        Panel {
            legend: "{{alertname}} ({{severity}})",
            nothing: "no alert in this time",
            ..lines(
                "Alerts",
                "Alerts on this objective that fire.",
                format!("count by (alertname, severity) (ALERTS{{{chosen},alertstate=\"firing\"}})"),
                "none",
            )
        },
        Panel {
            legend: "{{slo_namespace}}/{{slo}}",
            look: Look::Table,
            steps: &[0.0, 0.5],
            ..lines(
                "All objectives",
                "What is left of each budget, least first.",
                format!("sort({REMAINING_RATIO})"),
                "percentunit",
            )
        },
        Panel {
            legend: "{{policy}}: {{stage}}",
            look: Look::Table,
            nothing: "no policy",
            ..lines("Policies", "The stage each policy is in.", format!("{STAGE} == 1"), "none")
        },
    ]
}

pub(super) fn dashboard() -> Dashboard {
    let of_namespace = format!("{TARGET_RATIO}{{{NAMESPACE_LABEL}=\"$namespace\"}}");
    Dashboard {
        uid: DASHBOARD,
        title: "HashInsight objectives",
        description: "What was promised, what is left of it, how fast it burns, and what may be released.",
        tag: "slo",
        variables: vec![
            ("namespace", "Namespace", format!("label_values({TARGET_RATIO}, {NAMESPACE_LABEL})")),
            ("objective", "Objective", format!("label_values({of_namespace}, {NAME_LABEL})")),
        ],
        panels: panels(),
    }
}
