//! What is measured: a service with counters, and a Prometheus that scrapes it.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use localcluster::fetch_prometheus;

/// An address nobody listens on.
pub fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Counters of `count` kinds of requests, ten a second each, of which one in a
/// thousand fails.
pub fn serve(count: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let begun = Instant::now();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let tenths = begun.elapsed().as_millis() / 100;
            let mut body = "# TYPE requests_total counter\n".to_owned();
            for n in 0..count {
                let (good, bad) = (tenths + 1, tenths / 1000);
                let _ = writeln!(body, "requests_total{{n=\"{n}\",code=\"200\"}} {good}");
                let _ = writeln!(body, "requests_total{{n=\"{n}\",code=\"500\"}} {bad}");
            }
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close";
            let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    address
}

/// What a GET answers.
pub fn get(address: SocketAddr, path: &str) -> Option<String> {
    ask(address, "GET", path)
}

fn ask(address: SocketAddr, verb: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    write!(stream, "{verb} {path} HTTP/1.0\r\nHost: h\r\nContent-Length: 0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.to_owned())
}

/// A Prometheus with rules from a folder.
pub struct Prometheus {
    folder: tempfile::TempDir,
    address: SocketAddr,
    child: Child,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    pub fn start(service: SocketAddr) -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), free());
        std::fs::create_dir(folder.path().join("rules")).unwrap();
        let config = format!(
            "global: {{scrape_interval: 5s, evaluation_interval: 15s}}\nrule_files: [rules/*.yaml]\n\
             scrape_configs: [{{job_name: core, static_configs: [{{targets: ['{service}']}}]}}]\n"
        );
        std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let child = Command::new(fetch_prometheus().unwrap().server)
            .arg(format!("--config.file={}", path("prometheus.yml")))
            .arg(format!("--storage.tsdb.path={}", path("data")))
            .arg(format!("--web.listen-address={address}"))
            .args(["--web.enable-lifecycle", "--log.level=error"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { folder, address, child }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn load(&self, rules: &[String]) {
        for (n, text) in rules.iter().enumerate() {
            std::fs::write(self.folder.path().join(format!("rules/{n}.yaml")), text).unwrap();
        }
        assert!(ask(self.address, "POST", "/-/reload").is_some(), "Prometheus refuses the rules");
    }

    /// How long the sums of a day take: for all at once, and for one after the
    /// other.
    pub fn both_ways(&self, count: usize) -> [Duration; 2] {
        let by = "slo_namespace,%20slo,%20indicator,%20count";
        let query = |selector: &str| {
            format!(
                "/api/v1/query?query=max%20by%20({by})%20(sum_over_time(hashinsight_slo:counted{selector}%5B1d%5D))"
            )
        };
        let begun = Instant::now();
        assert!(get(self.address, &query("")).is_some());
        let one = begun.elapsed();
        let begun = Instant::now();
        for n in 0..count {
            assert!(get(self.address, &query(&format!("%7Bslo=%22o{n:04}%22%7D"))).is_some());
        }
        [one, begun.elapsed()]
    }
}
