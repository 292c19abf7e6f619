//! What is seen of a core: its objects, its pods, and what those answered.
//! Nothing is judged here.

use std::collections::BTreeMap;
use std::time::Duration;

use hashinsight_crds::names::LABEL_REVISION;
use hashinsight_gates::canary::{Judgement, Verdict};
use jiff::Timestamp;
use serde_json::Value;

use super::leave::Leave;
use super::valid::{Content, ValidCore};
use crate::kinds::{CONTROLLER_REVISIONS, DEPLOYMENTS, HTTP_ROUTES, Kind, PODS};

/// Objects by plural and name.
pub type Objects = BTreeMap<(&'static str, String), Value>;

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its revision.
    pub revision: String,
    /// Its address, once it has one.
    pub ip: Option<String>,
    /// Whether it takes requests.
    pub ready: bool,
    /// How often its containers began anew.
    pub restarts: u64,
    /// Why its container waits.
    pub waiting: Option<String>,
    /// Whether it ends.
    pub ending: bool,
}

/// What the gateways say of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All have taken it as it is.
    Yes,
    /// Not all have read it as it is.
    NotYet,
    /// One refuses it, or none says anything.
    Refused(String),
}

/// How traffic is led.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteSeen {
    /// The spec asks for none, or the cluster serves no Gateway API.
    None,
    /// It is not there yet.
    Missing,
    /// It is there.
    There {
        /// Weights by the name of the service.
        weights: BTreeMap<String, i64>,
        /// What the gateways say of it.
        taken: Taken,
    },
}

/// What the pods of the canary said of the golden samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Golden {
    /// Nobody was asked.
    NotAsked,
    /// Every pod that is ready has all of them exact.
    Exact,
    /// A pod has another figure.
    Differs(String),
    /// A pod did not answer.
    Waits(String),
}

/// The verdict on the canary, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The verdict.
    pub judgement: Judgement,
    /// Requests, by the objective that counts most.
    pub requests: u64,
    /// Bad ones, by the objective that has most.
    pub bad: u64,
    /// Seconds observed in this step.
    pub observed: u64,
    /// Since when there has been no data; `None` while there is.
    pub without_data_since: Option<Timestamp>,
    /// All of it, as it is kept for whoever asks why.
    pub record: Value,
}

impl Judged {
    /// The verdict.
    pub const fn verdict(&self) -> Verdict {
        self.judgement.verdict
    }
}

/// What is seen of a core.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its objects.
    pub objects: Objects,
    /// Whether the Gateway API is served.
    pub gateway_served: bool,
    /// How long this process has seen the state on record, by a clock that
    /// nobody sets: deadlines go by it.
    pub in_state: Duration,
    /// What the canary's pods said of the golden samples.
    pub golden: Golden,
    /// Whether no request has reached the canary's pods for a while, by their
    /// own counters.
    pub quiet: bool,
    /// The verdict, where requests are counted.
    pub judged: Option<Judged>,
    /// What error budgets leave it.
    pub leave: Leave,
    /// Why the objectives cannot judge it, if they cannot.
    pub unusable: Option<String>,
}

fn revision_of(object: &Value) -> &str {
    object["metadata"]["labels"][LABEL_REVISION].as_str().unwrap_or_default()
}

impl Seen {
    fn of_kind(&self, kind: &Kind) -> impl Iterator<Item = (&str, &Value)> {
        let plural = kind.plural;
        self.objects.iter().filter(move |((of, _), _)| *of == plural).map(|((_, name), object)| (name.as_str(), object))
    }

    /// What made the pods of `revision`.
    pub fn content(&self, revision: &str) -> Option<Content> {
        let (_, object) = self.of_kind(&CONTROLLER_REVISIONS).find(|(_, object)| revision_of(object) == revision)?;
        serde_json::from_value(object["data"].clone()).ok()
    }

    /// All pods.
    pub fn pods(&self) -> impl Iterator<Item = Pod> {
        self.of_kind(&PODS).map(|(name, object)| pod(name, object))
    }

    /// Pods of `revision` that take requests.
    pub fn ready(&self, revision: &str) -> i32 {
        let ready = self.pods().filter(|pod| pod.revision == revision && pod.ready && !pod.ending).count();
        i32::try_from(ready).unwrap_or(i32::MAX)
    }

    /// Why a container of `revision` waits, if one does.
    pub fn why_waits(&self, revision: &str) -> Option<String> {
        self.pods().filter(|pod| pod.revision == revision).find_map(|pod| pod.waiting)
    }

    /// Pods that are asked of the deployment of `revision`; `None` when it is
    /// not there.
    pub fn replicas(&self, revision: &str) -> Option<i32> {
        let (_, object) = self.of_kind(&DEPLOYMENTS).find(|(_, object)| revision_of(object) == revision)?;
        Some(object["spec"]["replicas"].as_i64().map_or(1, |n| i32::try_from(n).unwrap_or(i32::MAX)))
    }

    /// The route.
    pub fn route(&self, core: &ValidCore) -> RouteSeen {
        if core.route.is_none() || !self.gateway_served {
            return RouteSeen::None;
        }
        let route = self.objects.get(&(HTTP_ROUTES.plural, core.name.clone()));
        let Some(route) = route else { return RouteSeen::Missing };
        let backends = route["spec"]["rules"][0]["backendRefs"].as_array().map(Vec::as_slice).unwrap_or_default();
        let weight = |backend: &Value| (text(&backend["name"]), backend["weight"].as_i64().unwrap_or(1));
        RouteSeen::There { weights: backends.iter().map(weight).collect(), taken: taken(route) }
    }
}

/// What the gateways say of the route as it is now.
fn taken(route: &Value) -> Taken {
    let generation = &route["metadata"]["generation"];
    let parents = route["status"]["parents"].as_array().map(Vec::as_slice).unwrap_or_default();
    if parents.is_empty() {
        return Taken::Refused("no gateway has said anything about the route; look whether it exists".to_owned());
    }
    let mut taken = Taken::Yes;
    for parent in parents {
        let conditions = parent["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        for condition in conditions.iter().filter(|c| c["type"] == "Accepted" || c["type"] == "ResolvedRefs") {
            if condition["observedGeneration"] != *generation {
                taken = Taken::NotYet;
            } else if condition["status"] != "True" {
                let (reason, message) = (text(&condition["reason"]), text(&condition["message"]));
                return Taken::Refused(format!("gateway {}: {reason}: {message}", text(&parent["parentRef"]["name"])));
            }
        }
    }
    taken
}

fn pod(name: &str, object: &Value) -> Pod {
    let status = &object["status"];
    let containers = status["containerStatuses"].as_array().map(Vec::as_slice).unwrap_or_default();
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    Pod {
        name: name.to_owned(),
        uid: text(&object["metadata"]["uid"]),
        revision: revision_of(object).to_owned(),
        ip: status["podIP"].as_str().map(str::to_owned),
        ready: conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True"),
        restarts: containers.iter().filter_map(|container| container["restartCount"].as_u64()).sum(),
        waiting: containers.iter().find_map(|container| {
            let waiting = &container["state"]["waiting"];
            waiting["reason"].as_str().map(|reason| match waiting["message"].as_str() {
                Some(message) => format!("{reason}: {message}"),
                None => reason.to_owned(),
            })
        }),
        ending: !object["metadata"]["deletionTimestamp"].is_null(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
