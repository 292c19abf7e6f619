//! The day's figures beside an oracle that shares no code with the library:
//! one integer division per figure, numerator and denominator multiplied out
//! by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use hashinsight_mining::daily::Case;
use hashinsight_mining::golden;
use num_bigint::BigInt;
use proptest::prelude::*;

/// Inputs in millionths, as integers.
#[derive(Clone, Debug)]
struct Inputs {
    terahash: u64,
    watts: u64,
    difficulty: u64,
    subsidy: u64,
    fees: u64,
    price: u64,
    pool_fee: u64,
    energy: i64,
    uptime: u64,
}

const MILLION: u64 = 1_000_000;

fn inputs() -> impl Strategy<Value = Inputs> {
    (
        100_000..=5000 * MILLION,
        MILLION..=100_000 * MILLION,
        1..=1_000_000_000_000_u64,
        0..=50 * MILLION,
        0..=10 * MILLION,
        0..=1_000_000 * MILLION,
        0..=MILLION,
        -1_000_000_i64..=1_000_000,
        0..=MILLION,
    )
        .prop_map(|(terahash, watts, difficulty, subsidy, fees, price, pool_fee, energy, uptime)| Inputs {
            terahash,
            watts,
            difficulty,
            subsidy,
            fees,
            price,
            pool_fee,
            energy,
            uptime,
        })
}

fn decimal(millionths: i128) -> String {
    let sign = if millionths < 0 { "-" } else { "" };
    let size = millionths.unsigned_abs();
    format!("{sign}{}.{:06}", size / 1_000_000, size % 1_000_000)
}

fn case(inputs: &Inputs) -> Case {
    let Inputs { terahash, watts, difficulty, subsidy, fees, price, pool_fee, energy, uptime } = inputs.clone();
    let texts = [terahash, watts, 0, subsidy, fees, price, pool_fee, 0, uptime].map(|v| decimal(i128::from(v)));
    let (difficulty, energy) = (difficulty.to_string(), decimal(i128::from(energy)));
    let mut texts: [&str; 9] = texts.each_ref().map(String::as_str);
    (texts[2], texts[7]) = (&difficulty, &energy);
    golden::case(texts).unwrap()
}

/// `numerator / denominator` at 12 decimals, half away from zero; an empty
/// cell for a zero denominator.
fn cell(numerator: BigInt, denominator: BigInt) -> String {
    let zero = BigInt::from(0);
    if denominator == zero {
        return String::new();
    }
    let (numerator, denominator) =
        if denominator < zero { (-numerator, -denominator) } else { (numerator, denominator) };
    let negative = numerator < zero;
    let size = if negative { -numerator } else { numerator };
    let units: BigInt = (size * BigInt::from(10).pow(12) * 2 + &denominator) / (denominator * 2);
    let digits = format!("{:0>13}", units.to_string());
    let (whole, part) = digits.split_at(digits.len() - 12);
    let sign = if negative && units != zero { "-" } else { "" };
    format!("{sign}{whole}.{part}")
}

fn oracle(inputs: &Inputs) -> [String; 6] {
    let of = |value: u64| BigInt::from(value);
    let million = |power: u32| BigInt::from(10).pow(6 * power);
    // BTC a day: terahash · 1e12 · 86400 · reward · kept · uptime / (D · 2^32).
    let bitcoin = of(inputs.terahash)
        * of(86_400)
        * BigInt::from(10).pow(12)
        * (of(inputs.subsidy) + of(inputs.fees))
        * (of(MILLION) - of(inputs.pool_fee))
        * of(inputs.uptime);
    let bitcoin_over = of(inputs.difficulty) * BigInt::from(2).pow(32) * million(4);
    let revenue = &bitcoin * of(inputs.price);
    let revenue_over = &bitcoin_over * million(1);
    // kWh a day: watts · 24 / 1000 · uptime.
    let energy = of(inputs.watts) * of(inputs.uptime) * of(24);
    let energy_over = of(1000) * million(2);
    let power = &energy * BigInt::from(inputs.energy);
    let power_over = &energy_over * million(1);
    [
        cell(&bitcoin * of(100_000_000), bitcoin_over.clone()),
        cell(revenue.clone(), revenue_over.clone()),
        cell(power.clone(), power_over.clone()),
        cell(&revenue * &power_over - &power * &revenue_over, &revenue_over * &power_over),
        cell(&revenue * &energy_over * of(1000), &revenue_over * &energy),
        cell(&power * &bitcoin_over, &power_over * &bitcoin),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_figure_is_the_oracle_s_to_the_last_digit(inputs in inputs()) {
        prop_assert_eq!(case(&inputs).day().columns(), oracle(&inputs));
    }
}
