//! Recall: bugs are planted, one at a time, into a copy of the operator, and
//! the tests that need no cluster must catch them. The product is never built
//! with one. What the tests are known to miss is named with the reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::shell::{Error, output, plain_cargo, root};

/// A planted bug.
struct Planted {
    /// What goes wrong.
    name: &'static str,
    /// File, below operator/src.
    file: &'static str,
    /// What stands there.
    from: &'static str,
    /// What is put in its place.
    to: &'static str,
    /// Why the tests without a cluster cannot catch it, if they cannot.
    missed: Option<&'static str>,
}

const fn bug(name: &'static str, file: &'static str, from: &'static str, to: &'static str) -> Planted {
    Planted { name, file, from, to, missed: None }
}

const PLANTED: [Planted; 26] = [
    bug("no finalizer is ever set", "tenant/mod.rs", "if !tenant.who.is_held() {", "if false {"),
    bug(
        "a foreign namespace is adopted",
        "tenant/hold.rs",
        "None => Self::Taken(format!(\n                \"namespace {ns} exists",
        "None if seen.labels.is_empty() => Self::Ours,\n            None => Self::Taken(format!(\n                \"namespace {ns} exists",
    ),
    bug(
        "access outlives an erased tenant's namespace",
        "tenant/removal.rs",
        "matches!(part, Part::Access(_))).map(Effect::Delete)",
        "matches!(part, Part::Summary)).map(Effect::Delete)",
    ),
    bug(
        "a removed member keeps access",
        "tenant/plan.rs",
        "matches!(part, Part::Access(_)).then(|| Step::Delete",
        "matches!(part, Part::Quota).then(|| Step::Delete",
    ),
    bug("a suspended tenant's pods run on", "tenant/plan.rs", "if refused && used {", "if false {"),
    bug(
        "suspension admits pods",
        "tenant/plan.rs",
        "objects::quota(owner, quotas, tenant.spec.lifecycle)",
        "objects::quota(owner, quotas, Lifecycle::Active)",
    ),
    bug("drift of the namespace is not seen", "tenant/plan.rs", "if drifted {", "if drifted && namespace.is_none() {"),
    bug(
        "drift of a part is not seen",
        "tenant/plan.rs",
        "(seen.digest != desired_digest(part, &object)).then_some",
        "false.then_some",
    ),
    bug(
        "parts are applied although nothing changed",
        "tenant/plan.rs",
        "(seen.digest != desired_digest(part, &object)).then_some",
        "true.then_some",
    ),
    bug(
        "an override is forgotten",
        "tenant/plan.rs",
        "overrides.over(&plan.quotas)",
        "hashinsight_crds::tenant::QuotaOverrides::default().over(&plan.quotas)",
    ),
    bug(
        "a changed plan wakes nobody",
        "tenant/mod.rs",
        ".filter(|tenant| tenant.spec.plan_ref.name == name)",
        ".filter(|tenant| tenant.spec.plan_ref.name != name)",
    ),
    bug(
        "status tells the time of every look",
        "tenant/conclude.rs",
        "    keep_since(before, make, now)",
        "    make(Time(now))",
    ),
    bug(
        "status speaks of no generation",
        "tenant/conclude.rs",
        "observed_generation: tenant.who.generation,",
        "observed_generation: 1,",
    ),
    bug(
        "a taken up namespace stays released",
        "tenant/seen.rs",
        "\"labels\": {LABEL_RELEASED: null},",
        "\"labels\": {},",
    ),
    bug(
        "a released namespace is still claimed",
        "tenant/seen.rs",
        "\"annotations\": {ANNOTATION_CLAIM: null,",
        "\"annotations\": {",
    ),
    bug(
        "a tenant taken up again gets another id",
        "tenant/hold.rs",
        "(ours || to_take_up) && is_tenant_id(id)",
        "false && is_tenant_id(id)",
    ),
    bug(
        "what is gone cannot be deleted",
        "api.rs",
        "Err(error) if !error.is_not_found() => Err(error),",
        "Err(error) => Err(error),",
    ),
    bug(
        "a retained tenant is erased",
        "tenant/removal.rs",
        "let erase = policy == DeletionPolicy::Erase",
        "let erase = policy == DeletionPolicy::Retain",
    ),
    bug(
        "an erased tenant's finalizer goes before its namespace",
        "tenant/removal.rs",
        "removal(effects, false, format!(\"namespace {name} and everything",
        "removal(effects, true, format!(\"namespace {name} and everything",
    ),
    bug(
        "a retained tenant leaves its summary",
        "tenant/removal.rs",
        "effects.push(Effect::Delete(Part::Summary));",
        "",
    ),
    bug(
        "the first failed part stops the others",
        "tenant/apply.rs",
        "if is_namespace(&step) {",
        "if is_namespace(&step) || true {",
    ),
    bug(
        "counted requests convict nobody",
        "calculation_core/machine.rs",
        "filter(|judged| judged.verdict() == Verdict::Fail)",
        "filter(|judged| judged.verdict() == Verdict::Error)",
    ),
    bug(
        "a wrong figure is let pass",
        "calculation_core/machine.rs",
        "if let Golden::Differs(why) = &seen.golden {",
        "if let (Golden::Differs(why), true) = (&seen.golden, false) {",
    ),
    bug(
        "the stable revision shrinks during a rollout",
        "calculation_core/traffic.rs",
        "core.replicas.minimum.max(core.status.pinned_replicas.unwrap_or(0))",
        "core.replicas.minimum",
    ),
    bug(
        "a revision goes while customers are led to it",
        "calculation_core/objects.rs",
        "if !is_led_away(core, seen) {",
        "if false {",
    ),
    Planted {
        name: "the lease is given up before the work has ended",
        file: "run.rs",
        from: "    if idle {\n        candidate.release().await;",
        to: "    if true {\n        candidate.release().await;",
        missed: Some(
            "a simulation dies, it does not stop; the test with two replicas on a real API server looks at it",
        ),
    },
];

/// Plants each bug, or the first `limit` of those whose name has `only` in it,
/// and runs the tests.
pub(crate) fn run(limit: usize, only: &str) -> Result<(), Error> {
    let begun = Instant::now();
    let source = root().join("target/recall/source");
    copy(&source)?;
    let clean = tests(&source, &[]).status().map_err(|source| Error::Spawn { program: "cargo".to_owned(), source })?;
    if !clean.success() {
        return Err(Error::Check("recall: the tests fail with nothing planted; run them first".into()));
    }
    let mut wrong = Vec::new();
    let chosen: Vec<&Planted> = PLANTED.iter().filter(|planted| planted.name.contains(only)).take(limit).collect();
    for planted in &chosen {
        let caught = with(&source, planted)?;
        let line = match (caught, planted.missed) {
            (true, None) => "caught".to_owned(),
            (false, Some(why)) => format!("missed, as known: {why}"),
            (false, None) => "NOT CAUGHT".to_owned(),
            (true, Some(_)) => "CAUGHT, though named as missed".to_owned(),
        };
        println!("recall: {}: {line}", planted.name);
        if caught == planted.missed.is_some() {
            wrong.push(planted.name);
        }
    }
    println!("recall: {} bugs planted in {} s", chosen.len(), begun.elapsed().as_secs());
    if wrong.is_empty() { Ok(()) } else { Err(Error::Check(format!("recall: {}", wrong.join("; ")))) }
}

/// Whether the tests fail with the bug in; it must compile.
fn with(source: &Path, planted: &Planted) -> Result<bool, Error> {
    let file = source.join("operator/src").join(planted.file);
    let failed = |source| Error::File { path: file.clone(), source };
    let text = fs::read_to_string(&file).map_err(failed)?;
    if text.matches(planted.from).count() != 1 {
        return Err(Error::Check(format!("recall: {:?} is not once in {}; name it anew", planted.from, planted.file)));
    }
    fs::write(&file, text.replace(planted.from, planted.to)).map_err(failed)?;
    let built = tests(source, &["--no-run"]).status();
    let passed = tests(source, &[]).output();
    fs::write(&file, &text).map_err(failed)?;
    let spawn = |source| Error::Spawn { program: "cargo".to_owned(), source };
    if !built.map_err(spawn)?.success() {
        return Err(Error::Check(format!("recall: with {:?} planted it does not compile", planted.name)));
    }
    Ok(!passed.map_err(spawn)?.status.success())
}

fn tests(source: &Path, more: &[&str]) -> Command {
    let mut cargo = plain_cargo(&["test", "--quiet", "--locked", "--package", "hashinsight-operator"]);
    cargo
        .current_dir(source)
        .args(["--lib", "--test", "planner", "--test", "sim"])
        .args(more)
        .env("CARGO_TARGET_DIR", root().join("target/recall/build"))
        // Warnings are to be expected here.
        .env("RUSTFLAGS", "-Awarnings")
        // Each scenario once and with one crash: what bugs are found by.
        .env("PAIRS", "1000000")
        .env("NTH_CRASH", "1000000");
    cargo
}

/// The files of the workspace as they are now.
fn copy(to: &Path) -> Result<(), Error> {
    let mut list = Command::new("git");
    list.current_dir(root()).args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
    let list = output(list)?;
    let names: BTreeSet<&Path> = list.split('\0').filter(|name| !name.is_empty()).map(Path::new).collect();
    if to.exists() {
        prune(to, to, &names)?;
    }
    // A file that was deleted is still listed until that is committed.
    for name in names.into_iter().filter(|name| root().join(name).exists()) {
        let (from, to) = (root().join(name), to.join(name));
        let parent: PathBuf = to.parent().map(Path::to_owned).unwrap_or_default();
        fs::create_dir_all(&parent).map_err(|source| Error::File { path: parent, source })?;
        // An unchanged file keeps its time, or all would be built anew.
        if fs::read(&from).ok() != fs::read(&to).ok() {
            fs::copy(&from, &to).map_err(|source| Error::File { path: from, source })?;
        }
    }
    Ok(())
}

/// Removes from the copy what an earlier one had and the repository no longer
/// has.
fn prune(folder: &Path, copy: &Path, names: &BTreeSet<&Path>) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        let name = path.strip_prefix(copy).unwrap_or(&path);
        if path.is_dir() {
            prune(&path, copy, names)?;
        } else if !names.contains(name) {
            fs::remove_file(&path).map_err(failed(&path))?;
        }
    }
    Ok(())
}
