//! Firmware, by the words it goes by.

use serde::{Deserialize, Serialize};

/// A firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Firmware {
    /// The vendor's own.
    Stock,
    /// Braiins OS.
    BraiinsOs,
    /// LuxOS.
    LuxOs,
    /// VNish.
    Vnish,
    /// ePIC.
    Epic,
    /// MARA firmware.
    Mara,
    /// Hive OS firmware.
    Hiveon,
}

/// Words, longest first where one begins another.
const WORDS: [(&str, Firmware); 22] = [
    ("braiins os+", Firmware::BraiinsOs),
    ("braiins os", Firmware::BraiinsOs),
    ("braiinsos+", Firmware::BraiinsOs),
    ("braiinsos", Firmware::BraiinsOs),
    ("bosminer", Firmware::BraiinsOs),
    ("bos+", Firmware::BraiinsOs),
    ("bos", Firmware::BraiinsOs),
    ("luxminer", Firmware::LuxOs),
    ("luxos", Firmware::LuxOs),
    ("vnish", Firmware::Vnish),
    ("anthillos", Firmware::Vnish),
    ("anthill", Firmware::Vnish),
    ("epic", Firmware::Epic),
    ("marafw", Firmware::Mara),
    ("kaonsu", Firmware::Mara),
    ("hiveon", Firmware::Hiveon),
    ("stock", Firmware::Stock),
    ("bmminer", Firmware::Stock),
    ("btminer", Firmware::Stock),
    ("cgminer", Firmware::Stock),
    ("gcminer", Firmware::Stock),
    ("原厂", Firmware::Stock),
];

impl Firmware {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::BraiinsOs => "Braiins OS",
            Self::LuxOs => "LuxOS",
            Self::Vnish => "VNish",
            Self::Epic => "ePIC",
            Self::Mara => "MARA",
            Self::Hiveon => "Hiveon",
        }
    }

    /// The first firmware named in `text` (lower case), and the text without
    /// it and what stands for its version.
    pub(super) fn find(text: &str) -> (Option<Self>, String) {
        let whole = |at: usize, word: &str| {
            let before = text[..at].chars().next_back();
            let after = text[at + word.len()..].chars().next();
            [before, after].into_iter().flatten().all(|c| !c.is_ascii_alphanumeric() && c != '+') || !word.is_ascii()
        };
        let places = WORDS.iter().filter_map(|(word, firmware)| {
            text.match_indices(word).map(|(at, _)| at).find(|at| whole(*at, word)).map(|at| (at, *word, *firmware))
        });
        let Some((at, word, firmware)) = places.min_by_key(|(at, word, _)| (*at, usize::MAX - word.len())) else {
            return (None, text.to_owned());
        };
        let after = text[at + word.len()..].trim_start();
        let version = after.split([' ', ',', ')', '_']).next().filter(|token| {
            token.contains('.') && token.bytes().all(|byte| byte.is_ascii_digit() || b".-v".contains(&byte))
        });
        let after = version.map_or(after, |version| &after[version.len()..]);
        (Some(firmware), format!("{} {after}", &text[..at]))
    }

    /// The firmware that `text` names.
    pub fn of(text: &str) -> Option<Self> {
        Self::find(&text.to_lowercase()).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firmware_is_known_by_its_words_and_only_by_whole_ones() {
        for (text, firmware, rest) in [
            ("s19 braiins os+ 23.04", Some(Firmware::BraiinsOs), "s19"),
            ("bosminer 0.9", Some(Firmware::BraiinsOs), ""),
            ("s19 pro (luxos 2024.1.1) 110t", Some(Firmware::LuxOs), "s19 pro ( ) 110t"),
            ("s19 vnish v1.2.6 110t", Some(Firmware::Vnish), "s19   110t"),
            ("原厂 m30s", Some(Firmware::Stock), "m30s"),
            ("bosch s19", None, "bosch s19"),
            ("stock s9 epic", Some(Firmware::Stock), "s9 epic"),
        ] {
            let (found, left) = Firmware::find(text);
            assert_eq!((found, left.trim()), (firmware, rest), "{text}");
        }
        let names = [Firmware::Stock, Firmware::BraiinsOs, Firmware::LuxOs, Firmware::Vnish, Firmware::Epic];
        let names = names.into_iter().chain([Firmware::Mara, Firmware::Hiveon]);
        assert_eq!(names.filter_map(|known| Firmware::of(known.name())).count(), 6, "MARA is too short a word");
    }
}
