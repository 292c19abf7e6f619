//! Both charts, installed or upgraded.

use serde_json::Value;

use crate::{Stage, Trouble};

pub(crate) fn play(stage: &Stage) -> Result<(), Trouble> {
    for (name, more) in [("hashinsight", ["--create-namespace"].as_slice()), ("hashinsight-defaults", &[])] {
        let (chart, values) = stage.chart(name);
        let chart = chart.display().to_string();
        let mut arguments = vec!["upgrade", "--install", name, &chart, "--namespace", "hashinsight-system"];
        arguments.extend(["--wait", "--timeout", "90s", "--output", "json"]);
        arguments.extend(more);
        arguments.extend(values.iter().map(String::as_str));
        let told = stage.helm(&arguments)?;
        let release: Value = serde_json::from_str(&told).unwrap_or_default();
        let status = release["info"]["status"].as_str().unwrap_or_default();
        if status != "deployed" {
            return Err(Trouble::Wrong(format!("release {name} is {status:?}; look: helm status {name}")));
        }
        localcluster::say(&format!("     {status}\n"));
    }
    stage.kubectl(&["get", "pods,tenantplans", "-n", "hashinsight-system"])?;
    Ok(())
}
