//! What to do for a tenant that is being deleted: Retain gives up access and
//! claim and keeps content; Erase removes everything the tenant owns. Pure.

use hashinsight_crds::tenant::{DeletionPolicy, TenantState, TenantStatus};
use hashinsight_crds::{ConditionStatus, Reason};
use jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::Value;

use super::conclude::keep_since;
use super::hold::Hold;
use super::part::Part;
use super::plan::Verdict;
use super::seen::NamespaceSeen;
use super::valid::Identity;

/// The namespace as a fresh read showed it.
#[derive(Clone, Debug)]
pub struct FreshNamespace {
    /// Marks and version.
    pub seen: NamespaceSeen,
    /// What still keeps it from going, in the server's words.
    pub remaining: Vec<String>,
}

impl FreshNamespace {
    /// Reduces a namespace read whole.
    pub fn of(object: &DynamicObject) -> Self {
        let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
        let remaining = conditions
            .into_iter()
            .flatten()
            .filter(|c| c["status"] == "True")
            .filter_map(|c| c["message"].as_str())
            .map(str::to_owned)
            .collect();
        Self { seen: NamespaceSeen::of(&object.metadata), remaining }
    }
}

/// One effect of a removal, in the order they are listed.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Delete a part, whichever object bears its name: the namespace is ours.
    Delete(Part),
    /// Give up the claim, if the namespace is as it was read.
    Release(Value),
    /// Delete the namespace with this uid.
    DeleteNamespace(String),
}

/// What to do for a deleted tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Removal {
    /// The state to record before the first effect.
    pub state: TenantState,
    /// Effects in order; each needs the one before it.
    pub effects: Vec<Effect>,
    /// All is done once the effects succeeded.
    pub finished: bool,
    /// Reason while it is not.
    pub reason: Reason,
    /// What is being waited for.
    pub message: String,
}

impl Removal {
    /// What Ready says while the removal is not finished.
    pub fn waiting(&self) -> Verdict {
        Verdict { ready: ConditionStatus::False, reason: self.reason, message: self.message.clone(), stalled: false }
    }
}

/// Plans the removal. An erasure that has begun is never turned back; whatever
/// is not ours is left alone.
pub fn plan_removal(
    who: &Identity,
    policy: DeletionPolicy,
    before: &TenantStatus,
    namespace: Option<&FreshNamespace>,
    now: Timestamp,
) -> Removal {
    let erase = policy == DeletionPolicy::Erase || matches!(before.state, Some(TenantState::Erasing { .. }));
    let make: fn(_) -> TenantState =
        if erase { |since| TenantState::Erasing { since } } else { |since| TenantState::Releasing { since } };
    let state = keep_since(before.state.as_ref(), make, now);
    let reason = if erase { Reason::Erasing } else { Reason::Releasing };
    let id = super::hold::id(who, before.id.as_deref(), namespace.map(|ns| &ns.seen));
    let hold = Hold::of(who, &id, namespace.map(|ns| &ns.seen));
    let name = &who.namespace;
    let removal = |effects, finished, message| Removal { state: state.clone(), effects, finished, reason, message };
    match (hold, namespace) {
        (Hold::Ours, Some(namespace)) if erase => {
            let mut effects = end_access();
            effects.push(Effect::DeleteNamespace(namespace.seen.uid.clone()));
            removal(effects, false, format!("namespace {name} and everything in it is being deleted"))
        }
        (Hold::Ours, Some(namespace)) => {
            let mut effects = end_access();
            effects.push(Effect::Delete(Part::Summary));
            effects.push(Effect::Release(namespace.seen.release_patch(&now.to_string())));
            removal(effects, true, format!("access to namespace {name} and our claim on it are being removed"))
        }
        (Hold::Leaving { ours: true }, Some(namespace)) if erase => {
            let rest = if namespace.remaining.is_empty() {
                String::new()
            } else {
                format!(": {}", namespace.remaining.join(" "))
            };
            removal(Vec::new(), false, format!("waiting for namespace {name} to go{rest}"))
        }
        // Gone, released already, on its way out, or never ours.
        _ => removal(Vec::new(), true, format!("nothing of namespace {name} is this tenant's to remove")),
    }
}

/// Access ends before anything else does.
fn end_access() -> Vec<Effect> {
    Part::ALL.into_iter().filter(|part| matches!(part, Part::Access(_))).map(Effect::Delete).collect()
}
