//! The rules of objectives as objects the metrics system reads: a
//! PrometheusRule where that kind is served, else a ConfigMap. All of them live
//! in the operator's namespace, where no tenant can write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use hashinsight_crds::names::MANAGED_BY;
use hashinsight_slo::objective::Objective;
use hashinsight_slo::rules::{Links, Rules, of_objective, of_operator};
use serde_json::{Value, json};

use crate::api::Target;
use crate::ctx::Ctx;
use crate::digest::short_hash;
use crate::error::Error;
use crate::kinds::{CONFIG_MAPS, CRDS, Kind, PROMETHEUS_RULES};

/// On every object with rules: what Prometheus, or what brings rules to it,
/// selects by.
pub const LABEL_RULES: (&str, &str) = ("hashinsight.net/rules", "prometheus");
/// Rules that speak of no single objective.
const OF_OPERATOR: &str = "slo-operator";
const MANAGER: &str = "hashinsight-rules";
/// The definition whose presence decides the kind.
pub const MONITORING_CRD: &str = "prometheusrules.monitoring.coreos.com";

/// What was applied last: digest of what we want, and the version the server
/// gave it.
type Applied = BTreeMap<String, (String, Option<String>)>;

/// Keeps the objects with rules.
pub struct Rendering {
    namespace: String,
    links: Links,
    labels: Vec<(String, String)>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Not known before the first sweep; until then nothing is applied.
    kind: Option<&'static Kind>,
    applied: Applied,
}

/// The name of the object with an objective's rules. A namespace has no dots,
/// so no two objectives share it.
pub fn name_of(namespace: &str, name: &str) -> String {
    format!("slo.{namespace}.{name}")
}

impl Rendering {
    /// For an operator in `namespace`.
    pub fn new(namespace: &str, links: Links, labels: Vec<(String, String)>) -> Self {
        Self { namespace: namespace.to_owned(), links, labels, state: Mutex::default() }
    }

    /// Puts an objective's rules in place, if they are not.
    pub async fn keep(&self, objective: &Objective, ctx: &Ctx) -> Result<u32, Error> {
        let name = name_of(&objective.namespace, &objective.name);
        self.apply(&name, &of_objective(objective, &self.links), ctx).await
    }

    async fn apply(&self, name: &str, rules: &Rules, ctx: &Ctx) -> Result<u32, Error> {
        let Some(kind) = self.with(|state| state.kind) else { return Ok(0) };
        let object = self.object(kind, name, rules);
        let digest = short_hash(&[&object.to_string()]);
        if self.with(|state| state.applied.get(name).is_some_and(|(applied, _)| *applied == digest)) {
            return Ok(0);
        }
        let target = Target { kind, namespace: Some(&self.namespace), name };
        let written = ctx.server.apply(target, MANAGER, &object).await?;
        self.with(|state| state.applied.insert(name.to_owned(), (digest, written.metadata.resource_version)));
        Ok(1)
    }

    fn object(&self, kind: &Kind, name: &str, rules: &Rules) -> Value {
        let mut labels = json!({MANAGED_BY.0: MANAGED_BY.1, LABEL_RULES.0: LABEL_RULES.1});
        for (key, value) in &self.labels {
            labels[key] = json!(value);
        }
        let mut object = json!({
            "apiVersion": kind.api_version(),
            "kind": kind.kind,
            "metadata": {"name": name, "namespace": self.namespace, "labels": labels},
        });
        if *kind == PROMETHEUS_RULES {
            object["spec"] = json!(rules);
        } else {
            let text = serde_saphyr::to_string(rules).unwrap_or_else(|_| json!(rules).to_string());
            object["data"] = json!({"rules.yaml": text});
        }
        object
    }

    /// Looks at every object with rules: removes those of objectives that are
    /// no more, and those of the other kind when a better one is served or no
    /// longer; says which were changed by others, so that they are put back.
    pub async fn sweep(&self, wanted: &BTreeSet<String>, ctx: &Ctx) -> Result<BTreeSet<String>, Error> {
        let crd = Target { kind: &CRDS, namespace: None, name: MONITORING_CRD };
        let served = ctx.server.get(crd).await?.is_some();
        let (kind, other) = if served { (&PROMETHEUS_RULES, &CONFIG_MAPS) } else { (&CONFIG_MAPS, &PROMETHEUS_RULES) };
        let mut changed = BTreeSet::new();
        let switched = self.with(|state| {
            let switched = state.kind != Some(kind);
            if switched {
                state.applied.clear();
                state.kind = Some(kind);
                changed.extend(wanted.iter().cloned());
            }
            switched
        });
        let mut there = BTreeSet::new();
        for meta in ctx.server.list(kind, &self.namespace, LABEL_RULES).await? {
            let (name, uid) = (meta.name.unwrap_or_default(), meta.uid);
            if name != OF_OPERATOR && !wanted.contains(&name) {
                let target = Target { kind, namespace: Some(&self.namespace), name: &name };
                ctx.server.delete(target, uid.as_deref()).await?;
                self.with(|state| state.applied.remove(&name));
                continue;
            }
            let ours = self.with(|state| state.applied.get(&name).is_none_or(|(_, v)| *v == meta.resource_version));
            if !ours {
                self.with(|state| state.applied.remove(&name));
                ctx.metrics.repairs.with_label_values(&[kind.plural]).inc();
                changed.insert(name.clone());
            }
            there.insert(name);
        }
        self.with(|state| {
            let gone: Vec<String> = state.applied.keys().filter(|name| !there.contains(*name)).cloned().collect();
            for name in gone {
                state.applied.remove(&name);
                changed.insert(name);
            }
        });
        self.apply(OF_OPERATOR, &of_operator(&self.links), ctx).await?;
        if switched && served {
            // What was there before a better kind was served; the other way
            // round its objects went with their definition.
            for meta in ctx.server.list(other, &self.namespace, LABEL_RULES).await? {
                let name = meta.name.unwrap_or_default();
                let target = Target { kind: other, namespace: Some(&self.namespace), name: &name };
                ctx.server.delete(target, meta.uid.as_deref()).await?;
            }
        }
        Ok(changed)
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
