//! Performance: requests within what is promised, and nothing slower than
//! before by more than is allowed and chance explains.

use super::{Answer, Seen};
use crate::evidence::Measure;
use crate::policy::{Need, Percent, PerformanceRule, Policy};
use crate::verdict::{Finding, Level, Measured};
use crate::words::said;

/// Samples below which nothing is compared.
const FEWEST: u64 = 10;
/// Quantile of the normal distribution: one in a thousand, on one side.
const ONE_IN_A_THOUSAND: f64 = 3.0902;

pub fn ask(rule: &PerformanceRule, policy: &Policy, seen: &Seen<'_>, measured: &mut Measured) -> Answer {
    let files = seen.timing();
    if files.is_empty() {
        return Answer::missing(
            said("no measurement", "没有性能测量"),
            said(
                "keep the report of the benchmark: k6, oha, Criterion, benchmark samples",
                "保留基准测试报告：k6、oha、Criterion 或基准样本",
            ),
        );
    }
    let mut findings = Vec::new();
    let (mut requests, mut slowest) = (0_u64, 0.0_f64);
    for (evidence, timing) in &files {
        let of = |finding: Finding| finding.of(evidence);
        for told in &timing.failures {
            let reason = said(format!("while it was measured: {told}"), format!("测量期间：{told}"));
            let next = said("find why; what fails quickly seems fast", "查明原因：快速失败会显得很快");
            let finding = Finding::new(Level::Failure, format!("failed:{told}"), reason, next);
            findings.push(of(finding.measured(told, "no failure")));
        }
        for (name, measure) in &timing.measures {
            if measure.requests {
                requests += measure.samples;
                slowest = slowest.max(measure.p95.unwrap_or(f64::INFINITY));
                findings.extend(promised(rule, name, measure).map(of));
            }
            findings.extend(compared(rule, policy, seen, name, measure).map(of));
            measured.durations.insert(name.clone(), *measure);
        }
    }
    if let (0, Some(limit)) = (requests, rule.requests_p95_milliseconds) {
        findings.push(
            Finding::new(
                Level::Error,
                "requests:missing",
                said("no request was measured", "没有测量任何请求"),
                said(
                    "measure the service under load: k6, oha, benchmark samples with requests: true",
                    "在负载下测量服务：k6、oha，或带 requests: true 的样本",
                ),
            )
            .measured("none", format!("95 of 100 within {limit} ms")),
        );
    }
    findings.extend(forgotten(rule, seen, measured));
    let told = if requests > 0 { format!("{slowest:.3} ms") } else { "—".to_owned() };
    Answer::new(
        said(
            format!("95 of 100 of {requests} requests within {told}"),
            format!("{requests} 个请求中 95 % 不超过 {told}"),
        ),
        findings,
    )
}

fn promised(rule: &PerformanceRule, name: &str, measure: &Measure) -> Option<Finding> {
    let limit = rule.requests_p95_milliseconds?;
    let next = said(
        "find what is slow; `hashinsight gate explain performance`",
        "查找慢的原因；hashinsight gate explain performance",
    );
    let Some(p95) = measure.p95 else {
        let reason = said(format!("{name}: the 95th percentile is not told"), format!("{name}：没有 95 百分位"));
        return Some(Finding::new(Level::Error, format!("p95:{name}"), reason, next));
    };
    #[allow(clippy::cast_precision_loss, reason = "milliseconds of a policy")]
    let within = p95 <= limit as f64;
    (!within).then(|| {
        let reason = said(
            format!("{name}: 95 of 100 requests took up to {p95:.3} ms"),
            format!("{name}：95 % 的请求耗时达 {p95:.3} 毫秒"),
        );
        Finding::new(Level::Failure, format!("p95:{name}"), reason, next)
            .measured(format!("{p95:.3} ms"), format!("at most {limit} ms"))
    })
}

/// Welch's test of both means, on one side, with what is allowed added to the
/// one before.
fn compared(rule: &PerformanceRule, policy: &Policy, seen: &Seen<'_>, name: &str, now: &Measure) -> Option<Finding> {
    let allowed = rule.slower_percent?;
    let before = seen.case.baseline?.durations.get(name)?;
    let next =
        said("find what became slower, or measure again on a quiet machine", "查找变慢的原因，或在空闲机器上重测");
    match slower(before, now, allowed) {
        Some(true) => Some(
            Finding::new(
                Level::Failure,
                format!("slower:{name}"),
                said(
                    format!(
                        "{name}: {:.4} ms on average, {:.4} ms before; chance does not explain that",
                        now.mean, before.mean
                    ),
                    format!("{name}：平均 {:.4} 毫秒，此前 {:.4} 毫秒，并非偶然", now.mean, before.mean),
                ),
                next,
            )
            .measured(format!("{:.4} ms", now.mean), format!("{:.4} ms and {allowed} more", before.mean)),
        ),
        Some(false) => None,
        None => {
            let level = if policy.baseline == Need::Required { Level::Error } else { Level::Note };
            let reason = said(
                format!("{name}: not compared: too few samples, or a report of percentiles alone"),
                format!("{name}：未比较：样本太少，或报告只有百分位数"),
            );
            Some(Finding::new(
                level,
                format!("not-compared:{name}"),
                reason,
                said("keep the samples: Criterion, benchmark samples", "保留样本：Criterion 或基准样本"),
            ))
        }
    }
}

/// Whether it became slower by more than is allowed and chance explains;
/// nothing where that cannot be told.
#[allow(clippy::cast_precision_loss, reason = "a count of samples")]
fn slower(before: &Measure, now: &Measure, allowed: Percent) -> Option<bool> {
    let (old, new) = (before.deviation?, now.deviation?);
    if before.samples < FEWEST || now.samples < FEWEST {
        return None;
    }
    let more = 1.0 + f64::from(allowed.0) / 10_000.0;
    let (n0, n1) = (before.samples as f64, now.samples as f64);
    let (v0, v1) = ((old * more).powi(2) / n0, new.powi(2) / n1);
    let difference = now.mean - before.mean * more;
    let error = (v0 + v1).sqrt();
    if error == 0.0 {
        return Some(difference > 0.0);
    }
    let freedom = (v0 + v1).powi(2) / (v0.powi(2) / (n0 - 1.0) + v1.powi(2) / (n1 - 1.0));
    Some(difference / error > student(freedom))
}

/// Quantile of Student's distribution, one in a thousand on one side, by
/// Cornish and Fisher's expansion (Abramowitz and Stegun 26.7.5).
fn student(freedom: f64) -> f64 {
    let z = ONE_IN_A_THOUSAND;
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    z + first / freedom + second / freedom.powi(2) + third / freedom.powi(3)
}

/// What was measured before and is not any more.
fn forgotten(rule: &PerformanceRule, seen: &Seen<'_>, measured: &Measured) -> Vec<Finding> {
    let before = seen.case.baseline.map(|baseline| &baseline.durations).into_iter().flatten();
    let gone = before.filter(|(name, _)| rule.slower_percent.is_some() && !measured.durations.contains_key(*name));
    gone.map(|(name, _)| {
        let reason =
            said(format!("{name} was measured before and is not any more"), format!("{name} 此前有测量，现在没有"));
        let next = said("measure it again, or begin a new baseline", "重新测量，或使用新的基线");
        Finding::new(Level::Warning, format!("gone:{name}"), reason, next)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(mean: f64, deviation: f64, samples: u64) -> Measure {
        Measure { samples, mean, deviation: Some(deviation), p95: None, requests: false }
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (freedom, quantile) in [(9.0, 4.297), (20.0, 3.552), (60.0, 3.232), (1e9, 3.090)] {
            assert!((student(freedom) - quantile).abs() < 0.02, "{freedom}: {}", student(freedom));
        }
    }

    #[test]
    fn only_what_chance_does_not_explain_is_slower() {
        let before = measure(10.0, 1.0, 100);
        let tenth = Percent(1000);
        assert_eq!(slower(&before, &measure(10.9, 1.0, 100), tenth), Some(false), "within what is allowed");
        assert_eq!(slower(&before, &measure(11.2, 1.0, 100), tenth), Some(false), "within chance");
        assert_eq!(slower(&before, &measure(12.0, 1.0, 100), tenth), Some(true));
        assert_eq!(slower(&before, &measure(12.0, 30.0, 20), tenth), Some(false), "noise");
        assert_eq!(slower(&before, &measure(99.0, 1.0, 9), tenth), None, "too few");
        assert_eq!(slower(&measure(1.0, 0.0, 10), &measure(1.2, 0.0, 10), tenth), Some(true), "no noise at all");
    }
}
