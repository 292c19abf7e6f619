//! What was asked and what came out, in one line of JSON that anybody can
//! compute anew, byte for byte, years later.
//!
//! A record holds the inputs in full, the market they contain and where it was
//! taken from, the versions of library and catalogue, the result, and a SHA-256
//! over all of that. Sentences are not in it: words may get better.

mod difference;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::catalogue::Catalogue;
use crate::curtailment::{self, Backtest};
use crate::daily::{Case, Daily};
use crate::exact::{DECIMALS, Exact};
use crate::fleet::{self, Estimate, Fleet, Heatmap, Market, Site};
use crate::input::Refusal;
use crate::projection::{self, Projection};

pub use difference::{Difference, compare};

/// Version of the form.
pub const FORMAT: u32 = 1;
/// Version of this library.
pub const LIBRARY: &str = env!("CARGO_PKG_VERSION");
/// Bytes of a record at most.
pub const RECORD_MAX: usize = 64 * 1024 * 1024;

/// Something to compute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// One machine on one day.
    Estimate(Case),
    /// One machine over time.
    Projection(Box<projection::Plan>),
    /// A fleet on one day.
    Fleet(FleetDay),
    /// A fleet over price and difficulty.
    Heatmap(fleet::Plan),
    /// A fleet over prices of energy.
    Curtailment(curtailment::Plan),
}

/// A fleet on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetDay {
    /// The machines.
    pub fleet: Fleet,
    /// The network and the price.
    pub market: Market,
    /// What holds for all machines.
    pub site: Site,
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Of [`Request::Estimate`].
    Estimate(Box<Daily>),
    /// Of [`Request::Projection`].
    Projection(Box<Projection>),
    /// Of [`Request::Fleet`].
    Fleet(Estimate),
    /// Of [`Request::Heatmap`].
    Heatmap(Heatmap),
    /// Of [`Request::Curtailment`].
    Curtailment(Backtest),
}

impl Request {
    /// Computes it, with so many threads; their number changes nothing.
    pub fn answer(&self, threads: usize) -> Result<Answer, Refusal> {
        Ok(match self {
            Self::Estimate(case) => {
                case.check()?;
                Answer::Estimate(Box::new(case.day()))
            }
            Self::Projection(plan) => Answer::Projection(Box::new(plan.project()?)),
            Self::Fleet(FleetDay { fleet, market, site }) => Answer::Fleet(fleet.estimate(market, site)?),
            Self::Heatmap(plan) => Answer::Heatmap(plan.draw(threads)?),
            Self::Curtailment(plan) => Answer::Curtailment(plan.backtest(threads)?),
        })
    }

    /// The market in the inputs, by name.
    fn market(&self) -> BTreeMap<&'static str, String> {
        let of = |price: &Exact, difficulty: &Exact, fees: &Exact| {
            let names = ["price_usd", "difficulty", "fees_btc"];
            names.into_iter().zip([price, difficulty, fees].map(Exact::canonical)).collect()
        };
        match self {
            Self::Estimate(case) => of(&case.price_usd, &case.difficulty, &case.fees_btc),
            Self::Projection(plan) => of(&plan.case.price_usd, &plan.case.difficulty, &plan.case.fees_btc),
            Self::Fleet(FleetDay { market, .. }) => of(&market.price_usd, &market.difficulty, &market.fees_btc),
            Self::Heatmap(plan) => {
                BTreeMap::from([("fees_btc", plan.fees_btc.canonical()), ("height", plan.height.to_string())])
            }
            Self::Curtailment(plan) => {
                BTreeMap::from([("usd_per_petahash_day", plan.terms.usd_per_petahash_day.to_string())])
            }
        }
    }
}

/// A line without its hash, in the order it is written.
#[derive(Serialize)]
struct Body<'a> {
    format: u32,
    library: &'a str,
    catalogue: &'a str,
    market_source: &'a str,
    market: BTreeMap<&'static str, String>,
    request: &'a Request,
    answer: &'a Answer,
}

/// What a line must say of itself to be computed anew.
#[derive(Deserialize)]
struct Head {
    format: u32,
    library: String,
    catalogue: String,
    market_source: String,
    request: Request,
    sha256: String,
}

/// Why a record does not replay.
#[derive(Debug, thiserror::Error)]
pub enum Mismatch {
    /// It is no record.
    #[error("not a record: {0}")]
    Unreadable(String),
    /// It is of a form this library does not know.
    #[error("a record of form {0}; this program knows form {FORMAT}")]
    Format(u32),
    /// It was changed after it was written.
    #[error("changed after it was written: its SHA-256 is {found}, it says {said}")]
    Changed {
        /// Of its bytes.
        found: String,
        /// What it says.
        said: String,
    },
    /// Its inputs are refused today.
    #[error("its inputs are refused: {0}")]
    Refused(#[from] Refusal),
    /// What is computed today is not what it says.
    #[error("library {library} wrote another result, first different at byte {at}: …{theirs}… is now …{ours}…")]
    Different {
        /// The version that wrote it.
        library: String,
        /// Where.
        at: usize,
        /// What it says there.
        theirs: String,
        /// What is computed today.
        ours: String,
    },
}

/// The line for a request and its answer; `source` says where the market is
/// from, such as `given`.
pub fn record(request: &Request, answer: &Answer, source: &str) -> String {
    line(LIBRARY, Catalogue::shipped().version(), source, request, answer)
}

fn line(library: &str, catalogue: &str, market_source: &str, request: &Request, answer: &Answer) -> String {
    let market = request.market();
    let body = Body { format: FORMAT, library, catalogue, market_source, market, request, answer };
    // Plain data with text keys: serde_json writes it without fail.
    let mut text = serde_json::to_string(&body).unwrap_or_default();
    let hash = sha256(&text);
    text.pop();
    text + ",\"sha256\":\"" + &hash + "\"}"
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Computes the record's request anew, and gives the line that would be
/// written today by the library and the catalogue it names.
pub fn recompute(text: &str, threads: usize) -> Result<String, Mismatch> {
    let head: Head = serde_json::from_str(text).map_err(|error| Mismatch::Unreadable(error.to_string()))?;
    if head.format != FORMAT {
        return Err(Mismatch::Format(head.format));
    }
    let tail = format!(",\"sha256\":\"{}\"}}", head.sha256);
    let found = text.strip_suffix(&tail).map_or_else(|| sha256(text), |body| sha256(&format!("{body}}}")));
    if found != head.sha256 {
        return Err(Mismatch::Changed { found, said: head.sha256.chars().take(64).collect() });
    }
    let answer = head.request.answer(threads)?;
    Ok(line(&head.library, &head.catalogue, &head.market_source, &head.request, &answer))
}

/// Computes a record anew; it must come out byte for byte.
pub fn replay(text: &str, threads: usize) -> Result<(), Mismatch> {
    let ours = recompute(text, threads)?;
    if ours == text {
        return Ok(());
    }
    let at = text.bytes().zip(ours.bytes()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| {
        let bytes = text.as_bytes().get(at.saturating_sub(30)..(at + 30).min(text.len())).unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    };
    let library = serde_json::from_str::<Head>(text).map(|head| head.library).unwrap_or_default();
    Err(Mismatch::Different { library, at, theirs: around(text), ours: around(&ours) })
}

impl Serialize for Daily {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cell = |value: &Option<Exact>| value.as_ref().map(|value| value.text(DECIMALS));
        let names = crate::daily::COLUMNS.into_iter().chain(["btc_per_day", "kwh_per_day", "breakeven_difficulty"]);
        let more = [
            Some(self.bitcoin.text(DECIMALS)),
            Some(self.kilowatt_hours.text(DECIMALS)),
            cell(&self.breakeven_difficulty),
        ];
        let figures = self.columns().map(|figure| Some(figure).filter(|figure| !figure.is_empty()));
        serializer.collect_map(names.zip(figures.into_iter().chain(more)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::daily::tests::case;
    use crate::fleet::tests::{exact, kind, market, site};
    use crate::micro::Micro;

    /// One of each.
    pub(crate) fn requests() -> Vec<Request> {
        let fleet =
            Fleet::of([kind(200_000_000, 3_500_000_000, None, 7), kind(110_000_000, 3_250_000_000, Some(50_000), 3)]);
        let fleet = fleet.unwrap();
        let plan = projection::tests::plan();
        let heatmap = fleet::Plan {
            fleet: fleet.clone(),
            site: site(),
            prices: vec![Micro::whole(50_000), Micro::whole(100_000)],
            network: fleet::Network::Exahash(vec![exact("800"), exact("1000.5")]),
            fees_btc: exact("0.03"),
            start: plan.start,
            height: plan.height,
            horizon: projection::Horizon::Months(3),
            price_growth: plan.price_growth.clone(),
            difficulty_growth: plan.difficulty_growth.clone(),
            convention: plan.convention,
            rest: fleet::Rest::Unprofitable,
        };
        let curve = curtailment::Sample::default().curve().unwrap();
        let curve = curtailment::Curve {
            runs: vec![curtailment::Run { start: curve.runs[0].start, prices: curve.runs[0].prices[..400].to_vec() }],
            ..curve
        };
        let terms = curtailment::Terms {
            usd_per_petahash_day: Micro::of(46_440_000),
            meter_factor: exact("1.03"),
            adder_usd_per_mwh: Micro::whole(5),
            standby_watts: Micro::whole(25),
            ramp_minutes: 8,
            wear_usd: Micro::of(10_000),
            min_off_minutes: 60,
            min_on_minutes: 60,
            lag: 0,
        };
        let profiles = curtailment::Profiles::default();
        vec![
            Request::Estimate(case()),
            Request::Projection(Box::new(plan)),
            Request::Fleet(FleetDay { fleet: fleet.clone(), market: market(), site: site() }),
            Request::Heatmap(heatmap),
            Request::Curtailment(curtailment::Plan { fleet, terms, profiles, curve }),
        ]
    }

    #[test]
    fn every_record_replays_with_any_number_of_threads() {
        for request in requests() {
            let line = record(&request, &request.answer(1).unwrap(), "given");
            assert!(!line.contains('\n'));
            for threads in [1, 2, 5] {
                replay(&line, threads).unwrap();
            }
        }
    }

    #[test]
    fn what_was_changed_is_found_out() {
        for request in requests() {
            let line = record(&request, &request.answer(1).unwrap(), "given");
            let at = line.rfind("\"answer\"").unwrap() + line[line.rfind("\"answer\"").unwrap()..].find('1').unwrap();
            let mut changed = line.clone();
            changed.replace_range(at..=at, "2");
            assert!(matches!(replay(&changed, 1), Err(Mismatch::Changed { .. })), "{request:?}");
            // Changed and hashed anew: the computation tells.
            let body = changed[..changed.rfind(",\"sha256\"").unwrap()].to_owned() + "}";
            let hashed = format!("{},\"sha256\":\"{}\"}}", &body[..body.len() - 1], sha256(&body));
            let error = replay(&hashed, 1).unwrap_err();
            assert!(matches!(error, Mismatch::Different { .. }), "{error}");
            assert!(error.to_string().contains("first different at byte"), "{error}");
        }
    }

    #[test]
    fn what_is_no_record_says_so() {
        let line = record(&requests()[0], &requests()[0].answer(1).unwrap(), "given");
        let of = |text: &str| replay(text, 1).unwrap_err().to_string();
        assert!(of("").contains("not a record") && of("{}").contains("not a record"));
        assert!(of(&line.replace("\"format\":1", "\"format\":2")).contains("form 2"));
        assert!(of(&line.replace("\"watts\"", "\"wattz\"")).contains("unknown field"));
        let refused = line.replace("\"watts\":\"3500\"", "\"watts\":\"0\"");
        let body = refused[..refused.rfind(",\"sha256\"").unwrap()].to_owned() + "}";
        let hashed = format!("{},\"sha256\":\"{}\"}}", &body[..body.len() - 1], sha256(&body));
        assert!(of(&hashed).contains("watts: 0.000000 is not between"), "{}", of(&hashed));
        let spaced = line.replace(",\"sha256\"", ", \"sha256\"");
        assert!(of(&spaced).contains("changed after"));
    }
}
