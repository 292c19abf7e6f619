//! The generated files of the charts.

use hashinsight_crds::schema;
use hashinsight_operator::{admission, rbac};
use serde_json::{Value, json};

use super::{NOTICE, documents};
use crate::shell::Error;

/// Stands for the release's namespace until the text is a template.
const NAMESPACE: &str = "release-namespace";
/// Stands for the chart's labels in the same way.
const LABELS: &str = "chart-labels";

/// The table of permissions as a template.
pub(super) fn permissions() -> Result<String, Error> {
    template("operator/src/rbac.rs", rbac::objects(NAMESPACE))
}

/// The admission policies as a template.
pub(super) fn admission() -> Result<String, Error> {
    template("operator/src/admission", admission::objects(NAMESPACE))
}

fn template(source: &str, objects: Vec<Value>) -> Result<String, Error> {
    let labelled = objects.into_iter().map(|mut object| {
        object["metadata"]["labels"] = json!(LABELS);
        object
    });
    let text = documents(labelled)?
        .replace(NAMESPACE, "{{ .Release.Namespace }}")
        .replace(LABELS, "{{- include \"hashinsight.labels\" . | nindent 4 }}");
    Ok(format!("# {NOTICE} From {source}.\n{text}"))
}

/// The schema of the plans' values: the kind's own, closed, so that a misspelt
/// field is refused before anything is sent.
pub(super) fn defaults_schema() -> Result<String, Error> {
    let failed = |e: serde_json::Error| Error::Render { what: "schema of defaults", why: e.to_string() };
    let crds = schema::all().map_err(|e| Error::Render { what: "schema of defaults", why: e.to_string() })?;
    let specs = |kind: &str| {
        let crd = crds.iter().find(|crd| crd.spec.names.kind == kind).map(|crd| json!(crd)).unwrap_or_default();
        let mut spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone();
        close(&mut spec);
        json!({
            "type": "object",
            "additionalProperties": {
                "type": "object", "additionalProperties": false, "required": ["enabled"],
                "properties": {"enabled": {"type": "boolean"}, "spec": spec},
            },
        })
    };
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart hashinsight-defaults",
        "description": NOTICE,
        "type": "object",
        "properties": {
            "plans": specs("TenantPlan"),
            "objectivesEnabled": {"type": "boolean"},
            "objectives": specs("ServiceLevelObjective"),
            "budgetPolicies": specs("ErrorBudgetPolicy"),
        },
    });
    Ok(format!("{}\n", serde_json::to_string_pretty(&schema).map_err(failed)?))
}

/// Refuses unknown fields, and drops what only an API server understands.
fn close(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    object.retain(|key, _| !key.starts_with("x-kubernetes-") && key != "format");
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(close);
        object.insert("additionalProperties".to_owned(), json!(false));
    }
    if let Some(items) = object.get_mut("items") {
        close(items);
    }
}
