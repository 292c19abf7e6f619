//! Who owns which field: server-side apply, by the rules of the API's
//! documentation and of structured-merge-diff. Ownership is kept where the
//! server keeps it, in `metadata.managedFields`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::schema::{ListType, Schema};

/// One step of a path, spelt as in managedFields: `f:name`, `k:{…}`, `v:…`.
type Path = Vec<String>;
/// Leaves, and items of lists that are maps, that somebody set.
pub(super) type Fields = BTreeSet<Path>;
/// Whose: manager, operation, subresource.
pub(super) type Manager = (String, String, String);

/// What of an object nobody owns: identity, and what the server writes.
fn is_ignored(path: &[&str]) -> bool {
    matches!(path, ["apiVersion" | "kind"])
        || matches!(
            path,
            [
                "metadata",
                "name" | "namespace" | "uid" | "resourceVersion" | "generation" | "creationTimestamp" | "managedFields"
            ]
        )
}

/// Every field that is set in `object`, under `root` for a subresource.
pub(super) fn fields_of(object: &Value, schema: &Schema, only_status: Option<bool>) -> Fields {
    let mut fields = Fields::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        let wanted = only_status.is_none_or(|only| (key == "status") == only);
        if wanted {
            collect(value, &mut vec![format!("f:{key}")], &mut vec![key], schema, &mut fields);
        }
    }
    fields
}

fn collect<'a>(value: &'a Value, path: &mut Path, names: &mut Vec<&'a str>, schema: &Schema, fields: &mut Fields) {
    if is_ignored(names) {
        return;
    }
    match value {
        Value::Object(inner) if !schema.is_atomic_map(names) => {
            // A map that is there, though empty, is somebody's.
            if inner.is_empty() {
                fields.insert(path.clone());
            }
            collect_below(inner, path, names, schema, fields);
        }
        Value::Array(items) => match schema.list_type(names) {
            ListType::Atomic => {
                fields.insert(path.clone());
            }
            list_type => {
                for item in items {
                    path.push(item_step(item, &list_type));
                    fields.insert(path.clone());
                    if let Some(inner) = item.as_object().filter(|_| !schema.is_atomic_map(names)) {
                        collect_below(inner, path, names, schema, fields);
                    }
                    path.pop();
                }
            }
        },
        _ => {
            fields.insert(path.clone());
        }
    }
}

fn collect_below<'a>(
    inner: &'a Map<String, Value>,
    path: &mut Path,
    names: &mut Vec<&'a str>,
    schema: &Schema,
    fields: &mut Fields,
) {
    for (key, value) in inner {
        path.push(format!("f:{key}"));
        names.push(key);
        collect(value, path, names, schema, fields);
        names.pop();
        path.pop();
    }
}

pub(super) fn item_step(item: &Value, list_type: &ListType) -> String {
    match list_type {
        ListType::Map(keys) => {
            let of: Map<String, Value> = keys.iter().map(|key| (key.clone(), item[key].clone())).collect();
            format!("k:{}", Value::Object(of))
        }
        _ => format!("v:{item}"),
    }
}

/// What is set in `after` and not, or not so, in `before`: as a writer that
/// updates comes to own it. A map that comes is owned beside its fields.
pub(super) fn changes(before: &Value, after: &Value, schema: &Schema, only_status: Option<bool>) -> Fields {
    let mut fields = Fields::new();
    for (key, value) in after.as_object().into_iter().flatten() {
        if only_status.is_none_or(|only| (key == "status") == only) {
            compare(&before[key], value, &mut vec![format!("f:{key}")], &mut vec![key], schema, &mut fields);
        }
    }
    fields
}

fn compare<'a>(
    before: &Value,
    after: &'a Value,
    path: &mut Path,
    names: &mut Vec<&'a str>,
    schema: &Schema,
    fields: &mut Fields,
) {
    if is_ignored(names) {
        return;
    }
    match after {
        Value::Object(inner) if !schema.is_atomic_map(names) => {
            if !before.is_object() {
                fields.insert(path.clone());
            }
            for (key, value) in inner {
                path.push(format!("f:{key}"));
                names.push(key);
                compare(&before[key], value, path, names, schema, fields);
                names.pop();
                path.pop();
            }
        }
        Value::Array(items) if schema.list_type(names) != ListType::Atomic => {
            if !before.is_array() {
                fields.insert(path.clone());
            }
            let list_type = schema.list_type(names);
            for item in items {
                let step = item_step(item, &list_type);
                let there = before.as_array().and_then(|old| old.iter().find(|one| item_step(one, &list_type) == step));
                path.push(step);
                match (item, there) {
                    (item, Some(there)) if schema.is_atomic_map(names) && there == item => {}
                    (_, _) if schema.is_atomic_map(names) => {
                        fields.insert(path.clone());
                    }
                    (Value::Object(inner), there) => {
                        if there.is_none() {
                            fields.insert(path.clone());
                        }
                        for (key, value) in inner {
                            path.push(format!("f:{key}"));
                            names.push(key);
                            compare(&there.unwrap_or(&Value::Null)[key], value, path, names, schema, fields);
                            names.pop();
                            path.pop();
                        }
                    }
                    (_, None) => {
                        fields.insert(path.clone());
                    }
                    _ => {}
                }
                path.pop();
            }
        }
        after if before != after => {
            fields.insert(path.clone());
        }
        _ => {}
    }
}

/// Removes the field at `path`; the last of a map leaves an empty map behind,
/// which goes, too, when nobody owns it.
pub(super) fn remove(object: &mut Value, path: &[String], schema: &Schema) {
    fn inner(value: &mut Value, path: &[String], names: &mut Vec<String>, schema: &Schema) -> bool {
        let Some((step, rest)) = path.split_first() else { return true };
        if let Some(key) = step.strip_prefix("f:") {
            names.push(key.to_owned());
            let gone = value.get_mut(key).is_some_and(|value| inner(value, rest, names, schema));
            names.pop();
            if gone && let Some(fields) = value.as_object_mut() {
                fields.remove(key);
            }
            return value.as_object().is_some_and(Map::is_empty);
        }
        let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
        let list_type = schema.list_type(&borrowed);
        let Some(items) = value.as_array_mut() else { return false };
        let Some(index) = items.iter().position(|item| item_step(item, &list_type) == *step) else { return false };
        if rest.is_empty() {
            items.remove(index);
        } else {
            inner(&mut items[index], rest, names, schema);
        }
        items.is_empty()
    }
    inner(object, path, &mut Vec::new(), schema);
}

/// `applied` laid over `live`: maps and lists that are maps are merged,
/// everything else is taken from `applied`.
pub(super) fn merge(live: &mut Value, applied: &Value, schema: &Schema) {
    fn inner<'a>(live: &mut Value, applied: &'a Value, names: &mut Vec<&'a str>, schema: &Schema) {
        match applied {
            Value::Object(fields) if live.is_object() && !schema.is_atomic_map(names) => {
                for (key, value) in fields {
                    names.push(key);
                    if is_ignored(names) && names.len() == 2 {
                        names.pop();
                        continue;
                    }
                    inner(&mut live[key], value, names, schema);
                    names.pop();
                }
            }
            Value::Array(items) if live.is_array() => {
                let list_type = schema.list_type(names);
                let Some(there) = live.as_array_mut().filter(|_| list_type != ListType::Atomic) else {
                    *live = applied.clone();
                    return;
                };
                let order = merged_order(&steps(there, &list_type), &steps(items, &list_type));
                let merged = order.into_iter().map(|step| {
                    let of = |all: &'a [Value]| all.iter().find(|item| item_step(item, &list_type) == step);
                    let at = there.iter().position(|item| item_step(item, &list_type) == step);
                    let mut one = at.map_or(Value::Null, |at| there[at].clone());
                    if let Some(item) = of(items) {
                        inner(&mut one, item, names, schema);
                    }
                    one
                });
                *there = merged.collect();
            }
            _ => *live = applied.clone(),
        }
    }
    inner(live, applied, &mut Vec::new(), schema);
}

fn steps(items: &[Value], list_type: &ListType) -> Vec<String> {
    items.iter().map(|item| item_step(item, list_type)).collect()
}

/// The order of a merged list: both orders are kept where they agree; where
/// they do not, the applied one wins.
fn merged_order(live: &[String], applied: &[String]) -> Vec<String> {
    let mut shared = applied.iter().filter(|step| live.contains(step));
    let mut next = shared.next();
    let mut order: Vec<String> = Vec::new();
    let (mut l, mut a) = (0, 0);
    while l < live.len() || a < applied.len() {
        if let (Some(mine), Some(theirs)) = (live.get(l), applied.get(a)) {
            if mine == theirs {
                order.push(mine.clone());
                (l, a) = (l + 1, a + 1);
                next = shared.next();
                continue;
            }
            if applied.contains(mine) && next.is_some_and(|next| next != mine) {
                // Its turn comes with the applied list.
                l += 1;
                continue;
            }
        }
        if let Some(mine) = live.get(l) {
            if !applied.contains(mine) {
                order.push(mine.clone());
                l += 1;
                continue;
            }
            if order.contains(mine) {
                l += 1;
            }
        }
        if let Some(theirs) = applied.get(a) {
            order.push(theirs.clone());
            a += 1;
            if next == Some(theirs) {
                next = shared.next();
            }
        }
    }
    order
}

/// The managers of an object.
pub(super) fn managers(object: &Value) -> BTreeMap<Manager, Fields> {
    let mut all = BTreeMap::new();
    for entry in object["metadata"]["managedFields"].as_array().into_iter().flatten() {
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let mut fields = Fields::new();
        decode(&entry["fieldsV1"], &mut Vec::new(), &mut fields);
        all.insert((text("manager"), text("operation"), text("subresource")), fields);
    }
    all
}

fn decode(value: &Value, path: &mut Path, fields: &mut Fields) {
    for (key, inner) in value.as_object().into_iter().flatten() {
        if key == "." {
            fields.insert(path.clone());
            continue;
        }
        path.push(key.clone());
        if inner.as_object().is_some_and(Map::is_empty) {
            fields.insert(path.clone());
        }
        decode(inner, path, fields);
        path.pop();
    }
}

/// Writes the managers into the object; those without fields go.
pub(super) fn set_managers(
    object: &mut Value,
    all: &BTreeMap<Manager, Fields>,
    api_version: &str,
    now: &str,
    before: Option<&Value>,
) {
    let mut entries = Vec::new();
    for ((manager, operation, subresource), fields) in all.iter().filter(|(_, fields)| !fields.is_empty()) {
        let mut tree = json!({});
        for path in fields {
            let mut at = &mut tree;
            for step in path {
                if at.get(step).is_none() {
                    at[step] = json!({});
                }
                at = &mut at[step];
            }
        }
        for path in fields {
            let mut at = &mut tree;
            for step in path {
                at = &mut at[step];
            }
            // Owned itself, and so are fields below.
            if at.as_object().is_some_and(|below| !below.is_empty()) {
                at["."] = json!({});
            }
        }
        let mut entry = json!({
            "manager": manager, "operation": operation, "apiVersion": api_version,
            "fieldsType": "FieldsV1", "fieldsV1": tree,
        });
        if !subresource.is_empty() {
            entry["subresource"] = json!(subresource);
        }
        let earlier = before.and_then(|before| before["metadata"]["managedFields"].as_array()).into_iter().flatten();
        let same = earlier.into_iter().find(|old| {
            let mut old = (*old).clone();
            old.as_object_mut().map(|fields| fields.remove("time"));
            old == entry
        });
        entry["time"] = same.map_or_else(|| json!(now), |old| old["time"].clone());
        entries.push(entry);
    }
    if entries.is_empty() {
        object["metadata"].as_object_mut().map(|metadata| metadata.remove("managedFields"));
    } else {
        object["metadata"]["managedFields"] = json!(entries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        Schema::built_in("Namespace")
    }

    #[test]
    fn ownership_survives_being_written_down() {
        let object = json!({
            "metadata": {"name": "x", "labels": {"a": "1", "b": "2"}, "finalizers": ["one/two"]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}], "empty": {}},
        });
        let fields = fields_of(&object, &schema(), None);
        let path = |steps: &[&str]| steps.iter().map(|s| (*s).to_owned()).collect::<Path>();
        assert!(fields.contains(&path(&["f:metadata", "f:labels", "f:a"])));
        assert!(fields.contains(&path(&["f:metadata", "f:finalizers", "v:\"one/two\""])));
        assert!(fields.contains(&path(&["f:status", "f:conditions", "k:{\"type\":\"Ready\"}", "f:status"])));
        assert!(!fields.iter().any(|path| path.contains(&"f:name".to_owned())));
        let all = BTreeMap::from([(("m".to_owned(), "Apply".to_owned(), String::new()), fields)]);
        let mut written = object.clone();
        set_managers(&mut written, &all, "v1", "now", None);
        assert_eq!(managers(&written), all);
    }

    #[test]
    fn lists_that_are_maps_are_merged_and_fields_removed() {
        let mut live = json!({"status": {"conditions": [{"type": "A", "status": "1"}, {"type": "B", "status": "2"}]}});
        merge(&mut live, &json!({"status": {"conditions": [{"type": "B", "status": "3"}]}}), &schema());
        assert_eq!(live["status"]["conditions"], json!([{"type": "A", "status": "1"}, {"type": "B", "status": "3"}]));
        let item = ["f:status", "f:conditions", "k:{\"type\":\"B\"}"].map(str::to_owned);
        remove(&mut live, &item, &schema());
        assert_eq!(live["status"]["conditions"], json!([{"type": "A", "status": "1"}]));
    }
}
