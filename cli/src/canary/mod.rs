//! Canaries: how a rollout stands, what people ask of it, and its verdict
//! computed again.

mod act;
pub mod arguments;
mod explain;
mod standing;
mod watch;

use hashinsight_crds::CalculationCore;
use kube::core::ApiResource;

use crate::arguments::Global;
use crate::cluster::Cluster;
use crate::output::Answer;
use crate::slo::SYSTEM;
use crate::trouble::{Exit, Trouble};
use arguments::Canary;

/// `canary` and what follows; none when all is printed already.
pub fn answer(verb: &Canary, global: &Global) -> Result<(Option<Answer>, Exit), Trouble> {
    let answer = match verb {
        Canary::Explain { file } => explain::explain(file, global)?,
        Canary::Watch { core, once: false } => return watch::follow(core, global).map(|exit| (None, exit)),
        Canary::Watch { core, once: true } => crate::wait(watch::once(core, global), global)?,
        Canary::Act(act) => crate::wait(act::answer(act, global), global)?,
    };
    let exit = answer.exit;
    Ok((Some(answer), exit))
}

fn namespace(global: &Global) -> &str {
    global.namespace.as_deref().unwrap_or(SYSTEM)
}

/// The core of that name.
async fn core(cluster: &Cluster, name: &str, global: &Global) -> Result<CalculationCore, Trouble> {
    let found = cluster.get(&ApiResource::erase::<CalculationCore>(&()), namespace(global), name).await?;
    serde_json::from_value(found).map_err(|error| {
        let what = hashinsight_crds::text::text("this core is of another version", "该对象属于其他版本");
        Trouble::new(Exit::Error, what, error.to_string(), "hashinsight version")
    })
}
