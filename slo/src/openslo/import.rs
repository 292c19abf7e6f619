//! OpenSLO documents as our objectives.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{IN_ANNOTATIONS, OURS, Refused, VERSION};
use crate::selector::Selector;
use crate::share::Target;

/// A part of a document that is being read: every field must be asked for, and
/// what nobody asked for is refused.
struct Part<'a> {
    path: String,
    fields: Map<String, Value>,
    refused: &'a std::cell::RefCell<Vec<Refused>>,
}

impl<'a> Part<'a> {
    fn refuse(&self, field: &str, why: impl Into<String>) {
        let joint = if field.is_empty() || self.path.ends_with(' ') || self.path.is_empty() { "" } else { "." };
        let path = format!("{}{joint}{field}", self.path);
        self.refused.borrow_mut().push(Refused { path, why: why.into() });
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field)
    }

    fn text(&mut self, field: &str) -> Option<String> {
        match self.take(field)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => {
                self.refuse(field, "text is wanted here");
                None
            }
        }
    }

    fn part(&mut self, field: &str) -> Option<Part<'a>> {
        let Value::Object(fields) = self.take(field)? else {
            self.refuse(field, "fields are wanted here");
            return None;
        };
        let joint = if self.path.ends_with(' ') { "" } else { "." };
        Some(Part { path: format!("{}{joint}{field}", self.path), fields, refused: self.refused })
    }

    /// The one element of a list.
    fn only(&mut self, field: &str) -> Option<Part<'a>> {
        let list = match self.take(field) {
            Some(Value::Array(list)) => list,
            _ => Vec::new(),
        };
        let count = list.len();
        let (Some(Value::Object(fields)), 1) = (list.into_iter().next(), count) else {
            self.refuse(field, format!("exactly one is taken over, and there are {count}; make an objective of each"));
            return None;
        };
        Some(Part { path: format!("{}.{field}[0]", self.path), fields, refused: self.refused })
    }

    fn end(mut self) {
        for field in std::mem::take(&mut self.fields).keys() {
            self.refuse(field, "not known, or without a home in a ServiceLevelObjective");
        }
    }
}

/// Our objects from `documents`, or everything that cannot be taken over.
pub fn import(documents: &[Value]) -> Result<Vec<Value>, Vec<Refused>> {
    let refused = std::cell::RefCell::new(Vec::new());
    let mut indicators = BTreeMap::new();
    let mut objectives = Vec::new();
    for document in documents {
        let kind = document["kind"].as_str().unwrap_or("document").to_owned();
        let name = document["metadata"]["name"].as_str().unwrap_or("without a name").to_owned();
        let Value::Object(fields) = document.clone() else {
            refused.borrow_mut().push(Refused { path: kind, why: "a document of fields is wanted".to_owned() });
            continue;
        };
        let mut part = Part { path: format!("{kind}/{name}: "), fields, refused: &refused };
        part.take("kind");
        match part.text("apiVersion") {
            Some(version) if version == VERSION => {}
            version => part.refuse("apiVersion", format!("{} is wanted, not {}", VERSION, version.unwrap_or_default())),
        }
        match kind.as_str() {
            "SLI" => {
                part.take("metadata");
                if let Some(spec) = part.take("spec") {
                    indicators.insert(name, spec);
                }
                part.end();
            }
            "SLO" => objectives.push((name, part)),
            // A service is a name; it has one in each objective.
            "Service" => {}
            _ => part.refuse(
                "",
                "only SLO, SLI and Service are taken over; the metrics source is the operator's, alerts are derived",
            ),
        }
    }
    let objects: Vec<Value> =
        objectives.into_iter().filter_map(|(name, part)| objective(&name, part, &indicators)).collect();
    let refused = refused.into_inner();
    if refused.is_empty() { Ok(objects) } else { Err(refused) }
}

fn objective(name: &str, mut document: Part<'_>, indicators: &BTreeMap<String, Value>) -> Option<Value> {
    let mut spec = json!({});
    if let Some(mut metadata) = document.part("metadata") {
        metadata.take("name");
        // What it is called elsewhere, and labels of other programs.
        metadata.take("displayName");
        metadata.take("labels");
        if let Some(Value::Object(annotations)) = metadata.take("annotations") {
            for field in IN_ANNOTATIONS {
                let text = annotations.get(&format!("{OURS}{field}")).and_then(Value::as_str);
                if let Some(value) = text.and_then(|text| serde_json::from_str(text).ok()) {
                    spec[field] = value;
                }
            }
        }
        metadata.end();
    }
    let mut part = document.part("spec")?;
    document.end();
    if let Some(description) = part.text("description") {
        spec["description"] = json!(description);
    }
    spec["service"] = json!(part.text("service").unwrap_or_default());
    window(&mut part, &mut spec);
    let method = part.text("budgetingMethod").unwrap_or_else(|| "Occurrences".to_owned());
    if !["Occurrences", "Timeslices"].contains(&method.as_str()) {
        part.refuse("budgetingMethod", format!("{method} is not computed; use Occurrences or Timeslices"));
    }
    target(&mut part, method == "Timeslices", &mut spec);
    if let Some(Value::Array(policies)) = part.take("alertPolicies") {
        for at in 0..policies.len() {
            part.refuse(
                &format!("alertPolicies[{at}]"),
                "alerts are derived from the objective; state spec.alerts to change them",
            );
        }
    }
    let found = match (part.take("indicator"), part.text("indicatorRef")) {
        (Some(Value::Object(mut indicator)), None) => {
            indicator.remove("metadata");
            indicator.remove("spec").map(|spec| (format!("{}.indicator.spec", part.path), spec))
        }
        (None, Some(reference)) => {
            let found = indicators.get(&reference).cloned();
            if found.is_none() {
                part.refuse("indicatorRef", format!("no SLI named {reference} is among the documents; give it too"));
            }
            found.map(|spec| (format!("SLI/{reference}: spec"), spec))
        }
        _ => {
            part.refuse("indicator", "state exactly one of indicator and indicatorRef");
            None
        }
    };
    let refused = part.refused;
    part.end();
    if let Some((path, Value::Object(fields))) = found {
        spec["indicator"] = indicator(Part { path, fields, refused }).unwrap_or_default();
    }
    Some(json!({
        "apiVersion": "hashinsight.net/v1alpha1",
        "kind": "ServiceLevelObjective",
        "metadata": {"name": name},
        "spec": spec,
    }))
}

fn window(part: &mut Part<'_>, spec: &mut Value) {
    let Some(mut window) = part.only("timeWindow") else { return };
    let duration = window.text("duration").unwrap_or_default();
    let rolling = window.take("isRolling").and_then(|value| value.as_bool()).unwrap_or(true);
    let (digits, unit) = duration.split_at(duration.trim_end_matches(char::is_alphabetic).len());
    let days = digits.parse::<i64>().ok().and_then(|count| match unit {
        "d" => Some(count),
        "w" => count.checked_mul(7),
        _ => None,
    });
    match (rolling, days, window.part("calendar")) {
        (true, Some(days), None) => spec["window"] = json!({"rollingDays": days}),
        (false, _, Some(mut calendar)) if duration == "1M" => {
            let start = calendar.text("startTime").unwrap_or_default();
            if !start.contains("-01 00:00:00") {
                calendar.refuse("startTime", "a month begins on its first day at 00:00:00");
            }
            let zone = calendar.text("timeZone").unwrap_or_else(|| "UTC".to_owned());
            spec["window"] = json!({"calendarMonth": {"timeZone": zone}});
            calendar.end();
        }
        _ => window.refuse(
            "duration",
            format!("{duration:?}: rolling days or weeks (28d, 4w), or 1M with a calendar, are computed"),
        ),
    }
    window.end();
}

/// A share of one as a percentage with at most four decimals.
fn percentage(share: &str) -> Option<String> {
    let (units, decimals) = share.split_once('.').unwrap_or((share, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !units.trim_start_matches('0').is_empty() || !digits(decimals) || decimals.len() > 6 {
        return None;
    }
    let millionths: u32 = format!("{decimals:0<6}").parse().ok()?;
    Target::percent(&crate::share::decimal(u128::from(millionths), 10_000, 4)).ok().map(Target::percentage)
}

fn target(part: &mut Part<'_>, slices: bool, spec: &mut Value) {
    let Some(mut objective) = part.only("objectives") else { return };
    objective.take("displayName");
    let bad =
        "is no objective; write a share below 1, or a percentage below 100, with at most four decimals of a percent";
    match (objective.text("target"), objective.text("targetPercent")) {
        (Some(share), None) => match percentage(&share) {
            Some(percent) => spec["objectivePercent"] = json!(percent),
            None => objective.refuse("target", format!("{share} {bad}")),
        },
        (None, Some(percent)) => match Target::percent(&percent) {
            Ok(target) => spec["objectivePercent"] = json!(target.percentage()),
            Err(_) => objective.refuse("targetPercent", format!("{percent} {bad}")),
        },
        _ => objective.refuse("target", "state exactly one of target and targetPercent"),
    }
    if slices {
        let length = objective.text("timeSliceWindow").unwrap_or_default();
        let (digits, unit) = length.split_at(length.trim_end_matches(char::is_alphabetic).len());
        let seconds = digits.parse::<i64>().ok().and_then(|count| match unit {
            "s" => Some(count),
            "m" | "" => count.checked_mul(60),
            _ => None,
        });
        let share = objective.text("timeSliceTarget").unwrap_or_default();
        match (seconds, percentage(&share)) {
            (Some(seconds), Some(percent)) => {
                spec["budgetingMethod"] = json!("Timeslices");
                spec["timeslice"] = json!({"seconds": seconds, "targetPercent": percent});
            }
            (None, _) => {
                objective.refuse("timeSliceWindow", format!("{length:?}: seconds or minutes, such as 60s or 1m"));
            }
            (_, None) => objective.refuse("timeSliceTarget", format!("{share} {bad}")),
        }
    }
    for field in ["op", "value"] {
        if objective.take(field).is_some() {
            objective.refuse(field, "a threshold on a gauge is not counted; count events (ratioMetric)");
        }
    }
    objective.end();
}

fn indicator(mut part: Part<'_>) -> Option<Value> {
    if part.take("thresholdMetric").is_some() {
        part.refuse("thresholdMetric", "a threshold on a gauge is not counted; count events (ratioMetric)");
    }
    part.take("description");
    let mut ratio = part.part("ratioMetric")?;
    part.end();
    if ratio.take("counter") != Some(json!(true)) {
        ratio.refuse("counter", "only counters are counted exactly; give the counter and set counter: true");
    }
    let total = query(&mut ratio, "total");
    let (good, bad) = (query(&mut ratio, "good"), query(&mut ratio, "bad"));
    let found = match (total, good, bad) {
        (Some(total), None, Some(bad)) if total.0 == bad.0 => Some(json!({"events": {
            "metric": total.0, "totalSelector": inner(&total.1), "badSelector": inner(&bad.1),
        }})),
        (Some(total), None, Some(bad)) => Some(expression(&total, &grown(&bad))),
        (Some(total), Some(good), None) => latency(&total, &good)
            .or_else(|| Some(expression(&total, &format!("{} - {}", grown(&total), grown(&good))))),
        (Some(_), Some(_), Some(_)) => {
            ratio.refuse("good", "state bad or good, not both");
            None
        }
        _ => None,
    };
    ratio.end();
    found
}

/// A metric's name and its selector.
type Series = (String, Selector);

fn query(ratio: &mut Part<'_>, which: &str) -> Option<Series> {
    let mut source = ratio.part(which)?.part("metricSource")?;
    match source.text("type").as_deref() {
        Some("Prometheus" | "prometheus") => {}
        other => source.refuse("type", format!("{}: only Prometheus is asked", other.unwrap_or("not stated"))),
    }
    if source.take("metricSourceRef").is_some() {
        source.refuse("metricSourceRef", "the metrics source is the operator's");
    }
    let mut spec = source.part("spec")?;
    source.end();
    let text = spec.text("query")?;
    let bare = text.trim();
    let bare = bare.strip_prefix("sum(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(bare).trim();
    let (metric, selector) = bare.split_once('{').map_or((bare, ""), |(metric, rest)| (metric, rest.trim_end()));
    let selector = selector.strip_suffix('}').unwrap_or(selector);
    let named = !metric.is_empty() && metric.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
    let parsed = Selector::parse(selector);
    match (named, parsed) {
        (true, Ok(selector)) => {
            spec.end();
            Some((metric.to_owned(), selector))
        }
        (false, _) => {
            spec.refuse(
                "query",
                format!("{text:?}: a counter and its labels are wanted, such as m{{job=\"a\"}}, or sum() of it"),
            );
            None
        }
        (true, Err(why)) => {
            spec.refuse("query", why.to_string());
            None
        }
    }
}

/// A selector without its braces.
fn inner(selector: &Selector) -> String {
    selector.to_string().trim_start_matches('{').trim_end_matches('}').to_owned()
}

fn grown((metric, selector): &Series) -> String {
    format!("sum(increase({metric}{selector}[$window]))")
}

fn expression(total: &Series, bad: &str) -> Value {
    json!({"expression": {"bad": bad, "total": grown(total)}})
}

/// `h_bucket{…,le="t"}` of `h_count{…}`: what is at most `t` is good.
fn latency(total: &Series, good: &Series) -> Option<Value> {
    let histogram = total.0.strip_suffix("_count")?;
    if good.0.strip_suffix("_bucket")? != histogram {
        return None;
    }
    let (selector, good) = (inner(&total.1), inner(&good.1));
    let rest = good.strip_prefix(&selector)?.trim_start_matches(',');
    let threshold = rest.strip_prefix("le=\"")?.strip_suffix('"')?;
    Some(json!({"latency": {"histogram": histogram, "selector": selector, "thresholdSeconds": threshold}}))
}
