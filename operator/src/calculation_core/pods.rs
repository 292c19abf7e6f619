//! What is asked of a core's pods themselves, at their probes: the golden
//! samples, and how many requests they have answered.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use hashinsight_mining::golden::{Mismatch, SAMPLES, compare};
use serde_json::Value;

use super::objects::PORTS;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const MOST: usize = 4 << 20;

/// What a pod can be asked. `Err` says why it did not answer.
pub trait AskPods: Send + Sync {
    /// Whether it computes every golden sample exactly.
    fn golden<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Result<usize, Mismatch>, String>>;

    /// Requests it has answered since it began.
    fn answered<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<u64, String>>;
}

/// Asks over HTTP.
pub struct Http(reqwest::Client);

impl Http {
    /// With a client of its own.
    pub fn new() -> Result<Self, reqwest::Error> {
        // The one provider of the process; somebody else may have set it before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Plain HTTP within the cluster: no roots are read, which an image from
        // scratch has none of, and no pod sends us elsewhere.
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only([]);
        Ok(Self(client.build()?))
    }

    async fn get(&self, address: &str, path: &str) -> Result<String, String> {
        let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        let url = format!("http://{host}:{}{path}", PORTS[1]);
        let mut answer = self.0.get(url).send().await.map_err(|error| crate::driver::chain(&error))?;
        if !answer.status().is_success() {
            return Err(format!("{path} answers {}", answer.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| error.to_string())? {
            if body.len() + chunk.len() > MOST {
                return Err(format!("{path} answers more than {MOST} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(body).map_err(|error| error.to_string())
    }
}

impl AskPods for Http {
    fn golden<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Result<usize, Mismatch>, String>> {
        async move {
            let text = self.get(address, "/golden").await?;
            let found: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            Ok(compared(&found))
        }
        .boxed()
    }

    fn answered<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<u64, String>> {
        async move { Ok(requests(&self.get(address, "/metrics").await?)) }.boxed()
    }
}

/// Compares what a pod computed with the samples this operator was shipped
/// with, every figure to its last digit.
fn compared(found: &Value) -> Result<usize, Mismatch> {
    compare(SAMPLES, |case, column| {
        let sample = found.as_array()?.iter().find(|sample| sample["case"] == case)?;
        sample["figures"][column].as_str().map(str::to_owned)
    })
}

/// The sum of `http_requests_total` in the text exposition format.
fn requests(text: &str) -> u64 {
    let counts = text.lines().filter(|line| line.starts_with("http_requests_total"));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn requests_are_summed_over_all_labels() {
        let text = "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\",route=\"/v1/estimate\"} 41\n\
                    http_requests_total{code=\"500\",route=\"/v1/estimate\"} 1\nhttp_requests_in_flight 7\n";
        assert_eq!(requests(text), 42);
        assert_eq!(requests(""), 0);
    }

    #[test]
    fn an_answer_without_figures_is_a_mismatch() {
        assert!(compared(&json!([])).is_err());
        assert!(compared(&json!("no list")).is_err());
    }
}
