//! RolloutActions: what people ask of rollouts. The core's own controller does
//! them, because they are on record in its status with what they did; here they
//! are handed to it, those whose core is not there are ended, and old ones go.

use hashinsight_crds::conditions::{ConditionStatus, READY, STALLED, SUCCEEDED, Stated, settle};
use hashinsight_crds::{CalculationCore, Reason, RolloutAction, RolloutActionStatus, Time, whole_second};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::mpsc;

use crate::api::Target;
use crate::ctx::Ctx;
use crate::driver::{Outcome, Wake, Workflow};
use crate::error::Error;
use crate::kinds::ACTIONS;
use crate::publish::Publisher;

const PUBLISHER: Publisher =
    Publisher { kind: &ACTIONS, manager: "hashinsight-action-status", controller: ActionWorkflow::NAME };

/// Actions as a watch keeps them.
pub type Actions = Store<DeserializeGuard<RolloutAction>>;

/// Actions of a core that are kept once they are over, newest first.
const KEPT: usize = 20;

/// The controller.
pub struct ActionWorkflow {
    /// All actions.
    pub actions: Actions,
    /// All cores.
    pub cores: Store<DeserializeGuard<CalculationCore>>,
    /// Wakes a core, by namespace and name.
    pub wake: mpsc::Sender<(String, String)>,
}

impl ActionWorkflow {
    /// Deletes what is over and no longer kept of a core's actions.
    async fn forget_old(&self, core: &str, ctx: &Ctx) -> Result<u32, Error> {
        let all = self.actions.state();
        let readable = all.iter().filter_map(|guard| guard.0.as_ref().ok());
        let mut over: Vec<&RolloutAction> =
            readable.filter(|action| action.spec.core_ref.name == core && is_over(action)).collect();
        over.sort_by_key(|action| (std::cmp::Reverse(finished_at(action)), action.name_any()));
        let mut writes = 0;
        for old in over.into_iter().skip(KEPT) {
            let (namespace, name) = (old.namespace(), old.name_any());
            let target = Target { kind: &ACTIONS, namespace: namespace.as_deref(), name: &name };
            ctx.server.delete(target, old.uid().as_deref()).await?;
            writes += 1;
        }
        Ok(writes)
    }
}

fn finished_at(action: &RolloutAction) -> Option<&Time> {
    action.status.as_ref()?.finished_at.as_ref()
}

/// Whether it was done or refused.
pub fn is_over(action: &RolloutAction) -> bool {
    finished_at(action).is_some()
}

/// Puts on record what became of an action: that it was done, or why it never
/// will be.
pub async fn end(
    action: &RolloutAction,
    ended: Result<(), (Reason, String)>,
    now: Timestamp,
    ctx: &Ctx,
) -> Result<u32, Error> {
    let spec = &action.spec;
    let (status, reason, message) = match ended {
        Ok(()) => {
            let message = format!("{} of revision {} was done", spec.verb.as_str(), spec.revision);
            (ConditionStatus::True, Reason::ActionDone, message)
        }
        Err((reason, why)) => (ConditionStatus::False, reason, format!("{} was not done: {why}", spec.verb.as_str())),
    };
    let mut stated =
        [READY, SUCCEEDED].map(|type_| Stated { type_, status, reason, message: message.clone() }).to_vec();
    if status == ConditionStatus::False {
        stated.push(Stated { type_: STALLED, status: ConditionStatus::True, reason, message });
    }
    let generation = action.metadata.generation.unwrap_or_default();
    let before = action.status.clone().unwrap_or_default();
    let status = RolloutActionStatus {
        observed_generation: generation,
        finished_at: Some(whole_second(now)),
        conditions: settle(stated, &before.conditions, generation, now),
    };
    PUBLISHER.publish(&action.metadata, &status, ctx).await
}

impl Workflow for ActionWorkflow {
    type Object = RolloutAction;
    const NAME: &'static str = "rolloutaction";

    async fn reconcile(&self, action: &RolloutAction, ctx: &Ctx) -> Result<Outcome, Error> {
        let mut outcome = Outcome { wake: Wake::OnChange, trouble: None, writes: 0 };
        if is_over(action) {
            outcome.writes = self.forget_old(&action.spec.core_ref.name, ctx).await?;
            return Ok(outcome);
        }
        let (namespace, core) = (action.namespace().unwrap_or_default(), action.spec.core_ref.name.clone());
        if self.cores.get(&ObjectRef::new(&core).within(&namespace)).is_none() {
            let why = format!("there is no CalculationCore {core} in {namespace}");
            outcome.writes = end(action, Err((Reason::ActionRefused, why)), ctx.clock.now(), ctx).await?;
        } else {
            // A closed channel means that the core's controller has ended, and
            // so will we.
            let _ = self.wake.send((namespace, core)).await;
        }
        Ok(outcome)
    }

    async fn reconcile_unreadable(&self, invalid: &InvalidObject, ctx: &Ctx) -> Result<Outcome, Error> {
        let status = |observed_generation, conditions| RolloutActionStatus {
            observed_generation,
            conditions,
            ..Default::default()
        };
        PUBLISHER.unreadable(invalid, ctx, status).await
    }
}
