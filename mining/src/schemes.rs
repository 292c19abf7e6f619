//! How pools pay: what of a day's reward is certain and what is luck.

use crate::Sentence;
use crate::daily::{BLOCK_SECONDS, DAY_SECONDS};
use crate::exact::{DECIMALS, Exact};

/// A scheme of payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// Pay per share: the expected subsidy, no fees.
    Pps,
    /// Full pay per share: expected subsidy and expected fees.
    Fpps,
    /// Pay per share plus: the expected subsidy, and fees as they are mined.
    PpsPlus,
    /// Pay per last N shares: subsidy and fees as they are mined.
    Pplns,
}

/// How a part of the reward comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Not at all.
    None,
    /// As expected, whatever the pool finds: the pool bears the luck.
    Expected,
    /// As the pool finds blocks: the miner bears the luck.
    Realised,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pps, Self::Fpps, Self::PpsPlus, Self::Pplns];

    /// Its name as the trade writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pps => "PPS",
            Self::Fpps => "FPPS",
            Self::PpsPlus => "PPS+",
            Self::Pplns => "PPLNS",
        }
    }

    /// How subsidy and fees come.
    pub const fn parts(self) -> (Part, Part) {
        match self {
            Self::Pps => (Part::Expected, Part::None),
            Self::Fpps => (Part::Expected, Part::Expected),
            Self::PpsPlus => (Part::Expected, Part::Realised),
            Self::Pplns => (Part::Realised, Part::Realised),
        }
    }
}

/// What a miner is paid over some days, BTC before the pool's share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Paid whatever happens.
    pub certain: Exact,
    /// Paid by luck, on average.
    pub uncertain: Exact,
    /// Standard deviation of what is paid by luck, at 12 decimals.
    pub deviation: Exact,
}

impl Payment {
    /// The payment in one sentence.
    pub fn sentence(&self, scheme: Scheme) -> Sentence {
        let (name, expected, deviation) = (scheme.name(), self.expected().text(8), self.deviation.text(8));
        Sentence {
            en: format!(
                "{name} pays {expected} BTC on average before the pool's share, with a standard deviation of {deviation} \
                 BTC from the pool's luck (blocks by chance, 144 a day; fees of single blocks taken as equal)."
            ),
            zh: format!(
                "{name} 扣除矿池费前平均支付 {expected} BTC，因矿池运气产生的标准差为 {deviation} BTC\
                 （出块服从泊松分布，每天 144 块；各块手续费视为相等）。"
            ),
        }
    }

    /// What is paid on average.
    pub fn expected(&self) -> Exact {
        &self.certain + &self.uncertain
    }
}

/// Splits the expected `subsidy` and `fees` (BTC over `days`) of a miner in a
/// pool with `share` of the network, which is above zero. The pool finds
/// Poisson(λ) blocks with λ = share · 144 · days, so what comes by luck has a
/// relative standard deviation of 1/√λ. Fees of single blocks vary besides;
/// that is not modelled.
pub fn payment(scheme: Scheme, subsidy: &Exact, fees: &Exact, share: &Exact, days: &Exact) -> Payment {
    let (of_subsidy, of_fees) = scheme.parts();
    let sum = |wanted: Part| {
        let part = |part: Part, amount: &Exact| if part == wanted { amount.clone() } else { Exact::zero() };
        part(of_subsidy, subsidy) + part(of_fees, fees)
    };
    let uncertain = sum(Part::Realised);
    let found = &(share * days) * &Exact::whole(DAY_SECONDS / BLOCK_SECONDS);
    let variance = (&uncertain * &uncertain).over(&found).unwrap_or_else(Exact::zero);
    let deviation = variance.root(DECIMALS).unwrap_or_else(Exact::zero);
    Payment { certain: sum(Part::Expected), uncertain, deviation }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).unwrap()
    }

    #[test]
    fn each_scheme_bears_the_luck_it_says() {
        let paid = |scheme| payment(scheme, &exact("3"), &exact("0.5"), &exact("0.25"), &exact("1"));
        let (pps, fpps, plus, pplns) =
            (paid(Scheme::Pps), paid(Scheme::Fpps), paid(Scheme::PpsPlus), paid(Scheme::Pplns));
        assert_eq!(pps.expected(), exact("3"), "the pool keeps the fees");
        assert_eq!(fpps.expected(), exact("3.5"));
        assert_eq!((plus.certain.clone(), plus.uncertain.clone()), (exact("3"), exact("0.5")));
        assert_eq!(pplns.certain, Exact::zero());
        assert!(pps.deviation.is_zero() && fpps.deviation.is_zero());
        // 36 blocks a day: a sixth.
        assert_eq!(plus.deviation.text(6), "0.083333");
        assert_eq!(pplns.deviation.text(6), "0.583333");
        let sentence = pplns.sentence(Scheme::Pplns);
        assert!(sentence.en.contains("0.58333333 BTC") && sentence.zh.starts_with("PPLNS"));
        assert_eq!(Scheme::ALL.map(Scheme::name), ["PPS", "FPPS", "PPS+", "PPLNS"]);
    }

    #[test]
    fn luck_evens_out_with_time_and_size() {
        let deviation = |share: &str, days: &str| {
            payment(Scheme::Pplns, &exact("1"), &Exact::zero(), &exact(share), &exact(days)).deviation
        };
        assert_eq!(deviation("1", "1").text(4), "0.0833", "a day of the whole network: 8.3 %");
        assert_eq!(deviation("1", "14").text(4), "0.0223", "an epoch: 2.2 %");
        assert!(deviation("0.01", "1") > deviation("0.02", "1"));
    }
}
