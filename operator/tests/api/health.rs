//! Health as tools see it on a real API server: `kubectl wait` over the
//! recorded fixtures, and Flux's kustomize-controller over a release that goes
//! well, one that breaks a tenant, and one that drops one.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::{Ground, Objects, eventually};

use crate::stage::{Stage, condition, plan, tenant};

fn fixtures() -> BTreeMap<String, Value> {
    serde_saphyr::from_str(include_str!("../health.yaml")).unwrap()
}

/// Puts a fixture on the server, as far behind its own generation as it was.
async fn put(admin: &Objects, name: &str, fixture: &Value) -> String {
    let recorded = &fixture["object"];
    let kind = recorded["kind"].as_str().unwrap();
    // A summary has one name; any other will do for the rest.
    let within = if kind == "TenantSummary" { "summary" } else { "it" };
    let spec = recorded.get("spec").cloned().unwrap_or_else(|| json!({}));
    let is_in_namespace = !["Tenant", "TenantPlan"].contains(&kind);
    let mut object = match kind {
        "Tenant" => tenant(name, json!({})),
        "TenantPlan" => plan(name, 1),
        _ => {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            admin.apply(namespace).await.unwrap();
            json!({
                "apiVersion": "hashinsight.net/v1alpha1", "kind": kind,
                "metadata": {"name": within, "namespace": name}, "spec": spec,
            })
        }
    };
    let path = if is_in_namespace { format!("{kind}/{name}/{within}") } else { format!("{kind}/{name}") };
    let deleting = !recorded["metadata"]["deletionTimestamp"].is_null();
    if deleting {
        object["metadata"]["finalizers"] = recorded["metadata"]["finalizers"].clone();
    }
    admin.apply(object).await.unwrap();
    if deleting {
        admin.delete(&path).await.unwrap();
    }
    let now = admin.must(&path).await["metadata"]["generation"].as_i64().unwrap();
    let behind = |observed: &Value| {
        let generation = recorded["metadata"]["generation"].as_i64().unwrap();
        observed.as_i64().map_or(Value::Null, |seen| json!((now - (generation - seen)).max(-1)))
    };
    let mut status = recorded["status"].clone();
    status["observedGeneration"] = behind(&status["observedGeneration"]);
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition["observedGeneration"] = json!(behind(&condition["observedGeneration"]).as_i64().unwrap().max(0));
    }
    admin.merge_status(&path, json!({"status": status})).await.unwrap();
    path
}

pub async fn kubectl_wait_agrees_with_the_recorded_verdicts(_: Arc<Stage>) {
    let ground = Ground::with_kinds().await;
    for (name, fixture) in fixtures() {
        let path = put(&ground.admin, &name, &fixture).await;
        let parts: Vec<&str> = path.split('/').collect();
        let mut wait = ground.cluster.kubectl();
        // Looks once.
        wait.args(["wait", "--for=condition=Ready", "--timeout=0"]);
        match parts[..] {
            [kind, namespace, name] => wait.args(["-n", namespace, &format!("{kind}/{name}")]),
            _ => wait.arg(&path),
        };
        let output = wait.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), fixture["verdict"] == "Current", "{name}: {told}");
        assert!(output.status.success() || told.contains("condition not met"), "{name}: {told}");
    }
}

/// Stands in for a source of Flux's: serves archives of manifests and says so
/// in an ExternalArtifact. (source-controller itself cannot be built here.)
struct Source {
    address: SocketAddr,
    archives: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Source {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let archives: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
        let served = Arc::clone(&archives);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut stream = stream;
                let mut request = [0; 4096];
                let read = stream.read(&mut request).unwrap_or_default();
                let text = String::from_utf8_lossy(&request[..read]).into_owned();
                let path = text.split(' ').nth(1).unwrap_or_default();
                let body = served.lock().unwrap().get(path).cloned().unwrap_or_default();
                let code = if body.is_empty() { "404 Not Found" } else { "200 OK" };
                let head = format!("HTTP/1.1 {code}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            }
        });
        Self { address, archives }
    }

    /// Publishes `manifests` as a new revision.
    async fn release(&self, admin: &Objects, revision: &str, manifests: &[Value]) {
        let folder = tempfile::tempdir().unwrap();
        for (number, manifest) in manifests.iter().enumerate() {
            std::fs::write(folder.path().join(format!("{number}.yaml")), manifest.to_string()).unwrap();
        }
        let archive = Command::new("tar").arg("-C").arg(folder.path()).args(["-cz", "."]).output().unwrap().stdout;
        let digest: String = Sha256::digest(&archive).iter().map(|byte| format!("{byte:02x}")).collect();
        let path = format!("/{revision}.tar.gz");
        let size = archive.len();
        self.archives.lock().unwrap().insert(path.clone(), archive);
        let artifact = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
            "metadata": {"name": "customers", "namespace": "default"}, "spec": {},
        });
        admin.apply(artifact).await.unwrap();
        let status = json!({"status": {
            "artifact": {
                "digest": format!("sha256:{digest}"), "lastUpdateTime": "2026-11-23T00:00:00Z", "path": path, "size": size,
                "revision": format!("{revision}@sha256:{digest}"), "url": format!("http://{}{path}", self.address),
            },
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Succeeded", "message": "published",
                "lastTransitionTime": "2026-11-23T00:00:00Z",
            }],
        }});
        admin.merge_status("ExternalArtifact/default/customers", status).await.unwrap();
    }
}

/// A running kustomize-controller.
struct Flux(Child);

impl Flux {
    fn start(stage: &Stage) -> Self {
        let log = std::fs::File::create(stage.ground.cluster.folder().join("flux.log")).unwrap();
        let mut command = stage.ground.cluster.point(Command::new(localcluster::fetch_gitops().unwrap().controller));
        command
            .args([
                "--metrics-addr=127.0.0.1:0",
                "--health-addr=127.0.0.1:0",
                "--events-addr=",
                "--watch-all-namespaces",
            ])
            .args(["--feature-gates=ExternalArtifact=true", "--log-level=error"])
            .env("TMPDIR", stage.ground.cluster.folder())
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Self(command.spawn().unwrap())
    }
}

impl Drop for Flux {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn install_flux_kinds(stage: &Stage) {
    for folder in localcluster::fetch_gitops().unwrap().kinds {
        stage.ground.kubectl(&["apply", "--server-side", "-f", folder.to_str().unwrap()]);
    }
    stage.ground.kubectl(&[
        "wait",
        "--for=condition=Established",
        "crd/kustomizations.kustomize.toolkit.fluxcd.io",
        "crd/externalartifacts.source.toolkit.fluxcd.io",
    ]);
}

/// Waits until the Kustomization says so of that revision.
async fn told(admin: &Objects, revision: &str, status: &str) -> String {
    eventually(revision, Duration::from_secs(60), || async {
        let kustomization = admin.must("Kustomization/default/customers").await;
        let ready = condition(&kustomization, "Ready");
        let tried = kustomization["status"]["lastAttemptedRevision"].as_str().unwrap_or_default();
        if tried.starts_with(revision) && ready["status"] == status {
            return Ok(ready["message"].as_str().unwrap_or_default().to_owned());
        }
        Err(kustomization["status"].to_string())
    })
    .await
}

pub async fn flux_sees_a_broken_tenant_and_a_pruned_one_is_retained(_: Arc<Stage>) {
    let stage = Stage::own(&[]).await;
    install_flux_kinds(&stage);
    let (admin, source) = (stage.admin(), Source::start());
    let (good, second) = (tenant("flux-good", json!({})), tenant("flux-second", json!({})));
    source.release(admin, "one", &[good.clone(), second.clone()]).await;
    let kustomization = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "customers", "namespace": "default"},
        "spec": {
            "interval": "10m", "retryInterval": "2s", "timeout": "40s", "prune": true, "wait": true,
            "sourceRef": {"kind": "ExternalArtifact", "name": "customers"}, "path": "./",
        },
    });
    admin.apply(kustomization).await.unwrap();
    let _flux = Flux::start(&stage);
    told(admin, "one", "True").await;
    let ready = condition(&admin.must("Tenant/flux-second").await, "Ready").clone();
    assert_eq!(ready["status"], "True", "Flux said so before it was");

    let broken = tenant("flux-broken", json!({"planRef": {"name": "no-such-plan"}}));
    source.release(admin, "two", &[good.clone(), second, broken]).await;
    let message = told(admin, "two", "False").await;
    // Flux names the object; the reason is the object's to say.
    assert!(message.contains("Tenant/flux-broken") && message.contains("Failed"), "{message}");
    assert_eq!(condition(&admin.must("Tenant/flux-broken").await, "Stalled")["reason"], "PlanMissing");

    source.release(admin, "three", &[good]).await;
    told(admin, "three", "True").await;
    admin.until_gone("Tenant/flux-second").await;
    let kept = admin.must("Namespace/tenant-flux-second").await;
    assert_eq!(kept["metadata"]["labels"]["hashinsight.net/released"], "true");
    assert!(kept["metadata"]["deletionTimestamp"].is_null());
}
