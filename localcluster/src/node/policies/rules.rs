//! Network policies as rules of nftables, by the semantics of the API's
//! reference (networking.k8s.io/v1): a pod that some policy chooses for a
//! direction is isolated in it; what any of its policies allows passes; both
//! ends must agree; answers of what was allowed pass. What is refused is
//! answered at once, so that tests need not wait for a timeout.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use super::select::{Pod, World, matches, protocol, text};

/// Name of the table; nobody else writes to it.
pub(super) const TABLE: &str = "ip localcluster-policies";

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    /// Name of the type of policy, of its list of rules, of its list of peers,
    /// of a pod's chain, and how nftables calls the peer's address.
    fn words(self) -> (&'static str, &'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Ingress => ("Ingress", "ingress", "from", "into", "saddr"),
            Self::Egress => ("Egress", "egress", "to", "out-of", "daddr"),
        }
    }
}

/// The whole table, in place of what was there.
pub(super) fn ruleset(world: &World) -> String {
    let mut chains = String::new();
    let mut jumps = [String::new(), String::new()];
    for pod in &world.pods {
        for (direction, jumps) in [Direction::Egress, Direction::Ingress].into_iter().zip(&mut jumps) {
            let (kind, _, _, prefix, _) = direction.words();
            let choosing: Vec<&Value> = world.policies.iter().filter(|policy| chooses(policy, kind, pod)).collect();
            if choosing.is_empty() {
                continue;
            }
            let chain = format!("{prefix}-{}", pod.address.to_string().replace('.', "-"));
            let _ = writeln!(chains, "  chain {chain} {{");
            let allowed: BTreeSet<String> =
                choosing.iter().flat_map(|policy| allowed(world, policy, direction, pod)).collect();
            for rule in allowed {
                // To the chain that called: the other end is asked, too.
                let _ = writeln!(chains, "    {rule}return");
            }
            chains.push_str(
                "    meta l4proto tcp reject with tcp reset\n    reject with icmp type admin-prohibited\n  }\n",
            );
            let _ = write!(jumps, "{}{} : jump {chain}", if jumps.is_empty() { "" } else { ", " }, pod.address);
        }
    }
    let map = |of: &str, jumps: &str| {
        if jumps.is_empty() { String::new() } else { format!("    ip {of} vmap {{ {jumps} }}\n") }
    };
    let [out_of, into] = jumps;
    let (out_of, into) = (map("saddr", &out_of), map("daddr", &into));
    let established = "    ct state established,related accept\n";
    // From the node itself pods are always reached: its probes come from there.
    format!(
        "table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n{chains}\
         \x20 chain between-pods {{\n    type filter hook forward priority filter;\n{established}{out_of}{into}  }}\n\
         \x20 chain to-the-node {{\n    type filter hook input priority filter;\n{established}{out_of}  }}\n}}\n"
    )
}

fn chooses(policy: &Value, kind: &str, pod: &Pod) -> bool {
    let types = policy["spec"]["policyTypes"].as_array();
    // The API server fills the types in; without them a policy is for ingress.
    let of_kind = types.map_or(kind == "Ingress", |types| types.iter().any(|one| one == kind));
    of_kind
        && text(&policy["metadata"]["namespace"]) == pod.namespace
        && matches(&policy["spec"]["podSelector"], &pod.labels)
}

/// Matches of what a policy lets pass, each empty or with a space at its end.
fn allowed(world: &World, policy: &Value, direction: Direction, pod: &Pod) -> Vec<String> {
    let (_, list, peers, _, address) = direction.words();
    let namespace = text(&policy["metadata"]["namespace"]);
    let mut all = Vec::new();
    for rule in policy["spec"][list].as_array().into_iter().flatten() {
        // Where named ports are looked up: at the pod that is called.
        let mut sources: Vec<(String, Option<Vec<&Pod>>)> = Vec::new();
        match rule[peers].as_array().filter(|peers| !peers.is_empty()) {
            None => sources.push((String::new(), None)),
            Some(peers) => {
                for peer in peers {
                    match world.peers(&namespace, peer) {
                        Some(pods) if pods.is_empty() => {}
                        Some(pods) => sources.push((set(address, pods.iter().map(|pod| pod.address)), Some(pods))),
                        None => sources.push((block(address, &peer["ipBlock"]), None)),
                    }
                }
            }
        }
        let ports = rule["ports"].as_array().filter(|ports| !ports.is_empty());
        for (source, pods) in sources {
            let Some(ports) = ports else {
                all.push(source);
                continue;
            };
            for port in ports {
                match (port["port"].as_str(), direction) {
                    (None, _) => all.push(format!("{source}{}", numbered(port))),
                    (Some(name), Direction::Ingress) => {
                        all.extend(named(name, port, pod).map(|port| format!("{source}{port}")));
                    }
                    (Some(name), Direction::Egress) => {
                        let called = pods.as_deref().map_or_else(|| world.pods.iter().collect(), <[&Pod]>::to_vec);
                        all.extend(called.into_iter().flat_map(|pod| {
                            let one = set(address, std::iter::once(pod.address));
                            named(name, port, pod).map(move |port| format!("{one}{port}"))
                        }));
                    }
                }
            }
        }
    }
    all
}

fn set(address: &str, members: impl Iterator<Item = std::net::Ipv4Addr>) -> String {
    let members: Vec<String> = members.map(|member| member.to_string()).collect();
    format!("ip {address} {{ {} }} ", members.join(", "))
}

/// A block of addresses without its exceptions; of IPv6 nothing passes here.
fn block(address: &str, block: &Value) -> String {
    let except: Vec<&str> = block["except"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let cidr = block["cidr"].as_str().filter(|cidr| !cidr.contains(':')).unwrap_or("255.255.255.255");
    let except =
        if except.is_empty() { String::new() } else { format!("ip {address} != {{ {} }} ", except.join(", ")) };
    format!("ip {address} {cidr} {except}")
}

fn numbered(port: &Value) -> String {
    match (port["port"].as_u64(), port["endPort"].as_u64()) {
        (Some(first), Some(last)) => format!("{} dport {first}-{last} ", protocol(port)),
        (Some(only), None) => format!("{} dport {only} ", protocol(port)),
        (None, _) => format!("meta l4proto {} ", protocol(port)),
    }
}

fn named<'a>(name: &'a str, port: &Value, pod: &'a Pod) -> impl Iterator<Item = String> + use<'a> {
    let wanted = protocol(port);
    let of_name = pod.ports.iter().filter(move |(of, protocol, _)| of == name && *protocol == wanted);
    of_name.map(|(_, protocol, number)| format!("{protocol} dport {number} "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn world(policies: Vec<Value>) -> World {
        let namespace = |name: &str| json!({"kind": "Namespace", "metadata": {"name": name, "labels": {"name": name}}});
        let pod = |namespace: &str, app: &str, ip: &str| {
            json!({"kind": "Pod", "metadata": {"namespace": namespace, "name": app, "labels": {"app": app}},
                   "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 8080}]}]}, "status": {"podIP": ip}})
        };
        let ended = json!({"kind": "Pod", "metadata": {"namespace": "a"}, "spec": {}, "status": {"phase": "Failed", "podIP": "10.0.0.9"}});
        let mut objects = vec![
            namespace("a"),
            namespace("b"),
            pod("a", "web", "10.0.0.1"),
            pod("a", "db", "10.0.0.2"),
            pod("b", "web", "10.0.0.3"),
            ended,
        ];
        objects.extend(policies);
        World::of(objects.iter())
    }

    fn policy(spec: Value) -> Value {
        json!({"kind": "NetworkPolicy", "metadata": {"namespace": "a", "name": "p"}, "spec": spec})
    }

    /// The rules in the chain of the pod with this address.
    fn chain(rules: &str, chain: &str) -> Vec<String> {
        let begin = rules.find(&format!("chain {chain} {{")).unwrap_or_else(|| panic!("no {chain} in {rules}"));
        rules[begin..].lines().skip(1).take_while(|line| *line != "  }").map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn nobody_is_isolated_without_a_policy() {
        let rules = ruleset(&world(Vec::new()));
        assert!(!rules.contains("jump") && !rules.contains("reject"), "{rules}");
    }

    #[test]
    fn only_who_is_chosen_is_isolated_and_only_in_that_direction() {
        let rules = ruleset(&world(vec![policy(
            json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"]}),
        )]));
        assert_eq!(chain(&rules, "into-10-0-0-2").len(), 2, "nothing but refusals: {rules}");
        assert!(rules.contains("ip daddr vmap { 10.0.0.2 : jump into-10-0-0-2 }"), "{rules}");
        assert!(!rules.contains("saddr vmap") && !rules.contains("10.0.0.9"), "{rules}");
    }

    #[test]
    fn peers_and_ports_and_their_defaults() {
        let rules = ruleset(&world(vec![policy(json!({
            "podSelector": {}, "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": [{"namespaceSelector": {"matchLabels": {"name": "b"}}}], "ports": [{"port": "http"}]},
                {"from": [{"podSelector": {"matchLabels": {"app": "db"}}}], "ports": [{"port": 1, "endPort": 9, "protocol": "UDP"}]},
                {"from": [{"podSelector": {"matchLabels": {"app": "nobody"}}}]},
                {"from": [{"ipBlock": {"cidr": "10.9.0.0/16", "except": ["10.9.1.0/24"]}}]},
            ],
            "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}, {"to": [{"namespaceSelector": {}}], "ports": [{"port": "http"}]}],
        }))]));
        let into = chain(&rules, "into-10-0-0-1");
        for rule in [
            "ip saddr { 10.0.0.3 } tcp dport 8080 return",
            "ip saddr { 10.0.0.2 } udp dport 1-9 return",
            "ip saddr 10.9.0.0/16 ip saddr != { 10.9.1.0/24 } return",
        ] {
            assert!(into.contains(&rule.to_owned()), "{rule} not in {into:?}");
        }
        assert_eq!(into.len(), 5, "the peer that is nobody allows nothing: {into:?}");
        let out = chain(&rules, "out-of-10-0-0-1");
        assert!(out.contains(&"udp dport 53 return".to_owned()), "{out:?}");
        assert!(out.contains(&"ip daddr { 10.0.0.3 } tcp dport 8080 return".to_owned()), "{out:?}");
    }

    #[test]
    fn an_empty_rule_allows_all_and_several_policies_add_up() {
        let closed = policy(json!({"podSelector": {}, "policyTypes": ["Ingress"]}));
        let mut open = policy(json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}));
        open["metadata"]["name"] = json!("open");
        let rules = ruleset(&world(vec![closed, open]));
        assert_eq!(chain(&rules, "into-10-0-0-1")[0], "return");
    }

    #[test]
    fn selectors_by_expression() {
        let labels = [("tier".to_owned(), "web".to_owned())].into();
        for (operator, values, expected) in [
            ("In", json!(["web"]), true),
            ("In", json!(["db"]), false),
            ("NotIn", json!(["db"]), true),
            ("NotIn", json!(["web"]), false),
            ("Exists", json!([]), true),
            ("DoesNotExist", json!([]), false),
            ("Newer", json!([]), false),
        ] {
            let selector = json!({"matchExpressions": [{"key": "tier", "operator": operator, "values": values}]});
            assert_eq!(matches(&selector, &labels), expected, "{operator}");
        }
    }
}
