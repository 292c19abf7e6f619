//! What can be typed to compute something.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use hashinsight_mining::growth::Convention;
use hashinsight_mining::{Exact, Field, Micro, Refusal};
use jiff::civil::Date;

fn exact(field: Field) -> impl Fn(&str) -> Result<Exact, Refusal> + Clone + Send + Sync {
    move |text| field.read(text)
}

fn micro(field: Field) -> impl Fn(&str) -> Result<Micro, Refusal> + Clone + Send + Sync {
    move |text| field.read_micro(text)
}

/// A difficulty, also as `109e12`.
fn difficulty(text: &str) -> Result<Exact, Refusal> {
    Field::Difficulty.read(&expanded(text))
}

/// `1.5e3` as `1500`; whatever is not written so stays as it is.
pub fn expanded(text: &str) -> String {
    let Some((number, power)) = text.split_once(['e', 'E']) else { return text.to_owned() };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    match power.parse::<usize>() {
        Ok(power) if power >= part.len() && power <= 30 => format!("{whole}{part}{}", "0".repeat(power - part.len())),
        _ => text.to_owned(),
    }
}

/// A machine.
#[derive(Args, Clone, Debug)]
pub struct Machine {
    /// Model, looked up in the catalogue: "S21 200T"
    #[arg(long, value_name = "TEXT")]
    pub model: Option<String>,
    /// Hashrate, TH/s
    #[arg(long, value_name = "TH/S", value_parser = micro(Field::TerahashPerSecond))]
    pub terahash: Option<Micro>,
    /// Power at the wall, W
    #[arg(long, value_name = "W", value_parser = micro(Field::Watts))]
    pub watts: Option<Micro>,
}

/// The network and the price.
#[derive(Args, Clone, Debug)]
pub struct Market {
    /// Price of a bitcoin, USD
    #[arg(long, value_name = "USD", value_parser = exact(Field::PriceUsd))]
    pub price: Exact,
    /// Network difficulty, from the header of the last block
    #[arg(long, value_name = "D", value_parser = difficulty)]
    pub difficulty: Exact,
    /// Fees of a block, BTC
    #[arg(long, value_name = "BTC", default_value = "0", value_parser = exact(Field::FeesBtc))]
    pub fees: Exact,
}

/// What holds for the place.
#[derive(Args, Clone, Debug)]
pub struct Site {
    /// Price of energy, USD/kWh; may be negative
    #[arg(long, value_name = "USD", allow_negative_numbers = true, value_parser = micro(Field::UsdPerKwh))]
    pub usd_per_kwh: Micro,
    #[command(flatten)]
    pub running: Running,
    /// Other costs, USD a day
    #[arg(long, value_name = "USD", default_value = "0", value_parser = exact(Field::OtherUsdPerDay))]
    pub other_usd_per_day: Exact,
}

/// How machines run.
#[derive(Args, Clone, Debug)]
pub struct Running {
    /// The pool's share, 0 to 1
    #[arg(long, value_name = "PART", default_value = "0", value_parser = exact(Field::PoolFee))]
    pub pool_fee: Exact,
    /// Share of the time it runs, 0 to 1
    #[arg(long, value_name = "PART", default_value = "1", value_parser = exact(Field::Uptime))]
    pub uptime: Exact,
    /// Metered energy for each unit the machines take
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = exact(Field::MeterFactor))]
    pub meter_factor: Exact,
}

/// How price and difficulty go on.
#[derive(Args, Clone, Debug)]
pub struct Course {
    /// First day; today when not given
    #[arg(long, value_name = "DATE")]
    pub start: Option<Date>,
    /// Growth of the price a month: 0.01 is one percent
    #[arg(long, value_name = "PART", default_value = "0", allow_negative_numbers = true, value_parser = exact(Field::GrowthPerMonth))]
    pub price_growth: Exact,
    /// Growth of the difficulty a month
    #[arg(long, value_name = "PART", default_value = "0", allow_negative_numbers = true, value_parser = exact(Field::GrowthPerMonth))]
    pub difficulty_growth: Exact,
    /// When growth takes effect
    #[arg(long, value_enum, default_value = "daily-continuous")]
    pub convention: Grown,
}

/// [`Convention`] as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Grown {
    /// A little every day
    DailyContinuous,
    /// Once a month
    MonthStart,
    /// As at the middle of each month
    MonthMiddle,
    /// Difficulty with each retarget, price every day
    PerEpoch,
}

impl From<Grown> for Convention {
    fn from(grown: Grown) -> Self {
        match grown {
            Grown::DailyContinuous => Self::DailyContinuous,
            Grown::MonthStart => Self::MonthStart,
            Grown::MonthMiddle => Self::MonthMiddle,
            Grown::PerEpoch => Self::PerEpoch,
        }
    }
}

/// Where pictures and records go.
#[derive(Args, Clone, Debug)]
pub struct Drawn {
    /// Write the picture as SVG
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Write a page with the picture, its figures and what they rest on
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    #[command(flatten)]
    pub kept: Kept,
}

/// Where records go.
#[derive(Args, Clone, Debug)]
pub struct Kept {
    /// Add a record that replays to this file
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
}

/// A fleet's file.
#[derive(Args, Clone, Debug)]
pub struct FleetFile {
    /// CSV of machines; - is standard input
    pub file: PathBuf,
    /// Write rows that cannot be used here, with their reason
    #[arg(long, value_name = "FILE")]
    pub failed: Option<PathBuf>,
    /// Threads; their number changes nothing but the time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub threads: Option<u16>,
}

/// `estimate`.
#[derive(Args, Clone, Debug)]
pub struct Estimate {
    #[command(flatten)]
    pub machine: Machine,
    /// Price of a bitcoin, USD
    #[arg(long, value_name = "USD", required_unless_present = "cases", value_parser = exact(Field::PriceUsd))]
    pub price: Option<Exact>,
    /// Network difficulty, from the header of the last block
    #[arg(long, value_name = "D", required_unless_present = "cases", value_parser = difficulty)]
    pub difficulty: Option<Exact>,
    /// Price of energy, USD/kWh; may be negative
    #[arg(long, value_name = "USD", allow_negative_numbers = true, required_unless_present = "cases", value_parser = micro(Field::UsdPerKwh))]
    pub usd_per_kwh: Option<Micro>,
    /// Subsidy of a block, BTC
    #[arg(long, value_name = "BTC", default_value = "3.125", value_parser = exact(Field::SubsidyBtc))]
    pub subsidy: Exact,
    /// Fees of a block, BTC
    #[arg(long, value_name = "BTC", default_value = "0", value_parser = exact(Field::FeesBtc))]
    pub fees: Exact,
    #[command(flatten)]
    pub running: Running,
    /// CSV of cases, a row each, with the columns of the golden samples; - is standard input
    #[arg(long, value_name = "FILE")]
    pub cases: Option<PathBuf>,
    #[command(flatten)]
    pub kept: Kept,
}

/// `project`.
#[derive(Args, Clone, Debug)]
pub struct Project {
    #[command(flatten)]
    pub machine: Machine,
    #[command(flatten)]
    pub market: Market,
    #[command(flatten)]
    pub site: Site,
    #[command(flatten)]
    pub course: Course,
    /// Height of the first day's first block
    #[arg(long, value_name = "BLOCK")]
    pub height: u64,
    /// So many calendar months
    #[arg(long, value_name = "N", default_value = "36", conflicts_with = "days")]
    pub months: u32,
    /// So many days
    #[arg(long, value_name = "N")]
    pub days: Option<u32>,
    /// What the machine costs, USD
    #[arg(long, value_name = "USD", default_value = "0", value_parser = exact(Field::CapexUsd))]
    pub capex: Exact,
    /// Discount a year: 0.1 is ten percent
    #[arg(long, value_name = "PART", default_value = "0", value_parser = exact(Field::DiscountPerYear))]
    pub discount: Exact,
    /// Keep the machine running on days it loses money
    #[arg(long)]
    pub never_rest: bool,
    /// Years of straight-line depreciation; macrs for the US five-year rule
    #[arg(long, value_name = "YEARS|macrs")]
    pub depreciation: Option<String>,
    #[command(flatten)]
    pub drawn: Drawn,
}

/// `fleet`.
#[derive(Subcommand, Clone, Debug)]
pub enum Fleet {
    /// Print a CSV to fill in
    #[command(after_help = "\
Examples:
  hashinsight fleet template > fleet.csv
  hashinsight fleet template --language zh > fleet.csv")]
    Template,
    /// Check a CSV of machines and write it out recognized
    #[command(after_help = "\
Examples:
  hashinsight fleet import fleet.csv --accepted clean.csv --failed failed.csv
  hashinsight fleet import failed.csv --accepted more.csv       after mending it
  zcat fleet.csv.gz | hashinsight fleet import - -o json")]
    Import {
        #[command(flatten)]
        fleet: FleetFile,
        /// Write rows that can be used here, with what they were taken for
        #[arg(long, value_name = "FILE")]
        accepted: Option<PathBuf>,
    },
    /// What a fleet makes in a day, kind by kind
    #[command(after_help = "\
Examples:
  hashinsight fleet estimate fleet.csv --price 92817 --difficulty 109e12 --usd-per-kwh 0.06
  hashinsight fleet estimate fleet.csv --price 92817 --difficulty 109e12 --usd-per-kwh 0.06 -o csv > kinds.csv")]
    Estimate(Box<EstimateOf>),
    /// Profit over price and network, with the line where it is zero
    #[command(after_help = "\
Examples:
  hashinsight fleet heatmap fleet.csv --usd-per-kwh 0.06 --html map.html
  hashinsight fleet heatmap fleet.csv --usd-per-kwh 0.06 --months 60 --difficulty-growth 0.02 --html map.html
  hashinsight fleet heatmap fleet.csv --usd-per-kwh 0.06 --difficulties 80e12:200e12:25 -o csv")]
    Heatmap(Box<HeatmapOf>),
    /// When to stop for the price of energy, tried on a year of prices
    #[command(after_help = "\
Examples:
  hashinsight fleet curtail fleet.csv --revenue 46.44 --prices prices.csv --html curtail.html
  hashinsight fleet curtail fleet.csv --revenue 46.44 --sample            a synthetic year
  hashinsight fleet curtail fleet.csv --revenue 46.44 --prices day-ahead.csv --zone Europe/Berlin -o csv
  hashinsight fleet sample-prices --minutes 5 > prices.csv")]
    Curtail(Box<CurtailOf>),
    /// Print a synthetic year of prices, labelled so
    #[command(after_help = "\
Examples:
  hashinsight fleet sample-prices > prices.csv
  hashinsight fleet sample-prices --seed 7 --minutes 5 > prices.csv")]
    SamplePrices {
        #[command(flatten)]
        sample: SampleOf,
    },
}

/// Which synthetic year.
#[derive(Args, Clone, Debug)]
pub struct SampleOf {
    /// Another seed is another year
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// The year
    #[arg(long, value_name = "YEAR", default_value = "2025")]
    pub year: i16,
    /// Length of an interval: 5, 10, 15, 20, 30 or 60
    #[arg(long, value_name = "N", default_value = "60")]
    pub minutes: u32,
}

/// `fleet estimate`.
#[derive(Args, Clone, Debug)]
pub struct EstimateOf {
    #[command(flatten)]
    pub fleet: FleetFile,
    #[command(flatten)]
    pub market: Market,
    /// Subsidy of a block, BTC
    #[arg(long, value_name = "BTC", default_value = "3.125", value_parser = exact(Field::SubsidyBtc))]
    pub subsidy: Exact,
    #[command(flatten)]
    pub site: Site,
    #[command(flatten)]
    pub kept: Kept,
}

/// `fleet heatmap`.
#[derive(Args, Clone, Debug)]
pub struct HeatmapOf {
    #[command(flatten)]
    pub fleet: FleetFile,
    #[command(flatten)]
    pub site: Site,
    /// Prices on the first day: first:last:count, USD
    #[arg(long, value_name = "RANGE", default_value = "20000:200000:41")]
    pub prices: String,
    /// Network hashrate on the first day: first:last:count, EH/s
    #[arg(long, value_name = "RANGE", default_value = "400:2000:41", conflicts_with = "difficulties")]
    pub exahash: String,
    /// Difficulty on the first day instead: first:last:count
    #[arg(long, value_name = "RANGE")]
    pub difficulties: Option<String>,
    /// Fees of a block, BTC
    #[arg(long, value_name = "BTC", default_value = "0", value_parser = exact(Field::FeesBtc))]
    pub fees: Exact,
    #[command(flatten)]
    pub course: Course,
    /// Height of the first day's first block
    #[arg(long, value_name = "BLOCK", default_value = "925000")]
    pub height: u64,
    /// So many days
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "months")]
    pub days: u32,
    /// So many calendar months
    #[arg(long, value_name = "N")]
    pub months: Option<u32>,
    /// Keep machines running that lose money
    #[arg(long)]
    pub never_rest: bool,
    #[command(flatten)]
    pub drawn: Drawn,
}

/// `fleet curtail`.
#[derive(Args, Clone, Debug)]
pub struct CurtailOf {
    #[command(flatten)]
    pub fleet: FleetFile,
    /// Revenue of hashrate after the pool's share, USD/PH/day
    #[arg(long, value_name = "USD", required_unless_present = "price", value_parser = micro(Field::UsdPerPetahashDay))]
    pub revenue: Option<Micro>,
    /// Price of a bitcoin, USD, to work the revenue out
    #[arg(long, value_name = "USD", requires = "difficulty", conflicts_with = "revenue", value_parser = exact(Field::PriceUsd))]
    pub price: Option<Exact>,
    /// Network difficulty, to work the revenue out
    #[arg(long, value_name = "D", requires = "price", value_parser = difficulty)]
    pub difficulty: Option<Exact>,
    /// Subsidy of a block, BTC
    #[arg(long, value_name = "BTC", default_value = "3.125", value_parser = exact(Field::SubsidyBtc))]
    pub subsidy: Exact,
    /// Fees of a block, BTC
    #[arg(long, value_name = "BTC", default_value = "0", value_parser = exact(Field::FeesBtc))]
    pub fees: Exact,
    /// The pool's share, 0 to 1
    #[arg(long, value_name = "PART", default_value = "0", value_parser = exact(Field::PoolFee))]
    pub pool_fee: Exact,
    /// CSV of prices with the columns time and usd_per_mwh
    #[arg(long, value_name = "FILE", required_unless_present = "sample")]
    pub prices: Option<PathBuf>,
    /// Zone of times without an offset, such as Europe/Berlin
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Take a synthetic year of prices
    #[arg(long, conflicts_with = "prices")]
    pub sample: bool,
    #[command(flatten)]
    pub synthetic: SampleOf,
    /// CSV of other ways models can run: model,terahash_per_second,watts
    #[arg(long, value_name = "FILE")]
    pub profiles: Option<PathBuf>,
    /// Metered energy for each unit the machines take
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = exact(Field::MeterFactor))]
    pub meter_factor: Exact,
    /// What is added to each price, USD/MWh
    #[arg(long, value_name = "USD", default_value = "0", allow_negative_numbers = true, value_parser = micro(Field::UsdPerMwh))]
    pub adder: Micro,
    /// Power of a machine that is stopped, W
    #[arg(long, value_name = "W", default_value = "25", value_parser = micro(Field::StandbyWatts))]
    pub standby_watts: Micro,
    /// Minutes until a machine has its full hashrate again
    #[arg(long, value_name = "N", default_value = "8")]
    pub ramp_minutes: u32,
    /// Wear with each stop and start, USD a machine
    #[arg(long, value_name = "USD", default_value = "0", value_parser = micro(Field::WearUsd))]
    pub wear: Micro,
    /// A machine stays off for so many minutes
    #[arg(long, value_name = "N", default_value = "30")]
    pub min_off: u32,
    /// A machine stays on for so many minutes
    #[arg(long, value_name = "N", default_value = "30")]
    pub min_on: u32,
    /// Intervals until a price is known
    #[arg(long, value_name = "N", default_value = "0")]
    pub lag: u32,
    #[command(flatten)]
    pub drawn: Drawn,
}

/// `replay`.
#[derive(Args, Clone, Debug)]
pub struct Replay {
    /// Files of records, a line each, or folders of them (*.jsonl)
    #[arg(required = true)]
    pub records: Vec<PathBuf>,
    /// Compare with what another version of this program computes, within 0.1 %
    #[arg(long, value_name = "PROGRAM", conflicts_with = "print")]
    pub baseline: Option<PathBuf>,
    /// Print each record as it is computed now
    #[arg(long)]
    pub print: bool,
    /// Threads; their number changes nothing but the time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub threads: Option<u16>,
}

#[cfg(test)]
mod tests {
    use super::expanded;

    #[test]
    fn powers_of_ten_are_written_out() {
        let texts = ["109e12", "1.05E2", "1.234e2", "7", "xe1", "1e99", "e"].map(expanded);
        assert_eq!(texts, ["109000000000000", "105", "1.234e2", "7", "x0", "1e99", "e"]);
    }
}
