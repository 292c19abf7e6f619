//! Wires calculation cores: their watch, those of what they are made of, what
//! people ask of them, and the controllers.

use std::sync::Arc;

use futures::future::{self, FutureExt};
use futures::stream::{self, StreamExt};
use hashinsight_crds::{CalculationCore, ErrorBudgetPolicy, ServiceLevelObjective};
use kube::ResourceExt;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{self, ObjectRef, Store};
use tokio::sync::{Mutex, mpsc, watch};

use super::{TRIGGERS, objects, over};
use crate::calculation_core::CoreWorkflow;
use crate::calculation_core::cache::{Cache, follow_kind};
use crate::calculation_core::objects::KINDS;
use crate::ctx::Ctx;
use crate::driver;
use crate::kinds::{ACTIONS, CORES, PODS};
use crate::rollout_action::ActionWorkflow;

type Cores = Store<DeserializeGuard<CalculationCore>>;

/// Runs until `ended` turns true.
pub(super) async fn run(
    namespace: &str,
    ctx: Arc<Ctx>,
    objectives: Store<DeserializeGuard<ServiceLevelObjective>>,
    policies: Store<DeserializeGuard<ErrorBudgetPolicy>>,
    ended: watch::Receiver<bool>,
) {
    let (cores, writer) = reflector::store();
    let (actions, action_writer) = reflector::store();
    let own = Api::namespaced(ctx.server.client(), namespace);
    let watched = objects(own, writer, &CORES, Arc::clone(&ctx), |_| ());
    let own = Api::namespaced(ctx.server.client(), namespace);
    let watched_actions = objects(own, action_writer, &ACTIONS, Arc::clone(&ctx), |_| ());
    let (wake, woken) = mpsc::channel::<(String, String)>(TRIGGERS);
    let cache = Arc::new(Cache::default());
    let feeds = KINDS.into_iter().chain([&PODS]).map(|kind| {
        follow_kind(kind, namespace.to_owned(), Arc::clone(&cache), Arc::clone(&ctx), wake.clone()).boxed()
    });
    let workflow = CoreWorkflow {
        cache: Arc::clone(&cache),
        objectives: objectives.clone(),
        policies,
        actions: actions.clone(),
        memory: Mutex::default(),
    };
    let asking = ActionWorkflow { actions: actions.clone(), cores: cores.clone(), wake: wake.clone() };
    let asked = async {
        // Before every core was listed, one might look missing.
        let _ = asking.cores.wait_until_ready().await;
        driver::run(asking, Arc::clone(&ctx), 1, watched_actions, actions, stream::pending(), over(ended.clone()))
            .await;
    };
    let controlled = async {
        // Before everything was listed, what is there might look missing.
        cache.settled().await;
        let _ = objectives.wait_until_ready().await;
        driver::run(workflow, Arc::clone(&ctx), 1, watched, cores.clone(), named(woken, cores), over(ended.clone()))
            .await;
    };
    tokio::select! {
        // In order, so that a simulation goes the same way each time.
        biased;
        _ = future::join(controlled, asked) => {}
        _ = future::join_all(feeds) => {}
    }
}

/// References of the cores that are named; of all for one without a name.
fn named(
    names: mpsc::Receiver<(String, String)>,
    cores: Cores,
) -> impl futures::Stream<Item = ObjectRef<DeserializeGuard<CalculationCore>>> + Send + 'static {
    stream::unfold(names, |mut names| async { Some((names.recv().await?, names)) }).flat_map(
        move |(namespace, name)| {
            let one = |name: &str| ObjectRef::new(name).within(&namespace);
            let all = match name.as_str() {
                "" => cores.state().iter().map(|core| one(&core.name_any())).collect(),
                name => vec![one(name)],
            };
            stream::iter(all)
        },
    )
}
