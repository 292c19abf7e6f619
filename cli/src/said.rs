//! Small ways of saying things.

use hashinsight_crds::text::Language;
use jiff::Timestamp;

/// What is composed while the program runs, in both languages.
pub struct Words {
    pub en: String,
    pub zh: String,
}

impl Words {
    pub fn to(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Chinese => &self.zh,
        }
    }
}

pub fn words(en: impl Into<String>, zh: impl Into<String>) -> Words {
    Words { en: en.into(), zh: zh.into() }
}

/// What reads the same in both: names and numbers.
pub fn same(text: impl Into<String>) -> Words {
    let text = text.into();
    Words { en: text.clone(), zh: text }
}

/// `, did you mean X?` when something known is near.
pub fn did_you_mean<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = known
        .map(|name| (strsim::jaro_winkler(&typed.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    near.map_or_else(String::new, |(_, name)| format!(", did you mean {name}?"))
}

/// How long ago, as kubectl says it: `45s`, `12m`, `3h`, `8d`.
pub fn ago(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(since.as_second()).max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_guessed_and_what_is_far_is_not() {
        let known = ["NamespaceTaken", "PlanMissing"];
        assert_eq!(did_you_mean("namespacetakn", known.into_iter()), ", did you mean NamespaceTaken?");
        assert_eq!(did_you_mean("zebra", known.into_iter()), "");
    }

    #[test]
    fn ages_are_short() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let ages = [0, 119, 120, 7199, 7200, 172_799, 172_800].map(|second| ago(at(0), at(second)));
        assert_eq!(ages, ["0s", "119s", "2m", "119m", "2h", "47h", "2d"]);
        assert_eq!(ago(at(5), at(0)), "0s", "a clock that is behind");
    }
}
