//! The providers, each with the shape it documents.

use bytes::Bytes;
use hashinsight_mining::{Exact, Field, protocol};
use jiff::Timestamp;
use serde_json::Value;

use super::source::{Quote, Source, Unusable, json, number, price};
use super::{Fees, Network};
use crate::settings::Provider;

/// Decimals that a difficulty computed from its target is kept at.
const DIFFICULTY_DECIMALS: u32 = 6;
/// Satoshis of a bitcoin, as decimals.
const SATOSHI_DECIMALS: u32 = 8;

/// The provider of prices with that name; none when it has no prices.
pub fn prices(provider: Provider) -> Option<Box<dyn Source<Value = Exact>>> {
    match provider {
        Provider::Coinbase => Some(Box::new(Coinbase)),
        Provider::Kraken => Some(Box::new(Kraken)),
        Provider::Bitstamp => Some(Box::new(Bitstamp)),
        Provider::Mempool | Provider::Esplora => None,
    }
}

/// The provider of the network's state with that name; none when it has none.
pub fn networks(provider: Provider) -> Option<Box<dyn Source<Value = Network>>> {
    match provider {
        Provider::Mempool => Some(Box::new(Mempool)),
        Provider::Esplora => Some(Box::new(Esplora)),
        Provider::Coinbase | Provider::Kraken | Provider::Bitstamp => None,
    }
}

/// Coinbase Exchange, product ticker: `{"price": "6268.48", "time": "…Z", …}`.
struct Coinbase;

impl Source for Coinbase {
    type Value = Exact;
    fn name(&self) -> &'static str {
        "coinbase"
    }
    fn paths(&self) -> &'static [&'static str] {
        &["/products/BTC-USD/ticker"]
    }
    fn read(&self, answers: &[Bytes]) -> Result<Quote<Exact>, Unusable> {
        let answer = json(answers.first())?;
        let at = answer["time"].as_str().and_then(|time| time.parse().ok()).ok_or(Unusable::Garbage("time"))?;
        Ok(Quote { value: price(&answer["price"])?, at: Some(at) })
    }
}

/// Kraken, ticker information: the last trade is `result.XXBTZUSD.c[0]`. It
/// names no time.
struct Kraken;

impl Source for Kraken {
    type Value = Exact;
    fn name(&self) -> &'static str {
        "kraken"
    }
    fn paths(&self) -> &'static [&'static str] {
        &["/0/public/Ticker?pair=XBTUSD"]
    }
    fn read(&self, answers: &[Bytes]) -> Result<Quote<Exact>, Unusable> {
        let answer = json(answers.first())?;
        if answer["error"].as_array().is_none_or(|errors| !errors.is_empty()) {
            return Err(Unusable::Garbage("result"));
        }
        Ok(Quote { value: price(&answer["result"]["XXBTZUSD"]["c"][0])?, at: None })
    }
}

/// Bitstamp, ticker: `{"last": "2211.00", "timestamp": "1643640186", …}`.
struct Bitstamp;

impl Source for Bitstamp {
    type Value = Exact;
    fn name(&self) -> &'static str {
        "bitstamp"
    }
    fn paths(&self) -> &'static [&'static str] {
        &["/api/v2/ticker/btcusd/"]
    }
    fn read(&self, answers: &[Bytes]) -> Result<Quote<Exact>, Unusable> {
        let answer = json(answers.first())?;
        let seconds = answer["timestamp"].as_str().and_then(|text| text.parse().ok());
        let at = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
        Ok(Quote { value: price(&answer["last"])?, at: Some(at.ok_or(Unusable::Garbage("timestamp"))?) })
    }
}

/// mempool.space: the newest blocks, and the fees of the last 144.
struct Mempool;

impl Source for Mempool {
    type Value = Network;
    fn name(&self) -> &'static str {
        "mempool"
    }
    fn paths(&self) -> &'static [&'static str] {
        &["/api/v1/blocks", "/api/v1/mining/reward-stats/144"]
    }
    fn read(&self, answers: &[Bytes]) -> Result<Quote<Network>, Unusable> {
        let mut quote = tip(&json(answers.first())?)?;
        let (btc, heard) = (fees(&json(answers.get(1))?)?, quote.at.unwrap_or(Timestamp::UNIX_EPOCH));
        quote.value.fees = Some(Fees { btc, from: self.name(), heard });
        Ok(quote)
    }
}

/// Esplora, as Blockstream runs it: the newest blocks. It says nothing of fees.
struct Esplora;

impl Source for Esplora {
    type Value = Network;
    fn name(&self) -> &'static str {
        "esplora"
    }
    fn paths(&self) -> &'static [&'static str] {
        &["/api/blocks"]
    }
    fn read(&self, answers: &[Bytes]) -> Result<Quote<Network>, Unusable> {
        tip(&json(answers.first())?)
    }
}

/// The newest of a list of blocks. Its difficulty is that of its compact target:
/// the number beside it is rounded, and must be near.
fn tip(blocks: &Value) -> Result<Quote<Network>, Unusable> {
    let block = blocks.as_array().and_then(|all| all.iter().max_by_key(|block| block["height"].as_u64()));
    let block = block.ok_or(Unusable::Garbage("blocks"))?;
    let height = block["height"].as_u64().filter(|height| *height < 100_000_000).ok_or(Unusable::Garbage("height"))?;
    let bits = block["bits"].as_u64().and_then(|bits| u32::try_from(bits).ok()).ok_or(Unusable::Garbage("bits"))?;
    let exact = protocol::difficulty(bits).map_err(|_| Unusable::Garbage("bits"))?;
    let difficulty = exact.rounded(DIFFICULTY_DECIMALS);
    Field::Difficulty.check(&difficulty).map_err(Unusable::OutOfRange)?;
    let stated = number(&block["difficulty"], Field::Difficulty, "difficulty")?;
    let apart = if stated > difficulty { &stated - &difficulty } else { &difficulty - &stated };
    if &apart * &Exact::whole(10_000) > difficulty {
        return Err(Unusable::Garbage("difficulty"));
    }
    let at = block["timestamp"].as_i64().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let at = Some(at.ok_or(Unusable::Garbage("timestamp"))?);
    Ok(Quote { value: Network { difficulty, height, fees: None }, at })
}

/// Mean fees of a block, BTC, of `{"startBlock", "endBlock", "totalFee"}`.
fn fees(stats: &Value) -> Result<Exact, Unusable> {
    let block = |name: &str| stats[name].as_i64();
    let blocks = block("endBlock").zip(block("startBlock")).map(|(last, first)| last - first + 1);
    let blocks = blocks.filter(|blocks| (1..=2016).contains(blocks)).ok_or(Unusable::Garbage("startBlock"))?;
    let total = stats["totalFee"].as_str().and_then(|text| text.parse::<u64>().ok()).map(i128::from);
    let total = total.or_else(|| stats["totalFee"].as_i64().map(i128::from)).filter(|total| *total >= 0);
    let total = total.ok_or(Unusable::Garbage("totalFee"))?;
    let mean = Exact::fraction(total, i128::from(blocks) * 100_000_000).ok_or(Unusable::Garbage("totalFee"))?;
    let mean = mean.rounded(SATOSHI_DECIMALS);
    Field::FeesBtc.check(&mean).map_err(Unusable::OutOfRange)?;
    Ok(mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn a_tip_is_read_from_its_target_and_not_from_the_rounded_number() {
        let blocks = bytes(
            r#"[{"height":5,"bits":386021892,"difficulty":1.2641143745191223e14,"timestamp":1700000000},
                {"height":4,"bits":1,"difficulty":1,"timestamp":1}]"#,
        );
        let quote = Esplora.read(&[blocks]).unwrap();
        assert_eq!(quote.value.height, 5);
        assert_eq!(quote.value.difficulty.text(0), protocol::difficulty(386_021_892).unwrap().text(0));
        let lies = bytes(r#"[{"height":5,"bits":386021892,"difficulty":1.0e14,"timestamp":1700000000}]"#);
        assert_eq!(Esplora.read(&[lies]).unwrap_err(), Unusable::Garbage("difficulty"));
    }

    #[test]
    fn fees_are_the_mean_of_the_blocks_that_are_named() {
        let stats = serde_json::json!({"startBlock": 100, "endBlock": 243, "totalFee": "432000000"});
        assert_eq!(fees(&stats).unwrap().canonical(), "0.03");
        for wrong in [
            serde_json::json!({"startBlock": 100, "endBlock": 99, "totalFee": "1"}),
            serde_json::json!({"startBlock": 100, "endBlock": 101, "totalFee": "-1"}),
            serde_json::json!({"startBlock": 100, "endBlock": 101}),
        ] {
            assert!(matches!(fees(&wrong), Err(Unusable::Garbage(_))), "{wrong}");
        }
    }

    #[test]
    fn whatever_has_another_shape_is_garbage_and_no_panic() {
        let texts = ["", "null", "[]", "{}", "[null]", r#"{"price":{},"time":1}"#, r#"{"error":["EQuery"]}"#, "1e999"];
        for text in texts {
            for provider in [Provider::Coinbase, Provider::Kraken, Provider::Bitstamp] {
                assert!(prices(provider).unwrap().read(&[bytes(text)]).is_err(), "{text}");
            }
            for provider in [Provider::Mempool, Provider::Esplora] {
                assert!(networks(provider).unwrap().read(&[bytes(text), bytes(text)]).is_err(), "{text}");
                assert!(prices(provider).is_none());
            }
        }
        assert!(networks(Provider::Kraken).is_none());
    }
}
