//! Names of machines: never a stumble, and never a power out of nothing.
#![no_main]

use hashinsight_mining::catalogue::{Catalogue, Firmware, Sighting};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = Firmware::of(text);
    match Catalogue::shipped().recognize(Sighting { text, terahash: None, watts: None }) {
        Ok(found) => {
            assert!(!found.reason().en.is_empty());
        }
        Err(why) => assert!(why.sentence(text).en.len() < 2000),
    }
});
