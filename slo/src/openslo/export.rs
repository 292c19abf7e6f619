//! Our objectives as OpenSLO documents.

use hashinsight_crds::ServiceLevelObjective;
use hashinsight_crds::objective::{BudgetingMethod, Indicator};
use serde_json::{Value, json};

use super::{IN_ANNOTATIONS, OURS, Refused, VERSION};
use crate::share::Target;

/// One objective as a document.
pub fn export(object: &ServiceLevelObjective) -> Result<Value, Refused> {
    let name = object.metadata.name.clone().unwrap_or_default();
    let refused = |path: &str, why: String| Refused { path: format!("ServiceLevelObjective/{name}: {path}"), why };
    let spec = &object.spec;
    let Some(ratio) = ratio(&spec.indicator) else {
        let why = "a query over $window has no form in OpenSLO; count events or latency".to_owned();
        return Err(refused("spec.indicator.expression", why));
    };
    let window = match (&spec.window.rolling_days, &spec.window.calendar_month) {
        (Some(days), _) => json!({"duration": format!("{days}d"), "isRolling": true}),
        (None, month) => json!({
            "duration": "1M", "isRolling": false,
            "calendar": {
                "startTime": "2026-01-01 00:00:00",
                "timeZone": month.as_ref().map_or("UTC", |month| month.time_zone.as_str()),
            },
        }),
    };
    let target =
        Target::percent(&spec.objective_percent).map_err(|why| refused("spec.objectivePercent", why.to_string()))?;
    // A percentage keeps its decimals where a share of one would not.
    let mut objective = json!({"targetPercent": number(&target.percentage())});
    let mut method = "Occurrences";
    if let (BudgetingMethod::Timeslices, Some(slice)) = (spec.budgeting_method, &spec.timeslice) {
        let share = Target::percent(&slice.target_percent)
            .map_err(|why| refused("spec.timeslice.targetPercent", why.to_string()))?;
        let good = crate::share::decimal(u128::from(crate::share::WHOLE - share.allowed()), 1_000_000, 6);
        objective["timeSliceTarget"] = number(&good);
        objective["timeSliceWindow"] = json!(format!("{}s", slice.seconds));
        method = "Timeslices";
    }
    let ours = json!(spec);
    let annotations: serde_json::Map<String, Value> = IN_ANNOTATIONS
        .iter()
        .filter(|field| !ours[**field].is_null())
        .map(|field| (format!("{OURS}{field}"), json!(ours[*field].to_string())))
        .collect();
    let mut document = json!({
        "apiVersion": VERSION,
        "kind": "SLO",
        "metadata": {"name": name},
        "spec": {
            "service": spec.service,
            "indicator": {"metadata": {"name": name}, "spec": {"ratioMetric": ratio}},
            "timeWindow": [window],
            "budgetingMethod": method,
            "objectives": [objective],
        },
    });
    if !annotations.is_empty() {
        document["metadata"]["annotations"] = Value::Object(annotations);
    }
    if let Some(description) = &spec.description {
        document["spec"]["description"] = json!(description);
    }
    Ok(document)
}

/// What is counted; `None` for a query.
fn ratio(indicator: &Indicator) -> Option<Value> {
    let query = |query: String| json!({"metricSource": {"type": "Prometheus", "spec": {"query": query}}});
    if let Some(events) = &indicator.events {
        return Some(json!({
            "counter": true,
            "bad": query(format!("{}{{{}}}", events.metric, events.bad_selector)),
            "total": query(format!("{}{{{}}}", events.metric, events.total_selector)),
        }));
    }
    let latency = indicator.latency.as_ref()?;
    let comma = if latency.selector.is_empty() { "" } else { "," };
    let (histogram, selector) = (&latency.histogram, &latency.selector);
    Some(json!({
        "counter": true,
        "good": query(format!("{histogram}_bucket{{{selector}{comma}le=\"{}\"}}", latency.threshold_seconds)),
        "total": query(format!("{histogram}_count{{{selector}}}")),
    }))
}

/// A decimal as JSON writes it.
fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}
