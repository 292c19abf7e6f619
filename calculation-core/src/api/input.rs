//! What most requests have in common: a machine, the site it runs at, and the
//! market. What of the market a request does not state is taken from the feeds,
//! and the answer says which.

use hashinsight_mining::catalogue::{Catalogue, Sighting};
use hashinsight_mining::daily::Case;
use hashinsight_mining::fleet::{Kind, Market, Site};
use hashinsight_mining::{Exact, Field, Fleet, Micro, Sentence, protocol};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::amount::{Amount, given, of};
use super::code::Code;
use super::problem::Problem;
use crate::access::Caller;
use crate::market::{Fees, Markets, Network, Reading, Standing, State};

/// Characters of a model's name.
pub const NAME_MAX: usize = 120;
/// Entries of a list of machines.
pub const MACHINES_MAX: usize = 100_000;
/// Satoshis of a bitcoin, as decimals.
const SATOSHI_DECIMALS: u32 = 8;

/// A machine: by its model, by its numbers, or both; several of the same count
/// as one entry.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"terahash_per_second": "200", "watts": "3500"}))]
pub struct Machine {
    /// Its model, as the catalogue or a miner's firmware spells it.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_length = 120)]
    pub model: Option<String>,
    /// Hashrate, TH/s; needed where the model alone does not tell.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::terahash)]
    pub terahash_per_second: Option<Amount>,
    /// Power at the wall, W; needed where the model alone does not tell.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::watts)]
    pub watts: Option<Amount>,
    /// Price of its energy, USD/kWh, where it is not the site's.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::usd_per_kwh)]
    pub usd_per_kwh: Option<Amount>,
    /// How many, 1 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 1, maximum = 10_000_000)]
    pub count: Option<u32>,
}

/// A machine with its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// The numbers.
    pub kind: Kind,
    /// Why they are its, where the catalogue knows.
    pub reason: Option<Sentence>,
}

impl Machine {
    /// The numbers that are stated, and the catalogue's for those that are not.
    pub fn numbers(&self) -> Result<Numbers, Problem> {
        let micro = |amount: &Option<Amount>, field| amount.as_ref().map(|a| a.read_micro(field)).transpose();
        let terahash = micro(&self.terahash_per_second, Field::TerahashPerSecond)?;
        let watts = micro(&self.watts, Field::Watts)?;
        let usd_per_kwh = micro(&self.usd_per_kwh, Field::UsdPerKwh)?;
        let count = self.count.unwrap_or(1);
        Field::Count.check(&Exact::whole(count.into()))?;
        let model = self.model.as_deref().map(str::trim).unwrap_or_default();
        if model.chars().count() > NAME_MAX {
            let problem = Problem::new(Code::InputRefused, "The name is too long.", "型号名称过长。");
            return Err(problem.at("model").limit(NAME_MAX));
        }
        let kind = |terahash, watts, model: &str| Kind { terahash, watts, usd_per_kwh, model: model.to_owned(), count };
        if let (Some(terahash), Some(watts)) = (terahash, watts) {
            return Ok(Numbers { kind: kind(terahash, watts, model), reason: None });
        }
        if model.is_empty() {
            let problem = Problem::new(
                Code::MachineUnclear,
                "State model, or terahash_per_second and watts.",
                "请填写 model，或 terahash_per_second 与 watts。",
            );
            return Err(problem.at("model"));
        }
        let found = Catalogue::shipped().recognize(Sighting { text: model, terahash, watts }).map_err(|why| {
            let Sentence { en, zh } = why.sentence(model);
            Problem::new(Code::MachineUnclear, en, zh).at("model").because(why.code())
        })?;
        let named = kind(found.terahash, found.watts, &found.row.model);
        Ok(Numbers { kind: named, reason: Some(found.reason()) })
    }
}

impl Numbers {
    /// The machine at this site on a day of this market.
    pub fn case(&self, site: Site, market: &Market) -> Case {
        let market = market.clone();
        Case {
            terahash_per_second: self.kind.terahash.exact(),
            watts: self.kind.watts.exact(),
            difficulty: market.difficulty,
            subsidy_btc: market.subsidy_btc,
            fees_btc: market.fees_btc,
            price_usd: market.price_usd,
            pool_fee: site.pool_fee,
            usd_per_kwh: self.kind.usd_per_kwh.unwrap_or(site.usd_per_kwh).exact(),
            uptime: site.uptime,
            meter_factor: site.meter_factor,
        }
    }
}

/// Machines as one fleet, within the tenant's limits.
pub fn fleet(machines: &[Machine], caller: &Caller, most: u32) -> Result<Fleet, Problem> {
    // Nobody is recognized who would be too many.
    within(u64::try_from(machines.len()).unwrap_or(u64::MAX), caller, most)?;
    let mut kinds = Vec::with_capacity(machines.len());
    let mut count = 0_u64;
    for (at, machine) in machines.iter().enumerate() {
        let numbers = machine.numbers().map_err(|problem| problem.below(&format!("machines[{at}]")))?;
        count += u64::from(numbers.kind.count);
        kinds.push(numbers.kind);
    }
    within(count, caller, most)?;
    Ok(Fleet::of(kinds)?)
}

/// Refuses more machines than the tenant, or anybody, may send.
pub fn within(machines: u64, caller: &Caller, most: u32) -> Result<(), Problem> {
    let most = caller.account.limits.miners.min(most);
    if machines > u64::from(most) {
        let problem = Problem::new(
            Code::TooManyMachines,
            format!("{machines} machines, {most} are allowed: send fewer, or have the plan's limit raised."),
            format!("共 {machines} 台矿机，允许 {most} 台：请减少数量或提升套餐限额。"),
        );
        return Err(problem.at("machines").limit(most));
    }
    Ok(())
}

/// How machines run.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"usd_per_kwh": "0.06", "pool_fee": "0.01"}))]
pub struct SiteBody {
    /// Price of energy, USD/kWh, for machines without one of their own.
    #[schema(schema_with = of::usd_per_kwh)]
    pub usd_per_kwh: Amount,
    /// The pool's share, a fraction; 0 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::pool_fee)]
    pub pool_fee: Option<Amount>,
    /// Share of the time machines run; 1 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::uptime)]
    pub uptime: Option<Amount>,
    /// Energy metered for each unit machines take; 1 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::meter_factor)]
    pub meter_factor: Option<Amount>,
}

/// The amount, or what holds when it is left out.
pub fn or(amount: Option<&Amount>, field: Field, otherwise: Exact) -> Result<Exact, Problem> {
    Ok(amount.map(|amount| amount.read(field)).transpose()?.unwrap_or(otherwise))
}

impl SiteBody {
    /// The site, with its other costs.
    pub fn site(&self, other: Option<&Amount>) -> Result<Site, Problem> {
        Ok(Site {
            usd_per_kwh: self.usd_per_kwh.read_micro(Field::UsdPerKwh)?,
            pool_fee: or(self.pool_fee.as_ref(), Field::PoolFee, Exact::zero())?,
            uptime: or(self.uptime.as_ref(), Field::Uptime, Exact::one())?,
            meter_factor: or(self.meter_factor.as_ref(), Field::MeterFactor, Exact::one())?,
            other_usd_per_day: or(other, Field::OtherUsdPerDay, Exact::zero())?,
        })
    }
}

/// What a request states of the market; the rest is taken from the feeds.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"price_usd": "92817", "difficulty": "109000000000000", "subsidy_btc": "3.125", "fees_btc": "0.03"}))]
pub struct MarketBody {
    /// USD/BTC.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::price_usd)]
    pub price_usd: Option<Amount>,
    /// Network difficulty.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::difficulty)]
    pub difficulty: Option<Amount>,
    /// Subsidy of a block, BTC; that of the next block when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::subsidy_btc)]
    pub subsidy_btc: Option<Amount>,
    /// Mean fees of a block, BTC.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::fees_btc)]
    pub fees_btc: Option<Amount>,
    /// Height of the next block.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 0, maximum = 100_000_000)]
    pub height: Option<u64>,
}

/// What part of the market rests on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Label {
    /// Where it stands in time.
    pub state: State,
    /// How much it may be relied on.
    pub standing: Standing,
    /// Who stands for it.
    pub from: Vec<&'static str>,
    /// Seconds since it was heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub age_seconds: Option<u64>,
}

/// The market an answer rests on, and what that rests on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MarketUsed {
    /// Verified when price and network are, and nothing is stated; else
    /// estimated.
    pub standing: Standing,
    /// USD/BTC; none where it is an axis.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub price_usd: Option<String>,
    /// Network difficulty; none where it is an axis.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub difficulty: Option<String>,
    /// Subsidy of a block, BTC.
    pub subsidy_btc: String,
    /// Fees of a block, BTC.
    pub fees_btc: String,
    /// What the price rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub price: Option<Label>,
    /// What difficulty and height rest on.
    pub network: Label,
    /// What the fees rest on: one provider is enough for them, so they are never
    /// verified.
    pub fees: Label,
    /// Parts that the request stated.
    pub given: Vec<&'static str>,
}

/// The market of one request.
#[derive(Clone, Debug)]
pub struct Filled {
    /// To compute with.
    pub market: Market,
    /// Height of the next block; none where nobody says.
    pub height: Option<u64>,
    /// As the answer shows it.
    pub used: MarketUsed,
}

impl Label {
    /// Of a reading.
    pub fn of<V>(reading: &Reading<V>, now: Timestamp) -> Self {
        let Reading { state, standing, from, .. } = reading;
        Self { state: *state, standing: *standing, from: from.clone(), age_seconds: reading.age(now) }
    }

    /// Of fees that were heard with this network, or before it.
    fn of_fees(fees: &Fees, network: &Self, now: Timestamp) -> Self {
        let standing = Standing::Estimated;
        if network.state == State::Manual {
            return Self { standing, ..network.clone() };
        }
        let age = u64::try_from(now.duration_since(fees.heard).as_secs()).unwrap_or(0);
        let is_older = network.age_seconds.is_none_or(|of_network| age > of_network);
        let state = if is_older { State::Stale } else { network.state };
        Self { state, standing, from: vec![fees.from], age_seconds: Some(age) }
    }

    fn stated() -> Self {
        Self { state: State::Given, standing: Standing::Estimated, from: Vec::new(), age_seconds: None }
    }

    /// In a record's few words.
    fn words(&self) -> String {
        format!("{} {}", self.state.name(), self.from.join("+")).trim_end().to_owned()
    }
}

fn unavailable(field: &'static str) -> Problem {
    let problem = Problem::new(
        Code::MarketUnavailable,
        format!("No provider says it and nothing is known from before: state market.{field}."),
        format!("没有数据源可用，也没有此前的数据：请填写 market.{field}。"),
    );
    problem.at(format!("market.{field}")).again(5)
}

impl MarketBody {
    /// Fills in what is not stated; the height only where it is needed.
    pub async fn fill(&self, markets: &Markets, now: Timestamp, is_height_needed: bool) -> Result<Filled, Problem> {
        let read = |amount: &Option<Amount>, field| amount.as_ref().map(|amount| amount.read(field)).transpose();
        let stated_price = read(&self.price_usd, Field::PriceUsd)?;
        let stated = [
            read(&self.difficulty, Field::Difficulty)?,
            read(&self.subsidy_btc, Field::SubsidyBtc)?,
            read(&self.fees_btc, Field::FeesBtc)?,
        ];
        if let Some(height) = self.height {
            Field::Height.check(&Exact::whole(height.into()))?;
        }
        let names = ["difficulty", "subsidy_btc", "fees_btc"].into_iter().zip(&stated);
        let mut given: Vec<_> = names.filter(|(_, value)| value.is_some()).map(|(name, _)| name).collect();
        given.extend(stated_price.as_ref().map(|_| "price_usd"));
        given.extend(self.height.map(|_| "height"));
        let (price_usd, price) = if let Some(price) = stated_price {
            (price, Label::stated())
        } else {
            let reading = markets.price.read().await;
            let price = reading.value.clone().ok_or_else(|| unavailable("price_usd"))?;
            (price, Label::of(&reading, now))
        };
        let [difficulty, subsidy, fees] = stated;
        let is_height_known = self.height.is_some() || !(is_height_needed || subsidy.is_none());
        let is_enough = difficulty.is_some() && fees.is_some() && is_height_known;
        let reading = if is_enough { None } else { Some(markets.network.read().await) };
        let heard: Option<&Network> = reading.as_ref().and_then(|reading| reading.value.as_ref());
        let network = reading.as_ref().map_or_else(Label::stated, |reading| Label::of(reading, now));
        let height = self.height.or(heard.map(|network| network.height.saturating_add(1)));
        let difficulty = difficulty.or_else(|| heard.map(|network| network.difficulty.clone()));
        let known_fees = heard.and_then(|network| network.fees.as_ref()).filter(|_| fees.is_none());
        let fees_label = known_fees.map_or_else(Label::stated, |fees| Label::of_fees(fees, &network, now));
        let fees = fees.or_else(|| known_fees.map(|fees| fees.btc.clone()));
        let subsidy =
            subsidy.or_else(|| height.map(|height| Exact::scaled(protocol::subsidy(height).into(), SATOSHI_DECIMALS)));
        let market = Market {
            price_usd,
            difficulty: difficulty.ok_or_else(|| unavailable("difficulty"))?,
            subsidy_btc: subsidy.ok_or_else(|| unavailable("subsidy_btc"))?,
            fees_btc: fees.ok_or_else(|| unavailable("fees_btc"))?,
        };
        let is_verified =
            given.is_empty() && price.standing == Standing::Verified && network.standing == Standing::Verified;
        let used = MarketUsed {
            standing: if is_verified { Standing::Verified } else { Standing::Estimated },
            price_usd: Some(market.price_usd.canonical()),
            difficulty: Some(market.difficulty.canonical()),
            subsidy_btc: market.subsidy_btc.canonical(),
            fees_btc: market.fees_btc.canonical(),
            price: Some(price),
            network,
            fees: fees_label,
            given,
        };
        Ok(Filled { market, height, used })
    }
}

impl Filled {
    /// Where the market is from, as records keep it.
    pub fn source(&self) -> String {
        let MarketUsed { price, network, fees, given, .. } = &self.used;
        let price = price.as_ref().map_or_else(String::new, Label::words);
        let (network, fees) = (network.words(), fees.words());
        format!("price {price}; network {network}; fees {fees}; stated {}", given.join("+"))
    }

    /// With price and difficulty left out: they are axes.
    #[must_use]
    pub fn without_axes(self) -> Self {
        let mut used = self.used;
        (used.price_usd, used.difficulty, used.price) = (None, None, None);
        used.given.retain(|name| !["price_usd", "difficulty"].contains(name));
        used.standing = if used.given.is_empty() { used.network.standing } else { Standing::Estimated };
        Self { used, ..self }
    }

    /// The height, which a computation over time needs.
    pub fn height(&self) -> Result<u64, Problem> {
        self.height.ok_or_else(|| unavailable("height"))
    }
}

/// A value with at most six decimals, rounded where the market has more.
pub fn micro(value: &Exact) -> Micro {
    Micro::parse(&value.text(6)).unwrap_or_default()
}
