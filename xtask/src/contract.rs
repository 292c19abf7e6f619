//! The service as it is shipped, held against its own OpenAPI document by
//! schemathesis.

use std::process::Command;

use crate::shell::{Error, root, step};
use crate::{dist, tools};

/// Examples for each operation that are tried in every run.
pub(crate) const SAMPLE: u32 = 30;

/// Sends what the document allows and what it does not, after `dist`.
pub(crate) fn run(examples: u32) -> Result<(), Error> {
    let mut contract = Command::new(tools::python(tools::CONTRACT)?);
    contract.arg("calculation-core/contract/run.py").current_dir(root());
    contract.arg("--core").arg(dist::shipped("calculation-core"));
    contract.arg("--stand-in").arg(dist::shipped("market-stand-in"));
    contract.arg("--examples").arg(examples.to_string());
    step(&format!("the service against its document, {examples} examples an operation"), contract)
}
