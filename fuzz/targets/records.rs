//! Records: whatever is in them, an answer or a refusal.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = hashinsight_mining::record::replay(text, 1);
    let _ = hashinsight_mining::record::compare(text, text);
});
