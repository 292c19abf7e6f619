//! Every reason a condition, event, log line or metric may carry, once.

/// Why a condition has its status. The wire form is the variant's name.
///
/// Reasons are a closed set: scripts and runbooks key on them, so a reason is
/// added, never reworded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The operator has read the object and found it usable.
    Accepted,
    /// Objects of the tenant are being created.
    Provisioning,
    /// Everything the tenant owns is in place.
    Provisioned,
    /// Pods are being removed because `spec.lifecycle` is Suspended.
    Suspending,
    /// No pod runs; objects and data are untouched.
    Suspended,
    /// The tenant was deleted under `Retain`: access and claim are being removed.
    Releasing,
    /// The tenant was deleted under `Erase`: everything it owns is being removed.
    Erasing,
    /// `spec.planRef` names a TenantPlan that does not exist.
    PlanMissing,
    /// The namespace name is in use by something that is not this tenant.
    NamespaceTaken,
    /// The retained namespace holds data of another region.
    RegionChanged,
    /// No node or configuration serves the tenant's region.
    RegionNotServed,
    /// All nodes are in the tenant's region.
    RegionServed,
    /// Nothing proves or disproves where the tenant's pods run.
    RegionUnproven,
    /// The operator lacks a permission; the message names verb and resource.
    PermissionMissing,
    /// Some parts could not be applied; the message names each.
    PartsFailed,
    /// The stored object cannot be read by this version of the operator.
    Unreadable,
}

impl Reason {
    /// All reasons, in the order of the documentation.
    pub const ALL: [Self; 16] = [
        Self::Accepted,
        Self::Provisioning,
        Self::Provisioned,
        Self::Suspending,
        Self::Suspended,
        Self::Releasing,
        Self::Erasing,
        Self::PlanMissing,
        Self::NamespaceTaken,
        Self::RegionChanged,
        Self::RegionNotServed,
        Self::RegionServed,
        Self::RegionUnproven,
        Self::PermissionMissing,
        Self::PartsFailed,
        Self::Unreadable,
    ];

    /// The wire form: CamelCase, stable.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Provisioning => "Provisioning",
            Self::Provisioned => "Provisioned",
            Self::Suspending => "Suspending",
            Self::Suspended => "Suspended",
            Self::Releasing => "Releasing",
            Self::Erasing => "Erasing",
            Self::PlanMissing => "PlanMissing",
            Self::NamespaceTaken => "NamespaceTaken",
            Self::RegionChanged => "RegionChanged",
            Self::RegionNotServed => "RegionNotServed",
            Self::RegionServed => "RegionServed",
            Self::RegionUnproven => "RegionUnproven",
            Self::PermissionMissing => "PermissionMissing",
            Self::PartsFailed => "PartsFailed",
            Self::Unreadable => "Unreadable",
        }
    }

    /// What it means and what a person does next; becomes the reference page.
    pub const fn meaning(self) -> (&'static str, &'static str) {
        match self {
            Self::Accepted => ("The operator has read the object and can use it.", "Nothing."),
            Self::Provisioning => ("The tenant's objects are being created.", "Wait; it takes seconds."),
            Self::Provisioned => ("Everything the tenant owns is in place.", "Nothing."),
            Self::Suspending => (
                "Pods are being removed; no new pod is admitted.",
                "Wait; a pod that does not end shows in `kubectl get pods -n <namespace>`.",
            ),
            Self::Suspended => {
                ("No pod runs; objects and data are untouched.", "Set `spec.lifecycle: Active` to resume.")
            }
            Self::Releasing => (
                "Deleted under Retain: access and claim are being removed, content stays.",
                "Wait. Apply the same tenant again to take the content up.",
            ),
            Self::Erasing => (
                "Deleted under Erase: everything the tenant owns is being removed.",
                "Wait; the message names what still holds the namespace.",
            ),
            Self::PlanMissing => (
                "`spec.planRef` names a TenantPlan that does not exist.",
                "Apply the plan or name another; `kubectl get tenantplans` lists them.",
            ),
            Self::NamespaceTaken => (
                "The namespace exists and is not this tenant's; nothing was touched.",
                "Choose another tenant name, remove the namespace, or release it as the message says.",
            ),
            Self::RegionChanged => (
                "The retained namespace holds data of another region.",
                "Apply the tenant with the region it had, or erase the retained namespace first.",
            ),
            Self::RegionNotServed => (
                "Neither nodes nor the operator's configuration serve the region.",
                "Choose a served region, or add nodes or `--region` for it.",
            ),
            Self::RegionServed => ("Every node lies in the tenant's region.", "Nothing."),
            Self::RegionUnproven => (
                "Nodes carry no region label, lie in several regions, or there is none.",
                "Label nodes with `topology.kubernetes.io/region` if proof is wanted.",
            ),
            Self::PermissionMissing => (
                "The operator may not do what the message names; all else went on.",
                "Apply the shipped ClusterRole; it heals by itself.",
            ),
            Self::PartsFailed => (
                "Some parts could not be applied; all others are in place.",
                "Read the message; it is retried with growing delay.",
            ),
            Self::Unreadable => (
                "The stored object does not fit the schema of this operator.",
                "Apply the object again with the fields this version knows.",
            ),
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn reasons_are_distinct_camel_case_and_told() {
        let names: BTreeSet<_> = Reason::ALL.iter().map(|r| r.as_str()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            let name = reason.as_str();
            assert_eq!(name, format!("{reason:?}"));
            assert!(name.starts_with(|c: char| c.is_ascii_uppercase()));
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric()));
            let (what, next) = reason.meaning();
            assert!(what.ends_with('.') && next.ends_with('.'), "{name}");
        }
    }
}
