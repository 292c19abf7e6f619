//! The way to a service from outside the cluster.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::{Stage, Trouble};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A port of this machine that leads to a service, until dropped.
pub(crate) struct Edge {
    forward: Child,
    // Held open: kubectl ends when nobody reads what it says.
    _told: BufReader<ChildStdout>,
    address: String,
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
        Self::to_service(stage, "envoy-gateway-system", &service, ":80")
    }

    /// To a service of the cluster.
    pub(crate) fn to_service(stage: &Stage, namespace: &str, service: &str, port: &str) -> Result<Self, Trouble> {
        let arguments = ["port-forward", "-n", namespace, service, port];
        crate::stage::show("kubectl", &arguments);
        stage.eventually("nothing listens behind the service", PATIENCE, "kubectl get pods -A", || {
            Self::forwarded(stage, &arguments)
        })
    }

    /// Where it begins: an address of this machine.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn forwarded(stage: &Stage, arguments: &[&str]) -> Result<Self, String> {
        let mut command = stage.command("kubectl").map_err(|trouble| trouble.to_string())?;
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut forward = command.spawn().map_err(|error| error.to_string())?;
        let mut told = BufReader::new(forward.stdout.take().ok_or("kubectl says nothing")?);
        let mut line = String::new();
        let read = told.read_line(&mut line);
        // `Forwarding from 127.0.0.1:40123 -> 10080`
        let address = line.split_whitespace().find(|word| word.starts_with("127.0.0.1:")).map(str::to_owned);
        let Some(address) = address.filter(|_| read.is_ok()) else {
            let mut why = String::new();
            drop(forward.stderr.take().map(|mut stderr| stderr.read_to_string(&mut why)));
            drop(forward.wait());
            return Err(format!("{line}{why}"));
        };
        let agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).build();
        Ok(Self { forward, _told: told, address, agent: agent.into() })
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

impl Drop for Edge {
    fn drop(&mut self) {
        let pid = i32::try_from(self.forward.id()).unwrap_or(0);
        if pid > 0 {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        drop(self.forward.wait());
    }
}
