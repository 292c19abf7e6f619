//! A server, an operator on it and short words for what tests say.

use std::path::PathBuf;
use std::time::Duration;

use hashinsight_operator::{admission, rbac};
use serde_json::{Value, json};
use testkit::{Ground, Objects, Operator, eventually};

use crate::permissions;

pub const BINARY: &str = env!("CARGO_BIN_EXE_hashinsight-operator");
pub const SYSTEM: &str = "hashinsight-system";
pub const OPERATOR_USER: &str = "system:serviceaccount:hashinsight-system:hashinsight-operator";

/// A server with our kinds and permissions, and one operator.
pub struct Stage {
    // Dropped first: the operator stops while its server still answers.
    pub operator: Option<Operator>,
    pub ground: Ground,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.operator = None;
        permissions::note(&self.ground);
    }
}

impl Stage {
    /// What most tests share.
    pub async fn shared() -> Self {
        let mut stage = Self::without_operator().await;
        stage.operator = Some(stage.start("shared", &[]));
        stage
    }

    /// A stage of a test's own.
    pub async fn own(arguments: &[&str]) -> Self {
        let mut stage = Self::without_operator().await;
        stage.operator = Some(stage.start("own", arguments));
        stage
    }

    pub async fn without_operator() -> Self {
        let ground = Ground::with_kinds().await;
        ground
            .admin
            .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}))
            .await
            .unwrap();
        let (rights, policies) = (rbac::objects(SYSTEM), admission::objects(SYSTEM));
        for object in rights.into_iter().chain(policies) {
            ground.admin.apply(object).await.unwrap();
        }
        ground.admission_in_force().await;
        ground.admin.apply(plan("standard", 1000)).await.unwrap();
        Self { operator: None, ground }
    }

    /// Rights of the operator and nothing more.
    pub fn kubeconfig(&self) -> PathBuf {
        self.ground.cluster.kubeconfig_for(OPERATOR_USER, &["system:serviceaccounts"]).unwrap()
    }

    pub fn start(&self, identity: &str, arguments: &[&str]) -> Operator {
        Operator::start(BINARY, &self.kubeconfig(), identity, arguments)
    }

    pub fn operator(&self) -> &Operator {
        self.operator.as_ref().unwrap()
    }

    pub fn admin(&self) -> &Objects {
        &self.ground.admin
    }

    /// Applies a tenant and waits until it is Ready with `reason`.
    pub async fn tenant(&self, name: &str, spec: Value, reason: &str) -> Value {
        self.admin().apply(tenant(name, spec)).await.unwrap();
        self.reason(name, reason).await
    }

    /// Waits until Ready of the tenant has `reason` for the current spec.
    pub async fn reason(&self, name: &str, reason: &str) -> Value {
        self.admin()
            .until(&format!("Tenant/{name}"), |tenant| {
                let ready = condition(tenant, "Ready");
                ready["reason"] == reason && tenant["status"]["observedGeneration"] == tenant["metadata"]["generation"]
            })
            .await
    }

    /// Waits until the tenant's reconciles have gone quiet: its version and its
    /// children's no longer move.
    pub async fn quiet(&self, name: &str) {
        let mut last = String::new();
        let mut same = 0;
        eventually("quiet", Duration::from_secs(30), || {
            let now = self.ground.kubectl(&[
                "get",
                "resourcequota,limitrange,networkpolicy,rolebinding,tenantsummary",
                "-n",
                &format!("tenant-{name}"),
                "-o",
                "jsonpath={.items[*].metadata.resourceVersion}",
            ]);
            same = if now == last { same + 1 } else { 0 };
            last = now;
            let done = same >= 3;
            async move { if done { Ok(()) } else { Err("still moving".to_owned()) } }
        })
        .await;
    }
}

pub fn plan(name: &str, miners: i32) -> Value {
    json!({
        "apiVersion": "hashinsight.net/v1alpha1", "kind": "TenantPlan", "metadata": {"name": name},
        "spec": {
            "displayName": name,
            "quotas": {"sites": 2, "miners": miners, "requestsPerMinute": 120, "cpu": "2", "memory": "8Gi", "pods": 20},
            "response": {"respondMinutes": 60, "recoverMinutes": 240},
        },
    })
}

pub fn tenant(name: &str, more: Value) -> Value {
    let mut spec = json!({"displayName": name, "planRef": {"name": "standard"}, "region": "us-west-2"});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"apiVersion": "hashinsight.net/v1alpha1", "kind": "Tenant", "metadata": {"name": name}, "spec": spec})
}

/// The condition of that type, or null.
pub fn condition<'a>(object: &'a Value, type_: &str) -> &'a Value {
    object["status"]["conditions"].as_array().into_iter().flatten().find(|c| c["type"] == type_).unwrap_or(&Value::Null)
}

pub fn message(object: &Value) -> String {
    condition(object, "Ready")["message"].as_str().unwrap_or_default().to_owned()
}

pub fn pod(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "main", "image": "none",
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    })
}

pub fn config_map(namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": {"kept": "yes"}})
}
