//! Wires what measures objectives and goes by them: watches, the evaluator, and
//! the controllers of objectives, policies, notices, incidents and cores.

use std::sync::Arc;

use futures::future;
use futures::stream;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{self, ObjectRef, Store};
use tokio::sync::{mpsc, watch};

use super::{TRIGGERS, cores, incidents, named, objects, over};
use crate::budget_policy::PolicyWorkflow;
use crate::change_notice::NoticeWorkflow;
use crate::ctx::Ctx;
use crate::driver;
use crate::incident::Plans;
use crate::kinds::{BUDGET_POLICIES, NOTICES, OBJECTIVES};
use crate::objective::ObjectiveWorkflow;
use crate::objective::board::Board;
use crate::objective::cycle::Evaluator;
use crate::objective::rendering::Rendering;
use crate::settings::Settings;
use hashinsight_metrics_source::Failure;

/// Runs until `ended` turns true.
pub(super) async fn run(settings: Settings, ctx: Arc<Ctx>, plans: Plans, ended: watch::Receiver<bool>) {
    let (client, namespace) = (ctx.server.client(), settings.namespace.as_str());
    let (objectives, objective_writer) = reflector::store();
    let (policies, policy_writer) = reflector::store();
    let (notices, notice_writer) = reflector::store();
    let (wake, woken) = mpsc::channel::<(String, String)>(TRIGGERS);
    // One word is enough: all policies are looked at.
    let (of_objective, changed) = mpsc::channel::<()>(1);
    let of_notice = of_objective.clone();

    let objective_objects =
        objects(Api::all(client.clone()), objective_writer, &OBJECTIVES, Arc::clone(&ctx), move |_| {
            let _ = of_objective.try_send(());
        });
    let own = Api::namespaced(client.clone(), namespace);
    let policy_objects = objects(own, policy_writer, &BUDGET_POLICIES, Arc::clone(&ctx), |_| ());
    let own = Api::namespaced(client, namespace);
    let notice_objects = objects(own, notice_writer, &NOTICES, Arc::clone(&ctx), move |_| {
        let _ = of_notice.try_send(());
    });

    let core_run = cores::run(namespace, Arc::clone(&ctx), objectives.clone(), policies.clone(), ended.clone());
    let (incidents, incident_run) = incidents::run(namespace, Arc::clone(&ctx), plans, ended.clone());
    let board = Arc::new(Board::default());
    let rendering = Arc::new(Rendering::new(namespace, settings.links(), settings.rule_labels.clone()));
    let evaluator = ctx.source.clone().map(|source| Evaluator {
        ctx: Arc::clone(&ctx),
        source,
        board: Arc::clone(&board),
        rendering: Arc::clone(&rendering),
        objectives: objectives.clone(),
        policies: policies.clone(),
        notices: notices.clone(),
        incidents: incidents.clone(),
        system_namespace: namespace.to_owned(),
        wake,
    });
    if evaluator.is_none() {
        board.failed(Failure::NotSet);
    }
    // Without a source there is nothing to read back, and no rules are made.
    let evaluated = async {
        match evaluator {
            Some(evaluator) => evaluator.run().await,
            None => future::pending().await,
        }
    };
    let objective_run = driver::run(
        ObjectiveWorkflow { system_namespace: namespace.to_owned(), board, rendering, policies: policies.clone() },
        Arc::clone(&ctx),
        settings.concurrency,
        objective_objects,
        objectives.clone(),
        named(woken),
        over(ended.clone()),
    );
    let policy_run = driver::run(
        PolicyWorkflow { objectives, notices: notices.clone(), policies: policies.clone() },
        Arc::clone(&ctx),
        1,
        policy_objects,
        policies.clone(),
        every(changed, policies),
        over(ended.clone()),
    );
    let notice_run = driver::run(NoticeWorkflow, ctx, 1, notice_objects, notices, stream::pending(), over(ended));
    tokio::select! {
        // In order, so that a simulation goes the same way each time.
        biased;
        _ = future::join5(objective_run, policy_run, notice_run, incident_run, core_run) => {}
        () = evaluated => {}
    }
}

/// References of all objects whenever a word comes.
fn every<K>(
    changed: mpsc::Receiver<()>,
    store: Store<DeserializeGuard<K>>,
) -> impl futures::Stream<Item = ObjectRef<DeserializeGuard<K>>> + Send + 'static
where
    K: kube::Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    use futures::StreamExt;
    stream::unfold(changed, |mut changed| async { Some((changed.recv().await?, changed)) }).flat_map(move |()| {
        stream::iter(store.state().iter().map(|object| ObjectRef::from_obj(&**object)).collect::<Vec<_>>())
    })
}
