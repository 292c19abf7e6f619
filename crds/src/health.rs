//! Health of any of our objects from what it says of itself: the contract all
//! tools agree on, once more for our own pages and commands.

use serde_json::Value;

use crate::conditions::{READY, STALLED};

/// How an object stands; worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Nothing will change without a person.
    Stalled,
    /// Under way, not looked at yet, or being deleted.
    Working,
    /// As wanted.
    Ready,
}

impl Health {
    /// All of them, worst first.
    pub const ALL: [Self; 3] = [Self::Stalled, Self::Working, Self::Ready];

    /// Judges an object as the API server has it.
    pub fn of(object: &Value) -> Self {
        let (metadata, status) = (&object["metadata"], &object["status"]);
        let deleting = !metadata["deletionTimestamp"].is_null();
        if deleting || status["observedGeneration"] != metadata["generation"] {
            return Self::Working;
        }
        let is = |type_| condition(object, type_).is_some_and(|condition| condition["status"] == "True");
        if is(STALLED) {
            Self::Stalled
        } else if is(READY) {
            Self::Ready
        } else {
            Self::Working
        }
    }

    /// The name in tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stalled => "Stalled",
            Self::Working => "Working",
            Self::Ready => "Ready",
        }
    }
}

/// The condition of that type.
pub fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == type_)
}
