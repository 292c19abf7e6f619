//! What is left of a budget, drawn.

use std::path::Path;

use hashinsight_crds::objective::Budget;
use hashinsight_crds::text::text;
use hashinsight_slo::burndown::{Point, blocks, points, svg};
use hashinsight_slo::history::History;
use hashinsight_slo::share::hundredths;
use serde_json::json;

use super::arguments::{Past, Which};
use super::past::{history, recorded};
use super::{Chosen, chosen};
use crate::arguments::Global;
use crate::calculate::files;
use crate::output::{Answer, Block};
use crate::said::words;
use crate::trouble::{Exit, Trouble};

/// Points of the picture, and columns of the drawing where the terminal says
/// nothing.
const POINTS: i64 = 240;
const COLUMNS: usize = 64;
const ROWS: usize = 8;
/// What stands left of the drawing.
const SIDE: usize = 12;

pub fn answer(which: &Which, past: &Past, picture: Option<&Path>, global: &Global) -> Result<Answer, Trouble> {
    let (chosen, history) = crate::wait(
        async {
            let chosen = chosen(which, global).await?;
            let history = match (&which.name, &past.prometheus_url) {
                // Of what is on the cluster, the rules have recorded the past.
                (Some(_), Some(url)) => {
                    let status = chosen.object.status.as_ref();
                    let since = status.and_then(|status| status.measured_since.as_ref()).map(|since| since.0);
                    Some(recorded(&chosen.objective, since, url, POINTS).await?)
                }
                _ => history(&chosen.objective, past, global).await?,
            };
            Ok((chosen, history))
        },
        global,
    )?;
    match history {
        Some(history) => drawn(&chosen, &history, picture, global),
        None => stated(&chosen, picture, global),
    }
}

fn drawn(chosen: &Chosen, history: &History, picture: Option<&Path>, global: &Global) -> Result<Answer, Trouble> {
    let objective = &chosen.objective;
    let all = points(objective, history, usize::try_from(POINTS).unwrap_or(COLUMNS));
    let title = format!("{}: {} % over {}", objective.key(), objective.target.percentage(), objective.window.told());
    if let Some(path) = picture {
        files::write(path, svg(objective, &title, &all).as_bytes())?;
    }
    let width = terminal_size::terminal_size().map_or(COLUMNS, |(width, _)| usize::from(width.0).saturating_sub(SIDE));
    let shown: Vec<Point> = points(objective, history, width.clamp(20, 160));
    let mut lines = vec![Block::Line(title)];
    lines.extend(blocks(&shown, ROWS).into_iter().map(Block::Line));
    let ends = shown.first().zip(shown.last());
    if let Some((first, last)) = ends {
        let left = hundredths(last.left);
        let told = words(
            format!("         {} to {}; {left} % is left", first.at, last.at),
            format!("         {} 至 {}；剩余 {left} %", first.at, last.at),
        );
        lines.push(Block::Line(told.to(global.language).to_owned()));
    }
    let point = |point: &Point| json!({"at": point.at, "remainingPercent": hundredths(point.left)});
    let data =
        json!({"schemaVersion": 1, "objective": objective.key(), "points": all.iter().map(point).collect::<Vec<_>>()});
    let header = vec!["at".to_owned(), "remaining_percent".to_owned()];
    let rows = all.iter().map(|point| vec![point.at.to_string(), hundredths(point.left)]);
    let csv = std::iter::once(header).chain(rows).collect();
    Ok(Answer { csv: Some(csv), exit: Exit::Ok, data, names: vec![objective.key()], blocks: lines })
}

/// What status says, as a bar: the past is in the metrics system.
fn stated(chosen: &Chosen, picture: Option<&Path>, global: &Global) -> Result<Answer, Trouble> {
    let objective = &chosen.objective;
    let budget = chosen.object.status.as_ref().and_then(|status| status.budget.as_ref());
    let (Some(budget), None) = (budget, picture) else {
        let what = text("there is no past to draw from", "没有可供绘制的历史数据");
        let next = "hashinsight slo budget … --prometheus-url URL, or --history FILE";
        return Err(Trouble::new(Exit::Error, what, objective.key(), next));
    };
    let mut lines =
        vec![Block::Line(format!("{}  {}", objective.key(), bar(budget))), Block::Line(budget.remaining.clone())];
    let ledger = chosen.object.status.iter().flat_map(|status| &status.ledger);
    lines.extend(ledger.map(|entry| {
        let name = entry.name.as_deref().unwrap_or("—");
        Block::Line(format!("  {:>7} %  {:?} {name}", entry.consumed_percent, entry.cause))
    }));
    let hint = words("its course: --prometheus-url URL", "变化过程：--prometheus-url URL");
    lines.push(Block::Line(hint.to(global.language).to_owned()));
    let ledger = chosen.object.status.as_ref().map(|status| &status.ledger);
    let data = json!({"schemaVersion": 1, "objective": objective.key(), "budget": budget, "ledger": ledger});
    Ok(Answer { csv: None, exit: Exit::Ok, data, names: vec![objective.key()], blocks: lines })
}

fn bar(budget: &Budget) -> String {
    const WIDE: usize = 40;
    let cents: i64 = budget.remaining_percent.replace('.', "").parse().unwrap_or(0);
    let full = usize::try_from(cents.clamp(0, 10_000)).unwrap_or(0) * WIDE / 10_000;
    format!("{}{}", "█".repeat(full), "░".repeat(WIDE - full))
}
