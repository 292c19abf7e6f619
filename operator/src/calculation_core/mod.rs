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
mod durations;
mod leave;
pub mod machine;
pub mod objects;
pub mod observe;
pub mod pods;
mod report;
pub mod seen;
pub mod told;
pub mod traffic;
pub mod valid;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hashinsight_crds::calculation_core::RolloutState;
use hashinsight_crds::{
    CalculationCore, CalculationCoreStatus, ErrorBudgetPolicy, RolloutAction, ServiceLevelObjective,
};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::reflector::Store;
use tokio::sync::Mutex;
use tracing::info;

use self::cache::Cache;
use self::machine::{Move, step, told_verdict};
use self::objects::{desired, evidence};
use self::observe::Memory;
use self::seen::Seen;
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

impl CoreWorkflow {
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
