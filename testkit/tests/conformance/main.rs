//! The fake API server answers as the real one does: the same requests go to
//! both, and codes, reasons, objects, ownership of fields and watches must be
//! equal. A difference is a bug in the fake.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests read files and clocks")]

mod pair;
mod random;
mod scenarios;

use std::process::ExitCode;
use std::sync::Arc;

use futures::FutureExt;
use testkit::{Body, Ground};

macro_rules! tests {
    ($($module:ident :: $name:ident),* $(,)?) => {
        [$((concat!(stringify!($module), "::", stringify!($name)), (|ground: Arc<Ground>| $module::$name(ground).boxed()) as Body<Ground>)),*]
    };
}

fn main() -> ExitCode {
    testkit::main(
        || Ground::with_kinds().boxed(),
        &tests![
            scenarios::creation_and_its_refusals,
            scenarios::updates_compare_and_swap,
            scenarios::merge_patches,
            scenarios::apply_owns_what_it_states,
            scenarios::apply_of_lists_that_are_maps,
            scenarios::status_is_a_world_of_its_own,
            scenarios::generations_count_what_matters,
            scenarios::finalizers_hold,
            scenarios::deletion_and_its_preconditions,
            scenarios::schemas_and_rules,
            scenarios::built_in_kinds_in_normal_form,
            scenarios::pages_and_selectors,
            scenarios::namespaces_end,
            scenarios::owners_take_their_own_along,
            scenarios::watches_tell_what_happened,
            random::requests_in_random_order,
        ],
    )
}
