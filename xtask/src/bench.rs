//! The benchmarks, with the programs as they are shipped, and their short
//! samples in the test command.

use std::path::PathBuf;
use std::process::Command;

use crate::shell::{Error, plain_cargo, step};
use crate::{dist, gate, tools};

/// Builds what is shipped and runs what is named first in `arguments`, else
/// everything.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    dist::build()?;
    match arguments.split_first() {
        Some((what, rest)) if what == "mining" => mining_beside_peer(rest),
        Some((what, rest)) if what == "core" => core_beside_peer(rest),
        Some((what, rest)) if what == "tenants" => tenants("tenants", rest),
        Some((what, rest)) if what == "canary" => canary("canary", rest),
        Some((what, rest)) if what == "gate" => gate_beside_peer(rest),
        Some((what, rest)) if what == "objectives" => objectives("objectives", rest),
        Some((what, _)) => Err(Error::Check(format!(
            "no benchmark is called {what}; there are canary, core, gate, mining, objectives and tenants"
        ))),
        None => {
            mining_beside_peer(&[])?;
            core_beside_peer(&[])?;
            canary("canary", &[])?;
            gate_beside_peer(&[])?;
            objectives("objectives", &[])?;
            tenants("tenants", &[])
        }
    }
}

/// A few tenants, a few machines, after `dist`: fails on work done in vain, on
/// edits without effect, on wrong answers and on memory. No time is judged.
pub(crate) fn sample() -> Result<(), Error> {
    let few = ["--machines", "200", "--rows", "20000", "--rounds", "1"].map(str::to_owned);
    mining("mining, a sample", None, &few)?;
    canary("canary, a sample", &["500".to_owned()])?;
    gate_bench("gate, a sample", None, &["--mebibytes", "4", "--tests", "5000", "--rounds", "1"].map(str::to_owned))?;
    objectives("objectives, a sample", &["--objectives", "20", "--cycles", "2", "--alone"].map(str::to_owned))?;
    let evidence = gate::folder().join("latency.json").display().to_string();
    core("core, a sample", &["--machines", "500", "--rounds", "2", "--evidence", &evidence].map(str::to_owned))?;
    let few = ["--sizes", "25", "--rounds", "1", "--watch", "3", "--alone", "--check"];
    tenants("tenants, a sample", &few.map(str::to_owned))
}

fn mining_beside_peer(arguments: &[String]) -> Result<(), Error> {
    mining("mining", Some(tools::python(tools::PEERS)?), arguments)
}

fn core_beside_peer(arguments: &[String]) -> Result<(), Error> {
    let tool = |path: PathBuf| path.display().to_string();
    let (oha, python) = (tool(tools::LOAD.program()?), tool(tools::python(tools::PEERS)?));
    let with = ["--oha".to_owned(), oha, "--python".to_owned(), python];
    core("core", &[&with, arguments].concat())
}

fn core(name: &str, arguments: &[String]) -> Result<(), Error> {
    let mut bench = bench("bench-core");
    bench.arg("--core").arg(dist::shipped("calculation-core")).args(arguments);
    step(&format!("benchmark: {name}"), bench)
}

fn mining(name: &str, python: Option<PathBuf>, arguments: &[String]) -> Result<(), Error> {
    let mut bench = bench("bench-mining");
    bench.arg("--program").arg(dist::shipped("hashinsight")).args(arguments);
    if let Some(python) = python {
        bench.arg("--python").arg(python);
    }
    step(&format!("benchmark: {name}"), bench)
}

fn canary(name: &str, arguments: &[String]) -> Result<(), Error> {
    let mut bench = bench("bench-canary");
    bench.args(arguments);
    step(&format!("benchmark: {name}"), bench)
}

fn gate_beside_peer(arguments: &[String]) -> Result<(), Error> {
    gate_bench("gate", Some(localcluster::fetch_conftest()?), arguments)
}

fn gate_bench(name: &str, conftest: Option<PathBuf>, arguments: &[String]) -> Result<(), Error> {
    let mut bench = bench("bench-gate");
    bench.arg("--program").arg(dist::shipped("hashinsight")).args(arguments);
    if let Some(conftest) = conftest {
        bench.arg("--conftest").arg(conftest);
    }
    step(&format!("benchmark: {name}"), bench)
}

fn objectives(name: &str, arguments: &[String]) -> Result<(), Error> {
    let mut bench = bench("bench-objectives");
    bench.arg("--operator").arg(dist::shipped("hashinsight-operator")).args(arguments);
    step(&format!("benchmark: {name}"), bench)
}

fn tenants(name: &str, arguments: &[String]) -> Result<(), Error> {
    let mut bench = bench("bench");
    bench.arg("--operator").arg(dist::shipped("hashinsight-operator")).args(arguments);
    step(&format!("benchmark: {name}"), bench)
}

fn bench(program: &str) -> Command {
    plain_cargo(&["run", "--quiet", "--release", "--locked", "--package", "bench", "--bin", program, "--"])
}
