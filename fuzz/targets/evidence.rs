//! Evidence of any kind: whatever is given is refused or read, and a release of
//! it alone is never allowed by the policy that is built in.

#![no_main]

use hashinsight_gates::checks::{Case, decide};
use hashinsight_gates::evidence;
use hashinsight_gates::policy::Policy;
use hashinsight_gates::report::{Form, render};
use hashinsight_gates::verdict::Decision;
use hashinsight_gates::words::Tongue;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for name in ["report", "notes.md", "bench/new/sample.json"] {
        let (mut read, mut unread) = (Vec::new(), Vec::new());
        match evidence::read(name, data) {
            Ok(evidence) => read.push(evidence),
            Err(refused) => {
                assert!(!refused.refusal.what.is_empty() && refused.refusal.next.iter().all(|next| !next.is_empty()));
                unread.push(refused);
            }
        }
        let Ok(policy) = Policy::built_in() else { return };
        let case = Case {
            at: jiff::Timestamp::UNIX_EPOCH,
            commit: Some("3f9c2d7a5e1b48860c9d4f27ab6e80315d2c7f94"),
            artifact: None,
            class: None,
            evidence: &read,
            unread: &unread,
            baseline: None,
        };
        let verdict = decide(&policy, &case);
        assert_eq!(verdict.decision, Decision::Error, "one file is never a whole release");
        for form in Form::ALL {
            assert!(!render(&verdict, form, Tongue::Zh).is_empty());
        }
    }
});
