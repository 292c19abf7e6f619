//! Writing status: once per reconcile, by server-side apply, remembered so
//! that its echo is no news.

use hashinsight_crds::Reason;
use hashinsight_crds::conditions::{Condition, ConditionStatus, READY, STALLED, Stated, settle};
use kube::api::ObjectMeta;
use kube::core::error_boundary::InvalidObject;
use serde::Serialize;
use serde_json::json;

use crate::api::Target;
use crate::ctx::{Ctx, version_number};
use crate::driver::{Outcome, Wake};
use crate::error::Error;
use crate::kinds::Kind;

/// Whose status is written, and in whose name.
pub struct Publisher {
    /// The kind.
    pub kind: &'static Kind,
    /// The field manager.
    pub manager: &'static str,
    /// The controller, for metrics.
    pub controller: &'static str,
}

impl Publisher {
    /// Writes `status`. An object that is being deleted is left alone.
    pub async fn publish(&self, meta: &ObjectMeta, status: &impl Serialize, ctx: &Ctx) -> Result<u32, Error> {
        if meta.deletion_timestamp.is_some() {
            return Ok(0);
        }
        let uid = meta.uid.as_deref().unwrap_or_default();
        let name = meta.name.as_deref().unwrap_or_default();
        self.write((meta.namespace.as_deref(), name, uid), None, status, ctx).await?;
        Ok(1)
    }

    /// Writes `status` of the object with that namespace, name and uid; with a
    /// version, only if the object is still as it was then. Returns the version
    /// it has now.
    pub async fn write(
        &self,
        (namespace, name, uid): (Option<&str>, &str, &str),
        version: Option<&str>,
        status: &impl Serialize,
        ctx: &Ctx,
    ) -> Result<String, Error> {
        let target = Target { kind: self.kind, namespace, name };
        let mut object = json!({
            "apiVersion": self.kind.api_version(),
            "kind": self.kind.kind,
            "metadata": {"name": name, "uid": uid},
            "status": status,
        });
        for (field, text) in [("namespace", namespace), ("resourceVersion", version)] {
            if let Some(text) = text {
                object["metadata"][field] = json!(text);
            }
        }
        let written = ctx.server.apply_status(target, self.manager, &object).await?;
        let version = written.metadata.resource_version.unwrap_or_default();
        ctx.own_writes.wrote(uid, version_number(Some(&version)));
        ctx.metrics.status_writes.with_label_values(&[self.controller]).inc();
        Ok(version)
    }

    /// Says of an object that it does not fit our schema, unless that is what
    /// was written last. `status` makes the kind's status of its generation and
    /// conditions.
    pub async fn unreadable<S: Serialize>(
        &self,
        invalid: &InvalidObject,
        ctx: &Ctx,
        status: impl FnOnce(i64, Vec<Condition>) -> S,
    ) -> Result<Outcome, Error> {
        let meta = &invalid.metadata;
        let version = version_number(meta.resource_version.as_deref());
        let mut outcome = Outcome { wake: Wake::OnChange, trouble: None, writes: 0 };
        if ctx.own_writes.is_ours(meta.uid.as_deref().unwrap_or_default(), version) {
            return Ok(outcome);
        }
        let message = format!(
            "this operator cannot read the object ({}); apply it again with the fields it knows",
            invalid.error
        );
        let stated = [(READY, ConditionStatus::False), (STALLED, ConditionStatus::True)]
            .map(|(type_, status)| Stated { type_, status, reason: Reason::Unreadable, message: message.clone() });
        let generation = meta.generation.unwrap_or_default();
        let conditions = settle(stated.to_vec(), &[], generation, ctx.clock.now());
        outcome.writes = self.publish(meta, &status(generation, conditions), ctx).await?;
        Ok(outcome)
    }
}
