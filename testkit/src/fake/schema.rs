//! What a kind's objects may look like: pruning, defaults, validation and CEL
//! for custom kinds; the few normal forms of built-in ones that the product
//! meets; and, for both, which lists are merged by key.

use kube_cel::{Validator, apply_defaults};
use serde_json::{Map, Value, json};

use super::refusal::Refusal;

/// How two versions of a list are merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ListType {
    /// As one value.
    Atomic,
    /// As a set of scalars.
    Set,
    /// By these fields of its items.
    Map(Vec<String>),
}

/// The schema of a kind.
pub(super) enum Schema {
    /// Of a custom kind.
    Custom {
        /// As in the definition.
        open_api: Value,
        /// The same for a validator of JSON Schema.
        validator: Box<jsonschema::Validator>,
        /// For the rules.
        context: kube_cel::RootContext,
    },
    /// Of Kubernetes itself.
    BuiltIn(String),
}

impl Schema {
    pub(super) fn custom(open_api: Value, group: &str, version: &str, kind: &str) -> Self {
        let mut plain = open_api.clone();
        to_json_schema(&mut plain);
        let validator = Box::new(jsonschema::validator_for(&plain).unwrap());
        let context = kube_cel::RootContext {
            api_version: format!("{group}/{version}"),
            api_group: group.to_owned(),
            kind: kind.to_owned(),
        };
        Self::Custom { open_api, validator, context }
    }

    pub(super) fn built_in(kind: &str) -> Self {
        Self::BuiltIn(kind.to_owned())
    }

    /// The object as the server stores it.
    pub(super) fn normal(&self, object: &Value) -> Value {
        let mut object = object.clone();
        match self {
            Self::Custom { open_api, .. } => {
                object = self.pruned(&object);
                let metadata = object["metadata"].take();
                object = apply_defaults(open_api, &object);
                object["metadata"] = metadata;
            }
            Self::BuiltIn(kind) => {
                let metadata = object["metadata"].take();
                drop_empty(&mut object);
                object["metadata"] = metadata;
                built_in_defaults(kind, &mut object);
            }
        }
        object
    }

    /// What an object has before anybody has said anything: Go's structures are
    /// there although empty.
    pub(super) fn blank(&self) -> Value {
        match self {
            Self::Custom { .. } => json!({"metadata": {}}),
            Self::BuiltIn(kind) if kind == "NetworkPolicy" => json!({"metadata": {}, "spec": {"podSelector": {}}}),
            Self::BuiltIn(_) => json!({"metadata": {}, "spec": {}, "status": {}}),
        }
    }

    /// The object with defaults, before the server decides anything itself.
    pub(super) fn defaulted(&self, object: &Value) -> Value {
        let mut defaulted = self.normal(object);
        if let Self::BuiltIn(_) = self {
            if object["status"].is_null() {
                defaulted.as_object_mut().map(|fields| fields.remove("status"));
            }
            if object["spec"].is_null() {
                defaulted.as_object_mut().map(|fields| fields.remove("spec"));
            }
        } else if object["status"].is_null() {
            defaulted.as_object_mut().map(|fields| fields.remove("status"));
        }
        defaulted
    }

    /// The object without fields the schema does not know.
    pub(super) fn pruned(&self, object: &Value) -> Value {
        let mut object = object.clone();
        if let Self::Custom { open_api, .. } = self {
            let metadata = object["metadata"].take();
            prune(&mut object, open_api, true);
            object["metadata"] = metadata;
        }
        object
    }

    /// Whether some value is of another type than the schema says.
    pub(super) fn is_mistyped(&self, object: &Value) -> bool {
        fn inner(value: &Value, schema: &Value) -> bool {
            match (schema["type"].as_str(), value) {
                (Some("object"), Value::Object(fields)) => fields.iter().any(|(key, value)| {
                    let of = schema["properties"].get(key).or_else(|| schema.get("additionalProperties"));
                    of.is_some_and(|schema| inner(value, schema))
                }),
                (Some("array"), Value::Array(items)) => items.iter().any(|item| inner(item, &schema["items"])),
                (Some("string"), Value::String(_))
                | (Some("boolean"), Value::Bool(_))
                | (Some("integer" | "number"), Value::Number(_))
                | (None, _)
                | (_, Value::Null) => false,
                _ => true,
            }
        }
        match self {
            Self::Custom { open_api, .. } => ["spec", "status"]
                .iter()
                .any(|part| object.get(*part).is_some_and(|value| inner(value, &open_api["properties"][*part]))),
            Self::BuiltIn(_) => false,
        }
    }

    /// Whether a stored object is valid, and the change from `old` to it.
    pub(super) fn check(&self, kind: &str, object: &Value, old: Option<&Value>) -> Result<(), Refusal> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let invalid = |why: String| Refusal::invalid(kind, name, &why);
        match self {
            Self::Custom { open_api, validator, context } => {
                // Of metadata rules may see the name alone.
                let bare = |object: &Value| {
                    let mut bare = object.clone();
                    bare["metadata"] = json!({"name": object["metadata"]["name"]});
                    bare
                };
                let (object, old) = (bare(object), old.map(bare));
                if let Some(error) = validator.iter_errors(&object).next() {
                    return Err(invalid(format!("{}: {error}", error.instance_path())));
                }
                duplicates(&object, open_api, "").map_err(invalid)?;
                let judged = Validator::new().validate_with_context(open_api, &object, old.as_ref(), Some(context));
                judged.map_err(|errors| invalid(errors.to_string()))
            }
            Self::BuiltIn(built_in) => immutable(built_in, object, old).map_err(invalid),
        }
    }

    /// How the list at `path` (names of fields, items left out) is merged.
    pub(super) fn list_type(&self, path: &[&str]) -> ListType {
        match path {
            ["metadata", "finalizers"] => return ListType::Set,
            ["metadata", "ownerReferences"] => return ListType::Map(vec!["uid".to_owned()]),
            _ => {}
        }
        match self {
            Self::Custom { open_api, .. } => {
                let mut schema = open_api;
                for field in path {
                    let into = if schema["type"] == "array" { &schema["items"] } else { schema };
                    schema = &into["properties"][*field];
                }
                match schema["x-kubernetes-list-type"].as_str() {
                    Some("map") => {
                        let keys = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
                        ListType::Map(keys.filter_map(Value::as_str).map(str::to_owned).collect())
                    }
                    Some("set") => ListType::Set,
                    _ => ListType::Atomic,
                }
            }
            Self::BuiltIn(_) => match path {
                ["status", "conditions"] => ListType::Map(vec!["type".to_owned()]),
                ["spec", "containers"] => ListType::Map(vec!["name".to_owned()]),
                ["spec", "finalizers"] => ListType::Set,
                _ => ListType::Atomic,
            },
        }
    }

    /// Whether the object at `path`, or an item of the list there, is one value.
    pub(super) fn is_atomic_map(&self, path: &[&str]) -> bool {
        if path == ["metadata", "ownerReferences"] {
            return true;
        }
        match self {
            Self::Custom { .. } => false,
            Self::BuiltIn(kind) => {
                matches!(
                    (kind.as_str(), path),
                    ("RoleBinding", ["roleRef"]) | ("NetworkPolicy", ["spec", "podSelector"])
                )
            }
        }
    }
}

/// OpenAPI's extensions out; unknown fields are pruned before.
fn to_json_schema(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.retain(|key, _| !key.starts_with("x-kubernetes-") && key != "default");
            if let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) {
                // Names of properties are no keywords.
                properties.values_mut().for_each(to_json_schema);
            }
            for key in ["items", "additionalProperties"] {
                if let Some(inner) = fields.get_mut(key) {
                    to_json_schema(inner);
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(to_json_schema),
        _ => {}
    }
}

/// Removes fields the schema does not know.
fn prune(value: &mut Value, schema: &Value, root: bool) {
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    match value {
        Value::Object(fields) => {
            if let Some(known) = schema["properties"].as_object() {
                fields
                    .retain(|key, _| known.contains_key(key) || root && matches!(key.as_str(), "apiVersion" | "kind"));
                for (key, value) in fields {
                    prune(value, &known.get(key).cloned().unwrap_or_default(), false);
                }
            } else if let Some(each) = schema.get("additionalProperties").filter(|each| each.is_object()) {
                fields.values_mut().for_each(|value| prune(value, each, false));
            } else if schema["type"] == "object" {
                fields.retain(|key, _| root && matches!(key.as_str(), "apiVersion" | "kind"));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| prune(item, &schema["items"], false)),
        _ => {}
    }
}

/// Lists that are maps or sets hold nothing twice.
fn duplicates(value: &Value, schema: &Value, path: &str) -> Result<(), String> {
    match value {
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| {
            let of =
                schema["properties"].get(key).or_else(|| schema.get("additionalProperties")).unwrap_or(&Value::Null);
            duplicates(value, of, &format!("{path}.{key}"))
        }),
        Value::Array(items) => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array();
            let unique = keys.is_some() || schema["x-kubernetes-list-type"] == "set";
            let of = |item: &Value| match keys {
                Some(keys) => keys.iter().map(|key| item[key.as_str().unwrap_or_default()].clone()).collect::<Value>(),
                None => item.clone(),
            };
            let mut seen: Vec<Value> = Vec::new();
            for (index, item) in items.iter().enumerate() {
                let key = of(item);
                if unique && seen.contains(&key) {
                    return Err(format!("{path}[{index}]: Duplicate value"));
                }
                seen.push(key);
                duplicates(item, &schema["items"], &format!("{path}[{index}]"))?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Go's `omitempty`: lists and nulls that say nothing are not stored.
fn drop_empty(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(drop_empty);
            let says = |key: &str, value: &Value| match value {
                Value::Null => false,
                Value::Array(items) => !items.is_empty(),
                Value::Object(inner) => !inner.is_empty() || !matches!(key, "matchLabels" | "hard" | "data"),
                _ => true,
            };
            fields.retain(|key, value| says(key, value));
        }
        Value::Array(items) => items.iter_mut().for_each(drop_empty),
        _ => {}
    }
}

fn built_in_defaults(kind: &str, object: &mut Value) {
    match kind {
        "Namespace" => {
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = object["metadata"]["name"].clone();
            let ending = object.pointer("/metadata/deletionTimestamp").is_some();
            if object.pointer("/spec/finalizers").is_none() && !ending {
                object["spec"]["finalizers"] = json!(["kubernetes"]);
            }
            if object.pointer("/status/phase").is_none() {
                object["status"]["phase"] = json!("Active");
            }
        }
        "NetworkPolicy" => {
            if object.pointer("/spec/policyTypes").is_none() {
                let egress = object.pointer("/spec/egress").is_some();
                object["spec"]["policyTypes"] = if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
            }
            for path in ["/spec/egress", "/spec/ingress"] {
                for rule in object.pointer_mut(path).and_then(Value::as_array_mut).into_iter().flatten() {
                    for port in rule.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
                        if port.get("protocol").is_none() {
                            port["protocol"] = json!("TCP");
                        }
                    }
                }
            }
        }
        "ResourceQuota" | "Pod" | "CustomResourceDefinition" if object.get("status").is_none() => {
            object["status"] = Value::Object(Map::new());
        }
        "LimitRange" => {
            for limit in object.pointer_mut("/spec/limits").and_then(Value::as_array_mut).into_iter().flatten() {
                // What is not requested by default is what is limited by default.
                if limit["type"] == "Container" && limit.get("default").is_some() {
                    let mut request = limit["default"].clone();
                    for (key, value) in
                        limit.get("defaultRequest").and_then(Value::as_object).cloned().into_iter().flatten()
                    {
                        request[key] = value;
                    }
                    limit["defaultRequest"] = request;
                }
            }
        }
        _ => {}
    }
}

/// What of a built-in object cannot change.
fn immutable(kind: &str, object: &Value, old: Option<&Value>) -> Result<(), String> {
    let Some(old) = old else { return Ok(()) };
    let same = |path: &str| object.pointer(path) == old.pointer(path);
    match kind {
        "RoleBinding" if !same("/roleRef") => Err("roleRef: Invalid value: cannot change roleRef".to_owned()),
        "ResourceQuota" if !same("/spec/scopes") || !same("/spec/scopeSelector") => {
            Err("spec.scopes: Invalid value: field is immutable".to_owned())
        }
        _ => Ok(()),
    }
}
