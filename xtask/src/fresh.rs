//! Everything on a machine that has nothing: Debian's base, Go and Rust, made
//! by debootstrap below target/, with caches and home of its own. A step that
//! the README forgets to name fails here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::dist;
use crate::shell::{Error, output, root, step};

/// Section of the README whose commands are run in order.
const SECTION: &str = "\n## Start here\n";
/// What the way to the registries may need; nothing else of the caller's
/// environment is there.
const PASSED: [&str; 12] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "PIP_CERT",
    "PIP_INDEX_URL",
    "GOPROXY",
    "GOSUMDB",
    "CARGO_HTTP_CAINFO",
];
/// rustup's own programs; others in cargo's folder would be hidden set-up.
const RUST: [&str; 8] =
    ["rustup", "cargo", "rustc", "rustdoc", "rustfmt", "cargo-fmt", "cargo-clippy", "clippy-driver"];

/// Makes the machine, runs the README's commands and the whole test command in
/// it, and removes it.
pub(crate) fn run() -> Result<(), Error> {
    if output(id())?.trim() != "0" {
        return Err(Error::Check(
            "make fresh needs root, for namespaces and debootstrap; become root, as with sudo -s".into(),
        ));
    }
    let begun = Instant::now();
    let folder = root().join("target/fresh");
    let machine = folder.join("machine");
    if folder.exists() {
        step("removing what an earlier run left", command("rm", &["-rf", "--one-file-system"], &[&folder]))?;
    }
    create(&machine)?;
    debootstrap(&machine)?;
    furnish(&machine)?;
    let readme = root().join("README.md");
    let text = fs::read_to_string(&readme).map_err(|source| Error::File { path: readme, source })?;
    let commands =
        commands(&text).ok_or_else(|| Error::Check(format!("README.md has no commands under {SECTION:?}")))?;
    let script = format!("set -eux\ncd /root/hashinsight\n{commands}\nmake test\n");
    let path = machine.join("root/commands.sh");
    fs::write(&path, script).map_err(|source| Error::File { path, source })?;
    step("the README's commands and the tests, on the fresh machine", enter(&machine))?;
    same_image(&machine)?;
    step("removing the machine", command("rm", &["-rf", "--one-file-system"], &[&folder]))?;
    println!(
        "\nfresh: all of it worked on a machine with Debian's base, Go and Rust, in {} s",
        begun.elapsed().as_secs()
    );
    Ok(())
}

/// The same source gives the same image there and here.
fn same_image(machine: &Path) -> Result<(), Error> {
    let mut status = command("git", &["status", "--porcelain"], &[]);
    status.current_dir(root());
    if !output(status)?.is_empty() {
        println!("images not compared: what is not committed was not on the fresh machine");
        return Ok(());
    }
    dist::build()?;
    let image = |repository: &Path| {
        let path = repository.join("target/dist/image");
        fs::read_to_string(&path).map_err(|source| Error::File { path, source })
    };
    let (there, here) = (image(&machine.join("root/hashinsight"))?, image(&root())?);
    if there == here {
        println!("the same image there and here, bit for bit: {here}");
        return Ok(());
    }
    Err(Error::Check(format!("the same source gave {there} on the fresh machine and {here} here")))
}

/// The shell blocks of the section, one after the other.
fn commands(readme: &str) -> Option<String> {
    let section = readme.split_once(SECTION)?.1.split("\n## ").next()?;
    let blocks: Vec<&str> = section.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    if blocks.is_empty() { None } else { Some(blocks.concat()) }
}

fn id() -> Command {
    command("id", &["-u"], &[])
}

fn command(program: &str, arguments: &[&str], paths: &[&Path]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).args(paths);
    command
}

fn create(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

/// Debian's base of this machine's release, from the mirror its apt uses.
fn debootstrap(machine: &Path) -> Result<(), Error> {
    let format = "$(RELEASE) $(REPO_URI)";
    let targets = output(command("apt-get", &["indextargets", "--format", format, "Created-By: Packages"], &[]))?;
    let release = output(command("sh", &["-c", ". /etc/os-release; echo $VERSION_CODENAME"], &[]))?;
    let release = release.trim();
    let mirror = targets
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(of, _)| *of == release)
        .map(|(_, mirror)| mirror)
        .ok_or_else(|| Error::Check(format!("apt knows no mirror of release {release:?}; run apt-get update")))?;
    let tool = localcluster::fetch_debootstrap()?;
    let mut run = Command::new(tool.join("usr/sbin/debootstrap"));
    run.env("DEBOOTSTRAP_DIR", tool.join("usr/share/debootstrap"));
    run.args(["--variant=minbase", release]).arg(machine).arg(mirror);
    step("Debian's base", run)
}

/// Sources and certificates as here, Go, rustup's programs, and the committed
/// state of the repository.
fn furnish(machine: &Path) -> Result<(), Error> {
    let inside = |path: &str| machine.join(path);
    for folder in ["root/.cargo/bin", "root/hashinsight", "root/.rustup", "usr/local/go", "etc/ssl/certs", "host"] {
        create(&inside(folder))?;
    }
    let shell = "cp -r /etc/apt/sources.list* \"$0/etc/apt/\"; cp -L /etc/resolv.conf /etc/hosts \"$0/etc/\"
        cp /etc/ssl/certs/ca-certificates.crt \"$0/etc/ssl/certs/\"
        [ -d /usr/local/share/ca-certificates ] && cp -r /usr/local/share/ca-certificates \"$0/usr/local/share/\"
        [ -e \"$0/etc/apt/sources.list\" ] && ls /etc/apt/sources.list.d/*.sources >/dev/null 2>&1 && rm \"$0/etc/apt/sources.list\"
        git -C \"$1\" archive HEAD | tar -x -C \"$0/root/hashinsight\"";
    step("sources, certificates, the repository", command("sh", &["-c", shell], &[machine, &root()]))?;
    let cargo = home("CARGO_HOME", ".cargo")?.join("bin");
    let programs: Vec<PathBuf> = RUST.iter().map(|program| cargo.join(program)).collect();
    let mut copy = command("cp", &["-a"], &programs.iter().map(PathBuf::as_path).collect::<Vec<_>>());
    copy.arg(inside("root/.cargo/bin/"));
    step("rustup's programs", copy)
}

fn home(variable: &str, default: &str) -> Result<PathBuf, Error> {
    let set = std::env::var_os(variable).map(PathBuf::from);
    let from_home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(default));
    set.or_else(from_home).ok_or_else(|| Error::Check(format!("neither {variable} nor HOME is set")))
}

/// A root of its own, and processes of its own that end with us. The host's
/// root is taken away: nsenter and containers ask for a real root.
fn enter(machine: &Path) -> Command {
    let shell = "set -e
        mount --bind \"$0\" \"$0\"; cd \"$0\"
        mount --rbind /sys sys; mount --rbind /dev dev; mount -t proc proc proc; mount -t tmpfs tmpfs run
        mount --bind \"$GOROOT\" usr/local/go; mount --bind \"$RUSTUP_HOME\" root/.rustup
        pivot_root . host; umount -l /host
        unset GOROOT RUSTUP_HOME; cd /root; exec sh commands.sh </dev/null";
    let mut enter = Command::new("unshare");
    enter
        .args(["--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "sh", "-c", shell])
        .arg(machine)
        .env_clear()
        .envs(PASSED.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))))
        .env("GOROOT", output(command("go", &["env", "GOROOT"], &[])).unwrap_or_default().trim())
        .env("RUSTUP_HOME", home("RUSTUP_HOME", ".rustup").unwrap_or_default())
        .env("GOTOOLCHAIN", "local")
        .env("HOME", "/root")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("PATH", "/usr/local/go/bin:/root/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    enter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_has_commands_for_a_fresh_machine() {
        let readme = fs::read_to_string(root().join("README.md")).unwrap();
        let commands = commands(&readme).unwrap();
        for line in ["apt-get install", "make demo", "make down"] {
            assert!(commands.contains(line), "{line} is not in {commands}");
        }
        assert_eq!(super::commands("# x\n\n## Start here\nno block\n\n## Next\n```sh\nrm\n```\n"), None);
    }
}
