use proptest::prelude::*;

use super::super::{Profile, Run, Sample};
use super::*;
use crate::fleet::tests::{exact, kind, market};

fn terms() -> Terms {
    Terms {
        usd_per_petahash_day: Micro::of(46_440_000),
        meter_factor: Exact::one(),
        adder_usd_per_mwh: Micro::default(),
        standby_watts: Micro::default(),
        ramp_minutes: 8,
        wear_usd: Micro::default(),
        min_off_minutes: 30,
        min_on_minutes: 30,
        lag: 0,
    }
}

fn plan(kinds: Vec<Kind>, minutes: u32, prices: Vec<i64>) -> Plan {
    let run = Run { start: Timestamp::UNIX_EPOCH, prices: prices.into_iter().map(Micro::whole).collect() };
    let curve = Curve { minutes, runs: vec![run] };
    Plan { fleet: Fleet::of(kinds).unwrap(), terms: terms(), profiles: Profiles::default(), curve }
}

fn s21() -> Kind {
    kind(200_000_000, 3_500_000_000, None, 1)
}

#[test]
fn the_rule_is_the_one_that_theory_gives() {
    let back = plan(vec![s21()], 60, vec![50; 24]).backtest(1).unwrap();
    let rule = back.lines[0].rule.clone().unwrap();
    // The worked examples of the field: 110.571 USD/MWh, 0.0258 USD, 88, 22 and 9 minutes.
    assert_eq!((rule.threshold.text(3).as_str(), rule.cycle_usd.text(4).as_str()), ("110.571", "0.0258"));
    assert_eq!(rule.worthwhile_minutes.map(|minutes| minutes.text(0)), ["88", "22", "9"]);
    assert_eq!((rule.resume_at, rule.stop_above), (Micro::of(110_571_429), Micro::of(110_571_429 + 14_742_857)));
    let sentence = rule.sentence(&terms());
    assert!(sentence.en.contains("below 110.57 USD/MWh") && sentence.zh.contains("110.57"), "{sentence:?}");
    let adder = Terms { adder_usd_per_mwh: Micro::whole(10), standby_watts: Micro::whole(25), ..terms() };
    let with = Plan { terms: adder, ..plan(vec![s21()], 60, vec![50; 24]) }.backtest(1).unwrap();
    assert_eq!(with.lines[0].rule.clone().unwrap().threshold.text(3), "101.367", "of the curve's price");
}

#[test]
fn a_spike_is_sat_out_and_accounted_to_the_last_digit() {
    let mut prices = vec![50; 24];
    prices[10..13].copy_from_slice(&[200, 300, 100]);
    let back = plan(vec![Kind { count: 2, ..s21() }], 60, prices).backtest(1).unwrap();
    let line = &back.lines[0];
    assert_eq!((line.cycles, line.off_hours.text(1).as_str()), (1, "2.0"));
    // 9.288 USD a day; 0.0035 MW at 21·50 + 200 + 300 + 100 USD/MWh.
    assert_eq!(line.never_usd.to_string(), "3.513000000000");
    // Two hours at 0.387 USD not earned, 500 USD/MWh not paid, 0.0258 USD lost.
    assert_eq!(line.rule_usd.to_string(), "4.463200000000");
    assert_eq!(line.foresight_usd, line.rule_usd);
    assert_eq!((line.not_served_mwh.to_string(), back.totals.cycles), ("0.007000000000".to_owned(), 2));
    assert_eq!(back.saving().to_string(), "1.900400000000");
    assert_eq!(back.captured_percent(), Some(Exact::whole(100)));
    let (rule, site) = back.whole_site.clone().unwrap();
    assert_eq!((rule.threshold, site), (line.rule.clone().unwrap().threshold, back.totals.rule_usd));
    assert_eq!(back.days.len(), 1);
    assert_eq!((back.days[0].highest, back.days[0].not_served_mwh.text(4)), (Micro::whole(300), "0.0140".into()));
    let sentence = back.sentence();
    assert!(sentence.en.contains("1.90 USD saved, 100.0 %") && sentence.zh.contains("节省 1.90 USD"), "{sentence:?}");
}

#[test]
fn late_prices_switch_late_and_gaps_count_as_nothing() {
    let mut prices = vec![50; 24];
    prices[10..13].copy_from_slice(&[200, 300, 100]);
    let plan = plan(vec![s21()], 60, prices.clone());
    let late = Plan { terms: Terms { lag: 1, ..terms() }, ..plan.clone() };
    // Off in hours 11 and 12, because 200 is known at 11 and 100 at 13.
    assert_eq!(
        late.off(&late.backtest(1).unwrap().lines[0].rule.clone().unwrap(), &Paid::of(&late.curve, Micro::default())),
        [(11, 13)]
    );
    let never = Plan { terms: Terms { lag: 50, ..terms() }, ..plan.clone() }.backtest(1).unwrap();
    assert_eq!((never.totals.cycles, never.totals.rule_usd), (0, never.totals.never_usd));
    let later = Run { start: Timestamp::from_second(86_400 + 7200).unwrap(), prices: vec![Micro::whole(500); 2] };
    let mut gap = plan;
    gap.curve.runs.push(later);
    let back = gap.backtest(1).unwrap();
    assert_eq!((back.missing, back.intervals, back.lines[0].cycles), (2, 26, 2));
    assert_eq!(back.lines[0].off_hours.text(1), "4.0", "the last stop lasts to the end");
}

#[test]
fn profiles_do_what_the_field_measured() {
    // S19k Pro at 46.44 USD/PH/day, 25 W asleep, USD a day.
    let profile = |terahash: i64, watts: i64| Profile {
        model: "S19k Pro".into(),
        terahash: Micro::of(terahash),
        watts: Micro::whole(watts),
    };
    let mut kind = kind(121_800_000, 2_794_000_000, None, 1);
    kind.model = "S19k Pro".into();
    let with = |profiles: Vec<Profile>, price: i64| {
        let mut plan = plan(vec![kind.clone()], 60, vec![price; 24]);
        plan.terms.standby_watts = Micro::whole(25);
        plan.terms.ramp_minutes = 0;
        Plan { profiles: Profiles(profiles), ..plan }.backtest(1).unwrap().lines.remove(0)
    };
    let best = vec![profile(54_700_000, 1080), profile(163_100_000, 4195), profile(39_200_000, 784)];
    assert_eq!(with(Vec::new(), 80).foresight_usd.text(4), "0.2919");
    assert_eq!(with(Vec::new(), 95).foresight_usd.text(4), "-0.0570");
    assert_eq!(with(best.clone(), 95).foresight_usd.text(4), "0.0779");
    let cheap = with(best.clone(), 30);
    assert_eq!((cheap.foresight_usd.text(2), cheap.modes), ("4.55".into(), 4));
    assert_eq!(cheap.rule_usd, cheap.foresight_usd);
    assert!(cheap.never_usd < cheap.rule_usd, "never is the nominal way");
    assert_eq!(with(best, 95).rule.unwrap().threshold.text(2), "100.33", "of the last way to run");
}

#[test]
fn what_saves_nothing_has_no_rule() {
    let mut plan = plan(vec![kind(1_200_000, 18_000_000, None, 3)], 60, vec![500; 5]);
    plan.terms.standby_watts = Micro::whole(25);
    let back = plan.backtest(1).unwrap();
    assert_eq!((back.lines[0].rule.clone(), back.whole_site.clone(), back.lines[0].cycles), (None, None, 0));
    plan.terms.meter_factor = Exact::zero();
    assert_eq!(plan.backtest(1).unwrap_err().code(), "OutOfRange");
    plan.terms = Terms { min_off_minutes: 20_000, ..terms() };
    assert_eq!(plan.backtest(1).unwrap_err().code(), "OutOfRange");
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    let none = super::tests::plan(vec![s21()], 60, vec![50; 5]).backtest(1).unwrap();
    assert_eq!(none.captured_percent(), None, "nothing to save");
    assert!(none.sentence().en.contains("– %"));
}

#[test]
fn revenue_is_that_of_the_market() {
    let revenue = Terms::revenue(&market(), &exact("0.01")).unwrap();
    let wanted = &(&bitcoin(&market()) * &exact("92817")) * &exact("0.99");
    assert_eq!(revenue.to_string(), wanted.text(6));
    assert!(Terms::revenue(&market(), &exact("1.1")).is_err());
    let easy = crate::fleet::Market { difficulty: Exact::one(), ..market() };
    assert!(Terms::revenue(&easy, &Exact::zero()).is_err());
}

fn bitcoin(market: &crate::fleet::Market) -> Exact {
    let reward = &market.subsidy_btc + &market.fees_btc;
    crate::daily::bitcoin_per_day(&Exact::whole(1000), &market.difficulty, &reward)
}

#[test]
fn a_year_is_the_same_with_any_number_of_threads() {
    let curve = Sample { minutes: 15, ..Sample::default() }.curve().unwrap();
    let kinds = (0..40).map(|at| kind(100_000_000 + at * 3_000_000, 3_400_000_000, None, 2));
    let plan = Plan { curve, ..plan(kinds.collect(), 60, vec![0; 2]) };
    let one = plan.backtest(1).unwrap();
    assert_eq!(one, plan.backtest(7).unwrap());
    assert!(one.totals.never_usd < one.totals.rule_usd && one.totals.rule_usd < one.totals.foresight_usd);
    assert_eq!(one.days.len(), 366, "a local year in days of UTC");
    let shed: i128 = one.days.iter().map(|day| day.not_served_mwh.units()).sum();
    assert!((shed - one.totals.not_served_mwh.units()).abs() < 400);
}

/// The rule interval by interval, as a person would follow it.
fn followed(plan: &Plan, rule: &Rule, prices: &[i64]) -> Vec<bool> {
    let (minutes, mut off, mut since) = (i64::from(plan.curve.minutes), false, i64::MIN / 2);
    let mut states = Vec::new();
    for at in 0..prices.len() {
        let now = i64::try_from(at).unwrap() * minutes;
        let known = at.checked_sub(plan.terms.lag as usize).map(|at| prices[at] * 1_000_000);
        let (stop, resume) = (rule.stop_above.units(), rule.resume_at.units());
        let held = if off { plan.terms.min_off_minutes } else { plan.terms.min_on_minutes };
        let turns = known.is_some_and(|price| if off { price <= resume } else { price > stop });
        if turns && now - since >= i64::from(held) {
            (off, since) = (!off, now);
        }
        states.push(off);
    }
    states
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn the_backtest_is_the_rule_followed_by_hand(
        prices in proptest::collection::vec(-50_i64..260, 1..300), min_off in 1_u32..90, min_on in 0_u32..90,
        lag in 0_u32..4, smooth in any::<bool>(),
    ) {
        // Long stretches of one sign as well as wild ones.
        let prices: Vec<i64> = if smooth { prices.iter().flat_map(|price| [*price; 9]).collect() } else { prices };
        let mut plan = plan(vec![s21()], 5, prices.clone());
        plan.terms = Terms { min_off_minutes: min_off, min_on_minutes: min_on, lag, ..terms() };
        let paid = Paid::of(&plan.curve, Micro::default());
        let machine = plan.machine(&s21()).unwrap();
        let rule = Rule::of(&machine, &plan.terms).unwrap();
        let mut states = vec![false; prices.len()];
        for (from, to) in plan.off(&rule, &paid) {
            states[from..to].fill(true);
        }
        prop_assert_eq!(&states, &followed(&plan, &rule, &prices));
        // Foresight interval by interval.
        let (mut on, mut off) = (0_i128, -machine.cycle);
        for price in &prices {
            let gain = machine.gain(price * 1_000_000) * 5;
            (on, off) = (on.max(off) + gain, off.max(on - machine.cycle));
        }
        prop_assert_eq!(machine.foresight(&paid), on.max(off));
        if prices.len() > 1 {
            let line = plan.backtest(1).unwrap().lines.remove(0);
            prop_assert!(line.foresight_usd >= line.rule_usd && line.foresight_usd >= line.never_usd);
        }
    }

    #[test]
    fn foresight_is_the_best_of_all_schedules(prices in proptest::collection::vec(60_i64..160, 2..9)) {
        let plan = plan(vec![s21()], 5, prices.clone());
        let paid = Paid::of(&plan.curve, Micro::default());
        let machine = plan.machine(&s21()).unwrap();
        let value = |schedule: u32| {
            let off = |at: usize| schedule & (1 << at) != 0;
            (0..prices.len()).fold(0_i128, |sum, at| {
                let gain = if off(at) { 0 } else { machine.gain(prices[at] * 1_000_000) * 5 };
                let stops = off(at) && (at == 0 || !off(at - 1));
                sum + gain - if stops { machine.cycle } else { 0 }
            })
        };
        prop_assert_eq!(machine.foresight(&paid), (0..1 << prices.len()).map(value).max().unwrap());
    }
}
