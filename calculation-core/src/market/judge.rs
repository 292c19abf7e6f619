//! What several providers' words come to. A total function of what was heard,
//! the last good value and the time; it asks nobody.

use hashinsight_mining::Exact;
use jiff::{SignedDuration, Timestamp};

use super::{Fees, Network, Quote, Unusable};

/// What one provider said.
pub type Heard<V> = (&'static str, Result<Quote<V>, Unusable>);

/// The last good value, and when it was heard.
pub type Last<'a, V> = Option<(&'a V, Timestamp)>;

/// What all of them come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged<V> {
    /// The value, and who stands for it; none when nobody can be believed.
    pub value: Option<(V, Vec<&'static str>)>,
    /// Who is not believed, and why.
    pub rejected: Named<Unusable>,
}

/// Prices may differ from their median by so many percent.
pub const OUTLIER_PERCENT: i128 = 2;
/// A price that nobody confirms may differ from the last good one by so many
/// percent.
pub const JUMP_PERCENT: i128 = 20;
/// A last good price holds against a new one for so long.
pub const PRICE_MEMORY: SignedDuration = SignedDuration::from_hours(1);
/// The same of the network.
pub const NETWORK_MEMORY: SignedDuration = SignedDuration::from_hours(12);
/// Blocks may come so many times as fast as they should.
const FASTER: i64 = 4;
/// A quote's time may be ahead of ours.
pub const AHEAD: SignedDuration = SignedDuration::from_secs(60);
/// A price may be so old.
pub const PRICE_AGE: SignedDuration = SignedDuration::from_mins(5);
/// A block's time may be ahead of ours, by the protocol.
pub const BLOCK_AHEAD: SignedDuration = SignedDuration::from_hours(2);
/// The newest block may be so old.
pub const BLOCK_AGE: SignedDuration = SignedDuration::from_hours(6);
/// Providers may be so many blocks behind each other.
pub const BLOCKS_BEHIND: u64 = 6;
/// A retarget changes difficulty by no more than this factor.
const RETARGET: i128 = 4;

/// Names with what is said of them.
type Named<T> = Vec<(&'static str, T)>;

/// Quotes of the right time, and the others.
fn timely<V>(
    heard: Vec<Heard<V>>,
    now: Timestamp,
    ahead: SignedDuration,
    age: SignedDuration,
) -> (Named<V>, Named<Unusable>) {
    let (mut good, mut rejected) = (Vec::new(), Vec::new());
    for (name, quote) in heard {
        match quote {
            Ok(Quote { value, at }) => match at.map(|at| now.duration_since(at)) {
                Some(old) if -old > ahead => rejected.push((name, Unusable::Ahead(-old.as_secs()))),
                Some(old) if old > age => rejected.push((name, Unusable::Old(old.as_secs()))),
                _ => good.push((name, value)),
            },
            Err(why) => rejected.push((name, why)),
        }
    }
    (good, rejected)
}

/// Whether two values are apart by more than so many percent of the second.
fn apart(one: &Exact, other: &Exact, percent: i128) -> bool {
    let distance = if one > other { one - other } else { other - one };
    &distance * &Exact::whole(100) > other * &Exact::whole(percent)
}

/// The median of the prices that are near it. Where none is, whoever is nearest
/// to the last good one stands alone; where one stands alone, it must not jump.
pub fn price(heard: Vec<Heard<Exact>>, last: Last<'_, Exact>, now: Timestamp) -> Judged<Exact> {
    // What was good long ago says nothing against what is said now.
    let last = last.filter(|(_, heard)| now.duration_since(*heard) <= PRICE_MEMORY).map(|(value, _)| value);
    let (mut good, mut rejected) = timely(heard, now, AHEAD, PRICE_AGE);
    good.sort_by(|(_, a), (_, b)| a.cmp(b));
    let Some(centre) = median(&good) else { return Judged { value: None, rejected } };
    let (mut near, mut far): (Vec<_>, Vec<_>) =
        good.into_iter().partition(|(_, value)| !apart(value, &centre, OUTLIER_PERCENT));
    if near.len() < 2
        && let Some(last) = last
        && let Some(at) = far.iter().position(|(_, value)| !apart(value, last, OUTLIER_PERCENT))
    {
        let believed = far.remove(at);
        far.append(&mut near);
        near.push(believed);
    }
    rejected.extend(far.into_iter().map(|(name, _)| (name, Unusable::Outlier)));
    if let [(name, value)] = near.as_slice()
        && last.is_some_and(|last| apart(value, last, JUMP_PERCENT))
    {
        rejected.push((name, Unusable::Jump));
        near.clear();
    }
    let value = median(&near).map(|value| (value, near.into_iter().map(|(name, _)| name).collect()));
    Judged { value, rejected }
}

/// The middle of sorted values; of an even number the mean of the middle two.
fn median(sorted: &[(&'static str, Exact)]) -> Option<Exact> {
    let (_, upper) = sorted.get(sorted.len() / 2)?;
    let (_, lower) = sorted.get((sorted.len() - 1) / 2)?;
    (lower + upper).over(&Exact::whole(2))
}

/// The newest block's difficulty, when those who know the block agree. Where
/// heights are far apart, most providers decide, else the last good one. One that
/// stands alone must not change difficulty within an epoch, nor by more than a
/// retarget can, nor take blocks back, nor bring more than there can be.
pub fn network(heard: Vec<Heard<Network>>, last: Last<'_, Network>, now: Timestamp) -> Judged<Network> {
    let last = last.filter(|(_, heard)| now.duration_since(*heard) <= NETWORK_MEMORY);
    let (good, mut rejected) = timely(heard, now, BLOCK_AHEAD, BLOCK_AGE);
    let jump = |network: &Network| last.is_some_and(|(last, heard)| jumps(network, last, now.duration_since(heard)));
    let Some(newest) = believed_height(&good, jump) else {
        rejected.extend(good.into_iter().map(|(name, _)| (name, Unusable::Outlier)));
        return Judged { value: None, rejected };
    };
    let (near, far): (Vec<_>, Vec<_>) =
        good.into_iter().partition(|(_, network)| network.height.abs_diff(newest) <= BLOCKS_BEHIND);
    rejected.extend(far.into_iter().map(|(name, _)| (name, Unusable::Outlier)));
    // At a retarget providers differ for a moment: the newest block decides.
    let at_newest =
        || near.iter().filter(|(_, network)| network.height == newest).map(|(_, network)| &network.difficulty);
    let difficulty = at_newest().next().cloned();
    let is_split = at_newest().any(|other| Some(other) != difficulty.as_ref());
    // Two who know the same block and contradict each other: whoever says what
    // was true before is believed, else nobody.
    let wanted = if is_split { last.map(|(last, _)| last.difficulty.clone()) } else { difficulty };
    let (agreeing, others): (Vec<_>, Vec<_>) =
        near.into_iter().partition(|(_, network)| Some(&network.difficulty) == wanted.as_ref());
    rejected.extend(others.into_iter().map(|(name, _)| (name, Unusable::Outlier)));
    if let [(name, network)] = agreeing.as_slice()
        && jump(network)
    {
        rejected.push((name, Unusable::Jump));
        return Judged { value: None, rejected };
    }
    let Some(height) = agreeing.iter().map(|(_, network)| network.height).max() else {
        return Judged { value: None, rejected };
    };
    let said = agreeing.iter().find_map(|(_, network)| network.fees.clone()).map(|fees| Fees { heard: now, ..fees });
    // Fees change slowly; the last known ones, with their age, are better than
    // none.
    let fees = said.or_else(|| last.and_then(|(last, _)| last.fees.clone()));
    let names = agreeing.iter().map(|(name, _)| *name).collect();
    let value = wanted.map(|difficulty| (Network { difficulty, height, fees }, names));
    Judged { value, rejected }
}

/// The newest height of the group that is to be believed: the largest of those
/// within a few blocks of each other; of equal ones the only one that does not
/// jump.
fn believed_height(good: &Named<Network>, jump: impl Fn(&Network) -> bool) -> Option<u64> {
    let mut heights: Vec<u64> = good.iter().map(|(_, network)| network.height).collect();
    heights.sort_unstable();
    let mut groups: Vec<Vec<u64>> = Vec::new();
    for height in heights {
        match groups.last_mut() {
            Some(group) if group.last().is_some_and(|last| height - last <= BLOCKS_BEHIND) => group.push(height),
            _ => groups.push(vec![height]),
        }
    }
    let most = groups.iter().map(Vec::len).max()?;
    let mut largest: Vec<u64> =
        groups.into_iter().filter(|group| group.len() == most).filter_map(|group| group.last().copied()).collect();
    if largest.len() > 1 {
        let jumping = |height: &u64| good.iter().any(|(_, network)| network.height == *height && jump(network));
        largest.retain(|height| !jumping(height));
    }
    if let [height] = largest.as_slice() { Some(*height) } else { None }
}

fn jumps(network: &Network, last: &Network, since: SignedDuration) -> bool {
    let epoch = |height: u64| height / hashinsight_mining::protocol::EPOCH_BLOCKS;
    let factor = Exact::whole(RETARGET);
    let beyond = network.difficulty > &last.difficulty * &factor || last.difficulty > &network.difficulty * &factor;
    let within = epoch(network.height) == epoch(last.height) && network.difficulty != last.difficulty;
    let possible = u64::try_from(since.as_secs().max(0) * FASTER / 600).unwrap_or(0) + BLOCKS_BEHIND;
    let too_far = network.height > last.height + possible;
    beyond || within || too_far || network.height + BLOCKS_BEHIND < last.height
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_700_000_000).unwrap()
    }

    fn said(name: &'static str, price: &str) -> Heard<Exact> {
        (name, Ok(Quote { value: exact(price), at: Some(now()) }))
    }

    fn found(judged: &Judged<Exact>) -> Option<(String, Vec<&'static str>)> {
        judged.value.as_ref().map(|(value, names)| (value.canonical(), names.clone()))
    }

    #[test]
    fn the_median_of_those_who_agree() {
        let judged = price(vec![said("a", "100"), said("b", "102"), said("c", "101")], None, now());
        assert_eq!(found(&judged), Some(("101".to_owned(), vec!["a", "c", "b"])));
        let judged = price(vec![said("a", "100"), said("b", "150"), said("c", "101")], None, now());
        assert_eq!(found(&judged), Some(("100.5".to_owned(), vec!["a", "c"])));
        assert_eq!(judged.rejected, [("b", Unusable::Outlier)]);
    }

    #[test]
    fn two_who_disagree_are_settled_by_the_last_good_value_or_not_at_all() {
        let heard = || vec![said("a", "100"), said("b", "150")];
        assert_eq!(price(heard(), None, now()).value, None);
        assert_eq!(found(&price(heard(), Some((&exact("99"), now())), now())), Some(("100".to_owned(), vec!["a"])));
        assert_eq!(price(heard(), Some((&exact("300"), now())), now()).value, None);
    }

    #[test]
    fn a_jump_is_believed_only_when_it_is_confirmed() {
        let last = exact("100");
        let last = Some((&last, now()));
        let judged = price(vec![said("a", "150")], last, now());
        assert_eq!((judged.value, judged.rejected), (None, vec![("a", Unusable::Jump)]));
        assert!(price(vec![said("a", "150"), said("b", "150")], last, now()).value.is_some());
        assert!(price(vec![said("a", "119")], last, now()).value.is_some());
        assert!(price(vec![said("a", "150")], None, now()).value.is_some(), "there is nothing to jump from");
        let long_ago = last.map(|(value, heard)| (value, heard - SignedDuration::from_mins(61)));
        assert!(price(vec![said("a", "150")], long_ago, now()).value.is_some(), "what is old holds against nobody");
    }

    #[test]
    fn clocks_that_are_wrong_are_not_believed() {
        let at = |seconds: i64| (("a"), Ok(Quote { value: exact("1"), at: Timestamp::from_second(seconds).ok() }));
        let of = |seconds: i64| price(vec![at(now().as_second() + seconds)], None, now()).rejected;
        assert_eq!(of(61), [("a", Unusable::Ahead(61))]);
        assert_eq!(of(-301), [("a", Unusable::Old(301))]);
        assert!(of(60).is_empty() && of(-300).is_empty());
        let untimed = ("a", Ok(Quote { value: exact("1"), at: None }));
        assert!(price(vec![untimed], None, now()).value.is_some());
    }

    fn block(name: &'static str, height: u64, difficulty: &str, fees: Option<&str>) -> Heard<Network> {
        let fees = fees.map(|btc| Fees { btc: exact(btc), from: name, heard: Timestamp::UNIX_EPOCH });
        let value = Network { difficulty: exact(difficulty), height, fees };
        (name, Ok(Quote { value, at: Some(now()) }))
    }

    #[test]
    fn the_newest_block_decides_at_a_retarget() {
        // 2016 · 458 = 923328 begins an epoch.
        let heard = vec![block("a", 923_328, "110", Some("0.03")), block("b", 923_327, "100", None)];
        let judged = network(heard, None, now());
        let (value, names) = judged.value.unwrap();
        assert_eq!((value.difficulty.canonical().as_str(), value.height, names), ("110", 923_328, vec!["a"]));
        assert_eq!(value.fees.map(|fees| (fees.from, fees.heard)), Some(("a", now())));
    }

    #[test]
    fn a_height_that_one_alone_claims_outlaws_nobody() {
        let liar = || block("liar", 99_000_000, "5", None);
        let honest = |name| block(name, 925_000, "5", None);
        let judged = network(vec![liar(), honest("a"), honest("b")], None, now());
        assert_eq!(judged.rejected, [("liar", Unusable::Outlier)]);
        assert_eq!(judged.value.unwrap().0.height, 925_000);
        // One against one: what was known decides, else nobody is believed.
        assert_eq!(network(vec![liar(), honest("a")], None, now()).value, None);
        let known = Network { difficulty: exact("5"), height: 924_999, fees: None };
        let judged = network(vec![liar(), honest("a")], Some((&known, now())), now());
        assert_eq!(judged.value.unwrap().1, ["a"]);
        let alone = |height, hours| {
            let last = Some((&known, now() - SignedDuration::from_hours(hours)));
            network(vec![block("a", height, "5", None)], last, now()).value.is_some()
        };
        assert!(alone(925_020, 1) && !alone(925_040, 1) && alone(99_000_000, 13));
    }

    #[test]
    fn contradictions_and_jumps_are_not_believed_alone() {
        let earlier = now() - SignedDuration::from_hours(11);
        let fees = Some(Fees { btc: exact("0.02"), from: "b", heard: earlier });
        let last = Network { difficulty: exact("100"), height: 923_330, fees: fees.clone() };
        let last = Some((&last, earlier));
        let lone = |height, difficulty| network(vec![block("a", height, difficulty, None)], last, now());
        for (height, difficulty) in [(923_331, "150"), (923_500, "150"), (925_400, "120"), (923_320, "100")] {
            assert_eq!(lone(height, difficulty).rejected, [("a", Unusable::Jump)], "{height} {difficulty}");
        }
        let (value, _) = lone(923_500, "100").value.unwrap();
        assert_eq!(value.fees, fees, "the last known fees, as old as they are");
        let both = vec![block("a", 923_331, "150", None), block("b", 923_331, "100", None)];
        let judged = network(both.clone(), last, now());
        assert_eq!(judged.value.unwrap().1, ["b"]);
        assert_eq!(network(both, None, now()).value, None);
    }

    proptest! {
        #[test]
        fn one_liar_among_three_moves_nothing(honest in 1_000_i128..200_000, lie in 1_i128..1_000_000_000) {
            let quotes = [honest, honest + honest / 200, lie];
            let names = ["a", "b", "c"];
            let heard = names.into_iter().zip(quotes).map(|(name, value)| said(name, &value.to_string())).collect();
            let (value, _) = price(heard, None, now()).value.unwrap();
            let (low, high) = (Exact::whole(honest * 98 / 100), Exact::whole(honest * 103 / 100 + 1));
            prop_assert!(value >= low && value <= high, "{}", value.canonical());
        }
    }
}
