//! A core's spec, read once: what makes its pods, what its revision is, and how
//! it is rolled out, with everything filled in that was not said.

use std::collections::BTreeMap;
use std::time::Duration;

use hashinsight_crds::calculation_core::{GoldenSamples, OnNoData, PodTemplate, Replicas, Route, Step};
use hashinsight_crds::names::ANNOTATION_CHANGE_CLASS;
use hashinsight_crds::{CalculationCore, CalculationCoreStatus};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Resource, ResourceExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::digest::Digest;

/// Bytes of settings; they are kept twice.
const CONFIG_MAX: usize = 32 * 1024;
/// Settings that say where the service listens: the operator's.
const OURS: [&str; 4] = ["listen", "probes", "instance", "records"];

/// What makes a pod: image, settings and template roll, roll back and are
/// quarantined as one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// The image, by digest.
    pub image: String,
    /// The service's settings.
    pub config: BTreeMap<String, Value>,
    /// What else pods are given.
    pub template: PodTemplate,
}

impl Content {
    /// Ten hexadecimal digits over all of it.
    pub fn revision(&self) -> String {
        let mut hex = Digest::of(&json!(self)).hex();
        hex.truncate(10);
        hex
    }
}

/// What kind of change the spec is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChangeClass {
    /// Something new.
    #[default]
    Feature,
    /// Something mended.
    Fix,
    /// A hole closed.
    Security,
}

impl ChangeClass {
    fn read(text: &str) -> Option<Self> {
        match text {
            "Feature" => Some(Self::Feature),
            "Fix" => Some(Self::Fix),
            "Security" => Some(Self::Security),
            _ => None,
        }
    }
}

/// How a new revision takes the place of the one before.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// Shares on the way, rising.
    pub steps: Vec<Step>,
    /// How long a state that is not watching may take.
    pub progress: Duration,
    /// How long the version before stays as a control.
    pub watch: Duration,
    /// Whether pods must compute the golden samples.
    pub golden: bool,
    /// Names of the objectives.
    pub objectives: Vec<String>,
    /// Share of what is left of a budget that a step may risk, in percent.
    pub risk: i32,
    /// How long there may be no data.
    pub no_data: Duration,
    /// What happens then.
    pub on_no_data: OnNoData,
}

impl Rollout {
    /// The step of that number, from 1; `None` beyond the last.
    pub fn step(&self, number: i32) -> Option<&Step> {
        usize::try_from(number - 1).ok().and_then(|at| self.steps.get(at))
    }
}

/// A core as it is worked on.
#[derive(Clone, Debug)]
pub struct ValidCore {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its version, for compare-and-swap.
    pub version: String,
    /// Its generation.
    pub generation: i64,
    /// What the spec asks pods to be, or why that cannot be.
    pub asked: Result<Content, Refused>,
    /// The revision of that. When it cannot be: the one that is on its way, or
    /// serves, so that this goes on.
    pub revision: String,
    /// How many pods.
    pub replicas: Replicas,
    /// How customers reach it.
    pub route: Option<Route>,
    /// How it is rolled out.
    pub rollout: Rollout,
    /// What kind of change it is.
    pub change_class: ChangeClass,
    /// What is on record.
    pub status: CalculationCoreStatus,
    /// For events.
    pub about: ObjectReference,
}

/// Why a spec cannot be worked on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The settings are too large.
    #[error("spec.config: {0} bytes, at most {CONFIG_MAX} are kept; show large files by spec.template.configMaps")]
    ConfigTooLarge(usize),
    /// A setting that is not the user's.
    #[error("spec.config.{0}: is set by the operator; leave it out")]
    OperatorsOwn(&'static str),
    /// No class of changes.
    #[error("annotation {ANNOTATION_CHANGE_CLASS}: {0:?} is no class; write Feature, Fix or Security")]
    ChangeClass(String),
}

impl ValidCore {
    /// Reads a core.
    pub fn of(core: &CalculationCore) -> Self {
        let (spec, status) = (&core.spec, core.status.clone().unwrap_or_default());
        let asked = asked(core);
        let (revision, change_class) = if let Ok((content, class)) = &asked {
            (content.revision(), *class)
        } else {
            let canary = status.canary.as_ref().filter(|_| status.is_under_way()).map(|canary| &canary.revision);
            let held = canary.or(status.stable.as_ref().map(|stable| &stable.revision));
            (held.cloned().unwrap_or_default(), ChangeClass::default())
        };
        Self {
            namespace: core.namespace().unwrap_or_default(),
            name: core.name_any(),
            uid: core.uid().unwrap_or_default(),
            version: core.resource_version().unwrap_or_default(),
            generation: core.metadata.generation.unwrap_or_default(),
            revision,
            asked: asked.map(|(content, _)| content),
            replicas: spec.replicas.clone(),
            route: spec.route.clone(),
            rollout: rollout(core),
            change_class,
            status,
            about: core.object_ref(&()),
        }
    }

    /// Whether the stable revision is what the spec asks for.
    pub fn is_served(&self) -> bool {
        self.status.stable.as_ref().is_some_and(|stable| stable.revision == self.revision)
    }

    /// The canary's share of traffic on record, in percent.
    pub fn weight(&self) -> i32 {
        self.status.canary.as_ref().map_or(0, |canary| canary.weight_percent)
    }

    /// Name of what belongs to a revision alone.
    pub fn of_revision(&self, revision: &str) -> String {
        format!("{}-{revision}", self.name)
    }
}

/// What the spec asks pods to be, and what kind of change that is.
fn asked(core: &CalculationCore) -> Result<(Content, ChangeClass), Refused> {
    let spec = &core.spec;
    let bytes = json!(spec.config).to_string().len();
    if bytes > CONFIG_MAX {
        return Err(Refused::ConfigTooLarge(bytes));
    }
    if let Some(ours) = OURS.into_iter().find(|ours| spec.config.contains_key(*ours)) {
        return Err(Refused::OperatorsOwn(ours));
    }
    let class = match core.annotations().get(ANNOTATION_CHANGE_CLASS) {
        None => ChangeClass::Feature,
        Some(text) => ChangeClass::read(text).ok_or_else(|| Refused::ChangeClass(text.clone()))?,
    };
    let template = spec.template.clone().unwrap_or_default();
    Ok((Content { image: spec.image.clone(), config: spec.config.clone(), template }, class))
}

fn rollout(core: &CalculationCore) -> Rollout {
    let stated = core.spec.rollout.clone().unwrap_or_default();
    let seconds = |value: Option<i32>, usual: u64| {
        Duration::from_secs(value.map_or(usual, |seconds| u64::from(seconds.unsigned_abs())))
    };
    let usual = [5, 25, 50].map(|weight_percent| Step { weight_percent, hold_seconds: 120 });
    let analysis = stated.analysis.as_ref();
    Rollout {
        steps: if stated.steps.is_empty() { usual.into() } else { stated.steps },
        progress: seconds(stated.progress_deadline_seconds, 900),
        watch: seconds(stated.watch_seconds, 1800),
        golden: stated.golden_samples.unwrap_or_default() == GoldenSamples::Required,
        objectives: analysis.into_iter().flat_map(|a| &a.objective_refs).map(|o| o.name.clone()).collect(),
        risk: analysis.and_then(|a| a.max_remaining_budget_percent).unwrap_or(10),
        no_data: seconds(analysis.and_then(|a| a.no_data_deadline_seconds), 900),
        on_no_data: analysis.and_then(|a| a.on_no_data_deadline).unwrap_or_default(),
    }
}
