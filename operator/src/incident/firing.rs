//! What fires: asked of the metrics system every few seconds. An alert of ours
//! that wakes somebody is put on record once, however often it is told, and is
//! over when it has been quiet for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashinsight_crds::incident::{IncidentState, Missed};
use hashinsight_crds::{Incident, IncidentSpec, whole_second};
use hashinsight_slo::alerts::Alert;
use hashinsight_slo::series::{NAME_LABEL, NAMESPACE_LABEL};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde_json::json;
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::Incidents;
use crate::api::Target;
use crate::ctx::Ctx;
use crate::digest::short_hash;
use crate::error::Error;
use crate::kinds::INCIDENTS;
use hashinsight_metrics_source::{Firing, Source};

/// From one question to the next.
const EVERY: Duration = Duration::from_secs(15);
/// How long an alert must have been quiet to be over: one that flaps is one
/// incident.
const QUIET: SignedDuration = SignedDuration::from_secs(120);
/// How long the source may say nothing until nobody knows what fires.
const PATIENCE: SignedDuration = SignedDuration::from_secs(90);
/// Incidents that may be open at once; more are told in the log.
const OPEN_MAX: usize = 100;
const BEAT: &str = "incidents";
const MANAGER: &str = "hashinsight-incidents";

/// What fires, as it was told last.
#[derive(Default)]
pub struct Alarms(Mutex<Heard>);

#[derive(Default)]
struct Heard {
    at: Option<Timestamp>,
    /// Open incidents whose alert is quiet, and since when.
    quiet: BTreeMap<String, Timestamp>,
}

impl Heard {
    fn is_recent(&self, now: Timestamp) -> bool {
        self.at.is_some_and(|at| now.duration_since(at) < PATIENCE)
    }
}

impl Alarms {
    /// Takes what fires; `open` are the fingerprints of incidents that are not
    /// over.
    fn hear(&self, firing: &BTreeSet<String>, open: &BTreeSet<String>, now: Timestamp) {
        let mut heard = self.heard();
        // What happened while nothing was heard is not known: quiet begins anew.
        if !heard.is_recent(now) {
            heard.quiet.clear();
        }
        heard.at = Some(now);
        heard.quiet.retain(|fingerprint, _| open.contains(fingerprint) && !firing.contains(fingerprint));
        for fingerprint in open.difference(firing) {
            heard.quiet.entry(fingerprint.clone()).or_insert(now);
        }
    }

    /// Whether the source told lately what fires.
    pub fn heard_lately(&self, now: Timestamp) -> bool {
        self.heard().is_recent(now)
    }

    /// When the alert became quiet, once that has lasted.
    pub fn ended(&self, fingerprint: &str, now: Timestamp) -> Option<Timestamp> {
        let heard = self.heard();
        let since = heard.quiet.get(fingerprint).copied()?;
        (heard.is_recent(now) && now.duration_since(since) >= QUIET).then_some(since)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What opens incidents.
pub struct Opener {
    /// Everything a reconcile has.
    pub ctx: Arc<Ctx>,
    /// The metrics system.
    pub source: Source,
    /// What fires.
    pub alarms: Arc<Alarms>,
    /// All incidents.
    pub incidents: Incidents,
    /// Where the operator lives, and all incidents.
    pub system_namespace: String,
    /// Names incidents that want to be looked at: (namespace, name).
    pub wake: mpsc::Sender<(String, String)>,
}

/// The digest of an alert's labels.
fn fingerprint(firing: &Firing) -> String {
    let labels: Vec<String> = firing.labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
    short_hash(&labels.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Whether an alert is put on record: it is ours, it wakes somebody, and it is
/// no tenant's own. That a promise was missed is said by an incident already.
fn counts(firing: &Firing, system_namespace: &str) -> bool {
    let label = |name: &str| firing.labels.get(name).map(String::as_str);
    let ours = Alert::ALL.iter().filter(|alert| **alert != Alert::IncidentPromiseMissed);
    ours.map(|alert| alert.name()).any(|name| label("alertname") == Some(name))
        && label("severity") == Some("page")
        && label(NAMESPACE_LABEL).is_none_or(|namespace| namespace == system_namespace)
}

/// `ErrorBudgetBurnsFast` as a name of objects: `error-budget-burns-fast`.
fn dashed(alert: &str) -> String {
    let mut name = String::new();
    for letter in alert.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// An incident that is not over.
fn is_open(incident: &Incident) -> bool {
    incident.status.as_ref().and_then(|status| status.state) != Some(IncidentState::Resolved)
}

impl Opener {
    /// Asks for ever.
    pub async fn run(self) {
        let _ = self.incidents.wait_until_ready().await;
        loop {
            let now = self.ctx.clock.now();
            self.ctx.health.beat(BEAT, now);
            match self.source.firing().await {
                Ok(firing) => self.look(&firing, now).await,
                Err(failure) => warn!(%failure, "what fires is not known; incidents stand as they are"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn look(&self, firing: &[Firing], now: Timestamp) {
        let known = self.incidents.state();
        let known: Vec<&Incident> = known.iter().filter_map(|incident| incident.0.as_ref().ok()).collect();
        let firing: BTreeMap<String, &Firing> = firing
            .iter()
            .filter(|firing| counts(firing, &self.system_namespace))
            .map(|firing| (fingerprint(firing), firing))
            .collect();
        let open: Vec<&&Incident> = known.iter().filter(|incident| is_open(incident)).collect();
        let of_open: BTreeSet<String> = open.iter().map(|incident| incident.spec.fingerprint.clone()).collect();
        self.alarms.hear(&firing.keys().cloned().collect(), &of_open, now);
        let mut room = OPEN_MAX.saturating_sub(open.len());
        for (fingerprint, firing) in &firing {
            // What somebody ended while it still fires stays ended.
            let ended = known.iter().filter(|incident| incident.spec.fingerprint == *fingerprint);
            let ended = ended.filter_map(|incident| Some(incident.status.as_ref()?.resolved_at.as_ref()?.0)).max();
            if of_open.contains(fingerprint) || ended.is_some_and(|ended| ended >= firing.since) {
                continue;
            }
            if room == 0 {
                warn!(
                    alert = firing.labels.get("alertname"),
                    limit = OPEN_MAX,
                    "too many incidents are open; this one is not put on record"
                );
                continue;
            }
            match self.open(fingerprint, firing).await {
                Ok(()) => room -= 1,
                Err(error) => warn!(%error, "an incident could not be put on record; it is tried again"),
            }
        }
        self.tell(&known);
        for incident in open {
            let name = (incident.namespace().unwrap_or_default(), incident.name_any());
            let ended = self.alarms.ended(&incident.spec.fingerprint, now).is_some();
            let overdue = incident.status.as_ref().is_some_and(|status| {
                status.clocks.iter().any(|clock| now > clock.recover_by.0 && !clock.missed.recovery())
            });
            if ended || overdue {
                let _ = self.wake.send(name).await;
            }
        }
    }

    async fn open(&self, fingerprint: &str, firing: &Firing) -> Result<(), Error> {
        let label = |name: &str| firing.labels.get(name).cloned();
        let said = |name: &str, most: usize| {
            firing.annotations.get(name).map(|text| text.chars().take(most).collect::<String>())
        };
        let alert = label("alertname").unwrap_or_default();
        let name = format!("{}-{fingerprint}-{}", dashed(&alert), firing.since.strftime("%Y%m%dt%H%M%S"));
        let objective =
            label(NAMESPACE_LABEL).zip(label(NAME_LABEL)).map(|(namespace, name)| format!("{namespace}/{name}"));
        let service: String =
            label("service").filter(|service| !service.is_empty()).unwrap_or_else(|| "unknown".to_owned());
        let spec = IncidentSpec {
            alert,
            fingerprint: fingerprint.to_owned(),
            service: service.chars().take(63).collect(),
            objective,
            summary: said("summary", 1000),
            runbook: said("runbook_url", 500),
            started_at: whole_second(firing.since),
            acknowledged: None,
            resolved: None,
        };
        let object = json!(Incident::new(&name, spec));
        let target = Target { kind: &INCIDENTS, namespace: Some(&self.system_namespace), name: &name };
        match self.ctx.server.create(target, MANAGER, &object).await {
            Ok(_) => info!(incident = name, "an incident is open"),
            // The watch has not told yet what we did.
            Err(error) if error.is_already_exists() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Tells states and missed promises of what is not over as metrics.
    fn tell(&self, known: &[&Incident]) {
        let states = known.iter().filter_map(|incident| incident.status.as_ref()?.state);
        let missed = known.iter().filter(|incident| is_open(incident)).flat_map(|incident| {
            let clocks = incident.status.iter().flat_map(|status| &status.clocks);
            clocks.filter(|clock| clock.missed != Missed::Nothing).map(|clock| (incident.name_any(), clock))
        });
        self.ctx.metrics.budgets.incidents(states, missed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firing(labels: &[(&str, &str)]) -> Firing {
        let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
        Firing { labels, annotations: BTreeMap::new(), since: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn only_what_wakes_us_is_put_on_record() {
        let with = |alert: &str, severity: &str, namespace: &str| {
            counts(&firing(&[("alertname", alert), ("severity", severity), (NAMESPACE_LABEL, namespace)]), "sys")
        };
        assert!(with("ErrorBudgetBurnsFast", "page", "sys"));
        assert!(!with("ErrorBudgetBurnsFast", "ticket", "sys"));
        assert!(!with("ErrorBudgetBurnsFast", "page", "tenant-acme"), "a tenant's own");
        assert!(!with("IncidentPromiseMissed", "page", "sys"));
        assert!(!with("KubeNodeNotReady", "page", "sys"));
        assert!(counts(&firing(&[("alertname", "ErrorBudgetStageEntered"), ("severity", "page")]), "sys"));
        assert_eq!(dashed("ErrorBudgetBurnsFast"), "error-budget-burns-fast");
    }

    #[test]
    fn an_alert_that_flaps_is_one_and_one_that_is_not_heard_of_is_not_over() {
        let (alarms, at) = (Alarms::default(), |second| Timestamp::from_second(second).unwrap());
        let (open, none) = (BTreeSet::from(["a".to_owned()]), BTreeSet::new());
        alarms.hear(&none, &open, at(0));
        alarms.hear(&open, &open, at(60));
        alarms.hear(&none, &open, at(75));
        assert_eq!(alarms.ended("a", at(150)), None);
        alarms.hear(&none, &open, at(150));
        alarms.hear(&none, &open, at(196));
        assert_eq!(alarms.ended("a", at(196)), Some(at(75)));
        assert_eq!(alarms.ended("b", at(196)), None);
        // Nothing is heard for a while: whether it ended is not known.
        assert!(alarms.ended("a", at(400)).is_none() && !alarms.heard_lately(at(400)));
        alarms.hear(&none, &open, at(400));
        assert_eq!(alarms.ended("a", at(400)), None, "quiet begins anew");
    }
}
