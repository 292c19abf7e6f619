//! Records that were written once and must come out the same for ever: by this
//! build, which is not the one that is shipped, and, in the test command, by
//! the one that is. `RECORD=1 cargo test -p hashinsight-mining --test records`
//! writes them anew; a change in them is a change of results.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that reads its file")]

use hashinsight_mining::curtailment::{self, Profile, Profiles, Sample, Terms};
use hashinsight_mining::fleet::{self, Kind, Market, Network, Rest, Site, steps};
use hashinsight_mining::growth::Convention;
use hashinsight_mining::projection::{self, Horizon};
use hashinsight_mining::record::{FleetDay, Request, record, replay};
use hashinsight_mining::{Exact, Fleet, Micro, golden};
use jiff::civil::date;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/records.jsonl");

fn exact(text: &str) -> Exact {
    Exact::parse(text).unwrap()
}

fn fleet() -> Fleet {
    let kind = |at: i64| Kind {
        terahash: Micro::of(13_500_000 + at * 29_123_457),
        watts: Micro::of(1_323_000_000 + at * 411_000_001),
        usd_per_kwh: (at % 3 == 0).then(|| Micro::of(45_000 - at * 20_000)),
        model: format!("M{at}"),
        count: u32::try_from(at * 7 + 1).unwrap(),
    };
    Fleet::of((0..6).map(kind)).unwrap()
}

fn site() -> Site {
    Site {
        usd_per_kwh: Micro::of(61_234),
        pool_fee: exact("0.0125"),
        uptime: exact("0.973"),
        meter_factor: exact("1.045"),
        other_usd_per_day: exact("33.333333"),
    }
}

/// Every golden sample, every convention, every kind of request.
fn requests() -> Vec<Request> {
    let samples = golden::SAMPLES.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        golden::case(std::array::from_fn(|at| cells[at + 1])).unwrap()
    });
    let cases: Vec<_> = samples.collect();
    let [price_usd, difficulty, subsidy_btc, fees_btc] = ["92817.55", "109000000000001", "3.125", "0.031"].map(exact);
    let market = Market { price_usd, difficulty, subsidy_btc, fees_btc };
    let mut requests = vec![Request::Fleet(FleetDay { fleet: fleet(), market, site: site() })];
    for (convention, rest) in Convention::ALL.into_iter().zip([Rest::Unprofitable, Rest::Never].into_iter().cycle()) {
        requests.push(Request::Projection(Box::new(projection::Plan {
            case: cases[5].clone(),
            start: date(2027, 1, 31),
            height: 1_030_000,
            horizon: Horizon::Months(9),
            price_growth: exact("0.0123"),
            difficulty_growth: exact("-0.007"),
            convention,
            stop_when_negative: rest == Rest::Unprofitable,
            capex_usd: exact("1234.56"),
            other_usd_per_day: exact("0.01"),
            discount_per_year: exact("0.08"),
        })));
        requests.push(Request::Heatmap(fleet::Plan {
            fleet: fleet(),
            site: site(),
            prices: [31_337, 92_818, 250_001].map(Micro::whole).to_vec(),
            network: Network::Exahash(steps(&exact("333.3"), &exact("1777.7"), 4)),
            fees_btc: exact("0.031"),
            start: date(2027, 1, 31),
            height: 1_030_000,
            horizon: Horizon::Months(9),
            price_growth: exact("0.0123"),
            difficulty_growth: exact("0.02"),
            convention,
            rest,
        }));
    }
    let mut curve = Sample { minutes: 15, ..Sample::default() }.curve().unwrap();
    curve.runs[0].prices.truncate(2000);
    let profile = |terahash: i64, watts: i64| Profile {
        model: "M3".into(),
        terahash: Micro::whole(terahash),
        watts: Micro::whole(watts),
    };
    requests.push(Request::Curtailment(curtailment::Plan {
        fleet: fleet(),
        terms: Terms {
            usd_per_petahash_day: Micro::of(46_440_001),
            meter_factor: exact("1.045"),
            adder_usd_per_mwh: Micro::of(3_500_000),
            standby_watts: Micro::whole(25),
            ramp_minutes: 9,
            wear_usd: Micro::of(12_345),
            min_off_minutes: 45,
            min_on_minutes: 30,
            lag: 1,
        },
        profiles: Profiles(vec![profile(40, 700), profile(70, 1500)]),
        curve,
    }));
    cases.into_iter().map(Request::Estimate).chain(requests).collect()
}

#[test]
fn what_was_recorded_comes_out_byte_for_byte() {
    let lines: Vec<String> =
        requests().iter().map(|request| record(request, &request.answer(2).unwrap(), "given")).collect();
    let now = lines.join("\n") + "\n";
    if std::env::var_os("RECORD").is_some() {
        std::fs::write(FILE, &now).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap();
    assert_eq!(kept.lines().count(), 30);
    for (line, threads) in kept.lines().zip([1, 2, 5].into_iter().cycle()) {
        replay(line, threads).unwrap();
    }
    assert!(kept == now, "the results changed, or the catalogue: see the head of mining/tests/records.rs");
}
