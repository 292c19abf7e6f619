//! What happens to tenants, told to the fake server; every test plays these.

use std::sync::Arc;

use clap::Parser;
use hashinsight_operator::ctx::Clock;
use hashinsight_operator::run::{context, lead};
use hashinsight_operator::settings::Settings;
use kube::Client;
use serde_json::{Value, json};
use testkit::fake::{FakeServer, Verb};
use testkit::sim::{Scenario, SimClock};

pub const TENANTS: &str = "hashinsight.net/v1alpha1/tenants";
pub const PLANS: &str = "hashinsight.net/v1alpha1/tenantplans";

pub fn start(client: Client, clock: SimClock) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        // A replica that loses its lease exits, and is started anew.
        loop {
            let settings = Settings::parse_from(["operator", "--identity", "sim"]);
            let clock = clock.clone();
            let ctx = context(&settings, client.clone(), Clock::simulated(move || clock.now())).unwrap();
            let stop = futures::FutureExt::shared(std::future::pending::<()>());
            let _ = Box::pin(lead(settings, Arc::clone(&ctx), stop)).await;
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    })
}

pub fn crds() -> Vec<Value> {
    hashinsight_crds::schema::all().unwrap().into_iter().map(|crd| json!(crd)).collect()
}

pub fn given(server: &FakeServer) {
    server.must(Verb::Create, "v1/namespaces", &json!({"metadata": {"name": "hashinsight-system"}}));
    server.must(Verb::Create, PLANS, &plan(3));
}

pub fn plan(pods: i32) -> Value {
    json!({"metadata": {"name": "standard"}, "spec": {
        "displayName": "Standard",
        "quotas": {"sites": 2, "miners": 100, "requestsPerMinute": 60, "cpu": "2", "memory": "4Gi", "pods": pods},
        "response": {"respondMinutes": 60, "recoverMinutes": 240},
    }})
}

pub fn create(server: &FakeServer) {
    server.must(Verb::Create, TENANTS, &json!({"metadata": {"name": "acme"}, "spec": {
        "displayName": "Acme", "planRef": {"name": "standard"}, "region": "eu",
        "members": [{"role": "Owner", "kind": "User", "name": "ada"}, {"role": "Finance", "kind": "Group", "name": "fin"}],
    }}));
}

pub fn change(server: &FakeServer, spec: Value) {
    server.must(Verb::Merge, &format!("{TENANTS}/acme"), &json!({"spec": spec}));
}

pub fn delete(server: &FakeServer) {
    server.must(Verb::Delete, &format!("{TENANTS}/acme"), &Value::Null);
}

/// What is at a path of an object, and what should be.
pub fn expect(server: &FakeServer, object: &str, path: &str, wanted: &Value) -> Result<(), String> {
    let objects = server.objects();
    let found = objects.get(object).and_then(|object| object.pointer(path)).unwrap_or(&Value::Null);
    if found == wanted { Ok(()) } else { Err(format!("{object} {path} is {found}, wanted {wanted}")) }
}

pub fn absent(server: &FakeServer, object: &str) -> Result<(), String> {
    if server.objects().contains_key(object) { Err(format!("{object} is still there")) } else { Ok(()) }
}

pub fn ready(server: &FakeServer, reason: &str) -> Result<(), String> {
    let objects = server.objects();
    let tenant = objects.get("tenants /acme").ok_or("no tenant")?;
    let condition = tenant["status"]["conditions"].as_array().into_iter().flatten().find(|c| c["type"] == "Ready");
    let told = condition.map(|c| c["reason"].clone()).unwrap_or_default();
    if told != reason {
        return Err(format!("Ready says {told}, wanted {reason}"));
    }
    expect(server, "tenants /acme", "/status/observedGeneration", &tenant["metadata"]["generation"])?;
    expect(server, "tenantsummaries tenant-acme/summary", "/status/state", &tenant["status"]["state"])
}

pub const QUOTA: &str = "resourcequotas tenant-acme/hashinsight";
pub const NAMESPACE: &str = "namespaces /tenant-acme";
pub const OWNER: &str = "rolebindings tenant-acme/hashinsight-owner";
pub const LEVEL: &str = "/metadata/labels/pod-security.kubernetes.io~1enforce";
pub const RELEASED: &str = "/metadata/labels/hashinsight.net~1released";

pub fn provisioned(server: &FakeServer) -> Result<(), String> {
    ready(server, "Provisioned")?;
    expect(server, QUOTA, "/spec/hard/pods", &json!("3"))?;
    expect(server, OWNER, "/subjects/0/name", &json!("ada"))?;
    expect(server, NAMESPACE, LEVEL, &json!("restricted"))?;
    expect(server, NAMESPACE, RELEASED, &Value::Null)?;
    expect(server, "networkpolicies tenant-acme/hashinsight", "/spec/policyTypes/1", &json!("Egress"))
}

pub const SCENARIOS: [Scenario; 10] = [
    Scenario { name: "creation", given, acts: &[create], holds: provisioned },
    Scenario {
        name: "members",
        given,
        acts: &[create, |server| {
            change(server, json!({"members": [{"role": "Investor", "kind": "User", "name": "ivo"}]}));
        }],
        holds: |server| {
            absent(server, OWNER)?;
            expect(server, "rolebindings tenant-acme/hashinsight-investor", "/subjects/0/name", &json!("ivo"))
        },
    },
    Scenario {
        name: "quotas",
        given,
        acts: &[
            create,
            |server| change(server, json!({"quotas": {"pods": 7}})),
            |server| {
                server.must(Verb::Merge, &format!("{PLANS}/standard"), &json!({"spec": {"quotas": {"cpu": "3"}}}));
            },
        ],
        holds: |server| {
            expect(server, QUOTA, "/spec/hard/pods", &json!("7"))?;
            expect(server, QUOTA, "/spec/hard/requests.cpu", &json!("3"))
        },
    },
    Scenario {
        name: "drift",
        given,
        acts: &[create, |server| {
            let hard = json!({"spec": {"hard": {"pods": "999"}}});
            server.must(Verb::Merge, "v1/tenant-acme:resourcequotas/hashinsight", &hard);
            server.must(Verb::Delete, "networking.k8s.io/v1/tenant-acme:networkpolicies/hashinsight", &Value::Null);
            let label = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}});
            server.must(Verb::Merge, "v1/namespaces/tenant-acme", &label);
        }],
        holds: provisioned,
    },
    Scenario {
        name: "suspension",
        given,
        acts: &[
            create,
            |server| {
                let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
                server.must(Verb::Create, "v1/tenant-acme:pods", &pod);
            },
            |server| change(server, json!({"lifecycle": "Suspended"})),
        ],
        holds: |server| {
            ready(server, "Suspended")?;
            absent(server, "pods tenant-acme/p")?;
            expect(server, QUOTA, "/spec/hard/pods", &json!("0"))
        },
    },
    Scenario {
        name: "resumption",
        given,
        acts: &[
            create,
            |server| change(server, json!({"lifecycle": "Suspended"})),
            |server| change(server, json!({"lifecycle": "Active"})),
        ],
        holds: provisioned,
    },
    Scenario {
        name: "retention",
        given,
        acts: &[create, delete],
        holds: |server| {
            expect(server, NAMESPACE, RELEASED, &json!("true"))?;
            expect(server, NAMESPACE, "/metadata/annotations/hashinsight.net~1claimed-by", &Value::Null)?;
            ["tenants /acme", OWNER, "tenantsummaries tenant-acme/summary"]
                .into_iter()
                .try_for_each(|o| absent(server, o))
        },
    },
    Scenario {
        name: "retaken",
        given,
        acts: &[create, delete, create],
        holds: |server| {
            provisioned(server)?;
            let first = server.history().into_iter().find(|c| c.of() == "tenants /acme").unwrap();
            let id = hashinsight_crds::names::tenant_id(first.object["metadata"]["uid"].as_str().unwrap());
            expect(server, "tenants /acme", "/status/id", &json!(id))
        },
    },
    Scenario {
        name: "erasure",
        given,
        acts: &[create, |server| change(server, json!({"deletionPolicy": "Erase"})), delete],
        holds: |server| ["tenants /acme", NAMESPACE, QUOTA].into_iter().try_for_each(|object| absent(server, object)),
    },
    Scenario {
        name: "taken",
        given: |server| {
            given(server);
            let foreign = json!({"metadata": {"name": "tenant-acme"}});
            server.must(Verb::Create, "v1/namespaces", &foreign);
        },
        acts: &[create],
        holds: |server| {
            expect(server, NAMESPACE, LEVEL, &Value::Null)?;
            absent(server, QUOTA)
        },
    },
];
