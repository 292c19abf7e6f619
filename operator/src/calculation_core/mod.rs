//! CalculationCores: a version of the service takes the place of the one
//! before, in steps that counted requests must pass, and is taken back when they
//! do not.
//!
//! What is on record in status says everything: the state is written, by
//! compare-and-swap, before anything is done in it, and what is done is a pure
//! function of it (`traffic`, `objects`). A run that ends anywhere is taken up
//! where its record is. This module decides no verdict: `gates::canary` does.

mod action;
mod analysis;
mod apply;
pub mod cache;
mod drift;
mod leave;
pub mod machine;
pub mod objects;
pub mod pods;
mod report;
pub mod seen;
pub mod told;
pub mod traffic;
pub mod valid;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hashinsight_crds::calculation_core::RolloutState;
use hashinsight_crds::{
    CalculationCore, CalculationCoreStatus, ErrorBudgetPolicy, RolloutAction, ServiceLevelObjective,
};
use hashinsight_slo::objective::{Objective, Reach};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::reflector::Store;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::info;

use self::analysis::{Tracker, usable};
use self::cache::Cache;
use self::leave::Leave;
use self::machine::{Move, step, told_verdict};
use self::objects::{desired, evidence};
use self::pods::AskPods;
use self::seen::{Golden, Judged, Pod, Seen};
use self::traffic::intent;
use self::valid::ValidCore;
use crate::api::{Story, Target};
use crate::ctx::Ctx;
use crate::driver::{Outcome, Wake, Workflow};
use crate::error::{Class, Error};
use crate::kinds::{ACTIONS, CORES};
use crate::publish::Publisher;
use crate::rollout_action::{Actions, end, is_over};

const PUBLISHER: Publisher = Publisher { kind: &CORES, manager: MANAGER_STATUS, controller: CoreWorkflow::NAME };
/// Field manager of a core's objects.
const MANAGER: &str = "hashinsight-core";
/// Field manager of status.
const MANAGER_STATUS: &str = "hashinsight-core-status";
/// Moves in one run: more than any rollout has without waiting.
const MOVES: usize = 16;
/// How soon a rollout that waits for pods is looked at again, if nothing wakes
/// it.
const SOON: Duration = Duration::from_secs(1);
/// How long no request may have reached a canary that goes.
const QUIET: Duration = Duration::from_secs(3);

/// The controller.
pub struct CoreWorkflow {
    /// What there is of cores.
    pub cache: Arc<Cache>,
    /// All objectives.
    pub objectives: Store<DeserializeGuard<ServiceLevelObjective>>,
    /// All policies.
    pub policies: Store<DeserializeGuard<ErrorBudgetPolicy>>,
    /// What people ask of rollouts.
    pub actions: Actions,
    /// What is known of each canary; lost and found again with every start.
    pub memory: Mutex<BTreeMap<String, Memory>>,
}

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
    async fn observe(&self, core: &ValidCore, ctx: &Ctx, now: Timestamp) -> Result<Seen, String> {
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

    /// What is asked of the core and not over: what was done already first, then
    /// the oldest.
    fn asked(&self, core: &ValidCore) -> Vec<RolloutAction> {
        let actions = self.actions.state();
        let ours = actions.iter().filter_map(|guard| guard.0.as_ref().ok()).filter(|action| {
            let here = action.namespace().as_deref() == Some(&core.namespace);
            here && action.spec.core_ref.name == core.name && !is_over(action)
        });
        let mut ours: Vec<RolloutAction> = ours.cloned().collect();
        ours.sort_by_key(|action| (!is_done(core, action), action.creation_timestamp(), action.name_any()));
        ours
    }

    /// Ends what is asked of the core, one thing at a time: what it is told
    /// comes after what it did, and nothing is done twice. Says what was done.
    async fn act(
        &self,
        core: &mut ValidCore,
        seen: &Seen,
        ctx: &Ctx,
        now: Timestamp,
    ) -> Result<Option<(u32, &'static str)>, Error> {
        for known in self.asked(core) {
            // A watch may lag behind what we wrote.
            let (namespace, name) = (Some(core.namespace.as_str()), known.name_any());
            let stored = ctx.server.get(Target { kind: &ACTIONS, namespace, name: &name }).await?;
            let Some(action) = stored.and_then(|stored| stored.try_parse::<RolloutAction>().ok()) else { continue };
            if is_over(&action) || action.uid() != known.uid() {
                continue;
            }
            if is_done(core, &action) {
                return Ok(Some((end(&action, Ok(()), now, ctx).await?, "told")));
            }
            return Ok(Some(match action::decide(core, seen, &action, now) {
                Ok(made) => {
                    let writes = self.record(core, seen, made, ctx, now).await?;
                    (writes + end(&action, Ok(()), now, ctx).await?, "done")
                }
                Err(refusal) => (end(&action, Err((refusal.reason, refusal.why)), now, ctx).await?, "refused"),
            }));
        }
        Ok(None)
    }

    /// Puts a move on record, if nobody did before.
    async fn record(
        &self,
        core: &mut ValidCore,
        seen: &Seen,
        mut next: Move,
        ctx: &Ctx,
        now: Timestamp,
    ) -> Result<u32, Error> {
        let mut writes = 0;
        if let Some(canary) = &mut next.status.canary
            && let Some(judged) = &seen.judged
        {
            told_verdict(seen, canary, now);
            let kept = evidence(core, &canary.revision, &judged.record);
            writes += apply::put(core, &kept, &self.cache, ctx).await?;
        }
        let was_taken_back = matches!(core.status.state, Some(RolloutState::RollingBack { .. }));
        core.status = next.status;
        core.status.observed_generation = core.generation;
        core.status.conditions = report::conditions(core, seen, None, now);
        writes += publish(core, ctx).await?;
        let state = core.status.state.as_ref();
        let reason = report::reason_of(core);
        info!(state = state.map_or("none", RolloutState::name), note = next.note, "moved");
        let warning = matches!(state, Some(RolloutState::RollingBack { .. } | RolloutState::RolledBack { .. }));
        let note = format!("{}: {}", report::canary_of(core), next.note);
        if let (Some(RolloutState::RollingBack { reason, .. }), false) = (state, was_taken_back) {
            ctx.metrics.rollouts.rolled_back(&core.name, *reason);
        }
        ctx.server.record(Story { about: core.about.clone(), warning, reason: reason.as_str(), note }, now).await?;
        Ok(writes)
    }
}

/// Whether the record says that the action was done.
fn is_done(core: &ValidCore, action: &RolloutAction) -> bool {
    core.status.last_action.as_ref().is_some_and(|done| Some(&done.uid) == action.uid().as_ref())
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

/// Writes the whole status if the object is as it was when it was read.
async fn publish(core: &mut ValidCore, ctx: &Ctx) -> Result<u32, Error> {
    let whose = (Some(core.namespace.as_str()), core.name.as_str(), core.uid.as_str());
    core.version = PUBLISHER.write(whose, Some(&core.version), &core.status, ctx).await?;
    Ok(1)
}

/// When the core wants to be looked at again.
fn wake(core: &ValidCore) -> Wake {
    match &core.status.state {
        None | Some(RolloutState::Promoted { .. } | RolloutState::RolledBack { .. }) => Wake::OnChange,
        Some(RolloutState::Soaking { .. } | RolloutState::Watching { .. }) => {
            Wake::Within(Duration::from_secs(analysis::LOOK))
        }
        Some(_) => Wake::Within(SOON),
    }
}

impl Workflow for CoreWorkflow {
    type Object = CalculationCore;
    const NAME: &'static str = "calculationcore";

    async fn reconcile(&self, object: &CalculationCore, ctx: &Ctx) -> Result<Outcome, Error> {
        let now = ctx.clock.now();
        let mut outcome = Outcome { wake: Wake::OnChange, trouble: None, writes: 0 };
        if object.metadata.deletion_timestamp.is_some() {
            // What it owns is collected with it.
            return Ok(outcome);
        }
        let mut core = ValidCore::of(object);
        let before = core.status.clone();
        let mut seen = self.observe(&core, ctx, now).await;
        for _ in 0..MOVES {
            let Ok(is) = &seen else { break };
            if let Some((writes, what)) = self.act(&mut core, is, ctx, now).await? {
                info!(what, "an action is over");
                outcome.writes += writes;
            } else if let Some(next) = step(&core, is, now) {
                outcome.writes += self.record(&mut core, is, next, ctx, now).await?;
            } else {
                break;
            }
            seen = self.observe(&core, ctx, now).await;
        }
        let mut lingers = false;
        let failure = match &seen {
            Ok(seen) => {
                let desired = desired(&core, seen, &intent(&core, seen));
                lingers = desired.lingers;
                let applied = apply::all(&core, &desired, &self.cache, ctx).await;
                outcome.writes += applied.writes;
                outcome.trouble = applied.failure.as_ref().map(|(_, class)| *class);
                applied.failure
            }
            Err(missing) => {
                outcome.trouble = Some(Class::Forbidden);
                Some((missing.clone(), Class::Forbidden))
            }
        };
        let judged = seen.as_ref().ok().and_then(|seen| seen.judged.as_ref());
        ctx.metrics.rollouts.tell(&core.uid, &core.name, &core.status, judged);
        let told = report::status(&core, seen.as_ref().ok(), failure.as_ref(), now);
        if told != before && told != core.status {
            core.status = told;
            outcome.writes += publish(&mut core, ctx).await?;
        }
        outcome.wake = if lingers { Wake::Within(SOON) } else { wake(&core) };
        Ok(outcome)
    }

    async fn reconcile_unreadable(&self, invalid: &InvalidObject, ctx: &Ctx) -> Result<Outcome, Error> {
        let status = |observed_generation, conditions| CalculationCoreStatus {
            observed_generation,
            conditions,
            ..Default::default()
        };
        PUBLISHER.unreadable(invalid, ctx, status).await
    }
}
