//! One system on a server of its own, from nothing to silence.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use hashinsight_crds::tenant_plan::Quotas;
use hashinsight_operator::{admission, rbac};
use jiff::Timestamp;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use testkit::{Ground, Objects, eventually};

use crate::Arguments;
use crate::audit::{Call, Tail, calls, millis};
use crate::program::Program;
use crate::raw;
use crate::report::{Held, Row};

const SYSTEM: &str = "hashinsight-system";
const OPERATOR_USER: &str = "system:serviceaccount:hashinsight-system:hashinsight-operator";
/// Tenants made at once, before what is measured begins.
const MAKERS: usize = 16;
/// No write for so long is convergence.
const QUIET: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(1800);
/// Edits whose effect is timed, and the pause between them.
const EDITS: usize = 200;
const PAUSE: Duration = Duration::from_millis(50);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// The calls alone.
    Raw,
    /// Our operator as it is shipped.
    Operator,
    /// Capsule 0.14, with the settings of its own stress test.
    Capsule,
}

impl System {
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw writer",
            Self::Operator => "hashinsight-operator",
            Self::Capsule => "Capsule 0.14.0",
        }
    }

    fn user(self) -> &'static str {
        match self {
            Self::Raw => "raw-writer",
            Self::Operator => OPERATOR_USER,
            Self::Capsule => "capsule",
        }
    }
}

/// Runs `system` over `size` tenants.
pub async fn run(system: System, size: usize, arguments: &Arguments) -> Row {
    let stage = Stage::new(system, size).await;
    let begun = Timestamp::now();
    if system == System::Raw {
        let client = stage.client("raw-writer", &["system:masters"]).await;
        raw::write(&client, &stage.names, &quotas(), arguments.writers).await;
        return stage.row(begun, None);
    }
    let program = stage.start(arguments);
    stage.converged().await;
    let done = stage.calls();
    tokio::time::sleep(Duration::from_secs(arguments.watch)).await;
    let idle = stage.calls()[done.len()..].iter().filter(|call| !call.is_lease() && call.verb != "watch").count();
    let [steady, peak] = program.memory();
    let repair = stage.edited(Edit::Child).await;
    let follow = stage.edited(Edit::Tenant).await;
    stage.converged().await;
    // A restart looks at everything again.
    drop(program);
    let before = stage.calls().len();
    let again = stage.start(arguments);
    stage.quiet().await;
    let vain = stage.calls().split_off(before).iter().filter(|call| call.is_write() && !call.is_lease()).count();
    drop(again);
    stage.row_of(&done, begun, Some(Held { steady, peak, idle, vain, repair, follow }))
}

/// What is edited by hand, so that a quota must be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    Child,
    Tenant,
}

struct Stage {
    system: System,
    ground: Ground,
    names: Vec<String>,
}

impl Stage {
    async fn new(system: System, size: usize) -> Self {
        let ground = Ground::bare().await;
        let names: Vec<String> = (0..size).map(|number| format!("t{number:05}")).collect();
        let stage = Self { system, ground, names };
        match system {
            System::Raw | System::Operator => stage.install_ours().await,
            System::Capsule => stage.install_capsule().await,
        }
        stage
    }

    async fn client(&self, user: &str, groups: &[&str]) -> Client {
        let kubeconfig = Kubeconfig::read_from(self.ground.cluster.kubeconfig_for(user, groups).unwrap()).unwrap();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        config.proxy_url = None;
        Client::try_from(config).unwrap()
    }

    async fn install_ours(&self) {
        let admin = &self.ground.admin;
        self.ground.install_kinds().await;
        admin.apply(namespace(SYSTEM, &Value::Null)).await.unwrap();
        for object in rbac::objects(SYSTEM).into_iter().chain(admission::objects(SYSTEM)) {
            admin.apply(object).await.unwrap();
        }
        self.ground.admission_in_force().await;
        let spec = json!({
            "displayName": "Standard", "quotas": quotas(), "response": {"respondMinutes": 60, "recoverMinutes": 240},
        });
        admin.apply(ours("TenantPlan", "standard", spec)).await.unwrap();
        let member = |role: &str| json!({"role": role, "kind": "User", "name": "ada@acme.example"});
        let spec = json!({
            "displayName": "A customer", "planRef": {"name": "standard"}, "region": "us-west-2",
            "members": [member("Owner"), member("Operations")],
        });
        self.each(|name| vec![ours("Tenant", name, spec.clone())]).await;
    }

    /// Capsule is given its namespaces: they are made by people there.
    async fn install_capsule(&self) {
        let (admin, parts) = (&self.ground.admin, localcluster::fetch_capsule().unwrap());
        self.ground.kubectl(&["apply", "--server-side", "-f", parts.kinds.to_str().unwrap()]);
        self.ground.kubectl(&["wait", "--for=condition=Established", "crd", "--all"]);
        admin.apply(namespace("capsule-system", &Value::Null)).await.unwrap();
        let client = json!({"service": {"name": "capsule-webhook-service", "namespace": "capsule-system"}});
        let webhooks = json!({"name": "capsule-dynamic", "client": client});
        let configuration = json!({
            "apiVersion": "capsule.clastix.io/v1beta2", "kind": "CapsuleConfiguration", "metadata": {"name": "default"},
            "spec": {"enableTLSReconciler": false, "admission": {"validating": webhooks, "mutating": webhooks}},
        });
        admin.apply(configuration).await.unwrap();
        let items = |item: Value| json!({"items": [item]});
        let spec = json!({
            "owners": [{"name": "ada@acme.example", "kind": "User"}],
            "networkPolicies": items(json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})),
            "limitRanges": items(json!({"limits": [{"type": "Container", "default": {"cpu": "500m", "memory": "512Mi"}}]})),
            "resourceQuotas": {"scope": "Namespace", "items": [{"hard": {"pods": "20", "requests.cpu": "2"}}]},
        });
        self.each(|name| {
            vec![json!({
                "apiVersion": "capsule.clastix.io/v1beta2", "kind": "Tenant", "metadata": {"name": name}, "spec": spec,
            })]
        })
        .await;
        let tenants = admin.list("CapsuleTenant", None).await.unwrap();
        let uids: BTreeMap<&str, &Value> =
            tenants.iter().map(|t| (t["metadata"]["name"].as_str().unwrap(), &t["metadata"]["uid"])).collect();
        self.each(|name| {
            let owner = json!({
                "apiVersion": "capsule.clastix.io/v1beta2", "kind": "Tenant", "name": name, "uid": uids[name],
                "controller": true, "blockOwnerDeletion": true,
            });
            let mut made = namespace(&format!("tenant-{name}"), &json!({"capsule.clastix.io/tenant": name}));
            made["metadata"]["ownerReferences"] = json!([owner]);
            vec![made]
        })
        .await;
    }

    /// Makes what `objects` says for every tenant.
    async fn each(&self, objects: impl Fn(&str) -> Vec<Value>) {
        let all: Vec<Value> = self.names.iter().flat_map(|name| objects(name)).collect();
        let admin: &Objects = &self.ground.admin;
        stream::iter(all)
            .for_each_concurrent(MAKERS, |object| async { drop(admin.create(object).await.unwrap()) })
            .await;
    }

    fn start(&self, arguments: &Arguments) -> Program {
        let folder = self.ground.cluster.folder();
        let (program, flags): (PathBuf, Vec<String>) = match self.system {
            System::Raw => unreachable!("it is no program"),
            System::Operator => (arguments.operator.clone(), vec!["--listen".into(), "127.0.0.1:0".into()]),
            System::Capsule => {
                let certified = rcgen::generate_simple_self_signed(vec!["capsule".to_owned()]).unwrap();
                std::fs::write(folder.join("tls.crt"), certified.cert.pem()).unwrap();
                std::fs::write(folder.join("tls.key"), certified.signing_key.serialize_pem()).unwrap();
                let flags = [
                    "--workers=4",
                    "--client-connection-qps=500",
                    "--client-connection-burst=1000",
                    "--metrics-addr=127.0.0.1:0",
                    "--webhook-port=19443",
                ];
                let certificates = format!("--webhook-cert-path={}", folder.display());
                let program = localcluster::fetch_capsule().unwrap().controller;
                (program, flags.map(str::to_owned).into_iter().chain([certificates]).collect())
            }
        };
        let groups: &[&str] =
            if self.system == System::Capsule { &["system:masters"] } else { &["system:serviceaccounts"] };
        let kubeconfig = self.ground.cluster.kubeconfig_for(self.system.user(), groups).unwrap();
        let mut command = Command::new(program);
        command.args(flags).env("KUBECONFIG", kubeconfig).env("NO_PROXY", "127.0.0.1");
        command.env("NAMESPACE", "capsule-system").env("SERVICE_ACCOUNT", "capsule");
        Program::start(command, &folder.join("program.log"))
    }

    fn calls(&self) -> Vec<Call> {
        calls(&self.ground.cluster.audit_log(), self.system.user())
    }

    /// Until nothing is written any more; then all tenants must be Ready.
    async fn converged(&self) {
        let kind = if self.system == System::Capsule { "CapsuleTenant" } else { "Tenant" };
        let size = self.names.len();
        eventually("all tenants Ready", PATIENCE, || async {
            self.quiet().await;
            let tenants = self.ground.admin.list(kind, None).await.map_err(|e| e.to_string())?;
            let ready = tenants.iter().filter(|tenant| is_ready(tenant)).count();
            if ready == size { Ok(()) } else { Err(format!("{ready} of {size}")) }
        })
        .await;
    }

    async fn quiet(&self) {
        let mut tail = Tail::of(&self.ground.cluster.audit_log(), self.system.user());
        let (mut since, begun) = (Instant::now(), Instant::now());
        while since.elapsed() < QUIET {
            assert!(begun.elapsed() < PATIENCE, "it never rests");
            tokio::time::sleep(Duration::from_millis(500)).await;
            if tail.moved() {
                since = Instant::now();
            }
        }
    }

    /// Milliseconds from each edit's answer to the answer of the write that
    /// undoes or follows it.
    async fn edited(&self, edit: Edit) -> Vec<f64> {
        let user = if edit == Edit::Child { "editor-of-children" } else { "editor-of-tenants" };
        let editor = Objects(self.client(user, &["system:masters"]).await);
        let is_capsule = self.system == System::Capsule;
        let kind = if is_capsule { "CapsuleTenant" } else { "Tenant" };
        let quota = |name: &str| if is_capsule { format!("capsule-{name}-0") } else { "hashinsight".to_owned() };
        let step = self.names.len().div_ceil(EDITS);
        for (number, name) in self.names.iter().step_by(step).enumerate() {
            match edit {
                Edit::Child => {
                    let hard = json!({"spec": {"hard": {"pods": "999"}}});
                    editor.merge(&format!("ResourceQuota/tenant-{name}/{}", quota(name)), hard).await.unwrap();
                }
                Edit::Tenant => {
                    let pods = 21 + i64::try_from(number).unwrap();
                    let capsule = json!({"scope": "Namespace", "items": [{"hard": {"pods": pods.to_string()}}]});
                    let spec = match self.system {
                        System::Capsule => json!({"resourceQuotas": capsule}),
                        _ => json!({"quotas": {"pods": pods}}),
                    };
                    editor.merge(&format!("{kind}/{name}"), json!({"spec": spec})).await.unwrap();
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.quiet().await;
        let (edits, writes) = (calls(&self.ground.cluster.audit_log(), user), self.calls());
        let answer = |edit: &Call| {
            let name = if edit.namespace.is_empty() { format!("tenant-{}", edit.name) } else { edit.namespace.clone() };
            let is_answer =
                |w: &&Call| w.at > edit.at && w.is_write() && w.resource == "resourcequotas" && w.namespace == name;
            writes.iter().find(is_answer).map_or(f64::INFINITY, |write| millis(edit.at, write.at))
        };
        edits.iter().filter(|edit| edit.is_write()).map(answer).collect()
    }

    fn row(&self, begun: Timestamp, held: Option<Held>) -> Row {
        self.row_of(&self.calls(), begun, held)
    }

    fn row_of(&self, calls: &[Call], begun: Timestamp, held: Option<Held>) -> Row {
        let writes: Vec<&Call> = calls.iter().filter(|call| call.is_write() && !call.is_lease()).collect();
        let (first, last) = (writes.first().unwrap().at, writes.last().unwrap().at);
        Row {
            system: self.system,
            size: self.names.len(),
            writes: writes.len(),
            writing: millis(first, last) / 1000.0,
            whole: millis(begun, last) / 1000.0,
            held,
        }
    }
}

fn is_ready(tenant: &Value) -> bool {
    let conditions = tenant["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
}

fn namespace(name: &str, labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

fn ours(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "hashinsight.net/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn quotas() -> Quotas {
    Quotas { sites: 2, miners: 1000, requests_per_minute: 120, cpu: "2".into(), memory: "8Gi".into(), pods: 20 }
}
