//! A fake and a real server side by side, and what of their answers counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hashinsight_crds::quantity::nanos;
use kube::Client;
use serde_json::{Value, json};
use testkit::fake::FakeServer;
use testkit::{Ground, eventually};

/// Both servers. Names are those of this pair alone, so that tests do not meet
/// on the real one.
pub struct Pair {
    fake: FakeServer,
    clients: [Client; 2],
    _ground: Arc<Ground>,
    own: String,
    seen: [BTreeMap<String, String>; 2],
    /// Requests so far, for the message when they part.
    told: Vec<String>,
}

static PAIRS: AtomicUsize = AtomicUsize::new(0);

/// What both answered.
pub type Told = Result<Value, (u16, String)>;

impl Pair {
    pub async fn new(ground: Arc<Ground>) -> Self {
        let crds: Vec<Value> = hashinsight_crds::schema::all().unwrap().into_iter().map(|crd| json!(crd)).collect();
        let fake = FakeServer::new(&crds, || "2026-01-01T00:00:00Z".to_owned());
        let clients = [fake.client("test"), ground.admin.0.clone()];
        let own = format!("p{}", PAIRS.fetch_add(1, Ordering::SeqCst));
        let mut pair = Self { fake, clients, _ground: ground, own, seen: Default::default(), told: Vec::new() };
        pair.ok("POST /api/v1/namespaces", json!({"metadata": {"name": "OWN"}})).await;
        pair
    }

    /// A request to both: `METHOD /path`, where OWN is this pair's own name and
    /// PATCH is spelt MERGE or APPLY.
    pub async fn ask(&mut self, line: &str, body: Value) -> Told {
        let (line, body) = (line.replace("OWN", &self.own), body.to_string().replace("OWN", &self.own));
        self.told.push(format!("{line} {body}"));
        let mut answers = Vec::new();
        for (side, client) in self.clients.clone().into_iter().enumerate() {
            let answer = send(&client, &line, &body).await;
            answers.push(answer.map(|object| self.normal(side, object)));
        }
        if answers[0] != answers[1] {
            let last: Vec<&String> = self.told.iter().rev().take(12).rev().collect();
            panic!("they part: {}\nafter: {last:#?}", difference(&answers[0], &answers[1]));
        }
        answers.remove(0)
    }

    /// A request that both must grant.
    pub async fn ok(&mut self, line: &str, body: Value) -> Value {
        self.ask(line, body).await.unwrap_or_else(|(code, reason)| panic!("{line}: {code} {reason}"))
    }

    /// A request that both must refuse with this code.
    pub async fn refused(&mut self, code: u16, line: &str, body: Value) {
        match self.ask(line, body).await {
            Err((told, _)) => assert_eq!(told, code, "{line}"),
            Ok(object) => panic!("{line} was granted: {object}"),
        }
    }

    /// Something of the object as each server has it, put into a request.
    pub async fn each(&mut self, read: &str, line: &str, body: impl Fn(&Value) -> Value) -> Told {
        let (read, line) = (read.replace("OWN", &self.own), line.replace("OWN", &self.own));
        let mut answers = Vec::new();
        for (side, client) in self.clients.clone().into_iter().enumerate() {
            let live = send(&client, &read, "null").await.unwrap();
            let answer = send(&client, &line, &body(&live).to_string()).await;
            answers.push(answer.map(|object| self.normal(side, object)));
        }
        assert!(answers[0] == answers[1], "{line}: {}", difference(&answers[0], &answers[1]));
        answers.remove(0)
    }

    /// All pages of a list, each continued as its server says.
    pub async fn pages(&mut self, line: &str, rest: impl Fn(&Value) -> String, pages: usize) {
        let line = line.replace("OWN", &self.own);
        let mut answers = Vec::new();
        for (side, client) in self.clients.clone().into_iter().enumerate() {
            let mut all = Vec::new();
            let mut next = String::new();
            for page in 1..=pages {
                let list = send(&client, &format!("{line}{next}"), "null").await.unwrap();
                if page < pages {
                    next = format!("&continue={}", rest(&list));
                }
                all.push(self.normal(side, list));
            }
            answers.push(all);
        }
        assert_eq!(answers[0], answers[1], "{line}");
        assert_eq!(answers[0][pages - 1]["metadata"]["more"], false);
    }

    /// Lets controllers work until both tell the same, which must be `expected`
    /// of the fake.
    pub async fn settles(&mut self, line: &str, expected: impl Fn(&Told) -> bool) {
        self.fake.control();
        let line = line.replace("OWN", &self.own);
        let [fake, real] = self.clients.clone();
        let told = send(&fake, &line, "null").await.map(|object| self.normal(0, object));
        assert!(expected(&told), "{line}: {told:?}");
        let same = std::sync::Mutex::new(&mut *self);
        eventually(&line, Duration::from_secs(30), || async {
            let now = send(&real, &line, "null").await.map(|object| same.lock().unwrap().normal(1, object));
            let fits = match (&told, &now) {
                (Ok(told), Ok(now)) => settled(told) == settled(now),
                (told, now) => told == now,
            };
            if fits { Ok(()) } else { Err(format!("fake {told:?}, real {now:?}")) }
        })
        .await;
    }

    /// The first `count` events of a watch that begins at the list's version.
    pub async fn watched(&mut self, list: &str, since: &[String; 2], count: usize) -> Vec<Value> {
        let path = list.replace("OWN", &self.own);
        let mut answers = Vec::new();
        for (side, client) in self.clients.clone().into_iter().enumerate() {
            let line = format!("{path}?watch=true&resourceVersion={}&timeoutSeconds=5", since[side]);
            let request = http::Request::get(line).body(Vec::new()).unwrap();
            let stream = client.request_stream(request).await.unwrap();
            let events = read_events(stream, count).await;
            let normal = |event: Value| json!([event["type"], self.normal(side, event["object"].clone())]);
            answers.push(events.into_iter().map(normal).collect::<Vec<_>>());
        }
        let [fake, real] = [&answers[0], &answers[1]].map(|events| Ok(json!(events)));
        assert!(fake == real, "watch of {list}: {}", difference(&fake, &real));
        answers.remove(0)
    }

    /// The version of a list, for each server.
    pub async fn versions(&mut self, list: &str) -> [String; 2] {
        let line = format!("GET {}", list.replace("OWN", &self.own));
        let mut versions = Vec::new();
        for client in &self.clients {
            let list = send(client, &line, "null").await.unwrap();
            versions.push(list["metadata"]["resourceVersion"].as_str().unwrap().to_owned());
        }
        versions.try_into().unwrap()
    }

    /// What counts: no times, no uids, quantities by amount; of the version,
    /// whether it is the one seen last of that object.
    fn normal(&mut self, side: usize, mut object: Value) -> Value {
        if let Some(items) = object["items"].as_array_mut() {
            items.iter_mut().for_each(mask);
            object["metadata"] = json!({"more": !object["metadata"]["continue"].is_null()});
            return object;
        }
        if object["kind"] == "Status" {
            return json!({"status": object["status"]});
        }
        let key = format!("{} {} {}", object["kind"], object["metadata"]["namespace"], object["metadata"]["name"]);
        let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        let last = self.seen[side].insert(key, version.clone());
        mask(&mut object);
        object["metadata"]["moved"] = json!(last.as_ref() != Some(&version));
        object
    }
}

/// What controllers settle; a namespace that ends also says what is left in it.
fn settled(object: &Value) -> Value {
    let mut status = object["status"].clone();
    status.as_object_mut().map(|fields| fields.remove("conditions"));
    json!([object["spec"], status])
}

/// Where two answers differ, path by path.
fn difference(fake: &Told, real: &Told) -> String {
    fn walk(path: &str, fake: &Value, real: &Value, found: &mut Vec<String>) {
        match (fake, real) {
            (Value::Object(a), Value::Object(b)) => {
                for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                    walk(&format!("{path}.{key}"), &fake[key], &real[key], found);
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                for (index, (a, b)) in a.iter().zip(b).enumerate() {
                    walk(&format!("{path}[{index}]"), a, b, found);
                }
            }
            _ if fake == real => {}
            _ => found.push(format!("\n  {path}\n    fake {fake}\n    real {real}")),
        }
    }
    match (fake, real) {
        (Ok(fake), Ok(real)) => {
            let mut found = Vec::new();
            walk("", fake, real, &mut found);
            found.concat()
        }
        (fake, real) => format!("\n  fake {fake:?}\n  real {real:?}"),
    }
}

async fn read_events(stream: impl futures::AsyncBufRead, count: usize) -> Vec<Value> {
    use futures::{AsyncBufReadExt, StreamExt};
    let stream = std::pin::pin!(stream);
    let lines = stream.lines().take(count).collect::<Vec<_>>();
    let lines = tokio::time::timeout(Duration::from_secs(10), lines).await.unwrap();
    lines.into_iter().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

async fn send(client: &Client, line: &str, body: &str) -> Told {
    let (method, path) = line.split_once(' ').unwrap();
    let (method, content) = match method {
        "MERGE" => ("PATCH", "application/merge-patch+json"),
        "APPLY" => ("PATCH", "application/apply-patch+yaml"),
        method => (method, "application/json"),
    };
    let body = if body == "null" { Vec::new() } else { body.as_bytes().to_vec() };
    let request = http::Request::builder().method(method).uri(path).header("content-type", content).body(body).unwrap();
    match client.request::<Value>(request).await {
        Ok(object) => Ok(object),
        Err(kube::Error::Api(status)) => Err((status.code, status.reason.clone())),
        Err(error) => panic!("{line}: {error}"),
    }
}

/// Takes out what no two servers have in common.
fn mask(object: &mut Value) {
    if object["metadata"]["annotations"] == json!({}) {
        object["metadata"].as_object_mut().unwrap().remove("annotations");
    }
    for field in ["uid", "resourceVersion"] {
        object["metadata"].as_object_mut().unwrap().remove(field);
    }
    for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
        entry.as_object_mut().unwrap().remove("time");
    }
    if let Some(entries) = object["metadata"]["managedFields"].as_array_mut() {
        entries.sort_by_key(|entry| format!("{}{}{}", entry["manager"], entry["operation"], entry["subresource"]));
    } else {
        object["metadata"].as_object_mut().unwrap().remove("managedFields");
    }
    for owner in object["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
        owner["uid"] = json!("uid");
    }
    walk(object);
}

fn walk(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if matches!(key.as_str(), "creationTimestamp" | "deletionTimestamp") {
                    *value = json!("time");
                } else if key == "fieldsV1" {
                    let all = value.to_string();
                    // Ownership of an item of a list by uid.
                    *value = json!(regex_free_uids(&all));
                } else {
                    walk(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(walk),
        Value::String(text) => {
            if let Some(amount) = nanos(text).filter(|_| text.chars().next().is_some_and(|c| c.is_ascii_digit())) {
                *text = format!("{amount} nanos");
            }
        }
        _ => {}
    }
}

/// uids in keys of ownership, masked: 36 characters of a fixed shape.
fn regex_free_uids(text: &str) -> String {
    match text.find("\\\"uid\\\":\\\"") {
        None => text.to_owned(),
        Some(at) => {
            let (before, rest) = text.split_at(at + 10);
            format!("{before}uid{}", regex_free_uids(&rest[36..]))
        }
    }
}
