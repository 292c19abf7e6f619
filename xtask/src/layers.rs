//! Layering, crate by crate: `cargo tree -p CRATE -e normal`, because the
//! metadata of the whole workspace unifies features and would lie.

use crate::shell::{Error, cargo, output};

/// A crate, the crates of ours it may depend on, and outside crates it must
/// never reach.
struct Layer {
    name: &'static str,
    may_use: &'static [&'static str],
    never: &'static [&'static str],
}

/// What does I/O, keeps time or draws randomness. (`rand_core` alone is traits,
/// which signatures name; what fills them with randomness is getrandom.)
const IMPURE: &[&str] =
    &["tokio", "kube-client", "kube-runtime", "hyper", "reqwest", "axum", "rand", "getrandom", "rustls"];

const LAYERS: [Layer; 12] = [
    Layer { name: "hashinsight-crds", may_use: &[], never: IMPURE },
    Layer { name: "hashinsight-mining", may_use: &[], never: IMPURE },
    Layer { name: "hashinsight-slo", may_use: &["hashinsight-crds"], never: IMPURE },
    Layer { name: "hashinsight-runbooks", may_use: &["hashinsight-crds", "hashinsight-slo"], never: IMPURE },
    Layer { name: "hashinsight-metrics-source", may_use: &[], never: &["kube-client"] },
    Layer { name: "hashinsight-gates", may_use: &[], never: IMPURE },
    Layer { name: "hashinsight-telemetry", may_use: &[], never: &["kube-client"] },
    Layer {
        name: "hashinsight-operator",
        may_use: &[
            "hashinsight-crds",
            "hashinsight-gates",
            "hashinsight-metrics-source",
            "hashinsight-mining",
            "hashinsight-runbooks",
            "hashinsight-slo",
            "hashinsight-telemetry",
        ],
        never: &[],
    },
    Layer {
        name: "calculation-core",
        may_use: &["hashinsight-mining", "hashinsight-telemetry"],
        never: &["kube-client", "kube-runtime"],
    },
    Layer {
        name: "hashinsight",
        may_use: &[
            "hashinsight-crds",
            "hashinsight-gates",
            "hashinsight-metrics-source",
            "hashinsight-mining",
            "hashinsight-runbooks",
            "hashinsight-slo",
        ],
        never: &[],
    },
    Layer { name: "localcluster", may_use: &[], never: &["tokio", "kube-client"] },
    Layer { name: "demo", may_use: &["localcluster", "test-issuer"], never: &["tokio", "kube-client"] },
];

const OURS: &[&str] = &[
    "bench",
    "calculation-core",
    "demo",
    "hashinsight",
    "hashinsight-crds",
    "hashinsight-gates",
    "hashinsight-metrics-source",
    "hashinsight-mining",
    "hashinsight-operator",
    "hashinsight-runbooks",
    "hashinsight-slo",
    "hashinsight-telemetry",
    "localcluster",
    "market-stand-in",
    "test-issuer",
    "testkit",
    "xtask",
];

/// Fails with every edge that must not be.
pub(crate) fn check() -> Result<(), Error> {
    let mut wrong = Vec::new();
    for layer in &LAYERS {
        let tree = output(cargo(&["tree", "-p", layer.name, "-e", "normal", "--prefix", "none", "--format", "{p}"]))?;
        for dependency in tree.lines().filter_map(|line| line.split(' ').next()).filter(|name| *name != layer.name) {
            let ours = OURS.contains(&dependency) && !layer.may_use.contains(&dependency);
            if ours || layer.never.contains(&dependency) {
                wrong.push(format!("{} must not reach {dependency}", layer.name));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    if wrong.is_empty() {
        println!("layers: {} crates keep their distance", LAYERS.len());
        return Ok(());
    }
    Err(Error::Check(format!("{}\nsee who brings it: cargo tree -p CRATE -e normal -i DEPENDENCY", wrong.join("\n"))))
}
