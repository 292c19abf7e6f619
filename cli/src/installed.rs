//! What of the product a cluster has.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::ListParams;

use hashinsight_crds::schema::ANNOTATION_BUNDLE;

use crate::cluster::{Cluster, kinds as our_kinds};
use crate::trouble::Trouble;

/// A version of two numbers, compared by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kubernetes {
    pub major: u32,
    pub minor: u32,
}

impl std::fmt::Display for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The API server's version. Minors of some platforms end in a plus sign.
pub async fn kubernetes(cluster: &Cluster) -> Result<Kubernetes, Trouble> {
    let version = cluster.client.apiserver_version().await.map_err(|error| cluster.trouble(error, None))?;
    let number = |text: &str| text.trim_end_matches('+').parse().unwrap_or_default();
    Ok(Kubernetes { major: number(&version.major), minor: number(&version.minor) })
}

/// A kind of ours on the cluster.
pub struct Installed {
    /// `tenants.hashinsight.net`.
    pub name: String,
    /// Version of its definition; `None` when it is not there.
    pub version: Option<String>,
}

pub async fn kinds(cluster: &Cluster) -> Result<Vec<Installed>, Trouble> {
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let mut all = Vec::new();
    for (kind, _) in our_kinds() {
        let name = format!("{}.{}", kind.plural, kind.group);
        let found = api.get_opt(&name).await.map_err(|error| cluster.trouble(error, None))?;
        let annotations = found.map(|crd| crd.metadata.annotations.unwrap_or_default());
        let version = annotations.map(|all| all.get(ANNOTATION_BUNDLE).cloned().unwrap_or_default());
        all.push(Installed { name, version });
    }
    Ok(all)
}

/// The operator's Deployment.
pub struct Operator {
    pub namespace: String,
    pub version: String,
    pub ready: i32,
    pub wanted: i32,
}

/// Found by its label, in `namespace` or in any.
pub async fn operator(cluster: &Cluster, namespace: Option<&str>) -> Result<Option<Operator>, Trouble> {
    let api: Api<Deployment> = match namespace {
        Some(namespace) => Api::namespaced(cluster.client.clone(), namespace),
        None => Api::all(cluster.client.clone()),
    };
    let labelled = ListParams::default().labels("app.kubernetes.io/name=hashinsight-operator");
    let found = api.list(&labelled).await.map_err(|error| cluster.trouble(error, None))?;
    Ok(found.items.into_iter().next().map(|deployment| {
        let labels = deployment.metadata.labels.unwrap_or_default();
        Operator {
            namespace: deployment.metadata.namespace.unwrap_or_default(),
            version: labels.get("app.kubernetes.io/version").cloned().unwrap_or_default(),
            ready: deployment.status.and_then(|status| status.ready_replicas).unwrap_or_default(),
            wanted: deployment.spec.and_then(|spec| spec.replicas).unwrap_or(1),
        }
    }))
}
