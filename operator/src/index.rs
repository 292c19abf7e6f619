//! An index of what a watch has shown, with bodies reduced by the caller.
//! Newer versions win, so an answer to our own write may be put in at once
//! and the watch's older echo changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use kube::runtime::watcher::Event;

use crate::watch::News;

/// Whether the index may be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nothing listed yet.
    Pending,
    /// Complete as of some moment.
    Synced,
    /// The watch is refused; the text says what is missing.
    Refused(String),
}

#[derive(Clone, Debug)]
struct Entry<V> {
    version: u64,
    value: V,
}

/// What some news of a watch changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<K> {
    /// The values of these keys.
    Keys(Vec<K>),
    /// Whether the index may be believed at all.
    Everything,
}

/// Values by key, as last seen.
#[derive(Debug)]
pub struct Index<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    listed: Option<BTreeSet<K>>,
    /// The newest version the watch has shown.
    watched: u64,
    trust: Trust,
}

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), listed: None, watched: 0, trust: Trust::Pending }
    }
}

impl<K: Ord + Clone, V: PartialEq> Index<K, V> {
    /// Whether the index may be believed.
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Takes in what a watch told. `reduce` gives key, version and value of an
    /// object, or `None` for one that does not concern us.
    pub fn take<O>(&mut self, news: News<O>, reduce: impl Fn(&O) -> Option<(K, u64, V)>) -> Change<K> {
        let keys = match news {
            News::Refused(missing) => {
                return if self.refuse(missing) { Change::Everything } else { Change::Keys(Vec::new()) };
            }
            News::Event(Event::Init) => {
                self.begin();
                Vec::new()
            }
            News::Event(Event::InitApply(object) | Event::Apply(object)) => reduce(&object)
                .and_then(|(key, version, value)| self.put(key.clone(), version, value).then_some(key))
                .into_iter()
                .collect(),
            News::Event(Event::InitDone) => {
                let heals = matches!(self.trust, Trust::Refused(_));
                let gone = self.finish();
                if heals {
                    return Change::Everything;
                }
                gone
            }
            News::Event(Event::Delete(object)) => reduce(&object)
                .and_then(|(key, version, _)| self.remove(&key, version).then_some(key))
                .into_iter()
                .collect(),
        };
        Change::Keys(keys)
    }

    /// The watch was refused. Returns whether that is news.
    fn refuse(&mut self, missing: String) -> bool {
        let refused = Trust::Refused(missing);
        let news = self.trust != refused && self.trust != Trust::Pending;
        self.trust = refused;
        news
    }

    /// A fresh list begins.
    fn begin(&mut self) {
        self.listed = Some(BTreeSet::new());
    }

    /// The fresh list is complete: what it did not hold is gone. Returns the
    /// keys that went.
    fn finish(&mut self) -> Vec<K> {
        self.trust = Trust::Synced;
        let Some(listed) = self.listed.take() else { return Vec::new() };
        let gone: Vec<K> = self.entries.keys().filter(|k| !listed.contains(k)).cloned().collect();
        for key in &gone {
            self.entries.remove(key);
        }
        gone
    }

    /// Sees `value` at `version`. Returns whether that is news: before the
    /// first list is complete nobody waits for any.
    fn put(&mut self, key: K, version: u64, value: V) -> bool {
        self.watched = self.watched.max(version);
        if let Some(listed) = &mut self.listed {
            listed.insert(key.clone());
        }
        self.store(key, version, value) && self.trust != Trust::Pending
    }

    /// Sees the server's answer to our own write. An answer the watch has
    /// overtaken is of an object that is gone again, unless it is still here.
    pub fn wrote(&mut self, key: K, version: u64, value: V) {
        if self.entries.contains_key(&key) || version > self.watched {
            self.store(key, version, value);
        }
    }

    /// We deleted `key`.
    pub fn deleted(&mut self, key: &K) {
        self.entries.remove(key);
    }

    fn store(&mut self, key: K, version: u64, value: V) -> bool {
        match self.entries.get_mut(&key) {
            Some(entry) if version < entry.version => false,
            Some(entry) => {
                let changed = entry.value != value;
                *entry = Entry { version, value };
                changed
            }
            None => {
                self.entries.insert(key, Entry { version, value });
                true
            }
        }
    }

    /// Sees that `key` was deleted at `version`. Returns whether it was there.
    fn remove(&mut self, key: &K, version: u64) -> bool {
        self.watched = self.watched.max(version);
        let newer = self.entries.get(key).is_some_and(|entry| entry.version <= version);
        newer && self.entries.remove(key).is_some()
    }

    /// The value as last seen.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// All keys with their values.
    pub fn entries(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, entry)| (key, &entry.value))
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values().map(|entry| &entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synced() -> Index<&'static str, &'static str> {
        let mut index = Index::default();
        index.finish();
        index
    }

    #[test]
    fn a_refusal_and_its_end_concern_everything() {
        let mut index: Index<&str, u8> = Index::default();
        let mut take = |news| index.take(news, |(key, value): &(&'static str, u8)| Some((*key, 1, *value)));
        let refused = || News::Refused("may not list".to_owned());
        assert_eq!(take(refused()), Change::Keys(vec![]), "nobody has begun yet");
        take(News::Event(Event::Init));
        take(News::Event(Event::InitApply(("a", 1))));
        assert_eq!(take(News::Event(Event::InitDone)), Change::Everything);
        assert_eq!(take(News::Event(Event::Apply(("b", 1)))), Change::Keys(vec!["b"]));
        assert_eq!(take(News::Event(Event::Delete(("b", 1)))), Change::Keys(vec!["b"]));
        assert_eq!(take(refused()), Change::Everything);
        assert_eq!(take(refused()), Change::Keys(vec![]), "said already");
    }

    #[test]
    fn an_older_echo_changes_nothing() {
        let mut index = synced();
        assert!(index.put("a", 5, "new"));
        assert!(!index.put("a", 4, "old"));
        assert_eq!(index.get(&"a"), Some(&"new"));
        assert!(!index.remove(&"a", 4), "an older deletion is of an earlier object");
        assert!(index.remove(&"a", 6));
    }

    #[test]
    fn a_late_answer_to_our_write_plants_no_ghost() {
        let mut index = synced();
        index.put("a", 10, "made");
        index.remove(&"a", 11);
        index.wrote("a", 10, "made");
        assert_eq!(index.get(&"a"), None);
        index.wrote("a", 12, "made again");
        assert_eq!(index.get(&"a"), Some(&"made again"));
        index.deleted(&"a");
        assert_eq!(index.get(&"a"), None);
    }

    #[test]
    fn equal_content_is_no_change() {
        let mut index = synced();
        index.put("a", 5, "same");
        assert!(!index.put("a", 6, "same"));
    }

    #[test]
    fn a_fresh_list_removes_what_it_does_not_hold() {
        let mut index = Index::default();
        assert_eq!(*index.trust(), Trust::Pending);
        index.begin();
        assert!(!index.put("a", 1, ()), "no news before the first list is complete");
        index.put("b", 1, ());
        assert!(index.finish().is_empty());
        assert_eq!(*index.trust(), Trust::Synced);
        index.begin();
        index.put("b", 1, ());
        assert_eq!(index.finish(), ["a"]);
        assert_eq!(index.values().count(), 1);
    }
}
