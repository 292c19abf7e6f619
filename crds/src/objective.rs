//! ServiceLevelObjective: how much may go wrong in a window of time, and how
//! much of that is spent.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::{Condition, list_schema};

/// What is promised of a service, how it is measured, over which time.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "hashinsight.net",
    version = "v1alpha1",
    kind = "ServiceLevelObjective",
    plural = "servicelevelobjectives",
    shortname = "slo",
    category = "hashinsight",
    namespaced,
    status = "ServiceLevelObjectiveStatus",
    derive = "PartialEq",
    doc = "A promise about a service: how it is measured, over which window, and what is left of its error budget.",
    selectable = ".spec.service",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Objective", type_ = "string", json_path = ".spec.objectivePercent"),
    printcolumn(name = "Left", type_ = "string", json_path = ".status.budget.remaining"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Stage", type_ = "string", json_path = ".status.stage.name", priority = 1),
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.service", priority = 1),
    printcolumn(name = "Coverage", type_ = "string", json_path = ".status.budget.coveragePercent", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1),
    validation = Rule::new("self.metadata.name.size() <= 63").message("name must have at most 63 characters: it is a label of every recorded series")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.timeslice) == (self.budgetingMethod == 'Timeslices')").message("timeslice is stated with budgetingMethod Timeslices, and only then"),
    validation = Rule::new("!has(self.partitionBy) || !has(self.indicator.expression)").message("an expression cannot be partitioned: count events or latency instead")
)]
pub struct ServiceLevelObjectiveSpec {
    /// The service the promise is about, such as calculation-core.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub service: String,
    /// Who is told when the budget burns; a label of every alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"))]
    pub team: Option<String>,
    /// The promise in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    pub description: Option<String>,
    /// Share that must be good, such as "99.95"; at most four decimals.
    #[schemars(length(min = 1, max = 7), regex(pattern = r"^[0-9]{1,2}(\.[0-9]{1,4})?$"))]
    #[x_kube(validation = Rule::new("double(self) > 0.0").message("objectivePercent must be above 0 and below 100: at 0 nothing is promised, at 100 there is no budget to spend"))]
    pub objective_percent: String,
    /// How good and bad are counted.
    pub indicator: Indicator,
    /// Occurrences counts events; Timeslices counts stretches of time.
    #[serde(default)]
    pub budgeting_method: BudgetingMethod,
    /// What makes a stretch of time bad, with budgetingMethod Timeslices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeslice: Option<Timeslice>,
    /// The time the promise speaks of. Its kind is immutable.
    pub window: Window,
    /// When people are told; without any, the table for the window's length.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["severity", "longWindow"]))]
    pub alerts: Vec<BurnAlert>,
    /// Measures each value of a label by itself, with one query for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_by: Option<PartitionBy>,
    /// Fewer events than this in the window say nothing about the budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub minimum_events: Option<i64>,
    /// Less measured time than this says nothing about the budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub minimum_coverage_percent: Option<i32>,
    /// The ErrorBudgetPolicy, in the operator's namespace, that this budget
    /// steers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_policy_ref: Option<PolicyRef>,
}

/// How good and bad are counted: exactly one of the three.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.events), has(self.latency), has(self.expression)].filter(set, set).size() == 1").message("an indicator is exactly one of events, latency and expression"))]
pub struct Indicator {
    /// Counters of events, some of them bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Events>,
    /// A histogram of durations, those above a threshold bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// Two queries; approximate, and in the operator's namespace only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<Expression>,
}

/// Counters of events, some of them bad.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    /// Name of the counter.
    #[schemars(length(min = 1, max = 200), regex(pattern = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"))]
    pub metric: String,
    /// Label matchers of all events, such as job="core".
    #[schemars(length(max = 1000))]
    pub total_selector: String,
    /// Label matchers of the bad ones, such as job="core",code=~"5..".
    #[schemars(length(min = 1, max = 1000))]
    pub bad_selector: String,
}

/// A histogram of durations, those above a threshold bad.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    /// Name of the histogram, without _bucket.
    #[schemars(length(min = 1, max = 200), regex(pattern = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"))]
    pub histogram: String,
    /// Label matchers, such as job="core".
    #[schemars(length(max = 1000))]
    pub selector: String,
    /// What takes longer is bad; a bucket must end exactly there.
    #[schemars(length(min = 1, max = 20), regex(pattern = r"^[0-9]{1,6}(\.[0-9]{1,9})?$"))]
    pub threshold_seconds: String,
}

/// Two queries over `$window`, each one series of a count.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Expression {
    /// Bad events in $window.
    #[schemars(length(min = 1, max = 2000))]
    #[x_kube(validation = Rule::new("self.contains('$window')").message("an expression counts over $window, such as increase(errors_total[$window])"))]
    pub bad: String,
    /// All events in $window.
    #[schemars(length(min = 1, max = 2000))]
    #[x_kube(validation = Rule::new("self.contains('$window')").message("an expression counts over $window, such as increase(errors_total[$window])"))]
    pub total: String,
}

/// What the budget is counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BudgetingMethod {
    /// Events, weighing the same whenever they happen.
    #[default]
    Occurrences,
    /// Stretches of time, bad when too much in them was.
    Timeslices,
}

/// What makes a stretch of time bad.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.seconds % 15 == 0").message("a timeslice is a multiple of 15 seconds"))]
pub struct Timeslice {
    /// Length of a stretch.
    #[schemars(range(min = 15, max = 600))]
    pub seconds: i32,
    /// Share of its events that must be good, or the stretch is bad.
    #[schemars(length(min = 1, max = 7), regex(pattern = r"^[0-9]{1,2}(\.[0-9]{1,4})?$"))]
    pub target_percent: String,
}

/// The time a promise speaks of: exactly one of the two.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.rollingDays) != has(self.calendarMonth)").message("a window is exactly one of rollingDays and calendarMonth"),
    validation = Rule::new("has(self.rollingDays) == has(oldSelf.rollingDays)").message("the kind of a window is immutable: make another objective")
)]
pub struct Window {
    /// The last days, of 24 hours each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 90))]
    pub rolling_days: Option<i32>,
    /// The month on the calendar, from its first midnight to the next month's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar_month: Option<CalendarMonth>,
}

/// Whose calendar.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CalendarMonth {
    /// An IANA time zone, such as Asia/Shanghai or UTC.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$"))]
    pub time_zone: String,
}

/// People are told when a share of the budget would burn within a time.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("{'5m': 1, '30m': 2, '1h': 3, '2h': 4, '6h': 5, '1d': 6, '3d': 7}[self.shortWindow] < {'5m': 1, '30m': 2, '1h': 3, '2h': 4, '6h': 5, '1d': 6, '3d': 7}[self.longWindow]").message("shortWindow must be below longWindow, such as 5m below 1h"))]
pub struct BurnAlert {
    /// Page wakes somebody; Ticket waits for the morning.
    pub severity: Severity,
    /// Share of the window's budget that burns within longWindow.
    #[schemars(range(min = 1, max = 100))]
    pub budget_percent: i32,
    /// How long it has burnt: 30m, 1h, 2h, 6h, 1d or 3d.
    #[schemars(length(max = 3), regex(pattern = r"^(30m|1h|2h|6h|1d|3d)$"))]
    pub long_window: String,
    /// And that it still does: 5m, 30m, 1h, 2h, 6h or 1d.
    #[schemars(length(max = 3), regex(pattern = r"^(5m|30m|1h|2h|6h|1d)$"))]
    pub short_window: String,
}

/// How loud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Severity {
    /// Somebody is woken.
    Page,
    /// Somebody looks in working hours.
    Ticket,
}

impl Severity {
    /// Both, louder first.
    pub const ALL: [Self; 2] = [Self::Page, Self::Ticket];

    /// As a label of alerts.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
        }
    }
}

/// Measures each value of a label by itself.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionBy {
    /// The label, such as tenant.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-zA-Z_][a-zA-Z0-9_]*$"))]
    #[x_kube(validation = Rule::new("!(self in ['job', 'instance', 'count', 'slo', 'slo_namespace', 'indicator', 'window'])").message("partitionBy.label must not be a label that recorded series use themselves"))]
    pub label: String,
    /// With more values than this none is measured by itself.
    #[schemars(range(min = 1, max = 5000))]
    pub max_values: i32,
}

/// Names an ErrorBudgetPolicy in the operator's namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRef {
    /// Name of the ErrorBudgetPolicy.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What the operator found. Ages and burn rates are metrics; this is written
/// when the stage changes or the budget has moved by a percent.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceLevelObjectiveStatus {
    /// Generation of the spec this status speaks of; -1 before the first look.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Since when there are counts of this indicator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_since: Option<Time>,
    /// What measured_since belongs to: it begins anew with the indicator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub indicator: Option<String>,
    /// The budget of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// The stage this budget asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageHeld>,
    /// The partitions with the least budget left, worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub worst: Vec<Partition>,
    /// Who spent the budget; the shares add up to what was consumed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub ledger: Vec<LedgerEntry>,
    /// Ready sums up; BudgetHealthy and DataFresh say more.
    #[serde(default)]
    #[schemars(schema_with = "list_schema")]
    pub conditions: Vec<Condition>,
}

/// The budget of a window, as of a time.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// When it was counted.
    pub as_of: Time,
    /// Beginning of the window.
    pub window_from: Time,
    /// What may go wrong in the whole window, in minutes.
    #[schemars(length(max = 24))]
    pub total_minutes: String,
    /// Share of it that is spent.
    #[schemars(length(max = 24))]
    pub consumed_percent: String,
    /// Share that is left; below zero when overspent.
    #[schemars(length(max = 24))]
    pub remaining_percent: String,
    /// Minutes that are left; below zero when overspent.
    #[schemars(length(max = 24))]
    pub remaining_minutes: String,
    /// What is left, for tables: share and minutes.
    #[schemars(length(max = 60))]
    pub remaining: String,
    /// Share of the time since measuring began that was measured.
    #[schemars(length(max = 24))]
    pub coverage_percent: String,
    /// Events counted, as a whole number.
    #[schemars(range(min = 0))]
    pub total_events: i64,
    /// Bad ones among them.
    #[schemars(range(min = 0))]
    pub bad_events: i64,
    /// Since when nothing is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exhausted_at: Option<Time>,
    /// When nothing will be left, if the last hour goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exhausts_at: Option<Time>,
}

/// A stage and since when.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageHeld {
    /// Name of the stage; Normal when the budget asks for none.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Since when.
    pub since: Time,
}

/// One value of the partition's label.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Partition {
    /// The label's value.
    #[schemars(length(max = 253))]
    pub value: String,
    /// Share of its budget that is left.
    #[schemars(length(max = 24))]
    pub remaining_percent: String,
    /// Events counted.
    #[schemars(range(min = 0))]
    pub total_events: i64,
    /// Bad ones among them.
    #[schemars(range(min = 0))]
    pub bad_events: i64,
}

/// Who spent how much.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// What kind of cause.
    pub cause: Cause,
    /// Its name: an Incident, a ChangeNotice; empty for Unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// From when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Time>,
    /// Bad events in that time.
    #[schemars(range(min = 0))]
    pub bad_events: i64,
    /// Share of the whole budget it spent.
    #[schemars(length(max = 24))]
    pub consumed_percent: String,
}

/// What spent budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Cause {
    /// Announced work.
    Maintenance,
    /// A new version.
    Release,
    /// Something broken on purpose, to learn from.
    Drill,
    /// Something that was alerted.
    Incident,
    /// Nothing that is on record.
    Unknown,
}
