//! What computations over time have in common: when they begin, how far they
//! reach, how things grow, and how much work that is.

use hashinsight_mining::growth::Convention;
use hashinsight_mining::projection::Horizon;
use hashinsight_mining::{Exact, Field};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use utoipa::ToSchema;

use super::amount::{Amount, given, of};
use super::code::Code;
use super::input::or;
use super::problem::Problem;
use crate::clock::Clock;

/// Days of a horizon nobody stated.
const DAYS: u32 = 365;

/// A course of time.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"months": 36, "price_growth": "0.01", "difficulty_growth": "0.02", "convention": "month-start"}))]
pub struct CourseBody {
    /// The first day, `2026-11-23`; today, UTC, when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, format = Date, min_length = 10, max_length = 10)]
    pub start: Option<String>,
    /// So many days; either these or months; 365 when neither is stated.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 1, maximum = 7305)]
    pub days: Option<u32>,
    /// So many calendar months.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 1, maximum = 240)]
    pub months: Option<u32>,
    /// Growth of the price a month, a fraction; 0 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::growth_per_month)]
    pub price_growth: Option<Amount>,
    /// Growth of the difficulty a month, a fraction; 0 when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = of::growth_per_month)]
    pub difficulty_growth: Option<Amount>,
    /// When growth takes effect; `daily-continuous` when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub convention: Option<ConventionName>,
}

/// When growth takes effect.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConventionName {
    /// A little every day.
    DailyContinuous,
    /// Once a month, on the day the projection began.
    MonthStart,
    /// As at the middle of each month, for all of it.
    MonthMiddle,
    /// Difficulty with each retarget, price a little every day.
    PerEpoch,
}

/// A course that can be computed.
#[derive(Clone, Debug)]
pub struct Course {
    /// The first day.
    pub start: Date,
    /// How far.
    pub horizon: Horizon,
    /// Of the price, a month.
    pub price_growth: Exact,
    /// Of the difficulty, a month.
    pub difficulty_growth: Exact,
    /// When it takes effect.
    pub convention: Convention,
}

impl CourseBody {
    /// The course, begun today where it does not say.
    pub fn course(&self, clock: &Clock) -> Result<Course, Problem> {
        let start = match &self.start {
            Some(text) => date(text)?,
            None => clock.now().to_zoned(TimeZone::UTC).date(),
        };
        for (field, length) in [(Field::Days, self.days), (Field::Months, self.months)] {
            length.map_or(Ok(()), |length| field.check(&Exact::whole(length.into())))?;
        }
        let horizon = match (self.days, self.months) {
            (Some(days), None) => Horizon::Days(days),
            (None, Some(months)) => Horizon::Months(months),
            (None, None) => Horizon::Days(DAYS),
            (Some(_), Some(_)) => {
                let problem = Problem::new(
                    Code::InputRefused,
                    "State days or months, not both.",
                    "请只填写 days 或 months 之一。",
                );
                return Err(problem.at("course.months"));
            }
        };
        Ok(Course {
            start,
            horizon,
            price_growth: or(self.price_growth.as_ref(), Field::GrowthPerMonth, Exact::zero())?,
            difficulty_growth: or(self.difficulty_growth.as_ref(), Field::GrowthPerMonth, Exact::zero())?,
            convention: match self.convention.unwrap_or(ConventionName::DailyContinuous) {
                ConventionName::DailyContinuous => Convention::DailyContinuous,
                ConventionName::MonthStart => Convention::MonthStart,
                ConventionName::MonthMiddle => Convention::MonthMiddle,
                ConventionName::PerEpoch => Convention::PerEpoch,
            },
        })
    }
}

impl Course {
    /// Stretches of time within which nothing changes, at most.
    pub fn stretches(&self) -> u64 {
        let (days, months) = match self.horizon {
            Horizon::Days(days) => (u64::from(days), u64::from(days) / 28 + 1),
            Horizon::Months(months) => (u64::from(months) * 31, u64::from(months)),
        };
        let is_monthly = matches!(self.convention, Convention::MonthStart | Convention::MonthMiddle);
        // A halving within a month makes one more.
        if is_monthly { months + 6 } else { days }
    }
}

fn date(text: &str) -> Result<Date, Problem> {
    let wrong = || {
        let problem =
            Problem::new(Code::InputRefused, "No such day; write 2026-11-23.", "没有这一天；请写成 2026-11-23。");
        problem.at("course.start")
    };
    if text.len() != 10 {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}

/// Refuses what would hold the processors for too long.
pub fn affordable(kinds: usize, times: u64, most: u64, hint: (&str, &str)) -> Result<(), Problem> {
    let work = u64::try_from(kinds).unwrap_or(u64::MAX).saturating_mul(times);
    if work <= most {
        return Ok(());
    }
    let (en, zh) = hint;
    let problem = Problem::new(
        Code::TooMuchWork,
        format!("{kinds} different machines times {times} steps is more than {most}: {en}."),
        format!("{kinds} 种矿机 × {times} 步超过 {most}：{zh}。"),
    );
    Err(problem.limit(most))
}
