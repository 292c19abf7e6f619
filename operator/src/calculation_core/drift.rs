//! Whether an object is as it is meant to be: everything we say of it holds,
//! whatever else the server and others say.

use hashinsight_crds::quantity::same_amount;
use serde_json::Value;

/// Lists that others may add named items to without our leave being asked.
const OPEN: [&str; 3] = ["containers", "volumes", "env"];

/// Fields that hold a quantity, which the server may spell otherwise.
const AMOUNTS: [&str; 3] = ["cpu", "memory", "sizeLimit"];

/// Whether everything in the object `wanted` is said in `seen`. Lists leave the
/// kind out of their items.
pub fn covers(seen: &Value, wanted: &Value) -> bool {
    let said =
        wanted.as_object().into_iter().flatten().filter(|(key, _)| !["apiVersion", "kind"].contains(&key.as_str()));
    said.into_iter().all(|(key, wanted)| seen.get(key).map_or(is_empty(wanted), |seen| inner(key, seen, wanted)))
}

fn inner(key: &str, seen: &Value, wanted: &Value) -> bool {
    match (seen, wanted) {
        // One label more selects other pods.
        (Value::Object(_), Value::Object(_)) if key == "selector" => seen == wanted,
        (Value::Object(seen), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| seen.get(key).map_or(is_empty(wanted), |seen| inner(key, seen, wanted)))
        }
        (Value::Array(seen), Value::Array(wanted)) if OPEN.contains(&key) => wanted
            .iter()
            .all(|wanted| seen.iter().any(|seen| seen["name"] == wanted["name"] && inner("", seen, wanted))),
        (Value::Array(seen), Value::Array(wanted)) => {
            seen.len() == wanted.len() && seen.iter().zip(wanted).all(|(seen, wanted)| inner("", seen, wanted))
        }
        (Value::String(seen), Value::String(wanted)) if AMOUNTS.contains(&key) => same_amount(seen, wanted),
        _ => seen == wanted,
    }
}

/// What the server leaves out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(all) => all.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_others_add_is_no_drift_and_what_they_change_is() {
        let wanted = json!({"spec": {"replicas": 2, "containers": [{"name": "core", "image": "a"}],
            "backendRefs": [{"name": "x", "weight": 5}], "podSelector": {}, "memory": "1Gi"}});
        let mut seen = json!({"status": {}, "spec": {"replicas": 2, "paused": false, "memory": "1024Mi",
            "containers": [{"name": "proxy"}, {"name": "core", "image": "a", "tty": false}],
            "backendRefs": [{"name": "x", "weight": 5, "group": ""}]}});
        assert!(covers(&seen, &wanted));
        for (path, other) in
            [("/spec/replicas", json!(3)), ("/spec/containers/1/image", json!("b")), ("/spec/memory", json!("2Gi"))]
        {
            let before = std::mem::replace(seen.pointer_mut(path).unwrap(), other);
            assert!(!covers(&seen, &wanted), "{path}");
            *seen.pointer_mut(path).unwrap() = before;
        }
        assert!(!covers(&json!({"selector": {"a": "1", "b": "2"}}), &json!({"selector": {"a": "1"}})));
        seen["spec"]["backendRefs"].as_array_mut().unwrap().push(json!({"name": "y", "weight": 50}));
        assert!(!covers(&seen, &wanted), "a backend more is another split");
    }
}
