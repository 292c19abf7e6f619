//! The cluster: how it is found, and what its refusals mean.

use hashinsight_crds::text::{Text, text};
use hashinsight_crds::{
    CalculationCore, ChangeNotice, ErrorBudgetPolicy, Incident, RolloutAction, ServiceLevelObjective, Tenant,
    TenantPlan, TenantSummary,
};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{Api, DynamicObject, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::ApiResource;
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::arguments::Global;
use crate::trouble::{Exit, Trouble};

/// Objects asked for at once.
const PAGE: u32 = 500;

/// A cluster that can be asked.
pub struct Cluster {
    pub client: Client,
    /// Where its API server is.
    pub url: String,
}

/// Where objects of a kind live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In no namespace.
    Cluster,
    /// In tenants' namespaces and the operator's.
    Anywhere,
    /// In the operator's namespace alone, where tenants see nothing.
    Operator,
}

/// Our kinds, and where they live.
pub fn kinds() -> [(ApiResource, Place); 9] {
    [
        (ApiResource::erase::<Tenant>(&()), Place::Cluster),
        (ApiResource::erase::<TenantPlan>(&()), Place::Cluster),
        (ApiResource::erase::<TenantSummary>(&()), Place::Anywhere),
        (ApiResource::erase::<ServiceLevelObjective>(&()), Place::Anywhere),
        (ApiResource::erase::<ErrorBudgetPolicy>(&()), Place::Operator),
        (ApiResource::erase::<ChangeNotice>(&()), Place::Operator),
        (ApiResource::erase::<Incident>(&()), Place::Operator),
        (ApiResource::erase::<CalculationCore>(&()), Place::Operator),
        (ApiResource::erase::<RolloutAction>(&()), Place::Operator),
    ]
}

impl Cluster {
    /// The cluster the command line and the environment name. Nothing is sent
    /// to it yet.
    pub async fn named(global: &Global) -> Result<Self, Trouble> {
        let mut config = match kubeconfig(global)? {
            Some(kubeconfig) => of_kubeconfig(kubeconfig, global).await?,
            None => Config::incluster().map_err(|_| no_cluster())?,
        };
        config.read_timeout = Some(std::time::Duration::from_secs(global.timeout));
        let url = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|error| {
            let what = text("the kubeconfig cannot be used", "无法使用该 kubeconfig");
            Trouble::new(Exit::Error, what, chain(&error), "kubectl config view")
        })?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned() })
    }

    /// Everything of a kind, in all namespaces or one.
    pub async fn list(&self, kind: &ApiResource, namespace: Option<&str>) -> Result<Vec<Value>, Trouble> {
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, kind),
            None => Api::all_with(self.client.clone(), kind),
        };
        let mut all = Vec::new();
        let mut asked = ListParams::default().limit(PAGE);
        loop {
            let page = api.list(&asked).await.map_err(|error| self.trouble(error, Some(kind)))?;
            all.extend(page.items.into_iter().map(|mut object| {
                // Lists leave the kind out of their items.
                object.types =
                    Some(kube::core::TypeMeta { api_version: kind.api_version.clone(), kind: kind.kind.clone() });
                json!(object)
            }));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => asked = asked.continue_token(&token),
                None => return Ok(all),
            }
        }
    }

    /// One object.
    pub async fn get(&self, kind: &ApiResource, namespace: &str, name: &str) -> Result<Value, Trouble> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, kind);
        let found = api.get_opt(name).await.map_err(|error| self.trouble(error, Some(kind)))?;
        found.map(|object| json!(object)).ok_or_else(|| {
            let what = text("there is no such object", "没有这个对象");
            let why = format!("{} {namespace}/{name}", kind.kind);
            Trouble::new(Exit::Error, what, why, format!("kubectl get {} -A", kind.plural))
        })
    }

    /// Your name, as the cluster knows you.
    pub async fn whoami(&self) -> Result<String, Trouble> {
        let reviews: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await;
        let review = review.map_err(|error| self.trouble(error, None))?;
        Ok(review.status.and_then(|status| status.user_info).and_then(|user| user.username).unwrap_or_default())
    }

    /// What a failed call means to a person.
    pub fn trouble(&self, error: kube::Error, kind: Option<&ApiResource>) -> Trouble {
        let url = &self.url;
        let status = match error {
            kube::Error::Api(status) => status,
            kube::Error::Auth(error) => {
                return Trouble::new(Exit::Unreachable, CREDENTIALS, chain(&error), "kubectl auth whoami");
            }
            other => {
                let what = text("the cluster cannot be reached", "无法连接集群");
                return Trouble::new(
                    Exit::Unreachable,
                    what,
                    format!("{url}: {}", chain(&other)),
                    "kubectl cluster-info",
                );
            }
        };
        let said = &status.message;
        match (status.code, kind) {
            (401, _) => {
                Trouble::new(Exit::Unreachable, CREDENTIALS, format!("{url}: 401 {said}"), "kubectl auth whoami")
            }
            (403, Some(kind)) => Trouble::new(
                Exit::Error,
                text("you may not see this", "您没有查看权限"),
                said,
                format!("kubectl auth can-i list {}.{} --all-namespaces", kind.plural, kind.group),
            ),
            (404, Some(kind)) => Trouble::new(
                Exit::Error,
                text("HashInsight is not installed on this cluster", "该集群尚未安装 HashInsight"),
                format!("{url} does not serve {}.{}", kind.plural, kind.group),
                INSTALL,
            ),
            (code, _) => Trouble::new(
                Exit::Error,
                text("the API server refused", "API 服务器拒绝了请求"),
                format!("{url}: {code} {said}"),
                "kubectl get --raw /readyz?verbose",
            ),
        }
    }
}

/// The command that installs everything.
pub const INSTALL: &str =
    "helm install hashinsight hashinsight-VERSION.tgz --namespace hashinsight-system --create-namespace";
const CREDENTIALS: Text =
    text("the cluster does not accept your credentials: sign in again", "集群不接受您的凭据：请重新登录");

/// An error with its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !told.contains(&more) {
            told = format!("{told}: {more}");
        }
        cause = error.source();
    }
    told
}

fn no_cluster() -> Trouble {
    Trouble::new(
        Exit::Unreachable,
        text("no cluster is configured", "未配置集群"),
        "there is no kubeconfig at --kubeconfig, KUBECONFIG or ~/.kube/config, and this is no pod",
        "kubectl config get-contexts",
    )
}

fn unreadable(why: &dyn std::error::Error) -> Trouble {
    let what = text("the kubeconfig cannot be read", "无法读取 kubeconfig");
    Trouble::new(Exit::Error, what, chain(why), "kubectl config view")
}

fn kubeconfig(global: &Global) -> Result<Option<Kubeconfig>, Trouble> {
    use kube::config::KubeconfigError::{FindPath, ReadConfig};
    let read = match &global.kubeconfig {
        Some(file) => return Kubeconfig::read_from(file).map(Some).map_err(|error| unreadable(&error)),
        None => Kubeconfig::read(),
    };
    match read {
        Ok(kubeconfig) => Ok(Some(kubeconfig)),
        // Nobody named that file: without it, this may be a pod.
        Err(FindPath) => Ok(None),
        Err(ReadConfig(error, _)) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(&error)),
    }
}

async fn of_kubeconfig(kubeconfig: Kubeconfig, global: &Global) -> Result<Config, Trouble> {
    let known: Vec<String> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    let wanted = global.context.clone().or_else(|| kubeconfig.current_context.clone()).unwrap_or_default();
    if !known.contains(&wanted) {
        let what = text("the kubeconfig has no such context", "kubeconfig 中没有该上下文");
        let guess = crate::said::did_you_mean(&wanted, known.iter().map(String::as_str));
        let why = format!("\"{wanted}\"{guess}; it has: {}", known.join(", "));
        return Err(Trouble::new(Exit::Error, what, why, "kubectl config get-contexts"));
    }
    let options = KubeConfigOptions { context: Some(wanted), ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| unreadable(&error))
}
