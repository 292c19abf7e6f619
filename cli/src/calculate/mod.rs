//! Mining economics, offline: the library computes, this reads, shows and
//! keeps records.

pub mod arguments;
mod curtail;
mod estimate;
pub mod files;
mod fleet;
mod heatmap;
mod project;
mod replay;
mod shown;
mod words;

use hashinsight_mining::Refusal;

use crate::arguments::Global;
use crate::output::Answer;
use crate::trouble::{Exit, Trouble};
use arguments::Fleet;

pub use estimate::answer as estimate;
pub use project::answer as project;
pub use replay::answer as replay;
pub use words::WORDS;

/// `fleet` and what follows; none when all is printed already.
pub fn fleet(verb: &Fleet, global: &Global) -> Result<Option<Answer>, Trouble> {
    match verb {
        Fleet::Template => fleet::template(global).map(|()| None),
        Fleet::Import { fleet, accepted } => fleet::import(fleet, accepted.as_deref(), global).map(Some),
        Fleet::Estimate(of) => fleet::estimate(of, global).map(Some),
        Fleet::Heatmap(of) => heatmap::answer(of, global).map(Some),
        Fleet::Curtail(of) => curtail::answer(of, global).map(Some),
        Fleet::SamplePrices { sample } => curtail::sample_prices(sample).map(|()| None),
    }
}

/// An input that the library refuses.
fn refused(refusal: &Refusal) -> Trouble {
    Trouble::new(
        Exit::Error,
        hashinsight_crds::text::text("this cannot be computed", "无法计算"),
        refusal.to_string(),
        "",
    )
}

/// Threads to compute with.
fn threads(asked: Option<u16>) -> usize {
    asked.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}
