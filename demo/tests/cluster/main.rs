//! The product as it is shipped, on whole clusters: chart, image, pods. They
//! need root, and are counted as skipped without it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests read files and clocks")]

mod chart;
mod given;
mod own;
mod stage;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use localcluster::node::continue_as_part;

fn main() -> ExitCode {
    if let Some(code) = continue_as_part() {
        return code;
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    let root = nix::unistd::geteuid().is_root();
    let tests: [(&str, fn()); 3] = [
        ("the_chart_is_installed_upgraded_removed_and_back", chart::installed_upgraded_removed_and_back),
        ("the_demo_plays_on_a_cluster_known_by_its_kubeconfig", given::plays_by_kubeconfig_alone),
        ("the_demo_plays_whole_on_a_cluster_of_its_own", own::plays_whole),
    ];
    let trials = tests.map(|(name, body)| {
        let run = move || {
            body();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(!root)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.into());
    if conclusion.has_failed() { ExitCode::from(101) } else { ExitCode::SUCCESS }
}
