//! Who holds a namespace. A namespace that is not the tenant's is never
//! adopted; one that was released is taken up.

use hashinsight_crds::names::{LABEL_REGION, LABEL_TENANT, LABEL_TENANT_ID, is_tenant_id, tenant_id};

use super::seen::NamespaceSeen;
use super::valid::Identity;

/// The tenant's hold on the namespace of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// There is none yet.
    Free,
    /// It is the tenant's.
    Ours,
    /// A tenant of this name released it.
    Released,
    /// It is being deleted.
    Leaving {
        /// It was the tenant's.
        ours: bool,
    },
    /// It is somebody else's; the text says whose and what to do.
    Taken(String),
}

impl Hold {
    /// Judges `namespace`. Two marks prove ownership, the claim by uid and the
    /// id; either repairs the other when one was tampered with.
    pub fn of(who: &Identity, id: &str, namespace: Option<&NamespaceSeen>) -> Self {
        let Some(seen) = namespace else { return Self::Free };
        let label = |key| seen.labels.get(key).map(String::as_str);
        let of_this_name = label(LABEL_TENANT) == Some(who.name.as_str());
        let ours = seen.claim.as_deref() == Some(&who.uid)
            || (!seen.released && of_this_name && label(LABEL_TENANT_ID) == Some(id));
        match &seen.claim {
            _ if seen.terminating => Self::Leaving { ours },
            _ if ours => Self::Ours,
            None if seen.released && of_this_name => Self::Released,
            Some(claim) => Self::Taken(format!(
                "namespace {ns} is claimed by another Tenant (uid {claim}). If that Tenant is gone and its content is to be \
                 taken up: kubectl annotate namespace {ns} {claim_key}- && kubectl label namespace {ns} {released}=true {tenant}={name} --overwrite",
                ns = who.namespace,
                name = who.name,
                claim_key = hashinsight_crds::names::ANNOTATION_CLAIM,
                released = hashinsight_crds::names::LABEL_RELEASED,
                tenant = LABEL_TENANT,
            )),
            None => Self::Taken(format!(
                "namespace {ns} exists and was not made for this tenant; nothing in it was touched. Choose another tenant \
                 name, or remove the namespace: kubectl delete namespace {ns}",
                ns = who.namespace,
            )),
        }
    }
}

/// The tenant's id. A tenant that was taken up again keeps the id its released
/// namespace carries, because keys, roles and prefixes exist under it; any
/// other has the one derived from its uid, whatever was written over it since.
pub fn id(who: &Identity, said: Option<&str>, namespace: Option<&NamespaceSeen>) -> String {
    let carried = namespace.and_then(|ns| {
        let to_take_up = ns.released && ns.claim.is_none() && ns.labels.get(LABEL_TENANT) == Some(&who.name);
        let ours = ns.claim.as_deref() == Some(&who.uid);
        ns.labels.get(LABEL_TENANT_ID).map(String::as_str).filter(|id| (ours || to_take_up) && is_tenant_id(id))
    });
    let derived = tenant_id(&who.uid);
    if [said, carried].contains(&Some(derived.as_str())) {
        return derived;
    }
    said.or(carried).map_or(derived, str::to_owned)
}

/// The region whose data the namespace holds, when it is not `region`.
pub fn other_region<'a>(namespace: Option<&'a NamespaceSeen>, region: &str) -> Option<&'a str> {
    namespace.and_then(|ns| ns.labels.get(LABEL_REGION)).map(String::as_str).filter(|held| *held != region)
}
