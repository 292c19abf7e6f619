//! Where an incident stands, decided purely: its state, its clocks, and when
//! the next of them runs out.

use hashinsight_crds::conditions::{ConditionStatus, PROMISES_KEPT, READY, Stated, settle};
use hashinsight_crds::incident::{Clock, IncidentState, Missed};
use hashinsight_crds::{Incident, IncidentStatus, Reason, TenantPlan, Time, whole_second};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

/// Plans that have a clock.
const CLOCKS: usize = 50;
/// A clock has run out once its last second is over.
const TICK: SignedDuration = SignedDuration::from_secs(1);

/// All that is known when status is decided.
pub struct Seen<'a> {
    /// The incident as it is stored.
    pub incident: &'a Incident,
    /// Every plan.
    pub plans: &'a [&'a TenantPlan],
    /// When somebody took it, if somebody did.
    pub acknowledged_at: Option<Timestamp>,
    /// When somebody ended it, if somebody did.
    pub resolved_at: Option<Timestamp>,
    /// When the alert ended, if it did.
    pub ended: Option<Timestamp>,
    /// Whether the metrics source told lately what fires. While it did not,
    /// nobody knows whether service is back.
    pub heard: bool,
    /// Now.
    pub now: Timestamp,
}

/// What to say, and when a clock runs out next.
pub fn conclude(seen: &Seen<'_>) -> (IncidentStatus, Option<Timestamp>) {
    let (spec, now) = (&seen.incident.spec, seen.now);
    let before = seen.incident.status.clone().unwrap_or_default();
    let on_record = |time: &Option<Time>| time.as_ref().map(|time| time.0);
    let taken = on_record(&before.acknowledged_at).or(seen.acknowledged_at);
    let over = on_record(&before.resolved_at).or(seen.resolved_at).or(seen.ended);
    let state = match (over, taken) {
        (Some(_), _) => IncidentState::Resolved,
        (None, Some(_)) => IncidentState::Acknowledged,
        (None, None) => IncidentState::Open,
    };
    // What was promised when it began counts, whatever becomes of the plans.
    let begun = before.state.is_some();
    let mut clocks = if begun { before.clocks.clone() } else { wound(seen.plans, spec.started_at.0) };
    let answered = taken.into_iter().chain(over).min();
    let mut next = None::<Timestamp>;
    for clock in &mut clocks {
        let (respond, recover) = (clock.respond_by.0, clock.recover_by.0);
        let late = answered.map_or(now > respond, |at| at > respond);
        let long = over.map_or(seen.heard && now > recover, |at| at > recover);
        clock.missed = Missed::of(clock.missed.response() || late, clock.missed.recovery() || long);
        let running = [answered.is_none().then_some(respond), over.is_none().then_some(recover)];
        next = next.into_iter().chain(running.into_iter().flatten().filter(|by| *by >= now)).min();
    }
    let generation = seen.incident.metadata.generation.unwrap_or_default();
    let stated = vec![ready(seen.incident, state, over), promises(&clocks)];
    let status = IncidentStatus {
        observed_generation: generation,
        state: Some(state),
        acknowledged_at: taken.map(whole_second),
        resolved_at: over.map(whole_second),
        clocks,
        conditions: settle(stated, &before.conditions, generation, now),
    };
    (status, next.and_then(|by| by.checked_add(TICK).ok()))
}

/// The clocks of an incident that began at `start`, the tightest first.
fn wound(plans: &[&TenantPlan], start: Timestamp) -> Vec<Clock> {
    let after =
        |minutes: i32| whole_second(start.checked_add(SignedDuration::from_mins(minutes.into())).unwrap_or(start));
    let mut clocks: Vec<Clock> = plans
        .iter()
        .map(|plan| Clock {
            plan: plan.name_any(),
            respond_by: after(plan.spec.response.respond_minutes),
            recover_by: after(plan.spec.response.recover_minutes),
            missed: Missed::Nothing,
        })
        .collect();
    clocks.sort_by(|a, b| (a.respond_by.0, &a.plan).cmp(&(b.respond_by.0, &b.plan)));
    clocks.truncate(CLOCKS);
    clocks
}

fn ready(incident: &Incident, state: IncidentState, over: Option<Timestamp>) -> Stated {
    let by = |hand: &Option<hashinsight_crds::incident::Hand>| hand.as_ref().map(|hand| hand.by.clone());
    let (status, reason, message) = match state {
        IncidentState::Open => (
            ConditionStatus::False,
            Reason::IncidentOpen,
            format!("nobody has taken it; hashinsight incident acknowledge {}", incident.name_any()),
        ),
        IncidentState::Acknowledged => (
            ConditionStatus::False,
            Reason::IncidentAcknowledged,
            format!("{} has it", by(&incident.spec.acknowledged).unwrap_or_default()),
        ),
        IncidentState::Resolved => {
            let how = match by(&incident.spec.resolved) {
                Some(by) => format!("{by} ended it"),
                None => {
                    format!("the alert ended at {}", over.map_or(Time(Timestamp::UNIX_EPOCH), whole_second).0)
                }
            };
            (ConditionStatus::True, Reason::IncidentResolved, how)
        }
    };
    Stated { type_: READY, status, reason, message }
}

fn promises(clocks: &[Clock]) -> Stated {
    let missed: Vec<String> = clocks
        .iter()
        .flat_map(|clock| {
            let late =
                clock.missed.response().then(|| format!("{}: nobody took it by {}", clock.plan, clock.respond_by.0));
            let long = clock.missed.recovery().then(|| format!("{}: not over by {}", clock.plan, clock.recover_by.0));
            [late, long].into_iter().flatten()
        })
        .collect();
    let (status, reason, message) = if missed.is_empty() {
        let told = if clocks.is_empty() { "there was no plan when it began" } else { "no clock has run out" };
        (ConditionStatus::True, Reason::PromisesKept, told.to_owned())
    } else {
        (ConditionStatus::False, Reason::PromiseMissed, missed.join("; "))
    };
    Stated { type_: PROMISES_KEPT, status, reason, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hashinsight_crds::incident::Hand;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
    }

    fn plan(name: &str, respond: i32, recover: i32) -> TenantPlan {
        let spec = format!(
            "{{displayName: P, quotas: {{sites: 1, miners: 1, requestsPerMinute: 1, cpu: '1', memory: 1Gi, pods: 1}}, \
             response: {{respondMinutes: {respond}, recoverMinutes: {recover}}}}}"
        );
        TenantPlan::new(name, serde_saphyr::from_str(&spec).unwrap())
    }

    fn incident() -> Incident {
        let spec = format!("{{alert: A, fingerprint: '12345678', service: core, startedAt: '{}'}}", at(0));
        let mut incident = Incident::new("a", serde_saphyr::from_str(&spec).unwrap());
        incident.metadata.generation = Some(1);
        incident
    }

    struct World {
        incident: Incident,
        plans: Vec<TenantPlan>,
        ended: Option<Timestamp>,
        heard: bool,
    }

    impl World {
        fn new() -> Self {
            let plans = vec![plan("standard", 60, 480), plan("premium", 15, 120)];
            Self { incident: incident(), plans, ended: None, heard: true }
        }

        fn look(&mut self, minute: i64) -> Option<Timestamp> {
            let plans: Vec<&TenantPlan> = self.plans.iter().collect();
            let taken = |hand: &Option<Hand>| hand.as_ref().map(|_| at(minute));
            let (status, next) = conclude(&Seen {
                incident: &self.incident,
                plans: &plans,
                acknowledged_at: taken(&self.incident.spec.acknowledged),
                resolved_at: taken(&self.incident.spec.resolved),
                ended: self.ended,
                heard: self.heard,
                now: at(minute),
            });
            self.incident.status = Some(status);
            next
        }

        fn missed(&self) -> Vec<(&str, Missed)> {
            let clocks = &self.incident.status.as_ref().unwrap().clocks;
            clocks.iter().map(|clock| (clock.plan.as_str(), clock.missed)).collect()
        }

        fn state(&self) -> IncidentState {
            self.incident.status.as_ref().unwrap().state.unwrap()
        }
    }

    fn hand(by: &str) -> Hand {
        Hand { by: by.into(), note: None }
    }

    #[test]
    fn clocks_run_by_plan_and_wake_when_they_run_out() {
        let mut world = World::new();
        assert_eq!(world.look(0), Some(at(15) + TICK));
        assert_eq!(
            (world.state(), world.missed()),
            (IncidentState::Open, vec![("premium", Missed::Nothing), ("standard", Missed::Nothing)])
        );
        assert_eq!(world.look(16), Some(at(60) + TICK));
        assert_eq!(world.missed(), [("premium", Missed::Response), ("standard", Missed::Nothing)]);
        world.incident.spec.acknowledged = Some(hand("ann"));
        assert_eq!(world.look(20), Some(at(120) + TICK));
        assert_eq!(world.state(), IncidentState::Acknowledged);
        world.ended = Some(at(130));
        assert_eq!(world.look(132), None);
        assert_eq!(world.state(), IncidentState::Resolved);
        assert_eq!(world.missed(), [("premium", Missed::Both), ("standard", Missed::Nothing)]);
        let status = world.incident.status.as_ref().unwrap();
        let promise = status.conditions.iter().find(|c| c.type_ == PROMISES_KEPT).unwrap();
        assert_eq!(promise.reason, "PromiseMissed");
        assert!(promise.message.starts_with("premium: nobody took it by "), "{}", promise.message);
        assert_eq!(status.resolved_at, Some(Time(at(130))));
    }

    #[test]
    fn what_was_promised_when_it_began_counts() {
        let mut world = World::new();
        world.look(0);
        world.plans = vec![plan("premium", 100_000, 100_000), plan("new", 1, 1)];
        world.look(16);
        assert_eq!(world.missed(), [("premium", Missed::Response), ("standard", Missed::Nothing)]);
    }

    #[test]
    fn while_nothing_is_heard_no_recovery_is_missed_and_a_response_is() {
        let mut world = World::new();
        world.look(0);
        world.heard = false;
        world.look(500);
        assert_eq!(world.missed(), [("premium", Missed::Response), ("standard", Missed::Response)]);
        world.heard = true;
        world.look(501);
        assert_eq!(world.missed(), [("premium", Missed::Both), ("standard", Missed::Both)]);
    }

    #[test]
    fn taken_at_the_last_moment_is_in_time_and_an_alert_that_ends_by_itself_needs_no_answer() {
        let mut world = World::new();
        world.look(0);
        world.incident.spec.acknowledged = Some(hand("ann"));
        world.look(15);
        assert_eq!(world.missed()[0], ("premium", Missed::Nothing));
        let mut world = World::new();
        world.ended = Some(at(3));
        world.look(40);
        assert_eq!(world.missed()[0], ("premium", Missed::Nothing));
        // What is over stays over, and when stays on record.
        world.ended = None;
        world.incident.spec.resolved = Some(hand("bob"));
        world.look(50);
        assert_eq!(world.incident.status.as_ref().unwrap().resolved_at, Some(Time(at(3))));
    }
}
