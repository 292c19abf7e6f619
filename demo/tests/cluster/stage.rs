//! A whole cluster with what is shipped, taken down with the test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use localcluster::node::Node;

/// The image's reference, after what is shipped has been built.
pub static IMAGE: LazyLock<String> = LazyLock::new(|| {
    let mut dist = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        // What a coverage run sets is not for what is shipped.
        let text = name.to_string_lossy();
        let cargo = text.starts_with("CARGO_") && text != "CARGO_HOME" && !text.starts_with("CARGO_HTTP");
        if cargo || text.starts_with("LLVM_") || text.starts_with("RUSTC") || text == "RUSTFLAGS" {
            dist.env_remove(&name);
        }
    }
    let output = dist.args(["xtask", "dist"]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(shipped("image")).unwrap()
});

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file of `make dist`.
pub fn shipped(name: &str) -> PathBuf {
    root().join("target/dist").join(name)
}

pub struct Stage(pub Node);

impl Stage {
    /// A cluster that knows the shipped image. The name is this run's own:
    /// another may test beside it.
    pub fn named(name: &str) -> Self {
        LazyLock::force(&IMAGE);
        let stage = Self(Node::named(&format!("{name}{}", std::process::id())).unwrap());
        stage.0.up(0).unwrap_or_else(|error| panic!("{error}"));
        stage.0.load(&shipped("hashinsight-operator.tar")).unwrap();
        stage
    }

    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        told(self.0.kubectl().unwrap().current_dir(root()).args(arguments))
    }

    /// kubectl that must succeed.
    pub fn get(&self, arguments: &[&str]) -> String {
        self.kubectl(arguments).unwrap_or_else(|error| panic!("kubectl {arguments:?}: {error}"))
    }

    /// The shipped command line, which must succeed.
    pub fn hashinsight(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(shipped("cli/hashinsight"));
        command.env("KUBECONFIG", self.0.kubeconfig()).env("NO_PROXY", "127.0.0.1").args(arguments);
        told(&mut command).unwrap_or_else(|error| panic!("hashinsight {arguments:?}: {error}"))
    }

    /// helm that must succeed.
    pub fn helm(&self, arguments: &[&str]) -> String {
        let result = told(self.0.helm().unwrap().current_dir(root()).args(arguments));
        result.unwrap_or_else(|error| panic!("helm {arguments:?}: {error}"))
    }

    /// Applies text.
    pub fn apply(&self, manifests: &str) {
        let file = self.0.folder().join("applied.yaml");
        std::fs::write(&file, manifests).unwrap();
        self.get(&["apply", "--server-side", "-f", file.to_str().unwrap()]);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.0.down().unwrap();
    }
}

fn told(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Polls until `probe` gives a value; panics with its last complaint.
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match probe() {
            Ok(value) => return value,
            Err(complaint) if begun.elapsed() > Duration::from_secs(60) => panic!("{what}: {complaint}"),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}
