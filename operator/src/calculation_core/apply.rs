//! Carries out what was planned for a core: objects that are not as they are
//! meant to be are applied, in order; what is not meant to be is deleted last.

use serde_json::json;
use tracing::{info, warn};

use super::MANAGER;
use super::cache::Cache;
use super::drift::covers;
use super::objects::{Desired, Wanted};
use super::valid::ValidCore;
use crate::api::Target;
use crate::ctx::Ctx;
use crate::error::{Class, Error};
use crate::kinds::{DEPLOYMENTS, HTTP_ROUTES};
use hashinsight_crds::names::ANNOTATION_SEQUENCE;

/// What came of it.
#[derive(Debug, Default)]
pub struct Applied {
    /// Calls that were answered.
    pub writes: u32,
    /// What failed first, and what kind of failure that is.
    pub failure: Option<(String, Class)>,
}

/// Applies and deletes in order, up to the first that fails: traffic is not led
/// to what could not be made.
pub async fn all(core: &ValidCore, desired: &Desired, cache: &Cache, ctx: &Ctx) -> Applied {
    let mut applied = Applied::default();
    for wanted in &desired.wanted {
        match put(core, wanted, cache, ctx).await {
            Ok(writes) => applied.writes += writes,
            Err(error) => {
                applied.failure = Some(failed(wanted.kind.kind, &wanted.name, &error));
                return applied;
            }
        }
    }
    for (kind, name) in &desired.unwanted {
        let target = Target { kind, namespace: Some(&core.namespace), name };
        match ctx.server.delete(target, None).await {
            Ok(()) => {
                applied.writes += 1;
                cache.deleted(kind, &core.name, name);
            }
            Err(error) => {
                applied.failure = Some(failed(kind.kind, name, &error));
                return applied;
            }
        }
    }
    applied
}

fn failed(kind: &str, name: &str, error: &Error) -> (String, Class) {
    let class = error.class();
    warn!(kind, name, %error, class = class.name(), "part failed");
    (format!("{kind} {name}: {error}"), class)
}

/// Applies one object, if it is not as it is meant to be. Deployments and
/// routes are written only as they were seen; a route, never from an older
/// state than it was written from last: a replica that does not know yet that
/// it leads no more cannot bring traffic back.
pub async fn put(core: &ValidCore, wanted: &Wanted, cache: &Cache, ctx: &Ctx) -> Result<u32, Error> {
    let seen = cache.one(wanted.kind, &core.name, &wanted.name);
    if seen.as_ref().is_some_and(|seen| covers(seen, &wanted.object)) {
        return Ok(0);
    }
    let mut object = wanted.object.clone();
    let is_route = wanted.kind == &HTTP_ROUTES;
    if let Some(seen) = seen.filter(|_| is_route || wanted.kind == &DEPLOYMENTS) {
        let from = seen["metadata"]["annotations"][ANNOTATION_SEQUENCE].as_str().and_then(|n| n.parse::<i64>().ok());
        if is_route && from.is_some_and(|from| from > core.status.sequence) {
            warn!(route = wanted.name, "the route was written from a newer state than ours; it stays");
            return Ok(0);
        }
        object["metadata"]["resourceVersion"] = seen["metadata"]["resourceVersion"].clone();
    }
    if is_route {
        object["metadata"]["annotations"] = json!({ANNOTATION_SEQUENCE: core.status.sequence.to_string()});
    }
    let target = Target { kind: wanted.kind, namespace: Some(&core.namespace), name: &wanted.name };
    let written = ctx.server.apply(target, MANAGER, &object).await?;
    info!(kind = wanted.kind.kind, name = wanted.name, "applied");
    cache.wrote(wanted.kind, &written);
    Ok(1)
}
