//! Gateway API by Envoy Gateway: its kinds, its own chart with the image every
//! cluster has, and the class `envoy`.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::daemons::Installed;
use super::supervisor::{apply, run};
use crate::Error;

/// Image of Envoy Gateway.
const IMAGE: &str = "localcluster.internal/envoy-gateway:1";
const CLASS: &str = include_str!("../../manifests/gateway.yaml");

/// Installs everything; returns when Envoy Gateway is ready.
pub(super) fn install(installed: &Installed, folder: &Path) -> Result<(), Error> {
    for kinds in ["gateway-api", "chart/charts/crds/crds/generated"] {
        let kinds = installed.gateway.join(kinds);
        run(installed.kubectl(folder).args(["apply", "--server-side", "-f"]).arg(kinds))?;
    }
    let chart = folder.join("gateway-chart");
    run(Command::new("cp").arg("-r").arg(installed.gateway.join("chart")).arg(&chart))?;
    let template = chart.join("values.tmpl.yaml");
    let values = fs::read_to_string(&template).map_err(Error::file("read", &template))?;
    let values = values.replace("${GatewayImage}", IMAGE).replace("${GatewayImagePullPolicy}", "Never");
    let path = chart.join("values.yaml");
    fs::write(&path, values).map_err(Error::file("write", &path))?;
    run(installed
        .helm(folder)
        .args(["install", "envoy-gateway"])
        .arg(&chart)
        .args(["--namespace=envoy-gateway-system", "--create-namespace", "--set=crds.enabled=false"])
        .args(["--wait", "--timeout=90s"]))?;
    apply(installed, folder, CLASS)
}
