//! The raw writer: the calls the operator makes for a tenant, in its order and
//! with its bodies, and nothing else: no watch, no cache, no thought. What it
//! reaches is what the API server of this machine gives.

use futures::stream::{self, StreamExt};
use hashinsight_crds::names::TENANT_FINALIZER;
use hashinsight_crds::tenant::{Lifecycle, Member, MemberKind, Role};
use hashinsight_crds::tenant_plan::Quotas;
use hashinsight_operator::tenant::objects::{self, Owner};
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

const MANAGER: &str = "raw-writer";

fn api(client: &Client, object: &Value) -> Api<DynamicObject> {
    let text = |key: &str| object[key].as_str().unwrap();
    let (group, version) = text("apiVersion").rsplit_once('/').unwrap_or(("", text("apiVersion")));
    let plural = match text("kind") {
        "NetworkPolicy" => "networkpolicies".to_owned(),
        "TenantSummary" => "tenantsummaries".to_owned(),
        kind => format!("{}s", kind.to_lowercase()),
    };
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, text("kind")), &plural);
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

async fn apply(client: &Client, object: &Value) {
    let name = object["metadata"]["name"].as_str().unwrap();
    let params = PatchParams::apply(MANAGER).force();
    api(client, object).patch(name, &params, &Patch::Apply(object)).await.unwrap();
}

async fn apply_status(client: &Client, object: &Value) {
    let name = object["metadata"]["name"].as_str().unwrap();
    let params = PatchParams::apply(MANAGER).force();
    api(client, object).patch_status(name, &params, &Patch::Apply(object)).await.unwrap();
}

/// Writes everything for `names`, with `writers` at once.
pub async fn write(client: &Client, names: &[String], quotas: &Quotas, writers: usize) {
    stream::iter(names).for_each_concurrent(writers, |name| one(client, name, quotas)).await;
}

async fn one(client: &Client, name: &str, quotas: &Quotas) {
    let namespace = format!("tenant-{name}");
    let owner = Owner { tenant: name, id: "t00000000000000000000", namespace: &namespace, region: "us-west-2" };
    let tenant = json!({"apiVersion": "hashinsight.net/v1alpha1", "kind": "Tenant", "metadata": {"name": name}});
    let finalizer = json!({"metadata": {"finalizers": [TENANT_FINALIZER]}});
    api(client, &tenant).patch(name, &PatchParams::default(), &Patch::Merge(finalizer)).await.unwrap();
    let made = objects::namespace(owner);
    let object: DynamicObject = serde_json::from_value(made.clone()).unwrap();
    api(client, &made).create(&PostParams::default(), &object).await.unwrap();
    apply(client, &objects::quota(owner, quotas, Lifecycle::Active)).await;
    apply(client, &objects::limits(owner)).await;
    apply(client, &objects::network(owner, "hashinsight-system")).await;
    for role in [Role::Owner, Role::Operations] {
        let member = Member { role, kind: MemberKind::User, name: "ada@acme.example".to_owned() };
        apply(client, &objects::access(owner, role, &[member]).unwrap()).await;
    }
    let summary = objects::summary(owner);
    apply(client, &summary).await;
    let ready = json!([{
        "type": "Ready", "status": "True", "reason": "Provisioned", "observedGeneration": 1,
        "message": "namespace, quota, limits, network policy, access and summary are in place",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]);
    let status = json!({
        "observedGeneration": 1, "id": owner.id, "quotas": quotas, "conditions": ready,
        "state": {"active": {"since": "2026-01-01T00:00:00Z"}},
    });
    let with = |object: &Value| {
        let metadata = json!({"name": object["metadata"]["name"], "namespace": object["metadata"]["namespace"]});
        json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": metadata, "status": status})
    };
    apply_status(client, &with(&summary)).await;
    let mut of_tenant = with(&tenant);
    of_tenant["metadata"].as_object_mut().unwrap().remove("namespace");
    apply_status(client, &of_tenant).await;
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"generateName": format!("{name}-"), "namespace": "default"},
        "type": "Normal", "reason": "Provisioned", "action": "Reconcile", "note": "in place",
        "reportingController": MANAGER, "reportingInstance": MANAGER, "eventTime": "2026-01-01T00:00:00.000000Z",
        "regarding": {"apiVersion": "hashinsight.net/v1alpha1", "kind": "Tenant", "name": name},
    });
    let object: DynamicObject = serde_json::from_value(event.clone()).unwrap();
    api(client, &event).create(&PostParams::default(), &object).await.unwrap();
}
