//! Where the scenes play: a local cluster of our own, or one the user has.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use localcluster::node::Node;
use localcluster::{fetch, fetch_helm, say};
use test_issuer::{Issuer, NAME};

use crate::{Trouble, given};

/// Where to play.
pub enum Place {
    /// On the local cluster of this name, made if it is not there.
    Local {
        /// The name.
        name: String,
        /// Whether `target/dist` is current; it is built otherwise.
        is_built: bool,
    },
    /// On the cluster of a context in the user's kubeconfig, with an image it
    /// can pull.
    Given {
        /// The context.
        context: String,
        /// The operator's image.
        image: Reference,
    },
}

/// An image as a cluster asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Registry and path.
    pub repository: String,
    /// The chart's value that says which one: `digest` or `tag`.
    pub by: &'static str,
    /// That digest or tag.
    pub which: String,
}

impl Place {
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Local { .. })
    }
}

impl std::str::FromStr for Reference {
    type Err = Trouble;

    fn from_str(text: &str) -> Result<Self, Trouble> {
        let (repository, by, which) = match text.split_once('@') {
            Some((repository, digest)) => (repository, "digest", digest),
            None => match text.rsplit_once(':') {
                // A colon before a slash is a registry's port.
                Some((repository, tag)) if !tag.contains('/') => (repository, "tag", tag),
                _ => return Err(Trouble::Image(text.to_owned())),
            },
        };
        let whole = by == "tag" || which.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64);
        if repository.is_empty() || which.is_empty() || !whole {
            return Err(Trouble::Image(text.to_owned()));
        }
        Ok(Self { repository: repository.to_owned(), by, which: which.to_owned() })
    }
}

/// Images that the scenes run, in `target/dist`.
const IMAGES: [&str; 5] = [
    "hashinsight-operator.tar",
    "calculation-core/calculation-core.tar",
    "calculation-core/market-stand-in.tar",
    "calculation-core/rounding.tar",
    "calculation-core/slow-and-failing.tar",
];

/// A cluster with what the scenes need.
pub struct Stage {
    place: Place,
    kubectl: PathBuf,
    helm: PathBuf,
    issuer: OnceCell<Issuer>,
}

/// The local cluster of that name.
pub fn cluster(name: &str) -> Result<Node, Trouble> {
    Ok(Node::named(name)?)
}

impl Stage {
    /// Brings the local cluster up, or proves the given one fit.
    pub fn at(place: Place) -> Result<Self, Trouble> {
        if let Place::Local { name, is_built } = &place {
            // First of all: it says at once when we may not.
            let node = cluster(name)?;
            node.up(0)?;
            // The very image that is shipped, known without a registry.
            if !is_built {
                ship()?;
            }
            for image in IMAGES {
                node.load(&root().join("target/dist").join(image))?;
            }
            say(&format!(
                "   cluster {name}: Kubernetes with one node, DNS, Prometheus and a gateway, on this machine alone\n"
            ));
        }
        let kubectl = fetch()?.kubernetes("kubectl");
        let stage = Self { place, kubectl, helm: fetch_helm()?, issuer: OnceCell::new() };
        if let Place::Given { context, .. } = &stage.place {
            given::check(&stage, context)?;
        }
        Ok(stage)
    }

    /// Who signs this demo's tokens, with a key that lives as long as it does.
    pub(crate) fn issuer(&self) -> Result<&Issuer, Trouble> {
        if let Some(issuer) = self.issuer.get() {
            return Ok(issuer);
        }
        let issuer = Issuer::new(NAME, "demo");
        let issuer =
            issuer.map_err(|error| Trouble::Wrong(format!("the test issuer's key cannot be made: {error}")))?;
        Ok(self.issuer.get_or_init(|| issuer))
    }

    /// The folder of a chart, and what it must be told.
    pub fn chart(&self, name: &str) -> (PathBuf, Vec<String>) {
        match &self.place {
            Place::Local { .. } => {
                let source = "--set-string=prometheus.url=http://prometheus.monitoring:9090".to_owned();
                let values = if name == "hashinsight" { vec![source] } else { Vec::new() };
                (root().join("target/dist/charts").join(name), values)
            }
            Place::Given { image, .. } if name == "hashinsight" => {
                let values = [("repository", &image.repository), (image.by, &image.which)];
                let set = values.map(|(value, to)| format!("--set-string=image.{value}={to}"));
                (root().join("charts").join(name), set.into())
            }
            Place::Given { .. } => (root().join("charts").join(name), Vec::new()),
        }
    }

    /// Runs kubectl with the command shown as a person would type it, and its
    /// output below.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, Trouble> {
        show("kubectl", arguments);
        let text = self.ask("kubectl", arguments)?;
        text.lines().for_each(told);
        Ok(text)
    }

    /// Runs helm with the command shown; what it told is the caller's.
    pub fn helm(&self, arguments: &[&str]) -> Result<String, Trouble> {
        show("helm", arguments);
        self.ask("helm", arguments)
    }

    /// Runs kubectl or helm without a word.
    pub fn ask(&self, program: &'static str, arguments: &[&str]) -> Result<String, Trouble> {
        run(self.command(program)?, arguments)
    }

    /// kubectl with whatever context is current.
    pub(crate) fn without_context(&self, arguments: &[&str]) -> Result<String, Trouble> {
        run(Command::new(&self.kubectl), arguments)
    }

    /// Runs the shipped command line on this cluster, with the command shown.
    /// Each line it tells goes to `each` at once. Returns the exit code, which
    /// must be one of an answer.
    pub(crate) fn hashinsight(&self, arguments: &[&str], mut each: impl FnMut(&str)) -> Result<i32, Trouble> {
        show("hashinsight", arguments);
        let program = root().join("target/dist/cli/hashinsight");
        // The cluster is the one kubectl is told of.
        let kubectl = self.command("kubectl")?;
        let mut command = Command::new(program);
        command.envs(kubectl.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.args(arguments).current_dir(root()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let spawn = |source| Trouble::Spawn { program: "hashinsight".to_owned(), source };
        let mut child = command.spawn().map_err(spawn)?;
        let out = child.stdout.take().map(BufReader::new);
        out.into_iter().flat_map(BufRead::lines).map_while(Result::ok).for_each(|line| each(&line));
        let output = child.wait_with_output().map_err(spawn)?;
        match output.status.code() {
            // Allowed, refused, deferred.
            Some(code @ (0 | 1 | 3)) => Ok(code),
            // That the gate cannot tell is a verdict, too.
            Some(2) if arguments.starts_with(&["gate", "check"]) => Ok(2),
            _ => Err(Trouble::Command {
                command: format!("hashinsight {}", arguments.join(" ")),
                told: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            }),
        }
    }

    /// A port of this machine that leads to an address in the demo's own cluster.
    pub(crate) fn forward(&self, to: SocketAddr) -> Result<SocketAddr, Trouble> {
        match &self.place {
            Place::Local { name, .. } => Ok(cluster(name)?.forward(to)?),
            Place::Given { .. } => Err(Trouble::Wrong("only the demo's own cluster is entered".to_owned())),
        }
    }

    pub(crate) fn command(&self, program: &'static str) -> Result<Command, Trouble> {
        let kubectl = program == "kubectl";
        Ok(match &self.place {
            Place::Local { name, .. } if kubectl => cluster(name)?.kubectl()?,
            Place::Local { name, .. } => cluster(name)?.helm()?,
            Place::Given { context, .. } => {
                let mut command = Command::new(if kubectl { &self.kubectl } else { &self.helm });
                command.args([if kubectl { "--context" } else { "--kube-context" }, context]);
                command
            }
        })
    }

    /// Asks again and again until `probe` gives a value; its last complaint is
    /// what is told otherwise, with `look` as the next command.
    pub fn eventually<T>(
        &self,
        what: &str,
        within: Duration,
        look: &str,
        mut probe: impl FnMut() -> Result<T, String>,
    ) -> Result<T, Trouble> {
        let begun = Instant::now();
        loop {
            match probe() {
                Ok(value) => return Ok(value),
                Err(seen) if begun.elapsed() > within => {
                    let (what, look) = (what.to_owned(), look.to_owned());
                    return Err(Trouble::NotInTime { what, seconds: within.as_secs(), seen, look });
                }
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    /// What a person may do now.
    pub fn next(&self) -> String {
        match &self.place {
            Place::Local { name, .. } => format!(
                "The cluster is yours to play with:\n\n  \
                 eval \"$(target/debug/localcluster env --name {name})\"\n{PLAY}\n  \
                 make down                                    # removes the cluster and all it made"
            ),
            Place::Given { context, .. } => format!(
                "Your cluster is yours to play with:\n\n  kubectl config use-context {context}\n{PLAY}\n\n\
                 To remove what was installed, the customers first:\n\n  \
                 kubectl patch tenant acme borealis cumulus --type=merge -p '{{\"spec\":{{\"deletionPolicy\":\"Erase\"}}}}'\n  \
                 kubectl delete tenant acme borealis cumulus\n  \
                 helm uninstall hashinsight-defaults hashinsight -n hashinsight-system\n  \
                 kubectl delete crd tenants.hashinsight.net tenantplans.hashinsight.net tenantsummaries.hashinsight.net \
                 servicelevelobjectives.hashinsight.net errorbudgetpolicies.hashinsight.net changenotices.hashinsight.net incidents.hashinsight.net calculationcores.hashinsight.net rolloutactions.hashinsight.net\n  \
                 kubectl delete namespace hashinsight-system"
            ),
        }
    }
}

const PLAY: &str = "  \
    kubectl get tenants
  kubectl get hashinsight -n tenant-acme       # what acme's people see
  kubectl describe tenant borealis             # conditions and events
  kubectl explain tenant.spec
  kubectl delete tenant cumulus                # its policy is Erase: all of it goes";

pub(crate) fn run(mut command: Command, arguments: &[&str]) -> Result<String, Trouble> {
    let program = Path::new(command.get_program()).file_name().map(OsStr::to_string_lossy);
    let program = program.unwrap_or_default().into_owned();
    let output = command.args(arguments).current_dir(root()).stdin(Stdio::null()).output();
    let output = output.map_err(|source| Trouble::Spawn { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Trouble::Command {
        command: format!("{program} {}", arguments.join(" ")),
        told: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// Builds what is shipped, with the build's own progress in sight.
fn ship() -> Result<(), Trouble> {
    let spawn = |source| Trouble::Spawn { program: "cargo".to_owned(), source };
    let status = Command::new("cargo").args(["xtask", "dist"]).current_dir(root()).status().map_err(spawn)?;
    let told = || "its output is above".to_owned();
    if status.success() {
        Ok(())
    } else {
        Err(Trouble::Command { command: "cargo xtask dist".to_owned(), told: told() })
    }
}

/// Shows a line that a command told.
pub(crate) fn told(line: &str) {
    say(&format!("     {line}\n"));
}

pub(crate) fn show(program: &str, arguments: &[&str]) {
    say(&format!("   $ {program} {}\n", arguments.iter().map(|a| relative(a)).collect::<Vec<_>>().join(" ")));
}

/// A path in the repository as a person there would type it.
fn relative(argument: &str) -> String {
    let path = Path::new(argument).strip_prefix(root()).map(|path| path.display().to_string());
    path.unwrap_or_else(|_| if argument.contains(['{', ' ']) { format!("'{argument}'") } else { argument.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_or_refused() {
        let hex = "a".repeat(64);
        let read = |text: &str| text.parse::<Reference>();
        let digest = read(&format!("registry.example:5000/op@sha256:{hex}")).unwrap();
        assert_eq!((digest.repository.as_str(), digest.by), ("registry.example:5000/op", "digest"));
        let tag = read("registry.example:5000/op:1").unwrap();
        assert_eq!((tag.repository.as_str(), tag.by, tag.which.as_str()), ("registry.example:5000/op", "tag", "1"));
        for wrong in ["", "op", "registry.example:5000/op", "op@sha256:12", "@sha256:", "op:", ":1"] {
            assert!(matches!(read(wrong), Err(Trouble::Image(_))), "{wrong}");
        }
    }
}
