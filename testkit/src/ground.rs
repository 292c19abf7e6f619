//! A real API server and short ways to use it in tests.

use std::time::Duration;

use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config};
use localcluster::Cluster;
use serde_json::{Value, json};

use crate::harness::eventually;

/// A real API server.
pub struct Ground {
    /// The cluster.
    pub cluster: Cluster,
    /// Objects as an administrator sees them.
    pub admin: Objects,
}

impl Ground {
    /// A fresh API server without our kinds.
    pub async fn bare() -> Self {
        let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap().unwrap_or_else(|e| panic!("{e}"));
        let admin = Objects(client(cluster.admin_kubeconfig()).await);
        Self { cluster, admin }
    }

    /// A fresh API server with our kinds served.
    pub async fn with_kinds() -> Self {
        let ground = Self::bare().await;
        ground.install_kinds().await;
        ground
    }

    /// Installs our kinds and waits until they are served.
    pub async fn install_kinds(&self) {
        for crd in hashinsight_crds::schema::all().unwrap() {
            self.admin.apply(json!(crd)).await.unwrap();
        }
        for (kind, plural) in
            [("Tenant", "tenants"), ("TenantPlan", "tenantplans"), ("TenantSummary", "tenantsummaries")]
        {
            let api: Api<DynamicObject> = Api::all_with(self.admin.0.clone(), &ours(kind, plural));
            eventually(plural, Duration::from_secs(20), || async {
                api.list(&ListParams::default()).await.map_err(|e| e.to_string())
            })
            .await;
        }
    }

    /// Waits until our admission policies are enforced, a moment after they are
    /// stored, and checks that the server found no fault in their types.
    pub async fn admission_in_force(&self) {
        for policy in self.admin.list("ValidatingAdmissionPolicy", None).await.unwrap() {
            let name = policy["metadata"]["name"].as_str().unwrap();
            let checked = |policy: &Value| policy["status"]["observedGeneration"] == policy["metadata"]["generation"];
            let policy = self.admin.until(&format!("ValidatingAdmissionPolicy/{name}"), checked).await;
            assert_eq!(policy["status"]["typeChecking"]["expressionWarnings"], Value::Null, "{name}");
        }
        // The last of the set: they come into force in the order they are stored.
        let probe = json!({"metadata": {"annotations": {"hashinsight.net/bundle-version": null}}});
        let dry = PatchParams { dry_run: true, ..PatchParams::default() };
        let (crds, name) = self.admin.at("CustomResourceDefinition/tenants.hashinsight.net");
        eventually("admission policies in force", Duration::from_secs(20), || async {
            match crds.patch(name, &dry, &Patch::Merge(&probe)).await {
                Ok(_) => Err("a CRD without a version was accepted".to_owned()),
                Err(_) => Ok(()),
            }
        })
        .await;
    }

    /// Objects as `user` in `groups` sees them.
    pub async fn as_user(&self, user: &str, groups: &[&str]) -> Objects {
        Objects(client(&self.cluster.kubeconfig_for(user, groups).unwrap()).await)
    }

    /// What kubectl prints, as an administrator.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.cluster.kubectl().args(arguments).output().unwrap();
        assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Requests by `user` in the audit log, as (verb, resource, name, namespace).
    pub fn audited(&self, user: &str) -> Vec<(String, String, String, String)> {
        let log = std::fs::read_to_string(self.cluster.audit_log()).unwrap();
        log.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|entry| entry["user"]["username"] == user)
            .map(|entry| {
                let object = |key: &str| entry["objectRef"][key].as_str().unwrap_or_default().to_owned();
                let verb = entry["verb"].as_str().unwrap_or_default().to_owned();
                (verb, object("resource"), object("name"), object("namespace"))
            })
            .collect()
    }
}

fn ours(kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("hashinsight.net", "v1alpha1", kind), plural)
}

async fn client(kubeconfig: &std::path::Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    // The server is on this machine, whatever proxy the environment names.
    config.proxy_url = None;
    Client::try_from(config).unwrap()
}

/// Objects as one client sees them, addressed as `kind/name` or
/// `kind/namespace/name`.
#[derive(Clone)]
pub struct Objects(pub Client);

const ADMISSION: &str = "admissionregistration.k8s.io";

/// Kinds tests speak of: (kind, group, version, plural).
const KINDS: [(&str, &str, &str, &str); 41] = [
    ("Tenant", "hashinsight.net", "v1alpha1", "tenants"),
    ("TenantPlan", "hashinsight.net", "v1alpha1", "tenantplans"),
    ("TenantSummary", "hashinsight.net", "v1alpha1", "tenantsummaries"),
    ("Namespace", "", "v1", "namespaces"),
    ("Node", "", "v1", "nodes"),
    ("Pod", "", "v1", "pods"),
    ("ConfigMap", "", "v1", "configmaps"),
    ("ServiceAccount", "", "v1", "serviceaccounts"),
    ("Service", "", "v1", "services"),
    ("Endpoints", "", "v1", "endpoints"),
    ("EndpointSlice", "discovery.k8s.io", "v1", "endpointslices"),
    // The benchmark's peer has a kind of the same name.
    ("CapsuleTenant", "capsule.clastix.io", "v1beta2", "tenants"),
    ("CapsuleConfiguration", "capsule.clastix.io", "v1beta2", "capsuleconfigurations"),
    ("Deployment", "apps", "v1", "deployments"),
    ("Probe", "hashinsight.net", "v1alpha1", "probes"),
    ("ExternalArtifact", "source.toolkit.fluxcd.io", "v1", "externalartifacts"),
    ("Kustomization", "kustomize.toolkit.fluxcd.io", "v1", "kustomizations"),
    ("ServiceLevelObjective", "hashinsight.net", "v1alpha1", "servicelevelobjectives"),
    ("ErrorBudgetPolicy", "hashinsight.net", "v1alpha1", "errorbudgetpolicies"),
    ("ChangeNotice", "hashinsight.net", "v1alpha1", "changenotices"),
    ("Incident", "hashinsight.net", "v1alpha1", "incidents"),
    ("CalculationCore", "hashinsight.net", "v1alpha1", "calculationcores"),
    ("RolloutAction", "hashinsight.net", "v1alpha1", "rolloutactions"),
    ("ControllerRevision", "apps", "v1", "controllerrevisions"),
    ("ReplicaSet", "apps", "v1", "replicasets"),
    ("HorizontalPodAutoscaler", "autoscaling", "v2", "horizontalpodautoscalers"),
    ("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets"),
    ("HTTPRoute", "gateway.networking.k8s.io", "v1", "httproutes"),
    ("Gateway", "gateway.networking.k8s.io", "v1", "gateways"),
    ("PrometheusRule", "monitoring.coreos.com", "v1", "prometheusrules"),
    ("ResourceQuota", "", "v1", "resourcequotas"),
    ("LimitRange", "", "v1", "limitranges"),
    ("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies"),
    ("Role", "rbac.authorization.k8s.io", "v1", "roles"),
    ("RoleBinding", "rbac.authorization.k8s.io", "v1", "rolebindings"),
    ("ClusterRole", "rbac.authorization.k8s.io", "v1", "clusterroles"),
    ("ClusterRoleBinding", "rbac.authorization.k8s.io", "v1", "clusterrolebindings"),
    ("Lease", "coordination.k8s.io", "v1", "leases"),
    ("ValidatingAdmissionPolicy", ADMISSION, "v1", "validatingadmissionpolicies"),
    ("ValidatingAdmissionPolicyBinding", ADMISSION, "v1", "validatingadmissionpolicybindings"),
    ("CustomResourceDefinition", "apiextensions.k8s.io", "v1", "customresourcedefinitions"),
];

impl Objects {
    /// The API an object goes to, by what it says of itself.
    fn api_of(&self, object: &Value) -> Api<DynamicObject> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let kind = match (text("/kind").unwrap(), text("/apiVersion").unwrap()) {
            ("Tenant", version) if version.starts_with("capsule") => "CapsuleTenant",
            (kind, _) => kind,
        };
        self.api(kind, text("/metadata/namespace"))
    }

    fn api(&self, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
        let (kind, group, version, plural) =
            KINDS.into_iter().find(|(k, ..)| *k == kind).unwrap_or_else(|| panic!("kind {kind}"));
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        match namespace {
            Some(namespace) => Api::namespaced_with(self.0.clone(), namespace, &resource),
            None => Api::all_with(self.0.clone(), &resource),
        }
    }

    fn at<'a>(&self, path: &'a str) -> (Api<DynamicObject>, &'a str) {
        let parts: Vec<&str> = path.split('/').collect();
        match parts[..] {
            [kind, name] => (self.api(kind, None), name),
            [kind, namespace, name] => (self.api(kind, Some(namespace)), name),
            _ => panic!("path {path}"),
        }
    }

    /// Server-side apply as a user of kubectl would, unknown fields refused.
    pub async fn apply(&self, object: Value) -> Result<Value, kube::Error> {
        let (api, name) = (self.api_of(&object), object["metadata"]["name"].as_str().unwrap());
        let params = PatchParams::apply("test").validation_strict();
        api.patch(name, &params, &Patch::Apply(&object)).await.map(|object| json!(object))
    }

    /// Creates the object.
    pub async fn create(&self, object: Value) -> Result<Value, kube::Error> {
        let api = self.api_of(&object);
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.map(|object| json!(object))
    }

    /// The object at `path`; `None` when it is not there.
    pub async fn get(&self, path: &str) -> Result<Option<Value>, kube::Error> {
        let (api, name) = self.at(path);
        Ok(api.get_opt(name).await?.map(|object| json!(object)))
    }

    /// The object at `path`, which must be there.
    pub async fn must(&self, path: &str) -> Value {
        self.get(path).await.unwrap().unwrap_or_else(|| panic!("{path} is not there"))
    }

    /// All objects of `kind` in `namespace`.
    pub async fn list(&self, kind: &str, namespace: Option<&str>) -> Result<Vec<Value>, kube::Error> {
        let list = self.api(kind, namespace).list(&ListParams::default()).await?;
        Ok(list.items.into_iter().map(|object| json!(object)).collect())
    }

    /// Merge-patches the object at `path`.
    pub async fn merge(&self, path: &str, change: Value) -> Result<Value, kube::Error> {
        let (api, name) = self.at(path);
        api.patch(name, &PatchParams::default(), &Patch::Merge(&change)).await.map(|object| json!(object))
    }

    /// Merge-patches the status of the object at `path`.
    pub async fn merge_status(&self, path: &str, change: Value) -> Result<Value, kube::Error> {
        self.merge_at(path, Some("status"), change).await
    }

    /// Merge-patches the object at `path`, or a subresource of it.
    pub async fn merge_at(&self, path: &str, subresource: Option<&str>, change: Value) -> Result<Value, kube::Error> {
        let (api, name) = self.at(path);
        let (params, patch) = (PatchParams::default(), Patch::Merge(&change));
        match subresource {
            None => api.patch(name, &params, &patch).await,
            Some(subresource) => api.patch_subresource(subresource, name, &params, &patch).await,
        }
        .map(|object| json!(object))
    }

    /// Replaces a subresource of the object at `path`.
    pub async fn replace_at(&self, path: &str, subresource: &str, object: &Value) -> Result<Value, kube::Error> {
        let (api, name) = self.at(path);
        let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        let replaced = api.replace_subresource(subresource, name, &PostParams::default(), &object).await?;
        Ok(json!(replaced))
    }

    /// Deletes all objects of `kind` in `namespace`.
    pub async fn delete_all(&self, kind: &str, namespace: &str) -> Result<(), kube::Error> {
        let everything = ListParams::default();
        self.api(kind, Some(namespace)).delete_collection(&DeleteParams::default(), &everything).await.map(drop)
    }

    /// Deletes the object at `path`.
    pub async fn delete(&self, path: &str) -> Result<(), kube::Error> {
        let (api, name) = self.at(path);
        api.delete(name, &DeleteParams::default()).await.map(drop)
    }

    /// Waits until the object at `path` satisfies `wanted`, and returns it.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(path, Duration::from_secs(30), || async {
            match self.get(path).await {
                Ok(Some(object)) if wanted(&object) => Ok(object),
                Ok(other) => Err(other.map_or("it is not there".to_owned(), |o| o.to_string())),
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }

    /// Waits until the object at `path` is gone.
    pub async fn until_gone(&self, path: &str) {
        eventually(path, Duration::from_secs(40), || async {
            match self.get(path).await {
                Ok(None) => Ok(()),
                Ok(Some(object)) => Err(object.to_string()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
    }
}
