//! Answers of the Prometheus HTTP API, read as what they claim to be or
//! refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Failure, Firing, Sample};

/// Characters of the server's own words that are told.
const WORDS: usize = 300;
/// How far the server's clock may be from ours.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<T> {
    status: String,
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error: String,
    data: Option<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    #[serde(default)]
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    value: Option<(f64, String)>,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

#[derive(Deserialize)]
struct Alerts {
    #[serde(default)]
    alerts: Vec<AlertSeen>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AlertSeen {
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    state: String,
    active_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Runtime {
    #[serde(default)]
    storage_retention: String,
}

fn unusable(why: impl ToString) -> Failure {
    Failure::Unusable(why.to_string().chars().take(WORDS).collect())
}

fn data<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let envelope: Envelope<T> = serde_json::from_slice(body).map_err(unusable)?;
    if envelope.status != "success" {
        let words = format!("{}: {}", envelope.error_type, envelope.error).chars().take(WORDS).collect();
        return Err(match envelope.error_type.as_str() {
            "bad_data" | "execution" => Failure::Refused(words),
            _ => Failure::Unreachable(words),
        });
    }
    envelope.data.ok_or_else(|| unusable("it has no data"))
}

/// Reads values, each at one of the times asked for: `from`, and every `step`
/// seconds up to `to`.
pub(super) fn samples(body: &[u8], from: i64, to: i64, step: i64) -> Result<Vec<Sample>, Failure> {
    let data: Data = data(body)?;
    if !["vector", "matrix"].contains(&data.result_type.as_str()) {
        return Err(unusable(format!("a {} where series were asked for", data.result_type)));
    }
    let mut samples = Vec::new();
    for series in data.result {
        let labels = Arc::new(series.metric);
        for (at, value) in series.value.into_iter().chain(series.values) {
            #[expect(clippy::cast_possible_truncation, reason = "a float out of range saturates, and is refused below")]
            let second = at.round() as i64;
            if second < from || second > to || (second - from) % step != 0 {
                return Err(unusable(format!("a value of {second} s, asked for {from} to {to} every {step} s")));
            }
            let value = value.parse().map_err(|_| unusable(format!("{value:?} is no number")))?;
            samples.push(Sample { labels: Arc::clone(&labels), at: second, value });
        }
    }
    Ok(samples)
}

/// Reads the alerts that fire.
pub(super) fn firing(body: &[u8], now: Timestamp) -> Result<Vec<Firing>, Failure> {
    let alerts: Alerts = data(body)?;
    let firing = alerts.alerts.into_iter().filter(|alert| alert.state == "firing");
    firing
        .map(|alert| {
            if alert.active_at > now + SKEW {
                return Err(unusable(format!("an alert that fires since {}, which is in the future", alert.active_at)));
            }
            Ok(Firing { labels: alert.labels, annotations: alert.annotations, since: alert.active_at })
        })
        .collect()
}

/// Reads for how many seconds values are kept: `15d`, `1w`, `15d or 10GiB`.
pub(super) fn retention(body: &[u8]) -> Result<Option<u64>, Failure> {
    let runtime: Runtime = data(body)?;
    let first = runtime.storage_retention.split_whitespace().next().unwrap_or_default();
    Ok(seconds(first))
}

fn seconds(text: &str) -> Option<u64> {
    let (mut total, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        let after = rest.get(digits..)?;
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let unit = match after.get(..letters)? {
            "ms" => 0,
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 604_800,
            "y" => 31_536_000,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = after.get(letters..)?;
    }
    (total > 0).then_some(total)
}

/// Refuses a server whose clock, as it tells it in the header `date`, is far
/// from ours: its samples would be of another time.
pub(super) fn clock(date: Option<&str>, now: Timestamp) -> Result<(), Failure> {
    let Some(date) = date else { return Ok(()) };
    let Ok(told) = jiff::fmt::rfc2822::parse(date) else { return Ok(()) };
    let apart = told.timestamp().duration_since(now);
    if apart.abs() > SKEW {
        return Err(unusable(format!("its clock is {} s from ours; set both by NTP", apart.as_secs())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(body: &str) -> Result<Vec<Sample>, Failure> {
        samples(body.as_bytes(), 100, 100, 1)
    }

    fn answer(value: &str) -> String {
        format!(
            r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{"a":"b"}},"value":{value}}}]}}}}"#
        )
    }

    #[test]
    fn values_are_read_as_the_api_writes_them() {
        let read = vector(&answer(r#"[100.0,"12"]"#)).unwrap();
        assert_eq!((read[0].labels["a"].as_str(), read[0].at, read[0].value), ("b", 100, 12.0));
        assert!(vector(&answer(r#"[100,"NaN"]"#)).unwrap()[0].value.is_nan());
        let matrix = br#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[60,"1"],[120,"2"]]}]}}"#;
        assert_eq!(samples(matrix, 60, 180, 60).unwrap().len(), 2);
        assert!(samples(matrix, 60, 180, 70).is_err());
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (body, told) in [
            ("<html>", "expected value"),
            (r#"{"status":"success"}"#, "no data"),
            (r#"{"status":"success","data":{"resultType":"scalar","result":[]}}"#, "a scalar"),
            (&answer(r#"[4000,"1"]"#), "a value of 4000 s, asked for 100"),
            (&answer(r#"[100,"one"]"#), "\"one\" is no number"),
        ] {
            let failure = vector(body).unwrap_err();
            assert!(matches!(&failure, Failure::Unusable(why) if why.contains(told)), "{failure}");
        }
        let refused = vector(r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#).unwrap_err();
        assert_eq!(refused, Failure::Refused("bad_data: parse error".into()));
        let timeout = vector(r#"{"status":"error","errorType":"timeout","error":"slow"}"#).unwrap_err();
        assert!(timeout.passes());
    }

    #[test]
    fn a_server_that_lies_about_time_is_refused() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        assert_eq!(clock(Some("Mon, 23 Nov 2026 12:00:30 GMT"), now), Ok(()));
        assert!(clock(Some("Mon, 23 Nov 2026 13:00:00 GMT"), now).is_err());
        let body = br#"{"status":"success","data":{"alerts":[{"labels":{},"state":"firing","activeAt":"2027-01-01T00:00:00Z"}]}}"#;
        assert!(firing(body, now).is_err());
    }

    #[test]
    fn retention_is_read_in_every_unit() {
        for (text, expected) in
            [("15d", Some(1_296_000)), ("1w2d", Some(777_600)), ("36h", Some(129_600)), ("", None), ("10GiB", None)]
        {
            assert_eq!(seconds(text), expected, "{text}");
        }
        let body = br#"{"status":"success","data":{"storageRetention":"15d or 10GiB"}}"#;
        assert_eq!(retention(body), Ok(Some(1_296_000)));
    }
}
