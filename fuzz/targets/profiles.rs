//! Files of profiles.
#![no_main]

use hashinsight_mining::curtailment::Profiles;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(profiles) = Profiles::read(bytes) {
        assert_eq!(profiles.check(), Ok(()));
    }
});
