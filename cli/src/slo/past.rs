//! What was counted in the past: from a file of counters, or from a
//! Prometheus.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hashinsight_crds::text::text;
use hashinsight_metrics_source::{Access, Failure, MetricsQuery, Prometheus, Sample};
use hashinsight_slo::counts::{Counts, Reading, Tally, whole};
use hashinsight_slo::history::{History, judged};
use hashinsight_slo::objective::{Indicator, Objective};
use hashinsight_slo::rules::at_threshold;
use hashinsight_slo::series::{BAD, COUNT_LABEL, COUNTED, MEASURED, TOTAL, of};
use jiff::Timestamp;

use super::arguments::Past;
use crate::arguments::Global;
use crate::calculate::files::{open, wrong};
use crate::trouble::{Exit, Trouble};

/// Rows of a file of counters: a year of one process a minute.
const ROWS: usize = 1_000_000;
/// Seconds between two readings asked of a Prometheus: as the rules count, and
/// a minute where many days are asked for.
const PACE: i64 = 15;
const PACE_OF_MANY: i64 = 60;
/// Days that are few.
const FEW_DAYS: u16 = 7;
/// Readings asked for at once, below Prometheus's limit of 11,000.
const AT_ONCE: i64 = 10_000;

/// What each process's counters showed, by second.
type Readings = BTreeMap<i64, BTreeMap<String, Reading>>;

/// The history the command line names; `None` when it names none.
pub async fn history(objective: &Objective, past: &Past, global: &Global) -> Result<Option<History>, Trouble> {
    let readings = match (&past.history, &past.prometheus_url) {
        (Some(file), _) => of_file(file)?,
        (None, Some(url)) => of_prometheus(objective, url, past.days, global).await?,
        (None, None) => return Ok(None),
    };
    if readings.len() < 2 {
        let what = text("there is no history to play", "没有可用的历史数据");
        let why = "two readings of the counters are needed at least".to_owned();
        return Err(Trouble::new(Exit::Error, what, why, "hashinsight slo backtest --help"));
    }
    Ok(Some(counted(objective, &readings)))
}

/// Counts from readings, each as long as the time since the one before.
fn counted(objective: &Objective, readings: &Readings) -> History {
    let (mut tally, mut before, mut steps) = (Tally::default(), None::<i64>, Vec::new());
    for (second, of_processes) in readings {
        let long = before.map_or(0, |before| second - before);
        // Too far apart to say what happened between: that time is not measured.
        let measured = if long <= Tally::SIGHT { long.unsigned_abs() } else { 0 };
        if let Some(counts) = tally.take(*second, measured, of_processes) {
            steps.push((*second, judged(objective, counts)));
        }
        before = Some(*second);
    }
    History::new(steps)
}

fn of_file(file: &Path) -> Result<Readings, Trouble> {
    const NEXT: &str = "hashinsight slo backtest --help";
    let (input, _) = open(file)?;
    let mut rows = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
    let headings = rows.headers().map_err(|error| wrong(file, error, NEXT))?.clone();
    let column = |name: &str| headings.iter().position(|heading| heading.eq_ignore_ascii_case(name));
    let needed = |name: &str| column(name).ok_or_else(|| wrong(file, format_args!("no column {name}"), NEXT));
    let (time, total, bad, process) = (needed("time")?, needed("total")?, needed("bad")?, column("process"));
    let mut readings = Readings::new();
    for (number, row) in (2..).zip(rows.records()) {
        let place = format!("{}:{number}", file.display());
        let refuse = |why: String| wrong(Path::new(&place), why, NEXT);
        if number > ROWS {
            return Err(refuse(format!("more than {ROWS} rows")));
        }
        let row = row.map_err(|error| refuse(error.to_string()))?;
        let cell = |at: usize| row.get(at).unwrap_or_default();
        let second = match (cell(time).parse::<i64>(), cell(time).parse::<Timestamp>()) {
            (Ok(second), _) => second,
            (_, Ok(time)) => time.as_second(),
            _ => return Err(refuse(format!("time: {:?} is neither seconds nor RFC 3339", cell(time)))),
        };
        let count = |name: &str, at: usize| -> Result<u64, Trouble> {
            let value: f64 = cell(at).parse().map_err(|_| refuse(format!("{name}: {:?} is no number", cell(at))))?;
            whole(value).map_err(|why| refuse(format!("{name}: {why}")))
        };
        let reading = Reading { total: count("total", total)?, bad: count("bad", bad)? };
        if reading.bad > reading.total {
            return Err(refuse(format!("bad: {} of {} events", reading.bad, reading.total)));
        }
        readings.entry(second).or_default().insert(process.map_or("", cell).to_owned(), reading);
    }
    Ok(readings)
}

/// A Prometheus at an address.
fn source(url: &str) -> Result<Prometheus, Trouble> {
    let refuse = |why: String| {
        let what = text("this is no address of a Prometheus", "这不是 Prometheus 的地址");
        Trouble::new(Exit::Error, what, format!("--prometheus-url {url}: {why}"), "http://127.0.0.1:9090")
    };
    let parsed = url.parse().map_err(|error| refuse(format!("{error}")))?;
    let access = Access { url: parsed, token: None, roots: None };
    Prometheus::new(&access, Arc::new(Timestamp::now), Arc::new(|_, _| ())).map_err(refuse)
}

fn failed(url: &str, failure: &Failure) -> Trouble {
    let what = text("the Prometheus cannot be asked", "无法询问 Prometheus");
    Trouble::new(Exit::Unreachable, what, format!("{url}: {failure}"), format!("curl {url}/-/ready"))
}

async fn of_prometheus(objective: &Objective, url: &str, days: u16, global: &Global) -> Result<Readings, Trouble> {
    let prometheus = source(url)?;
    let by = |series: String| format!("sum by (job, instance) (last_over_time({series}[{}s]))", Tally::SIGHT);
    let (total, bad, inverted) = match &objective.indicator {
        Indicator::Events { metric, total, bad } => {
            (by(format!("{metric}{total}")), by(format!("{metric}{bad}")), false)
        }
        Indicator::Latency { histogram, selector, threshold } => (
            by(format!("{histogram}_count{selector}")),
            by(format!("{histogram}_bucket{}", at_threshold(selector, threshold))),
            true,
        ),
        Indicator::Expression { .. } => {
            let what = text("an expression has no counters to play", "表达式没有可供回放的计数器");
            return Err(Trouble::new(Exit::Error, what, "it is evaluated by Prometheus alone", "--history FILE"));
        }
    };
    let pace = if days <= FEW_DAYS { PACE } else { PACE_OF_MANY };
    let end = Timestamp::now().as_second().div_euclid(pace) * pace;
    let begin = end - i64::from(days) * 86_400;
    let mut readings = Readings::new();
    let mut from = begin;
    while from < end {
        let to = end.min(from + AT_ONCE * pace);
        if global.output == crate::arguments::Format::Table {
            progress(from - begin, end - begin);
        }
        for (query, is_total) in [(&total, true), (&bad, false)] {
            let at = |second: i64| Timestamp::from_second(second).unwrap_or_default();
            let samples = prometheus.range(query, at(from), at(to), pace.unsigned_abs()).await;
            for sample in samples.map_err(|failure| failed(url, &failure))? {
                take(&mut readings, &sample, is_total);
            }
        }
        from = to + pace;
    }
    for reading in readings.values_mut().flat_map(BTreeMap::values_mut) {
        reading.bad = if inverted { reading.total.saturating_sub(reading.bad) } else { reading.bad.min(reading.total) };
    }
    Ok(readings)
}

/// Long work says how far it is, where somebody looks.
fn progress(done: i64, all: i64) {
    use std::io::{IsTerminal, Write};
    if std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr(), "\r{} %  \r", done * 100 / all.max(1));
    }
}

fn take(readings: &mut Readings, sample: &Sample, is_total: bool) {
    let label = |name: &str| sample.labels.get(name).cloned().unwrap_or_default();
    let Ok(count) = whole(sample.value) else { return };
    let of_second = readings.entry(sample.at).or_default();
    let process = of_second.entry(label("job") + "/" + &label("instance")).or_insert(Reading { total: 0, bad: 0 });
    if is_total {
        process.total = count;
    } else {
        process.bad = count;
    }
}

/// What the rules recorded of an objective in its window, from `since` on, in
/// at most `parts` equal stretches.
pub async fn recorded(
    objective: &Objective,
    since: Option<Timestamp>,
    url: &str,
    parts: i64,
) -> Result<History, Trouble> {
    let prometheus = source(url)?;
    let now = Timestamp::now();
    let bounds = objective.window.at(now);
    let (from, to) = (since.map_or(bounds.from, |since| since.max(bounds.from)).as_second(), now.as_second());
    // A stretch shorter than a count would hold none.
    let step = ((to - from) / parts).max(objective.step.cast_signed());
    let from = to - (to - from) / step * step;
    let query = format!("sum by ({COUNT_LABEL}) (sum_over_time({COUNTED}{}[{step}s]))", of(objective));
    let at = |second: i64| Timestamp::from_second(second).unwrap_or_default();
    let samples = prometheus.range(&query, at(from), at(to), step.unsigned_abs()).await;
    let mut steps: BTreeMap<i64, Counts> = BTreeMap::new();
    for sample in samples.map_err(|failure| failed(url, &failure))? {
        let Ok(count) = whole(sample.value.round()) else { continue };
        let counts = steps.entry(sample.at).or_default();
        match sample.labels.get(COUNT_LABEL).map(String::as_str) {
            Some(TOTAL) => counts.total = count,
            Some(BAD) => counts.bad = count,
            Some(MEASURED) => counts.measured = count,
            _ => {}
        }
    }
    if steps.is_empty() {
        let what = text("nothing is recorded of this objective", "没有该目标的任何记录");
        return Err(Trouble::new(Exit::Error, what, query, "hashinsight runbook ObjectiveNotMeasured"));
    }
    Ok(History::new(steps))
}
