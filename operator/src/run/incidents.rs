//! Wires incidents: their watch, what opens them, and their controller.

use std::sync::Arc;

use futures::future::{self, BoxFuture, FutureExt};
use kube::api::Api;
use kube::runtime::reflector;
use tokio::sync::{mpsc, watch};

use super::{TRIGGERS, named, objects, over};
use crate::ctx::Ctx;
use crate::driver;
use crate::incident::firing::{Alarms, Opener};
use crate::incident::{IncidentWorkflow, Incidents, Plans};
use crate::kinds::INCIDENTS;

/// All incidents as they become known, and what runs until `ended` turns true.
pub(super) fn run(
    namespace: &str,
    ctx: Arc<Ctx>,
    plans: Plans,
    ended: watch::Receiver<bool>,
) -> (Incidents, BoxFuture<'static, ()>) {
    let (incidents, writer) = reflector::store();
    let own = Api::namespaced(ctx.server.client(), namespace);
    let watched = objects(own, writer, &INCIDENTS, Arc::clone(&ctx), |_| ());
    let (wake, woken) = mpsc::channel::<(String, String)>(TRIGGERS);
    let alarms = Arc::new(Alarms::default());
    let opener = ctx.source.clone().map(|source| Opener {
        ctx: Arc::clone(&ctx),
        source,
        alarms: Arc::clone(&alarms),
        incidents: incidents.clone(),
        system_namespace: namespace.to_owned(),
        wake,
    });
    let workflow = IncidentWorkflow { alarms, plans };
    let controlled = driver::run(workflow, ctx, 1, watched, incidents.clone(), named(woken), over(ended));
    let running = async {
        let opened = async {
            match opener {
                Some(opener) => opener.run().await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            // In order, so that a simulation goes the same way each time.
            biased;
            () = controlled => {}
            () = opened => {}
        }
    };
    (incidents, running.boxed())
}
