//! The vocabulary of the HashInsight control plane: one file per kind with
//! spec, status and typed state, and the conditions, reasons and names they
//! share. `crds/yaml/` is generated from these types and a test fails on drift.
//!
//! This crate never talks to a cluster, reads a clock or touches a file.
//!
//! # Ready, per kind and phase
//!
//! | kind | phase | Ready | reason | also True |
//! |---|---|---|---|---|
//! | Tenant | being set up | `False` | `Provisioning` | `Reconciling` |
//! | Tenant | in service | `True` | `Provisioned` | |
//! | Tenant | suspension under way | `False` | `Suspending` | `Reconciling` |
//! | Tenant | suspended | `True` | `Suspended` | |
//! | Tenant | waits for a human | `False` | `PlanMissing`, `NamespaceTaken`, `RegionChanged`, `RegionNotServed`, `Unreadable` | `Stalled` |
//! | Tenant | some parts failed, retried | `False` | `PermissionMissing`, `PartsFailed` | `Reconciling` |
//! | Tenant | being released or erased, from the first write on | `False` | `Releasing`, `Erasing` | `Reconciling` |
//! | TenantPlan | read by the operator | `True` | `Accepted` | |
//! | ServiceLevelObjective | counted and evaluated, also while data is old | `True` | `Evaluated` | |
//! | ServiceLevelObjective | nothing counted yet | `False` | `NotMeasuredYet`, `CatchingUp`, `SourceUnreachable`, `SourceRefused` | `Reconciling` |
//! | ServiceLevelObjective | its rules are not in place | `False` | `PermissionMissing`, `PartsFailed` | `Reconciling` |
//! | ServiceLevelObjective | waits for a human | `False` | `SpecRefused`, `PolicyMissing`, `BucketMissing`, `SourceNotSet`, `Unreadable` | `Stalled` |
//! | ErrorBudgetPolicy, ChangeNotice | read by the operator | `True` | `Accepted` | |
//! | ErrorBudgetPolicy | stages out of order | `False` | `SpecRefused` | `Stalled` |
//! | Incident | nobody has it, or somebody has | `False` | `IncidentOpen`, `IncidentAcknowledged` | |
//! | Incident | over | `True` | `IncidentResolved` | |
//! | CalculationCore | its revision serves, or is watched | `True` | `CoreServing`, `CoreWatched` | |
//! | CalculationCore | a rollout is under way | `False` | `CanaryStarting`, `CanaryVerifying`, `CanaryShifting`, `CanarySoaking`, `CanaryPromoting`, `CanaryRollingBack`, `AnalysisHeld`, `ReleaseFrozen` | `Reconciling` |
//! | CalculationCore | what serves has no pod that takes requests | `False` | `CoreUnavailable` | `Reconciling` |
//! | CalculationCore | a person holds the rollout | `False` | `CanaryPaused` | `Reconciling` |
//! | CalculationCore | its objects cannot be made | `False` | `PermissionMissing`, `PartsFailed` | `Reconciling` |
//! | CalculationCore | waits for a human | `False` | `RolledBack`, `ObjectiveUnusable`, `SpecRefused`, `Unreadable` | `Stalled` |
//! | RolloutAction | done | `True` | `ActionDone` | `Succeeded` |
//! | RolloutAction | not done, and never will be | `False` | `ActionRefused`, `ActionExpired`, `Unreadable` | `Stalled` |
//! | TenantSummary | always | as its Tenant | as its Tenant | as its Tenant |
//!
//! # Immutable fields
//!
//! | field | why |
//! |---|---|
//! | `Tenant.spec.region` | the data lives there; moving it is a migration, not an edit |
//! | all of a `RolloutAction` | it is a record |
//! | what fired and when, and who took and ended an `Incident`, once stated | it is a record |
//! | the kind of `ServiceLevelObjective.spec.window` | a budget of days and one of a month are not the same promise |

pub mod budget_policy;
pub mod calculation_core;
pub mod change_notice;
pub mod conditions;
pub mod health;
pub mod incident;
pub mod names;
pub mod objective;
pub mod quantity;
pub mod reasons;
pub mod rollout_action;
pub mod schema;
pub mod tenant;
pub mod tenant_plan;
pub mod tenant_summary;
pub mod text;

pub use budget_policy::{ErrorBudgetPolicy, ErrorBudgetPolicySpec, ErrorBudgetPolicyStatus};
pub use calculation_core::{CalculationCore, CalculationCoreSpec, CalculationCoreStatus};
pub use change_notice::{ChangeNotice, ChangeNoticeSpec, ChangeNoticeStatus};
pub use conditions::{Condition, ConditionStatus};
pub use incident::{Incident, IncidentSpec, IncidentStatus};
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
pub use objective::{ServiceLevelObjective, ServiceLevelObjectiveSpec, ServiceLevelObjectiveStatus};
pub use reasons::Reason;
pub use rollout_action::{RolloutAction, RolloutActionSpec, RolloutActionStatus};
pub use tenant::{Tenant, TenantSpec, TenantStatus};
pub use tenant_plan::{TenantPlan, TenantPlanSpec, TenantPlanStatus};
pub use tenant_summary::{TenantSummary, TenantSummarySpec, TenantSummaryStatus};

/// A time as it stands on the wire: in whole seconds.
pub fn whole_second(at: jiff::Timestamp) -> Time {
    Time(jiff::Timestamp::from_second(at.as_second()).unwrap_or(at))
}

/// API group of every kind.
pub const GROUP: &str = "hashinsight.net";
/// The one served version.
pub const VERSION: &str = "v1alpha1";
