//! What is told of rollouts as metrics. Names of cores and revisions are labels
//! here; at most three revisions a core are told of at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hashinsight_crds::CalculationCoreStatus;
use hashinsight_crds::calculation_core::{RollbackReason, RolloutState};
use hashinsight_gates::canary::Verdict;
use hashinsight_slo::series::{BAD, CORE_REQUESTS, CORE_ROLLBACKS, CORE_STATE, CORE_VERDICT, CORE_WEIGHT, TOTAL};
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use super::seen::Judged;

/// Counted since the canary was first asked: all, bad, and the verdict.
type Counts = (u64, u64, Verdict);

struct Told {
    name: String,
    status: CalculationCoreStatus,
    counts: Option<Counts>,
}

/// Gauges and counters of cores. Their names have no prefix of the operator, as
/// those of objectives have none.
#[derive(Clone)]
pub struct Rollouts {
    registry: Registry,
    state: IntGaugeVec,
    weight: IntGaugeVec,
    verdict: IntGaugeVec,
    requests: IntGaugeVec,
    rollbacks: IntCounterVec,
    cores: Arc<Mutex<BTreeMap<String, Told>>>,
}

impl Rollouts {
    /// All of them, with nothing in them.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str, labels: &[&str]| -> Result<IntGaugeVec, prometheus::Error> {
            let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let help = "Revisions that were taken back.";
        let rollbacks = IntCounterVec::new(Opts::new(CORE_ROLLBACKS, help), &["core", "reason"])?;
        registry.register(Box::new(rollbacks.clone()))?;
        Ok(Self {
            state: gauge(CORE_STATE, "1 for the state a rollout is in, 0 for the others.", &["core", "state"])?,
            weight: gauge(CORE_WEIGHT, "Share of traffic a revision is meant to have.", &["core", "revision", "role"])?,
            verdict: gauge(CORE_VERDICT, "1 for the verdict on a canary.", &["core", "verdict"])?,
            requests: gauge(CORE_REQUESTS, "Requests of the canary that were counted.", &["core", "count"])?,
            rollbacks,
            cores: Arc::default(),
            registry,
        })
    }

    /// Tells where the core with `uid` stands.
    pub fn tell(&self, uid: &str, name: &str, status: &CalculationCoreStatus, judged: Option<&Judged>) {
        let counts = judged.map(|judged| (judged.requests, judged.bad, judged.verdict()));
        let told = Told { name: name.to_owned(), status: status.clone(), counts };
        self.cores.lock().unwrap_or_else(PoisonError::into_inner).insert(uid.to_owned(), told);
        for reason in RollbackReason::ALL {
            // A series that is not there before its first increase hides it.
            self.rollbacks.with_label_values(&[name, reason.as_str()]).inc_by(0);
        }
    }

    /// A revision is taken back.
    pub fn rolled_back(&self, name: &str, reason: RollbackReason) {
        self.rollbacks.with_label_values(&[name, reason.as_str()]).inc();
    }

    /// Forgets a core that is gone.
    pub fn forget(&self, uid: &str) {
        let gone = self.cores.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
        for reason in gone.iter().flat_map(|_| RollbackReason::ALL) {
            let name = gone.as_ref().map_or("", |told| &told.name);
            let _ = self.rollbacks.remove_label_values(&[name, reason.as_str()]);
        }
    }

    /// In the text exposition format.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let cores = self.cores.lock().unwrap_or_else(PoisonError::into_inner);
        for gauge in [&self.state, &self.weight, &self.verdict, &self.requests] {
            gauge.reset();
        }
        for told in cores.values() {
            self.fill(told);
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    fn fill(&self, told: &Told) {
        let (name, status) = (told.name.as_str(), &told.status);
        let now = status.state.as_ref().map(RolloutState::name);
        for state in RolloutState::NAMES {
            self.state.with_label_values(&[name, state]).set(i64::from(now == Some(state)));
        }
        let canary = status.canary.as_ref().filter(|_| status.is_under_way());
        let weight = canary.map_or(0, |canary| i64::from(canary.weight_percent));
        if let Some(stable) = &status.stable {
            self.weight.with_label_values(&[name, &stable.revision, "stable"]).set(100 - weight);
        }
        if let Some(canary) = canary {
            self.weight.with_label_values(&[name, &canary.revision, "canary"]).set(weight);
        }
        if let Some((total, bad, verdict)) = told.counts {
            for (label, count) in [(TOTAL, total), (BAD, bad)] {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                self.requests.with_label_values(&[name, label]).set(count);
            }
            self.verdict.with_label_values(&[name, verdict.as_str()]).set(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hashinsight_crds::Time;
    use hashinsight_crds::calculation_core::{Canary, Version};

    #[test]
    fn a_core_is_told_of_while_it_is_there() {
        let rollouts = Rollouts::new().unwrap();
        let since = Time(jiff::Timestamp::UNIX_EPOCH);
        let mut status = CalculationCoreStatus {
            state: Some(RolloutState::Soaking { since: since.clone(), step: 1 }),
            stable: Some(Version { revision: "aa".into(), image: String::new() }),
            canary: Some(Canary { revision: "bb".into(), weight_percent: 10, ..Canary::default() }),
            ..CalculationCoreStatus::default()
        };
        rollouts.tell("u", "core", &status, None);
        rollouts.rolled_back("core", RollbackReason::Aborted);
        let text = rollouts.render().unwrap();
        for line in [
            "hashinsight_core_state{core=\"core\",state=\"soaking\"} 1",
            "hashinsight_core_state{core=\"core\",state=\"promoted\"} 0",
            "hashinsight_core_weight_percent{core=\"core\",revision=\"aa\",role=\"stable\"} 90",
            "hashinsight_core_weight_percent{core=\"core\",revision=\"bb\",role=\"canary\"} 10",
            "hashinsight_core_rollbacks_total{core=\"core\",reason=\"Aborted\"} 1",
            "hashinsight_core_rollbacks_total{core=\"core\",reason=\"Reverted\"} 0",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        // What was the canary has nothing any more once it is over.
        status.state = Some(RolloutState::Promoted { since });
        status.canary = None;
        rollouts.tell("u", "core", &status, None);
        assert!(!rollouts.render().unwrap().contains("bb"));
        rollouts.forget("u");
        assert_eq!(rollouts.render().unwrap(), "");
    }
}
