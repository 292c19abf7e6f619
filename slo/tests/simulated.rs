//! Alerts and budgets over simulated history: how soon an outage is told, what
//! is told without one, and sums beside an independent count of every event.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]

use std::collections::BTreeMap;

use hashinsight_slo::alerts::Alert;
use hashinsight_slo::backtest::{Report, Seen, backtest, evaluated};
use hashinsight_slo::book::{Book, Missing, Stretch};
use hashinsight_slo::budget::Standing;
use hashinsight_slo::counts::{Counts, Reading, Tally};
use hashinsight_slo::evaluation::{Evaluation, Facts, evaluate};
use hashinsight_slo::history::History;
use hashinsight_slo::objective::{Objective, Reach};
use hashinsight_slo::policy::Policy;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

const DAY: i64 = 86_400;
const STEP: i64 = 15;
/// A Monday, so that every stretch of every alert begins at a known second.
const START: i64 = 1_800_000_000;

fn objective(percent: &str, window: &str, more: &str) -> Objective {
    let yaml = format!(
        "{{service: core, objectivePercent: '{percent}', window: {window}, indicator: {{events: {{metric: m, \
         totalSelector: 'a=\"b\"', badSelector: 'a=\"b\",code=\"500\"'}}}}{more}}}"
    );
    Objective::parse("ns", "o", &serde_saphyr::from_str(&yaml).unwrap(), &Reach::Everything).unwrap()
}

/// Events at a steady pace; of a million, `share(second)` are bad, spread
/// evenly.
fn steady(days: i64, a_step: u64, share: impl Fn(i64) -> u64) -> History {
    let mut owed = 0;
    History::new((1..=days * DAY / STEP).map(|step| {
        let second = step * STEP;
        owed += share(second) * a_step;
        let bad = (owed / 1_000_000).min(a_step);
        owed -= bad * 1_000_000;
        (START + second, Counts { total: a_step, bad, measured: 15 })
    }))
}

/// Seconds from `second` to the first time the alert fires.
fn told_after(report: &Report, alert: Alert, second: i64) -> Option<i64> {
    let fires = report.seen.iter().find(|(_, seen)| matches!(seen, Seen::Fires(fires, _) if *fires == alert));
    fires.map(|(at, _)| at.as_second() - START - second)
}

#[test]
fn outages_are_told_as_soon_as_the_arithmetic_says() {
    let objective = objective("99.95", "{rollingDays: 30}", "");
    let (fast, slow) = (Alert::ErrorBudgetBurnsFast, Alert::ErrorBudgetBurnsSlowly);
    // Share that fails in millionths; seconds until a page and a ticket by
    // `factor × (1 − objective) × long ÷ share`.
    for (share, page, ticket) in [
        (1_000_000_u32, Some(26), Some(130)),
        (100_000, Some(260), Some(1_296)),
        (10_000, Some(2_592), Some(12_960)),
        (1_000, None, Some(129_600)),
        (500, None, None),
    ] {
        let begun = 3 * DAY;
        let history = steady(6, 1_500, |second| if second > begun { u64::from(share) } else { 0 });
        let report = backtest(&objective, None, &history).unwrap();
        for (alert, expected) in [(fast, page), (slow, ticket)] {
            let told = told_after(&report, alert, begun);
            let percent = f64::from(share) / 1e4;
            println!("{percent} % fails: {} after {told:?} s, at best {expected:?} s", alert.name());
            match (told, expected) {
                (None, None) => {}
                // A step, the pace of the rule, and a bad event that is still owed.
                (Some(told), Some(best)) => {
                    let slack = if alert == fast { 30 } else { 330 };
                    assert!((best..=best + slack).contains(&told), "{share}: {told} s, at best {best} s");
                }
                other => panic!("{share} {}: {other:?}", alert.name()),
            }
            assert!(report.count(alert) <= 1, "{share}: an alert flaps");
        }
    }
}

/// As many bad events as a promise of 99.95 % allows half of, at random.
#[test]
fn a_kept_promise_wakes_nobody_in_a_month() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for (a_step, what) in [(1_500, "100 a second"), (150, "10 a second"), (15, "one a second"), (1, "four a minute")] {
        let history = History::new((1..=30 * DAY / STEP).map(|step| {
            let bad = (0..a_step).filter(|_| random() % 1_000_000 < 250).count() as u64;
            (START + step * STEP, Counts { total: a_step, bad, measured: 15 })
        }));
        let report = backtest(&objective("99.95", "{rollingDays: 30}", ""), None, &history).unwrap();
        let (pages, tickets) = (report.count(Alert::ErrorBudgetBurnsFast), report.count(Alert::ErrorBudgetBurnsSlowly));
        println!("{what}, 0.025 % bad, 30 days: {pages} pages, {tickets} tickets");
        assert_eq!((pages, tickets), (0, 0), "{what}");
    }
}

#[test]
fn one_error_in_a_quiet_night_wakes_nobody_and_an_outage_does() {
    let quiet = |bad: fn(i64) -> bool| {
        History::new((1..=DAY / STEP).map(move |step| {
            // One request a minute.
            let total = u64::from(step % 4 == 0);
            (START + step * STEP, Counts { total, bad: u64::from(total > 0 && bad(step)), measured: 15 })
        }))
    };
    let objective = objective("99.95", "{rollingDays: 30}", "");
    let one = backtest(&objective, None, &quiet(|step| step == 3_000)).unwrap();
    assert_eq!(one.seen, [], "one error");
    let outage = backtest(&objective, None, &quiet(|step| step > 3_000)).unwrap();
    assert!(told_after(&outage, Alert::ErrorBudgetBurnsFast, 3_000 * STEP).unwrap() <= 240);
}

#[test]
fn silence_is_told_and_holds_the_stage() {
    let policy = "{stages: [{name: Cautious, enterAtOrBelowPercent: 97, leaveAtOrAbovePercent: 98, \
                  minimumHoldMinutes: 1, releases: {allow: All, maxStepPercent: 10}, page: false}]}";
    let policy = Policy::parse(&serde_saphyr::from_str(policy).unwrap()).unwrap();
    let objective = objective("99", "{rollingDays: 1}", "");
    let history = steady(3, 150, |second| if (DAY + 1..=DAY + 60).contains(&second) { 1_000_000 } else { 0 });
    let report = backtest(&objective, Some(&policy), &history).unwrap();
    let stages: Vec<(i64, &str)> = report
        .seen
        .iter()
        .filter_map(|(at, seen)| match seen {
            Seen::Stage(stage, _) => Some((at.as_second() - START - DAY, stage.name.as_str())),
            _ => None,
        })
        .collect();
    // A minute of 14.4 is 6.9 %; 3 % are gone after 26 s. What failed leaves
    // the window a day later, the first half of it within the minute.
    let [(entered, "Cautious"), (left, "Normal")] = stages[..] else { panic!("{stages:?}") };
    assert!((26..=45).contains(&entered), "{entered}");
    assert!((DAY..=DAY + 60).contains(&left), "{left}");
    // The same with nothing measured from then on: the stage is held for ever.
    let dark = History::new((1..=2 * DAY / STEP).map(|step| {
        let second = step * STEP;
        let bad = if (DAY + 1..=DAY + 60).contains(&second) { 150 } else { 0 };
        let counts = Counts { total: 150, bad, measured: 15 };
        (START + second, if second > DAY + 120 { Counts::default() } else { counts })
    }));
    let report = backtest(&objective, Some(&policy), &dark).unwrap();
    let silent = told_after(&report, Alert::ObjectiveNotMeasured, DAY + 120).unwrap();
    assert!((300..=330).contains(&silent), "{silent}");
    assert!(!report.seen.iter().any(|(_, seen)| matches!(seen, Seen::Stage(stage, _) if stage.name == "Normal")));
}

/// A random life of a service: events of three processes that restart, told
/// every step, some of the readings lost.
#[derive(Clone, Debug)]
struct Life {
    begin: i64,
    /// Of each step and process: good, bad, whether it restarts first.
    steps: Vec<[(u64, u64, bool); 3]>,
}

fn life(zone: &'static str, near: &'static str, hours: usize) -> impl Strategy<Value = (Life, TimeZone)> {
    let process = (0u64..40, 0u64..3, prop::bool::weighted(0.01));
    let step = [process.clone(), process.clone(), process];
    let near: Timestamp = near.parse().unwrap();
    // Steps of five minutes: what is between them does not matter here.
    (prop::collection::vec(step, hours * 12), -40i64..10).prop_map(move |(steps, before)| {
        let begin = near.as_second().div_euclid(300) * 300 + before * 3600;
        (Life { begin, steps }, TimeZone::get(zone).unwrap())
    })
}

/// When, how many, how many bad.
type Event = (i64, u64, u64);

/// What the counters of a life tell, and every event of it by itself.
fn told(life: &Life) -> (Vec<(i64, Counts)>, Vec<Event>) {
    let mut counters = [Reading { total: 5_000, bad: 500 }; 3];
    let mut tally = Tally::default();
    let (mut steps, mut events) = (Vec::new(), Vec::new());
    let begin: BTreeMap<String, Reading> = (0..3).map(|n| (n.to_string(), counters[n])).collect();
    assert_eq!(tally.take(life.begin - 240, 240, &begin), None);
    for (n, step) in life.steps.iter().enumerate() {
        let second = life.begin + i64::try_from(n).unwrap() * 240;
        let (mut good_of_all, mut bad_of_all) = (0, 0);
        for (counter, (good, bad, restart)) in counters.iter_mut().zip(step) {
            // A restart that more events follow than came before cannot be seen.
            if *restart && good + bad < counter.total && *bad < counter.bad {
                *counter = Reading { total: 0, bad: 0 };
            }
            *counter = Reading { total: counter.total + good + bad, bad: counter.bad + bad };
            good_of_all += good;
            bad_of_all += bad;
        }
        let readings = (0..3).map(|n| (n.to_string(), counters[n])).collect();
        if let Some(counts) = tally.take(second, 240, &readings) {
            steps.push((second, counts));
        }
        events.push((second, good_of_all + bad_of_all, bad_of_all));
    }
    (steps, events)
}

/// The month's budget from every event by itself and the calendar alone: no
/// window, no book, no sums.
fn brute(events: &[Event], zone: &TimeZone, now: i64) -> (u128, u128, u128, u128) {
    let month = |second: i64| {
        let date = Timestamp::from_second(second).unwrap().to_zoned(zone.clone()).date();
        (date.year(), date.month())
    };
    let this = month(now);
    // The length of the month: every quarter of an hour that the calendar puts in it.
    let around = (now - 33 * DAY).div_euclid(900) * 900;
    let quarters = (0..66 * 96).filter(|n| month(around + n * 900) == this).count() as u128;
    let mine = events.iter().filter(|(at, ..)| *at <= now && month(at - 1) == this);
    let (total, bad, steps) = mine.fold((0u128, 0u128, 0u128), |(total, bad, steps), (_, events, bads)| {
        (total + u128::from(*events), bad + u128::from(*bads), steps + 1)
    });
    (quarters * 900 * 500, total, bad, steps * 240)
}

/// The budget as the operator computes it: from a book it reads step by step.
fn by_book(objective: &Objective, book: &mut Book<u8>, steps: &[(i64, Counts)], now: i64) -> Evaluation {
    let at = Timestamp::from_second(now).unwrap();
    let window = Stretch::between(objective.window.at(at).from, at);
    let recent = Stretch { from: now - 3600, to: now };
    let sum = |stretch: Stretch| {
        steps.iter().filter(|(at, _)| stretch.from < *at && *at <= stretch.to.min(now)).map(|(_, counts)| *counts).sum()
    };
    for question in book.missing(&[window, recent], now) {
        let rows: Vec<(u8, i64, Counts)> = match question {
            Missing::Sum(stretch) => vec![(1, stretch.to, sum(stretch))],
            Missing::Hours(hours) => (hours.from..hours.to)
                .step_by(3600)
                .map(|from| (1, from + 3600, sum(Stretch { from, to: from + 3600 })))
                .collect(),
        };
        book.take(question, rows);
    }
    let facts = Facts {
        now: at,
        since: book.first(&1).and_then(|since| Timestamp::from_second(since).ok()),
        counts: book.sum(&1, window).unwrap(),
        recent: book.sum(&1, recent).unwrap(),
        ..Facts::default()
    };
    evaluate(objective, &facts)
}

fn months() -> impl Strategy<Value = (Life, TimeZone)> {
    prop_oneof![
        life("Europe/Berlin", "2026-03-31T22:00:00Z", 60),
        life("Europe/Berlin", "2026-10-31T23:00:00Z", 60),
        life("America/New_York", "2026-11-01T04:00:00Z", 60),
        life("America/New_York", "2026-03-08T07:00:00Z", 60),
        life("Asia/Shanghai", "2026-02-28T16:00:00Z", 60),
        life("Asia/Kathmandu", "2028-02-29T18:15:00Z", 60),
        // Half an hour of summer time.
        life("Australia/Lord_Howe", "2026-04-04T15:00:00Z", 60),
        // Summer time that begins at midnight, which is skipped.
        life("Africa/Cairo", "2026-04-23T22:00:00Z", 60),
        life("UTC", "2026-12-31T23:59:59Z", 60),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// Around the ends of months and changes of clocks in several zones, from
    /// counters that restart, by a book that lives on or is begun anew: what
    /// is left equals the count of every event by itself, to the microsecond.
    #[test]
    fn budgets_of_months_are_those_of_the_events(
        (life, zone) in months(), looks in prop::collection::vec((1usize..90, prop::bool::ANY), 1..9),
    ) {
        let objective = {
            let name = zone.iana_name().unwrap();
            objective("99.95", &format!("{{calendarMonth: {{timeZone: {name}}}}}"), "")
        };
        let (steps, events) = told(&life);
        let (mut book, mut at) = (Book::default(), 0);
        for (wait, restart) in looks {
            at = (at + wait).min(events.len() - 1);
            let now = events[at].0 + 30;
            if restart {
                book = Book::default();
            }
            let evaluation = by_book(&objective, &mut book, &steps, now);
            let (budget, total, bad, measured) = brute(&events, &zone, now);
            prop_assert_eq!(u128::from(evaluation.budget.total), budget, "{:?} {}", zone.iana_name(), now);
            let counts = evaluation.budget.counts;
            prop_assert_eq!((u128::from(counts.total), u128::from(counts.bad)), (total, bad));
            prop_assert_eq!(u128::from(counts.measured), measured);
            let consumed = (bad * measured * 1_000_000 * 2 + total).checked_div(total * 2).unwrap_or(0);
            prop_assert_eq!(u128::from(evaluation.budget.consumed), consumed);
        }
    }

    /// Samples that are lost are neither good nor bad: with too many of them
    /// nothing is decided, and with few of them the share stays what it was.
    #[test]
    fn lost_samples_neither_pass_nor_fail(percent in 0u64..100, bad_share in 0u64..100_000) {
        let objective = objective("99", "{rollingDays: 1}", "");
        let whole = steady(1, 1_000, |_| bad_share);
        let lossy = History::new((1..=DAY / STEP).map(|step| {
            let second = START + step * STEP;
            let counts = whole.sum(Stretch { from: second - STEP, to: second });
            let lost = u64::try_from(step).unwrap() * 37 % 100 < percent;
            (second, if lost { Counts::default() } else { counts })
        }));
        let evaluation = evaluated(&objective, &lossy, START + DAY).unwrap();
        if percent == 0 {
            prop_assert_eq!(evaluation.budget.coverage, 10_000);
        } else if percent > 11 {
            prop_assert_eq!(evaluation.standing, Standing::CoverageTooLow);
        } else if percent < 10 {
            prop_assert!(evaluation.standing.decides());
        }
        if percent < 50 {
            let share = |counts: Counts| counts.bad * 1_000_000 / counts.total;
            let (one, other) = (share(evaluation.budget.counts), bad_share);
            prop_assert!(one.abs_diff(other) < 600, "{} {}", one, other);
        }
    }

    /// Ten times the traffic: the same percentages, the same alerts.
    #[test]
    fn ten_times_the_traffic_tells_the_same(share in 0u64..200_000, from in 0i64..20, long in 1i64..600) {
        let objective = objective("99.9", "{rollingDays: 7}", "");
        let failing = move |second: i64| if (from * 900..from * 900 + long * 60).contains(&second) { share } else { 0 };
        let one = backtest(&objective, None, &steady(1, 10_000, failing)).unwrap();
        let ten = backtest(&objective, None, &steady(1, 100_000, failing)).unwrap();
        let left = |report: &Report| report.last.budget.remaining_share();
        prop_assert!(left(&one).abs_diff(left(&ten)) <= 1, "{} {}", left(&one), left(&ten));
        // Rounding may move an alert by a step or two.
        prop_assert!(one.seen.len().abs_diff(ten.seen.len()) <= 1);
    }
}
