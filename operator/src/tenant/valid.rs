//! A Tenant whose metadata has been parsed once, at the door.

use hashinsight_crds::names::{TENANT_FINALIZER, tenant_namespace};
use hashinsight_crds::tenant::{Tenant, TenantSpec, TenantStatus};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::ObjectMeta;

use crate::api::Target;
use crate::kinds::TENANTS;

/// Who a Tenant is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name of the object.
    pub name: String,
    /// uid of the object.
    pub uid: String,
    /// Generation of the spec.
    pub generation: i64,
    /// Version of the object, for compare-and-swap.
    pub resource_version: String,
    /// Name of its namespace.
    pub namespace: String,
    /// Its finalizers.
    pub finalizers: Vec<String>,
    /// It is being deleted.
    pub deleting: bool,
}

impl Identity {
    /// Reads the metadata; the API server always sets what is read here.
    pub fn of(meta: &ObjectMeta) -> Self {
        let name = meta.name.clone().unwrap_or_default();
        Self {
            namespace: tenant_namespace(&name),
            name,
            uid: meta.uid.clone().unwrap_or_default(),
            generation: meta.generation.unwrap_or_default(),
            resource_version: meta.resource_version.clone().unwrap_or_default(),
            finalizers: meta.finalizers.clone().unwrap_or_default(),
            deleting: meta.deletion_timestamp.is_some(),
        }
    }

    /// Whether our finalizer holds it.
    pub fn is_held(&self) -> bool {
        self.finalizers.iter().any(|f| f == TENANT_FINALIZER)
    }

    /// Where the Tenant itself is.
    pub fn target(&self) -> Target<'_> {
        Target { kind: &TENANTS, namespace: None, name: &self.name }
    }

    /// What events are about.
    pub fn reference(&self) -> ObjectReference {
        ObjectReference {
            api_version: Some(TENANTS.api_version()),
            kind: Some(TENANTS.kind.to_owned()),
            name: Some(self.name.clone()),
            uid: Some(self.uid.clone()),
            ..ObjectReference::default()
        }
    }
}

/// A Tenant ready to be planned for.
#[derive(Clone, Debug)]
pub struct ValidTenant {
    /// Who it is.
    pub who: Identity,
    /// What is wanted.
    pub spec: TenantSpec,
    /// What was said of it last.
    pub before: TenantStatus,
}

impl ValidTenant {
    /// Parses what the API server gave us. The schema and its rules have
    /// already refused what one object can get wrong.
    pub fn of(tenant: &Tenant) -> Self {
        Self {
            who: Identity::of(&tenant.metadata),
            spec: tenant.spec.clone(),
            before: tenant.status.clone().unwrap_or_default(),
        }
    }
}
