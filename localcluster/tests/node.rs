//! Clusters with a node: they come up, run pods, stand side by side, and leave
//! nothing, whichever part is killed. They need root, and are counted as
//! skipped without it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests read files and clocks")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use localcluster::node::{Node, State};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const BINARY: &str = env!("CARGO_BIN_EXE_localcluster");

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    let root = nix::unistd::geteuid().is_root();
    let tests: [(&str, fn()); 6] = [
        ("a_node_runs_pods_and_shows_their_logs", a_node_runs_pods_and_shows_their_logs),
        ("a_gateway_leads_to_a_service", a_gateway_leads_to_a_service),
        ("network_policies_are_enforced", network_policies_are_enforced),
        ("clusters_stand_side_by_side_and_up_twice_is_harmless", side_by_side),
        ("whichever_part_is_killed_nothing_is_left", whichever_part_is_killed_nothing_is_left),
        ("what_stands_in_the_way_is_one_clear_sentence", what_stands_in_the_way),
    ];
    let trials = tests.map(|(name, body)| {
        let run = move || {
            body();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(!root)
    });
    localcluster::fetch_node().unwrap();
    let conclusion = libtest_mimic::run(&arguments, trials.into());
    if conclusion.has_failed() { ExitCode::from(101) } else { ExitCode::SUCCESS }
}

fn localcluster(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().unwrap()
}

/// A name of this run's own: another may test beside it.
fn own(name: &str) -> String {
    format!("{name}{}", std::process::id())
}

/// A cluster that is taken down with the test, also when it fails.
struct Up(Node);

impl Up {
    fn named(name: &str) -> Self {
        let up = Self(Node::named(&own(name)).unwrap());
        let output = localcluster(&["up", "--name", up.0.name()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(up.0.state(), State::Ready);
        up
    }

    fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.0.kubectl().unwrap().args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn pid(&self, file: &str) -> Pid {
        let text = fs::read_to_string(self.0.folder().join(file)).unwrap();
        Pid::from_raw(text.trim().parse().unwrap())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.0.down().unwrap();
    }
}

fn eventually<T>(what: &str, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match probe() {
            Ok(value) => return value,
            Err(complaint) if begun.elapsed() > Duration::from_secs(40) => panic!("{what}: {complaint}"),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// Processes that name or work in `folder`.
fn processes_of(folder: &Path) -> Vec<PathBuf> {
    let of = |process: &Path| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let named = String::from_utf8_lossy(&line).contains(folder.to_str().unwrap());
        named || fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
    };
    fs::read_dir("/proc").unwrap().flatten().map(|e| e.path()).filter(|process| of(process)).collect()
}

fn cgroups_of(name: &str) -> Vec<PathBuf> {
    let hierarchies = fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|e| e.path());
    hierarchies.map(|h| h.join(format!("localcluster-{name}"))).filter(|own| own.exists()).collect()
}

fn nothing_is_left(node: &Node) {
    assert_eq!(node.state(), State::Absent);
    assert!(!node.folder().exists());
    assert_eq!(cgroups_of(node.name()), Vec::<PathBuf>::new());
    assert_eq!(processes_of(node.folder()), Vec::<PathBuf>::new());
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains(node.folder().to_str().unwrap()), "{mounts}");
}

fn a_node_runs_pods_and_shows_their_logs() {
    let up = Up::named("pods");
    let nodes = up.kubectl(&["get", "nodes", "--no-headers"]).unwrap();
    assert!(nodes.starts_with("node ") && nodes.contains(" Ready ") && nodes.contains("v1.37.2"), "{nodes}");
    up.kubectl(&["create", "deployment", "rest", "--image=localcluster.internal/pause:1", "--replicas=3"]).unwrap();
    up.kubectl(&["rollout", "status", "deployment/rest", "--timeout=60s"]).unwrap();
    // Through the API server to the kubelet, and to a pod's own address.
    let log = eventually("a log", || up.kubectl(&["-n", "kube-system", "logs", "deployment/coredns"]));
    assert!(log.contains("CoreDNS-1.15.0"), "{log}");
    let pod = up.kubectl(&["-n", "kube-system", "get", "pods", "-l", "k8s-app=kube-dns", "-o", "name"]).unwrap();
    let pod = pod.trim().trim_start_matches("pod/");
    let ready = format!("/api/v1/namespaces/kube-system/pods/{pod}:8181/proxy/ready");
    assert_eq!(up.kubectl(&["get", "--raw", &ready]).unwrap(), "OK");
    // A service's address leads to its pods: kube-proxy and pod network.
    let services = "/api/v1/namespaces/kube-system/services/kube-dns:dns-tcp/proxy/";
    let told = up.kubectl(&["get", "--raw", services]).unwrap_err();
    assert!(!told.contains("connection refused") && !told.contains("no endpoints"), "{told}");
    // Images need no registry: an archive is loaded, and a pod may ask for it by
    // digest.
    let parts = fs::read_to_string(up.0.folder().join("parts")).unwrap();
    let archive = PathBuf::from(parts.lines().last().unwrap()).join("pause.tar");
    let loaded = localcluster(&["images", "--name", &own("pods"), archive.to_str().unwrap()]);
    let listed = String::from_utf8(loaded.stdout).unwrap();
    let by_digest = listed.lines().find(|line| line.starts_with("localcluster.internal/pause@sha256:")).unwrap();
    up.kubectl(&["run", "by-digest", "--image", by_digest, "--image-pull-policy=Never"]).unwrap();
    up.kubectl(&["wait", "--for=condition=Ready", "pod/by-digest", "--timeout=60s"]).unwrap();
    // Prometheus scrapes what asks for it.
    let query = "/api/v1/namespaces/monitoring/services/prometheus:http/proxy/api/v1/query?query=coredns_build_info";
    eventually("a series", || {
        let told = up.kubectl(&["get", "--raw", query])?;
        if told.contains("\"namespace\":\"kube-system\"") { Ok(()) } else { Err(told) }
    });
    let kubelet = localcluster(&["logs", "--name", &own("pods"), "kubelet"]);
    assert!(String::from_utf8(kubelet.stdout).unwrap().contains("Started kubelet"));
}

fn a_gateway_leads_to_a_service() {
    let up = Up::named("gateway");
    let file = up.0.folder().join("web.yaml");
    fs::write(
        &file,
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: web, namespace: monitoring}\n\
         spec: {gatewayClassName: envoy, listeners: [{name: http, protocol: HTTP, port: 80}]}\n---\n\
         apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: web, namespace: monitoring}\n\
         spec: {parentRefs: [{name: web}], rules: [{backendRefs: [{name: prometheus, port: 9090}]}]}\n",
    )
    .unwrap();
    up.kubectl(&["apply", "-f", file.to_str().unwrap()]).unwrap();
    up.kubectl(&["-n", "monitoring", "wait", "--for=condition=Programmed", "gateway/web", "--timeout=60s"]).unwrap();
    let of_ours = "gateway.envoyproxy.io/owning-gateway-name=web";
    let service = up.kubectl(&["-n", "envoy-gateway-system", "get", "services", "-l", of_ours, "-o", "name"]).unwrap();
    let service = service.trim().trim_start_matches("service/");
    let through = format!("/api/v1/namespaces/envoy-gateway-system/services/{service}:80/proxy/-/ready");
    eventually("an answer through Envoy", || {
        let told = up.kubectl(&["get", "--raw", &through])?;
        if told.contains("Prometheus Server is Ready") { Ok(()) } else { Err(told) }
    });
}

fn network_policies_are_enforced() {
    let up = Up::named("policies");
    let reach = |from: &str, to: &str| up.kubectl(&["-n", from, "exec", "client", "--", "reach", to]);
    for namespace in ["one", "two"] {
        up.kubectl(&["create", "namespace", namespace]).unwrap();
        let run = ["-n", namespace, "run", "--image=localcluster.internal/reach:1", "--image-pull-policy=Never"];
        up.kubectl(&[&run[..], &["server", "--expose", "--port=7000", "--", "serve", "7000"]].concat()).unwrap();
        up.kubectl(&[&run[..], &["client", "--", "serve", "7001"]].concat()).unwrap();
        up.kubectl(&["-n", namespace, "wait", "--for=condition=Ready", "pods", "--all", "--timeout=60s"]).unwrap();
    }
    // By the service's name: DNS and kube-proxy are in the way, too.
    let server = "server.one.svc.cluster.local:7000";
    eventually("no policy, no refusal", || reach("two", server));
    let policy = |rules: &str| {
        let file = up.0.folder().join("policy.yaml");
        let head = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: one}\n";
        fs::write(&file, format!("{head}spec: {{podSelector: {{}}, policyTypes: [Ingress], ingress: [{rules}]}}\n"))
            .unwrap();
        up.kubectl(&["apply", "-f", file.to_str().unwrap()]).unwrap();
    };
    let refused = |from: &str| {
        eventually("a refusal", || match reach(from, server) {
            Err(told) if told.contains("connection refused") => Ok(()),
            other => Err(format!("{other:?}")),
        });
    };
    policy("");
    refused("two");
    refused("one");
    policy("{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: two}}}]}");
    eventually("who is let in is in", || reach("two", server));
    refused("one");
    // A pod that comes later is refused as well.
    let late = ["-n", "one", "run", "late", "--image=localcluster.internal/reach:1", "--image-pull-policy=Never"];
    up.kubectl(&[&late[..], &["--", "serve", "7000"]].concat()).unwrap();
    up.kubectl(&["-n", "one", "wait", "--for=condition=Ready", "pod/late", "--timeout=60s"]).unwrap();
    let address = up.kubectl(&["-n", "one", "get", "pod", "late", "-o", "jsonpath={.status.podIP}"]).unwrap();
    eventually("the late one refuses", || match reach("one", &format!("{address}:7000")) {
        Err(told) if told.contains("connection refused") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    up.kubectl(&["-n", "one", "delete", "networkpolicy", "p"]).unwrap();
    eventually("open again", || reach("one", server));
}

fn side_by_side() {
    // Two at once bring up one cluster between them.
    let (one, two) = std::thread::scope(|threads| {
        let again = threads.spawn(|| localcluster(&["up", "--name", &own("one")]));
        let (one, two) = (Up::named("one"), Up::named("two"));
        assert!(again.join().unwrap().status.success());
        (one, two)
    });
    one.kubectl(&["create", "namespace", "only-here"]).unwrap();
    assert!(two.kubectl(&["get", "namespace", "only-here"]).unwrap_err().contains("not found"));
    let address = ["get", "node", "node", "-o", "jsonpath={.status.addresses[0].address}"];
    assert_eq!(one.kubectl(&address), two.kubectl(&address), "the same inside, and no clash");
    let keeper = one.pid("keeper.pid");
    assert!(localcluster(&["up", "--name", &own("one")]).status.success());
    assert_eq!(one.pid("keeper.pid"), keeper, "up twice is harmless");
    assert_eq!(String::from_utf8(localcluster(&["status", "--name", &own("one")]).stdout).unwrap(), "ready\n");
    let node = Node::named(&own("two")).unwrap();
    drop(two);
    nothing_is_left(&node);
    assert!(one.kubectl(&["get", "namespace", "only-here"]).is_ok(), "the other stands");
    let context = one.kubectl(&["config", "current-context"]).unwrap();
    assert_eq!(context.trim(), format!("localcluster-{}", own("one")), "contexts can be told apart");
}

fn whichever_part_is_killed_nothing_is_left() {
    for part in ["keeper", "supervisor", "kubelet"] {
        let up = Up::named("killed");
        let pid = match part {
            "kubelet" => {
                let of = |process: &PathBuf| {
                    let line =
                        String::from_utf8_lossy(&fs::read(process.join("cmdline")).unwrap_or_default()).into_owned();
                    line.contains("/bin/kubelet") && line.contains(up.0.folder().to_str().unwrap())
                };
                let process = processes_of(up.0.folder()).into_iter().find(of).unwrap();
                Pid::from_raw(process.file_name().unwrap().to_str().unwrap().parse().unwrap())
            }
            part => up.pid(&format!("{part}.pid")),
        };
        kill(pid, Signal::SIGKILL).unwrap();
        eventually(part, || match processes_of(up.0.folder()) {
            left if left.is_empty() => Ok(()),
            left => Err(format!("{left:?}")),
        });
        assert_eq!(up.0.state(), State::Abandoned, "{part}");
        assert_eq!(localcluster(&["status", "--name", &own("killed")]).status.code(), Some(1));
        if part == "supervisor" {
            let output = localcluster(&["up", "--name", &own("killed")]);
            assert!(
                output.status.success(),
                "half a cluster is made whole: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            assert_eq!(up.0.state(), State::Ready);
        }
        let node = Node::named(&own("killed")).unwrap();
        drop(up);
        nothing_is_left(&node);
    }
}

fn what_stands_in_the_way() {
    let told = |output: Output| {
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    };
    let text = told(localcluster(&["up", "--name", "Not_A_Name"]));
    assert!(text.contains("cannot name a cluster; use one to twenty"), "{text}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let text = told(localcluster(&["up", "--name", &own("taken"), "--port", &port]));
    assert!(text.contains(&port) && text.contains("choose another with --port"), "{text}");
    nothing_is_left(&Node::named(&own("taken")).unwrap());
    let mut nobody = Command::new("setpriv");
    nobody.args(["--reuid=65534", "--clear-groups", BINARY, "up", "--name", "nobody"]).env("HOME", "/nonexistent");
    let text = told(nobody.output().unwrap());
    assert!(text.contains("needs root") && text.contains("sudo"), "{text}");
    let without = |capability: &str| {
        let mut without = Command::new("setpriv");
        let bounded = [format!("--bounding-set=-{capability}"), format!("--inh-caps=-{capability}")];
        told(without.args(bounded).args([BINARY, "up", "--name", &own("bare")]).output().unwrap())
    };
    assert!(without("sys_admin").contains("needs CAP_SYS_ADMIN, for namespaces"));
    assert!(without("net_admin").contains("needs CAP_NET_ADMIN, for its own network"));
    nothing_is_left(&Node::named(&own("bare")).unwrap());
    let disk = tempfile::tempdir().unwrap();
    let mut full = Command::new("unshare");
    let script = "mount -t tmpfs -o size=1m tmpfs \"$2\"; XDG_STATE_HOME=\"$2\" \"$0\" up --name \"$1\"; code=$?; find \"$2\" -type f; exit $code";
    full.args(["--mount", "sh", "-c", script, BINARY, &own("full")]).arg(disk.path());
    let output = full.output().unwrap();
    assert!(output.stdout.is_empty(), "no file is left: {}", String::from_utf8_lossy(&output.stdout));
    let text = told(output);
    assert!(text.contains("GiB of free space") && text.contains("XDG_STATE_HOME"), "{text}");
    // A cluster that dies on its way up is told with its last words and removed.
    let broken = Node::named(&own("broken")).unwrap();
    let (name, folder) = (own("broken"), broken.folder().to_owned());
    let killer = std::thread::spawn(move || {
        let pid =
            eventually("a supervisor", || fs::read_to_string(folder.join("supervisor.pid")).map_err(|e| e.to_string()));
        eventually("begun", || fs::read_to_string(folder.join("phase")).map_err(|e| e.to_string()));
        kill(Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
    });
    let text = told(localcluster(&["up", "--name", &name]));
    killer.join().unwrap();
    assert!(text.contains("the cluster ended early; its last lines:"), "{text}");
    nothing_is_left(&broken);
    let text = told(localcluster(&["images", "--name", &own("absent")]));
    assert!(text.contains(&format!("localcluster up --name {}", own("absent"))), "{text}");
    let text = told(localcluster(&["logs", "--name", &own("absent"), "kubelet"]));
    assert!(text.contains("cannot read"), "{text}");
    assert!(localcluster(&["down", "--name", &own("absent")]).status.success(), "nothing to end is no error");
}
