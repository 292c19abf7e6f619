//! What to say of a tenant: pure functions from plan and outcome to status.

use std::time::Duration;

use hashinsight_crds::Reason;
use hashinsight_crds::conditions::{
    Condition, ConditionStatus, READY, RECONCILING, REGION_PROVEN, STALLED, Stated, settle,
};
use hashinsight_crds::quantity::same_amount;
use hashinsight_crds::tenant::{Lifecycle, TenantState, TenantStatus};
use hashinsight_crds::tenant_plan::TenantPlanSpec;
use hashinsight_crds::tenant_summary::{QuotaUse, TenantSummaryStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::plan::{Gap, Plan, Verdict};
use super::seen::Facts;
use super::valid::ValidTenant;
use crate::error::{Class, Error};

/// The summary shows use at most this often.
pub const USE_EVERY: Duration = Duration::from_secs(60);

/// A part that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it concerns.
    pub what: &'static str,
    /// What to do about it.
    pub class: Class,
    /// One clause for people.
    pub clause: String,
}

impl Failure {
    /// A part whose call failed.
    pub fn of(what: &'static str, error: &Error) -> Self {
        Self { what, class: error.class(), clause: error.clause() }
    }
}

impl From<&Gap> for Failure {
    fn from(gap: &Gap) -> Self {
        Self { what: gap.what, class: Class::Forbidden, clause: gap.missing.clone() }
    }
}

/// The status of a tenant whose plan ended with these failures.
pub fn conclude(tenant: &ValidTenant, plan: &Plan, failures: &[Failure], now: Timestamp) -> TenantStatus {
    let verdict = judge(plan, failures);
    let state = next_state(tenant, plan, &verdict, now);
    let kept = tenant.before.namespace.is_some() || failures.iter().all(|f| f.what != "namespace");
    let holds = plan.holds_namespace && kept;
    let mut stated =
        vec![Stated { type_: READY, status: verdict.ready, reason: verdict.reason, message: verdict.message.clone() }];
    stated.extend(progress(&verdict));
    stated.push(plan.region.clone());
    TenantStatus {
        observed_generation: tenant.who.generation,
        // Before the namespace is held, a retained one may still bring its id.
        id: if holds { Some(plan.id.clone()) } else { tenant.before.id.clone() },
        namespace: holds.then(|| tenant.who.namespace.clone()),
        quotas: plan.quotas.clone(),
        state: Some(state),
        conditions: settle(stated, &tenant.before.conditions, tenant.who.generation, now),
    }
}

/// What Ready says: what stalls the tenant, what failed, or what was planned.
fn judge(plan: &Plan, failures: &[Failure]) -> Verdict {
    let mut verdict = plan.verdict.clone();
    if !failures.is_empty() {
        let failed = failed(failures);
        if !verdict.stalled {
            return failed;
        }
        verdict.message = format!("{}. Besides, {}", verdict.message, failed.message);
    }
    verdict
}

/// The negative condition that goes with a Ready that is not True.
pub fn progress(verdict: &Verdict) -> Option<Stated> {
    (verdict.ready != ConditionStatus::True).then(|| Stated {
        type_: if verdict.stalled { STALLED } else { RECONCILING },
        status: ConditionStatus::True,
        reason: verdict.reason,
        message: verdict.message.clone(),
    })
}

/// Each failed part and why. Missing permissions have a reason of their own.
pub fn failed(failures: &[Failure]) -> Verdict {
    let forbidden = failures.iter().all(|f| f.class == Class::Forbidden);
    let list: Vec<String> = failures.iter().map(|f| format!("{}: {}", f.what, f.clause)).collect();
    let (reason, remedy) = if forbidden {
        (Reason::PermissionMissing, "grant the operator its shipped ClusterRole; it heals by itself")
    } else {
        (Reason::PartsFailed, "this is retried with growing delay")
    };
    Verdict { ready: ConditionStatus::False, reason, message: format!("{}. {remedy}", list.join("; ")), stalled: false }
}

fn next_state(tenant: &ValidTenant, plan: &Plan, verdict: &Verdict, now: Timestamp) -> TenantState {
    let before = tenant.before.state.as_ref();
    let was_provisioned = before.is_some_and(|state| !matches!(state, TenantState::Provisioning { .. }));
    let make: fn(Time) -> TenantState = match (verdict.reason, tenant.spec.lifecycle) {
        (Reason::Suspended, _) => |since| TenantState::Suspended { since },
        (Reason::Provisioned, _) => |since| TenantState::Active { since },
        _ if !plan.holds_namespace || !was_provisioned => |since| TenantState::Provisioning { since },
        (Reason::Suspending, _) => |since| TenantState::Suspending { since },
        // In trouble, the state is the one last reached for this lifecycle.
        (_, Lifecycle::Suspended) if matches!(before, Some(TenantState::Suspended { .. })) => {
            |since| TenantState::Suspended { since }
        }
        (_, Lifecycle::Suspended) => |since| TenantState::Suspending { since },
        (_, Lifecycle::Active) => |since| TenantState::Active { since },
    };
    keep_since(before, make, now)
}

/// The state that `make` makes, with the time of the one before if it is the
/// same state.
pub fn keep_since(before: Option<&TenantState>, make: fn(Time) -> TenantState, now: Timestamp) -> TenantState {
    let fresh = make(Time(whole(now)));
    match before {
        Some(old) if old.name() == fresh.name() => old.clone(),
        _ => fresh,
    }
}

/// The API server stores whole seconds.
fn whole(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Whether writing `after` over `before` would change anything we own: a
/// condition of a foreign type is not ours, and order is the server's.
pub fn differs(before: &TenantStatus, after: &TenantStatus) -> bool {
    let ours = |status: &TenantStatus| {
        let mut status = status.clone();
        status.conditions = own_conditions(&status.conditions);
        status
    };
    ours(before) != ours(after)
}

fn own_conditions(conditions: &[Condition]) -> Vec<Condition> {
    let mut own: Vec<Condition> = conditions
        .iter()
        .filter(|c| [READY, RECONCILING, STALLED, REGION_PROVEN].contains(&c.type_.as_str()))
        .cloned()
        .collect();
    own.sort_by(|a, b| a.type_.cmp(&b.type_));
    own
}

/// Whether Ready says something new, and whether a person should look.
pub fn transition<'a>(before: &[Condition], after: &'a [Condition]) -> Option<(&'a Condition, bool)> {
    let ready = |all: &'a [Condition]| all.iter().find(|c| c.type_ == READY);
    let new = ready(after)?;
    let old = before.iter().find(|c| c.type_ == READY);
    let changed = old.is_none_or(|old| (&old.status, &old.reason) != (&new.status, &new.reason));
    let warning = after.iter().any(|c| c.type_ == STALLED)
        || [Reason::PermissionMissing, Reason::PartsFailed].iter().any(|r| r.as_str() == new.reason);
    changed.then_some((new, warning))
}

/// What the tenant may read of itself. The use shown is refreshed at most once
/// in [`USE_EVERY`]; `Some(time)` says when a newer use may be shown.
pub fn summary(
    tenant: &ValidTenant,
    status: &TenantStatus,
    plan: Option<&TenantPlanSpec>,
    quota: Option<&Facts>,
    (generation, shown): (i64, Option<&QuotaUse>),
    now: Timestamp,
) -> (TenantSummaryStatus, Option<Timestamp>) {
    let (used, later) = show_use(quota, shown, now);
    let summary = TenantSummaryStatus {
        observed_generation: generation,
        id: status.id.clone(),
        display_name: Some(tenant.spec.display_name.clone()),
        plan: Some(tenant.spec.plan_ref.name.clone()),
        region: Some(tenant.spec.region.clone()),
        state: status.state.clone(),
        quotas: status.quotas.clone(),
        response: plan.map(|plan| plan.response.clone()),
        used,
        conditions: mirrored(&status.conditions, generation),
    };
    (summary, later)
}

fn mirrored(conditions: &[Condition], generation: i64) -> Vec<Condition> {
    let own = own_conditions(conditions);
    own.into_iter().map(|c| Condition { observed_generation: Some(generation), ..c }).collect()
}

fn show_use(quota: Option<&Facts>, shown: Option<&QuotaUse>, now: Timestamp) -> (Option<QuotaUse>, Option<Timestamp>) {
    let Some(Facts::Quota { used: [cpu, memory, pods], .. }) = quota else { return (shown.cloned(), None) };
    if [cpu, memory, pods].iter().any(|amount| amount.is_empty()) {
        return (shown.cloned(), None);
    }
    let fresh = QuotaUse { cpu: cpu.clone(), memory: memory.clone(), pods: pods.clone(), read_at: Time(whole(now)) };
    let Some(old) = shown else { return (Some(fresh), None) };
    let same = [(&old.cpu, cpu), (&old.memory, memory), (&old.pods, pods)].iter().all(|(a, b)| same_amount(a, b));
    let due = old.read_at.0.checked_add(USE_EVERY).unwrap_or(now);
    if same {
        (Some(old.clone()), None)
    } else if now >= due {
        (Some(fresh), None)
    } else {
        (Some(old.clone()), Some(due))
    }
}
