//! OpenSLO v1 documents, in and out. Everything in a document is either taken
//! over or refused with its path; nothing is dropped in silence. What we have
//! and OpenSLO has no place for goes into annotations, so that what was
//! exported comes back the same.

mod export;
mod import;

pub use export::export;
pub use import::import;

/// Version of the documents.
const VERSION: &str = "openslo/v1";
/// Prefix of annotations that hold what has no place of its own.
const OURS: &str = "hashinsight.net/";
/// Fields of our spec that live in annotations, as JSON.
const IN_ANNOTATIONS: [&str; 6] =
    ["team", "alerts", "partitionBy", "minimumEvents", "minimumCoveragePercent", "budgetPolicyRef"];

/// Something that cannot be taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct Refused {
    /// Where, such as `SLO/checkout: spec.objectives[0].op`.
    pub path: String,
    /// Why, and what to do.
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objective::{Objective, Reach};
    use hashinsight_crds::ServiceLevelObjective;
    use serde_json::Value;

    fn documents(yaml: &str) -> Vec<Value> {
        yaml.split("---\n").map(|text| serde_saphyr::from_str(text).unwrap()).collect()
    }

    const SLO: &str = r#"
apiVersion: openslo/v1
kind: SLO
metadata: {name: core-availability, displayName: Core}
spec:
  description: Requests are answered
  service: calculation-core
  indicator:
    metadata: {name: requests}
    spec:
      ratioMetric:
        counter: true
        bad: {metricSource: {type: Prometheus, spec: {query: 'http_requests_total{job="core",code=~"5.."}'}}}
        total: {metricSource: {type: Prometheus, spec: {query: 'sum(http_requests_total{job="core"})'}}}
  timeWindow: [{duration: 4w, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: good, target: 0.9995}]
"#;

    fn refused(yaml: &str) -> Vec<String> {
        import(&documents(yaml)).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_document_is_taken_over_whole() {
        let objects = import(&documents(SLO)).unwrap();
        let [object] = &objects[..] else { panic!("{objects:?}") };
        let spec = &object["spec"];
        assert_eq!(spec["objectivePercent"], "99.95");
        assert_eq!(spec["window"], serde_json::json!({"rollingDays": 28}));
        assert_eq!(
            spec["indicator"]["events"],
            serde_json::json!({
                "metric": "http_requests_total", "totalSelector": "job=\"core\"",
                "badSelector": "job=\"core\",code=~\"5..\"",
            })
        );
        let typed: ServiceLevelObjective = serde_json::from_value(object.clone()).unwrap();
        Objective::parse("ns", "o", &typed.spec, &Reach::Everything).unwrap();
    }

    #[test]
    fn an_indicator_may_stand_apart_and_good_may_be_counted_instead_of_bad() {
        let apart = r#"
apiVersion: openslo/v1
kind: SLI
metadata: {name: fast}
spec:
  ratioMetric:
    counter: true
    good: {metricSource: {type: Prometheus, spec: {query: 'took_seconds_bucket{job="core",le="0.25"}'}}}
    total: {metricSource: {type: Prometheus, spec: {query: 'took_seconds_count{job="core"}'}}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: core-latency}
spec:
  service: calculation-core
  indicatorRef: fast
  timeWindow:
  - {duration: 1M, isRolling: false, calendar: {startTime: "2026-01-01 00:00:00", timeZone: Asia/Shanghai}}
  budgetingMethod: Timeslices
  objectives: [{targetPercent: 95, timeSliceTarget: 0.9, timeSliceWindow: 1m}]
"#;
        let objects = import(&documents(apart)).unwrap();
        let spec = &objects[0]["spec"];
        assert_eq!(
            spec["indicator"]["latency"],
            serde_json::json!({"histogram": "took_seconds", "selector": "job=\"core\"", "thresholdSeconds": "0.25"})
        );
        assert_eq!(spec["window"]["calendarMonth"]["timeZone"], "Asia/Shanghai");
        assert_eq!(spec["timeslice"], serde_json::json!({"seconds": 60, "targetPercent": "90"}));
        let good = SLO.replace("bad: {", "good: {").replace("code=~\"5..\"", "code!~\"5..\"");
        let spec = import(&documents(&good)).unwrap().remove(0);
        let expression = &spec["spec"]["indicator"]["expression"];
        assert!(expression["bad"].as_str().unwrap().contains("[$window]"), "{expression}");
    }

    #[test]
    fn what_has_no_home_is_refused_with_its_path() {
        for (from, to, told) in [
            ("duration: 4w", "duration: 1Q", "SLO/core-availability: spec.timeWindow[0].duration: "),
            ("target: 0.9995", "target: 0.9995, op: lte", "SLO/core-availability: spec.objectives[0].op: "),
            ("target: 0.9995", "target: 1", "SLO/core-availability: spec.objectives[0].target: "),
            (
                "type: Prometheus",
                "type: Datadog",
                "SLO/core-availability: spec.indicator.spec.ratioMetric.bad.metricSource.type: ",
            ),
            ("counter: true", "counter: false", "spec.indicator.spec.ratioMetric.counter: "),
            (
                "service: calculation-core",
                "service: calculation-core\n  alertPolicies: [{alertPolicyRef: page}]",
                "spec.alertPolicies[0]: ",
            ),
            ("service: calculation-core", "service: calculation-core\n  surprise: 1", "spec.surprise: not known"),
            ("budgetingMethod: Occurrences", "budgetingMethod: RatioTimeslices", "spec.budgetingMethod: "),
            ("kind: SLO", "kind: DataSource", "DataSource/core-availability: "),
            ("openslo/v1", "openslo/v2alpha", "apiVersion: "),
            ("job=\"core\"})'", "job=core})'", "ratioMetric.total.metricSource.spec.query: "),
        ] {
            let changed = SLO.replacen(from, to, 1);
            assert_ne!(changed, SLO, "{from}");
            let all = refused(&changed);
            assert!(all.iter().any(|refused| refused.contains(told)), "{told}: {all:?}");
        }
        // Everything that is wrong is told at once.
        let two = SLO.replace("duration: 4w", "duration: 1h").replace("counter: true", "counter: false");
        assert_eq!(refused(&two).len(), 2);
    }

    #[test]
    fn what_is_exported_comes_back_the_same() {
        for text in [
            include_str!("../../crds/examples/valid/objective.yaml"),
            include_str!("../../crds/examples/valid/objective-latency.yaml"),
            include_str!("../../crds/examples/valid/objective-timeslices.yaml"),
        ] {
            let object: ServiceLevelObjective = serde_saphyr::from_str(text).unwrap();
            let document = export(&object).unwrap();
            let back =
                import(std::slice::from_ref(&document)).unwrap_or_else(|e| panic!("{e:?}\n{document:#}")).remove(0);
            let back: ServiceLevelObjective = serde_json::from_value(back).unwrap();
            assert_eq!(back.spec, object.spec, "{document:#}");
        }
        let text = include_str!("../../crds/examples/valid/objective-expression.yaml");
        let object: ServiceLevelObjective = serde_saphyr::from_str(text).unwrap();
        let refused = export(&object).unwrap_err().to_string();
        assert!(refused.contains("spec.indicator.expression: "), "{refused}");
    }
}
