//! Label and field selectors of lists, watches and collections.

use serde_json::Value;

use super::request::Request;

/// Whether the request's selectors choose the object.
pub(super) fn selected(request: &Request, object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    let label = |term: &str| match term.split_once("!=") {
        Some((key, value)) => labels[key].as_str() != Some(value),
        None => match term.split_once('=') {
            Some((key, value)) => labels[key].as_str() == Some(value.trim_start_matches('=')),
            None => match term.strip_prefix('!') {
                Some(key) => labels[key].is_null(),
                None => !labels[term].is_null(),
            },
        },
    };
    let field = |term: &str| match term.split_once('=') {
        Some((path, value)) => {
            let pointer = format!("/{}", path.replace('.', "/"));
            object.pointer(&pointer).and_then(Value::as_str) == Some(value.trim_start_matches('='))
        }
        None => false,
    };
    let terms = |name: &str| -> Vec<String> {
        request.parameter(name).split(',').filter(|term| !term.is_empty()).map(str::to_owned).collect()
    };
    terms("labelSelector").iter().all(|term| label(term)) && terms("fieldSelector").iter().all(|term| field(term))
}
