//! Dashboards, as Grafana reads them: of objectives, and of rollouts.

pub mod objectives;
pub mod rollouts;

use serde_json::{Value, json};

/// A dashboard.
struct Dashboard {
    /// Links name it, so it never changes.
    uid: &'static str,
    title: &'static str,
    description: &'static str,
    tag: &'static str,
    /// Name, label and query of what people choose, in order.
    variables: Vec<(&'static str, &'static str, String)>,
    panels: Vec<Panel>,
}

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

fn stat(title: &'static str, description: &'static str, query: String, unit: &'static str) -> Panel {
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
    Panel { look: Look::Lines, size: (12, 8), nothing: "nothing yet", ..stat(title, description, query, unit) }
}

impl Dashboard {
    fn json(&self) -> Value {
        let variable = |(name, label, query): &(&str, &str, String)| {
            json!({
                "name": name, "label": label, "type": "query", "datasource": {"type": "prometheus", "uid": "${source}"},
                "query": {"query": query, "refId": name}, "definition": query, "refresh": 2, "sort": 1,
                "includeAll": false, "multi": false,
            })
        };
        let source =
            json!({"name": "source", "label": "Source", "type": "datasource", "query": "prometheus", "refresh": 1});
        let variables: Vec<Value> = std::iter::once(source).chain(self.variables.iter().map(variable)).collect();
        let (mut x, mut y, mut tallest) = (0, 0, 0);
        let mut shown = Vec::new();
        for (id, panel) in (1..).zip(&self.panels) {
            let (width, height) = panel.size;
            if x + width > 24 {
                (x, y, tallest) = (0, y + tallest, 0);
            }
            shown.push(panel.json(id, x, y));
            (x, tallest) = (x + width, tallest.max(height));
        }
        json!({
            "uid": self.uid, "title": self.title, "description": self.description, "tags": ["hashinsight", self.tag],
            "editable": false, "graphTooltip": 1, "refresh": "30s", "schemaVersion": 39,
            "time": {"from": "now-6h", "to": "now"}, "timezone": "browser",
            "templating": {"list": variables}, "panels": shown,
        })
    }
}

/// File name, without its ending, and JSON of every dashboard.
pub fn files() -> [(&'static str, Value); 2] {
    [objectives::dashboard(), rollouts::dashboard()].map(|dashboard| (dashboard.uid, dashboard.json()))
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

    /// The query with these values for its variables, as Grafana would ask it.
    pub fn asked(&self, chosen: &[(&str, &str)]) -> String {
        chosen.iter().fold(self.query.clone(), |query, (name, value)| query.replace(&format!("${name}"), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn panels_have_all_a_reader_needs_and_do_not_overlap() {
        for (uid, dashboard) in files() {
            let mut cells = BTreeSet::new();
            for panel in dashboard["panels"].as_array().unwrap() {
                for field in ["title", "description"] {
                    assert!(panel[field].as_str().unwrap().len() > 3, "{uid}: {panel}");
                }
                assert!(!panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap().is_empty());
                let at = |field: &str| panel["gridPos"][field].as_u64().unwrap();
                for x in at("x")..at("x") + at("w") {
                    for y in at("y")..at("y") + at("h") {
                        assert!(x < 24 && cells.insert((x, y)), "{uid}: {panel}");
                    }
                }
            }
            assert!(!dashboard.to_string().contains("\"expr\":\"\""), "{uid}");
        }
        assert!(files()[0].1.to_string().contains("slo_namespace=\\\"$namespace\\\""));
    }
}
