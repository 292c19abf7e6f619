//! The parts a tenant owns inside its namespace: at most eight objects.

use hashinsight_crds::names::SUMMARY_NAME;
use hashinsight_crds::tenant::Role;

use crate::api::Target;
use crate::kinds::{BINDINGS, Kind, LIMITS, POLICIES, QUOTAS, SUMMARIES};

/// One owned object. The order is the order of application: what limits a
/// tenant is in place before anybody gets access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The ResourceQuota.
    Quota,
    /// The LimitRange: defaults for containers that state no resources.
    Limits,
    /// The NetworkPolicy: deny by default.
    Network,
    /// The RoleBinding of one role.
    Access(Role),
    /// The TenantSummary.
    Summary,
}

/// Name of the one quota, limit range and policy.
const NAME: &str = "hashinsight";

impl Part {
    /// All parts in order of application.
    pub const ALL: [Self; 8] = [
        Self::Quota,
        Self::Limits,
        Self::Network,
        Self::Access(Role::Owner),
        Self::Access(Role::Operations),
        Self::Access(Role::Finance),
        Self::Access(Role::Investor),
        Self::Summary,
    ];

    /// The kinds of all parts; each is watched.
    pub const KINDS: [&'static Kind; 5] = [&QUOTAS, &LIMITS, &POLICIES, &BINDINGS, &SUMMARIES];

    /// Its kind.
    pub const fn kind(self) -> &'static Kind {
        match self {
            Self::Quota => &QUOTAS,
            Self::Limits => &LIMITS,
            Self::Network => &POLICIES,
            Self::Access(_) => &BINDINGS,
            Self::Summary => &SUMMARIES,
        }
    }

    /// Its name in the tenant's namespace.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quota | Self::Limits | Self::Network => NAME,
            Self::Access(Role::Owner) => "hashinsight-owner",
            Self::Access(Role::Operations) => "hashinsight-operations",
            Self::Access(Role::Finance) => "hashinsight-finance",
            Self::Access(Role::Investor) => "hashinsight-investor",
            Self::Summary => SUMMARY_NAME,
        }
    }

    /// The part an object of `kind` named `name` is, if it is one.
    pub fn of(kind: &Kind, name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.kind() == kind && part.name() == name)
    }

    /// Where it is.
    pub const fn target(self, namespace: &str) -> Target<'_> {
        Target { kind: self.kind(), namespace: Some(namespace), name: self.name() }
    }

    /// What people call it in a condition.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::Limits => "limits",
            Self::Network => "network policy",
            Self::Access(Role::Owner) => "access of owners",
            Self::Access(Role::Operations) => "access of operations",
            Self::Access(Role::Finance) => "access of finance",
            Self::Access(Role::Investor) => "access of investors",
            Self::Summary => "summary",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_found_by_kind_and_name() {
        for part in Part::ALL {
            assert_eq!(Part::of(part.kind(), part.name()), Some(part));
            assert!(Part::KINDS.contains(&part.kind()));
        }
        assert_eq!(Part::of(&QUOTAS, "of-the-customer"), None);
    }
}
