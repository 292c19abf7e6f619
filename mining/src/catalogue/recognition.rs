//! Which machine a text means, how sure that is, and why. What is not known
//! stays unknown: a wrong power is worse than none.

use serde::Serialize;

use super::spelling::{self, Said};
use super::{Catalogue, Firmware, Row};
use crate::Sentence;
use crate::micro::Micro;

/// What is known of a machine before the catalogue is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sighting<'a> {
    /// Name, firmware string or type code.
    pub text: &'a str,
    /// Hashrate, where it is stated, TH/s.
    pub terahash: Option<Micro>,
    /// Power, where it is stated, W.
    pub watts: Option<Micro>,
}

/// How sure a recognition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// The model is known; hashrate or power is not in the catalogue and was
    /// derived.
    Low,
    /// The model is known; bin or power was chosen among near ones.
    Medium,
    /// Model and bin are those of the catalogue.
    High,
}

impl Confidence {
    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What a text says: a firmware, and the rows of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<'c> {
    /// The firmware that was named.
    pub firmware: Option<Firmware>,
    rows: Vec<&'c Row>,
    terahash: Option<Micro>,
    unread: bool,
}

/// A machine that was recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recognition<'c> {
    /// The row it rests on.
    pub row: &'c Row,
    /// Hashrate to compute with, TH/s: the stated one, else the bin's.
    pub terahash: Micro,
    /// Power to compute with, W: the stated one, else the row's.
    pub watts: Micro,
    /// How sure.
    pub confidence: Confidence,
    how: How,
    sources_agree: bool,
    unread: bool,
    custom: Option<Firmware>,
}

/// Why a text is no machine, or not one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unrecognized {
    /// No model is spelled so.
    Unknown,
    /// The model is sold in several bins, and none was named.
    Bins(Vec<Micro>),
    /// Sources disagree on the power by more than a twentieth.
    Powers(Vec<Micro>),
}

impl Unrecognized {
    /// A stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "UnknownModel",
            Self::Bins(_) => "AmbiguousBin",
            Self::Powers(_) => "AmbiguousPower",
        }
    }

    /// What it means and what to do.
    pub fn sentence(&self, text: &str) -> Sentence {
        let text: String = text.chars().take(60).collect();
        let list = |values: &[Micro]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Unknown => Sentence {
                en: format!("\"{text}\" is no model of the catalogue: give hashrate and power"),
                zh: format!("目录中没有型号“{text}”：请填写算力和功耗"),
            },
            Self::Bins(bins) => Sentence {
                en: format!("\"{text}\" is sold with {} TH/s: give the hashrate", list(bins)),
                zh: format!("“{text}”有 {} TH/s 多种算力：请填写算力", list(bins)),
            },
            Self::Powers(powers) => Sentence {
                en: format!("sources give {} W for \"{text}\": give the power", list(powers)),
                zh: format!("各来源对“{text}”给出 {} W：请填写功耗", list(powers)),
            },
        }
    }
}

/// How the row was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Bin,
    OnlyBin,
    Power,
    Near,
    Efficiency,
}

impl Catalogue {
    /// The machine that is meant.
    pub fn recognize(&self, sighting: Sighting<'_>) -> Result<Recognition<'_>, Unrecognized> {
        let named = self.name(sighting.text).ok_or(Unrecognized::Unknown)?;
        named.settle(named.firmware, sighting.terahash, sighting.watts)
    }

    /// What the text says by itself; none when no model is spelled so.
    pub fn name(&self, text: &str) -> Option<Named<'_>> {
        let (firmware, text) = Firmware::find(&spelling::plain(text));
        let said = spelling::said(&text);
        let (mut rows, bin) = self.model(&said)?;
        if let Some(joules) = said.joules {
            rows.retain(|row| (row.joules_per_terahash.units() - joules.units()).abs() <= 500_000);
        }
        Some(Named { firmware, rows, terahash: said.terahash.or(bin), unread: said.unread })
    }

    /// Rows of the model, and the bin when its number closes the name.
    fn model(&self, said: &Said) -> Option<(Vec<&Row>, Option<Micro>)> {
        let rows = |pieces: &[String]| {
            let squeezed = pieces.concat();
            let mut spellings = vec![squeezed.clone()];
            // Avalons are named with and without their letter.
            if said.vendor == Some("Canaan") {
                spellings.extend([format!("a{squeezed}"), squeezed.trim_start_matches('a').to_owned()]);
            }
            // Air is what is meant where nobody says how a machine is cooled.
            spellings.push(squeezed.replace("air", ""));
            let of = |key: &String| -> Vec<&Row> {
                self.of_key(key).filter(|row| said.vendor.is_none_or(|vendor| row.vendor == vendor)).collect()
            };
            spellings.iter().map(of).find(|rows| !rows.is_empty())
        };
        if said.pieces.is_empty() {
            return None;
        }
        if let Some(rows) = rows(&said.pieces) {
            return Some((rows, None));
        }
        let (last, name) = said.pieces.split_last()?;
        let bin = Micro::parse(last).ok().filter(|_| !name.is_empty() && said.terahash.is_none())?;
        rows(name).map(|rows| (rows, Some(bin)))
    }
}

impl<'c> Named<'c> {
    /// The model's name.
    pub fn model(&self) -> Option<&'c str> {
        self.rows.first().map(|row| row.model.as_str())
    }

    /// The machine, with what is stated beside its name.
    pub fn settle(
        &self,
        firmware: Option<Firmware>,
        terahash: Option<Micro>,
        watts: Option<Micro>,
    ) -> Result<Recognition<'c>, Unrecognized> {
        let (row, terahash, derived, how) = choose(&self.rows, terahash.or(self.terahash), watts)?;
        let mut same_bin = self.rows.iter().filter(|other| other.terahash == row.terahash);
        let sources_agree = watts.is_some() || same_bin.all(|other| other.watts == row.watts);
        let custom = firmware.filter(|firmware| *firmware != Firmware::Stock && watts.is_none());
        let confidence = match how {
            How::Bin if sources_agree && custom.is_none() && !self.unread => Confidence::High,
            How::Efficiency => Confidence::Low,
            _ => Confidence::Medium,
        };
        Ok(Recognition {
            row,
            terahash,
            watts: watts.unwrap_or(derived),
            confidence,
            how,
            sources_agree,
            unread: self.unread,
            custom,
        })
    }
}

/// The row, the hashrate and the power that follow from what is stated.
fn choose<'c>(
    rows: &[&'c Row],
    stated: Option<Micro>,
    watts: Option<Micro>,
) -> Result<(&'c Row, Micro, Micro, How), Unrecognized> {
    let mut bins: Vec<Micro> = rows.iter().map(|row| row.terahash).collect();
    bins.sort_unstable();
    bins.dedup();
    let of_bin = |bin: Micro| -> Vec<&'c Row> { rows.iter().copied().filter(|row| row.terahash == bin).collect() };
    let within = |a: Micro, b: Micro, part: i64| (a.units() - b.units()).abs() <= b.units() / part;
    let (candidates, terahash, how) = match (stated, bins.as_slice()) {
        (_, []) => return Err(Unrecognized::Unknown),
        (Some(bin), _) if bins.contains(&bin) => (of_bin(bin), bin, How::Bin),
        (Some(bin), _) => {
            let near = bins.iter().copied().min_by_key(|known| (known.units() - bin.units()).abs());
            match near.filter(|near| within(bin, *near, 33)) {
                Some(near) => (of_bin(near), bin, How::Near),
                None => return by_efficiency(rows, bin, watts, &bins),
            }
        }
        (None, [only]) => (of_bin(*only), *only, How::OnlyBin),
        (None, _) => {
            let alike = |row: &&&Row| watts.is_some_and(|watts| within(watts, row.watts, 100));
            let alike: Vec<&Row> = rows.iter().filter(alike).copied().collect();
            let [row] = alike.as_slice() else { return Err(Unrecognized::Bins(bins)) };
            (vec![*row], row.terahash, How::Power)
        }
    };
    let highest = candidates.iter().copied().max_by_key(|row| row.watts).ok_or(Unrecognized::Unknown)?;
    let lowest = candidates.iter().map(|row| row.watts).min().unwrap_or_default();
    match watts {
        // The source that says nearly the same.
        Some(watts) => {
            let nearest = candidates.iter().copied().min_by_key(|row| (row.watts.units() - watts.units()).abs());
            Ok((nearest.unwrap_or(highest), terahash, watts, how))
        }
        None if within(highest.watts, lowest, 20) => Ok((highest, terahash, highest.watts, how)),
        None => {
            let mut powers: Vec<Micro> = candidates.iter().map(|row| row.watts).collect();
            powers.sort_unstable();
            Err(Unrecognized::Powers(powers))
        }
    }
}

/// A hashrate that no row has, when all rows are nearly as efficient.
fn by_efficiency<'c>(
    rows: &[&'c Row],
    terahash: Micro,
    watts: Option<Micro>,
    bins: &[Micro],
) -> Result<(&'c Row, Micro, Micro, How), Unrecognized> {
    let worst = rows.iter().copied().max_by_key(|row| row.joules_per_terahash).ok_or(Unrecognized::Unknown)?;
    let best = rows.iter().map(|row| row.joules_per_terahash.units()).min().unwrap_or_default();
    let derived = worst.joules_per_terahash.wide() * terahash.wide() / 1_000_000;
    let derived = Micro::of(i64::try_from(derived).unwrap_or(i64::MAX));
    if watts.is_none() && worst.joules_per_terahash.units() > best + best / 20 {
        return Err(Unrecognized::Bins(bins.to_vec()));
    }
    Ok((worst, terahash, watts.unwrap_or(derived), How::Efficiency))
}

impl Recognition<'_> {
    /// Why it is this one.
    pub fn reason(&self) -> Sentence {
        let (model, bin, joules) = (&self.row.model, self.row.terahash, self.row.joules_per_terahash);
        let (mut en, mut zh) = match self.how {
            How::Bin => (format!("{model} of {bin} TH/s"), format!("{model}，{bin} TH/s")),
            How::OnlyBin => (format!("{model}, known with {bin} TH/s only"), format!("{model}，目录中仅有 {bin} TH/s")),
            How::Power => (format!("{model} of {bin} TH/s, by its power"), format!("{model}，按功耗判断为 {bin} TH/s")),
            How::Near => (format!("{model}, nearest to {bin} TH/s"), format!("{model}，最接近 {bin} TH/s")),
            How::Efficiency => (
                format!("{model}; this hashrate is not in the catalogue, power by {joules} J/TH"),
                format!("{model}；目录中无此算力，按 {joules} J/TH 计算功耗"),
            ),
        };
        if !self.sources_agree {
            en.push_str("; sources differ by less than 5 %, the highest power was taken");
            zh.push_str("；各来源相差不到 5 %，取最高功耗");
        }
        if self.unread {
            en.push_str("; part of the name was not understood");
            zh.push_str("；名称中有未识别的文字");
        }
        if let Some(firmware) = self.custom {
            let name = firmware.name();
            en.extend(["; ", name, " may run it at another power"]);
            zh.extend(["；", name, " 可能使其以其他功耗运行"]);
        }
        Sentence { en, zh }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn see(text: &str) -> Result<Recognition<'static>, Unrecognized> {
        Catalogue::shipped().recognize(Sighting { text, ..Sighting::default() })
    }

    #[test]
    fn names_firmware_strings_and_chinese_are_recognized() {
        for (text, model, watts, confidence) in [
            ("Antminer S19 Pro 110T", "Antminer S19 Pro", 3250, Confidence::High),
            ("antminer_s19jpro_104th", "Antminer S19j Pro", 3068, Confidence::High),
            ("S19j Pro 104", "Antminer S19j Pro", 3068, Confidence::High),
            ("BITMAIN S21 XP Hydro (473 TH/s)", "Antminer S21 XP Hyd", 5676, Confidence::High),
            ("S21 plus 235T", "Antminer S21+", 3877, Confidence::High),
            ("比特大陆 蚂蚁矿机 Ｓ21 200T", "Antminer S21", 3500, Confidence::High),
            ("神马 M30S++ 110T", "WhatsMiner M30S++", 3410, Confidence::High),
            ("WhatsMiner M60S_VK40 186T", "WhatsMiner M60S", 3441, Confidence::High),
            ("M30S 88T 36J", "WhatsMiner M30S", 3168, Confidence::High),
            ("M31S 70T 54J/TH", "WhatsMiner M31S", 3780, Confidence::High),
            ("AvalonMiner 15-194", "Avalon A15", 3647, Confidence::High),
            ("阿瓦隆 1346-110", "Avalon A1346", 3300, Confidence::High),
            ("AvalonMiner A1246 90T", "AvalonMiner 1246", 3420, Confidence::High),
            ("S19 XP air 140T", "Antminer S19 XP", 3010, Confidence::High),
            ("SealMiner A2 Pro Air 255T", "SealMiner A2 Pro Air", 3790, Confidence::High),
            ("S19 95T", "Antminer S19", 3277, Confidence::Medium),
            ("Antminer S9i", "Antminer S9i", 1320, Confidence::Medium),
            ("S21 199T", "Antminer S21", 3500, Confidence::Medium),
            ("S21专业版 234T", "Antminer S21 Pro", 3510, Confidence::High),
            ("S21旗舰 200T", "Antminer S21", 3500, Confidence::Medium),
            ("S21 XP BraiinsOS+ 25.07 270T", "Antminer S21 XP", 3645, Confidence::Medium),
            ("S21 stock 200T", "Antminer S21", 3500, Confidence::High),
            ("M60S++ 240T", "WhatsMiner M60S++", 3936, Confidence::Low),
            ("Proto Rig", "Rig", 12000, Confidence::Medium),
        ] {
            let found = see(text).unwrap_or_else(|why| panic!("{text}: {why:?}"));
            assert_eq!(
                (found.row.model.as_str(), found.watts.units() / 1_000_000, found.confidence),
                (model, watts, confidence),
                "{text}"
            );
            let reason = found.reason();
            assert!(reason.en.starts_with(model) && reason.zh.starts_with(model));
        }
        let named = Catalogue::shipped().name("S19 XP luxos 140T").unwrap();
        assert_eq!((named.firmware, named.model()), (Some(Firmware::LuxOs), Some("Antminer S19 XP")));
        assert!(see("S19 luxos 95T").unwrap().reason().en.ends_with("taken; LuxOS may run it at another power"));
        let names = [Confidence::Low, Confidence::Medium, Confidence::High].map(Confidence::name);
        assert_eq!(names, ["low", "medium", "high"]);
    }

    #[test]
    fn what_is_not_known_stays_unknown_and_says_what_is_missing() {
        for (text, code) in [
            ("", "UnknownModel"),
            ("Antminer", "UnknownModel"),
            ("S19 Pro Hydro Max 110T", "UnknownModel"),
            ("WhatsMiner S19 95T", "UnknownModel"),
            ("S190 95T", "UnknownModel"),
            ("gaming PC", "UnknownModel"),
            ("21", "UnknownModel"),
            ("1246 x", "UnknownModel"),
            ("a", "UnknownModel"),
            ("S21 9J", "UnknownModel"),
            ("S19 Pro", "AmbiguousBin"),
            ("M31S", "AmbiguousBin"),
            ("Antminer S19 300T", "Low"),
            ("M31S 60T", "AmbiguousBin"),
            ("M31S 70T", "AmbiguousPower"),
        ] {
            let code_of = |result: Result<Recognition<'_>, Unrecognized>| match result {
                Ok(found) => format!("{:?}", found.confidence),
                Err(why) => {
                    let sentence = why.sentence(text);
                    assert!(sentence.en.contains(text) && sentence.zh.contains(text));
                    why.code().to_owned()
                }
            };
            assert_eq!(code_of(see(text)), code, "{text}");
        }
    }

    #[test]
    fn what_is_stated_beats_the_catalogue() {
        let stated = |terahash: Option<i64>, watts: Option<i64>| Sighting {
            text: "M31S",
            terahash: terahash.map(Micro::whole),
            watts: watts.map(Micro::whole),
        };
        let by_power = Catalogue::shipped().recognize(stated(None, Some(3500))).unwrap();
        assert!(by_power.reason().en.ends_with("by its power"));
        assert_eq!(
            (by_power.terahash, by_power.watts, by_power.confidence),
            (Micro::whole(76), Micro::whole(3500), Confidence::Medium)
        );
        let both = Catalogue::shipped().recognize(stated(Some(70), Some(3700))).unwrap();
        assert_eq!(
            (both.row.watts, both.watts, both.confidence),
            (Micro::whole(3780), Micro::whole(3700), Confidence::High)
        );
        let odd = Catalogue::shipped().recognize(stated(Some(60), Some(3000))).unwrap();
        assert_eq!((odd.watts, odd.confidence), (Micro::whole(3000), Confidence::Low));
    }

    proptest! {
        #[test]
        fn every_row_is_found_by_its_own_name(at in 0_usize..199, upper in any::<bool>(), squeezed in any::<bool>()) {
            let row = &Catalogue::shipped().rows()[at];
            let mut text = format!("{} {} {}T", row.vendor, row.model, row.terahash);
            if squeezed {
                text = text.replace(' ', "-");
            }
            let text = if upper { text.to_uppercase() } else { text };
            let found = Catalogue::shipped().recognize(Sighting { text: &text, terahash: None, watts: Some(row.watts) });
            prop_assert!(found.is_ok(), "{}: {:?}", text, found);
            let found = found.unwrap();
            prop_assert_eq!((&found.row.model, found.terahash, found.watts), (&row.model, row.terahash, row.watts));
        }

        #[test]
        fn no_text_makes_it_stumble(text in "\\PC{0,200}") {
            let _ = see(&text);
        }
    }
}
