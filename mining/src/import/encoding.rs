//! UTF-8 or GB18030, told apart by the bytes. In both, commas, semicolons,
//! tabs, quotes and line ends are never part of another character, so fields
//! can be found before they are decoded.

use std::borrow::Cow;

use encoding_rs::GB18030;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Nothing but ASCII so far: each field says for itself.
    Ascii,
    /// UTF-8.
    Utf8,
    /// GB18030, and with it GBK and GB2312.
    Gb18030,
}

impl Encoding {
    /// From the beginning of a file.
    pub(super) fn of(head: &[u8]) -> Self {
        if head.starts_with(BOM) {
            return Self::Utf8;
        }
        // The first line that is not ASCII tells; others may be the odd ones.
        let telling = head.split_inclusive(|byte| *byte == b'\n').find(|line| !line.is_ascii());
        match telling.map(std::str::from_utf8) {
            None => Self::Ascii,
            Some(Ok(_)) => Self::Utf8,
            // Cut within a character.
            Some(Err(error)) if error.error_len().is_none() => Self::Utf8,
            Some(Err(_)) => Self::Gb18030,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ascii => "ASCII",
            Self::Utf8 => "UTF-8",
            Self::Gb18030 => "GB18030",
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Utf8 => Self::Gb18030,
            Self::Ascii | Self::Gb18030 => Self::Utf8,
        }
    }

    /// The text of a field; none when it is written in another encoding.
    pub(super) fn text(self, field: &[u8]) -> Option<Cow<'_, str>> {
        if field.is_ascii() {
            return std::str::from_utf8(field).ok().map(Cow::Borrowed);
        }
        let utf8 = std::str::from_utf8(field).ok().map(Cow::Borrowed);
        let gb18030 = || GB18030.decode_without_bom_handling_and_without_replacement(field);
        match self {
            Self::Utf8 => utf8,
            Self::Ascii => utf8.or_else(gb18030),
            // Two Chinese characters of UTF-8 in a row are no accident.
            Self::Gb18030 => {
                let clearly_utf8 = utf8.is_some_and(|text| text.chars().filter(|c| c.len_utf8() > 2).count() > 1);
                if clearly_utf8 { None } else { gb18030() }
            }
        }
    }

    /// The text as well as it can be shown.
    pub(super) fn shown(self, field: &[u8]) -> String {
        let lossy = || match self {
            Self::Gb18030 => GB18030.decode_without_bom_handling(field).0.into_owned(),
            Self::Ascii | Self::Utf8 => String::from_utf8_lossy(field).into_owned(),
        };
        self.text(field).map_or_else(lossy, Cow::into_owned)
    }
}

/// The mark some programs begin a file of UTF-8 with.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told_by_their_bytes() {
        let gb = GB18030.encode("型号,算力").0.into_owned();
        assert_eq!(Encoding::of(b"model"), Encoding::Ascii);
        assert_eq!(Encoding::of("型号".as_bytes()), Encoding::Utf8);
        assert_eq!(Encoding::of(&"型号".as_bytes()[..5]), Encoding::Utf8, "cut within a character");
        assert_eq!(Encoding::of(b"\xef\xbb\xbfmodel"), Encoding::Utf8);
        assert_eq!(Encoding::of(&gb), Encoding::Gb18030);
        assert_eq!(Encoding::Gb18030.text(&gb).as_deref(), Some("型号,算力"));
        assert_eq!(Encoding::Ascii.text(&gb).as_deref(), Some("型号,算力"));
        assert_eq!(Encoding::Utf8.text(&gb), None);
        assert_eq!(Encoding::Gb18030.text("神马".as_bytes()), None);
        assert_eq!(Encoding::Gb18030.text(b"\xff\xff"), None);
        assert!(Encoding::Gb18030.shown(b"a\xff").starts_with('a') && Encoding::Utf8.shown(&gb).contains('\u{fffd}'));
        let all = [Encoding::Ascii, Encoding::Utf8, Encoding::Gb18030];
        assert_eq!(all.map(|encoding| encoding.other().name()), ["UTF-8", "GB18030", "UTF-8"]);
    }
}
