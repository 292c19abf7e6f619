//! XML, strictly: UTF-8, one root, every element closed, no entities of
//! one's own, no deeper than [`DEEPEST`].

use quick_xml::Reader;
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesDecl, BytesStart, Event};

use super::{Refusal, lines};

/// Elements in one another.
const DEEPEST: usize = 64;
/// Bytes of one attribute that is read.
const LONGEST: usize = 64 << 10;

/// An element as it opens.
pub struct Element<'a> {
    start: BytesStart<'a>,
    /// Line on which it ends.
    pub line: u64,
}

/// What a document is made of; text is left out.
pub enum Part<'a> {
    Open(Element<'a>),
    Close(String),
}

impl Element<'_> {
    pub fn name(&self) -> String {
        self.start.name().as_ref().to_owned()
    }

    /// The value of an attribute, with its entities resolved.
    pub fn attribute(&self, key: &str) -> Result<Option<String>, Refusal> {
        let found = self.start.try_get_attribute(key).map_err(|error| self.refused(&error))?;
        let Some(found) = found else { return Ok(None) };
        if found.value.len() > LONGEST {
            return Err(self.refused(&format_args!("the attribute {key} is longer than {LONGEST} bytes")));
        }
        let value = found.normalized_value(quick_xml::XmlVersion::Implicit1_0);
        value.map(|value| Some(value.into_owned())).map_err(|error| self.refused(&error))
    }

    pub fn required(&self, key: &str) -> Result<String, Refusal> {
        self.attribute(key)?.ok_or_else(|| self.refused(&format_args!("<{}> without the attribute {key}", self.name())))
    }

    /// An attribute that is a whole number.
    pub fn count(&self, key: &str) -> Result<Option<u64>, Refusal> {
        let read = |text: String| {
            text.trim()
                .parse()
                .map_err(|_| self.refused(&format_args!("{key}={text:?} of <{}> is no whole number", self.name())))
        };
        self.attribute(key)?.map(read).transpose()
    }

    fn refused(&self, what: &dyn std::fmt::Display) -> Refusal {
        Refusal::at(self.line, format!("XML: {what}"))
    }
}

/// Name of the root element.
pub fn root(text: &str) -> Result<String, Refusal> {
    let mut found = None;
    let walked = walk(text, &mut |part| {
        if let Part::Open(element) = part {
            found = Some(element.name());
        }
        Err(Refusal::new(""))
    });
    match (found, walked) {
        (Some(name), _) => Ok(name),
        (None, Err(refusal)) => Err(refusal),
        (None, Ok(())) => Err(Refusal::new("XML: no element")),
    }
}

/// Tells every element of a whole document.
pub fn walk(text: &str, tell: &mut dyn FnMut(Part<'_>) -> Result<(), Refusal>) -> Result<(), Refusal> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_comments = true;
    config.enable_all_checks(true);
    let (mut depth, mut roots, mut counted) = (0_usize, 0, Lines::default());
    loop {
        let event = reader.read_event();
        let line = counted.to(text, usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX));
        let refused = |what: &dyn std::fmt::Display| Refusal::at(line, format!("XML: {what}"));
        match event.map_err(|error| refused(&error))? {
            Event::Decl(declared) => encoding(&declared).map_err(|what| refused(&what))?,
            // Naming a document type is harmless; entities of one's own are not.
            Event::DocType(named) if named.contains(['[', '<']) => {
                return Err(refused(&"a document type with declarations is not read"));
            }
            Event::Start(start) => {
                (depth, roots) = opened(depth, roots).map_err(|what| refused(&what))?;
                unique(start.attributes()).map_err(|what| refused(&what))?;
                tell(Part::Open(Element { start, line }))?;
            }
            Event::Empty(start) => {
                let name = start.name().as_ref().to_owned();
                (_, roots) = opened(depth, roots).map_err(|what| refused(&what))?;
                unique(start.attributes()).map_err(|what| refused(&what))?;
                tell(Part::Open(Element { start, line }))?;
                tell(Part::Close(name))?;
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                tell(Part::Close(end.name().as_ref().to_owned()))?;
            }
            Event::Text(text) if depth == 0 && !text.trim().is_empty() => {
                return Err(refused(&"text outside of the root element"));
            }
            Event::Eof if depth > 0 => return Err(refused(&"ends before its elements are closed")),
            Event::Eof if roots == 0 => return Err(refused(&"no element")),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

fn opened(depth: usize, roots: u32) -> Result<(usize, u32), String> {
    let roots = roots + u32::from(depth == 0);
    if roots > 1 {
        return Err("more than one root element".to_owned());
    }
    if depth >= DEEPEST {
        return Err(format!("deeper than {DEEPEST} elements"));
    }
    Ok((depth + 1, roots))
}

/// Also attributes that nobody asks for are there once.
fn unique(attributes: Attributes<'_>) -> Result<(), String> {
    attributes.into_iter().try_for_each(|attribute| attribute.map(drop)).map_err(|error| error.to_string())
}

fn encoding(declared: &BytesDecl<'_>) -> Result<(), String> {
    match declared.encoding() {
        Some(Ok(name)) if !name.eq_ignore_ascii_case("utf-8") && !name.eq_ignore_ascii_case("us-ascii") => {
            Err(format!("declared as {name}, read as UTF-8"))
        }
        Some(Err(error)) => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// Counts lines as the reader goes on.
#[derive(Default)]
struct Lines {
    at: usize,
    line: u64,
}

impl Lines {
    fn to(&mut self, text: &str, place: usize) -> u64 {
        let place = place.min(text.len()).max(self.at);
        self.line += lines(text.as_bytes().get(self.at..place).unwrap_or_default()) - 1;
        self.at = place;
        self.line + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<Vec<String>, Refusal> {
        let mut names = Vec::new();
        walk(text, &mut |part| {
            if let Part::Open(element) = part {
                element.attribute("b")?;
                names.push(element.name());
            }
            Ok(())
        })?;
        Ok(names)
    }

    #[test]
    fn only_whole_plain_documents_are_read() {
        assert_eq!(names("<?xml version=\"1.0\"?>\n<a><b/></a>\n").unwrap(), ["a", "b"]);
        let deep = "<a>".repeat(80) + &"</a>".repeat(80);
        for (text, why) in [
            ("<a><b></a>", "expected `</b>`"),
            ("<a><b/>", "closed"),
            ("<a/><a/>", "root"),
            ("<a x='1' x='2'/>", "duplicate"),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "document type"),
            ("<!DOCTYPE a SYSTEM 'a.dtd'><a b='&c;'/>", "c"),
            ("<?xml version='1.0' encoding='UTF-16'?><a/>", "UTF-16"),
            ("<a/>tail", "outside"),
            (&deep, "deeper"),
        ] {
            let refusal = names(text).unwrap_err();
            assert!(refusal.what.contains(why), "{text}: {refusal}");
        }
        assert_eq!(names("<a>\n<b>\n</c></a>").unwrap_err().line, Some(3));
    }
}
