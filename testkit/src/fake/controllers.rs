//! What kube-controller-manager would do, as far as the product meets it:
//! namespaces that end and objects whose owner is gone, one step at a time, so
//! that a test may look between; and quotas' figures, at once, so that what a
//! run writes does not hang on who was faster.

use serde_json::{Value, json};

use super::store::{Key, Store};

impl Store {
    /// Does one thing that is due. Returns whether there was one.
    pub(super) fn control(&mut self) -> bool {
        self.end_namespace() || self.collect_garbage()
    }

    /// A namespace that ends is emptied, object by object, then let go.
    fn end_namespace(&mut self) -> bool {
        let Some(namespaces) = self.place_of("", "namespaces") else { return false };
        let ending: Vec<Key> = self
            .objects
            .iter()
            .filter(|(key, object)| key.0 == namespaces && !object["metadata"]["deletionTimestamp"].is_null())
            .map(|(key, _)| key.clone())
            .collect();
        for namespace in ending {
            let inside = self.objects.iter().find(|(key, object)| {
                let waits = held(object) && !object["metadata"]["deletionTimestamp"].is_null();
                key.1 == namespace.2 && !waits
            });
            if let Some(key) = inside.map(|(key, _)| key.clone()) {
                self.remove(&key);
                return true;
            }
            let empty = !self.objects.keys().any(|key| key.1 == namespace.2);
            let object = &self.objects[&namespace];
            if empty && !object["spec"]["finalizers"].is_null() {
                let mut last = object.clone();
                last["spec"] = json!({});
                let gone = last["metadata"]["finalizers"].is_null();
                if gone {
                    self.commit(namespace, None)
                } else {
                    self.commit(namespace, Some(last))
                };
                return true;
            }
        }
        false
    }

    /// An object of which every owner is gone goes, too.
    fn collect_garbage(&mut self) -> bool {
        let orphan = self.objects.iter().find(|(key, object)| {
            let owners = object["metadata"]["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default();
            let waits = !object["metadata"]["deletionTimestamp"].is_null();
            !owners.is_empty() && !waits && !owners.iter().any(|owner| self.is_there(key, owner))
        });
        let Some(key) = orphan.map(|(key, _)| key.clone()) else { return false };
        self.remove(&key);
        true
    }

    /// An owner is looked for by uid, in the object's namespace or cluster-wide.
    fn is_there(&self, of: &Key, owner: &Value) -> bool {
        self.objects
            .iter()
            .any(|(key, object)| (key.1.is_empty() || key.1 == of.1) && object["metadata"]["uid"] == owner["uid"])
    }

    /// Deletes, or marks what a finalizer holds.
    fn remove(&mut self, key: &Key) {
        let object = self.objects[key].clone();
        if !held(&object) {
            self.commit(key.clone(), None);
        } else if object["metadata"]["deletionTimestamp"].is_null() {
            let mut marked = object;
            marked["metadata"]["deletionTimestamp"] = marked["metadata"]["creationTimestamp"].clone();
            marked["metadata"]["deletionGracePeriodSeconds"] = json!(0);
            if let Some(generation) = marked["metadata"]["generation"].as_i64() {
                marked["metadata"]["generation"] = json!(generation + 1);
            }
            self.commit(key.clone(), Some(marked));
        }
    }

    /// A quota tells what it allows and what is used; of use, pods alone are
    /// counted here.
    pub(super) fn count_quota(&mut self) -> bool {
        let (Some(quotas), Some(pods)) = (self.place_of("", "resourcequotas"), self.place_of("", "pods")) else {
            return false;
        };
        let keys: Vec<Key> = self.objects.keys().filter(|key| key.0 == quotas).cloned().collect();
        for key in keys {
            let object = &self.objects[&key];
            let hard = object["spec"]["hard"].clone();
            let count = self.objects.keys().filter(|pod| pod.0 == pods && pod.1 == key.1).count();
            let used = |name: &str| if name == "pods" { json!(count.to_string()) } else { json!("0") };
            let used: serde_json::Map<String, Value> =
                hard.as_object().into_iter().flatten().map(|(name, _)| (name.clone(), used(name))).collect();
            let status = if hard.is_null() { json!({}) } else { json!({"hard": hard, "used": used}) };
            if object["status"] != status {
                let mut told = object.clone();
                told["status"] = status;
                self.commit(key, Some(told));
                return true;
            }
        }
        false
    }
}

fn held(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty())
}
