//! What a machine is worth in the books, year by year, in micro-dollars. The
//! years' amounts add up to what is written off, to the last one.

use crate::projection::MICRO;
use crate::{Exact, Field, Refusal, Sentence};

/// Rates of the US MACRS 5-year property under the half-year convention, in
/// hundredths of a percent (IRS Publication 946, table A-1; quoted, not
/// fetched).
pub const MACRS_5: [i128; 6] = [2000, 3200, 1920, 1152, 1152, 576];

/// What is written off, year by year, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Micro-dollars, a year each.
    pub amounts: Vec<i128>,
    rule: Rule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    StraightLine { years: u32 },
    Macrs,
}

impl Schedule {
    /// The rule in one sentence.
    pub fn sentence(&self) -> Sentence {
        let sum = Exact::scaled(self.amounts.iter().sum::<i128>().into(), MICRO).text(2);
        match self.rule {
            Rule::StraightLine { years } => Sentence {
                en: format!(
                    "{sum} USD are written off in equal amounts over {years} years; the remainder falls to the last."
                ),
                zh: format!("{sum} USD 按 {years} 年直线折旧，余数计入最后一年。"),
            },
            Rule::Macrs => Sentence {
                en: format!("{sum} USD are written off by MACRS, 5-year property, half-year convention."),
                zh: format!("{sum} USD 按 MACRS 五年期财产、半年惯例折旧。"),
            },
        }
    }
}

/// Equal amounts over `years`, down to `salvage`.
pub fn straight_line(cost: i128, salvage: i128, years: u32) -> Result<Schedule, Refusal> {
    Field::Years.check(&Exact::whole(i128::from(years)))?;
    let (amount, each) = ((cost - salvage).max(0), i128::from(years));
    // What is left of a division goes to the last year.
    let mut amounts = vec![amount / each; years as usize];
    if let Some(last) = amounts.last_mut() {
        *last += amount % each;
    }
    Ok(Schedule { amounts, rule: Rule::StraightLine { years } })
}

/// MACRS over six calendar years; salvage plays no part in it.
pub fn macrs(cost: i128) -> Schedule {
    let mut amounts = MACRS_5.map(|rate| cost * rate / 10_000);
    amounts[5] = cost - amounts[..5].iter().sum::<i128>();
    Schedule { amounts: amounts.to_vec(), rule: Rule::Macrs }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_are_the_whole_and_years_are_bounded() {
        assert_eq!(MACRS_5.iter().sum::<i128>(), 10_000);
        assert_eq!(
            macrs(1_000_000_000).amounts,
            [200_000_000, 320_000_000, 192_000_000, 115_200_000, 115_200_000, 57_600_000]
        );
        assert_eq!(straight_line(100, 0, 3).unwrap().amounts, [33, 33, 34]);
        assert_eq!(straight_line(100, 200, 2).unwrap().amounts, [0, 0], "worth more than it cost");
        assert!(straight_line(1, 0, 0).is_err() && straight_line(1, 0, 41).is_err());
        let (line, table) = (straight_line(2_000_000, 0, 4).unwrap().sentence(), macrs(2_000_000).sentence());
        assert!(line.en.contains("2.00 USD") && line.zh.contains("4 年"));
        assert!(table.en.contains("MACRS") && table.zh.contains("半年惯例"));
    }

    proptest! {
        #[test]
        fn years_add_up(cost in 0_i128..10_i128.pow(15), salvage in 0_i128..1000, years in 1_u32..40) {
            prop_assert_eq!(macrs(cost).amounts.iter().sum::<i128>(), cost);
            let sum: i128 = straight_line(cost, salvage, years).unwrap().amounts.iter().sum();
            prop_assert_eq!(sum, (cost - salvage).max(0));
        }
    }
}
