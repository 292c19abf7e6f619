//! The demo on a cluster the user has: a second local cluster, of which the
//! demo gets a kubeconfig and nothing else.

use std::path::Path;
use std::process::{Command, Output};

use crate::stage::{IMAGE, Stage};

fn demo(kubeconfig: &Path, context: &str, image: &str) -> Output {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"));
    demo.args(["--context", context, "--image", image]).env("KUBECONFIG", kubeconfig).output().unwrap()
}

pub fn plays_by_kubeconfig_alone() {
    let stage = Stage::named("given");
    // A copy under another name, as somebody would have been sent it.
    let elsewhere = tempfile::tempdir().unwrap();
    let kubeconfig = elsewhere.path().join("config");
    let text = std::fs::read_to_string(stage.0.kubeconfig()).unwrap();
    std::fs::write(&kubeconfig, &text).unwrap();
    let context = format!("localcluster-{}", stage.0.name());

    let refused = |context: &str, image: &str, told: &str| {
        let output = demo(&kubeconfig, context, image);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(told), "{told:?} is not in {error}");
    };
    refused("elsewhere", &IMAGE, &format!("it has: {context}"));
    refused(&context, "", "make dist");
    refused(&context, "no image", "is no image reference");
    refused("", &IMAGE, "CONTEXT=name");
    let mut nobody = Command::new("setpriv");
    nobody.args(["--reuid=65534", "--clear-groups", env!("CARGO_BIN_EXE_demo")]).env("HOME", "/nonexistent");
    let told = String::from_utf8_lossy(&nobody.output().unwrap().stderr).into_owned();
    assert!(told.contains("needs root"), "before anything is built: {told}");
    let closed = text.lines().map(|line| match line.split_once("https://127.0.0.1:") {
        Some((before, rest)) => {
            format!("{before}https://127.0.0.1:1{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => line.to_owned(),
    });
    let nobody = elsewhere.path().join("nobody");
    std::fs::write(&nobody, closed.collect::<Vec<_>>().join("\n")).unwrap();
    let output = demo(&nobody, &context, &IMAGE);
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not answer"), "{output:?}");
    let namespaces = stage.get(&["get", "namespaces", "-o", "name"]);
    assert!(!namespaces.contains("hashinsight"), "nothing was changed: {namespaces}");

    let output = demo(&kubeconfig, &context, &IMAGE);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    for line in
        ["reached by its kubeconfig alone", "✔ cumulus", "pods: 999 → 50", "All 5 scenes played", "Left out: \"A fleet"]
    {
        assert!(told.contains(line), "{line:?} is not in {told}");
    }
    assert!(!told.contains("\u{1b}["), "no terminal, no escape codes");
    // The commands it names for removal do remove.
    let removal = told.split("the customers first:").nth(1).unwrap();
    let mut shell = Command::new("bash");
    for (name, value) in stage.0.environment().unwrap() {
        shell.env(name, value);
    }
    let output = shell.args(["-euxc", removal]).env("KUBECONFIG", &kubeconfig).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let left = stage.get(&["get", "namespaces,crds", "-o", "name"]);
    assert!(!left.contains("tenant-") && !left.contains("hashinsight"), "{left}");
}
