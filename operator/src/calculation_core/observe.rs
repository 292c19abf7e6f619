//! Reads everything a run goes by: what watches show, what pods and the metrics
//! system say. Nothing is judged here, and nothing is changed.

use std::collections::BTreeSet;
use std::time::Duration;

use hashinsight_crds::calculation_core::RolloutState;
use hashinsight_slo::objective::{Objective, Reach};
use jiff::Timestamp;
use kube::ResourceExt;
use tokio::time::Instant;
use tracing::info;

use super::CoreWorkflow;
use super::analysis::{Tracker, usable};
use super::leave::Leave;
use super::pods::AskPods;
use super::seen::{Golden, Judged, Pod, Seen};
use super::valid::ValidCore;
use crate::ctx::Ctx;

/// How long no request may have reached a canary that goes.
const QUIET: Duration = Duration::from_secs(3);

/// What is known of a core's canary beyond what is on record.
#[derive(Default)]
pub struct Memory {
    /// Its revision: what is known of one says nothing of the next.
    canary: String,
    /// The state on record, and since when this process has seen it.
    entered: Option<(RolloutState, Instant)>,
    /// Pods whose golden samples came out exactly.
    exact: BTreeSet<String>,
    /// Requests its pods had answered, and since when that is all.
    answered: Option<(u64, Timestamp)>,
    tracker: Option<Tracker>,
}

impl CoreWorkflow {
    /// Reads everything a run goes by. Pods and the metrics system are asked
    /// only in states that need their word.
    pub(super) async fn observe(&self, core: &ValidCore, ctx: &Ctx, now: Timestamp) -> Result<Seen, String> {
        let mut seen = Seen {
            objects: self.cache.of(&core.name)?,
            gateway_served: self.cache.gateway_served(),
            in_state: Duration::ZERO,
            golden: Golden::NotAsked,
            quiet: false,
            judged: None,
            leave: self.leave(core),
            unusable: None,
        };
        let mut all = self.memory.lock().await;
        let memory = all.entry(core.uid.clone()).or_default();
        let objectives = self.objectives(core);
        seen.unusable = objectives.as_ref().err().cloned();
        if ctx.source.is_none() && !core.rollout.objectives.is_empty() {
            seen.unusable =
                Some("objectives are named, and the operator was started without --prometheus-url".to_owned());
        }
        if let Some(state) = &core.status.state {
            memory.entered.take_if(|(entered, _)| entered != state);
            let (_, since) = memory.entered.get_or_insert_with(|| (state.clone(), Instant::now()));
            seen.in_state = since.elapsed();
        }
        let revision = core.status.canary.as_ref().map_or("", |canary| &canary.revision);
        if memory.canary != revision {
            *memory = Memory { canary: revision.to_owned(), entered: memory.entered.take(), ..Memory::default() };
        }
        let Some(canary) = &core.status.canary else { return Ok(seen) };
        let pods: Vec<Pod> =
            seen.pods().filter(|pod| pod.revision == canary.revision && pod.ready && !pod.ending).collect();
        match &core.status.state {
            Some(RolloutState::Verifying { .. } | RolloutState::Shifting { .. } | RolloutState::Promoting { .. })
                if core.rollout.golden =>
            {
                seen.golden = golden(&pods, memory, &*ctx.pods).await;
            }
            Some(RolloutState::RollingBack { drained_at: None, .. }) => {
                seen.quiet = is_quiet(&pods, memory, &*ctx.pods, now).await;
            }
            _ => {}
        }
        if let (Ok(objectives), Some(source)) = (&objectives, &ctx.source)
            && let Some(judged) = judged(core, objectives, &**source, memory, now).await
        {
            seen.judged = Some(judged);
        }
        Ok(seen)
    }

    /// What error budgets leave the rollout.
    fn leave(&self, core: &ValidCore) -> Leave {
        let (objectives, policies) = (self.objectives.state(), self.policies.state());
        let named = objectives.iter().filter_map(|guard| guard.0.as_ref().ok()).filter(|objective| {
            core.rollout.objectives.contains(&objective.name_any())
                && objective.namespace().as_deref() == Some(&core.namespace)
        });
        let policies = policies.iter().filter_map(|guard| guard.0.as_ref().ok());
        Leave::of(core, &named.collect::<Vec<_>>(), &policies.collect::<Vec<_>>())
    }

    /// The objectives the spec names, as long as each can be counted for one
    /// revision.
    fn objectives(&self, core: &ValidCore) -> Result<Vec<Objective>, String> {
        let all = self.objectives.state();
        let named = |name: &str| {
            all.iter().filter_map(|guard| guard.0.as_ref().ok()).find(|objective| {
                objective.name_any() == name && objective.namespace().as_deref() == Some(&core.namespace)
            })
        };
        let usable_one = |name: &String| {
            let object = named(name).ok_or_else(|| format!("objective {name}: there is none of that name here"))?;
            let parsed = Objective::parse(&core.namespace, name, &object.spec, &Reach::Everything);
            let objective = parsed.map_err(|refused| format!("objective {name}: {refused}"))?;
            usable(&objective).map(|()| objective)
        };
        core.rollout.objectives.iter().map(usable_one).collect()
    }
}

/// Asks every pod that was not asked yet.
async fn golden(pods: &[Pod], memory: &mut Memory, ask: &dyn AskPods) -> Golden {
    for pod in pods {
        if memory.exact.contains(&pod.uid) {
            continue;
        }
        let Some(ip) = &pod.ip else { return Golden::Waits(format!("pod {} has no address", pod.name)) };
        match ask.golden(ip).await {
            Ok(Ok(samples)) => {
                info!(pod = pod.name, samples, "every golden sample came out exactly");
                memory.exact.insert(pod.uid.clone());
            }
            Ok(Err(mismatch)) => return Golden::Differs(format!("pod {}: {mismatch}", pod.name)),
            Err(why) => return Golden::Waits(format!("pod {}: {why}", pod.name)),
        }
    }
    if pods.is_empty() { Golden::NotAsked } else { Golden::Exact }
}

/// Whether the pods have answered no request for a while, by their own
/// counters. One that cannot be asked answers nobody.
async fn is_quiet(pods: &[Pod], memory: &mut Memory, ask: &dyn AskPods, now: Timestamp) -> bool {
    let mut answered = 0_u64;
    for ip in pods.iter().filter_map(|pod| pod.ip.as_ref()) {
        answered = answered.saturating_add(ask.answered(ip).await.unwrap_or(0));
    }
    match memory.answered {
        Some((before, since)) if before == answered => {
            Duration::try_from(now.duration_since(since)).is_ok_and(|quiet| quiet >= QUIET)
        }
        _ => {
            memory.answered = Some((answered, now));
            pods.is_empty()
        }
    }
}

/// The verdict on the canary's requests; `None` where none are counted.
async fn judged(
    core: &ValidCore,
    objectives: &[Objective],
    source: &dyn hashinsight_metrics_source::MetricsQuery,
    memory: &mut Memory,
    now: Timestamp,
) -> Option<Judged> {
    let canary = core.status.canary.as_ref()?;
    let (from, stable) = (canary.counted_since.as_ref()?.0, core.status.stable.as_ref()?);
    let state = core.status.state.as_ref()?;
    let counts = matches!(
        state,
        RolloutState::Shifting { .. }
            | RolloutState::Soaking { .. }
            | RolloutState::Promoting { .. }
            | RolloutState::Watching { .. }
    );
    if !counts || objectives.is_empty() {
        return None;
    }
    let (ours, theirs) = (canary.revision.as_str(), stable.revision.as_str());
    memory.tracker.take_if(|tracker| !tracker.is_of(ours, theirs, objectives, from) || tracker.is_ahead(now));
    let tracker = memory.tracker.get_or_insert_with(|| Tracker::new(ours, theirs, objectives, from));
    Some(tracker.look(source, objectives, state.since().0, now).await)
}
