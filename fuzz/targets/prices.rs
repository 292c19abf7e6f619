//! Files of prices: what is read is a curve that passes its own check.
#![no_main]

use hashinsight_mining::curtailment::Curve;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(curve) = Curve::read(bytes, None) {
        assert_eq!(curve.check(), Ok(()));
        let _ = curve.missing();
    }
});
