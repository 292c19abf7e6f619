//! JSON, strictly: one value, no key twice in an object, no number that cannot
//! be held exactly or as a float, no deeper than [`DEEPEST`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Refusal, bounded, number};

/// Objects and lists in one another.
pub const DEEPEST: usize = 64;
/// Floats beyond are nothing a tool measured.
const LARGEST_NUMBER: f64 = 1e18;
/// Keys up to which an object is searched from end to end.
const FEW_KEYS: usize = 16;

/// The keys of the outermost object, with the values that are short texts; what
/// a format is told by.
#[derive(Clone, Debug, Default)]
pub struct Outline(BTreeMap<String, Option<String>>);

impl Outline {
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_deref()
    }
}

/// Looks at all of `text`, keeps nothing but its outline.
pub fn outline(text: &str) -> Result<Outline, Refusal> {
    let mut outline = Outline::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    Strict { depth: 0, outline: Some(&mut outline) }
        .deserialize(&mut reader)
        .and_then(|_| reader.end())
        .map_err(|error| refusal(&error))?;
    Ok(outline)
}

/// Reads a value that [`outline`] has looked at.
pub fn typed<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|error| refusal(&error))
}

/// Reads a value strictly.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    outline(text).and_then(|_| typed(text))
}

/// Reads a value a line, each strictly.
pub fn each_line<'a, T: Deserialize<'a>>(
    text: &'a str,
    mut take: impl FnMut(u64, T) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    for (line, text) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let value = read(text).map_err(|refusal| Refusal { line: Some(line), ..refusal })?;
        take(line, value)?;
    }
    Ok(())
}

fn refusal(error: &serde_json::Error) -> Refusal {
    let told = error.to_string();
    let told = told.rsplit_once(" at line ").map_or(told.as_str(), |(what, _)| what);
    Refusal { line: Some(error.line() as u64).filter(|line| *line > 0), ..Refusal::new(format!("JSON: {told}")) }
}

/// Walks a value without keeping it.
struct Strict<'o> {
    depth: usize,
    outline: Option<&'o mut Outline>,
}

impl Strict<'_> {
    fn inner(&self) -> Strict<'static> {
        Strict { depth: self.depth + 1, outline: None }
    }
}

/// A text where the value is one.
type Kept<'de> = Option<Cow<'de, str>>;

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Kept<'de>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        if self.depth > DEEPEST {
            return Err(D::Error::custom(format_args!("deeper than {DEEPEST} objects and lists")));
        }
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Kept<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        if value.is_finite() && value.abs() <= LARGEST_NUMBER {
            Ok(None)
        } else {
            Err(E::custom("a number out of all range"))
        }
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element_seed(self.inner())?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut seen = Seen::default();
        while let Some(key) = map.next_key::<Key<'de>>()? {
            if !seen.insert(number(&[&key.0])) {
                return Err(A::Error::custom(format_args!("the key {:?} twice in one object", bounded(&key.0))));
            }
            let value = map.next_value_seed(self.inner())?;
            if let Some(outline) = &mut self.outline {
                let short = value.filter(|text| text.len() < 200).map(Cow::into_owned);
                outline.0.insert(key.0.into_owned(), short);
            }
        }
        Ok(None)
    }
}

/// Keys of one object: few are searched, many are looked up.
#[derive(Default)]
struct Seen {
    few: Vec<u64>,
    many: BTreeSet<u64>,
}

impl Seen {
    fn insert(&mut self, key: u64) -> bool {
        if self.few.len() < FEW_KEYS {
            let fresh = !self.few.contains(&key);
            self.few.push(key);
            return fresh;
        }
        !self.few.contains(&key) && self.many.insert(key)
    }
}

/// A key, borrowed where it can be.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        from.deserialize_str(Text).map(Key)
    }
}

/// A list whose elements do not matter, only how many there are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Length(pub u64);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Counting;
        impl<'de> Visitor<'de> for Counting {
            type Value = Length;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut count = 0;
                while list.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Length(count))
            }
        }
        from.deserialize_seq(Counting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ambiguous_or_endless_is_refused() {
        let deep = "[".repeat(100) + &"]".repeat(100);
        for (text, why) in [
            (r#"{"a":1,"b":{"c":1,"c":1}}"#, "twice"),
            (r#"{"a":1} {"a":2}"#, "trailing"),
            (r#"{"a":1"#, "EOF"),
            (r#"{"a":1e400}"#, "range"),
            (r#"{"a":99999999999999999999999999}"#, "range"),
            (r#"{"a":NaN}"#, "expected"),
            (&deep, "deep"),
        ] {
            let refusal = outline(text).unwrap_err();
            assert!(refusal.what.contains(why), "{text}: {refusal}");
        }
        let many: Vec<String> = (0..40).map(|n| format!("\"k{n}\":1")).chain(["\"k3\":2".to_owned()]).collect();
        assert!(outline(&format!("{{{}}}", many.join(","))).is_err());
    }

    #[test]
    fn the_outline_has_keys_and_short_texts() {
        let outline = outline(r#"{"bomFormat":"CycloneDX","components":[{"a":"b"}]}"#).unwrap();
        assert_eq!((outline.text("bomFormat"), outline.has("components")), (Some("CycloneDX"), true));
        assert_eq!(outline.text("components"), None);
    }
}
