//! Evidence, policies and artifacts as files.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use hashinsight_crds::text::text;
use hashinsight_gates::evidence::{self, Evidence, Facts, Index, LARGEST, MOST_FILES, Refusal, Unread, sha256};
use hashinsight_gates::policy::{Policy, Unusable};
use hashinsight_gates::verdict::{Finding, Level};
use hashinsight_gates::words::said;
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::arguments::Asked;
use crate::calculate::files::{open, read, trouble, write, wrong};
use crate::output::{Answer, Block};
use crate::trouble::{Exit, Trouble};

/// The name of the index in a folder of evidence.
const INDEX: &str = "evidence-index.json";
/// Folders in one another.
const DEEPEST: usize = 16;

/// What a folder of evidence holds.
#[derive(Default)]
pub struct Folder {
    pub evidence: Vec<Evidence>,
    pub unread: Vec<Unread>,
}

/// Reads every file of a folder, one after the other, in the order of their
/// names.
pub fn folder(root: &Path) -> Result<Folder, Trouble> {
    let mut paths = Vec::new();
    walk(root, 0, &mut paths)?;
    let mut folder = Folder::default();
    for path in paths {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        let bytes = match bytes(&path) {
            Ok(bytes) => bytes,
            Err(what) => {
                folder.unread.push(Unread { file: name, digest: None, refusal: unreadable(what) });
                continue;
            }
        };
        match evidence::read(&name, &bytes) {
            Ok(evidence) => folder.evidence.push(evidence),
            Err(unread) => folder.unread.push(unread),
        }
    }
    Ok(folder)
}

fn unreadable(what: String) -> Refusal {
    Refusal {
        line: None,
        what,
        next: ["see that the file may be read, and is no larger than 64 MiB", "确认文件可读，且不超过 64 MiB"],
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !size.is_file() || size.len() > LARGEST as u64 {
        return Err(format!("no file of at most {LARGEST} bytes"));
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Trouble> {
    let entries = std::fs::read_dir(folder).map_err(|error| trouble(folder, &error))?;
    let mut entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(|error| trouble(folder, &error))?;
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let kind = entry.file_type().map_err(|error| trouble(&entry.path(), &error))?;
        if kind.is_dir() {
            if depth >= DEEPEST {
                return Err(wrong(&entry.path(), format_args!("deeper than {DEEPEST} folders"), ""));
            }
            walk(&entry.path(), depth + 1, found)?;
        } else {
            found.push(entry.path());
        }
        if found.len() > MOST_FILES {
            let next = "keep only evidence in the folder";
            return Err(wrong(folder, format_args!("more than {MOST_FILES} files"), next));
        }
    }
    Ok(())
}

/// The policy that is asked for, or why it cannot be followed.
pub fn policy(asked: &Asked) -> Result<Policy, Box<Finding>> {
    let policy = match &asked.policy {
        None => Policy::built_in().map_err(|unusable| of_policy("the policy that is built in", &unusable))?,
        Some(path) => {
            let text = text_of(path)?;
            Policy::read(&text).map_err(|unusable| of_policy(&path.display().to_string(), &unusable))?
        }
    };
    match &asked.waivers {
        None => Ok(policy),
        Some(path) => {
            let text = text_of(path)?;
            policy.with_waivers(&text).map_err(|unusable| of_policy(&path.display().to_string(), &unusable))
        }
    }
}

fn text_of(path: &Path) -> Result<String, Box<Finding>> {
    let unusable = |what: String| of_policy(&path.display().to_string(), &Unusable { line: None, what });
    let bytes = read(path, 1 << 20).map_err(|trouble| unusable(trouble.why))?;
    String::from_utf8(bytes).map_err(|_| unusable("not UTF-8".to_owned()))
}

fn of_policy(file: &str, unusable: &Unusable) -> Box<Finding> {
    let place = unusable.line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"));
    let next = said(
        "mend the policy; `hashinsight gate explain --policy-text` prints one that works",
        "修正策略；hashinsight gate explain --policy-text 可输出可用的示例",
    );
    Box::new(Finding {
        file: Some(file.to_owned()),
        line: unusable.line,
        ..Finding::new(
            Level::Error,
            "policy",
            said(format!("{place}: {unusable}"), format!("{place}：策略无法使用：{unusable}")),
            next,
        )
    })
}

/// The same where there is no verdict to put it into.
pub fn unusable(finding: Finding) -> Trouble {
    let what = text("the policy cannot be used", "策略无法使用");
    Trouble::new(Exit::Error, what, finding.reason.en, finding.next.en)
}

/// The digest of an artifact, from its name or its file.
pub fn artifact(typed: &str) -> Result<String, Trouble> {
    let digest = typed.rsplit_once('@').map_or(typed, |(_, digest)| digest);
    if let Some(hex) = digest.strip_prefix("sha256:") {
        let whole = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        return if whole { Ok(hex.to_ascii_lowercase()) } else { Err(no_digest(typed)) };
    }
    let path = Path::new(typed);
    if !path.is_file() {
        return Err(no_digest(typed));
    }
    let (mut input, _) = open(path)?;
    let (mut hash, mut block) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match input.read(&mut block).map_err(|error| trouble(path, &error))? {
            0 => break,
            length => hash.update(&block[..length]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn no_digest(typed: &str) -> Trouble {
    let what = text("the artifact is neither a digest nor a file", "制品既不是摘要也不是文件");
    Trouble::new(Exit::Error, what, typed, "--artifact sha256:<64 hexadecimal digits>")
}

/// Digests of the files of a folder.
pub fn digests(root: &Path) -> Result<BTreeMap<String, String>, Trouble> {
    let folder = folder(root)?;
    let unread = folder.unread.iter().map(|unread| (unread.file.clone(), unread.digest.clone().unwrap_or_default()));
    Ok(folder.evidence.iter().map(|e| (e.file.clone(), e.digest.clone())).chain(unread).collect())
}

/// Writes the index of a folder.
pub fn index(root: &Path, commit: &str, artifact_: Option<&str>) -> Result<Answer, Trouble> {
    if commit.len() < 7 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let what = text("this is no commit", "这不是提交");
        return Err(Trouble::new(Exit::Error, what, commit, "--commit \"$(git rev-parse HEAD)\""));
    }
    let artifact = artifact_.map(artifact).transpose()?;
    let folder = folder(root)?;
    if let Some(unread) = folder.unread.iter().find(|unread| unread.file != INDEX) {
        return Err(wrong(&root.join(&unread.file), &unread.refusal, unread.refusal.next[0]));
    }
    // Provenance names the index, and so is not in it.
    let listed = folder.evidence.iter().filter(|e| !matches!(e.facts, Facts::Index(_) | Facts::Provenance(_)));
    let files: BTreeMap<String, String> = listed.map(|e| (e.file.clone(), e.digest.clone())).collect();
    let index = Index::new(commit, artifact.as_deref(), Timestamp::now(), files);
    let path = root.join(INDEX);
    let written = serde_json::to_string_pretty(&index).unwrap_or_default() + "\n";
    write(&path, written.as_bytes())?;
    let told = format!("{}: {} files, sha256:{}", path.display(), index.files.len(), sha256(written.as_bytes()));
    Ok(Answer {
        exit: Exit::Ok,
        data: json!({"schemaVersion": 1, "file": path, "files": index.files}),
        names: index.files.keys().cloned().collect(),
        csv: None,
        blocks: vec![Block::Line(told)],
    })
}
