//! Writing status: once per reconcile, by server-side apply, remembered so
//! that its echo is no news.

use hashinsight_crds::Reason;
use hashinsight_crds::conditions::{ConditionStatus, READY, STALLED, Stated};
use kube::api::ObjectMeta;
use kube::core::error_boundary::InvalidObject;
use serde::Serialize;
use serde_json::json;

use crate::api::Target;
use crate::ctx::{Ctx, version_number};
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
        let name = meta.name.as_deref().unwrap_or_default();
        let target = Target { kind: self.kind, namespace: meta.namespace.as_deref(), name };
        let mut object = json!({
            "apiVersion": self.kind.api_version(),
            "kind": self.kind.kind,
            "metadata": {"name": name, "uid": meta.uid},
            "status": status,
        });
        if let Some(namespace) = &meta.namespace {
            object["metadata"]["namespace"] = json!(namespace);
        }
        let written = ctx.server.apply_status(target, self.manager, &object).await?;
        let uid = meta.uid.as_deref().unwrap_or_default();
        ctx.own_writes.wrote(uid, version_number(written.metadata.resource_version.as_deref()));
        ctx.metrics.status_writes.with_label_values(&[self.controller]).inc();
        Ok(1)
    }
}

/// What is said of an object that does not fit our schema; `None` when that is
/// what was written last.
pub fn unreadable(invalid: &InvalidObject, ctx: &Ctx) -> Option<Vec<Stated>> {
    let version = version_number(invalid.metadata.resource_version.as_deref());
    if ctx.own_writes.is_ours(invalid.metadata.uid.as_deref().unwrap_or_default(), version) {
        return None;
    }
    let message =
        format!("this operator cannot read the object ({}); apply it again with the fields it knows", invalid.error);
    let stated = [(READY, ConditionStatus::False), (STALLED, ConditionStatus::True)].map(|(type_, status)| Stated {
        type_,
        status,
        reason: Reason::Unreadable,
        message: message.clone(),
    });
    Some(stated.to_vec())
}
