//! What to do for a tenant that stays: a total function of the tenant, what
//! was seen and the time. It touches nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use hashinsight_crds::Reason;
use hashinsight_crds::conditions::{ConditionStatus, Stated};
use hashinsight_crds::names::ANNOTATION_CLAIM;
use hashinsight_crds::tenant::Lifecycle;
use hashinsight_crds::tenant_plan::{Quotas, TenantPlanSpec};
use serde_json::{Value, json};

use super::cache::Look;
use super::hold::{self, Hold};
use super::objects::{self, Owner};
use super::part::Part;
use super::region::Regions;
use super::seen::{ChildSeen, Facts, NamespaceSeen, desired_digest};
use super::valid::ValidTenant;
use crate::driver::Wake;

/// How soon to look again while pods end.
const POLL: Duration = Duration::from_secs(10);

/// Everything a plan may know.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The namespace of the tenant's name, whoever holds it.
    pub namespace: Look<Option<NamespaceSeen>>,
    /// The plan the tenant names.
    pub plan: Option<TenantPlanSpec>,
    /// The owned objects.
    pub children: BTreeMap<Part, Look<Option<ChildSeen>>>,
    /// Regions.
    pub regions: Regions,
    /// Namespace the operator's own services run in.
    pub system_namespace: String,
}

/// One effect. All are idempotent or fenced by a uid or resource version.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Create the namespace with our marks; fails if one of that name exists.
    CreateNamespace(Value),
    /// Take the claim, if the namespace is as it was seen.
    ClaimNamespace(Value),
    /// Apply our labels to the namespace that has this uid.
    ApplyNamespace(Value),
    /// Apply a part.
    Apply(Part, Value),
    /// Delete the object with this uid and create the part in its place.
    Replace(Part, String, Value),
    /// Delete the part with this uid.
    Delete(Part, String),
    /// Delete all pods in the namespace.
    DeletePods,
}

/// A part that cannot be planned for, and what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What it concerns.
    pub what: &'static str,
    /// What is missing.
    pub missing: String,
}

/// What Ready will say once every step succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Status of Ready.
    pub ready: ConditionStatus,
    /// Its reason.
    pub reason: Reason,
    /// Its message.
    pub message: String,
    /// Nothing will change without a human.
    pub stalled: bool,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Effects in order; parts do not block each other.
    pub steps: Vec<Step>,
    /// Parts that cannot be planned for.
    pub gaps: Vec<Gap>,
    /// What Ready will say.
    pub verdict: Verdict,
    /// Whether the region is proven.
    pub region: Stated,
    /// The tenant's id.
    pub id: String,
    /// The quotas in force.
    pub quotas: Option<Quotas>,
    /// Whether the namespace is the tenant's once the steps succeeded.
    pub holds_namespace: bool,
    /// When to look again.
    pub wake: Wake,
}

/// Plans for a tenant that is not being deleted.
pub fn plan(tenant: &ValidTenant, seen: &Observed) -> Plan {
    let (who, spec) = (&tenant.who, &tenant.spec);
    let namespace = seen.namespace.as_ref().ok().and_then(Option::as_ref);
    let id = hold::id(who, tenant.before.id.as_deref(), namespace);
    let hold = Hold::of(who, &id, namespace);
    let overrides = spec.quotas.clone().unwrap_or_default();
    // Without its plan a tenant keeps the quotas it had.
    let quotas = seen.plan.as_ref().map(|plan| overrides.over(&plan.quotas)).or_else(|| tenant.before.quotas.clone());
    let region = seen.regions.proven(&spec.region);
    let mut plan = Plan {
        steps: Vec::new(),
        gaps: Vec::new(),
        verdict: blocked(tenant, seen, &hold, namespace, &region).unwrap_or_else(provisioned),
        region,
        id,
        quotas,
        // Who cannot look has lost nothing.
        holds_namespace: hold == Hold::Ours || (seen.namespace.is_err() && tenant.before.namespace.is_some()),
        wake: Wake::OnChange,
    };
    if let Err(missing) = &seen.namespace {
        plan.gaps.push(Gap { what: "namespace", missing: missing.clone() });
        return plan;
    }
    let may_begin = matches!(hold, Hold::Free | Hold::Released) && !plan.verdict.stalled;
    if hold == Hold::Ours || may_begin {
        plan.hold_namespace(tenant, &hold, namespace);
        plan.place_children(tenant, seen);
    }
    plan
}

fn verdict(ready: ConditionStatus, reason: Reason, message: String, stalled: bool) -> Verdict {
    Verdict { ready, reason, message, stalled }
}

fn provisioned() -> Verdict {
    verdict(ConditionStatus::True, Reason::Provisioned, "everything the tenant owns is in place".to_owned(), false)
}

/// What keeps a tenant from being Ready whatever we do; the first that holds.
fn blocked(
    tenant: &ValidTenant,
    seen: &Observed,
    hold: &Hold,
    namespace: Option<&NamespaceSeen>,
    region: &Stated,
) -> Option<Verdict> {
    let spec = &tenant.spec;
    let stalled = |reason, message| Some(verdict(ConditionStatus::False, reason, message, true));
    if let Hold::Taken(message) = hold {
        return stalled(Reason::NamespaceTaken, message.clone());
    }
    // On a namespace we hold, another region is a forged label, to be repaired.
    if let Some(held) = hold::other_region(namespace, &spec.region).filter(|_| *hold == Hold::Released) {
        return stalled(
            Reason::RegionChanged,
            format!(
                "retained namespace {ns} holds data of region {held}. Delete this Tenant and apply it with region {held}; \
                 or, to give that data up: kubectl delete namespace {ns}",
                ns = tenant.who.namespace
            ),
        );
    }
    if region.status == ConditionStatus::False {
        return stalled(Reason::RegionNotServed, region.message.clone());
    }
    if seen.plan.is_none() {
        let name = &spec.plan_ref.name;
        let kept = if tenant.before.quotas.is_some() { "; the quotas it had stay in force" } else { "" };
        return stalled(
            Reason::PlanMissing,
            format!(
                "TenantPlan {name} does not exist or cannot be read{kept}; apply it or name another: kubectl get tenantplans"
            ),
        );
    }
    matches!(hold, Hold::Leaving { .. }).then(|| {
        let message = format!("namespace {} is being deleted and will be made again", tenant.who.namespace);
        verdict(ConditionStatus::False, Reason::Provisioning, message, false)
    })
}

impl Plan {
    fn owner<'a>(&'a self, tenant: &'a ValidTenant) -> Owner<'a> {
        Owner { tenant: &tenant.who.name, id: &self.id, namespace: &tenant.who.namespace, region: &tenant.spec.region }
    }

    fn hold_namespace(&mut self, tenant: &ValidTenant, hold: &Hold, namespace: Option<&NamespaceSeen>) {
        let wanted = objects::namespace(self.owner(tenant));
        self.holds_namespace = true;
        let Some(seen) = namespace else {
            let mut claimed = wanted;
            claimed["metadata"]["annotations"] = json!({ANNOTATION_CLAIM: tenant.who.uid});
            self.steps.push(Step::CreateNamespace(claimed));
            return;
        };
        if *hold == Hold::Released || seen.claim.as_deref() != Some(&tenant.who.uid) {
            self.steps.push(Step::ClaimNamespace(seen.claim_patch(&tenant.who.uid)));
        }
        let labels = wanted.pointer("/metadata/labels").and_then(Value::as_object);
        let drifted = labels.is_some_and(|labels| {
            labels.iter().any(|(key, value)| seen.labels.get(key.as_str()).map(String::as_str) != value.as_str())
        });
        if drifted {
            let mut fenced = wanted;
            fenced["metadata"]["uid"] = json!(seen.uid);
            self.steps.push(Step::ApplyNamespace(fenced));
        }
    }

    fn place_children(&mut self, tenant: &ValidTenant, seen: &Observed) {
        let owner = self.owner(tenant);
        let mut desired: BTreeMap<Part, Value> = BTreeMap::from([
            (Part::Limits, objects::limits(owner)),
            (Part::Network, objects::network(owner, &seen.system_namespace)),
            (Part::Summary, objects::summary(owner)),
        ]);
        if let Some(quotas) = &self.quotas {
            desired.insert(Part::Quota, objects::quota(owner, quotas, tenant.spec.lifecycle));
        }
        for role in hashinsight_crds::tenant::Role::ALL {
            if let Some(binding) = objects::access(owner, role, &tenant.spec.members) {
                desired.insert(Part::Access(role), binding);
            }
        }
        for part in Part::ALL {
            match seen.children.get(&part) {
                Some(Err(missing)) => self.gap(part, missing),
                there => {
                    let there = there.and_then(|look| look.as_ref().ok()).and_then(Option::as_ref);
                    self.steps.extend(place(part, desired.remove(&part), there));
                }
            }
        }
        if tenant.spec.lifecycle == Lifecycle::Suspended {
            self.suspend(seen);
        }
    }

    /// A watch that is refused hides several parts: each clause once.
    fn gap(&mut self, part: Part, missing: &str) {
        if !self.gaps.iter().any(|gap| gap.missing == missing) {
            self.gaps.push(Gap { what: part.label(), missing: missing.to_owned() });
        }
    }

    /// Pods go once the API server refuses new ones; the quota itself tells
    /// when the last is gone.
    fn suspend(&mut self, seen: &Observed) {
        let quota = seen.children.get(&Part::Quota).and_then(|look| look.as_ref().ok()).and_then(Option::as_ref);
        let in_force =
            !self.steps.iter().any(|step| matches!(step, Step::Apply(Part::Quota, _) | Step::Replace(Part::Quota, ..)));
        let (refused, used) = match quota.map(|quota| &quota.facts) {
            Some(Facts::Quota { pods_refused, pods_used, .. }) if in_force => (*pods_refused, *pods_used),
            _ => (false, true),
        };
        if refused && used {
            self.steps.push(Step::DeletePods);
        }
        if self.verdict.reason != Reason::Provisioned {
            return;
        }
        if refused && !used {
            let message =
                "no pod runs; objects and data are untouched. Set spec.lifecycle: Active to resume".to_owned();
            self.verdict = verdict(ConditionStatus::True, Reason::Suspended, message, false);
        } else {
            let message = "pods are being removed and no new one is admitted".to_owned();
            self.verdict = verdict(ConditionStatus::False, Reason::Suspending, message, false);
            self.wake = Wake::Within(POLL);
        }
    }
}

/// The step, if any, that brings one part from what is there to what is wanted.
fn place(part: Part, desired: Option<Value>, there: Option<&ChildSeen>) -> Option<Step> {
    match (desired, there) {
        (Some(object), Some(seen)) if seen.misbuilt => Some(Step::Replace(part, seen.uid.clone(), object)),
        (Some(object), Some(seen)) => {
            (seen.digest != desired_digest(part, &object)).then_some(Step::Apply(part, object))
        }
        (Some(object), None) => Some(Step::Apply(part, object)),
        // A quota is not wanted only while its plan was never known.
        (None, Some(seen)) => matches!(part, Part::Access(_)).then(|| Step::Delete(part, seen.uid.clone())),
        (None, None) => None,
    }
}
