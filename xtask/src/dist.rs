//! What is shipped: the images of operator and calculation core, both charts
//! with the operator's digest in them, the same rendered as plain YAML, the
//! example of the core with its digest, and the command line with its
//! completions and manual. All of it goes to `target/dist`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use localcluster::Image;

use crate::shell::{Error, output, plain_cargo, root, step};

/// The chart's default repository.
const REPOSITORY: &str = "hashinsight.net/operator";
/// The example's images: name, program, and whether only demos and tests run it.
const CORE_IMAGES: [(&str, &str); 2] =
    [("hashinsight.net/calculation-core", "calculation-core"), ("hashinsight.net/market-stand-in", "market-stand-in")];
/// Faults of the bad versions of the core, which demos and tests roll out to
/// see them taken back.
const BAD_FEATURES: &str = "calculation-core/bad-rounding,calculation-core/bad-latency,calculation-core/bad-errors";
/// Images of them: what each is called, and the faults it shows.
const BAD_CORES: [(&str, &str); 2] = [("rounding", "bad-rounding"), ("slow-and-failing", "bad-latency,bad-errors")];
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Namespace the plain YAML installs into.
const NAMESPACE: &str = "hashinsight-system";

/// Builds everything. Prints the image's reference last, on standard output.
pub(crate) fn build() -> Result<(), Error> {
    let folder = root().join("target/dist");
    recreate(&folder)?;
    let version = env!("CARGO_PKG_VERSION");
    // First, because it is the product that stays where programs are built.
    let bad = folder.join("calculation-core-bad");
    let copied = |source| Error::File { path: bad.clone(), source };
    fs::copy(static_programs(BAD_FEATURES)?.join("calculation-core"), &bad).map_err(copied)?;
    let programs = static_programs("")?;
    let image = Image::of(format!("{REPOSITORY}:{version}"), programs.join("hashinsight-operator"));
    let digest = image.write(&folder.join("hashinsight-operator.tar"))?;
    let helm = localcluster::fetch_helm()?;
    let operator = package(&helm, &folder, "hashinsight", &digest)?;
    let defaults = package(&helm, &folder, "hashinsight-defaults", &digest)?;
    let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n");
    write(&folder.join("install.yaml"), &(namespace + &rendered(&helm, &operator)?))?;
    write(&folder.join("defaults.yaml"), &rendered(&helm, &defaults)?)?;
    let reference = format!("{REPOSITORY}@{digest}");
    write(&folder.join("image"), &reference)?;
    command_line(&programs, &folder.join("cli"))?;
    calculation_core(&programs, &folder)?;
    bad_cores(&bad, &folder.join("calculation-core"))?;
    eprintln!(
        "\nin {}:\n  hashinsight-operator.tar   the image\n  *.tgz                      charts\n  \
         install.yaml, defaults.yaml  the same for kubectl apply --server-side\n  \
         calculation-core/          images, and the example with their digests\n  \
         cli/                       hashinsight, completions, manual\n",
        folder.display()
    );
    println!("{reference}");
    Ok(())
}

/// The images of the core and of its demo's stand-in, and the example with their
/// digests in place of tags and zeros.
fn calculation_core(programs: &Path, folder: &Path) -> Result<(), Error> {
    let folder = folder.join("calculation-core");
    fs::create_dir_all(&folder).map_err(|source| Error::File { path: folder.clone(), source })?;
    let mut digests: Vec<(String, String)> = Vec::new();
    for (name, program) in CORE_IMAGES {
        let tagged = format!("{name}:{}", env!("CARGO_PKG_VERSION"));
        let image = Image::of(&tagged, programs.join(program));
        let digest = image.write(&folder.join(format!("{program}.tar")))?;
        let reference = format!("{name}@{digest}");
        // Where only a digest may stand, zeros do until there is one.
        digests.push((format!("{name}@sha256:{}", "0".repeat(64)), reference.clone()));
        digests.push((tagged, reference));
    }
    let example = root().join("examples/calculation-core");
    let listed = fs::read_dir(&example).map_err(|source| Error::File { path: example.clone(), source })?;
    for entry in
        listed.filter_map(Result::ok).filter(|entry| entry.path().extension().is_some_and(|kind| kind == "yaml"))
    {
        let path = entry.path();
        let text = fs::read_to_string(&path).map_err(|source| Error::File { path, source })?;
        let text = digests.iter().fold(text, |text, (tagged, digest)| text.replace(tagged, digest));
        write(&folder.join(entry.file_name()), &text)?;
    }
    Ok(())
}

/// Images of the bad versions, and their references.
fn bad_cores(program: &Path, folder: &Path) -> Result<(), Error> {
    for (name, faults) in BAD_CORES {
        let repository = format!("hashinsight.net/calculation-core-{name}");
        let tagged = format!("{repository}:{}", env!("CARGO_PKG_VERSION"));
        let environment = vec![format!("CALCULATION_CORE_BAD={faults}")];
        let image = Image { environment, ..Image::of(tagged, program) };
        let digest = image.write(&folder.join(format!("{name}.tar")))?;
        write(&folder.join(format!("{name}.image")), &format!("{repository}@{digest}"))?;
    }
    Ok(())
}

/// A program as it is shipped, after [`build`].
pub(crate) fn shipped(program: &str) -> PathBuf {
    root().join("target").join(TARGET).join("release").join(program)
}

/// The command line under both its names, with completions and manual pages.
fn command_line(programs: &Path, folder: &Path) -> Result<(), Error> {
    for part in ["completions", "man"] {
        let path = folder.join(part);
        fs::create_dir_all(&path).map_err(|source| Error::File { path, source })?;
    }
    for name in ["hashinsight", "kubectl-hashinsight"] {
        let path = folder.join(name);
        fs::copy(programs.join(name), &path).map_err(|source| Error::File { path, source })?;
    }
    let program = folder.join("hashinsight");
    for (shell, name) in [("bash", "hashinsight.bash"), ("zsh", "_hashinsight"), ("fish", "hashinsight.fish")] {
        let mut completions = Command::new(&program);
        completions.args(["completions", shell]);
        write(&folder.join("completions").join(name), &output(completions)?)?;
    }
    let mut manual = Command::new(&program);
    manual.args(["man", "--directory"]).arg(folder.join("man"));
    output(manual).map(drop)
}

/// The folder with the product's static programs. Neither the folder of the
/// repository nor cargo's own shows in them, and no flag of the caller's.
fn static_programs(features: &str) -> Result<PathBuf, Error> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let mut flags =
        vec!["-Ctarget-feature=+crt-static".to_owned(), format!("--remap-path-prefix={}=/src", root().display())];
    flags.extend(home.map(|home| format!("--remap-path-prefix={}=/cargo", home.display())));
    let target = root().join("target");
    let packages = ["hashinsight-operator", "hashinsight", "calculation-core", "market-stand-in"];
    let packages = packages.map(|package| ["--package", package]).concat();
    let mut build = plain_cargo(&[&["build", "--release", "--locked", "--target", TARGET], &packages[..]].concat());
    build.arg("--target-dir").arg(&target).env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    build.args(["--features", features]);
    let what = if features.is_empty() { "operator, command line and calculation core" } else { "a bad core" };
    step(&format!("{what}, as static programs"), build)?;
    Ok(target.join(TARGET).join("release"))
}

/// Packages a chart; the one that names an image gets its digest.
fn package(helm: &Path, folder: &Path, chart: &str, digest: &str) -> Result<PathBuf, Error> {
    let staged = folder.join("charts").join(chart);
    let mut copy = Command::new("cp");
    let parent = folder.join("charts");
    fs::create_dir_all(&parent).map_err(|source| Error::File { path: parent, source })?;
    output({
        copy.arg("-r").arg(root().join("charts").join(chart)).arg(&staged);
        copy
    })?;
    let values = staged.join("values.yaml");
    let text = fs::read_to_string(&values).map_err(|source| Error::File { path: values.clone(), source })?;
    write(&values, &text.replace("\n  digest: \"\"\n", &format!("\n  digest: {digest}\n")))?;
    let mut package = Command::new(helm);
    package.arg("package").arg(&staged).arg("--destination").arg(folder);
    output(package)?;
    Ok(staged)
}

fn rendered(helm: &Path, chart: &Path) -> Result<String, Error> {
    let mut template = Command::new(helm);
    let name = chart.file_name().unwrap_or_default();
    template.arg("template").arg(name).arg(chart).args(["--namespace", NAMESPACE, "--kube-version", "1.36.0"]);
    output(template)
}

fn recreate(folder: &Path) -> Result<(), Error> {
    let failed = |source| Error::File { path: folder.to_owned(), source };
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed)?;
    }
    fs::create_dir_all(folder).map_err(failed)
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|source| Error::File { path: path.to_owned(), source })
}
