//! Images from scratch: the files given and nothing else, in one layer,
//! written as an OCI layout in a tar, which containerd, docker and skopeo read.
//! The same files give the same image, bit for bit.
//!
//! Format: the OCI image format specification 1.1; the entry `manifest.json`
//! is docker's, for `docker load`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Error;

/// Who runs inside: nobody the host knows, and not root.
const USER: &str = "65532:65532";
/// Where programs go.
const BIN: &str = "usr/local/bin";

/// An image to be written.
pub struct Image {
    /// Whole name with tag, such as `hashinsight.net/operator:0.1.0`.
    pub name: String,
    /// The program it runs; it goes to `/usr/local/bin`.
    pub program: PathBuf,
    /// Other files, by where they go.
    pub files: Vec<(String, PathBuf)>,
    /// Folders anybody may write to.
    pub scratch: Vec<String>,
    /// What its environment says: `NAME=value`.
    pub environment: Vec<String>,
}

impl Image {
    /// An image that holds a static program alone.
    pub fn of(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            files: Vec::new(),
            scratch: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// Writes the archive. Returns the digest by which the image is asked for:
    /// `sha256:…`, that of its manifest.
    pub fn write(&self, archive: &Path) -> Result<String, Error> {
        let layer = self.layer()?;
        let program = format!("/{BIN}/{}", file_name(&self.program));
        let environment = [&[format!("PATH=/{BIN}")], self.environment.as_slice()].concat();
        let config = json!({
            "architecture": "amd64", "os": "linux",
            "config": {"Entrypoint": [program], "User": USER, "Env": environment, "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
        });
        let manifest = manifest.to_string().into_bytes();
        let mut entry = descriptor(MANIFEST, &manifest);
        let tag = self.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        entry["annotations"] = json!({"io.containerd.image.name": self.name, "org.opencontainers.image.ref.name": tag});
        let index =
            json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]});
        let docker = json!([{"Config": blob(&config), "RepoTags": [self.name], "Layers": [blob(&layer)]}]);

        let write = || Error::file("write", archive);
        let mut tar = tar::Builder::new(File::create(archive).map_err(write())?);
        let mut add = |name: &str, content: &[u8]| append(&mut tar, name, tar::EntryType::Regular, 0o644, content);
        add("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#).map_err(write())?;
        for content in [&layer, &config, &manifest] {
            add(&blob(content), content).map_err(write())?;
        }
        add("index.json", index.to_string().as_bytes()).map_err(write())?;
        add("manifest.json", docker.to_string().as_bytes()).map_err(write())?;
        tar.into_inner().map_err(write())?;
        Ok(digest(&manifest))
    }

    fn layer(&self) -> Result<Vec<u8>, Error> {
        let mut entries = vec![(format!("{BIN}/{}", file_name(&self.program)), &self.program)];
        entries.extend(self.files.iter().map(|(to, from)| (to.trim_start_matches('/').to_owned(), from)));
        entries.sort();
        let mut folders = BTreeSet::new();
        for (to, _) in &entries {
            folders.extend(Path::new(to).ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()));
        }
        let failed = Error::file("write the layer of", PathBuf::from(&self.name));
        let mut tar = tar::Builder::new(Vec::new());
        let mut write = || {
            for folder in &folders {
                append(&mut tar, &format!("{}/", folder.display()), tar::EntryType::Directory, 0o755, &[])?;
            }
            for folder in &self.scratch {
                let name = format!("{}/", folder.trim_matches('/'));
                append(&mut tar, &name, tar::EntryType::Directory, 0o1777, &[])?;
            }
            for (to, from) in &entries {
                append(&mut tar, to, tar::EntryType::Regular, 0o755, &fs::read(from)?)?;
            }
            Ok(())
        };
        write().map_err(failed)?;
        tar.into_inner().map_err(Error::file("write the layer of", PathBuf::from(&self.name)))
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(content), "size": content.len()})
}

fn digest(content: &[u8]) -> String {
    format!("sha256:{}", crate::cache::hex(&Sha256::digest(content)))
}

fn blob(content: &[u8]) -> String {
    format!("blobs/{}", digest(content).replace(':', "/"))
}

/// An entry owned by root, of no time.
fn append(
    tar: &mut tar::Builder<impl std::io::Write>,
    name: &str,
    kind: tar::EntryType,
    mode: u32,
    content: &[u8],
) -> std::io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, name, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path, content: &str, archive: &str) -> (String, Vec<u8>) {
        let program = folder.join("program");
        fs::write(&program, content).unwrap();
        let mut image = Image::of("test.internal/program:1", &program);
        image.files.push(("/lib/thing.so".to_owned(), program));
        image.scratch.push("/tmp".to_owned());
        let digest = image.write(&folder.join(archive)).unwrap();
        (digest, fs::read(folder.join(archive)).unwrap())
    }

    #[test]
    fn the_same_files_are_the_same_image_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let first = written(folder.path(), "one", "1.tar");
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(first, written(folder.path(), "one", "2.tar"), "whenever it is written");
        assert_ne!(first.0, written(folder.path(), "two", "3.tar").0);
    }

    #[test]
    fn every_digest_in_the_archive_is_that_of_its_blob() {
        let folder = tempfile::tempdir().unwrap();
        let (named, archive) = written(folder.path(), "one", "1.tar");
        let mut blobs = Vec::new();
        for entry in tar::Archive::new(archive.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            if path == "index.json" {
                assert!(String::from_utf8(content).unwrap().contains(&named));
            } else if path.starts_with("blobs/") {
                assert_eq!(path, blob(&content));
                blobs.push(path);
            }
        }
        assert_eq!(blobs.len(), 3, "layer, config, manifest");
    }
}
