//! What only the metrics source knows of a spec: whether its series are there,
//! whether a bucket ends at the threshold, whether a query is one, and for how
//! long anything is kept.

use hashinsight_crds::Reason;
use hashinsight_slo::objective::{Indicator, Objective};
use hashinsight_slo::rules::at_threshold;
use jiff::Timestamp;

use super::board::Lint;
use hashinsight_metrics_source::{Failure, Source};

/// Series a query may match until it is worth a word.
const MANY: f64 = 20_000.0;

/// Asks `source` about `objective`. `Err` when it cannot be asked.
pub async fn lint(
    objective: &Objective,
    source: &Source,
    retention: Option<u64>,
    now: Timestamp,
) -> Result<Lint, Failure> {
    let mut lint = Lint::default();
    let count = async |query: String| -> Result<f64, Failure> {
        let samples = source.instant(&format!("count({query})"), now).await?;
        Ok(samples.first().map_or(0.0, |sample| sample.value))
    };
    match &objective.indicator {
        Indicator::Events { metric, total, .. } => {
            matched(&mut lint, metric, count(format!("{metric}{total}")).await?);
        }
        Indicator::Latency { histogram, selector, threshold } => {
            let all = count(format!("{histogram}_count{selector}")).await?;
            matched(&mut lint, histogram, all);
            let buckets = count(format!("{histogram}_bucket{}", at_threshold(selector, threshold))).await?;
            if all > 0.0 && buckets < 1.0 {
                let why = format!(
                    "{histogram} has no bucket that ends at {threshold} s; choose a threshold it has, or add the bucket"
                );
                lint.blocking = Some((Reason::BucketMissing, why));
            }
        }
        Indicator::Expression { bad, total } => {
            for (field, query) in [("bad", bad), ("total", total)] {
                let query = query.replace("$window", &format!("{}s", objective.step));
                match source.instant(&query, now).await {
                    Ok(samples) if samples.len() > 1 => {
                        let remark =
                            format!("spec.indicator.expression.{field} gives several series, which are added up");
                        lint.remarks.push(remark);
                    }
                    Ok(_) => {}
                    Err(Failure::Refused(why)) => {
                        let why = format!("spec.indicator.expression.{field}: {why}");
                        lint.blocking = Some((Reason::SpecRefused, why));
                    }
                    Err(other) => return Err(other),
                }
            }
        }
    }
    let window = objective.window.usual_hours() * 3600;
    if let Some(kept) = retention.filter(|kept| *kept < window) {
        lint.remarks.push(format!(
            "the metrics source keeps {} hours, the window has {}: a restart of the operator loses what is older",
            kept / 3600,
            window / 3600
        ));
    }
    Ok(lint)
}

fn matched(lint: &mut Lint, metric: &str, series: f64) {
    if series < 1.0 {
        lint.remarks.push(format!("no series of {metric} matches the selector now"));
    } else if series > MANY {
        // Without the number, which would change status each time.
        lint.remarks.push(format!("more than {MANY} series of {metric} match the selector; narrow it"));
    }
}
