//! Follows a rollout: in a terminal one picture that changes, in a pipe a line
//! for each change.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::Duration;

use hashinsight_crds::ServiceLevelObjective;
use jiff::Timestamp;
use kube::core::ApiResource;

use super::standing::{Standing, standing};
use super::{core, namespace};
use crate::arguments::{Format, Global};
use crate::cluster::Cluster;
use crate::output::{Answer, Block, to_stdout};
use crate::trouble::{Exit, Trouble};

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);
/// How often in a row the cluster may not answer.
const PATIENCE: u32 = 30;

async fn look(cluster: &Cluster, name: &str, global: &Global) -> Result<Standing, Trouble> {
    let core = core(cluster, name, global).await?;
    let listed = cluster.list(&ApiResource::erase::<ServiceLevelObjective>(&()), Some(namespace(global))).await;
    // Who may see cores alone still sees the rest.
    let objectives = listed.unwrap_or_default().into_iter();
    let objectives: Vec<_> = objectives.filter_map(|object| serde_json::from_value(object).ok()).collect();
    Ok(standing(&core, &objectives, Timestamp::now()))
}

pub async fn once(name: &str, global: &Global) -> Result<Answer, Trouble> {
    let cluster = Cluster::named(global).await?;
    let Standing { data, lines, exit, .. } = look(&cluster, name, global).await?;
    let blocks = lines.iter().map(|line| Block::Line(line.to(global.language).to_owned())).collect();
    let state = data["state"].as_str().unwrap_or_default().to_owned();
    Ok(Answer { csv: None, exit, data, names: vec![state], blocks })
}

/// Until the rollout is over, or somebody interrupts.
pub fn follow(name: &str, global: &Global) -> Result<Exit, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Trouble::system)?;
    runtime.block_on(async {
        tokio::select! {
            exit = following(name, global) => exit,
            _ = tokio::signal::ctrl_c() => Err(Trouble::interrupted()),
        }
    })
}

async fn following(name: &str, global: &Global) -> Result<Exit, Trouble> {
    let cluster = Cluster::named(global).await?;
    let is_picture = std::io::stdout().is_terminal() && global.output == Format::Table;
    let (mut shown, mut height, mut unanswered) = (String::new(), 0, 0);
    loop {
        let standing = match look(&cluster, name, global).await {
            Ok(standing) => standing,
            // A cluster that is upgraded is away for a while.
            Err(trouble) if trouble.exit == Exit::Unreachable && !shown.is_empty() && unanswered < PATIENCE => {
                unanswered += 1;
                tokio::time::sleep(LOOK).await;
                continue;
            }
            Err(trouble) => return Err(trouble),
        };
        unanswered = 0;
        let (key, text) = drawn(&standing, global, is_picture);
        if key != shown {
            // Up to where the last picture began, and away with it.
            let over = if is_picture && height > 0 { format!("\x1b[{height}A\x1b[J") } else { String::new() };
            height = text.lines().count();
            to_stdout((over + &text).as_bytes())?;
            shown = key;
        }
        if standing.exit != Exit::Deferred {
            return Ok(standing.exit);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What tells one picture from another, and the picture.
fn drawn(standing: &Standing, global: &Global, is_picture: bool) -> (String, String) {
    let text = match global.output {
        Format::Json => format!("{}\n", standing.data),
        Format::Yaml => format!("---\n{}", serde_saphyr::to_string(&standing.data).unwrap_or_default()),
        Format::Table | Format::Wide if is_picture => standing.lines.iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{}", line.to(global.language));
            text
        }),
        _ => format!("{}\n", standing.short.to(global.language)),
    };
    // A decision that comes nearer every second is no news for a pipe.
    let mut told = standing.data.clone();
    told["secondsToDecision"] = serde_json::Value::Null;
    (if is_picture { text.clone() } else { told.to_string() }, text)
}
