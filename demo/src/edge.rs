//! The way to a service from outside the cluster.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use localcluster::say;
use serde_json::Value;

use crate::{Stage, Trouble};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A port of this machine that leads to a service.
pub(crate) struct Edge {
    address: SocketAddr,
    agent: ureq::Agent,
}

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl Edge {
    /// To the service that Envoy Gateway made for the gateway `edge`.
    pub(crate) fn to(stage: &Stage) -> Result<Self, Trouble> {
        let owner = "gateway.envoyproxy.io/owning-gateway-name=edge";
        let find = ["get", "services", "-n", "envoy-gateway-system", "-l", owner, "-o", "name"];
        let service = stage.eventually("the gateway has no address", PATIENCE, "kubectl get gateways -A", || {
            let told = stage.ask("kubectl", &find).map_err(|trouble| trouble.to_string())?;
            told.lines().next().map(str::to_owned).ok_or_else(|| "no service of it yet".to_owned())
        })?;
        Self::to_service(stage, "envoy-gateway-system", &service, 80)
    }

    /// To a service of the demo's own cluster, without kubectl between: a
    /// forwarder that breaks under load would look like a service that does.
    pub(crate) fn to_service(stage: &Stage, namespace: &str, service: &str, port: u16) -> Result<Self, Trouble> {
        let told = stage.ask("kubectl", &["get", "-n", namespace, service, "-o", "jsonpath={.spec.clusterIP}"])?;
        let inside: IpAddr = told.parse().map_err(|_| Trouble::Wrong(format!("{service} has no address: {told:?}")))?;
        let address = stage.forward(SocketAddr::new(inside, port))?;
        say(&format!("   http://{address} leads to {service}\n"));
        let agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).build();
        Ok(Self { address, agent: agent.into() })
    }

    /// Where it begins: an address of this machine.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn get(&self, path: &str, token: Option<&str>) -> Result<Answer, Trouble> {
        let mut request = self.agent.get(format!("http://{}{path}", self.address));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        answered(path, request.call())
    }

    pub(crate) fn post(&self, path: &str, token: &str, kind: [&str; 2], body: &str) -> Result<Answer, Trouble> {
        let request = self.agent.post(format!("http://{}{path}", self.address));
        let request = request.header("authorization", format!("Bearer {token}"));
        answered(path, request.header("content-type", kind[0]).header("accept", kind[1]).send(body))
    }
}

fn answered(path: &str, response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Answer, Trouble> {
    let failed = |error: ureq::Error| Trouble::Wrong(format!("{path} through the edge: {error}"));
    let mut response = response.map_err(failed)?;
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(64 * 1024 * 1024).read_to_string().map_err(failed)?;
    Ok(Answer { status, text })
}
