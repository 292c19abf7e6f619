//! How people, files and firmware spell machines, brought to one form.

use crate::micro::Micro;

/// Characters of a name that are looked at.
const LENGTH_MAX: usize = 160;

/// Words that are other words, in the order they are replaced.
const SAME: [(&str, &str); 23] = [
    ("比特大陆", " bitmain "),
    ("蚂蚁矿机", " antminer "),
    ("蚂蚁", " antminer "),
    ("神马矿机", " whatsminer "),
    ("神马", " whatsminer "),
    ("比特微", " microbt "),
    ("嘉楠科技", " canaan "),
    ("嘉楠耘智", " canaan "),
    ("嘉楠", " canaan "),
    ("阿瓦隆", " avalon "),
    ("比特小鹿", " bitdeer "),
    ("水冷", " hyd "),
    ("液冷", " hyd "),
    ("浸没式", " immersion "),
    ("浸没", " immersion "),
    ("油冷", " immersion "),
    ("风冷", " air "),
    ("矿机", " "),
    ("专业版", " pro "),
    ("hydro", " hyd "),
    ("immersion", " imm "),
    ("plus", "+"),
    ("＋", "+"),
];

/// Brands, with the vendor each belongs to.
const BRANDS: [(&str, &str); 14] = [
    ("bitmain", "Bitmain"),
    ("antminer", "Bitmain"),
    ("microbt", "MicroBT"),
    ("whatsminer", "MicroBT"),
    ("canaan", "Canaan"),
    ("avalonminer", "Canaan"),
    ("avalon", "Canaan"),
    ("bitdeer", "Bitdeer"),
    ("sealminer", "Bitdeer"),
    ("auradine", "Auradine"),
    ("teraflux", "Auradine"),
    ("bitaxe", "Bitaxe"),
    ("braiins", "Braiins"),
    ("proto", "Proto"),
];

/// What a text says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The vendor whose brand is named.
    pub(super) vendor: Option<&'static str>,
    /// What is left of the name, in pieces.
    pub(super) pieces: Vec<String>,
    /// Hashrate, where a number of TH is named.
    pub(super) terahash: Option<Micro>,
    /// Efficiency, where a number of J is named.
    pub(super) joules: Option<Micro>,
    /// Whether there are words in letters that mean nothing here.
    pub(super) unread: bool,
}

/// Lower case, narrow, one word for one thing.
pub(super) fn plain(text: &str) -> String {
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        _ => c,
    };
    let mut text: String = text.chars().take(LENGTH_MAX).map(narrow).flat_map(char::to_lowercase).collect();
    for (word, same) in SAME {
        if text.contains(word) {
            text = text.replace(word, same);
        }
    }
    text
}

/// Takes a plain text apart.
pub(super) fn said(plain: &str) -> Said {
    let mut said = Said::default();
    let mut text = plain.to_owned();
    for (brand, vendor) in BRANDS {
        if text.contains(brand) {
            text = text.replace(brand, " ");
            said.vendor.get_or_insert(vendor);
        }
    }
    said.unread = text.chars().any(|c| c.is_alphabetic() && !c.is_ascii());
    let pieces: Vec<&str> = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '+' && c != '.')
        .filter(|piece| !piece.is_empty())
        .collect();
    let mut pieces = pieces.into_iter().peekable();
    while let Some(piece) = pieces.next() {
        let digits = piece.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(piece.len());
        let (number, mut unit) = piece.split_at(digits);
        let value = Micro::parse(number).ok();
        if value.is_some()
            && unit.is_empty()
            && pieces.peek().is_some_and(|next| ["t", "th", "ths", "j"].contains(next))
        {
            unit = pieces.next().unwrap_or_default();
        }
        match (unit, value) {
            ("t" | "th" | "ths", Some(value)) => {
                said.terahash.get_or_insert(value);
                pieces.next_if(|next| *next == "s" && unit == "th");
            }
            ("j", Some(value)) => {
                said.joules.get_or_insert(value);
                pieces.next_if(|next| *next == "th");
            }
            // Power is asked for in a column of its own.
            ("w", Some(_)) => {}
            _ if is_revision(piece) => {}
            _ => said.pieces.push(piece.trim_matches('.').to_owned()),
        }
    }
    said
}

/// A WhatsMiner's hardware revision, such as `vk40`.
fn is_revision(piece: &str) -> bool {
    let mut rest = piece.bytes();
    rest.next() == Some(b'v')
        && rest.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && rest.len() > 0
        && rest.all(|byte| byte.is_ascii_digit())
}

/// A catalogue's model, squeezed: `Antminer S19 XP Hyd` is `s19xphyd`.
pub(super) fn key(model: &str) -> String {
    said(&plain(model)).pieces.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_apart() {
        let of = |text: &str| said(&plain(text));
        let wanted = |vendor, pieces: &[&str], terahash: Option<i64>| Said {
            vendor,
            pieces: pieces.iter().map(ToString::to_string).collect(),
            terahash: terahash.map(Micro::whole),
            joules: None,
            unread: false,
        };
        assert_eq!(of("Antminer S19 Pro (110T)"), wanted(Some("Bitmain"), &["s19", "pro"], Some(110)));
        assert_eq!(of("WHATSMINER-M60S++_VL30 226 TH/s"), wanted(Some("MicroBT"), &["m60s++"], Some(226)));
        assert_eq!(of("神马M30S＋ 100Ｔ"), wanted(Some("MicroBT"), &["m30s+"], Some(100)));
        assert_eq!(of("S21 3500W 200 th"), wanted(None, &["s21"], Some(200)));
        let joules = of("M30S 88T 36J/TH");
        assert_eq!((joules.joules, joules.pieces), (Some(Micro::whole(36)), vec!["m30s".to_owned()]));
        assert_eq!(key("Antminer S19 XP Hyd 3U"), "s19xphyd3u");
        assert_eq!(key("SealMiner A3 Pro Hydro"), "a3prohyd");
        assert!(!is_revision("v1") && !is_revision("vk") && is_revision("vh75"));
    }
}
