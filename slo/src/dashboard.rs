//! The dashboard of objectives, as Grafana reads it. Alerts link to it by its
//! uid, so that never changes.

use serde_json::{Value, json};

use crate::rules::DASHBOARD;
use crate::series::{
    BAD, BURN, COUNT_LABEL, COUNTED, COVERAGE_RATIO, EVALUATED, EXHAUSTION_SECONDS, NAME_LABEL, NAMESPACE_LABEL,
    REMAINING_MINUTES, REMAINING_RATIO, STAGE, TARGET_RATIO, TOTAL,
};

/// How a panel shows its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// The newest number, large.
    Stat,
    /// Lines over time.
    Lines,
    /// One row a series, with its newest number.
    Table,
}

/// One panel.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What people read above it.
    pub title: &'static str,
    /// What it means and where it comes from.
    pub description: &'static str,
    /// What Prometheus is asked, with Grafana's variables in it.
    pub query: String,
    /// Grafana's name of the unit.
    unit: &'static str,
    /// How a series is named.
    legend: &'static str,
    look: Look,
    /// Width and height in Grafana's grid, which is 24 wide.
    size: (u32, u32),
    /// Below what it turns yellow and green; red before. Empty for no colours.
    steps: &'static [f64],
    /// What stands there when there is nothing to show.
    nothing: &'static str,
}

/// Selects the objective that the variables name.
fn chosen() -> String {
    format!("{NAMESPACE_LABEL}=\"$namespace\",{NAME_LABEL}=\"$objective\"")
}

fn stat(title: &'static str, description: &'static str, series: &str, unit: &'static str) -> Panel {
    let query = format!("{series}{{{}}}", chosen());
    Panel {
        title,
        description,
        query,
        unit,
        legend: "",
        look: Look::Stat,
        size: (4, 4),
        steps: &[],
        nothing: "not measured",
    }
}

fn lines(title: &'static str, description: &'static str, query: String, unit: &'static str) -> Panel {
    Panel { query, look: Look::Lines, size: (12, 8), nothing: "nothing yet", ..stat(title, description, "", unit) }
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
                REMAINING_RATIO,
                "percentunit",
            )
        },
        Panel {
            steps: &[0.0],
            ..stat("Minutes left", "What may still go wrong in the window.", REMAINING_MINUTES, "m")
        },
        Panel {
            nothing: "beyond the window",
            ..stat("Exhausted in", "If the last hour goes on as it was.", EXHAUSTION_SECONDS, "s")
        },
        Panel {
            steps: &[0.9],
            ..stat(
                "Measured",
                "Share of the time that was measured. The rest is neither good nor bad.",
                COVERAGE_RATIO,
                "percentunit",
            )
        },
        stat("Promised", "The objective.", TARGET_RATIO, "percentunit"),
        Panel {
            query: format!("time() - {EVALUATED}{{{chosen}}}"),
            ..stat("Evaluated", "How long ago the operator computed this.", "", "s")
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

/// The dashboard as JSON.
pub fn dashboard() -> Value {
    let variable = |name: &str, label: &str, query: String| {
        json!({
            "name": name, "label": label, "type": "query", "datasource": {"type": "prometheus", "uid": "${source}"},
            "query": {"query": query, "refId": name}, "definition": query, "refresh": 2, "sort": 1,
            "includeAll": false, "multi": false,
        })
    };
    let (mut x, mut y, mut tallest) = (0, 0, 0);
    let mut shown = Vec::new();
    for (id, panel) in (1..).zip(panels()) {
        let (width, height) = panel.size;
        if x + width > 24 {
            (x, y, tallest) = (0, y + tallest, 0);
        }
        shown.push(panel.json(id, x, y));
        (x, tallest) = (x + width, tallest.max(height));
    }
    json!({
        "uid": DASHBOARD,
        "title": "HashInsight objectives",
        "description": "What was promised, what is left of it, how fast it burns, and what may be released.",
        "tags": ["hashinsight", "slo"],
        "editable": false,
        "graphTooltip": 1,
        "refresh": "30s",
        "schemaVersion": 39,
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [
            {"name": "source", "label": "Source", "type": "datasource", "query": "prometheus", "refresh": 1},
            variable("namespace", "Namespace", format!("label_values({TARGET_RATIO}, {NAMESPACE_LABEL})")),
            variable(
                "objective", "Objective",
                format!("label_values({TARGET_RATIO}{{{NAMESPACE_LABEL}=\"$namespace\"}}, {NAME_LABEL})"),
            ),
        ]},
        "panels": shown,
    })
}

impl Panel {
    fn json(&self, id: u32, x: u32, y: u32) -> Value {
        let (width, height) = self.size;
        let (kind, instant, options) = match self.look {
            Look::Stat => {
                ("stat", true, json!({"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background"}))
            }
            Look::Lines => ("timeseries", false, json!({"legend": {"displayMode": "list", "placement": "bottom"}})),
            Look::Table => ("bargauge", true, json!({"orientation": "horizontal", "displayMode": "basic"})),
        };
        let colours = ["red", "yellow", "green"];
        // The last colour is the good one, however many there are.
        let skipped = colours.len().saturating_sub(self.steps.len() + 1);
        let bounds = std::iter::once(Value::Null).chain(self.steps.iter().map(|bound| json!(bound)));
        let steps: Vec<Value> = if self.steps.is_empty() {
            vec![json!({"color": "blue", "value": null})]
        } else {
            let mut used = vec![colours[0]];
            used.extend(&colours[skipped + 1..]);
            used.iter().zip(bounds).map(|(color, value)| json!({"color": color, "value": value})).collect()
        };
        json!({
            "id": id, "type": kind, "title": self.title, "description": self.description,
            "datasource": {"type": "prometheus", "uid": "${source}"},
            "gridPos": {"x": x, "y": y, "w": width, "h": height},
            "options": options,
            "fieldConfig": {
                "defaults": {
                    "unit": self.unit, "noValue": self.nothing, "thresholds": {"mode": "absolute", "steps": steps},
                },
                "overrides": [],
            },
            "targets": [{
                "refId": "A", "expr": self.query, "legendFormat": self.legend, "instant": instant, "range": !instant,
            }],
        })
    }

    /// The query for one objective, as Grafana would ask it.
    pub fn asked(&self, namespace: &str, objective: &str) -> String {
        self.query.replace("$namespace", namespace).replace("$objective", objective)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn panels_have_all_a_reader_needs_and_do_not_overlap() {
        let dashboard = dashboard();
        assert_eq!(dashboard["uid"], "hashinsight-objectives");
        let mut cells = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            for field in ["title", "description"] {
                assert!(panel[field].as_str().unwrap().len() > 3, "{panel}");
            }
            assert!(!panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap().is_empty());
            let at = |field: &str| panel["gridPos"][field].as_u64().unwrap();
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(x < 24 && cells.insert((x, y)), "{panel}");
                }
            }
        }
        let text = dashboard.to_string();
        assert!(!text.contains("\"expr\":\"\"") && text.contains("slo_namespace=\\\"$namespace\\\""));
    }
}
