//! CycloneDX JSON, 1.2 to 1.7. Components are read one by one: a bill may have
//! hundreds of thousands.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::super::{Refusal, json};
use super::Bill;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    spec_version: String,
    metadata: Option<Metadata>,
    #[serde(default)]
    components: Components,
}

#[derive(Deserialize)]
struct Metadata {
    component: Option<Component>,
}

#[derive(Deserialize)]
struct Component {
    name: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    version: String,
    purl: Option<String>,
    #[serde(default)]
    hashes: Vec<Hash>,
    #[serde(default)]
    components: Components,
}

#[derive(Deserialize)]
struct Hash {
    alg: String,
    content: String,
}

const VERSIONS: [&str; 6] = ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7"];

pub fn read(text: &str) -> Result<Bill, Refusal> {
    let document: Document = json::typed(text)?;
    if !VERSIONS.contains(&document.spec_version.as_str()) {
        return Err(Refusal::new(format!("CycloneDX {}; 1.2 to 1.7 are read", document.spec_version)));
    }
    let mut bill = document.components.0;
    if let Some(subject) = document.metadata.and_then(|metadata| metadata.component) {
        for hash in subject.hashes.iter().filter(|hash| hash.alg == "SHA-256") {
            bill.artifact(&hash.content);
        }
        bill.artifact(&subject.version);
        if let Some(purl) = &subject.purl {
            bill.artifact(purl);
        }
        // What the artifact itself holds, such as one component per target.
        let inner = subject.components.0;
        bill.artifacts.extend(inner.artifacts);
        bill.components += inner.components;
        bill.names.extend(inner.names);
    }
    if bill.components == 0 {
        return Err(Refusal::new("no component in it")
            .next(["make the bill where the dependencies are known", "在依赖齐全处生成清单"]));
    }
    Ok(bill)
}

/// Components, folded into a bill as they are read.
#[derive(Default)]
struct Components(Bill);

impl<'de> Deserialize<'de> for Components {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Folding(Bill::default()).deserialize(from).map(Self)
    }
}

struct Folding(Bill);

impl<'de> DeserializeSeed<'de> for Folding {
    type Value = Bill;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Bill, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Folding {
    type Value = Bill;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of components")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Bill, A::Error> {
        while let Some(component) = list.next_element::<Component>()? {
            let Component { name, group, version, purl, components: inner, .. } = component;
            let name = if group.is_empty() { name } else { format!("{group}/{name}") };
            self.0.component(&name, &version, purl.as_deref());
            self.0.components += inner.0.components;
            self.0.names.extend(inner.0.names);
        }
        Ok(self.0)
    }
}
