//! The generated CRDs match what is committed, and keep the conventions
//! C1–C13 that people and tools rely on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests read files and clocks")]

use std::collections::BTreeSet;
use std::path::Path;

use hashinsight_crds::schema::{self, ANNOTATION_BUNDLE, ANNOTATION_CHANNEL};
use serde_json::{Value, json};

fn crds() -> Vec<Value> {
    schema::all().unwrap().iter().map(|crd| json!(crd)).collect()
}

fn root(crd: &Value) -> &Value {
    &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

/// Calls `check` with the path of every schema below, and whether it lies in a
/// list.
fn walk(path: &str, in_list: bool, schema: &Value, check: &mut impl FnMut(&str, bool, &Value)) {
    check(path, in_list, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), in_list, property, check);
    }
    if schema["items"].is_object() {
        walk(&format!("{path}[]"), true, &schema["items"], check);
    }
    if schema["additionalProperties"].is_object() {
        walk(&format!("{path}{{}}"), in_list, &schema["additionalProperties"], check);
    }
}

/// Every complaint of `check` over every field of every kind.
fn complaints(mut check: impl FnMut(&str, bool, &Value) -> Option<String>) -> Vec<String> {
    let mut all = Vec::new();
    for crd in crds() {
        walk(crd["spec"]["names"]["kind"].as_str().unwrap(), false, root(&crd), &mut |path, in_list, schema| {
            all.extend(check(path, in_list, schema).map(|complaint| format!("{path}: {complaint}")));
        });
    }
    all
}

fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn committed_yaml_is_what_the_types_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml");
    let mut expected = BTreeSet::new();
    for (name, text) in schema::files().unwrap() {
        let committed = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
        assert_eq!(committed, text, "crds/yaml/{name} is not what the types say: run `make gen`");
        expected.insert(name);
    }
    let there: BTreeSet<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, expected, "a file that no kind generates: run `make gen`");
}

#[test]
fn c1_c2_conditions_are_maps_and_an_unseen_object_is_not_current() {
    for crd in crds() {
        let kind = &crd["spec"]["names"]["kind"];
        let status = &root(&crd)["properties"]["status"];
        assert_eq!(status["default"], json!({"observedGeneration": -1}), "{kind}");
        assert!(status["properties"]["observedGeneration"].is_object(), "{kind}");
        let conditions = &status["properties"]["conditions"];
        assert_eq!(conditions["x-kubernetes-list-type"], "map", "{kind}");
        assert_eq!(conditions["x-kubernetes-list-map-keys"], json!(["type"]), "{kind}");
        let fields = &conditions["items"]["properties"];
        assert_eq!(fields["status"]["enum"], json!(["True", "False", "Unknown"]), "{kind}");
        assert_eq!(fields["reason"]["minLength"], 1, "{kind}");
        assert!(fields["observedGeneration"].is_object(), "{kind}");
        assert_eq!(crd["spec"]["versions"][0]["subresources"]["status"], json!({}), "{kind}");
    }
}

#[test]
fn c4_columns_tell_what_matters_and_exist() {
    for crd in crds() {
        let kind = &crd["spec"]["names"]["kind"];
        let columns = crd["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap();
        let shown: Vec<&str> = columns
            .iter()
            .filter(|c| c["priority"].as_i64().unwrap_or(0) == 0)
            .map(|c| c["name"].as_str().unwrap())
            .collect();
        assert!((3..=5).contains(&shown.len()), "{kind}: {shown:?}");
        assert_eq!(shown[..2], ["Ready", "Reason"], "{kind}");
        assert_eq!(shown.last(), Some(&"Age"), "{kind}");
        for column in columns {
            let path = column["jsonPath"].as_str().unwrap();
            if path.starts_with(".metadata.") {
                continue;
            }
            let plain = path.replace("[?(@.type==\"Ready\")]", "[]");
            let mut schema = root(&crd);
            for step in plain.trim_start_matches('.').split('.') {
                schema = &schema["properties"][step.trim_end_matches("[]")];
                if step.ends_with("[]") {
                    schema = &schema["items"];
                }
            }
            assert!(schema.is_object(), "{kind}: column {path} reads nothing");
        }
    }
}

#[test]
fn c5_names_are_short_unique_and_in_one_category() {
    let core = [
        "po", "svc", "ns", "no", "cm", "pv", "pvc", "rs", "ds", "sts", "deploy", "ev", "ep", "sa", "quota", "limits",
        "rc", "cs", "hpa", "cj", "csr", "ing", "netpol", "pdb", "pc", "sc", "crd",
    ];
    let mut seen: BTreeSet<String> = core.iter().map(ToString::to_string).collect();
    for crd in crds() {
        let names = &crd["spec"]["names"];
        assert_eq!(names["categories"], json!(["hashinsight"]));
        for short in names["shortNames"].as_array().unwrap() {
            assert!(seen.insert(short.as_str().unwrap().to_owned()), "short name {short} is taken");
        }
    }
}

#[test]
fn c6_rules_have_messages_and_everything_is_bounded() {
    none(&complaints(|_, _, schema| {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            if rule["message"].as_str().is_none_or(str::is_empty) {
                return Some(format!("rule {} has no message", rule["rule"]));
            }
        }
        match schema["type"].as_str() {
            Some("string") => {
                let bounded = ["maxLength", "enum", "format"].iter().any(|key| !schema[*key].is_null());
                (!bounded).then(|| "a string without maxLength, enum or format".into())
            }
            Some("array") => schema["maxItems"].is_null().then(|| "a list without maxItems".into()),
            Some("integer") => schema["minimum"].is_null().then(|| "an integer without minimum".into()),
            _ => None,
        }
    }));
}

#[test]
fn c7_every_list_says_how_it_merges() {
    none(&complaints(|_, _, schema| {
        (schema["type"] == "array" && schema["x-kubernetes-list-type"].is_null()).then(|| "no list type".into())
    }));
}

#[test]
fn c8_types_keep_to_the_conventions() {
    none(&complaints(|path, _, schema| {
        let name = path.rsplit('.').next().unwrap_or_default().trim_end_matches("[]");
        let lower = name.to_lowercase();
        let pascal = |value: &Value| {
            value.as_str().is_some_and(|v| {
                v.starts_with(|c: char| c.is_ascii_uppercase()) && v.chars().all(|c| c.is_ascii_alphanumeric())
            })
        };
        if schema["type"] == "number" {
            return Some("floating point".into());
        }
        if schema["nullable"] == true {
            return Some("nullable".into());
        }
        // Yes or no is all these two will ever say.
        let plain = ["page", "excludeFromObjectives"].contains(&name);
        if schema["type"] == "boolean" && !plain {
            return Some("a boolean; an enumeration can grow".into());
        }
        if name == "phase" {
            return Some("phase".into());
        }
        if schema["enum"].as_array().is_some_and(|values| !values.iter().all(pascal)) {
            return Some("an enumeration that is not PascalCase".into());
        }
        let timed = ["duration", "timeout", "interval", "period", "deadline"].iter().any(|word| lower.contains(word));
        let unit = ["Seconds", "Minutes", "Hours", "Days"].iter().any(|unit| name.ends_with(unit));
        (schema["type"] == "integer" && timed && !unit).then(|| "a duration without its unit".into())
    }));
}

#[test]
fn c9_every_field_is_described() {
    none(&complaints(|_, _, schema| {
        let text = schema["description"].as_str().unwrap_or_default();
        (text.len() < 8 || text.contains("Auto-generated")).then(|| format!("description {text:?}"))
    }));
}

#[test]
fn c10_defaults_stand_on_scalars_outside_lists() {
    none(&complaints(|path, in_list, schema| {
        let default = &schema["default"];
        let bad =
            !default.is_null() && !path.ends_with(".status") && (in_list || default.is_object() || default.is_array());
        bad.then(|| format!("default {default}"))
    }));
}

#[test]
fn c11_c12_c13_the_set_has_a_version_and_fields_to_select_by() {
    for crd in crds() {
        let annotations = &crd["metadata"]["annotations"];
        assert_eq!(annotations[ANNOTATION_BUNDLE], concat!("v", env!("CARGO_PKG_VERSION")));
        assert_eq!(annotations[ANNOTATION_CHANNEL], "experimental");
        let versions = crd["spec"]["versions"].as_array().unwrap();
        assert_eq!(versions.len(), 1);
        assert_eq!((&versions[0]["served"], &versions[0]["storage"]), (&json!(true), &json!(true)));
        assert!(versions[0]["subresources"]["scale"].is_null(), "replicas are not the user's");
    }
    let tenants = crds().into_iter().find(|c| c["spec"]["names"]["kind"] == "Tenant").unwrap();
    let selectable: Vec<&str> = tenants["spec"]["versions"][0]["selectableFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["jsonPath"].as_str().unwrap())
        .collect();
    assert_eq!(selectable, [".spec.planRef.name", ".spec.lifecycle"]);
}

#[test]
fn the_lint_itself_finds_what_it_should() {
    let mut found = Vec::new();
    let bad = json!({"type": "object", "properties": {"list": {"type": "array", "items": {"type": "string", "default": "x"}}}});
    walk("Bad", false, &bad, &mut |path, in_list, _| found.push((path.to_owned(), in_list)));
    assert_eq!(found, [("Bad".into(), false), ("Bad.list".into(), false), ("Bad.list[]".into(), true)]);
}
