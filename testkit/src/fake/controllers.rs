//! What the cluster's own controllers would do, as far as the product meets it:
//! namespaces that end, objects whose owner is gone, pods of deployments, and
//! gateways that take routes, one step at a time, so
//! that a test may look between; and quotas' figures, at once, so that what a
//! run writes does not hang on who was faster.

use serde_json::{Value, json};

use super::store::{Key, Store};

impl Store {
    /// Does one thing that is due. Returns whether there was one.
    pub(super) fn control(&mut self) -> bool {
        self.end_namespace() || self.collect_garbage() || self.run_deployment() || self.take_route()
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

    /// A deployment gets a pod more, or one less. What its image is called says
    /// how its pods fare: `never` becomes ready.
    fn run_deployment(&mut self) -> bool {
        let (Some(deployments), Some(pods)) = (self.place_of("apps", "deployments"), self.place_of("", "pods")) else {
            return false;
        };
        let all: Vec<(Key, Value)> =
            self.objects.iter().filter(|(key, _)| key.0 == deployments).map(|(k, o)| (k.clone(), o.clone())).collect();
        for (key, deployment) in all {
            let uid = &deployment["metadata"]["uid"];
            let own: Vec<Key> = self
                .objects
                .iter()
                .filter(|(pod, object)| pod.0 == pods && object["metadata"]["ownerReferences"][0]["uid"] == *uid)
                .map(|(pod, _)| pod.clone())
                .collect();
            let wanted = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
            if own.len() as u64 > wanted {
                own.last().cloned().into_iter().for_each(|last| self.remove(&last));
                return true;
            }
            if (own.len() as u64) < wanted {
                let free = (0..).map(|n| (pods, key.1.clone(), format!("{}-{n}", key.2)));
                let name = free.into_iter().find(|name| !own.contains(name)).unwrap_or_else(|| key.clone());
                let pod = self.pod(&deployment, &name);
                self.commit(name, Some(pod));
                return true;
            }
        }
        false
    }

    fn pod(&mut self, deployment: &Value, (_, namespace, name): &Key) -> Value {
        let template = &deployment["spec"]["template"];
        let runs = !template["spec"]["containers"][0]["image"].as_str().unwrap_or_default().contains("never");
        let waits = json!({"waiting": {"reason": "ImagePullBackOff"}});
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": name, "namespace": namespace, "uid": self.uid(), "generation": 1,
                "creationTimestamp": deployment["metadata"]["creationTimestamp"],
                "labels": template["metadata"]["labels"],
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment["metadata"]["name"],
                    "uid": deployment["metadata"]["uid"], "controller": true}],
            },
            "spec": template["spec"],
            "status": {
                "podIP": name,
                "conditions": [{"type": "Ready", "status": if runs { "True" } else { "False" }}],
                "containerStatuses": [{"name": "c", "restartCount": 0, "state": if runs { json!({"running": {}}) } else { waits }}],
            },
        })
    }

    /// A gateway called `edge` takes every route that names it, as it is.
    fn take_route(&mut self) -> bool {
        let Some(routes) = self.place_of("gateway.networking.k8s.io", "httproutes") else { return false };
        let due = self.objects.iter().find(|(key, route)| {
            let seen = &route["status"]["parents"][0]["conditions"][0]["observedGeneration"];
            key.0 == routes
                && route["spec"]["parentRefs"][0]["name"] == "edge"
                && *seen != route["metadata"]["generation"]
        });
        let Some((key, route)) = due.map(|(key, route)| (key.clone(), route.clone())) else { return false };
        let mut taken = route;
        let generation = taken["metadata"]["generation"].clone();
        let conditions = ["Accepted", "ResolvedRefs"]
            .map(|type_| json!({"type": type_, "status": "True", "observedGeneration": generation}));
        taken["status"] = json!({"parents": [{"parentRef": {"name": "edge"}, "conditions": conditions}]});
        self.commit(key, Some(taken));
        true
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
