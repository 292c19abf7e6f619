//! Numbers: what one reader understands the other understands as the same.
#![no_main]

use hashinsight_mining::exact::NotANumber;
use hashinsight_mining::{Exact, Field, Micro};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (exact, micro) = (Exact::parse(text), Micro::parse(text));
    match (&exact, &micro) {
        (Ok(exact), Ok(micro)) => {
            assert_eq!(*exact, micro.exact());
            assert_eq!(Micro::parse(&micro.to_string()), Ok(*micro));
        }
        (Ok(_), Err(why)) => assert!(matches!(why, NotANumber::Precise | NotANumber::Long)),
        // More digits than an exact number may have, all of them zeros.
        (Err(why), Ok(_)) => assert_eq!(*why, NotANumber::Long),
        (Err(_), Err(_)) => {}
    }
    if let Ok(exact) = exact {
        assert_eq!(Exact::read_canonical(&exact.canonical()), Ok(exact));
    }
    for field in Field::ALL {
        let _ = field.read(text);
        let _ = field.read_micro(text);
    }
    if let Ok(bits) = <[u8; 4]>::try_from(bytes) {
        let bits = u32::from_le_bytes(bits);
        let _ = hashinsight_mining::protocol::difficulty(bits);
        let _ = hashinsight_mining::protocol::retarget(bits, 0, i64::MAX);
    }
});
