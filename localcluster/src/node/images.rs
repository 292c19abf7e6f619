//! Images from scratch: one binary, one layer, written as an archive that
//! containerd imports. The same binary gives the same image, bit for bit.

use std::fs;
use std::io::Write;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::Error;

/// Writes an archive of an image `name` that holds `program` as `/PROGRAM` and
/// runs it.
pub(super) fn write(archive: &Path, name: &str, program: &Path) -> Result<(), Error> {
    let binary = fs::read(program).map_err(Error::file("read", program))?;
    let file = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut layer = Vec::new();
    entry(&mut layer, &file, 0o755, &binary);
    end(&mut layer);
    let layer_digest = hex(&layer);
    let config = format!(
        "{{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{{\"Entrypoint\":[\"/{file}\"],\"User\":\"65532:65532\"}},\
         \"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[\"sha256:{layer_digest}\"]}}}}"
    );
    let config_digest = hex(config.as_bytes());
    let manifest = format!(
        "[{{\"Config\":\"{config_digest}.json\",\"RepoTags\":[\"{name}\"],\"Layers\":[\"{layer_digest}.tar\"]}}]"
    );
    let mut image = Vec::new();
    entry(&mut image, &format!("{config_digest}.json"), 0o644, config.as_bytes());
    entry(&mut image, &format!("{layer_digest}.tar"), 0o644, &layer);
    entry(&mut image, "manifest.json", 0o644, manifest.as_bytes());
    end(&mut image);
    fs::File::create(archive).and_then(|mut out| out.write_all(&image)).map_err(Error::file("write", archive))
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One regular file in the ustar format of POSIX.1-1988, owned by root, with no
/// time.
fn entry(tar: &mut Vec<u8>, name: &str, mode: u32, content: &[u8]) {
    let mut header = [0_u8; 512];
    let mut put = |at: usize, text: &str| {
        header.iter_mut().skip(at).zip(text.bytes()).for_each(|(to, from)| *to = from);
    };
    put(0, name);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{:011o}", content.len()));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar");
    put(263, "00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    header.iter_mut().skip(148).zip(sum.bytes()).for_each(|(to, from)| *to = from);
    tar.extend_from_slice(&header);
    tar.extend_from_slice(content);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

fn end(tar: &mut Vec<u8>) {
    tar.resize(tar.len() + 1024, 0);
}
