//! The operator binary against real API servers, with exactly the rights its
//! table of permissions grants. Most tests share one server and one operator;
//! those that turn something off have their own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests read files and clocks")]

mod admission;
mod alone;
mod cores;
mod deletion;
mod drift;
mod health;
mod incidents;
mod leadership;
mod lifecycle;
mod objectives;
mod permissions;
mod stage;
mod start;
mod walkthrough;
mod world;

use std::process::ExitCode;

use futures::FutureExt;
use testkit::Body;

use stage::Stage;

macro_rules! tests {
    ($($module:ident :: $name:ident),* $(,)?) => {
        [$((concat!(stringify!($module), "::", stringify!($name)), (|stage| $module::$name(stage).boxed()) as Body<Stage>)),*]
    };
}

fn main() -> ExitCode {
    testkit::main_and(
        ("granted permissions are those used", permissions::check),
        || Stage::shared().boxed(),
        &tests![
            admission::a_tenant_s_namespace_keeps_its_marks,
            admission::nobody_takes_the_prefix_or_poses_as_a_tenant,
            admission::what_bounds_a_tenant_is_the_operator_s,
            admission::services_of_a_tenant_lead_nowhere_else,
            admission::our_kinds_live_where_they_are_for,
            admission::erasing_needs_its_verb,
            admission::a_stolen_token_of_the_operator_stays_in_tenants_namespaces,
            admission::crds_go_forward_only,
            admission::with_the_operator_down_unrelated_writes_succeed,
            alone::a_missing_permission_is_named_and_heals_by_itself,
            alone::an_unreadable_object_blocks_nobody_else,
            alone::killed_again_and_again_it_still_converges,
            alone::in_steady_state_the_operator_calls_for_its_lease_alone,
            alone::a_watch_that_was_refused_at_start_heals,
            cores::a_core_is_rolled_out_taken_back_and_repaired,
            health::kubectl_wait_agrees_with_the_recorded_verdicts,
            health::flux_sees_a_broken_tenant_and_a_pruned_one_is_retained,
            leadership::one_of_two_leads_and_the_other_takes_over,
            start::readiness_names_a_missing_crd,
            start::bad_settings_are_refused_in_one_sentence,
            start::traces_reach_the_collector_that_is_named,
            objectives::a_burnt_budget_is_counted_staged_and_alerted_and_survives_the_metrics_source,
            objectives::what_cannot_be_measured_says_why,
            walkthrough::the_commands_in_contributing_do_what_they_say,
            world::regions_are_proven_by_nodes_and_configuration,
            lifecycle::a_tenant_becomes_ready_with_all_its_parts,
            lifecycle::people_get_access_and_lose_it_in_seconds,
            lifecycle::a_plan_that_comes_later_or_changes_is_followed,
            lifecycle::a_suspended_tenant_runs_no_pod_and_keeps_its_objects,
            lifecycle::use_of_the_quota_is_shown_to_the_tenant,
            lifecycle::a_namespace_of_somebody_else_is_never_touched,
            drift::every_owned_field_and_object_comes_back,
            drift::what_was_swapped_while_nobody_looked_is_replaced,
            drift::marks_of_ownership_repair_each_other,
            drift::what_the_customer_added_is_left_alone,
            deletion::a_retained_tenant_is_taken_up_again,
            deletion::an_erased_tenant_leaves_nothing,
            deletion::an_erasure_names_what_holds_it_up,
            deletion::a_restored_tenant_takes_up_its_namespace_by_the_printed_command,
            deletion::a_retained_region_cannot_change,
        ],
    )
}
