//! Incidents, on the stage of the objectives: the page that fires there is put
//! on record, taken and ended by people, under the clocks of two plans.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::eventually;

use crate::objectives::{is, until};
use crate::stage::{SYSTEM, Stage, message, plan};

/// A plan nobody can keep: a minute to respond and to recover.
const HASTY: &str = "hasty";

/// Plans whose clocks will run; before anything fires.
pub async fn promises(stage: &Stage) {
    stage.admin().apply(plan("standard", 100)).await.unwrap();
    let mut hasty = plan(HASTY, 100);
    hasty["spec"]["response"] = json!({"respondMinutes": 1, "recoverMinutes": 1});
    stage.admin().apply(hasty).await.unwrap();
}

async fn incidents_of(stage: &Stage, alert: &str) -> Vec<Value> {
    let all = stage.admin().list("Incident", Some(SYSTEM)).await.unwrap();
    all.into_iter().filter(|incident| incident["spec"]["alert"] == alert).collect()
}

fn missed<'a>(incident: &'a Value, plan: &str) -> &'a Value {
    let clocks = incident["status"]["clocks"].as_array().unwrap();
    &clocks.iter().find(|clock| clock["plan"] == plan).unwrap()["missed"]
}

/// What becomes of the page that fires.
pub async fn the_page_is_put_on_record_taken_and_ended(stage: &Stage) {
    let alert = "ErrorBudgetBurnsFast";
    eventually("the page is an incident", Duration::from_secs(60), || async {
        if incidents_of(stage, alert).await.len() == 1 { Ok(()) } else { Err("none yet".to_owned()) }
    })
    .await;
    let name = incidents_of(stage, alert).await.remove(0)["metadata"]["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("error-budget-burns-fast-"), "{name}");
    let path = format!("Incident/{SYSTEM}/{name}");
    let open = until(stage, &path, "nobody has it", |object| is(object, "Ready", "False", "IncidentOpen")).await;
    let spec = &open["spec"];
    assert_eq!((&spec["service"], &spec["objective"]), (&json!("core"), &json!(format!("{SYSTEM}/availability"))));
    assert!(message(&open).ends_with(&format!("hashinsight incident acknowledge {name}")), "{}", message(&open));
    assert_eq!(open["status"]["clocks"].as_array().unwrap().len(), 2);
    for (page, word) in
        [("ErrorBudgetBurnsFast?lang=en", "Mitigation"), ("ErrorBudgetBurnsFast?lang=zh", "处置"), ("", "PlanMissing")]
    {
        let (code, text) = stage.operator().get(&format!("/runbooks/{page}")).unwrap();
        assert!(code == 200 && text.contains(word), "{page}: {code} {text}");
    }
    assert_eq!(stage.operator().get("/runbooks/Nothing").unwrap().0, 404);

    // Records are the operator's, and a person's word is their own.
    let forged = json!({
        "apiVersion": "hashinsight.net/v1alpha1", "kind": "Incident", "metadata": {"name": "made-up", "namespace": SYSTEM},
        "spec": spec,
    });
    let refused = stage.admin().create(forged).await.unwrap_err().to_string();
    assert!(refused.contains("opened by the operator"), "{refused}");
    let ann = stage.ground.as_user("ann", &["system:masters"]).await;
    let refused = ann.merge(&path, json!({"spec": {"acknowledged": {"by": "bob"}}})).await.unwrap_err().to_string();
    assert!(refused.contains("must be your own user name"), "{refused}");

    // A minute later the hasty plan's promises are broken, the other's not.
    let late = until(stage, &path, "a promise is missed", |object| {
        is(object, "PromisesKept", "False", "PromiseMissed") && missed(object, HASTY) == "Both"
    })
    .await;
    assert_eq!(missed(&late, "standard"), "Nothing");
    eventually("the missed promise is told", Duration::from_secs(40), || async {
        let told = stage.operator().get("/metrics").unwrap().1;
        let series = format!(
            "hashinsight_incident_promise_missed{{incident=\"{name}\",plan=\"{HASTY}\",promise=\"recovery\"}} 1"
        );
        if told.contains(&series) && told.contains("hashinsight_incidents{state=\"Open\"}") {
            Ok(())
        } else {
            Err(told)
        }
    })
    .await;

    ann.merge(&path, json!({"spec": {"acknowledged": {"by": "ann", "note": "looking"}}})).await.unwrap();
    let taken = until(stage, &path, "ann has it", |object| is(object, "Ready", "False", "IncidentAcknowledged")).await;
    assert_eq!(message(&taken), "ann has it");
    assert!(taken["status"]["acknowledgedAt"].is_string());
    let refused = ann.merge(&path, json!({"spec": {"acknowledged": {"note": "no"}}})).await.unwrap_err().to_string();
    assert!(refused.contains("on record and does not change"), "{refused}");

    // Ended by hand while it still fires: it stays ended, and no other is opened.
    ann.merge(&path, json!({"spec": {"resolved": {"by": "ann"}}})).await.unwrap();
    until(stage, &path, "it is over", |object| is(object, "Ready", "True", "IncidentResolved")).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(incidents_of(stage, alert).await.len(), 1);
    let availability = stage.admin().must(&format!("ServiceLevelObjective/{SYSTEM}/availability")).await;
    assert!(availability["status"]["ledger"].is_array());
}
