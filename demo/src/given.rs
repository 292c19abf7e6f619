//! Is the user's own cluster fit? Nothing is changed before it is.

use serde_json::Value;

use crate::{Stage, Trouble};

/// Oldest minor version of Kubernetes 1 that is supported.
const OLDEST_MINOR: u32 = 36;

pub(crate) fn check(stage: &Stage, context: &str) -> Result<(), Trouble> {
    // Not by way of the context, which may not be there.
    let known = stage.without_context(&["config", "get-contexts", "-o", "name"])?;
    if !known.lines().any(|name| name == context) {
        let known = known.lines().collect::<Vec<_>>().join(", ");
        return Err(Trouble::Context {
            name: context.to_owned(),
            kubeconfig: std::env::var("KUBECONFIG").unwrap_or_else(|_| "~/.kube/config".to_owned()),
            known: if known.is_empty() { "none".to_owned() } else { known },
        });
    }
    let told = stage
        .ask("kubectl", &["version", "-o", "json", "--request-timeout=10s"])
        .map_err(|trouble| Trouble::Unreachable { context: context.to_owned(), told: trouble.to_string() })?;
    let version: Value = serde_json::from_str(&told).unwrap_or_default();
    let found = version["serverVersion"]["gitVersion"].as_str().unwrap_or("of an unknown version").to_owned();
    if !is_supported(&found) {
        return Err(Trouble::TooOld { context: context.to_owned(), found });
    }
    for (what, verb, resource) in [
        ("create CustomResourceDefinitions", "create", "customresourcedefinitions.apiextensions.k8s.io"),
        ("create ClusterRoles", "create", "clusterroles.rbac.authorization.k8s.io"),
        ("create namespaces", "create", "namespaces"),
    ] {
        // It exits 1 for no.
        if stage.ask("kubectl", &["auth", "can-i", verb, resource, "--quiet"]).is_err() {
            return Err(Trouble::Forbidden { context: context.to_owned(), what });
        }
    }
    localcluster::say(&format!("   context {context}: Kubernetes {found}, reached by its kubeconfig alone\n"));
    Ok(())
}

fn is_supported(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map_while(|n| n.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(1), Some(OLDEST_MINOR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_unknown_versions_are_refused() {
        for (version, supported) in
            [("v1.36.0", true), ("v1.37.2", true), ("v2.0.0", true), ("v1.35.9", false), ("v1.9.0", false), ("", false)]
        {
            assert_eq!(is_supported(version), supported, "{version}");
        }
    }
}
