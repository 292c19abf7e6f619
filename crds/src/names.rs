//! Names, labels and annotations the product writes or reads, once.

use sha2::{Digest, Sha256};

/// Namespaces of tenants are `tenant-<name>`.
pub const NAMESPACE_PREFIX: &str = "tenant-";
/// Namespace names hold 63 characters; the prefix takes seven.
pub const TENANT_NAME_MAX: usize = 56;

/// On every object the operator owns.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "hashinsight-operator");
/// Name of the tenant an object belongs to.
pub const LABEL_TENANT: &str = "hashinsight.net/tenant";
/// `status.id` of the tenant; survives release and re-take.
pub const LABEL_TENANT_ID: &str = "hashinsight.net/tenant-id";
/// Region whose data a namespace holds.
pub const LABEL_REGION: &str = "hashinsight.net/region";
/// `true` on a namespace whose tenant was deleted under Retain.
pub const LABEL_RELEASED: &str = "hashinsight.net/released";
/// uid of the Tenant that holds a namespace.
pub const ANNOTATION_CLAIM: &str = "hashinsight.net/claimed-by";
/// When a namespace was released, RFC 3339.
pub const ANNOTATION_RELEASED_AT: &str = "hashinsight.net/released-at";
/// Finalizer on Tenants.
pub const TENANT_FINALIZER: &str = "hashinsight.net/tenant";
/// Well-known region label of nodes.
pub const NODE_REGION: &str = "topology.kubernetes.io/region";
/// Name of the one TenantSummary in a tenant's namespace.
pub const SUMMARY_NAME: &str = "summary";

/// Name of the CalculationCore an object belongs to.
pub const LABEL_CORE: &str = "hashinsight.net/core";
/// Revision of a core that a pod or an object is of; scraping makes it the
/// label [`REVISION_LABEL`] of metrics.
pub const LABEL_REVISION: &str = "hashinsight.net/revision";
/// The label of metrics that tells revisions apart.
pub const REVISION_LABEL: &str = "revision";
/// What kind of change a core's spec is: Feature, Fix or Security.
pub const ANNOTATION_CHANGE_CLASS: &str = "hashinsight.net/change-class";
/// State a route was written from: an older one never overwrites it.
pub const ANNOTATION_SEQUENCE: &str = "hashinsight.net/sequence";

/// The namespace of tenant `name`.
pub fn tenant_namespace(name: &str) -> String {
    format!("{NAMESPACE_PREFIX}{name}")
}

/// The tenant a namespace belongs to by its name; `None` for other namespaces.
pub fn tenant_of_namespace(namespace: &str) -> Option<&str> {
    namespace.strip_prefix(NAMESPACE_PREFIX).filter(|name| !name.is_empty())
}

/// Identity that outlives names: `t` and 20 hexadecimal digits (80 bits) of a
/// hash of the uid, fit for labels, database roles, key aliases and URIs.
pub fn tenant_id(uid: &str) -> String {
    let digest = Sha256::new().chain_update(b"hashinsight.net/tenant-id\0").chain_update(uid.as_bytes()).finalize();
    let hex: String = digest.iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    format!("t{hex}")
}

/// Whether `text` has the form of a tenant's id.
pub fn is_tenant_id(text: &str) -> bool {
    let digits = text.strip_prefix('t').unwrap_or_default();
    digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_label_safe() {
        let id = tenant_id("6f4a1f0e-0f57-4f0c-a7a9-1d0c2b1f2c11");
        assert_eq!(id, "t62a942e064705d689300");
        assert_eq!(id.len(), 21);
        assert!(is_tenant_id(&id));
        for no in ["", "t", "forged", "t62A942E064705D689300", "62a942e064705d6893000"] {
            assert!(!is_tenant_id(no), "{no}");
        }
        assert_ne!(id, tenant_id("6f4a1f0e-0f57-4f0c-a7a9-1d0c2b1f2c12"));
    }

    #[test]
    fn namespaces_lead_back_to_tenants() {
        assert_eq!(tenant_of_namespace(&tenant_namespace("acme")), Some("acme"));
        assert_eq!(tenant_of_namespace("tenant-"), None);
        assert_eq!(tenant_of_namespace("kube-system"), None);
        assert_eq!(tenant_namespace(&"a".repeat(TENANT_NAME_MAX)).len(), 63);
    }
}
