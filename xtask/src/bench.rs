//! The benchmark, with the operator as it is shipped, and its short sample in
//! the test command.

use crate::dist;
use crate::shell::{Error, plain_cargo, root, step};

/// Builds what is shipped and runs `bench` with these arguments.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    dist::build()?;
    bench("benchmark", arguments)
}

/// A few tenants, after `dist`: fails on work done in vain and on edits
/// without effect. No time is judged.
pub(crate) fn sample() -> Result<(), Error> {
    let few = ["--sizes", "25", "--rounds", "1", "--watch", "3", "--alone", "--check"];
    bench("benchmark, a sample", &few.map(str::to_owned))
}

fn bench(name: &str, arguments: &[String]) -> Result<(), Error> {
    let operator = root().join("target").join(dist::TARGET).join("release/hashinsight-operator");
    let mut bench = plain_cargo(&["run", "--quiet", "--release", "--locked", "--package", "bench", "--"]);
    bench.arg("--operator").arg(operator).args(arguments);
    step(name, bench)
}
