//! Bad versions on purpose, each behind a feature of its own, for canaries to
//! find out. Without features every function here does nothing, and a product
//! build has none.

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// Which of the faults a bad build was built with it shows, by the names of
/// their features, separated by commas; all of them where nothing is said. One
/// program serves for several bad images.
const CHOSEN: &str = "CALCULATION_CORE_BAD";

#[expect(clippy::disallowed_methods, reason = "a bad image says so; a product build never asks")]
fn is_chosen(fault: &str) -> bool {
    static ASKED: std::sync::LazyLock<Option<String>> = std::sync::LazyLock::new(|| std::env::var(CHOSEN).ok());
    ASKED.as_ref().is_none_or(|chosen| chosen.split(',').any(|one| one == fault))
}

/// Whether this build has the fault, and shows it.
macro_rules! shows {
    ($fault:literal) => {
        cfg!(feature = $fault) && is_chosen($fault)
    };
}

/// The faults of this build, or `none`.
pub fn features() -> String {
    let all = [
        ("bad-rounding", shows!("bad-rounding")),
        ("bad-latency", shows!("bad-latency")),
        ("bad-errors", shows!("bad-errors")),
        ("bad-leak", shows!("bad-leak")),
        ("bad-slow-start", shows!("bad-slow-start")),
    ];
    let on: Vec<&str> = all.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect();
    if on.is_empty() { "none".to_owned() } else { on.join(",") }
}

/// `bad-rounding`: cuts the last digit of every figure off instead of rounding,
/// which golden samples see.
pub fn round(answer: &mut Value) {
    if !shows!("bad-rounding") {
        return;
    }
    match answer {
        Value::String(text) if text.rsplit_once('.').is_some_and(|(_, decimals)| decimals.len() == 12) => {
            text.pop();
            text.push('0');
        }
        Value::Array(values) => values.iter_mut().for_each(round),
        Value::Object(map) => map.values_mut().for_each(round),
        _ => {}
    }
}

/// The same of figures that are written already.
pub fn written(figures: Box<RawValue>) -> Box<RawValue> {
    if !shows!("bad-rounding") {
        return figures;
    }
    let mut value: Value = serde_json::from_str(figures.get()).unwrap_or_default();
    round(&mut value);
    to_raw_value(&value).unwrap_or(figures)
}

/// `bad-latency`: every fourth request takes 400 ms longer. `bad-errors`: every
/// fiftieth fails. `bad-leak`: each keeps 64 KiB for ever. Returns whether to fail.
pub async fn request(number: u64) -> bool {
    if shows!("bad-latency") && number.is_multiple_of(4) {
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    }
    if shows!("bad-leak") {
        Box::leak(vec![1_u8; 64 * 1024].into_boxed_slice());
    }
    shows!("bad-errors") && number.is_multiple_of(50)
}

/// `bad-slow-start`: ready only after half a minute.
pub async fn start() {
    if shows!("bad-slow-start") {
        tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    }
}
