//! Policies and envelopes: whatever is given is refused with a reason or can be
//! followed, and no policy allows a release of which there is no evidence.

#![no_main]

use hashinsight_gates::attestation::{Expected, verify};
use hashinsight_gates::checks::{Case, decide};
use hashinsight_gates::policy::Policy;
use hashinsight_gates::verdict::Decision;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let at = jiff::Timestamp::UNIX_EPOCH;
    let nobody =
        Expected { keys: &[], artifact: "", policy: None, commit: None, evidence: None, at };
    assert!(verify(text, &nobody).is_err(), "without a key nothing holds");
    let case =
        Case { at, commit: None, artifact: None, class: None, evidence: &[], unread: &[], baseline: None };
    match Policy::read(text) {
        Ok(policy) => assert_eq!(decide(&policy, &case).decision, Decision::Error),
        Err(unusable) => assert!(!unusable.what.is_empty()),
    }
});
