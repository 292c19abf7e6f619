//! Asks something of a rollout in the name the cluster knows you by, and waits
//! for what becomes of it.

use std::time::Duration;

use hashinsight_crds::conditions::SUCCEEDED;
use hashinsight_crds::rollout_action::{CoreRef, Verb};
use hashinsight_crds::text::text;
use hashinsight_crds::{CalculationCore, RolloutAction, RolloutActionSpec, whole_second};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use kube::core::ApiResource;
use serde_json::json;

use super::arguments::{Act, Asked};
use super::{core, namespace};
use crate::arguments::Global;
use crate::cluster::Cluster;
use crate::output::{Answer, Block};
use crate::trouble::{Exit, Trouble};

/// How often it is looked whether it is over.
const LOOK: Duration = Duration::from_millis(300);

pub async fn answer(act: &Act, global: &Global) -> Result<Answer, Trouble> {
    let (verb, asked) = act.parts();
    let cluster = Cluster::named(global).await?;
    let revision = match &asked.revision {
        Some(revision) => revision.clone(),
        None => meant(&core(&cluster, &asked.core, global).await?, verb)?,
    };
    let actions: Api<RolloutAction> = Api::namespaced(cluster.client.clone(), namespace(global));
    let made = made(&cluster, verb, asked, revision).await?;
    let kind = ApiResource::erase::<RolloutAction>(&());
    let created = actions.create(&PostParams::default(), &made).await.map_err(|error| match error {
        kube::Error::Api(status) if status.code == 403 || status.code == 422 => {
            let what = text("the cluster refused", "集群拒绝了请求");
            Trouble::new(
                Exit::Refused,
                what,
                status.message.clone(),
                format!("hashinsight canary watch {}", asked.core),
            )
        }
        error => cluster.trouble(error, Some(&kind)),
    })?;
    let name = created.name_any();
    loop {
        let now = actions.get(&name).await.map_err(|error| cluster.trouble(error, Some(&kind)))?;
        let over = now.status.iter().flat_map(|status| &status.conditions).find(|said| said.type_ == SUCCEEDED);
        if let Some(said) = over {
            let is_done = said.status == "True";
            let data = json!({
                "schemaVersion": 1, "action": name, "verb": verb.as_str(), "revision": now.spec.revision,
                "done": is_done, "reason": said.reason, "message": said.message,
            });
            let mark = if is_done { "✓" } else { "✗" };
            let line = Block::Line(format!("{mark} {}", said.message));
            let exit = if is_done { Exit::Ok } else { Exit::Refused };
            return Ok(Answer { csv: None, exit, data, names: vec![name], blocks: vec![line] });
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The revision that is meant when none is named.
fn meant(core: &CalculationCore, verb: Verb) -> Result<String, Trouble> {
    let status = core.status.clone().unwrap_or_default();
    let canary = status.canary.map(|canary| canary.revision);
    let held = || status.quarantined.first().map(|held| held.revision.clone());
    let found = match verb {
        Verb::Pause | Verb::Resume | Verb::Promote | Verb::Abort => canary,
        Verb::Retry | Verb::LiftQuarantine => canary.or_else(held),
    };
    found.ok_or_else(|| {
        let what = text("there is no revision this could be meant for", "没有可操作的版本");
        let why = format!("no rollout of {} is under way, and none was taken back", core.name_any());
        let next = format!("hashinsight canary watch {} --once", core.name_any());
        Trouble::new(Exit::Refused, what, why, next)
    })
}

async fn made(cluster: &Cluster, verb: Verb, asked: &Asked, revision: String) -> Result<RolloutAction, Trouble> {
    let expires = Timestamp::now() + SignedDuration::from_mins(i64::from(asked.expires));
    let spec = RolloutActionSpec {
        core_ref: CoreRef { name: asked.core.clone() },
        revision,
        verb,
        reason: asked.reason.clone(),
        requested_by: cluster.whoami().await?,
        expires_at: whole_second(expires),
    };
    let mut action = RolloutAction::new("", spec);
    action.metadata.name = None;
    action.metadata.generate_name = Some(format!("{}-{}-", asked.core, verb.permission()));
    Ok(action)
}
