//! What policies speak about: namespaces, pods, and selectors of them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::Value;

pub(super) type Labels = BTreeMap<String, String>;

/// A pod with an address of its own.
pub(super) struct Pod {
    pub(super) namespace: String,
    pub(super) address: Ipv4Addr,
    pub(super) labels: Labels,
    /// Its named ports: (name, protocol, number).
    pub(super) ports: Vec<(String, String, u64)>,
}

/// Everything at one moment.
#[derive(Default)]
pub(super) struct World {
    pub(super) namespaces: BTreeMap<String, Labels>,
    pub(super) pods: Vec<Pod>,
    pub(super) policies: Vec<Value>,
}

impl World {
    /// Reads objects as the API server gives them; what has no address, or the
    /// node's, or has ended, is left out.
    pub(super) fn of<'a>(objects: impl Iterator<Item = &'a Value>) -> Self {
        let mut world = Self::default();
        for object in objects {
            match object["kind"].as_str() {
                Some("Namespace") => {
                    world.namespaces.insert(text(&object["metadata"]["name"]), labels(&object["metadata"]["labels"]));
                }
                Some("Pod") => world.pods.extend(pod(object)),
                Some("NetworkPolicy") => world.policies.push(object.clone()),
                _ => {}
            }
        }
        // The order must not depend on that of events.
        world.pods.sort_by_key(|pod| pod.address);
        world
            .policies
            .sort_by_key(|policy| text(&policy["metadata"]["namespace"]) + "/" + &text(&policy["metadata"]["name"]));
        world
    }

    /// The pods a peer of a policy in `namespace` means; `None` for a peer that
    /// is a block of addresses.
    pub(super) fn peers(&self, namespace: &str, peer: &Value) -> Option<Vec<&Pod>> {
        if peer.get("ipBlock").is_some() {
            return None;
        }
        let (pods, namespaces) = (peer.get("podSelector"), peer.get("namespaceSelector"));
        let home = |of: &str| match namespaces {
            None => of == namespace,
            Some(selector) => self.namespaces.get(of).is_some_and(|labels| matches(selector, labels)),
        };
        let chosen = |pod: &&Pod| home(&pod.namespace) && pods.is_none_or(|selector| matches(selector, &pod.labels));
        Some(self.pods.iter().filter(chosen).collect())
    }
}

fn pod(object: &Value) -> Option<Pod> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let ended = matches!(status["phase"].as_str(), Some("Succeeded" | "Failed"));
    if spec["hostNetwork"] == true || ended {
        return None;
    }
    let containers = spec["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ports = containers.iter().flat_map(|c| c["ports"].as_array().map(Vec::as_slice).unwrap_or_default());
    let named =
        |port: &Value| Some((port["name"].as_str()?.to_owned(), protocol(port), port["containerPort"].as_u64()?));
    Some(Pod {
        namespace: text(&object["metadata"]["namespace"]),
        address: status["podIP"].as_str()?.parse().ok()?,
        labels: labels(&object["metadata"]["labels"]),
        ports: ports.filter_map(named).collect(),
    })
}

/// The protocol of a port, as nftables writes it.
pub(super) fn protocol(port: &Value) -> String {
    port["protocol"].as_str().unwrap_or("TCP").to_lowercase()
}

fn labels(value: &Value) -> Labels {
    value.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Whether a label selector chooses `labels`. An empty one chooses all; an
/// operator we do not know chooses nothing.
pub(super) fn matches(selector: &Value, labels: &Labels) -> bool {
    let equal = selector["matchLabels"].as_object().into_iter().flatten();
    let mut expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    equal.into_iter().all(|(key, value)| labels.get(key).map(String::as_str) == value.as_str())
        && expressions.all(|expression| {
            let value = labels.get(expression["key"].as_str().unwrap_or_default());
            let listed = |value: &String| {
                expression["values"].as_array().is_some_and(|all| all.iter().any(|one| one == value.as_str()))
            };
            match expression["operator"].as_str() {
                Some("In") => value.is_some_and(listed),
                Some("NotIn") => !value.is_some_and(listed),
                Some("Exists") => value.is_some(),
                Some("DoesNotExist") => value.is_none(),
                _ => false,
            }
        })
}
