//! Carries out steps. Here, and in `remove`, is where the world changes.

use kube::api::DynamicObject;
use tracing::info;

use super::cache::Cache;
use super::conclude::Failure;
use super::part::Part;
use super::plan::Step;
use super::valid::Identity;
use crate::api::Target;
use crate::ctx::Ctx;
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
                tracing::warn!(part = what, %error, class = error.class().name(), "part failed");
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
