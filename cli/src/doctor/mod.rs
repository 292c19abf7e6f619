//! Checks of an installation, each with its fix. A check that cannot be made
//! is neither passed nor failed.

mod permissions;

use hashinsight_crds::text::{Language, Text, text};
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicyBinding;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::arguments::Global;
use crate::cluster::{Cluster, INSTALL};
use crate::installed::{self, Kubernetes, Operator};
use crate::output::{Answer, Block, Columns, paint::MARKS};
use crate::said::{Words, same, words};
use crate::trouble::{Exit, Trouble};
use crate::version::OWN;

/// The oldest Kubernetes the operator runs on.
const OLDEST: Kubernetes = Kubernetes { major: 1, minor: 36 };
/// Where the operator lives unless said otherwise.
const NAMESPACE: &str = "hashinsight-system";
/// The policies as they are shipped.
const POLICIES: &str = include_str!("../../../operator/admission.yaml");

/// What came of a check.
enum Outcome {
    /// All is well; what was found.
    Good(Words),
    /// It is not; why, and the command that mends it.
    Bad(Words, String),
    /// It could not be looked at, or is not decided yet; why, and what to do.
    Open(Words, String),
}

struct Check {
    name: Text,
    outcome: Outcome,
}

impl Check {
    /// A check that met trouble is open, not failed.
    fn of(name: Text, result: Result<Outcome, Trouble>) -> Self {
        let outcome = result.unwrap_or_else(|trouble| {
            let said = |what: &str| format!("{what}: {}", trouble.why);
            Outcome::Open(words(said(trouble.what.en), said(trouble.what.zh)), trouble.next.clone())
        });
        Self { name, outcome }
    }

    fn parts(&self) -> (&'static str, &Words, &str) {
        match &self.outcome {
            Outcome::Bad(why, fix) => ("failed", why, fix),
            Outcome::Open(why, fix) => ("open", why, fix),
            Outcome::Good(found) => ("passed", found, ""),
        }
    }

    fn row(&self, language: Language) -> Vec<String> {
        let (outcome, found, fix) = self.parts();
        let mark = match outcome {
            "failed" => MARKS[0],
            "open" => MARKS[1],
            _ => MARKS[2],
        };
        [mark, self.name.to(language), found.to(language), fix].map(str::to_owned).to_vec()
    }

    fn data(&self) -> Value {
        let (outcome, found, fix) = self.parts();
        json!({"check": self.name.en, "outcome": outcome, "found": found.en, "fix": fix})
    }
}

pub async fn answer(global: &Global) -> Result<Answer, Trouble> {
    let cluster = Cluster::named(global).await?;
    // Who cannot be reached cannot be examined.
    let kubernetes = installed::kubernetes(&cluster).await?;
    let operator = installed::operator(&cluster, global.namespace.as_deref()).await;
    let found = operator.as_ref().ok().and_then(Option::as_ref).map(|operator| operator.namespace.clone());
    let namespace = found.or_else(|| global.namespace.clone()).unwrap_or_else(|| NAMESPACE.to_owned());
    let checks = [
        Check { name: text("cluster", "集群"), outcome: Outcome::Good(same(&cluster.url)) },
        Check { name: text("Kubernetes", "Kubernetes"), outcome: version(kubernetes) },
        Check::of(text("kinds", "资源类型"), kinds(&cluster).await),
        Check::of(text("admission", "准入策略"), admission(&cluster).await),
        Check::of(text("operator", "控制器"), operator.map(|operator| running(operator.as_ref()))),
        Check::of(text("permissions", "权限"), permissions::check(&cluster, &namespace).await),
    ];
    let any = |wanted: &str| checks.iter().any(|check| check.parts().0 == wanted);
    let exit = match (any("failed"), any("open")) {
        (true, _) => Exit::Refused,
        (_, true) => Exit::Deferred,
        _ => Exit::Ok,
    };
    let headings = vec![text("", ""), text("CHECK", "检查"), text("FOUND", "结果"), text("FIX", "修复")];
    let rows = checks.iter().map(|check| check.row(global.language)).collect();
    Ok(Answer {
        csv: None,
        exit,
        data: json!({"schemaVersion": 1, "checks": checks.iter().map(Check::data).collect::<Vec<_>>()}),
        names: checks.iter().map(|check| format!("{}/{}", check.name.en, check.parts().0)).collect(),
        blocks: vec![Block::Columns(Columns { headings, wide: 0, rows })],
    })
}

fn version(found: Kubernetes) -> Outcome {
    if found >= OLDEST {
        return Outcome::Good(same(found.to_string()));
    }
    let why = words(format!("{found} is older than {OLDEST}"), format!("{found} 低于所需的 {OLDEST}"));
    Outcome::Bad(why, format!("upgrade the cluster to {OLDEST} or newer"))
}

async fn kinds(cluster: &Cluster) -> Result<Outcome, Trouble> {
    let all = installed::kinds(cluster).await?;
    let own = format!("v{OWN}");
    let missing: Vec<&str> = all.iter().filter(|kind| kind.version.is_none()).map(|kind| kind.name.as_str()).collect();
    if !missing.is_empty() {
        let list = missing.join(", ");
        let why = words(format!("missing: {list}"), format!("缺少：{list}"));
        return Ok(Outcome::Bad(why, INSTALL.to_owned()));
    }
    let other: Vec<String> = all
        .iter()
        .filter_map(|kind| {
            kind.version.clone().filter(|version| *version != own).map(|v| format!("{} is {v}", kind.name))
        })
        .collect();
    if other.is_empty() {
        return Ok(Outcome::Good(same(own)));
    }
    let list = other.join(", ");
    let why = words(format!("{list}; this program is {own}"), format!("{list}；本程序为 {own}"));
    Ok(Outcome::Bad(why, UPGRADE.to_owned()))
}

const UPGRADE: &str =
    "helm upgrade hashinsight hashinsight-VERSION.tgz -n hashinsight-system, with a program of the same version";

async fn admission(cluster: &Cluster) -> Result<Outcome, Trouble> {
    let shipped: Vec<Value> = serde_saphyr::from_multiple(POLICIES).unwrap_or_default();
    let bindings = shipped.iter().filter(|object| object["kind"] == "ValidatingAdmissionPolicyBinding");
    let wanted: Vec<&str> = bindings.filter_map(|object| object["metadata"]["name"].as_str()).collect();
    let api: Api<ValidatingAdmissionPolicyBinding> = Api::all(cluster.client.clone());
    let found = api.list(&ListParams::default()).await.map_err(|error| cluster.trouble(error, None))?;
    let denies = |name: &str| {
        found.items.iter().any(|binding| {
            let mut actions = binding.spec.validation_actions.iter();
            binding.metadata.name.as_deref() == Some(name) && actions.any(|action| action == "Deny")
        })
    };
    let missing: Vec<&str> = wanted.iter().copied().filter(|name| !denies(name)).collect();
    if missing.is_empty() {
        let count = wanted.len();
        return Ok(Outcome::Good(words(format!("{count} policies"), format!("{count} 条策略"))));
    }
    let list = missing.join(", ");
    let why = words(format!("not in force: {list}"), format!("未生效：{list}"));
    Ok(Outcome::Bad(why, UPGRADE.to_owned()))
}

fn running(operator: Option<&Operator>) -> Outcome {
    let Some(Operator { namespace, version, ready, wanted }) = operator else {
        let why = words("no Deployment of it was found", "未找到其 Deployment");
        return Outcome::Bad(why, INSTALL.to_owned());
    };
    let look = format!("kubectl -n {namespace} describe deployment hashinsight-operator");
    let at = format!("{version}, {namespace}");
    if *ready == 0 {
        let why = words(format!("{at}: none of {wanted} replicas is ready"), format!("{at}：{wanted} 个副本均未就绪"));
        return Outcome::Open(why, look);
    }
    if version != OWN {
        let why = words(format!("{at}; this program is {OWN}"), format!("{at}；本程序为 {OWN}"));
        return Outcome::Bad(why, UPGRADE.to_owned());
    }
    Outcome::Good(words(
        format!("{at}: {ready} of {wanted} replicas ready"),
        format!("{at}：{wanted} 个副本中 {ready} 个就绪"),
    ))
}
