//! What can end a demo early, each with what to do.

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The local cluster could not be had.
    #[error(transparent)]
    Cluster(#[from] localcluster::Error),
    /// A program could not be started.
    #[error("cannot start `{program}`: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A command the demo shows failed.
    #[error("`{command}` failed:\n{told}")]
    Command {
        /// As a person would type it.
        command: String,
        /// What it told.
        told: String,
    },
    /// There is no such context.
    #[error(
        "no context {name:?} in the kubeconfig ({kubeconfig}); it has: {known}. Choose one: make demo CONTEXT=name IMAGE=…"
    )]
    Context {
        /// As asked for.
        name: String,
        /// Where we looked.
        kubeconfig: String,
        /// What there is.
        known: String,
    },
    /// The cluster cannot be reached.
    #[error("the cluster of context {context:?} does not answer: {told}\nTry: kubectl --context {context} version")]
    Unreachable {
        /// Its context.
        context: String,
        /// What kubectl told.
        told: String,
    },
    /// The cluster is too old.
    #[error(
        "the cluster of context {context:?} is Kubernetes {found}, and 1.36 or newer is needed; nothing was changed in it"
    )]
    TooOld {
        /// Its context.
        context: String,
        /// Version found.
        found: String,
    },
    /// We may not install there.
    #[error("with context {context:?} you may not {what}; installing needs an administrator. Nothing was changed")]
    Forbidden {
        /// The context.
        context: String,
        /// What is not allowed.
        what: &'static str,
    },
    /// An image name that is none.
    #[error(
        "IMAGE={0:?} is no image reference; write REGISTRY/PATH@sha256:… (best) or REGISTRY/PATH:TAG, as your cluster can pull it"
    )]
    Image(String),
    /// A cluster of the user's needs an image it can pull.
    #[error(
        "with CONTEXT the cluster must be able to pull the operator's image: `make dist` writes it to target/dist/hashinsight-operator.tar; push it to your registry, then: make demo CONTEXT={context} IMAGE=REGISTRY/PATH@sha256:…"
    )]
    NoImage {
        /// The context.
        context: String,
    },
    /// What should have come did not.
    #[error("{what} within {seconds} s; last seen:\n{seen}\nLook: {look}")]
    NotInTime {
        /// What did not come.
        what: String,
        /// How long it was waited for.
        seconds: u64,
        /// Last state.
        seen: String,
        /// Next command.
        look: String,
    },
    /// What must not be was.
    #[error("{0}")]
    Wrong(String),
}
