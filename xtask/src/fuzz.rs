//! The fuzz targets: built with coverage counters, which the stable compiler
//! can be told to add, and run one after the other from their seeds.

use std::path::Path;
use std::process::Command;

use crate::shell::{Error, plain_cargo, root, step};

/// Seconds each target runs in the test command.
pub(crate) const SAMPLE: u32 = 4;
const TARGETS: [&str; 10] =
    ["numbers", "cases", "prices", "profiles", "names", "import", "records", "objectives", "evidence", "policies"];
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// What makes a program tell libFuzzer where it went.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Ccodegen-units=1";

/// Runs every target for so many seconds. What makes one stumble is left in
/// `target/fuzz/found`.
pub(crate) fn run(seconds: u32) -> Result<(), Error> {
    let folder = root().join("target/fuzz");
    let found = folder.join("found");
    make(&found)?;
    let mut build = plain_cargo(&["build", "--quiet", "--release", "--locked", "--target", TRIPLE]);
    build.current_dir(root().join("fuzz")).env("RUSTFLAGS", FLAGS).env("CARGO_TARGET_DIR", &folder);
    step("fuzz targets", build)?;
    for target in TARGETS {
        // What it learns stays beside the seeds that are kept with the sources.
        let learnt = folder.join("corpus").join(target);
        make(&learnt)?;
        let mut fuzz = Command::new(folder.join(TRIPLE).join("release").join(target));
        let log = folder.join(format!("{target}.log"));
        let told = std::fs::File::create(&log).map_err(|source| Error::File { path: log.clone(), source })?;
        fuzz.stderr(told)
            .arg(format!("-max_total_time={seconds}"))
            .args(["-timeout=10", "-rss_limit_mb=2048"])
            .arg(format!("-artifact_prefix={}/{target}-", found.display()))
            .arg(&learnt)
            .arg(root().join("fuzz/seeds").join(target));
        let done = step(&format!("fuzzing {target}, {seconds} s"), fuzz);
        let told = std::fs::read_to_string(&log).unwrap_or_default();
        match &done {
            Ok(()) => println!("{}", told.lines().last().unwrap_or_default()),
            Err(_) => println!("{told}"),
        }
        done?;
    }
    Ok(())
}

fn make(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|source| Error::File { path: folder.to_owned(), source })
}
