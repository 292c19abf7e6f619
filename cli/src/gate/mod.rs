//! Release gates: evidence in, one verdict out. What is decided is decided by
//! `hashinsight_gates`; here files are read and words are printed.

pub mod arguments;
mod check;
mod explain;
mod files;
mod golden;
mod init;
mod verify;

use hashinsight_crds::text::Language;
use hashinsight_gates::words::Tongue;
use jiff::Timestamp;

use crate::arguments::Global;
use crate::output::Answer;
use crate::trouble::{Exit, Trouble};
use arguments::Gate;
pub use golden::golden;

/// `gate` and what follows; none when all is printed already.
pub fn answer(verb: &Gate, global: &Global) -> Result<(Option<Answer>, Exit), Trouble> {
    let answer = match verb {
        Gate::Check(asked) => return check::perform(asked, global).map(|exit| (None, exit)),
        Gate::Verify(asked) => verify::answer(asked, global)?,
        Gate::Explain { policy_text: true, .. } => explain::policy(),
        Gate::Explain { check, .. } => explain::answer(check.as_deref(), global)?,
        Gate::Waivers { asked } => explain::waivers(asked, global)?,
        Gate::Init { pipeline, .. } => init::answer(*pipeline, global.language),
        Gate::Index { folder, commit, artifact } => files::index(folder, commit, artifact.as_deref())?,
    };
    let exit = answer.exit;
    Ok((Some(answer), exit))
}

fn tongue(language: Language) -> Tongue {
    match language {
        Language::English => Tongue::En,
        Language::Chinese => Tongue::Zh,
    }
}

/// The time it is, to the second, or is to be taken for.
fn now(at: Option<Timestamp>) -> Timestamp {
    let now = || Timestamp::now().as_second();
    at.unwrap_or_else(|| Timestamp::from_second(now()).unwrap_or(Timestamp::UNIX_EPOCH))
}
