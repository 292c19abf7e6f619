//! CRDs of ours go forward only: an older set would drop fields that are
//! stored.

use hashinsight_crds::schema::{ANNOTATION_BUNDLE, ANNOTATION_CHANNEL};
use serde_json::json;

use super::{Policy, check, rule};
use crate::kinds::{CRDS, TENANTS};

const NAME: &str = "hashinsight-crds";

pub(super) fn policy() -> Policy {
    let annotation = |object: &str, name: &str| format!("{object}.metadata.?annotations['{name}'].orValue('')");
    let back = format!(
        "to go back all the same, export your objects, then: kubectl delete validatingadmissionpolicybinding {NAME}"
    );
    Policy {
        name: NAME,
        why: "an older set of CRDs would drop stored fields; an experimental one over a stable one may",
        constraints: json!({"resourceRules": [rule(CRDS.group, &[CRDS.plural], &["UPDATE"])]}),
        conditions: vec![("ours", format!("object.spec.group == '{}'", TENANTS.group))],
        variables: vec![
            ("old", annotation("oldObject", ANNOTATION_BUNDLE)),
            ("new", annotation("object", ANNOTATION_BUNDLE)),
        ],
        checks: vec![
            check(
                "!isSemver(variables.old, true) || isSemver(variables.new, true) && \
                 !semver(variables.new, true).isLessThan(semver(variables.old, true))",
                format!(
                    "this CRD is older than the one installed, or does not say its version in {ANNOTATION_BUNDLE}; {back}"
                ),
            ),
            check(
                format!(
                    "!({} == 'stable' && {} != 'stable')",
                    annotation("oldObject", ANNOTATION_CHANNEL),
                    annotation("object", ANNOTATION_CHANNEL)
                ),
                format!("a stable CRD is not replaced by one of another {ANNOTATION_CHANNEL}; {back}"),
            ),
        ],
    }
}
