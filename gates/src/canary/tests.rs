use super::*;
use proptest::prelude::*;

/// 99.95 %.
const ALLOWED: u32 = 500;

fn counted(canary: (u64, u64), stable: (u64, u64)) -> Look {
    let of = |(total, bad)| Requests { total, bad };
    let counted = Counted { canary: of(canary), stable: of(stable), ..Counted::default() };
    Look::Counted { seconds: 5, objectives: vec![counted] }
}

fn after(looks: &[Look]) -> Judgement {
    let plan = Plan::of(&[ALLOWED]);
    looks.iter().fold(Known::default(), |known, look| known.take(&plan, look)).judge(&plan)
}

fn repeated(look: &Look, times: usize) -> Vec<Look> {
    vec![look.clone(); times]
}

/// A generator that needs no dependency: xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// How many of `total` fail at a share of so many millionths.
    fn failing(&mut self, total: u64, share: u64) -> u64 {
        (0..total).filter(|_| self.below(1_000_000) < share).count() as u64
    }
}

#[test]
fn a_clean_step_passes_after_the_requests_the_arithmetic_asks_for() {
    // ln(50) ÷ −ln((1 − 0.0072) ÷ (1 − 0.0005)): the 579 of the field, of one
    // percent other bounds.
    let judgement = after(&[]);
    assert_eq!(judgement.verdict, Verdict::NeedMore);
    let needed = judgement.clean_requests_needed;
    assert!((570..590).contains(&needed), "{needed}");
    assert_eq!(after(&[counted((needed - 5, 0), (10_000, 3))]).verdict, Verdict::NeedMore);
    assert_eq!(after(&[counted((needed + 1, 0), (10_000, 3))]).verdict, Verdict::Pass);
}

#[test]
fn a_canary_that_fails_is_convicted_within_a_handful_of_answers() {
    for (share, most) in [(500_000, 8), (100_000, 6), (20_000, 16)] {
        let mut random = Random(42);
        let plan = Plan::of(&[ALLOWED]);
        let (mut known, mut bad) = (Known::default(), 0);
        for _ in 0..10_000 {
            let failed = random.failing(10, share);
            bad += failed;
            known = known.take(&plan, &counted((10, failed), (190, 0)));
            if known.judge(&plan).verdict == Verdict::Fail {
                break;
            }
        }
        assert_eq!(known.judge(&plan).verdict, Verdict::Fail, "{share}");
        assert!(bad <= most, "{share}: {bad} bad answers");
    }
}

#[test]
fn one_failure_convicts_nobody() {
    let judgement = after(&[counted((1, 1), (100, 0))]);
    assert_eq!(judgement.verdict, Verdict::NeedMore);
}

#[test]
fn a_fault_that_comes_late_is_not_drowned_by_what_was_good() {
    let mut looks = repeated(&counted((100, 0), (900, 0)), 500);
    let plan = Plan::of(&[ALLOWED]);
    let before = looks.iter().fold(Known::default(), |known, look| known.take(&plan, look));
    assert_eq!(before.judge(&plan).verdict, Verdict::Pass);
    looks.extend(repeated(&counted((100, 5), (900, 0)), 2));
    assert_eq!(after(&looks).verdict, Verdict::Fail, "{:?}", after(&looks));
}

#[test]
fn what_the_stable_revision_suffers_too_is_not_the_canary_s_fault() {
    let outage = counted((50, 10), (950, 190));
    let judgement = after(&repeated(&outage, 40));
    assert_eq!(judgement.objectives, [(Verdict::NeedMore, Reason::SharedCause)]);
    // Unless it suffers more.
    let worse = counted((50, 40), (950, 100));
    assert_eq!(after(&repeated(&worse, 10)).objectives, [(Verdict::Fail, Reason::WorseThanStable)]);
}

#[test]
fn silence_and_a_source_that_is_away_are_neither_pass_nor_fail() {
    let clean = counted((1000, 0), (9_000, 0));
    let nothing = counted((0, 0), (100, 0));
    assert_eq!(after(std::slice::from_ref(&clean)).verdict, Verdict::Pass);
    let silent: Vec<Look> = std::iter::once(clean.clone()).chain(repeated(&nothing, 12)).collect();
    assert_eq!(after(&silent).verdict, Verdict::NoData);
    let away = [clean.clone(), Look::Failed { why: "refused".into() }];
    assert_eq!(after(&away).verdict, Verdict::Error);
    assert_eq!(after(&[&away[..], &[clean]].concat()).verdict, Verdict::Pass);
    // What was counted before convicts also then.
    let convicted = [counted((100, 50), (900, 0)), Look::Failed { why: "refused".into() }];
    assert_eq!(after(&convicted).verdict, Verdict::Fail);
    assert_eq!(Known::default().judge(&Plan::of(&[])).verdict, Verdict::NeedMore, "no objective proves nothing");
}

#[test]
fn every_step_is_passed_by_its_own_requests() {
    let plan = Plan::of(&[ALLOWED]);
    let known = Known::default().take(&plan, &counted((1000, 0), (9_000, 0)));
    assert_eq!(known.judge(&plan).verdict, Verdict::Pass);
    let next = known.next_step();
    assert_eq!((next.judge(&plan).verdict, next.observed), (Verdict::NeedMore, 0));
}

#[test]
fn longer_durations_ask_for_twice_the_evidence() {
    let of = |canary_buckets: Vec<u64>, total| Look::Counted {
        seconds: 5,
        objectives: vec![Counted {
            canary: Requests { total, bad: 0 },
            stable: Requests { total: 1000, bad: 0 },
            canary_buckets,
            stable_buckets: vec![900, 100, 0],
        }],
    };
    assert_eq!(after(&[of(vec![540, 60, 0], 600)]).verdict, Verdict::Pass);
    let slow = after(&[of(vec![60, 540, 0], 600)]);
    assert_eq!(slow.objectives, [(Verdict::NeedMore, Reason::Slower)]);
    assert_eq!(after(&[of(vec![120, 1080, 0], 1200)]).verdict, Verdict::Pass);
    let opinion = slower(&[60, 540, 0], &[900, 100, 0]).unwrap();
    assert_eq!(opinion.slower, 900);
    assert_eq!(slower(&[500, 500], &[500, 500]).unwrap(), Opinion { slower: 500, deviations: 0 });
    assert_eq!(slower(&[5], &[5]), None);
}

const ROLLOUTS: u32 = 3_000;

/// Whole rollouts of canaries exactly at their objective: at most one in a
/// thousand may be rolled back.
#[test]
fn healthy_canaries_are_not_rolled_back() {
    let plan = Plan::of(&[ALLOWED, 50_000]);
    let (mut random, mut wrong) = (Random(7), 0);
    for _ in 0..ROLLOUTS {
        let mut known = Known::default();
        for _ in 0..60 {
            let of = |random: &mut Random, share| Counted {
                canary: Requests { total: 50, bad: random.failing(50, share) },
                stable: Requests { total: 500, bad: random.failing(500, share) },
                ..Counted::default()
            };
            let objectives = vec![of(&mut random, 500), of(&mut random, 50_000)];
            known = known.take(&plan, &Look::Counted { seconds: 5, objectives });
            if known.judge(&plan).verdict == Verdict::Fail {
                wrong += 1;
                break;
            }
        }
    }
    // Three are expected at most; seven or more would be a chance of 3 %.
    assert!(wrong <= 7, "{wrong} of {ROLLOUTS}");
}

proptest! {
    /// What is stored can be judged again, to the same verdict; more failures
    /// in the same requests never make it better.
    #[test]
    fn judgements_are_repeatable_and_monotone(
        raw in prop::collection::vec((0u64..500, 0u64..20, 0u64..5_000, 0u64..20), 1..40), more in 1u64..20,
    ) {
        let plan = Plan::of(&[ALLOWED]);
        let look = |(total, bad, stable, stable_bad): (u64, u64, u64, u64)| {
            counted((total + bad, bad), (stable + stable_bad, stable_bad))
        };
        let known = raw.iter().fold(Known::default(), |known, one| known.take(&plan, &look(*one)));
        let stored = serde_json::to_string(&known).unwrap();
        let again: Known = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(&again, &known);
        prop_assert_eq!(again.judge(&plan), known.judge(&plan));
        let mut harmed = raw.clone();
        let last = harmed.len() - 1;
        let moved = more.min(harmed[last].0);
        harmed[last] = (harmed[last].0 - moved, harmed[last].1 + moved, harmed[last].2, harmed[last].3);
        let worse = harmed.iter().fold(Known::default(), |known, one| known.take(&plan, &look(*one)));
        if known.judge(&plan).verdict == Verdict::Fail {
            prop_assert_eq!(worse.judge(&plan).verdict, Verdict::Fail);
        }
        if worse.judge(&plan).verdict == Verdict::Pass {
            prop_assert_eq!(known.judge(&plan).verdict, Verdict::Pass);
        }
    }

    #[test]
    fn no_numbers_overflow(numbers in prop::collection::vec(prop::num::u64::ANY, 4), allowed in 1u32..1_000_000) {
        let plan = Plan::of(&[allowed]);
        let look = counted((numbers[0], numbers[1]), (numbers[2], numbers[3]));
        let known = Known::default().take(&plan, &look).take(&plan, &look);
        let _ = known.judge(&plan);
        let _ = slower(&numbers, &numbers);
        prop_assert!(plan.limit(allowed) > allowed || allowed == 999_999);
    }
}
