//! Whether a tenant's region is served: from node labels and the operator's
//! configuration.

use std::collections::{BTreeMap, BTreeSet};

use hashinsight_crds::conditions::{ConditionStatus, REGION_PROVEN, Stated};
use hashinsight_crds::{Reason, names::NODE_REGION};

use super::cache::Look;

/// What is known of regions.
#[derive(Clone, Debug)]
pub struct Regions {
    /// Regions the operator was configured to serve; empty when not configured.
    pub configured: BTreeSet<String>,
    /// Nodes by region.
    pub nodes: Look<BTreeMap<Option<String>, usize>>,
}

impl Regions {
    /// The condition for a tenant of `region`. False only on evidence against:
    /// a configuration that leaves the region out, or nodes that all say
    /// another one. True only when every node lies in it.
    pub fn proven(&self, region: &str) -> Stated {
        let say = |status, reason, message| Stated { type_: REGION_PROVEN, status, reason, message };
        if !self.configured.is_empty() && !self.configured.contains(region) {
            let served: Vec<&str> = self.configured.iter().map(String::as_str).collect();
            let message = format!("region {region} is not served here; the operator serves {}", served.join(", "));
            return say(ConditionStatus::False, Reason::RegionNotServed, message);
        }
        let nodes = match &self.nodes {
            Ok(nodes) => nodes,
            Err(missing) => {
                return say(ConditionStatus::Unknown, Reason::RegionUnproven, format!("the operator {missing}"));
            }
        };
        let here = nodes.get(&Some(region.to_owned())).copied().unwrap_or(0);
        let silent = nodes.get(&None).copied().unwrap_or(0);
        let all: usize = nodes.values().sum();
        if all == 0 {
            let message = "the cluster has no node yet that could prove the region".to_owned();
            say(ConditionStatus::Unknown, Reason::RegionUnproven, message)
        } else if here == all {
            say(ConditionStatus::True, Reason::RegionServed, format!("all {all} nodes lie in {region}"))
        } else if here == 0 && silent == 0 {
            let message =
                format!("no node lies in {region}; label nodes with {NODE_REGION}, or choose a served region");
            say(ConditionStatus::False, Reason::RegionNotServed, message)
        } else {
            let message = format!(
                "{here} of {all} nodes say they lie in {region} and {silent} do not say; label every node with {NODE_REGION}"
            );
            say(ConditionStatus::Unknown, Reason::RegionUnproven, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proven(configured: &[&str], nodes: &[(Option<&str>, usize)]) -> ConditionStatus {
        Regions {
            configured: configured.iter().map(ToString::to_string).collect(),
            nodes: Ok(nodes.iter().map(|(r, n)| (r.map(str::to_owned), *n)).collect()),
        }
        .proven("eu")
        .status
    }

    #[test]
    fn false_needs_evidence_and_true_needs_every_node() {
        use ConditionStatus::{False, True, Unknown};
        assert_eq!(proven(&[], &[]), Unknown);
        assert_eq!(proven(&["eu"], &[]), Unknown);
        assert_eq!(proven(&["us"], &[(Some("eu"), 3)]), False);
        assert_eq!(proven(&[], &[(Some("eu"), 3)]), True);
        assert_eq!(proven(&[], &[(Some("us"), 3)]), False);
        assert_eq!(proven(&[], &[(Some("us"), 3), (None, 1)]), Unknown);
        assert_eq!(proven(&[], &[(Some("us"), 1), (Some("eu"), 1)]), Unknown);
    }

    #[test]
    fn a_refused_look_is_unknown_and_says_why() {
        let regions = Regions { configured: BTreeSet::new(), nodes: Err("may not list and watch nodes.core".into()) };
        let stated = regions.proven("eu");
        assert_eq!(stated.status, ConditionStatus::Unknown);
        assert!(stated.message.contains("nodes.core"));
    }
}
