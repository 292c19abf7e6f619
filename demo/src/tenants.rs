//! The quickstart's three tenants, watched until Ready.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use localcluster::say;
use serde_json::Value;

use crate::{Stage, Trouble};

const WITHIN: Duration = Duration::from_secs(60);

pub(crate) fn play(stage: &Stage) -> Result<(), Trouble> {
    let mut board = Board::from_now();
    stage.kubectl(&["apply", "-f", "examples/quickstart/tenants.yaml"])?;
    stage.eventually("not every tenant was Ready", WITHIN, "kubectl describe tenants", || {
        let told = stage.ask("kubectl", &["get", "tenants", "acme", "borealis", "cumulus", "-o", "json"]);
        let list: Value =
            told.map_err(|e| e.to_string()).and_then(|t| serde_json::from_str(&t).map_err(|e| e.to_string()))?;
        if board.show(&list) { Ok(()) } else { Err(board.lines.join("\n")) }
    })?;
    stage.kubectl(&["get", "tenants"])?;
    let quota = "-o=custom-columns=QUOTA:.metadata.name,PODS:.spec.hard.pods,CPU:.spec.hard.requests\\.cpu";
    stage.kubectl(&["get", "resourcequotas", "-n", "tenant-acme", quota])?;
    stage.kubectl(&["get", "networkpolicies,rolebindings", "-n", "tenant-acme"])?;
    Ok(())
}

/// One line a tenant: rewritten on a terminal, else told when it changes.
struct Board {
    begun: Instant,
    ready_after: BTreeMap<String, Duration>,
    lines: Vec<String>,
}

impl Board {
    fn from_now() -> Self {
        Self { begun: Instant::now(), ready_after: BTreeMap::new(), lines: Vec::new() }
    }

    /// Shows where the tenants stand. Returns whether all are Ready.
    fn show(&mut self, list: &Value) -> bool {
        let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let lines: Vec<String> = items.iter().map(|tenant| self.line(tenant)).collect();
        if lines != self.lines {
            // A terminal's lines are written over, a log's are not.
            let (up, clear) = if std::io::stderr().is_terminal() { (self.lines.len(), "\x1b[2K") } else { (0, "") };
            if up > 0 {
                say(&format!("\x1b[{up}A"));
            }
            for line in &lines {
                say(&format!("{clear}     {line}\n"));
            }
            self.lines = lines;
        }
        !items.is_empty() && self.ready_after.len() == items.len()
    }

    fn line(&mut self, tenant: &Value) -> String {
        let name = tenant["metadata"]["name"].as_str().unwrap_or_default();
        let conditions = tenant["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
        let said = |key: &str| ready.and_then(|condition| condition[key].as_str()).unwrap_or_default();
        let current = tenant["status"]["observedGeneration"] == tenant["metadata"]["generation"];
        if said("status") == "True" && current {
            let after = *self.ready_after.entry(name.to_owned()).or_insert_with(|| self.begun.elapsed());
            return format!("✔ {name:<10} {} after {:.1} s", said("reason"), after.as_secs_f64());
        }
        let reason = if ready.is_some() { said("reason") } else { "not seen yet" };
        format!("… {name:<10} {reason} {}", said("message")).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tenant(status: &str, generation: i64) -> Value {
        json!({"items": [{
            "metadata": {"name": "acme", "generation": generation},
            "status": {"observedGeneration": 1, "conditions": [
                {"type": "Ready", "status": status, "reason": "Why", "message": "what to do"}]},
        }]})
    }

    #[test]
    fn ready_is_believed_only_for_what_was_asked() {
        let mut board = Board::from_now();
        assert!(!board.show(&json!({"items": []})), "nothing is not all");
        assert!(!board.show(&tenant("False", 1)));
        assert!(board.lines[0].contains("Why what to do"), "{:?}", board.lines);
        assert!(!board.show(&tenant("True", 2)), "the status is of an older spec");
        assert!(board.show(&tenant("True", 1)));
    }
}
