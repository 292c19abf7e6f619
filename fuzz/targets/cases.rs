//! Files of golden samples.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = hashinsight_mining::golden::verify(text);
});
