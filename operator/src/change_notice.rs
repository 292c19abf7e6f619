//! The controller of ChangeNotices: says where a notice stands in time. What
//! it means for objectives and releases is read by their controllers.

use hashinsight_crds::change_notice::{ChangeNoticeSpec, NoticeKind, NoticeState};
use hashinsight_crds::conditions::{ConditionStatus, READY, Stated, settle};
use hashinsight_crds::objective::Cause;
use hashinsight_crds::{ChangeNotice, ChangeNoticeStatus, Reason, Time};
use hashinsight_slo::ledger::Claim;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::core::error_boundary::InvalidObject;

use crate::ctx::Ctx;
use crate::driver::{Outcome, Wake, Workflow};
use crate::error::Error;
use crate::kinds::NOTICES;
use crate::publish::Publisher;

const PUBLISHER: Publisher =
    Publisher { kind: &NOTICES, manager: "hashinsight-notice-status", controller: NoticeWorkflow::NAME };

/// The controller.
pub struct NoticeWorkflow;

/// Where a notice stands at `now`, and when that changes.
pub fn state(spec: &ChangeNoticeSpec, now: Timestamp) -> (NoticeState, Option<Timestamp>) {
    if now < spec.from.0 {
        (NoticeState::Upcoming, Some(spec.from.0))
    } else if now < spec.to.0 {
        (NoticeState::InForce, Some(spec.to.0))
    } else {
        (NoticeState::Over, None)
    }
}

/// Whether a notice touches `service`.
pub fn affects(spec: &ChangeNoticeSpec, service: &str) -> bool {
    spec.affects.is_empty() || spec.affects.iter().any(|affected| affected.service == service)
}

/// The time a notice excludes from objectives: what was announced, and never
/// what was already past when it was.
pub fn excluded(notice: &ChangeNotice) -> Option<(Timestamp, Timestamp)> {
    let spec = &notice.spec;
    if spec.kind != NoticeKind::Maintenance || spec.exclude_from_objectives != Some(true) {
        return None;
    }
    let given = notice.creation_timestamp()?.0;
    let from = spec.from.0.max(given);
    (from < spec.to.0).then_some((from, spec.to.0))
}

/// What a notice claims of a budget's ledger.
pub fn claim(notice: &ChangeNotice) -> Option<Claim> {
    let cause = match notice.spec.kind {
        NoticeKind::Maintenance => Cause::Maintenance,
        NoticeKind::Release => Cause::Release,
        NoticeKind::Drill => Cause::Drill,
        NoticeKind::Freeze => return None,
    };
    Some(Claim { from: notice.spec.from.0, to: notice.spec.to.0, cause, name: notice.name_any() })
}

impl Workflow for NoticeWorkflow {
    type Object = ChangeNotice;
    const NAME: &'static str = "changenotice";

    async fn reconcile(&self, notice: &ChangeNotice, ctx: &Ctx) -> Result<Outcome, Error> {
        let now = ctx.clock.now();
        let (state, next) = state(&notice.spec, now);
        let ready = Stated {
            type_: READY,
            status: ConditionStatus::True,
            reason: Reason::Accepted,
            message: "the notice is in the calendar".to_owned(),
        };
        let before = notice.status.clone().unwrap_or_default();
        let generation = notice.metadata.generation.unwrap_or_default();
        let status = ChangeNoticeStatus {
            observed_generation: generation,
            state: Some(state),
            excludes_from: excluded(notice).map(|(from, _)| Time(from)),
            conditions: settle(vec![ready], &before.conditions, generation, now),
        };
        let writes = if status == before { 0 } else { PUBLISHER.publish(&notice.metadata, &status, ctx).await? };
        Ok(Outcome { wake: next.map_or(Wake::OnChange, Wake::At), trouble: None, writes })
    }

    async fn reconcile_unreadable(&self, invalid: &InvalidObject, ctx: &Ctx) -> Result<Outcome, Error> {
        let status = |observed_generation, conditions| ChangeNoticeStatus {
            observed_generation,
            conditions,
            ..Default::default()
        };
        PUBLISHER.unreadable(invalid, ctx, status).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(yaml: &str) -> ChangeNotice {
        serde_saphyr::from_str(&format!(
            "{{apiVersion: hashinsight.net/v1alpha1, kind: ChangeNotice, \
             metadata: {{name: n, creationTimestamp: '2026-11-23T11:00:00Z'}}, spec: {yaml}}}"
        ))
        .unwrap()
    }

    #[test]
    fn nothing_is_excluded_that_was_past_when_it_was_announced() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let late = "{title: t, kind: Maintenance, from: '2026-11-23T10:00:00Z', to: '2026-11-23T12:00:00Z', \
                    excludeFromObjectives: true}";
        assert_eq!(excluded(&notice(late)), Some((at("2026-11-23T11:00:00Z"), at("2026-11-23T12:00:00Z"))));
        assert_eq!(excluded(&notice(&late.replace("12:00", "10:30"))), None);
        assert_eq!(excluded(&notice(&late.replace("Maintenance", "Release"))), None);
        assert_eq!(claim(&notice(&late.replace("Maintenance", "Freeze"))), None);
        let spec = &notice(late).spec;
        assert_eq!(state(spec, at("2026-11-23T09:00:00Z")), (NoticeState::Upcoming, Some(at("2026-11-23T10:00:00Z"))));
        assert_eq!(state(spec, at("2026-11-23T10:00:00Z")), (NoticeState::InForce, Some(at("2026-11-23T12:00:00Z"))));
        assert_eq!(state(spec, at("2026-11-23T12:00:00Z")), (NoticeState::Over, None));
        assert!(affects(spec, "anything"));
    }
}
