//! Objectives: OpenSLO in and out, checks, explanations, history and budgets.
//! The library computes; this reads, asks and shows.

pub mod arguments;
mod backtest;
mod budget;
mod documents;
mod explain;
mod past;

use hashinsight_crds::names::tenant_of_namespace;
use hashinsight_crds::text::text;
use hashinsight_crds::{ErrorBudgetPolicy, ServiceLevelObjective};
use hashinsight_slo::objective::{Objective, Reach};
use hashinsight_slo::openslo;
use hashinsight_slo::policy::Policy;
use kube::ResourceExt;
use kube::core::ApiResource;
use serde_json::{Value, json};

use crate::arguments::Global;
use crate::cluster::Cluster;
use crate::output::{Answer, Block, Columns, to_stdout};
use crate::trouble::{Exit, Trouble};
use arguments::{Slo, Which};
use documents::{documents, ours};

/// Where things of the operator are, when nothing else is said.
pub const SYSTEM: &str = "hashinsight-system";

/// `slo` and what follows; none when all is printed already.
pub fn answer(verb: &Slo, global: &Global) -> Result<Option<Answer>, Trouble> {
    match verb {
        Slo::Import { files } => {
            let values: Vec<Value> = documents(files)?.into_iter().map(|document| document.value).collect();
            let objects = openslo::import(&values).map_err(|all| refused(&all))?;
            print(&objects).map(|()| None)
        }
        Slo::Export { files } => {
            let ours = ours(documents(files)?)?;
            let (out, bad): (Vec<_>, Vec<_>) =
                ours.objectives.iter().map(|(_, object)| openslo::export(object)).partition(Result::is_ok);
            if !bad.is_empty() {
                return Err(refused(&bad.into_iter().filter_map(Result::err).collect::<Vec<_>>()));
            }
            print(&out.into_iter().filter_map(Result::ok).collect::<Vec<_>>()).map(|()| None)
        }
        Slo::Lint { files } => lint(files, global).map(Some),
        Slo::Explain(which) => explain::answer(which, global).map(Some),
        Slo::Backtest { which, past } => backtest::answer(which, past, global).map(Some),
        Slo::Budget { which, past, svg } => budget::answer(which, past, svg.as_deref(), global).map(Some),
    }
}

/// Objects as documents of YAML.
fn print(objects: &[Value]) -> Result<(), Trouble> {
    let mut all = String::new();
    for object in objects {
        all.push_str("---\n");
        all.push_str(&serde_saphyr::to_string(object).unwrap_or_else(|_| object.to_string() + "\n"));
    }
    to_stdout(all.as_bytes())
}

fn refused(all: &[openslo::Refused]) -> Trouble {
    let what = text("this has no home in the other form; nothing was written", "有内容无法转换；未写出任何结果");
    let why: Vec<String> = all.iter().map(ToString::to_string).collect();
    Trouble::new(Exit::Refused, what, why.join("\n       "), "")
}

/// How far an objective may reach where it is, or would be, applied.
fn reach(namespace: &str) -> Reach {
    tenant_of_namespace(namespace).map_or(Reach::Everything, |tenant| Reach::Tenant(tenant.to_owned()))
}

fn namespace_of(object: &ServiceLevelObjective, global: &Global) -> String {
    object.namespace().or_else(|| global.namespace.clone()).unwrap_or_else(|| SYSTEM.to_owned())
}

fn parse(object: &ServiceLevelObjective, global: &Global) -> Result<Objective, Trouble> {
    let namespace = namespace_of(object, global);
    Objective::parse(&namespace, &object.name_any(), &object.spec, &reach(&namespace)).map_err(|why| {
        let what = text("this objective cannot be measured", "该目标无法测量");
        Trouble::new(Exit::Refused, what, format!("{}: {why}", object.name_any()), "hashinsight slo lint -f FILE")
    })
}

/// An objective, its stored form, and the policy it names where that is known.
struct Chosen {
    object: ServiceLevelObjective,
    objective: Objective,
    policy: Option<Policy>,
}

/// The one objective the command line names.
async fn chosen(which: &Which, global: &Global) -> Result<Chosen, Trouble> {
    let (object, policy) = match &which.name {
        Some(name) => on_cluster(name, global).await?,
        None => in_files(which)?,
    };
    let objective = parse(&object, global)?;
    let policy = policy.and_then(|policy| Policy::parse(&policy.spec).ok());
    Ok(Chosen { object, objective, policy })
}

fn in_files(which: &Which) -> Result<(ServiceLevelObjective, Option<ErrorBudgetPolicy>), Trouble> {
    let mut all = ours(documents(&which.files)?)?;
    let count = all.objectives.len();
    let (Some((_, object)), 1) = (all.objectives.pop(), count) else {
        let what = text("exactly one objective is wanted", "需要且仅需要一个目标");
        return Err(Trouble::new(Exit::Error, what, format!("there are {count}"), "hashinsight slo --help"));
    };
    let named = object.spec.budget_policy_ref.as_ref().map(|reference| reference.name.clone());
    let policy = all.policies.into_iter().map(|(_, policy)| policy).find(|policy| Some(policy.name_any()) == named);
    Ok((object, policy))
}

async fn on_cluster(
    name: &str,
    global: &Global,
) -> Result<(ServiceLevelObjective, Option<ErrorBudgetPolicy>), Trouble> {
    let cluster = Cluster::named(global).await?;
    let namespace = global.namespace.clone().unwrap_or_else(|| SYSTEM.to_owned());
    let kind = ApiResource::erase::<ServiceLevelObjective>(&());
    let object = cluster.get(&kind, &namespace, name).await?;
    let unreadable = |error: serde_json::Error| {
        let what = text("this version cannot read the object", "此版本无法读取该对象");
        Trouble::new(Exit::Error, what, error.to_string(), "hashinsight version")
    };
    let object: ServiceLevelObjective = serde_json::from_value(object).map_err(unreadable)?;
    // Whoever may not see policies still sees the objective.
    let policy = match &object.spec.budget_policy_ref {
        Some(reference) => {
            cluster.get(&ApiResource::erase::<ErrorBudgetPolicy>(&()), SYSTEM, &reference.name).await.ok()
        }
        None => None,
    };
    Ok((object, policy.and_then(|policy| serde_json::from_value(policy).ok())))
}

/// Every objective and policy of `files`, with what is wrong or worth a word.
fn lint(files: &[std::path::PathBuf], global: &Global) -> Result<Answer, Trouble> {
    let ours = ours(documents(files)?)?;
    let mut rows = Vec::new();
    for (place, object) in &ours.objectives {
        let namespace = namespace_of(object, global);
        match Objective::parse(&namespace, &object.name_any(), &object.spec, &reach(&namespace)) {
            Err(why) => rows.push(("✗", place, object.name_any(), why.to_string())),
            Ok(objective) => {
                let named = object.spec.budget_policy_ref.as_ref().map(|policy| &policy.name);
                rows.extend(objective.remarks().into_iter().map(|remark| ("!", place, object.name_any(), remark)));
                let known = !ours.policies.is_empty();
                let there = ours.policies.iter().any(|(_, policy)| Some(&policy.name_any()) == named);
                if let (Some(named), true, false) = (named, known, there) {
                    let remark = format!("the ErrorBudgetPolicy {named} is not among the files");
                    rows.push(("!", place, object.name_any(), remark));
                }
                rows.push((
                    "✓",
                    place,
                    object.name_any(),
                    format!("{} % over {}", objective.target.percentage(), objective.window.told()),
                ));
            }
        }
    }
    for (place, policy) in &ours.policies {
        match Policy::parse(&policy.spec) {
            Err(why) => rows.push(("✗", place, policy.name_any(), why.to_string())),
            Ok(_) => rows.push(("✓", place, policy.name_any(), format!("{} stages", policy.spec.stages.len()))),
        }
    }
    let bad = rows.iter().any(|(mark, ..)| *mark == "✗");
    let level = |mark: &str| match mark {
        "✗" => "refused",
        "!" => "remark",
        _ => "ok",
    };
    let items: Vec<Value> = rows
        .iter()
        .map(|(mark, place, name, told)| json!({"level": level(mark), "place": place, "name": name, "message": told}))
        .collect();
    let headings = vec![text("", ""), text("PLACE", "位置"), text("NAME", "名称"), text("MESSAGE", "消息")];
    let names = rows.iter().filter(|(mark, ..)| *mark == "✗").map(|(_, place, ..)| (*place).clone()).collect();
    let cells = rows
        .iter()
        .map(|(mark, place, name, told)| vec![(*mark).to_owned(), (*place).clone(), name.clone(), told.clone()]);
    Ok(Answer {
        csv: None,
        exit: if bad { Exit::Refused } else { Exit::Ok },
        data: json!({"schemaVersion": 1, "items": items}),
        names,
        blocks: vec![Block::Columns(Columns { headings, wide: 0, rows: cells.collect() })],
    })
}
