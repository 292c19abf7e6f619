//! Bills of materials, and the lock files they are held against.

pub(super) mod cyclonedx;
pub(super) mod lock;
pub(super) mod spdx;

use std::collections::BTreeSet;

use super::bounded;

/// What an artifact is made of.
#[derive(Clone, Debug, Default)]
pub struct Bill {
    /// SHA-256 of the artifact, in hexadecimal; each that is told.
    pub artifacts: BTreeSet<String>,
    /// Components, those without a version too.
    pub components: u64,
    /// `name@version` of each that has both.
    pub names: BTreeSet<String>,
}

/// What a build was told to use.
#[derive(Clone, Debug, Default)]
pub struct Lock {
    /// `name@version`.
    pub names: BTreeSet<String>,
}

impl Bill {
    fn component(&mut self, name: &str, version: &str, purl: Option<&str>) {
        self.components += 1;
        match purl.and_then(of_purl) {
            Some(name) => drop(self.names.insert(name)),
            None if !version.is_empty() => drop(self.names.insert(entry(name, version))),
            None => {}
        }
    }

    /// Notes a digest wherever tools write one: alone, after `sha256:`, in a
    /// package URL.
    fn artifact(&mut self, text: &str) {
        let text = text.replace("%3A", ":").replace("%3a", ":");
        let found = text.rsplit_once("sha256:").map_or(text.as_str(), |(_, rest)| rest);
        let digest = found.get(..64).filter(|digest| digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if let Some(digest) = digest {
            self.artifacts.insert(digest.to_ascii_lowercase());
        }
    }
}

fn entry(name: &str, version: &str) -> String {
    bounded(&format!("{name}@{version}"))
}

/// `pkg:cargo/serde@1.0.2?…` as `serde@1.0.2`.
fn of_purl(purl: &str) -> Option<String> {
    let path = purl.strip_prefix("pkg:")?.split(['?', '#']).next()?;
    let (_, path) = path.split_once('/')?;
    let (name, version) = path.rsplit_once('@')?;
    let plain = |text: &str| text.replace("%40", "@").replace("%2B", "+").replace("%2b", "+");
    (!name.is_empty() && !version.is_empty()).then(|| entry(&plain(name), &plain(version)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_are_names_and_versions() {
        assert_eq!(of_purl("pkg:cargo/serde@1.0.2?checksum=x").unwrap(), "serde@1.0.2");
        assert_eq!(of_purl("pkg:npm/%40types/node@22.1.0").unwrap(), "@types/node@22.1.0");
        assert_eq!(of_purl("pkg:golang/golang.org/x/net@v0.30.0#http2").unwrap(), "golang.org/x/net@v0.30.0");
        assert_eq!(of_purl("pkg:cargo/serde"), None);
    }

    #[test]
    fn digests_are_found_where_tools_write_them() {
        let digest = "ab".repeat(32);
        let mut bill = Bill::default();
        for text in
            [digest.clone(), format!("sha256:{digest}"), format!("pkg:oci/x@sha256%3A{digest}?tag=1"), "1.0".into()]
        {
            bill.artifact(&text);
        }
        assert_eq!(bill.artifacts.into_iter().collect::<Vec<_>>(), [digest]);
    }
}
