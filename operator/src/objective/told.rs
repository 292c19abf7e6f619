//! What is told of objectives and policies as metrics: the numbers that move,
//! while status holds still.

use hashinsight_crds::incident::{Clock, IncidentState};
use hashinsight_slo::evaluation::Evaluation;
use hashinsight_slo::objective::Objective;
use hashinsight_slo::series::{
    COVERAGE_RATIO, EVALUATED, EXHAUSTION_SECONDS, INCIDENTS, NAME_LABEL, NAMESPACE_LABEL, PROMISE_MISSED,
    REMAINING_MINUTES, REMAINING_RATIO, STAGE, TARGET_RATIO,
};
use hashinsight_slo::share::WHOLE;
use prometheus::{GaugeVec, IntGaugeVec, Opts, Registry, TextEncoder};

/// Gauges with names of objects as labels. Their names have no prefix of the
/// operator: rules and dashboards ask for them as they ask for what is
/// recorded.
#[derive(Clone)]
pub struct Budgets {
    registry: Registry,
    remaining_minutes: GaugeVec,
    remaining: GaugeVec,
    exhaustion: GaugeVec,
    coverage: GaugeVec,
    target: GaugeVec,
    evaluated: GaugeVec,
    stage: IntGaugeVec,
    incidents: IntGaugeVec,
    missed: IntGaugeVec,
}

const OBJECTIVE: [&str; 2] = [NAMESPACE_LABEL, NAME_LABEL];

impl Budgets {
    /// All gauges, with nothing in them.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str| -> Result<GaugeVec, prometheus::Error> {
            let gauge = GaugeVec::new(Opts::new(name, help), &OBJECTIVE)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let help = "1 for the stage a policy is in, 0 for its others.";
        let stage = IntGaugeVec::new(Opts::new(STAGE, help), &["policy", "stage", "page"])?;
        registry.register(Box::new(stage.clone()))?;
        let help = "Incidents on record.";
        let incidents = IntGaugeVec::new(Opts::new(INCIDENTS, help), &["state"])?;
        registry.register(Box::new(incidents.clone()))?;
        let help = "1 while an incident is not over and missed a promise.";
        let missed = IntGaugeVec::new(Opts::new(PROMISE_MISSED, help), &["incident", "plan", "promise"])?;
        registry.register(Box::new(missed.clone()))?;
        Ok(Self {
            incidents,
            missed,
            remaining_minutes: gauge(REMAINING_MINUTES, "Minutes of error budget that are left.")?,
            remaining: gauge(REMAINING_RATIO, "Share of the error budget that is left; below 0 when overspent.")?,
            exhaustion: gauge(EXHAUSTION_SECONDS, "Seconds until nothing is left if the last hour goes on.")?,
            coverage: gauge(COVERAGE_RATIO, "Share of the time since measuring began that was measured.")?,
            target: gauge(TARGET_RATIO, "Share that is promised to be good.")?,
            evaluated: gauge(EVALUATED, "When the objective was evaluated last.")?,
            stage,
            registry,
        })
    }

    /// Tells an evaluation.
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats; the exact numbers are in status")]
    pub fn tell(&self, objective: &Objective, evaluation: &Evaluation) {
        let labels = [objective.namespace.as_str(), objective.name.as_str()];
        let budget = &evaluation.budget;
        self.remaining_minutes.with_label_values(&labels).set(budget.remaining() as f64 / 60e6);
        self.remaining.with_label_values(&labels).set(budget.remaining_share() as f64 / 10_000.0);
        self.coverage.with_label_values(&labels).set(budget.coverage as f64 / 10_000.0);
        let target = (WHOLE - objective.target.allowed()) as f64 / WHOLE as f64;
        self.target.with_label_values(&labels).set(target);
        self.evaluated.with_label_values(&labels).set(evaluation.now.as_second() as f64);
        match evaluation.exhausts_at {
            Some(at) => {
                let seconds = at.duration_since(evaluation.now).as_secs_f64();
                self.exhaustion.with_label_values(&labels).set(seconds);
            }
            None => drop(self.exhaustion.remove_label_values(&labels)),
        }
    }

    /// Forgets an objective that is gone.
    pub fn forget(&self, namespace: &str, name: &str) {
        let all =
            [&self.remaining_minutes, &self.remaining, &self.exhaustion, &self.coverage, &self.target, &self.evaluated];
        for gauge in all {
            let _ = gauge.remove_label_values(&[namespace, name]);
        }
    }

    /// Tells the stages of all policies: (policy, stage, whether it pages,
    /// whether it is the one in force).
    pub fn stages<'a>(&self, all: impl Iterator<Item = (&'a str, &'a str, bool, bool)>) {
        self.stage.reset();
        for (policy, stage, page, in_force) in all {
            let page = if page { "true" } else { "false" };
            self.stage.with_label_values(&[policy, stage, page]).set(i64::from(in_force));
        }
    }

    /// Tells how many incidents are in which state, and every promise missed by
    /// one that is not over.
    pub fn incidents<'a>(
        &self,
        states: impl Iterator<Item = IncidentState>,
        missed: impl Iterator<Item = (String, &'a Clock)>,
    ) {
        for state in IncidentState::ALL {
            self.incidents.with_label_values(&[state.as_str()]).set(0);
        }
        states.for_each(|state| self.incidents.with_label_values(&[state.as_str()]).inc());
        self.missed.reset();
        for (incident, clock) in missed {
            for (promise, is) in [("response", clock.missed.response()), ("recovery", clock.missed.recovery())] {
                if is {
                    self.missed.with_label_values(&[incident.as_str(), &clock.plan, promise]).set(1);
                }
            }
        }
    }

    /// In the text exposition format.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
