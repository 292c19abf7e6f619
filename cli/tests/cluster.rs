//! The program as people run it, beside real API servers and none.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests read files and clocks")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use serde_json::{Value, json};
use testkit::{Body, Ground};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hashinsight");
const PLUGIN: &str = env!("CARGO_BIN_EXE_kubectl-hashinsight");

/// A server with our kinds, and on it one object of every recorded phase.
struct Stage {
    ground: Ground,
    /// Kept for its folder.
    empty: tempfile::TempDir,
}

impl Stage {
    async fn new() -> Self {
        let ground = Ground::with_kinds().await;
        let recorded: BTreeMap<String, Value> =
            serde_saphyr::from_str(include_str!("../../operator/tests/health.yaml")).unwrap();
        for name in ["tenant-planmissing", "tenant-provisioned", "tenant-suspending", "tenantplan-accepted"] {
            let mut object = recorded[name]["object"].clone();
            let path = format!("{}/{name}", object["kind"].as_str().unwrap());
            object["metadata"] = json!({"name": name});
            let mut status = object.as_object_mut().unwrap().remove("status").unwrap();
            ground.admin.apply(object).await.unwrap();
            status["observedGeneration"] = json!(1);
            ground.admin.merge_status(&path, json!({"status": status})).await.unwrap();
        }
        Self { ground, empty: tempfile::tempdir().unwrap() }
    }

    fn hashinsight(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = plain(self.empty.path());
        command.env("KUBECONFIG", self.ground.cluster.admin_kubeconfig()).args(arguments);
        command
    }
}

/// The program with nothing of the caller's around it.
fn plain(home: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().env("HOME", home).env("NO_PROXY", "127.0.0.1").stdin(Stdio::null());
    // A coverage run says by this where its counts go.
    command.envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)));
    command
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(mut command: Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    Ran {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

impl Ran {
    /// Ended with `code`, and said these things on standard error.
    #[track_caller]
    fn troubled(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(self.out.is_empty(), "{}", self.out);
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in: {}", self.err);
        }
    }

    #[track_caller]
    fn well(&self) -> &str {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        assert!(self.err.is_empty(), "{}", self.err);
        &self.out
    }
}

async fn one_screen_shows_the_worst_first(stage: Arc<Stage>) {
    let out = stage.hashinsight(&["status"]).well().to_owned();
    let place = |words: &str| out.find(words).unwrap_or_else(|| panic!("{words} is not in: {out}"));
    assert!(place("PlanMissing") < place("Suspending"), "{out}");
    assert!(!out.contains("Provisioned"), "what is well is not shown: {out}");
    assert!(out.contains("kubectl get tenantplans"), "the next step: {out}");
    assert!(out.contains("Not shown: 2 well, 0 not. All: hashinsight status --all"), "{out}");
    let all = stage.hashinsight(&["status", "--all"]).well().to_owned();
    assert!(all.contains("✓") && all.contains("Provisioned"), "{all}");
    assert!(all.lines().all(|line| line == line.trim_end()), "{all}");
    let chinese = stage.hashinsight(&["status", "--language", "zh"]).well().to_owned();
    assert!(chinese.contains("对象") && chinese.contains("应用该套餐"), "{chinese}");
    let wide = stage.hashinsight(&["status", "-o", "wide"]).well().to_owned();
    assert!(wide.contains("TenantPlan standard does not exist"), "{wide}");
    let inside = stage.hashinsight(&["status", "-n", "default"]).well().to_owned();
    assert!(inside.contains("Nothing there yet") && !inside.contains("PlanMissing"), "{inside}");
}

async fn every_format_holds_the_same(stage: Arc<Stage>) {
    for arguments in [&["status"][..], &["explain", "--all"], &["version"], &["version", "--client"]] {
        let formatted = |format: &str| stage.hashinsight(&[arguments, &["-o", format]].concat()).well().to_owned();
        let json: Value = serde_json::from_str(&formatted("json")).unwrap();
        let yaml: Value = serde_saphyr::from_str(&formatted("yaml")).unwrap();
        assert_eq!(json, yaml, "{arguments:?}");
        assert_eq!(json["schemaVersion"], 1, "{arguments:?}");
        assert!(!formatted("name").is_empty(), "{arguments:?}");
        if let Some(items) = json["items"].as_array() {
            assert_eq!(formatted("name").lines().count(), items.len(), "{arguments:?}");
        }
    }
    let json: Value = serde_json::from_str(&stage.hashinsight(&["status", "-o", "json"]).out).unwrap();
    assert_eq!(json["items"][0]["health"], "Stalled");
    assert_eq!(json["items"][0]["reason"], "PlanMissing");
    assert_eq!(json["kinds"][0], json!({"kind": "Tenant", "stalled": 1, "working": 1, "ready": 1}));
    let versions: Value = serde_json::from_str(&stage.hashinsight(&["version", "-o", "json"]).out).unwrap();
    assert_eq!(versions["versions"]["kubernetes"], "1.37");
    assert_eq!(versions["versions"]["kinds"], format!("v{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(versions["versions"]["operator"], Value::Null);
}

async fn reasons_are_explained_in_both_languages(stage: Arc<Stage>) {
    let out = stage.hashinsight(&["explain", "namespacetaken"]).well().to_owned();
    assert!(out.contains("NamespaceTaken\n") && out.contains("Next: Choose another tenant name"), "{out}");
    let out = stage.hashinsight(&["explain", "NamespaceTaken", "--language=zh"]).well().to_owned();
    assert!(out.contains("下一步: 请更换租户名称"), "{out}");
    let mut by_locale = stage.command(&["explain", "NamespaceTaken"]);
    by_locale.env("LANG", "zh_CN.UTF-8");
    assert!(run(by_locale).well().contains("下一步"));
    let typo = stage.hashinsight(&["explain", "NamespaceTakn"]);
    typo.troubled(2, &["no such reason", "did you mean NamespaceTaken?", "next: hashinsight explain --all"]);
    let help = stage.hashinsight(&["status", "--help", "--language", "zh"]).well().to_owned();
    assert!(help.contains("一屏概览") && help.contains("用法") && help.contains("同时列出一切正常的对象"), "{help}");
    let help = stage.hashinsight(&["--help"]).well().to_owned();
    assert!(help.contains("Exit codes:") && help.contains("doctor"), "{help}");
}

async fn doctor_says_what_is_wrong_and_its_fix(_: Arc<Stage>) {
    let ground = Ground::bare().await;
    let home = tempfile::tempdir().unwrap();
    let doctor = |kubeconfig: &Path, more: &[&str]| {
        let mut command = plain(home.path());
        command.env("KUBECONFIG", kubeconfig).arg("doctor").args(more);
        run(command)
    };
    let admin = ground.cluster.admin_kubeconfig();
    let empty = doctor(admin, &[]);
    assert_eq!(empty.code, 1, "{}{}", empty.out, empty.err);
    for words in [
        "missing: tenants.hashinsight.net",
        "helm install",
        "not in force: hashinsight-tenant-namespaces",
        "the operator may not",
    ] {
        assert!(empty.out.contains(words), "{words:?} is not in: {}", empty.out);
    }
    // A status without kinds is an error with the same advice.
    let mut status = plain(home.path());
    status.env("KUBECONFIG", admin).arg("status");
    run(status).troubled(2, &["HashInsight is not installed", "does not serve", "helm install"]);

    ground.install_kinds().await;
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../operator");
    for file in ["rbac.yaml", "admission.yaml"] {
        ground.kubectl(&["apply", "-f", shipped.join(file).to_str().unwrap()]);
    }
    let metadata = |name: &str| {
        json!({"name": name, "namespace": "hashinsight-system", "labels": {
            "app.kubernetes.io/name": "hashinsight-operator", "app.kubernetes.io/version": env!("CARGO_PKG_VERSION"),
        }})
    };
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    ground
        .admin
        .apply(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("hashinsight-operator"),
            "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template},
        }))
        .await
        .unwrap();
    // No node here: its pods never become ready, which is not decided yet.
    testkit::eventually("rights", Duration::from_secs(10), || async {
        let ran = doctor(admin, &[]);
        if ran.code == 3 { Ok(()) } else { Err(format!("{}: {}{}", ran.code, ran.out, ran.err)) }
    })
    .await;
    let ran = doctor(admin, &["-o", "name"]);
    assert_eq!(
        ran.out,
        "cluster/passed\nKubernetes/passed\nkinds/passed\nadmission/passed\noperator/open\npermissions/passed\n"
    );

    ground.kubectl(&["delete", "validatingadmissionpolicybinding", "hashinsight-kinds"]);
    ground.kubectl(&["delete", "clusterrolebinding", "hashinsight-operator"]);
    testkit::eventually("rights withdrawn", Duration::from_secs(10), || async {
        let ran = doctor(admin, &["-o", "json"]);
        let told: Value = serde_json::from_str(&ran.out).unwrap();
        let lost = told["checks"][5]["found"].as_str().unwrap().contains("patch tenants/status");
        assert_eq!(told["checks"][3]["found"], "not in force: hashinsight-kinds");
        if ran.code == 1 && lost { Ok(()) } else { Err(ran.out) }
    })
    .await;
    // Who may see little learns that, and is not told that all is well.
    let weak = ground.cluster.kubeconfig_for("weak", &[]).unwrap();
    let ran = doctor(&weak, &[]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("forbidden"), "{}", ran.out);
}

async fn no_cluster_no_context_no_rights_each_say_why(stage: Arc<Stage>) {
    let home = tempfile::tempdir().unwrap();
    let with = |kubeconfig: &Path, arguments: &[&str]| {
        let mut command = plain(home.path());
        command.arg("--kubeconfig").arg(kubeconfig).args(arguments);
        run(command)
    };
    let mut none = plain(home.path());
    none.arg("status");
    run(none).troubled(4, &["error: no cluster is configured", "why:", "next: kubectl config get-contexts"]);
    let mut none = plain(home.path());
    none.args(["status", "--language", "zh"]);
    run(none).troubled(4, &["错误: 未配置集群", "原因:", "下一步:"]);
    with(Path::new("/nowhere/config"), &["status"]).troubled(2, &["the kubeconfig cannot be read", "/nowhere/config"]);
    let text = std::fs::read_to_string(stage.ground.cluster.admin_kubeconfig()).unwrap();
    let file = |name: &str, text: &str| -> PathBuf {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    with(&file("torn", "contexts: {"), &["status"]).troubled(2, &["the kubeconfig cannot be read"]);
    with(&file("good", &text), &["status", "--context", "localclustr"])
        .troubled(2, &["no such context", "did you mean localcluster?", "kubectl config get-contexts"]);
    let kubeconfig: Value = serde_saphyr::from_str(&text).unwrap();
    let changed = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut kubeconfig = kubeconfig.clone();
        change(&mut kubeconfig);
        file(name, &kubeconfig.to_string())
    };
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = changed("away", &|k| k["clusters"][0]["cluster"]["server"] = json!(format!("https://{closed}")));
    with(&away, &["status"])
        .troubled(4, &["the cluster cannot be reached", &closed.to_string(), "kubectl cluster-info"]);
    with(&away, &["doctor"]).troubled(4, &["the cluster cannot be reached"]);
    let expired = changed("expired", &|k| k["users"][0]["user"] = json!({"token": "expired"}));
    let ran = with(&expired, &["status"]);
    ran.troubled(4, &["does not accept your credentials", "401", "kubectl auth whoami"]);
    assert!(!ran.err.contains("expired\""), "a token is never printed");
    let nobody = stage.ground.cluster.kubeconfig_for("nobody", &[]).unwrap();
    with(&nobody, &["status"]).troubled(2, &["you may not see this", "forbidden", "kubectl auth can-i list"]);
    let strange = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = changed("silent", &|k| {
        k["clusters"][0]["cluster"]["server"] = json!(format!("https://{}", strange.local_addr().unwrap()));
    });
    with(&silent, &["status", "--timeout", "1"]).troubled(4, &["did not answer in time", "--timeout 1"]);
}

/// A server that answers every request with `body`.
fn answers(code: &'static str, body: &'static str) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let asked = stream.read(&mut request).unwrap_or_default();
            let version = String::from_utf8_lossy(&request[..asked]).contains("GET /version");
            let (code, body) = if version {
                (
                    "200 OK",
                    r#"{"major":"1","minor":"30+","gitVersion":"v1.30.1","gitCommit":"","gitTreeState":"","buildDate":"","goVersion":"","compiler":"","platform":""}"#,
                )
            } else {
                (code, body)
            };
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {code}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
        }
    });
    address
}

async fn an_older_server_is_named(stage: Arc<Stage>) {
    let gone = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"the server could not find the requested resource","reason":"NotFound","code":404}"#;
    let address = answers("404 Not Found", gone);
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "old",
        "clusters": [{"name": "old", "cluster": {"server": format!("http://{address}")}}],
        "contexts": [{"name": "old", "context": {"cluster": "old", "user": "me"}}],
        "users": [{"name": "me", "user": {}}],
    });
    let file = stage.empty.path().join("old");
    std::fs::write(&file, kubeconfig.to_string()).unwrap();
    let ran = stage.hashinsight(&["doctor", "--kubeconfig", file.to_str().unwrap()]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("1.30 is older than 1.36") && ran.out.contains("upgrade the cluster"), "{}", ran.out);
}

async fn a_pipe_that_closes_is_no_error(stage: Arc<Stage>) {
    for arguments in ["explain --all", "status --all -o json", "completions bash"] {
        let mut command = Command::new("bash");
        command
            .args(["-o", "pipefail", "-c", &format!("{PROGRAM} {arguments} | head -c 1 > /dev/null")])
            .env("KUBECONFIG", stage.ground.cluster.admin_kubeconfig())
            .env("NO_PROXY", "127.0.0.1");
        let ran = run(command);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments}");
    }
}

async fn an_interrupt_ends_it_with_130(stage: Arc<Stage>) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = std::fs::read_to_string(stage.ground.cluster.admin_kubeconfig()).unwrap();
    let mut kubeconfig: Value = serde_saphyr::from_str(&text).unwrap();
    kubeconfig["clusters"][0]["cluster"]["server"] = json!(format!("https://{}", silent.local_addr().unwrap()));
    let file = stage.empty.path().join("hangs");
    std::fs::write(&file, kubeconfig.to_string()).unwrap();
    let mut command = stage.command(&["status", "--kubeconfig", file.to_str().unwrap()]);
    let child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // It has connected once we can accept: then it waits.
    let _connection = silent.accept().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), nix::sys::signal::Signal::SIGINT)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What the program writes to a terminal.
fn on_a_terminal(mut command: Command) -> String {
    let size = nix::pty::Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = nix::pty::openpty(Some(&size), None).unwrap();
    let slave: OwnedFd = pty.slave;
    command.stdout(slave.try_clone().unwrap()).stderr(slave.try_clone().unwrap());
    let mut child = command.spawn().unwrap();
    drop((command, slave));
    let mut text = Vec::new();
    // The terminal is gone once the child is: an error then is its end.
    let _ = std::fs::File::from(pty.master).read_to_end(&mut text);
    assert!(child.wait().unwrap().success());
    String::from_utf8(text).unwrap()
}

async fn colours_are_for_terminals_that_want_them(stage: Arc<Stage>) {
    let escape = '\u{1b}';
    assert!(!stage.hashinsight(&["status"]).out.contains(escape));
    let mut bright = stage.command(&["status"]);
    bright.env("TERM", "xterm");
    let out = on_a_terminal(bright);
    assert!(out.contains(escape), "{out}");
    let long = on_a_terminal(stage.command(&["explain", "--all"]));
    assert!(long.lines().count() > 20, "{long}");
    for line in long.lines() {
        assert!(line.chars().count() <= 100, "wider than the terminal: {line}");
    }
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let mut grey = stage.command(&["status"]);
        grey.env("TERM", "xterm").env(name, value);
        assert!(!on_a_terminal(grey).contains(escape), "{name}");
    }
}

async fn it_comes_with_completions_pages_and_as_a_plugin(stage: Arc<Stage>) {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        assert!(stage.hashinsight(&["completions", shell]).well().contains("doctor"), "{shell}");
    }
    assert!(stage.hashinsight(&["man"]).well().starts_with(".ie") || stage.hashinsight(&["man"]).out.contains(".TH"));
    let folder = stage.empty.path().join("man");
    stage.hashinsight(&["man", "--directory", folder.to_str().unwrap()]).well();
    assert!(folder.join("hashinsight-doctor.1").is_file());
    stage.hashinsight(&["man", "--directory", "/proc/nowhere"]).troubled(2, &["/proc/nowhere"]);
    stage.hashinsight(&["statsu"]).troubled(2, &["status"]);
    stage.hashinsight(&["status", "--timeout", "0"]).troubled(2, &["--timeout"]);

    let plugins = Path::new(PLUGIN).parent().unwrap();
    let path = format!("{}:{}", plugins.display(), std::env::var("PATH").unwrap());
    let mut kubectl = stage.ground.cluster.kubectl();
    kubectl.env("PATH", path).args(["hashinsight", "version", "--help"]);
    assert!(run(kubectl).well().contains("Usage: kubectl hashinsight version"));
}

macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        [$((stringify!($name), (|stage| $name(stage).boxed()) as Body<Stage>)),*]
    };
}

fn main() -> ExitCode {
    testkit::main(
        || Stage::new().boxed(),
        &tests![
            one_screen_shows_the_worst_first,
            every_format_holds_the_same,
            reasons_are_explained_in_both_languages,
            doctor_says_what_is_wrong_and_its_fix,
            no_cluster_no_context_no_rights_each_say_why,
            an_older_server_is_named,
            a_pipe_that_closes_is_no_error,
            an_interrupt_ends_it_with_130,
            colours_are_for_terminals_that_want_them,
            it_comes_with_completions_pages_and_as_a_plugin,
        ],
    )
}
