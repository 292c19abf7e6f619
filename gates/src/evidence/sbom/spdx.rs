//! SPDX 2.2 and 2.3 in JSON. What the document describes is the artifact; the
//! other packages are what it is made of.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::super::json::Outline;
use super::super::{Refusal, json};
use super::Bill;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    spdx_version: String,
    packages: Vec<Package>,
    #[serde(default, rename = "documentDescribes")]
    describes: Vec<String>,
    #[serde(default)]
    relationships: Vec<Relationship>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    #[serde(default)]
    version_info: String,
    #[serde(default)]
    checksums: Vec<Checksum>,
    #[serde(default)]
    external_refs: Vec<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: String,
    checksum_value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    reference_type: String,
    reference_locator: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    related_spdx_element: String,
    #[serde(rename = "relationshipType")]
    kind: String,
}

pub fn read(text: &str, outline: &Outline) -> Result<Bill, Refusal> {
    if !outline.has("spdxVersion") {
        let next = ["write SPDX 2.3 in JSON, or CycloneDX", "改写为 SPDX 2.3 JSON 或 CycloneDX"];
        return Err(Refusal::new("SPDX 3 as JSON-LD is not read").next(next));
    }
    let document: Document = json::typed(text)?;
    if !["SPDX-2.2", "SPDX-2.3"].contains(&document.spdx_version.as_str()) {
        return Err(Refusal::new(format!("{}; SPDX-2.2 and SPDX-2.3 are read", document.spdx_version)));
    }
    let describes = |relationship: &&Relationship| {
        relationship.kind == "DESCRIBES" && relationship.spdx_element_id == "SPDXRef-DOCUMENT"
    };
    let related = document.relationships.iter().filter(describes);
    let mut described: BTreeSet<&str> =
        related.map(|relationship| relationship.related_spdx_element.as_str()).collect();
    described.extend(document.describes.iter().map(String::as_str));
    let mut bill = Bill::default();
    for package in &document.packages {
        let purl = package.external_refs.iter().find(|reference| reference.reference_type == "purl");
        let purl = purl.map(|reference| reference.reference_locator.as_str());
        if described.contains(package.id.as_str()) {
            for checksum in package.checksums.iter().filter(|checksum| checksum.algorithm == "SHA256") {
                bill.artifact(&checksum.checksum_value);
            }
            bill.artifact(&package.version_info);
            if let Some(purl) = purl {
                bill.artifact(purl);
            }
        } else {
            bill.component(&package.name, &package.version_info, purl);
        }
    }
    if bill.components == 0 {
        return Err(Refusal::new("no package but what it describes"));
    }
    Ok(bill)
}
