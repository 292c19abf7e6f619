//! A side: a service as a process of its own, with a token it accepts.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use test_issuer::{AUDIENCE, Issuer, NAME};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with what both sides are given.
pub struct Place {
    folder: PathBuf,
    issuer: Issuer,
}

/// A running service.
pub struct Side {
    pub name: &'static str,
    pub address: SocketAddr,
    pub token: String,
    /// From the start of the process to ready.
    pub took: Duration,
    process: Child,
    agent: ureq::Agent,
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Place {
    pub fn new(folder: &Path) -> Self {
        let issuer = Issuer::new(NAME, "bench").unwrap();
        std::fs::write(folder.join("jwks.json"), issuer.keys().to_string()).unwrap();
        std::fs::write(folder.join("peer.py"), include_str!("peer.py")).unwrap();
        Self { folder: folder.to_owned(), issuer }
    }

    /// Ours; requests state their market, so no provider is asked.
    pub fn core(&self, program: &Path) -> Side {
        let (api, probes) = (free(), free());
        let settings = json!({
            "listen": api, "probes": probes,
            "auth": {"issuers": [{"issuer": NAME, "audience": AUDIENCE, "jwksFile": self.folder.join("jwks.json")}]},
            "limits": {"default": {"requestsPerMinute": 100_000_000, "miners": 100_000, "concurrent": 64}},
            "records": {"directory": self.folder.join("records")},
            "drain": {"delaySeconds": 0, "seconds": 5},
        });
        let file = self.folder.join("core.yaml");
        std::fs::write(&file, settings.to_string()).unwrap();
        let mut command = Command::new(program);
        command.arg("--config").arg(file);
        // Its log of requests is written, to a file, as in production.
        command.stderr(std::fs::File::create(self.folder.join("core.log")).unwrap());
        self.start("hashinsight", command, api, format!("http://{probes}/readyz"))
    }

    /// The peer, with a worker for each processor.
    pub fn peer(&self, python: &Path) -> Side {
        let address = free();
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut command = Command::new(python);
        command.args(["-m", "uvicorn", "peer:app", "--host", "127.0.0.1", "--no-access-log", "--log-level", "warning"]);
        command.args(["--port", &address.port().to_string(), "--workers", &workers.to_string()]);
        command.current_dir(&self.folder).env("JWKS", self.folder.join("jwks.json"));
        self.start("FastAPI, NumPy", command, address, format!("http://{address}/readyz"))
    }

    fn start(&self, name: &'static str, mut command: Command, address: SocketAddr, ready: String) -> Side {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
        let begun = Instant::now();
        let mut process = command.stdin(Stdio::null()).spawn().unwrap();
        while agent.get(&ready).call().is_err() {
            assert!(begun.elapsed() < PATIENCE, "{name} is not ready");
            assert!(process.try_wait().unwrap().is_none(), "{name} ended at its start");
            std::thread::sleep(Duration::from_millis(1));
        }
        let took = begun.elapsed();
        Side { name, address, token: self.issuer.token(&json!({})), took, process, agent }
    }
}

impl Side {
    /// Sends JSON, reads all of the answer.
    pub fn post(&self, path: &str, body: &str) -> (Duration, String) {
        let begun = Instant::now();
        let request =
            self.agent.post(format!("http://{}{path}", self.address)).header("content-type", "application/json");
        let mut response = request.header("authorization", format!("Bearer {}", self.token)).send(body).unwrap();
        let text = response.body_mut().with_config().limit(1 << 30).read_to_string().unwrap();
        (begun.elapsed(), text)
    }

    /// A line of the kernel's, in KiB, of the process and its children.
    pub fn memory(&self, line: &str) -> u64 {
        let of = |pid: u32| {
            let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let value = text.lines().find_map(|found| found.strip_prefix(line));
            value.and_then(|value| value.split_whitespace().nth(1)).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0)
        };
        let pid = self.process.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        of(pid) + children.split_whitespace().filter_map(|child| child.parse().ok()).map(of).sum::<u64>()
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let pid = i32::try_from(self.process.id()).unwrap();
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        self.process.wait().unwrap();
    }
}
