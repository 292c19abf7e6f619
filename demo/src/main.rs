//! `demo`: the product on a real cluster, scene by scene.

#![allow(clippy::print_stderr, reason = "it talks to the person")]
#![allow(clippy::disallowed_methods, reason = "a demo runs programs")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use demo::{Place, Trouble, cluster, play, rollouts};
use localcluster::node::{State, continue_as_part};

/// Name of the local cluster.
const NAME: &str = "demo";

#[derive(Parser)]
#[command(
    version,
    about = "Shows the product on a real cluster, scene by scene",
    after_help = "Examples:\n  \
        demo                                         on a cluster of its own on this machine, as root\n  \
        demo --context name --image REPO@sha256:…    on a cluster you have\n  \
        demo rollouts --count 20                     healthy versions under load, one after the other\n  \
        demo down                                    removes its own cluster\n\n\
        Exit codes: 0 all scenes played, 1 one failed, 2 wrong usage."
)]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// A context of your kubeconfig, to play there; empty for a cluster on this machine
    #[arg(long, default_value = "")]
    context: String,
    /// The operator's image as that cluster can pull it
    #[arg(long, default_value = "")]
    image: String,
    /// Name of its own cluster, for tests
    #[arg(long, default_value = NAME, hide = true, global = true)]
    name: String,
    /// What `make dist` wrote is current, for tests
    #[arg(long, hide = true, global = true)]
    built: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// Remove the demo's own cluster and all it made
    Down,
    /// Roll out healthy versions under load; no request may fail
    Rollouts {
        /// How many
        #[arg(long, default_value_t = 20)]
        count: u64,
    },
}

fn main() -> ExitCode {
    if let Some(code) = continue_as_part() {
        return code;
    }
    let arguments = Arguments::parse();
    let is_local = !matches!(arguments.verb, Some(Verb::Down)) && arguments.context.is_empty();
    let name = arguments.name.clone();
    let result = match arguments.verb {
        Some(Verb::Rollouts { count }) => {
            rollouts(Place::Local { name: name.clone(), is_built: arguments.built }, count)
        }
        Some(Verb::Down) => cluster(&name).and_then(|node| Ok(node.down()?)),
        None => place(arguments).and_then(play),
    };
    let Err(trouble) = result else { return ExitCode::SUCCESS };
    eprintln!("\ndemo: {trouble}");
    if is_local && cluster(&name).is_ok_and(|node| node.state() == State::Ready) {
        eprintln!("The cluster is left as it is, for a look; `make down` removes it.");
    }
    ExitCode::FAILURE
}

fn place(Arguments { context, image, name, built, .. }: Arguments) -> Result<Place, Trouble> {
    match (context.is_empty(), image.is_empty()) {
        (true, false) => {
            Err(Trouble::Wrong("IMAGE is for a cluster you have; name it: make demo CONTEXT=name IMAGE=…".to_owned()))
        }
        (true, true) => Ok(Place::Local { name, is_built: built }),
        (false, true) => Err(Trouble::NoImage { context }),
        (false, false) => Ok(Place::Given { image: image.parse()?, context }),
    }
}
