//! Carries out what was planned. The world changes here; what is said of it
//! changes in `report`.

use kube::api::DynamicObject;
use serde_json::json;
use tracing::{info, warn};

use super::cache::Cache;
use super::conclude::Failure;
use super::part::Part;
use super::plan::Step;
use super::removal::{Effect, Removal};
use super::valid::Identity;
use crate::api::Target;
use crate::ctx::{Ctx, version_number};
use crate::error::Error;
use crate::kinds::{NAMESPACES, PODS};

/// Field manager of owned objects.
pub const MANAGER: &str = "hashinsight-tenant";
/// Field manager of claims on namespaces.
pub const MANAGER_CLAIM: &str = "hashinsight-tenant-claim";
/// Field manager of Tenant status.
pub const MANAGER_STATUS: &str = "hashinsight-tenant-status";
/// Field manager of finalizers.
pub const MANAGER_FINALIZER: &str = "hashinsight-tenant-finalizer";
/// Field manager of TenantSummary status.
pub const MANAGER_SUMMARY: &str = "hashinsight-tenant-summary";

/// What came of the steps.
#[derive(Debug, Default)]
pub struct Applied {
    /// Calls that were answered.
    pub writes: u32,
    /// Parts that failed.
    pub failures: Vec<Failure>,
}

/// Carries out `steps` in order. Without the namespace nothing else can be;
/// otherwise parts do not block each other.
pub async fn apply(who: &Identity, steps: Vec<Step>, repair: bool, cache: &Cache, ctx: &Ctx) -> Applied {
    let mut applied = Applied::default();
    for step in steps {
        let (what, kind) = (what(&step), kind(&step));
        match carry_out(who, &step, cache, ctx).await {
            Ok(()) => {
                applied.writes += 1;
                info!(part = what, "applied");
                if repair {
                    ctx.metrics.repairs.with_label_values(&[kind]).inc();
                }
            }
            Err(error) => {
                warn!(part = what, %error, class = error.class().name(), "part failed");
                applied.failures.push(Failure::of(what, &error));
                if is_namespace(&step) {
                    return applied;
                }
            }
        }
    }
    applied
}

async fn carry_out(who: &Identity, step: &Step, cache: &Cache, ctx: &Ctx) -> Result<(), Error> {
    let server = &ctx.server;
    let namespace = Target { kind: &NAMESPACES, namespace: None, name: &who.namespace };
    let child = |part: Part, object: DynamicObject| cache.wrote_child(part, &object);
    match step {
        Step::CreateNamespace(object) => cache.wrote_namespace(&server.create(namespace, MANAGER, object).await?),
        Step::ClaimNamespace(change) => cache.wrote_namespace(&server.patch(namespace, MANAGER_CLAIM, change).await?),
        Step::ApplyNamespace(object) => cache.wrote_namespace(&server.apply(namespace, MANAGER, object).await?),
        Step::Apply(part, object) => child(*part, server.apply(part.target(&who.namespace), MANAGER, object).await?),
        Step::Replace(part, uid, object) => {
            let target = part.target(&who.namespace);
            server.delete(target, Some(uid)).await?;
            child(*part, server.apply(target, MANAGER, object).await?);
        }
        Step::Delete(part, uid) => {
            server.delete(part.target(&who.namespace), Some(uid)).await?;
            cache.deleted_child(&who.namespace, *part);
        }
        Step::DeletePods => server.delete_all(&PODS, &who.namespace).await?,
    }
    Ok(())
}

/// Carries out a removal's effects in order, up to the first that fails.
pub async fn remove(who: &Identity, removal: &Removal, cache: &Cache, ctx: &Ctx) -> Option<Failure> {
    for effect in &removal.effects {
        let namespace = Target { kind: &NAMESPACES, namespace: None, name: &who.namespace };
        let (what, result) = match effect {
            Effect::Delete(part) => (part.label(), ctx.server.delete(part.target(&who.namespace), None).await),
            Effect::Release(change) => {
                let released = ctx.server.patch(namespace, MANAGER_CLAIM, change).await;
                ("namespace", released.map(|object| cache.wrote_namespace(&object)))
            }
            Effect::DeleteNamespace(uid) => ("namespace", ctx.server.delete(namespace, Some(uid)).await),
        };
        if let Err(error) = result {
            warn!(part = what, %error, "removal halted");
            return Some(Failure::of(what, &error));
        }
    }
    None
}

/// Sets the finalizers of the Tenant, if it is as it was seen.
pub async fn hold(who: &Identity, finalizers: &[String], ctx: &Ctx) -> Result<(), Error> {
    let change = json!({"metadata": {"resourceVersion": who.resource_version, "finalizers": finalizers}});
    let written = ctx.server.patch(who.target(), MANAGER_FINALIZER, &change).await?;
    ctx.own_writes.wrote(&who.uid, version_number(written.metadata.resource_version.as_deref()));
    Ok(())
}

const fn is_namespace(step: &Step) -> bool {
    matches!(step, Step::CreateNamespace(_) | Step::ClaimNamespace(_) | Step::ApplyNamespace(_))
}

const fn what(step: &Step) -> &'static str {
    match step {
        Step::CreateNamespace(_) | Step::ClaimNamespace(_) | Step::ApplyNamespace(_) => "namespace",
        Step::Apply(part, _) | Step::Replace(part, ..) | Step::Delete(part, _) => part.label(),
        Step::DeletePods => "pods",
    }
}

const fn kind(step: &Step) -> &'static str {
    match step {
        Step::CreateNamespace(_) | Step::ClaimNamespace(_) | Step::ApplyNamespace(_) => NAMESPACES.plural,
        Step::Apply(part, _) | Step::Replace(part, ..) | Step::Delete(part, _) => part.kind().plural,
        Step::DeletePods => PODS.plural,
    }
}
