//! What can go wrong between a client and the server: each fault is named,
//! decided by the test, and the same in every run.

use std::collections::{BTreeMap, BTreeSet};

use super::refusal::Refusal;
use super::request::Request;
use super::store::Commit;

/// One call that may change something, as a fault is decided for it.
pub struct Call<'a> {
    /// Who calls.
    pub client: &'a str,
    /// How many calls that may change something this client made before.
    pub number: usize,
    /// The request.
    pub request: &'a Request,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The client dies before the request leaves it.
    CrashBeforeSend,
    /// The server commits, and the client dies before the answer.
    CrashAfterCommit,
    /// The client dies with the answer in its hands.
    CrashAfterReply,
    /// The server refuses: 409, 429, 500, 503.
    Refused(Refusal),
    /// The server commits, and something between tells of a failure.
    LostReply(Refusal),
}

/// What happens to an event of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchFault {
    /// Nothing.
    None,
    /// The event is never seen; the next one is.
    Dropped,
    /// The event comes twice.
    Twice,
    /// The watch ends before it.
    Closed,
    /// The watch ends with 410: what it wanted is compacted.
    Expired,
}

type OnCall = Box<dyn FnMut(&Call<'_>) -> Fault + Send>;
type OnEvent = Box<dyn FnMut(&str, &Commit) -> WatchFault + Send>;

/// All faults in force.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) on_call: Option<OnCall>,
    pub(super) on_event: Option<OnEvent>,
    /// Lists and watches of these plurals show nothing after that revision.
    pub(super) frozen: BTreeMap<String, u64>,
    /// Verbs that are refused, as RBAC names them, with the plural.
    pub(super) forbidden: BTreeSet<(String, String)>,
}

impl Faults {
    pub(super) fn permit(&self, client: &str, request: &Request) -> Result<(), Refusal> {
        let resource = match request.subresource.as_str() {
            "" => request.plural.clone(),
            subresource => format!("{}/{subresource}", request.plural),
        };
        if !self.forbidden.contains(&(request.verb.rbac().to_owned(), resource.clone())) {
            return Ok(());
        }
        let group = &request.group;
        let message = format!(
            "{resource} {:?} is forbidden: User {client:?} cannot {} resource {resource:?} in API group {group:?}",
            request.name,
            request.verb.rbac(),
        );
        Err(Refusal::new(403, "Forbidden", message))
    }
}
