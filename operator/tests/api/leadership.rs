//! Two replicas: one works, the other waits for its turn.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;
use testkit::{Operator, eventually};

use crate::stage::Stage;

fn leads(operator: &Operator) -> bool {
    operator.get("/metrics").is_some_and(|(_, text)| text.contains("\nhashinsight_operator_leader 1\n"))
}

async fn leading(what: &str, operator: &Operator, limit: Duration) {
    eventually(what, limit, || async { if leads(operator) { Ok(()) } else { Err(operator.log()) } }).await;
}

pub async fn one_of_two_leads_and_the_other_takes_over(_: Arc<Stage>) {
    let stage = Stage::without_operator().await;
    let mut first = stage.start("first", &[]);
    leading("the first", &first, Duration::from_secs(10)).await;
    let mut second = stage.start("second", &[]);
    eventually("standing by", Duration::from_secs(10), || async {
        if second.log().contains("standing by") { Ok(()) } else { Err(second.log()) }
    })
    .await;
    assert!(!leads(&second), "{}\n{}", first.log(), second.log());
    stage.tenant("led", json!({}), "Provisioned").await;

    // Asked to stop, the leader hands over at once.
    first.signal(Signal::SIGTERM);
    assert_eq!(first.wait(Duration::from_secs(10)).unwrap().code(), Some(0));
    leading("handed over", &second, Duration::from_secs(10)).await;

    // Killed, its lease must run out first.
    let third = stage.start("third", &[]);
    second.signal(Signal::SIGKILL);
    second.wait(Duration::from_secs(5)).unwrap();
    leading("taken over", &third, Duration::from_secs(30)).await;
    stage.tenant("led-again", json!({}), "Provisioned").await;

    // A lease taken away ends the holder before it writes again.
    let mut third = third;
    let lease = "Lease/hashinsight-system/hashinsight-operator";
    stage.admin().merge(lease, json!({"spec": {"holderIdentity": "an-impostor"}})).await.unwrap();
    assert_eq!(third.wait(Duration::from_secs(20)).unwrap().code(), Some(3));
    assert!(third.log().contains("lease was lost"), "{}", third.log());
}
