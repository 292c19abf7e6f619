//! A quota is tampered with and comes back.

use std::time::{Duration, Instant};

use localcluster::say;

use crate::{Stage, Trouble};

pub(crate) fn play(stage: &Stage) -> Result<(), Trouble> {
    let pods = ["get", "resourcequota", "hashinsight", "-n", "tenant-acme", "-o", "jsonpath={.spec.hard.pods}"];
    let before = stage.ask("kubectl", &pods)?;
    let patch = ["patch", "resourcequota", "hashinsight", "-n", "tenant-acme", "--type=merge", "-p"];
    stage.kubectl(&[patch.as_slice(), &["{\"spec\":{\"hard\":{\"pods\":\"999\"}}}"]].concat())?;
    let begun = Instant::now();
    let look = "kubectl -n hashinsight-system logs deployment/hashinsight-operator";
    stage.eventually("the quota did not come back", Duration::from_secs(30), look, || {
        match stage.ask("kubectl", &pods) {
            Ok(now) if now == before => Ok(()),
            Ok(now) => Err(format!("pods: {now}")),
            Err(trouble) => Err(trouble.to_string()),
        }
    })?;
    say(&format!("   pods: 999 → {before}, {} ms after the change was seen to be made\n", begun.elapsed().as_millis()));
    Ok(())
}
