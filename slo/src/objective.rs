//! An objective that can be measured: a spec read once, at the door.

use hashinsight_crds::objective::{self, BudgetingMethod, ServiceLevelObjectiveSpec};
use sha2::{Digest, Sha256};

use crate::budget::Minimum;
use crate::burn::{Row, rows};
use crate::selector::{NotASelector, Selector};
use crate::share::{NotATarget, Target};
use crate::window::{BadWindow, Window};

/// Seconds from one count to the next.
pub const STEP: u64 = 15;
/// Seconds of `$window` in expressions: two scrapes must fit in.
const EXPRESSION_STEP: u64 = 60;
/// Label of a tenant in every series of ours.
pub const TENANT_LABEL: &str = "tenant";
/// Who is told when the spec names nobody.
const NOBODY: &str = "unassigned";
/// Below what a budget says nothing, when the spec does not state it.
const MINIMUM: Minimum = Minimum { events: 100, coverage_percent: 90 };

/// Where an objective was applied, which decides how far it may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The operator's namespace: everything.
    Everything,
    /// A tenant's namespace: the tenant's own series.
    Tenant(String),
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Indicator {
    /// A counter of events.
    Events {
        /// Its name.
        metric: String,
        /// All events.
        total: Selector,
        /// The bad ones.
        bad: Selector,
    },
    /// A histogram of durations.
    Latency {
        /// Its name, without `_bucket`.
        histogram: String,
        /// All of it.
        selector: Selector,
        /// Seconds above which it is bad, as written.
        threshold: String,
    },
    /// Two queries over `$window`; approximate.
    Expression {
        /// Bad events.
        bad: String,
        /// All events.
        total: String,
    },
}

/// Splits an objective by a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionBy {
    /// The label.
    pub label: String,
    /// Most values that are measured by themselves.
    pub max_values: u32,
}

/// An objective that can be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objective {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The service it is about.
    pub service: String,
    /// Who is told.
    pub team: String,
    /// The promise in one sentence.
    pub description: String,
    /// The promise.
    pub target: Target,
    /// What is counted.
    pub indicator: Indicator,
    /// What makes a stretch of time bad, when stretches are counted.
    pub slice: Option<Target>,
    /// Seconds from one count to the next.
    pub step: u64,
    /// The time it speaks of.
    pub window: Window,
    /// When people are told.
    pub rows: Vec<Row>,
    /// Splits it by a label.
    pub partition: Option<PartitionBy>,
    /// Below what its budget says nothing.
    pub minimum: Minimum,
    /// Name of the policy it steers.
    pub policy: Option<String>,
    /// What its counts belong to: another indicator counts anew.
    pub id: String,
}

/// Why a spec cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The percentage.
    #[error("spec.objectivePercent: {0}")]
    Target(NotATarget),
    /// The percentage of a timeslice.
    #[error("spec.timeslice.targetPercent: {0}")]
    Slice(NotATarget),
    /// A selector.
    #[error("{field}: {why}")]
    Selector {
        /// Where.
        field: &'static str,
        /// What is wrong.
        why: NotASelector,
    },
    /// The window.
    #[error(transparent)]
    Window(#[from] BadWindow),
    /// None or several kinds of indicator.
    #[error("spec.indicator: state exactly one of events, latency and expression")]
    NotOneIndicator,
    /// A tenant that reaches beyond its own label.
    #[error("{field}: the label tenant is set by the operator in a tenant's namespace; leave it out")]
    BeyondItsLabel {
        /// Where.
        field: &'static str,
    },
    /// A tenant with a query of its own.
    #[error("spec.indicator.expression: only in the operator's namespace; count events or latency here")]
    ExpressionOfATenant,
    /// Bad and total are the same.
    #[error(
        "spec.indicator.events.badSelector: selects what totalSelector selects, so every event would be bad; add what makes it bad, such as code=~\"5..\""
    )]
    EverythingBad,
}

impl Objective {
    /// Reads a spec applied as `namespace/name`.
    pub fn parse(
        namespace: &str,
        name: &str,
        spec: &ServiceLevelObjectiveSpec,
        reach: &Reach,
    ) -> Result<Self, Refused> {
        let target = Target::percent(&spec.objective_percent).map_err(Refused::Target)?;
        let slice = match (spec.budgeting_method, &spec.timeslice) {
            (BudgetingMethod::Timeslices, Some(slice)) => {
                Some(Target::percent(&slice.target_percent).map_err(Refused::Slice)?)
            }
            _ => None,
        };
        let indicator = indicator(&spec.indicator, reach)?;
        let slice_seconds = spec.timeslice.as_ref().map(|slice| u64::from(slice.seconds.unsigned_abs()));
        let step = match &indicator {
            Indicator::Expression { .. } => slice_seconds.unwrap_or(EXPRESSION_STEP).max(EXPRESSION_STEP),
            _ => slice_seconds.unwrap_or(STEP).max(STEP),
        };
        let window = Window::parse(&spec.window)?;
        let partition = spec
            .partition_by
            .as_ref()
            .map(|by| PartitionBy { label: by.label.clone(), max_values: by.max_values.unsigned_abs() });
        let unsigned = |value: Option<i64>, default: u64| value.map_or(default, i64::unsigned_abs);
        let minimum = Minimum {
            // Stretches are counted, not events: a quiet one is as good as any.
            events: unsigned(spec.minimum_events, if slice.is_some() { 1 } else { MINIMUM.events }),
            coverage_percent: unsigned(spec.minimum_coverage_percent.map(i64::from), MINIMUM.coverage_percent),
        };
        let id = identity(&indicator, slice, step, partition.as_ref());
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            service: spec.service.clone(),
            team: spec.team.clone().unwrap_or_else(|| NOBODY.to_owned()),
            description: spec.description.clone().unwrap_or_default(),
            rows: rows(&spec.alerts, target, &window),
            target,
            indicator,
            slice,
            step,
            window,
            partition,
            minimum,
            policy: spec.budget_policy_ref.as_ref().map(|policy| policy.name.clone()),
            id,
        })
    }

    /// `namespace/name`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Seconds without a count after which nothing is measured any more: five
    /// minutes, and two counts and a minute where counts are rare.
    pub const fn silent_after(&self) -> u64 {
        let rare = 2 * self.step + 60;
        if rare > 300 { rare } else { 300 }
    }

    /// Whether its counts are estimates.
    pub fn is_approximate(&self) -> bool {
        matches!(self.indicator, Indicator::Expression { .. })
    }

    /// What is worth a word although it can be measured.
    pub fn remarks(&self) -> Vec<String> {
        let mut all = Vec::new();
        for row in self.rows.iter().filter(|row| row.capped) {
            all.push(format!(
                "the alert over {} was lowered to a burn rate of {}: at {} % no outage burns faster than {}",
                row.long.name(),
                row.factor_text(),
                self.target.percentage(),
                crate::share::decimal(u128::from(crate::share::WHOLE), u128::from(self.target.allowed()), 2),
            ));
        }
        let hours = self.window.usual_hours();
        for row in self.rows.iter().filter(|row| row.long.seconds() > hours * 3600) {
            all.push(format!("the alert over {} looks back further than {}", row.long.name(), self.window.told()));
        }
        if self.is_approximate() {
            all.push("an expression is approximate; a canary cannot be judged by it".to_owned());
        }
        all
    }
}

fn indicator(spec: &objective::Indicator, reach: &Reach) -> Result<Indicator, Refused> {
    let selector = |field: &'static str, text: &str| {
        let selector = Selector::parse(text).map_err(|why| Refused::Selector { field, why })?;
        match reach {
            Reach::Everything => Ok(selector),
            Reach::Tenant(_) if selector.names(TENANT_LABEL) => Err(Refused::BeyondItsLabel { field }),
            Reach::Tenant(tenant) => Ok(selector.with(TENANT_LABEL, tenant)),
        }
    };
    match (&spec.events, &spec.latency, &spec.expression) {
        (Some(events), None, None) => {
            let total = selector("spec.indicator.events.totalSelector", &events.total_selector)?;
            let bad = selector("spec.indicator.events.badSelector", &events.bad_selector)?;
            if bad == total {
                return Err(Refused::EverythingBad);
            }
            Ok(Indicator::Events { metric: events.metric.clone(), total, bad })
        }
        (None, Some(latency), None) => Ok(Indicator::Latency {
            histogram: latency.histogram.clone(),
            selector: selector("spec.indicator.latency.selector", &latency.selector)?,
            threshold: latency.threshold_seconds.clone(),
        }),
        (None, None, Some(expression)) => match reach {
            Reach::Everything => {
                Ok(Indicator::Expression { bad: expression.bad.clone(), total: expression.total.clone() })
            }
            Reach::Tenant(_) => Err(Refused::ExpressionOfATenant),
        },
        _ => Err(Refused::NotOneIndicator),
    }
}

/// Sixteen hexadecimal digits of all that decides what is counted.
fn identity(indicator: &Indicator, slice: Option<Target>, step: u64, partition: Option<&PartitionBy>) -> String {
    let label = partition.map(|by| by.label.as_str());
    let text = format!("{indicator:?} {:?} {step} {label:?}", slice.map(Target::allowed));
    let digest = Sha256::new().chain_update(b"hashinsight.net/indicator\0").chain_update(text.as_bytes()).finalize();
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn spec(yaml: &str) -> ServiceLevelObjectiveSpec {
        serde_saphyr::from_str(yaml).unwrap()
    }

    pub(crate) const AVAILABILITY: &str = r#"
service: calculation-core
team: core
objectivePercent: "99.95"
indicator: {events: {metric: http_requests_total, totalSelector: 'job="core"', badSelector: 'job="core",code=~"5.."'}}
window: {rollingDays: 30}
"#;

    pub(crate) const LATENCY: &str = r#"
service: calculation-core
objectivePercent: "95"
indicator: {latency: {histogram: http_request_duration_seconds, selector: 'job="core"', thresholdSeconds: "0.25"}}
window: {calendarMonth: {timeZone: Asia/Shanghai}}
"#;

    fn parse(yaml: &str, reach: &Reach) -> Result<Objective, Refused> {
        Objective::parse("ns", "o", &spec(yaml), reach)
    }

    #[test]
    fn a_tenant_reaches_its_own_label_only() {
        let acme = Reach::Tenant("acme".into());
        let objective = parse(AVAILABILITY, &acme).unwrap();
        let Indicator::Events { total, bad, .. } = &objective.indicator else { panic!("{objective:?}") };
        assert_eq!(total.to_string(), r#"{job="core",tenant="acme"}"#);
        assert_eq!(bad.to_string(), r#"{job="core",code=~"5..",tenant="acme"}"#);
        let reaching = AVAILABILITY.replace(r#"'job="core"'"#, r#"'tenant=~".*"'"#);
        let refused = parse(&reaching, &acme).unwrap_err();
        assert_eq!(refused, Refused::BeyondItsLabel { field: "spec.indicator.events.totalSelector" });
        let query = "service: s\nobjectivePercent: '99'\nwindow: {rollingDays: 1}\n\
                     indicator: {expression: {bad: 'x[$window]', total: 'y[$window]'}}\n";
        assert_eq!(parse(query, &acme), Err(Refused::ExpressionOfATenant));
        assert_eq!(parse(query, &Reach::Everything).unwrap().step, 60);
    }

    #[test]
    fn what_cannot_be_measured_is_refused_with_its_field() {
        for (from, to, told) in [
            (r#"'job="core"'"#, "'job=core'", "spec.indicator.events.totalSelector: expected a value in quotes"),
            (",", "} or vector(1),", "spec.indicator.events.badSelector: expected"),
            ("99.95", "100", "spec.objectivePercent: \"100\" is no objective"),
            (r#"'job="core",code=~"5.."'"#, r#"'job="core"'"#, "every event would be bad"),
        ] {
            let yaml = if from == "," {
                AVAILABILITY.replace(r#""core",code"#, r#""core"} or up{code"#)
            } else {
                AVAILABILITY.replace(from, to)
            };
            let refused = parse(&yaml, &Reach::Everything).unwrap_err().to_string();
            assert!(refused.contains(told), "{refused}");
        }
    }

    #[test]
    fn another_indicator_counts_anew_and_another_target_does_not() {
        let base = parse(AVAILABILITY, &Reach::Everything).unwrap();
        assert_eq!(base.id.len(), 16);
        let stricter = parse(&AVAILABILITY.replace("99.95", "99.99"), &Reach::Everything).unwrap();
        assert_eq!(stricter.id, base.id);
        let other = parse(&AVAILABILITY.replace("5..", "5.*"), &Reach::Everything).unwrap();
        assert_ne!(other.id, base.id);
    }

    #[test]
    fn a_lowered_alert_is_told() {
        let objective = parse(&AVAILABILITY.replace("99.95", "90"), &Reach::Everything).unwrap();
        let remarks = objective.remarks().join("\n");
        assert!(remarks.contains("lowered to a burn rate of 9: at 90 % no outage burns faster than 10"), "{remarks}");
    }
}
