//! The objects of a core as they are meant to be: pure functions of what is on
//! record, the spec, and what is seen. Names derive from the revision, so that
//! settings and pods of two revisions never meet.

use hashinsight_crds::calculation_core::Amounts;
use hashinsight_crds::names::{LABEL_CORE, LABEL_REVISION, MANAGED_BY};
use serde_json::{Value, json};

use super::seen::{Objects, RouteSeen, Seen};
use super::traffic::{Intent, is_led_away};
use super::valid::{Content, ValidCore};
use crate::kinds::{
    AUTOSCALERS, CONFIG_MAPS, CONTROLLER_REVISIONS, CORES, DEPLOYMENTS, DISRUPTION_BUDGETS, HTTP_ROUTES, Kind,
    POLICIES, SERVICES,
};

/// Every kind a core is made of, in the order they are applied; traffic last.
pub const KINDS: [&Kind; 8] = [
    &CONTROLLER_REVISIONS,
    &CONFIG_MAPS,
    &POLICIES,
    &DISRUPTION_BUDGETS,
    &DEPLOYMENTS,
    &AUTOSCALERS,
    &SERVICES,
    &HTTP_ROUTES,
];

/// Port of the API, and of probes and metrics.
pub const PORTS: [u16; 2] = [8080, 9090];
/// Where the cloud's metadata is served: no pod of ours has business there.
const METADATA: &str = "169.254.169.254/32";

/// An object that is meant to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Its kind.
    pub kind: &'static Kind,
    /// Its name.
    pub name: String,
    /// All that is said of it.
    pub object: Value,
}

/// What is meant to be, in the order it is applied, and what is there and is
/// not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// What is meant to be.
    pub wanted: Vec<Wanted>,
    /// What is not: kind and name.
    pub unwanted: Vec<(&'static Kind, String)>,
    /// Whether more is not meant to be, and may still be asked by customers.
    pub lingers: bool,
}

/// The objects as they are meant to be now.
pub fn desired(core: &ValidCore, seen: &Seen, intent: &Intent) -> Desired {
    if intent.stable.is_none() && intent.canary.is_none() {
        // Nothing of it has ever begun.
        return Desired::default();
    }
    let mut wanted = Vec::new();
    for (revision, pods) in [&intent.canary, &intent.stable].into_iter().flatten() {
        let spec = core.asked.as_ref().ok().filter(|_| *revision == core.revision).cloned();
        // What made it is not known any more: what is there stays as it is.
        let Some(content) = seen.content(revision).or(spec) else { continue };
        wanted.extend(of_revision(core, revision, &content, *pods));
    }
    wanted.push(network_policy(core));
    wanted.push(disruption_budget(core));
    wanted.extend(intent.primary.as_ref().and_then(|(revision, least)| autoscaler(core, revision, *least)));
    wanted.extend(service(core, seen, intent));
    wanted.extend(route(core, seen, intent));
    let place = |wanted: &Wanted| KINDS.iter().position(|kind| *kind == wanted.kind);
    wanted.sort_by_key(place);
    let mut unwanted = unwanted(&seen.objects, &wanted, intent);
    let all = unwanted.len();
    if !is_led_away(core, seen) {
        // What belongs to no revision, such as a route that is no longer asked for,
        // goes at once.
        unwanted.retain(|(kind, name)| !is_of_revision(&seen.objects, kind, name));
    }
    let lingers = unwanted.len() < all;
    Desired { wanted, unwanted, lingers }
}

/// What is there of ours and is not meant to be: last of all, and never what
/// belongs to a revision that has traffic.
fn unwanted(objects: &Objects, wanted: &[Wanted], intent: &Intent) -> Vec<(&'static Kind, String)> {
    let lives =
        |revision: &str| [&intent.canary, &intent.stable].into_iter().flatten().any(|(living, _)| living == revision);
    let mut all = Vec::new();
    for kind in KINDS.into_iter().rev() {
        for ((plural, name), object) in objects {
            let is_wanted = wanted.iter().any(|wanted| wanted.kind == kind && wanted.name == *name);
            let revision = object["metadata"]["labels"][LABEL_REVISION].as_str();
            let is_evidence = object["metadata"]["labels"][EVIDENCE.0] == EVIDENCE.1;
            if *plural == kind.plural && !is_wanted && !is_evidence && !revision.is_some_and(lives) {
                all.push((kind, name.clone()));
            }
        }
    }
    all
}

fn is_of_revision(objects: &Objects, kind: &Kind, name: &str) -> bool {
    let object = objects.get(&(kind.plural, name.to_owned()));
    object.is_some_and(|object| object["metadata"]["labels"][LABEL_REVISION].is_string())
}

/// On config maps that keep what a verdict rests on.
pub const EVIDENCE: (&str, &str) = ("hashinsight.net/evidence", "canary");

fn metadata(core: &ValidCore, name: &str, revision: Option<&str>) -> Value {
    let mut labels = json!({MANAGED_BY.0: MANAGED_BY.1, LABEL_CORE: core.name, "app.kubernetes.io/name": core.name});
    if let Some(revision) = revision {
        labels[LABEL_REVISION] = json!(revision);
    }
    json!({
        "name": name, "namespace": core.namespace, "labels": labels,
        "ownerReferences": [{
            "apiVersion": CORES.api_version(), "kind": CORES.kind, "name": core.name, "uid": core.uid,
            "controller": true, "blockOwnerDeletion": false,
        }],
    })
}

fn wanted(core: &ValidCore, kind: &'static Kind, name: &str, revision: Option<&str>, body: Value) -> Wanted {
    let mut object =
        json!({"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": metadata(core, name, revision)});
    if let (Value::Object(object), Value::Object(body)) = (&mut object, body) {
        object.extend(body);
    }
    Wanted { kind, name: name.to_owned(), object }
}

/// What a verdict on `revision` rests on, for `hashinsight canary explain`.
pub fn evidence(core: &ValidCore, revision: &str, record: &Value) -> Wanted {
    let name = format!("{}-verdict", core.of_revision(revision));
    let mut kept =
        wanted(core, &CONFIG_MAPS, &name, Some(revision), json!({"data": {"verdict.json": record.to_string()}}));
    kept.object["metadata"]["labels"][EVIDENCE.0] = json!(EVIDENCE.1);
    kept
}

fn of_revision(core: &ValidCore, revision: &str, content: &Content, pods: i32) -> [Wanted; 4] {
    let name = core.of_revision(revision);
    let of = |kind, body| wanted(core, kind, &name, Some(revision), body);
    [
        of(&CONTROLLER_REVISIONS, json!({"data": content, "revision": 1})),
        of(&CONFIG_MAPS, json!({"data": {"core.yaml": settings(content)}})),
        of(&DEPLOYMENTS, json!({"spec": deployment(core, revision, content, pods)})),
        of(&SERVICES, json!({"spec": ports(&json!({LABEL_CORE: core.name, LABEL_REVISION: revision}))})),
    ]
}

/// The service's settings file; JSON is YAML.
fn settings(content: &Content) -> String {
    let mut all = json!(content.config);
    all["listen"] = json!(format!("0.0.0.0:{}", PORTS[0]));
    all["probes"] = json!(format!("0.0.0.0:{}", PORTS[1]));
    all["records"] = json!({"directory": "/var/lib/records", "fileBytes": 33_554_432, "files": 4});
    all.to_string()
}

fn ports(selector: &Value) -> Value {
    json!({"type": "ClusterIP", "selector": selector, "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]})
}

fn amounts(stated: Option<&Amounts>, cpu: Option<&str>, memory: &str) -> Value {
    let said = |text: Option<&String>| text.cloned();
    let mut all = json!({"memory": said(stated.and_then(|a| a.memory.as_ref())).unwrap_or_else(|| memory.to_owned())});
    if let Some(cpu) = said(stated.and_then(|a| a.cpu.as_ref())).or(cpu.map(str::to_owned)) {
        all["cpu"] = json!(cpu);
    }
    all
}

fn deployment(core: &ValidCore, revision: &str, content: &Content, pods: i32) -> Value {
    let labels = json!({LABEL_CORE: core.name, LABEL_REVISION: revision});
    let mut on_pods = labels.clone();
    on_pods["app.kubernetes.io/name"] = json!(core.name);
    let annotations = json!({"prometheus.io/scrape": "true", "prometheus.io/port": PORTS[1].to_string()});
    json!({
        "replicas": pods,
        "revisionHistoryLimit": 1,
        "selector": {"matchLabels": labels},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": {"labels": on_pods, "annotations": annotations}, "spec": pod(core, revision, content)},
    })
}

fn pod(core: &ValidCore, revision: &str, content: &Content) -> Value {
    let template = &content.template;
    let mut mounts = vec![
        json!({"name": "config", "mountPath": "/etc/core", "readOnly": true}),
        json!({"name": "records", "mountPath": "/var/lib/records"}),
    ];
    let mut volumes = vec![
        json!({"name": "config", "configMap": {"name": core.of_revision(revision)}}),
        json!({"name": "records", "emptyDir": {"sizeLimit": "256Mi"}}),
    ];
    for (at, shown) in template.config_maps.iter().enumerate() {
        let name = format!("shown-{at}");
        mounts.push(json!({"name": name, "mountPath": shown.mount_path, "readOnly": true}));
        volumes.push(json!({"name": name, "configMap": {"name": shown.name}}));
    }
    let probe =
        |path: &str, seconds: u8| json!({"httpGet": {"path": path, "port": "probes"}, "periodSeconds": seconds});
    let container = json!({
        "name": "core",
        "image": content.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["--config=/etc/core/core.yaml"],
        "env": [{"name": "CALCULATION_CORE__INSTANCE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [
            {"name": "http", "containerPort": PORTS[0], "protocol": "TCP"},
            {"name": "probes", "containerPort": PORTS[1], "protocol": "TCP"},
        ],
        "readinessProbe": probe("/readyz", 1),
        "livenessProbe": probe("/healthz", 10),
        "resources": {
            "requests": amounts(template.requests.as_ref(), Some("100m"), "64Mi"),
            "limits": amounts(template.limits.as_ref(), None, "512Mi"),
        },
        "securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    });
    let mut spec = json!({
        "automountServiceAccountToken": false,
        "terminationGracePeriodSeconds": 45,
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": 65532, "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [{
            "maxSkew": 1,
            "topologyKey": template.spread_over.as_deref().unwrap_or("kubernetes.io/hostname"),
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {LABEL_CORE: core.name, LABEL_REVISION: revision}},
        }],
        "containers": [container],
        "volumes": volumes,
    });
    if !template.image_pull_secrets.is_empty() {
        spec["imagePullSecrets"] = json!(template.image_pull_secrets);
    }
    if let Some(account) = &template.service_account_name {
        spec["serviceAccountName"] = json!(account);
    }
    spec
}

fn network_policy(core: &ValidCore) -> Wanted {
    let port = |port: u16| json!({"protocol": "TCP", "port": port});
    let dns = json!([{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]);
    wanted(
        core,
        &POLICIES,
        &core.name,
        None,
        json!({"spec": {
            "podSelector": {"matchLabels": {LABEL_CORE: core.name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"namespaceSelector": {}}], "ports": PORTS.map(port)}],
            "egress": [
                {"ports": dns},
                // Providers of market data and issuers' keys may be anywhere.
                {"to": [{"namespaceSelector": {}}, {"ipBlock": {"cidr": "0.0.0.0/0", "except": [METADATA]}}]},
            ],
        }}),
    )
}

fn disruption_budget(core: &ValidCore) -> Wanted {
    let spec = json!({"maxUnavailable": 1, "selector": {"matchLabels": {LABEL_CORE: core.name}}});
    wanted(core, &DISRUPTION_BUDGETS, &core.name, None, json!({"spec": spec}))
}

fn autoscaler(core: &ValidCore, revision: &str, least: i32) -> Option<Wanted> {
    let percent = core.replicas.target_cpu_percent?;
    let target =
        json!({"apiVersion": DEPLOYMENTS.api_version(), "kind": DEPLOYMENTS.kind, "name": core.of_revision(revision)});
    let spec = json!({
        "scaleTargetRef": target,
        "minReplicas": least,
        "maxReplicas": core.replicas.maximum.max(least),
        "metrics": [{"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent},
        }}],
    });
    Some(wanted(core, &AUTOSCALERS, &core.name, None, json!({"spec": spec})))
}

/// The service in the cluster. Where no gateway weighs, it leads to pods of
/// both revisions, as many as each has.
fn service(core: &ValidCore, seen: &Seen, intent: &Intent) -> Option<Wanted> {
    let shares = seen.route(core) == RouteSeen::None && intent.weight > 0;
    let mut selector = json!({LABEL_CORE: core.name});
    match (&intent.stable, &intent.canary) {
        (Some(_), Some(_)) if shares => {}
        (_, Some((canary, _))) if intent.weight > 50 => selector[LABEL_REVISION] = json!(canary),
        (Some((stable, _)), _) => selector[LABEL_REVISION] = json!(stable),
        (None, _) => return None,
    }
    Some(wanted(core, &SERVICES, &core.name, None, json!({"spec": ports(&selector)})))
}

/// The route with its weights: the one place where customers are led elsewhere.
fn route(core: &ValidCore, seen: &Seen, intent: &Intent) -> Option<Wanted> {
    let route = core.route.as_ref().filter(|_| seen.gateway_served)?;
    let share = |revision: &str, weight: i32| json!({"group": "", "kind": "Service", "name": core.of_revision(revision), "port": 80, "weight": weight});
    let backends: Vec<Value> = match (&intent.stable, &intent.canary) {
        (Some((stable, _)), Some((canary, _))) => {
            vec![share(stable, 100 - intent.weight), share(canary, intent.weight)]
        }
        (Some((stable, _)), None) => vec![share(stable, 100)],
        (None, Some((canary, _))) if intent.weight > 0 => vec![share(canary, intent.weight)],
        (None, _) => return None,
    };
    let paths: Vec<&str> = match route.matches.as_slice() {
        [] => vec!["/"],
        some => some.iter().map(|matched| matched.path_prefix.as_str()).collect(),
    };
    let matches: Vec<Value> = paths.iter().map(|path| json!({"path": {"type": "PathPrefix", "value": path}})).collect();
    let parents: Vec<Value> = route
        .parent_refs
        .iter()
        .map(|parent| {
            let mut stated = json!(parent);
            stated["group"] = json!(HTTP_ROUTES.group);
            stated["kind"] = json!("Gateway");
            stated
        })
        .collect();
    let mut spec = json!({"parentRefs": parents, "rules": [{"matches": matches, "backendRefs": backends}]});
    if !route.hostnames.is_empty() {
        spec["hostnames"] = json!(route.hostnames);
    }
    Some(wanted(core, &HTTP_ROUTES, &core.name, None, json!({"spec": spec})))
}
