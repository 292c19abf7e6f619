//! `gate verify`: a signed verdict held against what is about to be released.

use hashinsight_gates::attestation::{Expected, PublicKey, Refused, verify};
use serde_json::json;

use super::arguments::{Asked, Verify};
use super::{files, now, tongue};
use crate::arguments::Global;
use crate::calculate::files::{read, wrong};
use crate::output::{Answer, Block};
use crate::said::words;
use crate::trouble::{Exit, Trouble};

/// Bytes of an envelope.
const LARGEST: u64 = 16 << 20;

pub fn answer(asked: &Verify, global: &Global) -> Result<Answer, Trouble> {
    let key = |path: &std::path::PathBuf| {
        let pem = String::from_utf8(read(path, 1 << 16)?).map_err(|_| wrong(path, "no PEM", ""))?;
        let next = "openssl pkey -in gate.key -pubout -out gate.pub";
        PublicKey::of_pem(&pem).map_err(|error| wrong(path, error, next))
    };
    let keys = asked.key.iter().map(key).collect::<Result<Vec<_>, _>>()?;
    let artifact = files::artifact(&asked.artifact)?;
    let policy = asked.policy.is_some().then(|| policy(asked)).transpose()?;
    let evidence = asked.evidence.as_deref().map(files::digests).transpose()?;
    let envelope =
        String::from_utf8(read(&asked.envelope, LARGEST)?).map_err(|_| wrong(&asked.envelope, "not UTF-8", ""))?;
    let expected = Expected {
        keys: &keys,
        artifact: &artifact,
        policy: policy.as_deref(),
        commit: asked.commit.as_deref(),
        evidence: evidence.as_ref(),
        at: now(asked.at),
    };
    Ok(told(verify(&envelope, &expected), asked, global))
}

/// The digest of the policy that is named.
fn policy(asked: &Verify) -> Result<String, Trouble> {
    let of = Asked { policy: asked.policy.clone(), waivers: asked.waivers.clone(), at: asked.at };
    files::policy(&of).map(|policy| policy.digest).map_err(|finding| files::unusable(*finding))
}

fn told(
    verified: Result<hashinsight_gates::attestation::Predicate, Refused>,
    asked: &Verify,
    global: &Global,
) -> Answer {
    let file = asked.envelope.display();
    match verified {
        Ok(predicate) => {
            let left: Vec<&str> = predicate.left_to_cluster.iter().map(|check| check.as_str()).collect();
            let mut lines = vec![words(
                format!("✓ {file} holds: Allow by the policy {}, until {}", predicate.policy.name, predicate.expires),
                format!("✓ {file} 有效：按策略 {} 放行，至 {}", predicate.policy.name, predicate.expires),
            )];
            if !left.is_empty() {
                let list = left.join(", ");
                lines.push(words(format!("  left to the cluster: {list}"), format!("  由集群判断：{list}")));
            }
            for waiver in &predicate.waived {
                let told = format!(
                    "{}/{} by {} until {}: {}",
                    waiver.check.as_str(),
                    waiver.finding,
                    waiver.owner,
                    waiver.expires,
                    waiver.reason
                );
                lines.push(words(format!("  waived: {told}"), format!("  豁免：{told}")));
            }
            Answer {
                exit: Exit::Ok,
                data: json!({"schemaVersion": 1, "holds": true, "attested": predicate}),
                names: vec!["Allow".to_owned()],
                csv: None,
                blocks: lines.iter().map(|line| Block::Line(line.to(global.language).to_owned())).collect(),
            }
        }
        Err(refused) => {
            let why = refused.told();
            let exit = if matches!(refused, Refused::Unreadable(_)) { Exit::Error } else { Exit::Refused };
            let line = words(
                format!("✗ {file} does not hold ({}): {}", refused.as_str(), why.en),
                format!("✗ {file} 无效（{}）：{}", refused.as_str(), why.zh),
            );
            let next = words(
                "  → run the gate again on this very build, and release what it allows",
                "  → 对本次构建重新运行门禁，仅发布其放行的制品",
            );
            let lines = [line, next];
            Answer {
                exit,
                data: json!({"schemaVersion": 1, "holds": false, "reason": refused.as_str(), "why": why.to(tongue(global.language))}),
                names: vec![refused.as_str().to_owned()],
                csv: None,
                blocks: lines.iter().map(|line| Block::Line(line.to(global.language).to_owned())).collect(),
            }
        }
    }
}
