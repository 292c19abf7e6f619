//! What the server holds, and all that ever happened to it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::kinds::Kind;
use super::refusal::Refusal;
use super::request::Request;

/// Kind by its place, namespace, name.
pub(super) type Key = (usize, String, String);

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It came.
    Added,
    /// It changed.
    Modified,
    /// It went.
    Deleted,
}

impl Event {
    pub(super) fn wire(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// One commit.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The store's revision after it.
    pub revision: u64,
    /// What happened.
    pub event: Event,
    /// The object after it; as it last was for one that went.
    pub object: Value,
    /// Plural of its kind.
    pub plural: String,
    pub(super) key: Key,
}

impl Commit {
    /// `plural namespace/name`.
    pub fn of(&self) -> String {
        format!("{} {}/{}", self.plural, self.key.1, self.key.2)
    }
}

/// Objects, revision and history.
pub(super) struct Store {
    pub(super) kinds: Vec<Kind>,
    pub(super) objects: BTreeMap<Key, Value>,
    pub(super) revision: u64,
    pub(super) log: Vec<Commit>,
    /// Watches from before this revision are told 410.
    pub(super) compacted: u64,
    /// Objects that were stored without the defaults of their status: those are
    /// added when they are read, and stored with the next write, even one that
    /// changes nothing.
    pub(super) raw: BTreeSet<Key>,
    made: u64,
}

impl Store {
    pub(super) fn new(kinds: Vec<Kind>) -> Self {
        // Not from 1: a version that was never given must not look like one.
        Self {
            kinds,
            objects: BTreeMap::new(),
            revision: 100,
            log: Vec::new(),
            compacted: 0,
            raw: BTreeSet::new(),
            made: 0,
        }
    }

    /// The kind a request is about.
    pub(super) fn kind_of(&self, request: &Request) -> Result<usize, Refusal> {
        let served = |kind: &Kind| kind.group == request.group && kind.plural == request.plural;
        self.kinds.iter().position(served).ok_or_else(Refusal::unserved)
    }

    pub(super) fn place_of(&self, group: &str, plural: &str) -> Option<usize> {
        self.kinds.iter().position(|kind| kind.group == group && kind.plural == plural)
    }

    /// A fresh uid: the same in every run.
    pub(super) fn uid(&mut self) -> String {
        self.made += 1;
        format!("00000000-0000-4000-8000-{:012}", self.made)
    }

    pub(super) fn namespace(&self, name: &str) -> Option<&Value> {
        let namespaces = self.place_of("", "namespaces")?;
        self.objects.get(&(namespaces, String::new(), name.to_owned()))
    }

    /// Puts the object there, or takes it away; the one place where a revision
    /// is spent.
    pub(super) fn commit(&mut self, key: Key, object: Option<Value>) -> Value {
        self.revision += 1;
        let before = self.objects.remove(&key);
        self.raw.remove(&key);
        let event = match (&before, &object) {
            (None, _) => Event::Added,
            (Some(_), Some(_)) => Event::Modified,
            (Some(_), None) => Event::Deleted,
        };
        let mut after = object.clone().or(before).unwrap_or_default();
        after["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        if object.is_some() {
            self.objects.insert(key.clone(), after.clone());
        }
        let plural = self.kinds[key.0].plural.clone();
        self.log.push(Commit { revision: self.revision, event, object: after.clone(), plural, key });
        after
    }

    /// Where in the history that begins which came after `revision`.
    pub(super) fn first_after(&self, revision: u64) -> usize {
        self.log.partition_point(|commit| commit.revision <= revision)
    }

    /// The objects of a kind as they were at `revision`.
    pub(super) fn at(&self, kind: usize, revision: u64) -> BTreeMap<Key, Value> {
        let mut objects = BTreeMap::new();
        for commit in self.log.iter().filter(|c| c.key.0 == kind && c.revision <= revision) {
            match commit.event {
                Event::Deleted => objects.remove(&commit.key),
                Event::Added | Event::Modified => objects.insert(commit.key.clone(), commit.object.clone()),
            };
        }
        objects
    }
}
