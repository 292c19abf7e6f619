//! Who may see what, asked of the API server.

use crate::{Stage, Trouble};

/// Somebody of acme's, from the quickstart.
const ADA: &str = "ada@acme.example";

pub(crate) fn play(stage: &Stage) -> Result<(), Trouble> {
    stage.kubectl(&["get", "tenantsummary", "-n", "tenant-acme", "--as", ADA])?;
    for (namespace, resource, expected) in [
        ("tenant-acme", "tenantsummaries", true),
        ("tenant-borealis", "tenantsummaries", false),
        ("tenant-acme", "secrets", false),
    ] {
        let arguments = ["auth", "can-i", "list", resource, "-n", namespace, "--as", ADA];
        // It exits 1 for no.
        let allowed = stage.ask("kubectl", &arguments).is_ok();
        localcluster::say(&format!(
            "   $ kubectl {}\n     {}\n",
            arguments.join(" "),
            if allowed { "yes" } else { "no" }
        ));
        if allowed != expected {
            return Err(Trouble::Wrong(format!(
                "{ADA} can list {resource} in {namespace}: {allowed}, expected {expected}"
            )));
        }
    }
    Ok(())
}
